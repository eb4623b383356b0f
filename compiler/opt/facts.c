/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts: what is known of a packet where a rule runs, by the way it came there.
 *
 * Needs: conditions, dead rules gone; chains that are no templates yet.
 * Keeps: everything. Guards that always hold there go, rules with one that never does are dead.
 *
 * A rule's conditions hold in the chains that it jumps to: at a chain's start that is known which
 * all its callers know. Where a rule that always decides asks for one thing alone, later rules of
 * its chain know that it did not hold: that the value lies elsewhere, or that there is none.
 *
 *	input	iifname "lan" jump lan		lan	iifname "lan" counter drop	iifname goes
 *		meta l4proto != tcp accept	tcp	…				its guards go
 *		tcp dport 22 accept
 *
 * What may be called by a verdict map whose elements change has callers that are not seen here, so
 * nothing is known in the chains of its table.
 */
#include "../dispatch.h"
#include "opt.h"

enum {
	MAX_FACTS = 16,	 /* selectors of which something is known at a time */
	MAX_RANGES = 32, /* of one fact */
	MAX_ROUNDS = 4,	 /* for chains that decide only now, one below the other */
};

/* The value lies in one of the ranges; without @has, or there is none. */
struct fact {
	struct ir_sel *sel;
	const struct opt_range *ranges;
	uint32_t n;
	bool has;
};

struct facts {
	struct fact list[MAX_FACTS];
	uint32_t n;
};

/* At a chain's start; of several callers, what all of them know. */
struct entry {
	bool is_called;
	struct fact *list;
	uint32_t n;
};

struct pass {
	struct ir *ir;
	struct opt_chain *chains;
	struct entry *entries;	   /* by chain id, as the next ones */
	uint8_t *is_open;	   /* its table has a map that may call it at any time */
	bool *seen;
	struct ir_chain **order; /* callees first */
	uint32_t n_order;
};

/* ---- facts ---- */

static struct fact *find(struct facts *f, const struct ir_sel *sel)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->list[i].sel == sel)
			return &f->list[i];
	return NULL;
}

static bool always_has(const struct fact *f, uint8_t pf)
{
	return f->has || !sel_may_lack(f->sel, pf);
}

static void set_ranges(struct ir *ir, struct fact *f, const struct opt_ranges *r)
{
	f->ranges = arena_memdup(ir->arena, r->r, MAX(r->n, 1u) * sizeof(r->r[0]));
	f->n = r->n;
}

/* The condition holds. */
static void learn(struct ir *ir, struct facts *f, const struct opt_cond *c)
{
	struct fact *known = find(f, c->sel);
	struct opt_ranges is, both;

	if (c->n_ranges > MAX_RANGES)
		return;
	if (!known && f->n < MAX_FACTS) {
		f->list[f->n++] = (struct fact){c->sel, c->ranges, c->n_ranges, true};
		return;
	}
	if (!known)
		return;
	known->has = true;
	is.n = c->n_ranges;
	memcpy(is.r, c->ranges, c->n_ranges * sizeof(is.r[0]));
	if (opt_ranges_and(known->ranges, known->n, &is, c->sel->width, &both) &&
	    both.n <= MAX_RANGES)
		set_ranges(ir, known, &both);
}

/* It does not. */
static void learn_not(struct ir *ir, struct facts *f, const struct opt_cond *c)
{
	struct fact *known = find(f, c->sel);
	struct opt_ranges is, rest, both;

	if (c->n_ranges > MAX_RANGES || (known && known->n == MAX_RANGES) ||
	    (!known && f->n == MAX_FACTS))
		return;
	is.n = c->n_ranges;
	memcpy(is.r, c->ranges, c->n_ranges * sizeof(is.r[0]));
	if (!opt_ranges_not(ir, &is, c->sel->width, &rest) || rest.n > MAX_RANGES)
		return;
	if (!known) {
		known = &f->list[f->n++];
		*known = (struct fact){.sel = c->sel};
		set_ranges(ir, known, &rest);
	} else if (opt_ranges_and(known->ranges, known->n, &rest, c->sel->width, &both) &&
		   both.n <= MAX_RANGES) {
		set_ranges(ir, known, &both);
	}
}

static bool rules_out(const struct fact *f, const struct opt_cond *c)
{
	struct opt_ranges is, both;

	is.n = c->n_ranges;
	memcpy(is.r, c->ranges, c->n_ranges * sizeof(is.r[0]));
	return opt_ranges_and(f->ranges, f->n, &is, c->sel->width, &both) && !both.n;
}

