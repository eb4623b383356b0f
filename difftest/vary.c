/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbours of a packet that hits a rule: one constant off by one, another value that should do as
 * well, or the same packet in another shape.
 */
#include <stdio.h>

#include "gen.h"

/* A value beside a constant of the guard. */
static bool beside(const struct wish *w, uint8_t *v, struct rng *rng)
{
	uint32_t n = w->sel->width, which = rng_below(rng, 6);
	const uint8_t *lo = w->lo, *hi = w->hi;

	if (w->guard == IR_IN || w->guard == IR_NOT_IN) {
		const struct ir_elem *e = w->elem;

		if (!e && w->set->n_elems)
			e = &w->set->elems[rng_below(rng, (uint32_t)w->set->n_elems)];
		if (!e || !e->lo)
			return false;
		lo = e->lo;
		hi = e->hi;
	}
	if (w->guard == IR_EQ || w->guard == IR_NE)
		hi = lo;
	memcpy(v, which < 3 ? lo : hi, n);
	if (which % 3 == 0)
		return bytes_add(v, n, -1);
	if (which % 3 == 1)
		return bytes_add(v, n, 1);
	if (lo == hi) /* the other end of a field: a bit somewhere */
		v[rng_below(rng, n)] ^= (uint8_t)(1 << rng_below(rng, 8));
	return true;
}

static struct packet *vary_constant(struct gen *g, struct gen_target *t)
{
	uint8_t v[IR_MAX_WIDTH];
	struct wish saved;
	struct wish *w;
	struct packet *p;

	for (uint32_t i = 0; i < t->n_wishes; i++) {
		w = &t->wishes[t->next++ % t->n_wishes];
		if (w->kind != WISH_GUARD || !beside(w, v, &g->rng))
			continue;
		saved = *w;
		*w = (struct wish){.sel = saved.sel, .kind = WISH_GUARD, .guard = IR_EQ, .lo = v,
				   .hi = v};
		p = gen_try(g, t, t->wishes, t->n_wishes, t->flow);
		*w = saved;
		if (p)
			packet_set_origin(p, "beside a constant of %s %s rule %u",
					  t->rule->chain->table, t->rule->chain->name,
					  t->rule->index);
		return p;
	}
	return NULL;
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

	if (!t->hit)
		return false;
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
