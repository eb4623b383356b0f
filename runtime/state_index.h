/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * States of the IR by the rule or object that they are of.
 */
#ifndef NFT_BPF_RUNTIME_STATE_INDEX_H
#define NFT_BPF_RUNTIME_STATE_INDEX_H

#include "../compiler/ir.h"

struct state_index {
	const struct ir_state **array; /* by key and expression */
	uint32_t n;
};

/* Of those that are @wanted. */
int state_index_make(struct state_index *x, const struct ir *ir,
		     bool (*wanted)(const struct ir_state *st));
void state_index_fini(struct state_index *x);
/* The first of @key's, a struct rule or object of the model; *@ret_n of them, maybe 0. */
uint32_t state_index_find(const struct state_index *x, const void *key, uint32_t *ret_n);

#endif
