/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to set_table.c, set_states.c and set_verdicts.c: the parts of a table.
 */
#ifndef NFT_BPF_COMPILER_SET_TABLE_PRIV_H
#define NFT_BPF_COMPILER_SET_TABLE_PRIV_H

#include "set_table.h"

/* ---- set_states.c ---- */

/* Fills .kinds, what goes with them, and .kept_words; false: too many. */
bool set_table_number_kinds(struct ir *ir, const struct ir_set *set, struct set_table *t);
/* .n_kinds: it is none of them. */
uint32_t set_table_kind_of(const struct ir_set *set, const struct set_table *t,
			   const struct ir_elem *e);
/* The words of @e's record behind its data, of a set that keeps. A counter begins with nothing. */
void set_table_put_kept(const struct ir_set *set, const struct set_table *t, const struct ir_elem *e,
			uint32_t *ret);

/* ---- set_verdicts.c ---- */

bool set_table_same_verdict(const struct ir_verdict *a, const struct ir_verdict *b);
/* Fills what @t says of verdicts; by element, in order of first appearance. False: too many. */
bool set_table_number_verdicts(struct ir *ir, const struct ir_set *set, struct set_table *t,
			       uint32_t *numbers);

#endif
