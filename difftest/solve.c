/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Solving one wish: candidates for the selector's value are pushed down to the leaves until one of
 * them contradicts nothing that is settled already.
 */
#include "push.h"

#define TRIES 24

/* Random, but with the bits that are settled and without those that cannot be. */
static void random_value(struct draft *d, const struct ir_sel *s, uint8_t *v, struct rng *rng)
{
	uint8_t val[IR_MAX_WIDTH], mask[IR_MAX_WIDTH], live[IR_MAX_WIDTH];

	rng_bytes(rng, v, s->width);
	live_bits(s, live);
	known_bits(d, s, val, mask);
	for (uint32_t i = 0; i < s->width; i++)
		v[i] = (uint8_t)((v[i] & live[i] & ~mask[i]) | (val[i] & mask[i]));
}

static void flip_live_bit(const struct ir_sel *s, uint8_t *v, struct rng *rng)
{
	uint8_t live[IR_MAX_WIDTH];

	live_bits(s, live);
	for (int i = 0; i < 64; i++) {
		uint32_t bit = rng_below(rng, s->width * 8u);

		if (live[bit / 8] & 1 << bit % 8) {
			v[bit / 8] ^= (uint8_t)(1 << bit % 8);
			return;
		}
	}
}

/* Something outside of lo … hi, near it more often than not. */
static void outside(struct draft *d, const struct wish *w, uint8_t *v, struct rng *rng)
{
	uint32_t n = w->sel->width;

	switch (rng_below(rng, 4)) {
	case 0:
		memcpy(v, w->lo, n);
		bytes_add(v, n, -1);
		return;
	case 1:
		memcpy(v, w->hi, n);
		bytes_add(v, n, 1);
		return;
	case 2:
		memcpy(v, w->lo, n);
		flip_live_bit(w->sel, v, rng);
		return;
	}
	random_value(d, w->sel, v, rng);
}

static void outside_set(struct draft *d, const struct wish *w, uint8_t *v, struct rng *rng)
{
	const struct ir_set *set = w->set;
	const struct ir_elem *e;

	if (!set->n_elems || rng_one_in(rng, 3)) {
		random_value(d, w->sel, v, rng);
		return;
	}
	e = &set->elems[rng_below(rng, (uint32_t)set->n_elems)];
	if (!e->lo)
		e = &set->elems[0];
	if (!e->lo)
		return;
	memcpy(v, rng_one_in(rng, 2) ? e->lo : e->hi, set->width);
	bytes_add(v, set->width, rng_one_in(rng, 2) ? 1 : -1);
}

static void candidate(struct draft *d, const struct wish *w, uint8_t *v, struct rng *rng)
{
	switch (w->guard) {
	case IR_EQ:
		memcpy(v, w->lo, w->sel->width);
		return;
	case IR_RANGE:
		bytes_between(v, w->lo, w->hi, w->sel->width, rng);
		return;
	case IR_NE:
		outside(d, &(struct wish){.sel = w->sel, .lo = w->lo, .hi = w->lo}, v, rng);
		return;
	case IR_NOT_RANGE:
		outside(d, w, v, rng);
		return;
	case IR_IN:
		if (w->elem)
			pick_key(v, w->set, w->elem, rng);
		return;
	case IR_NOT_IN:
		outside_set(d, w, v, rng);
		return;
	}
}

bool wish_holds(const struct wish *w, const uint8_t *v)
{
	uint32_t n = w->sel->width;
	bool inside;

	switch (w->guard) {
	case IR_EQ:
	case IR_NE:
		return (memcmp(v, w->lo, n) == 0) == (w->guard == IR_EQ);
	case IR_RANGE:
	case IR_NOT_RANGE:
		inside = memcmp(w->lo, v, n) <= 0 && memcmp(v, w->hi, n) <= 0;
		return inside == (w->guard == IR_RANGE);
	case IR_IN:
		return w->elem ? set_find(w->set, v) == w->elem : set_find(w->set, v) != NULL;
	case IR_NOT_IN:
		return set_find(w->set, v) == NULL;
	}
	return false;
}

static bool any_elem(const struct ir_set *set UNUSED, const struct ir_elem *e UNUSED,
		     const void *arg UNUSED)
{
	return true;
}

static bool settled_and_holds(struct draft *d, const struct wish *w)
{
	uint8_t val[IR_MAX_WIDTH], mask[IR_MAX_WIDTH];

	known_bits(d, w->sel, val, mask);
	for (uint32_t i = 0; i < w->sel->width; i++)
		if (mask[i] != 0xff)
			return false;
	return wish_holds(w, val);
}

static bool solve_value(struct draft *d, const struct ir_sel *sel, struct rng *rng)
{
	uint8_t zero[IR_MAX_WIDTH] = {0};

	return push(d, sel, zero, zero, rng);
}

bool draft_solve(struct draft *d, const struct wish *w, struct rng *rng)
{
	uint8_t v[IR_MAX_WIDTH] = {0}, all[IR_MAX_WIDTH];
	struct draft old = *d;
	int tries = TRIES;

	if (w->kind == WISH_VALUE)
		return solve_value(d, w->sel, rng);
	if (settled_and_holds(d, w))
		return true;
	if (w->guard == IR_IN && !w->elem)
		return push_some_elem(d, w->sel, w->set, any_elem, NULL, rng);
	memset(all, 0xff, sizeof(all));
	/* A leaf that has to have one value either can or cannot. */
	if (w->guard == IR_EQ && w->sel->op == IR_LEAF)
		tries = 1;
	for (int i = 0; i < tries; i++) {
		candidate(d, w, v, rng);
		if (wish_holds(w, v) && push(d, w->sel, v, all, rng))
			return true;
		*d = old;
	}
	return false;
}

/* ---- wishes ---- */

struct wish wish_of_step(const struct ir_step *step)
{
	struct wish w = {.sel = step->sel, .kind = WISH_GUARD, .guard = step->guard,
			 .lo = step->lo, .hi = step->hi, .set = step->set};

	if (step->kind == IR_NEED)
		w.kind = WISH_VALUE;
	if (step->kind == IR_VMAP)
		w.guard = IR_IN;
	return w;
}

struct wish wish_negated(const struct wish *w)
{
	static const enum ir_guard opposite[] = {
		[IR_EQ] = IR_NE,	     [IR_NE] = IR_EQ, [IR_RANGE] = IR_NOT_RANGE,
		[IR_NOT_RANGE] = IR_RANGE, [IR_IN] = IR_NOT_IN, [IR_NOT_IN] = IR_IN,
	};
	struct wish n = *w;

	n.guard = opposite[w->guard];
	n.elem = NULL;
	return n;
}
