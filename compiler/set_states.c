/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What elements keep: which kinds of elements there are, and where in their records it lies.
 */
#include "set_table_priv.h"

/* What elements to come will keep, as if it was one. */
static bool is_like(const struct ir_set *set, const struct ir_elem *e)
{
	return e->states == set->like;
}

const struct exprs *set_table_kind_exprs(const struct ir_set *set, const struct ir_elem *kind)
{
	return is_like(set, kind) ? set->like_exprs : &kind->origin->exprs;
}

static uint32_t n_states_of(const struct ir_set *set, const struct ir_elem *e)
{
	return is_like(set, e) ? set->n_like : set->n_states;
}

const struct ir_state *set_table_state(const struct ir_set *set, const struct ir_elem *kind,
				       uint32_t i)
{
	return i < n_states_of(set, kind) ? kind->states[i] : NULL;
}

static bool same_kind(const struct ir_set *set, const struct ir_elem *a, const struct ir_elem *b)
{
	for (uint32_t k = 0; k < set->n_states; k++) {
		const struct ir_state *x = set_table_state(set, a, k), *y = set_table_state(set, b, k);

		if (!x || !y) {
			if (x != y)
				return false;
			continue;
		}
		if (x->op != y->op || memcmp(x->param, y->param, sizeof(x->param)) != 0)
			return false;
	}
	return true;
}

uint32_t set_table_kind_of(const struct ir_set *set, const struct set_table *t,
			const struct ir_elem *e)
{
	uint32_t i = 0;

	while (i < t->n_kinds && !same_kind(set, t->kinds[i], e))
		i++;
	return i;
}

static bool number_kind(struct ir *ir, const struct ir_set *set, struct set_table *t,
			const struct ir_elem *e)
{
	if (set_table_kind_of(set, t, e) < t->n_kinds)
		return true;
	if (t->n_kinds == SET_MAX_KINDS)
		return false;
	ARENA_PUSH(ir->arena, t->kinds, t->n_kinds, e);
	return true;
}

static uint32_t kept_words(const struct ir_set *set, const struct ir_elem *e)
{
	const struct ir_state *st;
	uint32_t n = 0;

	for (uint32_t k = 0; (st = set_table_state(set, e, k)); k++)
		n += ROUND_UP(ir_state_init_size(st->op), 8u) / 4;
	return n;
}

bool set_table_number_kinds(struct ir *ir, const struct ir_set *set, struct set_table *t)
{
	struct ir_elem *like = ARENA_NEW(ir->arena, struct ir_elem);
	bool fits = true;

	like->states = set->like;
	if (set->keeps && set->origin)
		fits = number_kind(ir, set, t, like);
	for (size_t i = 0; set->n_states && i < set->n_elems && fits; i++)
		fits = number_kind(ir, set, t, &set->elems[i]);
	for (uint32_t i = 0; set->keeps && i < t->n_kinds; i++)
		t->kept_words = MAX(t->kept_words, kept_words(set, t->kinds[i]));
	return fits;
}

uint32_t set_table_words(const struct ir_set *set, const struct set_table *t)
{
	if (set->keeps)
		return set_kept_at(t->data_words) / 4 + t->kept_words;
	return t->data_words + set->n_states + (t->n_kinds > 1);
}

void set_table_put_kept(const struct ir_set *set, const struct set_table *t, const struct ir_elem *e,
		     uint32_t *ret)
{
	uint32_t *at = ret + set_kept_at(t->data_words) / 4;

	memset(ret + t->data_words, 0, 4 * (set_table_words(set, t) - t->data_words));
	ret[t->data_words] = set_table_kind_of(set, t, e);
	for (uint32_t k = 0; k < set->n_states && e->states[k]; k++) {
		const struct ir_state *st = e->states[k];

		if (st->init && !st->op->per_cpu)
			memcpy(at, st->init, ir_state_init_size(st->op));
		at += ROUND_UP(ir_state_init_size(st->op), 8u) / 4;
	}
}
