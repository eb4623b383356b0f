/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets whose elements packets add, change or count in: a BPF hash map holds them, and is the truth.
 *
 * The map's key is the set's, padded with zeros to 8 bytes; its value begins with struct dyn_value,
 * then comes the data of a map and what the element's expressions keep, each at a multiple of 8:
 * struct ir_counter of a counter, one word of everything else. Which expressions these are, and
 * their numbers, is the same for all elements of a set (ir_set.like); elements that were added
 * without any have none (dyn_value.flags).
 *
 * Times are ns of CLOCK_MONOTONIC; the kernel's own are ticks (nft_set_elem_expired()), so that the
 * two may differ by a tick.
 */
#ifndef NFT_BPF_COMPILER_DYNAMIC_H
#define NFT_BPF_COMPILER_DYNAMIC_H

#include "ir.h"

#define DYN_HAS_STATE	 1u
#define DYN_DEFAULT_SIZE 65535u /* nft_dynset_init() */
#define DYN_SETS_MAP	 "dynsets" /* pinned: a struct dyn_head for each set, by its id */

struct dyn_value {
	uint64_t expires; /* ns; 0: never; 1, 2: in the works (bpf/dynset.bpf.c) */
	uint64_t timeout; /* ns; 0: none. The element's own, which an update leaves alone */
	uint32_t flags;
	uint32_t reserved;
};

struct dyn_head {
	uint64_t collected; /* ns: when expired elements were looked for last */
	uint64_t handle;    /* of the kernel's set; 0: not known yet */
};

uint32_t dyn_key_size(const struct ir_set *set);
uint32_t dyn_value_size(const struct ir_set *set);
/* Where the i-th expression's state is in the value. */
uint32_t dyn_state_at(const struct ir_set *set, uint32_t i);
/* Elements that the map must hold. */
uint32_t dyn_capacity(const struct ir_set *set);
/*
 * State as an expression's attributes tell it, into @ret (@size bytes). @now: ns of CLOCK_MONOTONIC;
 * 0: a constant is wanted, the state of new elements.
 */
void dyn_state_init(const struct ir_state *like, struct blob attrs, uint64_t now, void *ret);
uint32_t dyn_state_size(const char *expr); /* by its name */
/* The same of an expression alone, by its name. */
void dyn_expr_init(const char *expr, struct blob attrs, uint64_t now, void *ret);
/* Would both count and decide alike? What they count now is not asked for. */
bool dyn_same_expr(const struct expr *a, const struct expr *b);

#endif
