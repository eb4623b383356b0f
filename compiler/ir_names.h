/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of the IR's text form, shared by those who write and read it. Private to them.
 */
#ifndef NFT_BPF_COMPILER_IR_NAMES_H
#define NFT_BPF_COMPILER_IR_NAMES_H

#include "ir.h"

#define IR_TEXT_VERSION 1

/* Index: the enum; IR_CONST and IR_LEAF have no word. */
extern const char *const ir_op_names[IR_JHASH + 1];
extern const char *const ir_guard_names[IR_NOT_IN + 1];
extern const char *const ir_verdict_names[IR_GOTO + 1];
extern const char *const ir_set_kind_names[IR_VERDICT_MAP + 1];
extern const char *const ir_form_names[IR_FORM_BOXES + 1];

/* Index of @word in @names, or -1. */
int ir_name_find(const char *const *names, size_t n, const char *word);
#define IR_NAME_FIND(names, word) ir_name_find((names), ARRAY_SIZE(names), (word))

const char *ir_hook_name(uint8_t hook);	  /* NF_INET_* */
int ir_hook_find(const char *word);	  /* -1: none */
const char *ir_pf_name(uint8_t pf);	  /* "v4", "v6" */
uint8_t ir_pf_find(const char *word);	  /* NFPROTO_IPV4, _IPV6; 0: neither */
uint8_t ir_family_find(const char *word); /* of a table with packets of ours; 0: none */

/* What a word may consist of without quotes. */
static inline bool ir_is_word_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static inline bool ir_is_word_char(char c)
{
	return ir_is_word_start(c) || (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '-';
}

#endif
