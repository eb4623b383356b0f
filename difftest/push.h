/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What solve.c asks of push.c.
 */
#ifndef NFT_BPF_DIFFTEST_PUSH_H
#define NFT_BPF_DIFFTEST_PUSH_H

#include "draft.h"

/* Settles what makes @s yield @val in the bits of @mask; false: impossible, @d may be half done. */
bool push(struct draft *d, const struct ir_sel *s, const uint8_t *val, const uint8_t *mask,
	  struct rng *rng);

/* A key of some element for which @ok holds, from a random place on; false leaves @d as it was. */
bool push_some_elem(struct draft *d, const struct ir_sel *key_sel, const struct ir_set *set,
		    bool (*ok)(const struct ir_set *set, const struct ir_elem *e, const void *arg),
		    const void *arg, struct rng *rng);
void pick_key(uint8_t *key, const struct ir_set *set, const struct ir_elem *e, struct rng *rng);

/* Bits of @s that can be one at all, as far as constant masks tell. */
void live_bits(const struct ir_sel *s, uint8_t *out);
/* What is settled of @s already, where it is a leaf or near one. */
void known_bits(struct draft *d, const struct ir_sel *s, uint8_t *val, uint8_t *mask);

#endif
