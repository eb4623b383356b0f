/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Templates: many chains of the same shape become one piece of code (template.h).
 *
 * Needs: chains that are not dispatches yet; comes before that pass, which then leaves the members
 * alone.
 * Keeps: everything; the members' rules are as they were, and records say how they differ.
 *
 * Chains are grouped from those that jump nowhere upwards, so that whether two jump to chains of the
 * same template is known. A few chains are faster with their constants in code, and long ones as a
 * dispatch.
 */
#include <errno.h>

#include "../ir_index.h"
#include "../set_table.h"
#include "../template.h"
#include "opt.h"

enum {
	LEAST = 16,	 /* members */
	SHORT_RULES = 8, /* of a chain that few members are worth it for */
	LONG_LEAST = 64, /* members of longer ones */
	LONG_RULES = 256,
	MAX_WORDS = 4096, /* of a record */
	OPEN = 0xff,
};

struct group {
	struct ir_chain **members;
	uint32_t n;
	struct group *next;
};

struct pass {
	struct ir *ir;
	const uint8_t *hooks;
	uint8_t *height; /* by chain id: longest way down, from 1; 0: not yet; OPEN: a cycle */
	uint32_t least;
};

/* ---- heights ---- */

static uint8_t height_of(struct pass *p, const struct ir_chain *c);

static uint8_t height_above(struct pass *p, const struct ir_verdict *v)
{
	uint8_t h = v->chain ? height_of(p, v->chain) : 0;

	return h == OPEN ? OPEN : h + 1;
}

static uint8_t height_of(struct pass *p, const struct ir_chain *c)
{
	uint8_t h = 1;

	if (p->height[c->id])
		return p->height[c->id];
	p->height[c->id] = OPEN;
	for (uint32_t r = 0; r < c->n_rules; r++) {
		const struct ir_rule *rule = &c->rules[r];

		if (ir_rule_is_dispatch(rule))
			return OPEN;
		for (uint32_t s = 0; s < rule->n_steps; s++) {
			const struct ir_step *st = &rule->steps[s];

			h = MAX(h, height_above(p, &st->verdict));
			for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++)
				h = MAX(h, height_above(p, &st->set->elems[e].verdict));
		}
	}
	p->height[c->id] = h;
	return h;
}

/* ---- what differs ---- */

static uint32_t place(struct ir_template *t, uint32_t n)
{
	uint32_t at = t->n_words;

	t->n_words += ROUND_UP(n, 2u);
	return 1 + at;
}

static bool same_lo(const struct ir_step *a, const struct ir_step *b)
{
	return !a->lo || memcmp(a->lo, b->lo, a->sel->width) == 0;
}

static bool same_hi(const struct ir_step *a, const struct ir_step *b)
{
	return !a->hi || memcmp(a->hi, b->hi, a->sel->width) == 0;
}

static bool same_state(const struct ir_step *a, const struct ir_step *b)
{
	return a->state == b->state;
}

static bool same_target(const struct ir_step *a, const struct ir_step *b)
{
	return a->verdict.chain == b->verdict.chain;
}

static bool same_keys(const struct ir_step *a, const struct ir_step *b)
{
	return !a->set || opt_same_keys(a->set, b->set);
}

static bool same_elem_states(const struct ir_step *a, const struct ir_step *b)
{
	for (size_t i = 0; a->set != b->set && i < a->set->n_elems; i++)
		for (uint32_t k = 0; k < a->set->n_states; k++)
			if (a->set->elems[i].states[k] != b->set->elems[i].states[k])
				return false;
	return true;
}

static bool same_elem_targets(const struct ir_step *a, const struct ir_step *b)
{
	for (size_t i = 0; a->set != b->set && i < a->set->n_elems; i++)
		if (a->set->elems[i].verdict.chain != b->set->elems[i].verdict.chain)
			return false;
	return true;
}

/* Whether some member's step @s of rule @r is not the model's in that. */
static bool differs(const struct ir_template *t, uint32_t r, uint32_t s,
		    bool (*same)(const struct ir_step *, const struct ir_step *))
{
	for (uint32_t i = 1; i < t->n; i++)
		if (!same(&t->members[0]->rules[r].steps[s], &t->members[i]->rules[r].steps[s]))
			return true;
	return false;
}

static void find_elem_params(struct ir_template *t, uint32_t r, uint32_t s, struct ir_params *p)
{
	const struct ir_set *set = t->members[0]->rules[r].steps[s].set;
	uint32_t n = 0;

	if (!set)
		return;
	if (differs(t, r, s, same_keys)) {
		p->elem_hi = ROUND_UP(template_const_words(set->width), 2u);
		n = 2 * p->elem_hi;
	}
	if (differs(t, r, s, same_elem_states)) {
		p->elem_states = 1 + n;
		n += set->n_states;
	}
	if (differs(t, r, s, same_elem_targets))
		p->elem_target = 1 + n++;
	p->elem_words = ROUND_UP(n, 2u);
	if (n)
		p->elems = place(t, p->elem_words * (uint32_t)set->n_elems);
}

static void find_params(struct ir *ir, struct ir_template *t, uint32_t r, uint32_t s)
{
	struct ir_step *st = &t->members[0]->rules[r].steps[s];
	uint32_t words = st->sel ? template_const_words(st->sel->width) : 0;
	uint32_t before = t->n_words;
	struct ir_params p = {0};

	if (differs(t, r, s, same_lo))
		p.lo = place(t, words);
	if (differs(t, r, s, same_hi))
		p.hi = place(t, words);
	if (differs(t, r, s, same_state))
		p.state = place(t, 1);
	if (differs(t, r, s, same_target))
		p.target = place(t, 1);
	find_elem_params(t, r, s, &p);
	if (t->n_words > before)
		st->params = arena_memdup(ir->arena, &p, sizeof(p));
}

