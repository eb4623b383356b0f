/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of a generation's rules, per CPU in the programs' memory.
 */
#ifndef NFT_BPF_RUNTIME_COUNTERS_H
#define NFT_BPF_RUNTIME_COUNTERS_H

#include "../compiler/ir.h"
#include "manifest.h"

struct bpf_object;

/* Which rule counts where: the map "rules", by chain (mf_counted) and position. */
struct counted_rule {
	uint64_t handle;   /* 0: not known, the position counts */
	uint32_t position; /* in its chain, from 1 */
	uint32_t expr;
	uint32_t counter;
	uint32_t fresh; /* made by the batch: takes nothing over from its predecessor */
};

struct counters { /* of one generation, mapped */
	const struct manifest *manifest;
	const uint8_t *blocks;	     /* map "counters" */
	/* Map "seeds"; behind them one for each object: its handle, once there is something to be given. */
	struct packets_bytes *seeds;
	struct counted_rule *rules;  /* map "rules" */
	uint32_t n_rules;
	size_t blocks_size, seeds_size, rules_size;
};
/* -ENOENT without an error when the generation counts nothing. */
int counters_open(const struct runtime *rt, uint32_t gen, const struct manifest *m, bool writable,
		  struct diags *ds, struct counters *ret);
void counters_close(struct counters *c);
struct packets_bytes counters_read(const struct counters *c, uint32_t counter);

/* Before objects are made anew with what was counted: from then on it is not counted again. */
int counters_note_objects(struct runtime *rt, const struct manifest *m, const struct ruleset *rs,
			  struct diags *ds);

/* Of a counter expression's or object's attributes. */
struct packets_bytes counter_get(struct blob attrs);
/* Into the counters of @rs what the current generation, whose manifest is @m, counted. */
int counters_overlay(struct runtime *rt, const struct manifest *m, struct ruleset *rs,
		     struct diags *ds);

/* What the kernel's own counter said at rt_model(), where that is not what the model shows. */
const struct raw_counter *raw_find(const struct runtime *rt, const void *owner, uint64_t handle,
				   uint32_t expr);
void raw_sort(struct runtime *rt); /* after entries were added */

/*
 * Makes and pins a new generation's maps, and the parts of @m about counters: strings are those of
 * @rs. Chains that the interpreter may run as well are told by @m->chains.
 */
int counters_make(struct runtime *rt, uint32_t gen, const struct ruleset *rs, const struct ir *ir,
		  const struct bpf_object *obj, struct manifest *m, struct diags *ds);
/* Notes the handles that rules of @rs have meanwhile. */
int counters_note_handles(struct runtime *rt, uint32_t gen, const struct manifest *m,
			  const struct ruleset *rs, struct diags *ds);
/*
 * When the programs of @old have stopped: what they counted after rt_model() is added to the same
 * rules in @gen.
 */
int counters_carry(struct runtime *rt, uint32_t old, const struct manifest *old_m, uint32_t gen,
		   const struct manifest *m, struct diags *ds);

#endif
