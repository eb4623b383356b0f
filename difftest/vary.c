/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbours of a packet that hits a rule: one constant off by one, another value that should do as
 * well, or the same packet in another shape.
 */
#include <stdio.h>

#include "gen.h"

/* The element that the @n-th variation of a look-up is about. */
static const struct ir_elem *nth_elem(const struct wish *w, uint32_t n)
{
	const struct ir_elem *e = w->elem;

	if (!e && w->set->n_elems)
		e = &w->set->elems[n % w->set->n_elems];
	return e && e->lo ? e : NULL;
}

/*
 * The @n-th value at an edge of the guard: below it, its first, its last, above it, and
 * one with a bit changed.
 */
static bool edge(const struct wish *w, uint32_t n, uint8_t *v, struct rng *rng)
{
	uint32_t width = w->sel->width;
	const uint8_t *lo = w->lo, *hi = w->hi;

	if (w->guard == IR_IN || w->guard == IR_NOT_IN) {
		const struct ir_elem *e = nth_elem(w, n / 5);

		if (!e)
			return false;
		lo = e->lo;
		hi = e->hi;
	}
	if (w->guard == IR_EQ || w->guard == IR_NE)
		hi = lo;
	memcpy(v, n % 5 < 2 ? lo : hi, width);
	switch (n % 5) {
	case 0:
		return bytes_add(v, width, -1);
	case 3:
		return bytes_add(v, width, 1);
	case 4:
		v[rng_below(rng, width)] ^= (uint8_t)(1 << rng_below(rng, 8));
	}
	return true;
}

static uint32_t n_edges(const struct wish *w)
{
	if (w->kind != WISH_GUARD)
		return 0;
	if ((w->guard == IR_IN || w->guard == IR_NOT_IN) && !w->elem)
		return 5 * (uint32_t)MIN(w->set->n_elems, (size_t)1000);
	return 5;
}

/* The edges of all guards that lead to the rule, one after the other. */
static struct packet *vary_constant(struct gen *g, struct gen_target *t)
{
	uint32_t total = 0, n, i = 0;
	uint8_t v[IR_MAX_WIDTH];
	struct wish saved, *w;
	struct packet *p;

	for (i = 0; i < t->n_wishes; i++)
		total += n_edges(&t->wishes[i]);
	if (!total)
		return NULL;
	n = t->next++ % total;
	/* The rule's own guards are the last ones: they come first. */
	for (i = t->n_wishes - 1; n >= n_edges(&t->wishes[i]); i--)
		n -= n_edges(&t->wishes[i]);
	w = &t->wishes[i];
	if (!edge(w, n, v, &g->rng))
		return NULL;
	saved = *w;
	*w = (struct wish){.sel = saved.sel, .kind = WISH_GUARD, .guard = IR_EQ, .lo = v, .hi = v};
	p = gen_try(g, t, t->wishes, t->n_wishes, t->flow);
	*w = saved;
	if (p)
		packet_set_origin(p, "at an edge of %s %s rule %u", t->rule->chain->table,
				  t->rule->chain->name, t->rule->index);
	return p;
}

static const struct ir_sel *find_leaf(const struct ir_sel *s)
{
	while (s->op != IR_LEAF && s->n_args)
		s = s->args[0];
	return s->op == IR_LEAF ? s : NULL;
}

/*
 * A guard's constant as the value of what it looks at, whatever stands between: should lowering have
 * misunderstood the operations, solving them would never come upon the packets that show it.
 */
static struct packet *vary_naively(struct gen *g, struct gen_target *t)
{
	const struct ir_rule *r = t->rule;
	const struct ir_step *st = &r->steps[rng_below(&g->rng, r->n_steps)];
	const struct ir_sel *leaf = st->kind == IR_GUARD ? find_leaf(st->sel) : NULL;
	uint8_t v[IR_MAX_WIDTH];
	struct wish naive = {.sel = leaf, .kind = WISH_GUARD, .guard = IR_EQ, .lo = v, .hi = v};
	struct draft d;
	struct packet *p;

	if (!leaf || st->set || leaf->width != st->sel->width)
		return NULL;
	memcpy(v, rng_one_in(&g->rng, 2) ? st->lo : st->hi, leaf->width);
	if (!rng_one_in(&g->rng, 3))
		v[rng_below(&g->rng, leaf->width)] ^= (uint8_t)(1 << rng_below(&g->rng, 8));
	draft_init(&d, t->prog->pf);
	for (uint32_t i = 0; i < r->n_steps; i++) {
		struct wish w = wish_of_step(&r->steps[i]);

		if (&r->steps[i] == st)
			w = naive;
		if (gen_is_wish(&r->steps[i]))
			draft_solve(&d, &w, &g->rng);
	}
	p = build_packet(g->lab, &d, t->flow, t->prog->hook, &g->rng);
	if (p)
		packet_set_origin(p, "with a constant of %s %s rule %u", r->chain->table,
				  r->chain->name, r->index);
	return p;
}

static struct packet *vary_guard(struct gen *g, struct gen_target *t)
{
	struct wish saved, *w;
	struct packet *p;

	if (!t->n_wishes)
		return NULL;
	w = &t->wishes[rng_below(&g->rng, t->n_wishes)];
	if (w->kind != WISH_GUARD)
		return NULL;
	saved = *w;
	*w = wish_negated(w);
	p = gen_try(g, t, t->wishes, t->n_wishes, t->flow);
	*w = saved;
	if (p)
		packet_set_origin(p, "one guard of %s %s rule %u negated", t->rule->chain->table,
				  t->rule->chain->name, t->rule->index);
	return p;
}

static struct packet *vary_shape(struct gen *g, struct gen_target *t)
{
	struct packet *p = gen_try(g, t, t->wishes, t->n_wishes, t->flow), *m;

	if (!p)
		return NULL;
	m = mutate_packet(p, &g->rng);
	packet_free(p);
	return m;
}

bool vary_target(struct gen *g, struct gen_target *t)
{
	struct packet *p = NULL;

	if (!t->hit || rng_one_in(&g->rng, 12)) {
		p = t->rule->n_steps ? vary_naively(g, t) : NULL;
		if (p)
			gen_add(g, p);
		return p != NULL;
	}
	switch (rng_below(&g->rng, 8)) {
	case 0:
	case 1:
	case 2:
		p = vary_constant(g, t);
		break;
	case 3:
		p = vary_guard(g, t);
		break;
	case 4:
		p = gen_try(g, t, t->wishes, t->n_wishes, t->flow);
		if (p)
			packet_set_origin(p, "again for %s %s rule %u", t->rule->chain->table,
					  t->rule->chain->name, t->rule->index);
		break;
	default:
		p = vary_shape(g, t);
		break;
	}
	if (p)
		gen_add(g, p);
	return p != NULL;
}
