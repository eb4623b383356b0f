/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before code: how a program's chains become BPF functions, how they return, and where selectors are
 * computed. No LLVM.
 *
 * Jumps are branches, not calls: a function holds a run of rules and, once each, the chains that
 * they lead to. Where a chain returns to is known when only one place can be meant; else the caller
 * leaves a number behind and the chain's end goes where the number says. The verifier tracks these
 * numbers, so it looks at a chain once per way to it; chains for which that is too much become
 * functions of their own, which it looks at once. Long runs of rules do, too (parts): that keeps the
 * verifier's and LLVM's work linear, and branches short.
 *
 * A rule that leads to more code than fits where it stands, a verdict map with a chain for each of
 * many elements, has these chains in groups: functions that are told by a number which of their
 * members to run (plan_group.c).
 *
 * The program itself is the root, number 0, whose "rules" are its base chains.
 */
#ifndef NFT_BPF_COMPILER_EMIT_PLAN_H
#define NFT_BPF_COMPILER_EMIT_PLAN_H

#include "../ir.h"

#define PLAN_ROOT 0
#define PLAN_NONE UINT32_MAX

/* A place: the start of a rule of a chain. */
struct plan_pos {
	uint32_t chain, rule;
};

/* Rules of a chain, in a row. */
struct plan_run {
	uint32_t chain, first, n;
	bool is_part; /* else all of them, but for what parts hold */
};

struct plan_edge {
	uint32_t rule;	/* index of the rule in the caller */
	uint32_t chain; /* callee */
	bool is_jump;	/* comes back to the next rule; else goto: as the caller returns */
};

struct plan_chain {
	const struct ir_chain *chain; /* NULL: the root, or a group */
	bool is_group; /* of one rule that goes to each member: its edges, by the members' numbers */
	uint32_t group, member; /* of which this is a member, PLAN_NONE: of none */
	/* Estimates: instructions, with what it branches to; calls below it. */
	uint64_t size;
	uint32_t calls;
	uint32_t n_rules;
	uint32_t first_number; /* of its rules, dense over the plan, from 1 */
	struct plan_edge *edges; /* by rule */
	uint32_t n_edges;
	/* The base chains that lead here, as numbers in prog->bases. */
	uint32_t first_base, last_base;
	/* Dominator tree: every way here leads through idom, from rule idom_rule on. */
	uint32_t idom, idom_rule, depth;
	/* Of a template, with records: the level of its number, callers' are lower. */
	bool has_record;
	uint32_t record_level;
	bool is_function;
	struct plan_run *parts; /* in order */
	uint32_t n_parts;
	/* Selectors computed at a rule's start, ordered by (rule, selector id). */
	struct plan_compute {
		uint32_t rule;
		const struct ir_sel *sel;
	} *computes;
	uint32_t n_computes;
};

struct plan {
	struct plan_chain *chains; /* callers before callees; [0] is the root */
	uint32_t n_chains;
	/* By ir_chain.id, of a template the model's: number here; PLAN_NONE: not reached. */
	uint32_t *index;
	uint32_t n_functions; /* with parts, without the program */
	uint32_t *groups; /* by number of the group: number here */
	uint32_t n_record_levels;
	uint32_t call_depth;  /* of them below the program */
	uint32_t size;	    /* estimate: instructions of the largest function */
	uint64_t total;	    /* of all of them */
	bool *kept;	    /* by selector id: has a slot, is computed at one place */
};

enum {
	PLAN_PART_SIZE = 6000, /* of a function; branches reach 32,767, verification is quadratic */
	PLAN_MAX_SIZE = 24000, /* more is not even tried */
	PLAN_MAX_TOTAL = 400000,
	PLAN_MAX_CALLS = 2, /* nested; all of them share 512 bytes of stack */
};

/* About how many instructions the rule is, without what it leads to. */
uint32_t plan_rule_size(const struct ir_rule *rule);
/* The number of what stands for @c. */
uint32_t plan_number(const struct plan *plan, const struct ir_chain *c);
/* The same, or its group's. */
uint32_t plan_target(const struct plan *plan, const struct ir_chain *c);
/* Everything in @a. NULL: the chains of @prog call each other in a cycle. */
struct plan *plan_new(struct arena *a, const struct ir *ir, const struct ir_prog *prog);
/* Chains that share functions. */
struct plan_groups {
	uint32_t *of; /* by ir_chain.id: number of the group, or PLAN_NONE */
	struct plan_group {
		const struct ir_chain **members;
		uint32_t n;
	} *groups;
	uint32_t n;
};
/* What is too large in @plan (cut) in groups; NULL: nothing (plan_group.c). */
struct plan_groups *plan_group(struct arena *a, const struct ir *ir, const struct plan *plan);
/* Fills is_function, parts and what sums them up (plan_cut.c). */
void plan_cut(struct arena *a, struct plan *plan);
/* Fills .kept and .computes (place.c); at most @max_slot_bytes of stack for values. */
void plan_place(struct arena *a, const struct ir *ir, struct plan *plan, uint32_t max_slot_bytes);
/* The place that lies on every way to both. */
struct plan_pos plan_join(const struct plan *plan, struct plan_pos a, struct plan_pos b);

/* ---- one function ---- */

/* A chain in a function. */
struct plan_local {
	uint32_t chain;
	/*
	 * Where it may return to: rules behind which to go on, by place. One with .chain PLAN_NONE,
	 * the first: to the function's caller.
	 */
	struct plan_pos *returns;
	uint32_t n_returns;
	uint32_t level; /* of its return number, if it has several: callers have lower ones */
};

struct plan_fn {
	struct plan_run run;
	/* The chains it branches to, callers first; not the run's own. */
	struct plan_local *chains;
	uint32_t n_chains;
	uint32_t n_levels;
};

struct plan_fn *plan_fn_new(struct arena *a, const struct plan *plan, struct plan_run run);
/* NULL: not in this function. */
const struct plan_local *plan_fn_find(const struct plan_fn *fn, uint32_t chain);

#endif