static bool implies(const struct fact *f, const struct opt_cond *c, uint8_t pf)
{
	return always_has(f, pf) &&
	       opt_ranges_within(f->ranges, f->n, c->ranges, c->n_ranges, c->sel->width);
}

/* ---- chains that are called ---- */

/* What both know. */
static void join(struct pass *p, struct entry *e, struct facts *f)
{
	uint32_t n = 0;

	if (!e->is_called) {
		e->is_called = true;
		e->list = arena_memdup(p->ir->arena, f->list, MAX(f->n, 1u) * sizeof(f->list[0]));
		e->n = f->n;
		return;
	}
	for (uint32_t i = 0; i < e->n; i++) {
		struct fact *a = &e->list[i], *b = find(f, a->sel);
		struct opt_ranges both;

		if (!b || !opt_ranges_or(a->ranges, a->n, b->ranges, b->n, a->sel->width, &both) ||
		    both.n > MAX_RANGES)
			continue;
		if (!opt_ranges_within(both.r, both.n, a->ranges, a->n, a->sel->width))
			set_ranges(p->ir, a, &both);
		a->has &= b->has;
		e->list[n++] = *a;
	}
	e->n = n;
}

static void enter(struct pass *p, const struct ir_chain *c, struct facts *f)
{
	if (c && !c->is_base && !p->is_open[c->id])
		join(p, &p->entries[c->id], f);
}

/* The element is hit, so the key is known. */
static void enter_elem(struct pass *p, const struct ir_chain *from, const struct ir_step *st,
		       const struct ir_elem *e, const struct facts *f)
{
	struct facts with = *f;
	struct opt_rule key;

	if (!e->verdict.chain)
		return;
	if (e->lo && !st->set->ranged && !st->sel->impure &&
	    opt_read_value(p->ir, from->pf, st->sel, e->lo, e->hi, &key))
		for (uint32_t i = 0; i < key.n_conds; i++)
			learn(p->ir, &with, &key.conds[i]);
	enter(p, e->verdict.chain, &with);
}

static bool has_chains(const struct ir_set *s)
{
	for (size_t e = 0; e < s->n_elems; e++)
		if (s->elems[e].verdict.chain)
			return true;
	return false;
}

static bool calls(const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++)
		if (r->steps[s].verdict.chain || r->steps[s].kind == IR_DISPATCH ||
		    (r->steps[s].kind == IR_VMAP && has_chains(r->steps[s].set)))
			return true;
	return false;
}

static void enter_part(struct pass *p, const struct ir_rule *r, struct facts *f)
{
	for (uint32_t s = 0; s < r->n_steps; s++) {
		const struct ir_step *st = &r->steps[s];

		enter(p, st->verdict.chain, f);
		for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++)
			enter_elem(p, r->chain, st, &st->set->elems[e], f);
	}
}

static void enter_all(struct pass *p, const struct opt_rule *o, const struct facts *f)
{
	struct facts inside = *f;

	if (!calls(o->rule))
		return;
	for (uint32_t k = 0; k < o->n_conds; k++)
		learn(p->ir, &inside, &o->conds[k]);
	for (uint32_t i = 0; i < ir_rule_parts(o->rule); i++)
		enter_part(p, ir_rule_part(o->rule, i), &inside);
}

/* ---- rules ---- */

/* Takes out what is known; false: it cannot match. */
static bool use_facts(struct opt_chain *oc, uint32_t i, struct facts *f, uint32_t *ret_open,
		      struct opt_cond *ret_last)
{
	struct opt_rule *o = &oc->rules[i];

	*ret_open = 0;
	for (uint32_t k = 0; k < o->n_conds; k++) {
		const struct fact *known = find(f, o->conds[k].sel);

		if (known && rules_out(known, &o->conds[k]))
			return false;
		if (!known || !implies(known, &o->conds[k], oc->chain->pf)) {
			++*ret_open;
			*ret_last = o->conds[k];
		} else if (o->conds[k].step != OPT_SEVERAL) {
			opt_drop_guard(oc, i, k--);
		}
	}
	return true;
}

/* The rules from @first on, with @f known there. @p: of the chains that they call; NULL: leave those. */
static void run_rules(struct ir *ir, struct opt_chain *oc, uint32_t first, struct facts *f,
		      struct pass *p)
{
	bool is_over = false;

