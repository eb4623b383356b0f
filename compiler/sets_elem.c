/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of sets: intervals, data, verdicts, state.
 *
 * An interval set comes as start elements and elements flagged INTERVAL_END (the first key behind
 * an interval), in any order; a start goes on to the next element or, without one, to the highest
 * key (nft_rbtree_lookup(): the greatest key not above the one looked for, unless that is an end).
 * Here they become pairs of inclusive ends, disjoint and sorted. Concatenated ranges have both ends
 * in one element. Keys are compared as byte strings.
 */
#include <linux/netfilter/nf_tables.h>

#include "lower_priv.h"
#include "sets_sort.h"

#define LOOK_AHEAD 12

static uint64_t elem_expires(const struct set *s, const struct set_elem *e)
{
	uint64_t ms = e->expiration ? e->expiration : e->timeout ? e->timeout : s->timeout;

	return s->flags & NFT_SET_TIMEOUT && ms != UINT64_MAX ? ms : 0;
}

/* The object that the element of a map to objects names. */
static bool add_object(struct lower *lw, struct lower_set *ls, const struct set_elem *e,
		       struct ir_elem *out)
{
	const struct expr_op *op = expr_op_find_object(ls->origin->obj_type);
	const struct object *o =
		e->object ? table_find_object(ls->origin->table, ls->origin->obj_type, e->object) : NULL;
	struct ir_state *st = op && o ? lower_object_state(lw, op, o) : NULL;

	if (!st) {
		ls->code = "set-objects";
		ls->why = "an element's object is missing or has no lowering";
		return false;
	}
	out->states = arena_memdup(lw->ir->arena, &st, sizeof(st));
	return true;
}

uint32_t lower_elem_exprs(const struct set *s)
{
	uint32_t n = s->exprs.n;

	for (size_t i = 0; i < s->n_elems; i++)
		n = MAX(n, s->elems[i].exprs.n);
	return n;
}

/*
 * A limit or a quota is one for packets of both families, and what elements of a verdict map keep is
 * in its map, of which each family has one.
 */
static bool is_parted(const struct lower_set *ls, const struct ir_state *st)
{
	return ls->twin && ls->twin->set && st->op->may_break;
}

bool lower_elem_states(struct lower *lw, struct lower_set *ls, const struct exprs *es,
		       const void *key, struct ir_state **ret)
{
	for (uint32_t i = 0; i < es->n; i++) {
		const struct expr_op *op = expr_op_find(es->array[i].name);

		ret[i] = op && op->state ? lower_elem_state(lw, op, &es->array[i], key, i) : NULL;
		if (!ret[i] || is_parted(ls, ret[i])) {
			ls->code = "set-elem-state";
			ls->why = arena_printf(lw->arena,
					       ret[i] ? "each %s of a verdict map's elements is "
							"for IPv4 and IPv6" :
							"%s in elements has no lowering yet",
					       es->array[i].name);
			return false;
		}
		ret[i]->object = ls->set->name;
	}
	return true;
}

static bool add_states(struct lower *lw, struct lower_set *ls, const struct set_elem *e,
		       struct ir_elem *out)
{
	if (ls->set->is_dynamic)
		return true; /* lower_set_dynamic() has seen to it */
	if (!ls->set->n_states)
		return true;
	out->states = arena_alloc(lw->ir->arena, ls->set->n_states * sizeof(struct ir_state *));
	return lower_elem_states(lw, ls, &e->exprs, e, out->states);
}

static void add_target(struct lower *lw, struct lower_set *ls, struct ir_chain *c)
{
	uint32_t i;

	/* Verdict maps tend to repeat a few chains or to have one each: look at the last ones. */
	for (i = ls->n_targets; i-- > 0 && ls->n_targets - i < 8;)
		if (ls->targets[i] == c)
			return;
	ARENA_PUSH(lw->ir->arena, ls->targets, ls->n_targets, c);
}

/* All of @out but its key. False: the set cannot be lowered, ls->code says why. */
static bool lower_elem(struct lower *lw, struct lower_set *ls, const struct set_elem *e,
		       struct ir_elem *out)
{
	*out = (struct ir_elem){.origin = e, .expires = elem_expires(ls->origin, e)};
	if (ls->set->kind == IR_VERDICT_MAP) {
		if (!lower_verdict_code(lw, e->verdict.code, e->verdict.chain, &out->verdict)) {
			ls->code = "verdict";
			ls->why = "the verdict of an element has no lowering";
			return false;
		}
		if (out->verdict.chain)
			add_target(lw, ls, out->verdict.chain);
	} else if (ls->set->kind == IR_DATA_MAP) {
		if (!e->data) {
			ls->code = "set-data";
			ls->why = "an element of the map has no data";
			return false;
		}
		out->data = e->data;
	}
	if (ls->origin->flags & NFT_SET_OBJECT)
		return add_object(lw, ls, e, out);
	return add_states(lw, ls, e, out);
}

/* ---- intervals and points ---- */

