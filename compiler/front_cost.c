/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a program in front of an interpreted chain pay? A packet that it drops is spared the
 * interpreter's way to that drop; every other one goes through it for nothing. It is worth that where
 * it pays with one packet of three dropped: most is gained when very many are.
 *
 * Both sides are estimates from measured costs (bench/, on one machine), in ns. A packet that a rule is
 * not about pays for the rule up to the first comparison; rules that drop count alike, as nobody knows
 * the traffic. The optimiser has not seen the program yet: rules in a row that ask for the same are
 * taken for the look-up that they become.
 */
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "attr.h"
#include "lower_priv.h"
#include "set_table.h"

enum {
	WORTH_PASSED = 2, /* packets passed for each that is dropped */
	/* The interpreter. */
	CHAIN_COST = 25,
	RULE_COST = 1,
	EXPR_COST = 8, /* called through a pointer */
	/* A program. */
	ROOT_COST = 35,
	LEAST_RUN = 4,
	RUN_COST = 10,
	RUN_STEP = 3, /* for each bit of the number of rules */
	BOXES_RULES = 64, /* opt/dispatch.c */
	BOXES_COST = 100,
	SECOND_PASS = 10,
};

/* From a chain's start on: through all of it, and to its rules that drop. */
struct way {
	bool known;
	double through;
	double drops; /* the sum over n_drops of them */
};

struct side {
	struct way *ways; /* by chain id */
	/* What @r costs a packet that it is not about, and one that it is. */
	void (*rule)(const struct ir_rule *r, double *ret_miss, double *ret_hit);
	bool has_runs;
};

struct pricing {
	struct side interpreter, front;
	double *n_drops; /* by chain id; a chain that two rules jump to counts twice */
};

static uint32_t log2_of(size_t n)
{
	uint32_t bits = 0;

	while (n >>= 1)
		bits++;
	return bits;
}

static uint32_t above(uint32_t n, uint32_t least)
{
	return n > least ? n - least : 0;
}

/* ---- the interpreter ---- */

/* nft_hash, nft_set_rbtree, nft_set_pipapo; large ones outgrow the caches. */
static uint32_t cost_of_kernel_set(const struct set *s)
{
	uint32_t bits = log2_of(s->n_elems);

	if (s->flags & NFT_SET_INTERVAL && s->flags & NFT_SET_CONCAT)
		return 200 + (uint32_t)MIN(s->n_elems / 10, (size_t)1000000);
	if (s->flags & NFT_SET_INTERVAL)
		return 45 * MIN(bits, 10u) + 180 * above(bits, 10);
	return 60 + 50 * above(bits, 8);
}

static uint32_t cost_of_expr(const struct rule *r, const struct expr *e)
{
	/* What nft_do_chain() does itself, and what it calls by name. */
	static const struct {
		const char *name;
		uint32_t cost;
	} costs[] = {{"payload", 2}, {"cmp", 2},    {"bitwise", 2},  {"immediate", 2},
		     {"counter", 5}, {"limit", 40}, {"numgen", 10}};

	for (uint32_t i = 0; i < ARRAY_SIZE(costs); i++)
		if (strcmp(e->name, costs[i].name) == 0)
			return costs[i].cost;
	if (strcmp(e->name, "lookup") == 0) {
		const struct set *s = lower_named_set(r->chain->table, e->attrs, NFTA_LOOKUP_SET,
						      NFTA_LOOKUP_SET_ID);

		return s ? cost_of_kernel_set(s) : EXPR_COST;
	}
	return EXPR_COST;
}

/* Of the protocol, which most packets share. */
static bool is_common(const struct expr *e)
{
	uint64_t key;

	if (strcmp(e->name, "meta") != 0)
		return false;
	key = attr_uint(e->attrs, NFTA_META_KEY, UINT32_MAX);
	return key == NFT_META_NFPROTO || key == NFT_META_L4PROTO;
}

static bool compares(const struct expr *e)
{
	return strcmp(e->name, "cmp") == 0 || strcmp(e->name, "range") == 0 ||
	       strcmp(e->name, "lookup") == 0 || strcmp(e->name, "limit") == 0;
}

static void interpret(const struct ir_rule *r, double *ret_miss, double *ret_hit)
{
	const struct rule *rule = r->origin;
	double sum = RULE_COST, miss = 0;

	for (uint32_t i = 0; rule && i < rule->exprs.n; i++) {
		const struct expr *e = &rule->exprs.array[i];

		sum += cost_of_expr(rule, e);
		if (!miss && compares(e) && (r->never || !i || !is_common(e - 1)))
			miss = sum;
	}
	*ret_miss = miss ? miss : sum;
	*ret_hit = sum;
}

/* ---- the program ---- */

/* Most keys that a large hash does not have a filter tells (classify/layout.h). */
static double cost_of_set(const struct ir_set *s, bool has_it)
{
	uint32_t bits = log2_of(s->n_elems);

	switch (set_table_form(s)) {
	case SET_FORM_CODE:
		return 2 + bits;
	case SET_FORM_HASH:
		return 25 + (has_it ? 38 : 13) * above(bits, 12);
	case SET_FORM_TREE:
		return 5 * bits + 40 * above(bits, 12);
	case SET_FORM_BOXES:
		return 50 + 40 * above(bits, 12);
	case SET_FORM_DYNAMIC:
		return 50;
	}
	return 0;
}