	for (uint32_t i = first; i < oc->chain->n_rules; i++) {
		struct opt_rule *o = &oc->rules[i];
		struct opt_cond last;
		uint32_t open;

		if (o->never)
			continue;
		if (is_over || !use_facts(oc, i, f, &open, &last)) {
			opt_kill_rule(oc, i);
			continue;
		}
		if (p)
			enter_all(p, o, f);
		if (!o->may_pass && open == 1)
			learn_not(ir, f, &last);
		is_over = !o->may_pass && !open;
	}
}

static void run_chain(struct pass *p, struct opt_chain *oc)
{
	const struct entry *e = &p->entries[oc->chain->id];
	struct facts f = {.n = e->n};

	if (e->n)
		memcpy(f.list, e->list, e->n * sizeof(f.list[0]));
	run_rules(p->ir, oc, 0, &f, p);
}

void opt_facts_given(struct opt_chain *oc, uint32_t first, const struct opt_cond *c, bool holds)
{
	struct facts f = {0};

	if (holds)
		learn(oc->ir, &f, c);
	else
		learn_not(oc->ir, &f, c);
	run_rules(oc->ir, oc, first, &f, NULL);
}

/* ---- order ---- */

static void visit(struct pass *p, struct ir_chain *c);

static void visit_part(struct pass *p, const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++) {
		const struct ir_step *st = &r->steps[s];

		visit(p, st->verdict.chain);
		for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++)
			visit(p, st->set->elems[e].verdict.chain);
	}
}

static void visit(struct pass *p, struct ir_chain *c)
{
	if (!c || p->seen[c->id])
		return;
	p->seen[c->id] = true;
	for (uint32_t r = 0; r < c->n_rules; r++)
		for (uint32_t i = 0; i < ir_rule_parts(&c->rules[r]); i++)
			visit_part(p, ir_rule_part(&c->rules[r], i));
	p->order[p->n_order++] = c;
}

static void find_open(struct pass *p)
{
	for (uint32_t i = 0; i < p->ir->n_sets; i++) {
		const struct ir_set *s = p->ir->sets[i];

		if (s->kind != IR_VERDICT_MAP || !(s->is_mutable || s->has_timeout))
			continue;
		for (size_t e = 0; e < s->n_elems; e++) {
			const struct ir_chain *to = s->elems[e].verdict.chain;

			for (uint32_t c = 0; to && !p->is_open[to->id] && c < p->ir->n_chains; c++)
				p->is_open[c] |= strcmp(p->ir->chains[c]->table, to->table) == 0;
		}
	}
}

/* What is behind a rule's guards may now decide where it did not. True: it does somewhere. */
static bool renew_ends(struct pass *p, struct opt_ends *e)
{
	bool changed = false;

	opt_ends_init(e, p->ir);
	for (uint32_t i = 0; i < p->n_order; i++) {
		struct opt_chain *oc = &p->chains[p->order[i]->id];

		for (uint32_t r = 0; r < oc->chain->n_rules; r++) {
			struct opt_rule *o = &oc->rules[r];

			if (o->never || !o->may_pass)
				continue;
			o->may_pass = opt_may_pass(e, o->rule, o->n_guards);
			changed |= !o->may_pass;
		}
	}
	return changed;
}

void opt_facts(struct opt_ends *e, struct opt_chain *chains)
{
	struct ir *ir = e->ir;
	uint32_t n = MAX(ir->n_chains, 1u);
	struct pass p = {
		.ir = ir,
		.chains = chains,
		.is_open = arena_alloc(ir->arena, n),
		.seen = arena_alloc(ir->arena, n * sizeof(*p.seen)),
		.order = arena_alloc(ir->arena, n * sizeof(*p.order)),
	};

	find_open(&p);
	for (uint32_t i = 0; i < ir->n_progs; i++)
		for (uint32_t b = 0; b < ir->progs[i].n_bases; b++)
			visit(&p, ir->progs[i].bases[b]);
	for (uint32_t round = 0; round < MAX_ROUNDS; round++) {
		p.entries = arena_alloc(ir->arena, n * sizeof(*p.entries));
		for (uint32_t i = p.n_order; i-- > 0;)
			if (p.order[i]->lowered)
				run_chain(&p, &chains[p.order[i]->id]);
		if (!renew_ends(&p, e))
			break;
	}
}