/* The key before @key; NULL for the lowest. */
static const uint8_t *key_before(struct arena *a, const uint8_t *key, size_t width)
{
	uint8_t *k = arena_memdup(a, key, width);
	size_t i;

	for (i = width; i-- > 0;)
		if (k[i]--)
			return k;
	return NULL;
}

static const uint8_t *key_highest(struct arena *a, size_t width)
{
	uint8_t *k = arena_alloc(a, width);

	memset(k, 0xff, width);
	return k;
}

/* There is room for all of them; lower_elem() fills it in. */
static struct ir_elem *push_elem(struct ir_set *set)
{
	return &set->elems[set->n_elems++];
}

/* The model's elements are in no order, and larger than what is looked at soon again. */
static void expect_elem(const struct sort_item *items, size_t n, size_t i)
{
	const struct set_elem *e = i + LOOK_AHEAD < n ? items[i + LOOK_AHEAD].elem : NULL;

	if (!e)
		return;
	__builtin_prefetch(e);
	__builtin_prefetch(&e->exprs);
}

/* Ends the interval that @e began, before @next (NULL: it is open). */
static void close_interval(struct lower *lw, struct ir_set *set, struct ir_elem *e,
			   const uint8_t *next)
{
	e->hi = next ? key_before(lw->ir->arena, next, set->width)
		     : key_highest(lw->ir->arena, set->width);
	if (memcmp(e->lo, e->hi, set->width) == 0)
		e->hi = e->lo;
	else
		set->intervals = true;
}

static bool lower_intervals(struct lower *lw, struct lower_set *ls, struct sort_item *items,
			    size_t n)
{
	struct ir_set *set = ls->set;
	bool open = false;
	size_t i;

	for (i = 0; i < n; i++) {
		const uint8_t *key = items[i].elem->key;
		struct ir_elem *e;

		expect_elem(items, n, i);
		if (open)
			close_interval(lw, set, &set->elems[set->n_elems - 1], key);
		open = !(items[i].elem->flags & NFT_SET_ELEM_INTERVAL_END);
		if (!open)
			continue;
		/* Two starts at one key cannot be in the kernel. */
		if (i && items[i - 1].elem != items[i].elem && set->n_elems &&
		    memcmp(set->elems[set->n_elems - 1].lo, key, set->width) == 0) {
			ls->code = "set-overlap";
			ls->why = "two elements of the set have the same key";
			return false;
		}
		e = push_elem(set);
		if (!lower_elem(lw, ls, items[i].elem, e))
			return false;
		e->lo = key;
	}
	if (open)
		close_interval(lw, set, &set->elems[set->n_elems - 1], NULL);
	return true;
}

static bool lower_points(struct lower *lw, struct lower_set *ls, struct sort_item *items, size_t n)
{
	struct ir_set *set = ls->set;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct set_elem *origin = items[i].elem;
		struct ir_elem *e = push_elem(set);

		expect_elem(items, n, i);
		if (!lower_elem(lw, ls, origin, e))
			return false;
		e->lo = e->hi = origin->key;
		if (origin->key_end && memcmp(origin->key, origin->key_end, set->width) != 0) {
			e->hi = origin->key_end;
			set->intervals = true;
		}
	}
	return true;
}

/* What elements to come keep: as the set says. */
static bool lower_elem_like(struct lower *lw, struct lower_set *ls)
{
	struct ir_set *set = ls->set;

	set->n_like = ls->origin->exprs.n;
	set->like = arena_alloc(lw->ir->arena, (set->n_like + 1) * sizeof(*set->like));
	set->like_exprs = &ls->origin->exprs;
	return lower_elem_states(lw, ls, &ls->origin->exprs, set, set->like);
}

bool lower_set_elems(struct lower *lw, struct lower_set *ls)
{
	const struct set *s = ls->origin;
	AUTO_FREE struct sort_item *items = malloc(MAX(s->n_elems, (size_t)1) * sizeof(*items));
	const struct set_elem *catchall = NULL;
	size_t n = 0, i;

	if (!items)
		abort(); /* as the arena does */
	if (ls->set->keeps && !lower_elem_like(lw, ls))
		return false;
	ls->set->elems = arena_alloc(lw->ir->arena, s->n_elems * sizeof(*ls->set->elems));
	for (i = 0; i < s->n_elems; i++) {
		if (!s->elems[i].key || s->elems[i].flags & NFT_SET_ELEM_CATCHALL)
			catchall = &s->elems[i];
		else
			sort_item_init(&items[n++], &s->elems[i], s->key_len);
	}
	if (!ls->set->ranged)
		sort_items(items, n, s->key_len);
	if (s->flags & NFT_SET_INTERVAL && !ls->set->ranged) {
		if (!lower_intervals(lw, ls, items, n))
			return false;
	} else if (!lower_points(lw, ls, items, n)) {
		return false;
	}
	return !catchall || lower_elem(lw, ls, catchall, push_elem(ls->set));
}