/* ---- records ---- */

static void put_elem(const struct ir_params *p, const struct ir_set *set, const struct ir_elem *e,
		     uint32_t *words)
{
	if (p->elem_hi && e->lo) {
		template_put_const(words, e->lo, set->width);
		template_put_const(words + p->elem_hi, e->hi, set->width);
	}
	for (uint32_t k = 0; p->elem_states && k < set->n_states; k++)
		words[p->elem_states - 1 + k] = e->states[k]->index;
	if (p->elem_target && e->verdict.chain)
		words[p->elem_target - 1] = e->verdict.chain->record;
}

static void put_step(const struct ir_params *p, const struct ir_step *st, uint32_t *record)
{
	if (p->lo)
		template_put_const(record + p->lo - 1, st->lo, st->sel->width);
	if (p->hi)
		template_put_const(record + p->hi - 1, st->hi, st->sel->width);
	if (p->state)
		record[p->state - 1] = st->state->index;
	if (p->target)
		record[p->target - 1] = st->verdict.chain->record;
	for (size_t i = 0; p->elems && i < st->set->n_elems; i++)
		put_elem(p, st->set, &st->set->elems[i],
			 record + p->elems - 1 + i * p->elem_words);
}

static void put_record(const struct ir_template *t, uint32_t i)
{
	const struct ir_chain *c = t->members[i], *model = t->members[0];

	for (uint32_t r = 0; r < c->n_rules; r++)
		for (uint32_t s = 0; s < c->rules[r].n_steps; s++)
			if (model->rules[r].steps[s].params)
				put_step(model->rules[r].steps[s].params, &c->rules[r].steps[s],
					 t->records + (size_t)i * t->n_words);
}

static void drop_params(struct ir_chain *model)
{
	for (uint32_t r = 0; r < model->n_rules; r++)
		for (uint32_t s = 0; s < model->rules[r].n_steps; s++)
			model->rules[r].steps[s].params = NULL;
}

static void make_template(struct ir *ir, const struct group *g)
{
	struct ir_template *t = ARENA_NEW(ir->arena, struct ir_template);
	struct ir_chain *model = g->members[0];

	t->id = ir->n_templates;
	t->members = g->members;
	t->n = g->n;
	for (uint32_t r = 0; r < model->n_rules; r++)
		for (uint32_t s = 0; s < model->rules[r].n_steps; s++)
			find_params(ir, t, r, s);
	if (t->n_words > MAX_WORDS) {
		drop_params(model);
		return;
	}
	t->records = arena_alloc(ir->arena, ((size_t)t->n * t->n_words + 2) * sizeof(uint32_t));
	for (uint32_t i = 0; i < t->n; i++) {
		t->members[i]->template = t;
		t->members[i]->record = i;
		put_record(t, i);
	}
	ARENA_PUSH(ir->arena, ir->templates, ir->n_templates, t);
}

/* ---- groups ---- */

static bool is_worth_it(const struct pass *p, const struct group *g)
{
	uint32_t n = g->members[0]->n_rules;

	if (n <= SHORT_RULES)
		return g->n >= p->least;
	return n <= LONG_RULES && g->n >= MAX(p->least, (uint32_t)LONG_LEAST);
}

static void join_group(struct pass *p, struct ir_index *known, struct group **list,
		       struct ir_chain *c)
{
	uint64_t h = opt_hash_shape(c);
	struct group *g;
	size_t pos = 0;

	while ((g = ir_index_next(known, h, &pos)))
		if (opt_alike(g->members[0], c))
			break;
	if (!g) {
		g = ARENA_NEW(p->ir->arena, struct group);
		g->next = *list;
		*list = g;
		ir_index_add(known, p->ir->arena, h, g);
	}
	ARENA_PUSH(p->ir->arena, g->members, g->n, c);
}

/* Tables of verdict maps that lowering made: their numbers are others now. */
static void renew_tables(struct ir *ir)
{
	for (uint32_t i = 0; ir->n_templates && i < ir->n_sets; i++) {
		struct ir_set *set = ir->sets[i];
		const struct set_table *t;
		char *why = NULL;
		size_t e = 0;

		if (set->kind != IR_VERDICT_MAP || !set->table)
			continue;
		while (e < set->n_elems && !(set->elems[e].verdict.chain &&
					     set->elems[e].verdict.chain->template))
			e++;
		if (e == set->n_elems)
			continue;
		set_table_free(set);
		/* It was possible before; if it is not, emission says so. */
		if (set_table_get(ir, set, &t, &why) == -EOPNOTSUPP)
			free(why);
	}
}

void opt_templates(struct ir *ir, const uint8_t *hooks, uint32_t least)
{
	struct pass p = {.ir = ir, .hooks = hooks, .least = least ? least : LEAST};

	if (ir->n_templates)
		return;
	p.height = arena_alloc(ir->arena, MAX(ir->n_chains, 1u));
	for (uint8_t h = 1; h <= IR_MAX_DEPTH; h++) {
		struct ir_index known = {0};
		struct group *list = NULL;

		for (uint32_t i = 0; i < ir->n_chains; i++) {
			struct ir_chain *c = ir->chains[i];

			if (c->lowered && !c->is_base && hooks[i] && height_of(&p, c) == h)
				join_group(&p, &known, &list, c);
		}
		for (const struct group *g = list; g; g = g->next)
			if (is_worth_it(&p, g))
				make_template(ir, g);
	}
	renew_tables(ir);
}
