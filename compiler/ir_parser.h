/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of the IR's parser share: ir_parse.c reads what contains, ir_parse_rule.c
 * what a rule does. Functions return false after an error was told. Private to them.
 */
#ifndef NFT_BPF_COMPILER_IR_PARSER_H
#define NFT_BPF_COMPILER_IR_PARSER_H

#include "ir_index.h"
#include "ir_lex.h"
#include "ir_names.h"

struct ir_parser {
	struct ir_lex lex;
	struct ir *ir;
	const struct ir_chain *chain;	      /* whose rules are being read */
	uint32_t depth;			      /* of parentheses */
	struct ir_sel *impure[IR_MAX_IMPURE]; /* "%N" of the rule */
	uint32_t n_impure;
	bool in_dispatch;
	struct ir_chain **defined; /* in the order of the text */
	uint32_t n_defined;
	struct ir_index is_defined;
};

/* Tokens: take_* consume one if it is what was asked for, need_* tell an error otherwise. */
bool ir_take_punct(struct ir_parser *p, char c);
bool ir_need_punct(struct ir_parser *p, char c);
bool ir_take_word(struct ir_parser *p, const char *word);
bool ir_need_word(struct ir_parser *p, const char *word);
bool ir_need_number(struct ir_parser *p, uint64_t max, uint64_t *ret);
bool ir_need_u32(struct ir_parser *p, uint32_t *ret);
bool ir_need_i32(struct ir_parser *p, int32_t *ret);
bool ir_need_family(struct ir_parser *p, uint8_t *ret);
bool ir_need_pf(struct ir_parser *p, uint8_t *ret);
bool ir_need_hook(struct ir_parser *p, uint8_t *ret); /* hook NAME */
/* A copy in the arena. */
bool ir_need_name(struct ir_parser *p, const char **ret);
bool ir_need_bytes(struct ir_parser *p, uint32_t width, const uint8_t **ret);
/* The words of a leaf's or effect's name, with single blanks between them. */
bool ir_need_words(struct ir_parser *p, char *buf, size_t size);
bool ir_need_set(struct ir_parser *p, struct ir_set **ret);	/* @NAME */
bool ir_need_state(struct ir_parser *p, struct ir_state **ret); /* #N */
bool ir_need_params(struct ir_parser *p, uint32_t n, uint64_t *ret);
/* PF FAMILY TABLE NAME; a chain that is not there yet is made. */
bool ir_need_chain_path(struct ir_parser *p, struct ir_chain **ret);
bool ir_need_verdict(struct ir_parser *p, struct ir_verdict *ret);

/* rule … */
bool ir_parse_rule(struct ir_parser *p, struct ir_rule *r);
/* steps } */
bool ir_parse_steps(struct ir_parser *p, struct ir_rule *r);
bool ir_parse_sel(struct ir_parser *p, struct ir_sel **ret);
/* What follows "dispatch". */
bool ir_parse_dispatch(struct ir_parser *p, struct ir_rule *r, struct ir_step *s);

#endif
