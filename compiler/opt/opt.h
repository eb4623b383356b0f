/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The optimiser: passes over the IR, one file each, run in the order of opt.c.
 *
 * What every pass keeps: verdicts, counters and all other state, for every packet whose network
 * header is whole (sel_may_lack()); ir_check() holds before and after. Rules keep their numbers,
 * handles and origins, those behind a dispatch too, so that whatever is told about one still names
 * the user's rule (ir_rule_chain(), where a part of its chain has it). tests/test_opt.c evaluates
 * before and after.
 */
#ifndef NFT_BPF_COMPILER_OPT_H
#define NFT_BPF_COMPILER_OPT_H

#include "../ir.h"

/* The passes that change rules, in their order; what each leaves is a sound IR. */
enum opt_pass {
	OPT_DEAD,
	OPT_FACTS,
	OPT_IDLE,
	OPT_TEMPLATES,
	OPT_PARTS,
	OPT_DISPATCH,
	N_OPT_PASSES
};
extern const char *const opt_pass_name[N_OPT_PASSES];

struct opt_options {
	uint64_t seed; /* of hashes: random, kept from packets' senders */
	uint32_t least_alike; /* chains that make a template; 0: what is good */
	bool stop;     /* for tests: after this pass */
	enum opt_pass last;
};

/* Changes @ir in place. */
void opt_run(struct ir *ir, const struct opt_options *opt);

/* ---- ends.c: what always decides ---- */

struct opt_ends {
	struct ir *ir;
	uint8_t *known; /* by chain id; 0: not yet */
};
enum { OPT_RETURNS = 1, OPT_DECIDES };
void opt_ends_init(struct opt_ends *e, struct ir *ir);
/* Whether the chain's next rule may run after step @from of @r. */
bool opt_may_pass(struct opt_ends *e, const struct ir_rule *r, uint32_t from);

/* ---- canon.c: one selector for each header field ---- */

/* The field that @sel, a load, is the beginning of; else @sel. */
struct ir_sel *opt_whole_field(struct ir *ir, struct ir_sel *sel, uint8_t pf);
/* The fields that @sel is made of: their number, at most IR_MAX_FIELDS, or 0. */
uint32_t opt_split_fields(struct ir *ir, struct ir_sel *sel, uint8_t pf, struct ir_sel **parts);

/* ---- ranges.c: sets of values ---- */

#define OPT_MAX_RANGES 256

struct opt_range {
	const uint8_t *lo, *hi; /* width bytes, inclusive */
};

/* Disjoint, ascending. */
struct opt_ranges {
	struct opt_range r[OPT_MAX_RANGES];
	uint32_t n;
};

/* @width bytes @with. */
const uint8_t *opt_bytes(struct ir *ir, uint32_t width, uint8_t with);
/* The next byte string up or down; false: there is none. */
bool opt_neighbour(struct ir *ir, const uint8_t *from, uint32_t width, bool up,
		   const uint8_t **ret);
/* What no range holds; likewise in both, in one or the other. false: too many. */
bool opt_ranges_not(struct ir *ir, const struct opt_ranges *of, uint32_t width,
		    struct opt_ranges *ret);
bool opt_ranges_and(const struct opt_range *a, uint32_t n, const struct opt_ranges *b,
		    uint32_t width, struct opt_ranges *ret);
bool opt_ranges_or(const struct opt_range *a, uint32_t na, const struct opt_range *b, uint32_t nb,
		   uint32_t width, struct opt_ranges *ret);
/* All of @a lies in single ranges of @b. */
bool opt_ranges_within(const struct opt_range *a, uint32_t na, const struct opt_range *b,
		       uint32_t nb, uint32_t width);

/* ---- conds.c: what a rule asks before it does anything ---- */

/* @sel has a value, which lies in one of the ranges: disjoint, ascending. */
struct opt_cond {
	struct ir_sel *sel;
	const struct opt_range *ranges;
	uint32_t n_ranges;
	uint32_t step; /* the guard it comes from; OPT_SEVERAL: of more than one */
};
#define OPT_SEVERAL UINT32_MAX

struct opt_rule {
	const struct ir_rule *rule;
	struct opt_cond *conds; /* all of them hold, or the rule does not match; by selector id */
	uint32_t n_conds;
	uint32_t n_guards; /* steps that the conditions stand for */
	bool never;	   /* they contradict each other */
	bool may_pass;	   /* when they hold: the chain's next rule may still run */
};