static double cost_of_sel(const struct ir_sel *s)
{
	double sum = s->op == IR_LEAF ? s->leaf->cost : s->op == IR_MAP ? cost_of_set(s->set, true) : 0;

	for (uint32_t i = 0; i < s->n_args; i++)
		sum += cost_of_sel(s->args[i]);
	return sum;
}

static void run_steps(const struct ir_rule *r, double *ret_miss, double *ret_hit)
{
	double sum = 0, miss = 0;

	for (uint32_t i = 0; i < r->n_steps; i++) {
		const struct ir_step *st = &r->steps[i];

		if (st->sel)
			sum += cost_of_sel(st->sel) + 1;
		if (st->kind == IR_EFFECT)
			sum += st->effect->cost;
		if (!miss && (st->kind == IR_GUARD || st->kind == IR_VMAP))
			miss = sum + (st->set ? cost_of_set(st->set, false) : 0);
		if (st->kind != IR_EFFECT && st->set)
			sum += cost_of_set(st->set, true);
	}
	*ret_miss = miss ? miss : sum;
	*ret_hit = sum;
}

/* ---- both ---- */

/* Rules in a row on one selector. */
struct run {
	const struct ir_sel *sel;
	uint32_t n;
	double sum;
};

static const struct ir_sel *asked_first(const struct ir_rule *r)
{
	const struct ir_step *st = r->n_steps ? &r->steps[0] : NULL;

	return st && st->kind == IR_GUARD && st->guard < IR_IN ? st->sel : NULL;
}

static double cost_of_run(const struct run *r)
{
	return r->n < LEAST_RUN ? r->sum : MIN(r->sum, RUN_COST + RUN_STEP * (double)log2_of(r->n));
}

static bool drops_here(const struct ir_rule *r)
{
	for (uint32_t i = 0; i < r->n_steps; i++) {
		const struct ir_step *st = &r->steps[i];

		if (st->kind == IR_VERDICT && st->verdict.code == IR_DROP)
			return !front_is_about_ct_state(r);
		if (st->kind == IR_VMAP && front_vmap_drops(st->set))
			return !front_is_about_ct_state(r);
	}
	return false;
}

static const struct ir_chain *target_of(const struct ir_rule *r)
{
	const struct ir_step *last = r->n_steps ? &r->steps[r->n_steps - 1] : NULL;

	return last && last->kind == IR_VERDICT ? last->verdict.chain : NULL;
}

static const struct way *price(struct pricing *p, struct side *s, const struct ir_chain *c);

/* What @r costs a packet that passes it. What comes to it has paid @here: drops go to @w and @n. */
static double price_rule(struct pricing *p, struct side *s, const struct ir_rule *r, double here,
			 struct way *w, double *n)
{
	const struct ir_chain *to = target_of(r);
	const struct way *below;
	double miss, hit;

	s->rule(r, &miss, &hit);
	if (!to) {
		if (drops_here(r)) {
			w->drops += here + hit;
			*n += 1;
		}
		return miss;
	}
	below = price(p, s, to);
	w->drops += (here + hit) * p->n_drops[to->id] + below->drops;
	*n += p->n_drops[to->id];
	return r->n_steps == 1 ? miss + below->through : miss;
}

/* Boxes are the most that many rules cost a program. */
static double at_most(const struct side *s, uint32_t n_rules, double cost)
{
	return s->has_runs && n_rules >= BOXES_RULES ? MIN(cost, (double)BOXES_COST) : cost;
}

/* A loop of chains ends where it began. */
static const struct way *price(struct pricing *p, struct side *s, const struct ir_chain *c)
{
	struct way *w = &s->ways[c->id];
	struct run run = {0};
	double done = 0, n = 0;

	if (w->known)
		return w;
	*w = (struct way){.known = true};
	for (uint32_t i = 0; i < c->n_rules; i++) {
		const struct ir_rule *r = &c->rules[i];
		double here = at_most(s, i, done + cost_of_run(&run));
		double passed = price_rule(p, s, r, here, w, &n);

		if (!s->has_runs || !run.sel || asked_first(r) != run.sel) {
			done = here;
			run = (struct run){.sel = asked_first(r)};
		}
		run.n++;
		run.sum += passed;
	}
	w->through = at_most(s, c->n_rules, done + cost_of_run(&run));
	p->n_drops[c->id] = n;
	return w;
}

void front_price(struct lower *lw, const struct ir_chain *base, bool counts,
		 struct front_price *ret)
{
	struct arena *a = arena_new();
	size_t n = lw->ir->n_chains;
	struct pricing p = {
		.interpreter = {arena_alloc(a, n * sizeof(struct way)), interpret, false},
		.front = {arena_alloc(a, n * sizeof(struct way)), run_steps, true},
		.n_drops = arena_alloc(a, n * sizeof(*p.n_drops)),
	};
	const struct way *there = price(&p, &p.interpreter, base);
	const struct way *here = price(&p, &p.front, base);
	double drops = MAX(p.n_drops[base->id], 1.0);
	double dropped = here->drops / drops * (counts ? 2 : 1) + (counts ? SECOND_PASS : 0);

	*ret = (struct front_price){
		.pass = ROOT_COST + (uint32_t)MIN(here->through, 1e6),
		.drop = ROOT_COST + (uint32_t)MIN(dropped, 1e6),
		.interpreter = CHAIN_COST + (uint32_t)MIN(there->drops / drops, 1e6),
	};
	ret->pays = ret->interpreter >= ret->drop + WORTH_PASSED * ret->pass;
	arena_free(a);
}
