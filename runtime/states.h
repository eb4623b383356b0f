/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rules and named objects keep between packets beside counters: buckets of limits, bytes of
 * quotas, times of last. A word each in the programs' memory (map "state"); the map "states" says
 * whose it is.
 */
#ifndef NFT_BPF_RUNTIME_STATES_H
#define NFT_BPF_RUNTIME_STATES_H

#include "../compiler/ir.h"
#include "priv.h"

/* Makes and pins a new generation's map; words begin as those of generation @old stand. */
int states_make(struct runtime *rt, uint32_t gen, uint32_t old, const struct ruleset *rs,
		const struct ir *ir, struct diags *ds);
/* Notes the handles that rules of @rs have meanwhile. */
int states_note_handles(struct runtime *rt, uint32_t gen, const struct ruleset *rs,
			struct diags *ds);
/* Quotas and times of last of the current generation into @rs; after counters_overlay(). */
int states_overlay(struct runtime *rt, struct ruleset *rs, struct diags *ds);
/* When the programs of @old have stopped: what they did since states_made() is added. */
int states_carry(struct runtime *rt, uint32_t old, uint32_t gen, struct diags *ds);

/* Is the kernel's own quota, in a rule's expression or an object, behind what the model shows? */
bool states_quota_behind(const struct runtime *rt, const void *owner, uint64_t handle,
			 uint32_t expr, struct blob attrs);

#endif
