/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The optimiser: passes over the IR, one file each, run in the order of opt.c.
 *
 * What every pass keeps: verdicts, counters and all other state, for every packet whose network
 * header is whole (sel_may_lack()); ir_check() holds before and after. Rules keep their numbers,
 * handles and origins, those behind a dispatch too, so that whatever is told about one still names
 * the user's rule. tests/test_opt.c evaluates before and after.
 */
#ifndef NFT_BPF_COMPILER_OPT_H
#define NFT_BPF_COMPILER_OPT_H

#include "../ir.h"

/* The passes that change rules, in their order; what each leaves is a sound IR. */
enum opt_pass { OPT_DEAD, OPT_TEMPLATES, OPT_DISPATCH, N_OPT_PASSES };
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

/* ---- conds.c: what a rule asks before it does anything ---- */

struct opt_range {
	const uint8_t *lo, *hi; /* sel->width bytes, inclusive */
};

/* @sel has a value, which lies in one of the ranges: disjoint, ascending. */
struct opt_cond {
	struct ir_sel *sel;
	const struct opt_range *ranges;
	uint32_t n_ranges;
	uint32_t step; /* the guard it comes from; OPT_SEVERAL: of more than one */
};
#define OPT_SEVERAL UINT32_MAX

#define OPT_MAX_RANGES 256

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
/* dead.c: rules that cannot match never do. @hooks: of the chain, bits 1 << NF_INET_*. */
void opt_dead(struct opt_chain *oc, uint8_t hooks);
uint8_t *opt_hooks(struct ir *ir); /* by chain id */
/* template.c: chains of the same shape share code; @least of them, or 0. */
void opt_templates(struct ir *ir, const uint8_t *hooks, uint32_t least);
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