/* Reads the pure guards at the start of @rule as conditions. */
void opt_conds(struct opt_ends *e, const struct ir_rule *rule, struct opt_rule *ret);
/* What it says of packets that @sel's value lies in @lo..@hi, as conditions; false: nothing. */
bool opt_read_value(struct ir *ir, uint8_t pf, struct ir_sel *sel, const uint8_t *lo,
		    const uint8_t *hi, struct opt_rule *ret);
bool opt_same_cond(const struct opt_cond *a, const struct opt_cond *b);

/* ---- notes.c: runs in which some rules only take note ---- */

/* Does nothing but what cannot fail and does not decide. */
bool opt_is_note(const struct opt_rule *r);
/* Fills @d, whose fields are set, with all rules [from, end) of @rules; false: not possible. */
bool opt_fill_notes(struct ir *ir, struct ir_dispatch *d, const struct opt_rule *rules,
		    uint32_t from, uint32_t end);

/* ---- budget.c: code that a run leads to ---- */

struct opt_budget {
	uint32_t *seen; /* by chain id: the run it was counted for */
	uint32_t run, code;
};
void opt_budget_init(struct opt_budget *b, const struct ir *ir);
void opt_budget_begin(struct opt_budget *b);
/* Counts the chains that @r leads to; false: too much now. */
bool opt_budget_take(struct opt_budget *b, const struct ir_rule *r);

/* ---- alike.c: chains that differ in nothing but what a template's record has ---- */

bool opt_alike(const struct ir_chain *a, const struct ir_chain *b);
uint64_t opt_hash_shape(const struct ir_chain *c);
/* Of sets that are alike. */
bool opt_same_keys(const struct ir_set *a, const struct ir_set *b);

/* ---- the passes ---- */

/* A chain with what its rules ask for; passes keep both in step. */
struct opt_chain {
	struct ir *ir;
	struct ir_chain *chain;
	struct opt_rule *rules; /* chain->n_rules */
	struct opt_budget *budget;
};

/* Reads all rules' conditions. */
void opt_read(struct opt_ends *e, struct opt_chain *oc);
/* Rule @i cannot match; the guard of its condition @k, of a single step, always holds. */
void opt_kill_rule(struct opt_chain *oc, uint32_t i);
void opt_drop_guard(struct opt_chain *oc, uint32_t i, uint32_t k);
/* dead.c: rules that cannot match never do. @hooks: of the chain, bits 1 << NF_INET_*. */
void opt_dead(struct opt_chain *oc, uint8_t hooks);
uint8_t *opt_hooks(struct ir *ir); /* by chain id */
/* facts.c: guards that the way to a rule decides. @chains: by id. */
void opt_facts(struct opt_ends *e, struct opt_chain *chains);
/* The same in @oc's rules from @first on, where @c @holds or does not. */
void opt_facts_given(struct opt_chain *oc, uint32_t first, const struct opt_cond *c, bool holds);
/* idle.c: chains and rules of which nothing comes. */
void opt_idle(struct opt_ends *e, struct opt_chain *chains);
/* template.c: chains of the same shape share code; @least of them, or 0. */
void opt_templates(struct ir *ir, const uint8_t *hooks, uint32_t least);
/* parts.c: rules parted by what they ask for; the chains that are made go to @ret. */
struct opt_list {
	struct opt_chain *chains;
	size_t n;
};
void opt_parts(struct opt_ends *e, struct opt_chain *chains, uint32_t n, struct opt_list *ret);
/* dispatch.c: runs of rules become one look-up each; the last pass. */
void opt_dispatch(struct opt_chain *oc);

/* ---- fields.c: rows of several rules ---- */

struct opt_fields {
	struct ir_sel *sel[IR_MAX_FIELDS];
	uint32_t n, width;
};
/* Adds the selectors of @r; false, and unchanged, when they are too many or too wide. */
bool opt_fields_add(struct opt_fields *f, const struct opt_rule *r);
bool opt_same_fields(const struct opt_rule *a, const struct opt_rule *b);
/* Rows that a rule needs: products of ranges. */
uint32_t opt_n_rows(const struct opt_rule *r);
/* Appends the rows of @r to @d, leading to its rule @number. */
void opt_add_rows(struct ir *ir, struct ir_dispatch *d, const struct opt_rule *r, uint32_t number);

#endif
