/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before code: how a program's chains are laid out, how they return, and where selectors are
 * computed. No LLVM.
 *
 * Each chain a program reaches is emitted once, however often it is jumped to. The program itself
 * is the root, number 0, whose "rules" are its base chains. Where a chain returns to is known when
 * only one place can be meant; else the caller leaves a number (return id) in the chain's slot and
 * the chain's end goes where the number says. Chains do not recurse, so one slot each is enough.
 */
#ifndef NFT_BPF_COMPILER_EMIT_PLAN_H
#define NFT_BPF_COMPILER_EMIT_PLAN_H

#include "../ir.h"

#define PLAN_ROOT 0
#define PLAN_NONE UINT32_MAX

enum {
	PLAN_PART_MIN = 64, /* rules */
	PLAN_PART_MAX = 256,
};

/* A place: the start of a rule of a chain. */
struct plan_pos {
	uint32_t chain, rule;
};

struct plan_edge {
	uint32_t rule;	/* index of the rule in the caller */
	uint32_t chain; /* callee */
	bool is_jump;	/* comes back to the next rule; else goto: as the caller returns */
};

/*
 * A run of rules that do not jump, long enough to be a BPF function of its own: verified by itself,
 * once, it keeps LLVM's and the verifier's work linear, and branches short.
 */
struct plan_part {
	uint32_t first, n; /* rules */
};

struct plan_chain {
	const struct ir_chain *chain; /* NULL: the root */
	struct plan_edge *edges;
	uint32_t n_edges;
	/* Return ids it may end with, sorted: return r of jump edges, see plan.returns. */
	uint32_t *returns;
	uint32_t n_returns;
	/* Where the return id is kept when there are several: callers have lower levels. */
	uint32_t level;
	/* The base chains that lead here, as numbers in prog->bases. */
	uint32_t first_base, last_base;
	/* Dominator tree: every way here leads through idom, from rule idom_rule on. */
	uint32_t idom, idom_rule, depth;
	struct plan_part *parts; /* in order */
	uint32_t n_parts;
	/* Selectors computed at a rule's start, ordered by (rule, selector id). */
	struct plan_compute {
		uint32_t rule;
		const struct ir_sel *sel;
	} *computes;
	uint32_t n_computes;
	uint32_t next_compute; /* for whoever emits them */
};

struct plan {
	struct plan_chain *chains; /* callers before callees; [0] is the root */
	uint32_t n_chains;
	uint32_t *index; /* ir_chain.id → number here, PLAN_NONE: not reached */
	/* Return id → the place to go on at: the rule after the jump; of a base chain, its policy. */
	struct plan_pos *returns;
	uint32_t n_returns;
	uint32_t n_levels;
	/* By selector id: has a slot, that is, it is computed once at a place of its own. */
	bool *kept;
};

/* Everything in @a. NULL: the chains of @prog call each other in a cycle. */
struct plan *plan_new(struct arena *a, const struct ir *ir, const struct ir_prog *prog);
/* Fills .kept and .computes (place.c); at most @max_slot_bytes of stack for values. */
void plan_place(struct arena *a, const struct ir *ir, struct plan *plan, uint32_t max_slot_bytes);
/* The place that lies on every way to both. */
struct plan_pos plan_join(const struct plan *plan, struct plan_pos a, struct plan_pos b);
/* Stack a kept selector needs, bytes. */
uint32_t plan_slot_bytes(const struct ir_sel *sel);

#endif
