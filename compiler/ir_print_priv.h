/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to ir_print.c and ir_print_rule.c.
 */
#ifndef NFT_BPF_COMPILER_IR_PRINT_PRIV_H
#define NFT_BPF_COMPILER_IR_PRINT_PRIV_H

#include "ir_names.h"

struct printer {
	FILE *f;
	const struct ir_chain *chain; /* being printed: its jumps need no path */
	bool label;		      /* impure selectors get a number within their rule */
	const struct ir_sel *impure[IR_MAX_IMPURE];
	uint32_t n_impure;
	uint32_t indent;
	uint32_t row; /* of the dispatch being printed */
};

void ir_print_bytes(FILE *f, const uint8_t *bytes, uint32_t width);
/* A name, in quotes where it needs them. */
void ir_print_word(FILE *f, const char *s);
/* Its family, protocol, table and name. */
void ir_print_chain_path(FILE *f, const struct ir_chain *c);
void ir_print_verdict(struct printer *p, const struct ir_verdict *v);
/* @of: the dispatch that it is behind, or NULL. */
void ir_print_rule(struct printer *p, const struct ir_rule *r, const struct ir_dispatch *of);

#endif
