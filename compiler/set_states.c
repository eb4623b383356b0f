/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What elements keep, or stand for: which kinds of elements there are, and where in their records it lies.
 * Limits of other rates are other kinds; a record has its kind's number.
 *
 * A few kinds are code each. Of many, only those that differ in more than numbers are ("shapes"); the
 * numbers are in a table that has a row for each kind: which shape, then what each of its states has for
 * parameters.
 */
#include "ir_index.h"
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

static bool same_kind(const struct ir_set *set, const struct ir_elem *a, const struct ir_elem *b,
		      bool params)
{
	for (uint32_t k = 0; k < set->n_states; k++) {
		const struct ir_state *x = set_table_state(set, a, k), *y = set_table_state(set, b, k);

		if (!x || !y) {
			if (x != y)
				return false;
			continue;
		}
		if (x->op != y->op ||
		    (params && memcmp(x->param, y->param, sizeof(x->param)) != 0))
			return false;
	}
	return true;
}

static uint64_t hash_kind(const struct ir_set *set, const struct ir_elem *e)
{
	const struct ir_state *st;
	uint64_t h = IR_HASH_INIT;

	for (uint32_t k = 0; (st = set_table_state(set, e, k)); k++) {
		h = ir_hash_u64(h, (uintptr_t)st->op);
		h = ir_hash(h, st->param, sizeof(st->param));
	}
	return h;
}

uint32_t set_table_kind_of(const struct ir_set *set, const struct set_table *t,
			   const struct ir_elem *e)
{
	const struct set_kind *known;
	size_t pos = 0;

	while ((known = ir_index_next(t->kind_index, hash_kind(set, e), &pos)))
		if (same_kind(set, known->like, e, true))
			return known->number;
	return t->n_kinds;
}

static bool number_kind(struct ir *ir, const struct ir_set *set, struct set_table *t,
			const struct ir_elem *e)
{
	struct set_kind *kind;

	if (set_table_kind_of(set, t, e) < t->n_kinds)
		return true;
	if (t->n_kinds == SET_MAX_KINDS)
		return false;
	kind = ARENA_NEW(ir->arena, struct set_kind);
	*kind = (struct set_kind){t->n_kinds, e};
	ir_index_add(t->kind_index, ir->arena, hash_kind(set, e), kind);
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

/* ---- rows ---- */

static uint32_t shape_of(const struct ir_set *set, const struct set_table *t,
			 const struct ir_elem *kind)
{
	uint32_t i = 0;

	while (i < t->n_shapes && !same_kind(set, t->shapes[i], kind, false))
		i++;
	return i;
}

/* False: too many shapes. */
static bool make_rows(struct ir *ir, const struct ir_set *set, struct set_table *t)
{
	t->row_words = 1 + MAX(set->n_states, set->n_like) * IR_EFFECT_PARAMS;
	t->rows = arena_alloc(ir->arena, (size_t)t->n_kinds * t->row_words * sizeof(*t->rows));
	for (uint32_t i = 0; i < t->n_kinds; i++) {
		uint64_t *row = t->rows + (size_t)i * t->row_words;
		uint32_t shape = shape_of(set, t, t->kinds[i]);
		const struct ir_state *st;

		if (shape == SET_MAX_SHAPES)
			return false;
		if (shape == t->n_shapes)
			ARENA_PUSH(ir->arena, t->shapes, t->n_shapes, t->kinds[i]);
		*row++ = shape;
		for (uint32_t k = 0; (st = set_table_state(set, t->kinds[i], k)); k++) {
			memcpy(row, st->param, sizeof(st->param));
			row += IR_EFFECT_PARAMS;
		}
	}
	return true;
}

bool set_table_number_kinds(struct ir *ir, const struct ir_set *set, struct set_table *t)
{
	struct ir_elem *like = ARENA_NEW(ir->arena, struct ir_elem);
	bool fits = true;

	t->kind_index = ARENA_NEW(ir->arena, struct ir_index);
	like->states = set->like;
	if (set->keeps && set->origin)
		fits = number_kind(ir, set, t, like);
	for (size_t i = 0; set->n_states && i < set->n_elems && fits; i++)
		fits = number_kind(ir, set, t, &set->elems[i]);
	for (uint32_t i = 0; set->keeps && i < t->n_kinds; i++)
		t->kept_words = MAX(t->kept_words, kept_words(set, t->kinds[i]));
	return fits && (t->n_kinds <= SET_KINDS_IN_CODE || make_rows(ir, set, t));
}

/* ---- records ---- */

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
