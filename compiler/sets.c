/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_tables sets into the IR's.
 *
 * An interval set comes as start elements and elements flagged INTERVAL_END (the first key behind an
 * interval), in any order; a start goes on to the next element or, without one, to the highest key
 * (nft_rbtree_lookup(): the greatest key not above the one looked for, unless that is an end). Here
 * they become pairs of inclusive ends, disjoint and sorted. Concatenated ranges have both ends in
 * one element. Keys are compared as byte strings.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "attr.h"
#include "lower_priv.h"

#ifndef NFT_SET_EXPR
#define NFT_SET_EXPR 0x100
#endif

/* A set of one table (and pf, where its verdicts name chains), lowered or found impossible. */
struct set_entry {
	const struct set *origin;
	uint8_t pf; /* 0: for every pf */
	struct ir_set *set;
	const char *code, *why; /* why not, when set is NULL */
	struct ir_chain **targets; /* of its verdicts, each once */
	uint32_t n_targets;
};

/* ---- sets that the packet path changes ---- */

static const struct set *find_set(const struct table *t, struct blob attrs, uint16_t name_attr,
				  uint16_t id_attr)
{
	const char *name = attr_str(attrs, name_attr);
	const struct set *s = name ? table_find_set(t, name) : NULL;

	/* Anonymous sets of a batch may still go by their number. */
	if (!s && attr_uint(attrs, id_attr, 0))
		s = table_find_set_id(t, (uint32_t)attr_uint(attrs, id_attr, 0));
	return s;
}

static bool is_dynamic(const struct lower *lw, const struct set *s)
{
	uint64_t h = ir_hash_u64(IR_HASH_INIT, (uintptr_t)s);
	size_t pos = 0;

	/* The hash of one word is never that of another. */
	return ir_index_next(&lw->dynamic_sets, h, &pos) != NULL;
}

static void find_dynamic_in_rule(struct lower *lw, const struct table *t, const struct rule *r)
{
	const struct set *s;
	uint32_t i;

	for (i = 0; i < r->exprs.n; i++) {
		const struct expr *e = &r->exprs.array[i];

		if (strcmp(e->name, "dynset") != 0)
			continue;
		s = find_set(t, e->attrs, NFTA_DYNSET_SET_NAME, NFTA_DYNSET_SET_ID);
		if (s && !is_dynamic(lw, s))
			ir_index_add(&lw->dynamic_sets, lw->ir->arena,
				     ir_hash_u64(IR_HASH_INIT, (uintptr_t)s), (void *)s);
	}
}

void lower_find_dynamic_sets(struct lower *lw)
{
	const struct table *t;
	const struct chain *c;
	const struct rule *r;

	list_for_each (t, &lw->rs->tables, node) {
		if (list_is_empty(&t->sets))
			continue;
		list_for_each (c, &t->chains, node)
			list_for_each (r, &c->rules, node)
				find_dynamic_in_rule(lw, t, r);
	}
}

const struct set *lower_find_set(struct lower *lw, const struct expr *e, uint16_t name_attr,
				 uint16_t id_attr)
{
	const struct set *s = find_set(lower_table(lw), e->attrs, name_attr, id_attr);
	const char *name = attr_str(e->attrs, name_attr);

	if (!s)
		lower_block(lw, "set-missing", "there is no set %s", name ? name : "of that number");
	return s;
}

/* ---- elements ---- */

static uint64_t elem_expires(const struct set *s, const struct set_elem *e)
{
	uint64_t ms = e->expiration ? e->expiration : e->timeout ? e->timeout : s->timeout;

	return s->flags & NFT_SET_TIMEOUT && ms != UINT64_MAX ? ms : 0;
}

static bool add_states(struct lower *lw, struct set_entry *se, const struct set_elem *e,
		       struct ir_elem *out)
{
	const struct exprs *es = e->exprs.n ? &e->exprs : &se->origin->exprs;
	const struct expr_op *op;
	uint32_t i;

	if (es->n != se->set->n_states) {
		se->code = "set-elem-state";
		se->why = "some elements have a counter or limit, some do not";
		return false;
	}
	if (!es->n)
		return true;
	out->states = arena_alloc(lw->ir->arena, es->n * sizeof(struct ir_state *));
	for (i = 0; i < es->n; i++) {
		op = expr_op_find(es->array[i].name);
		out->states[i] = op && op->lower_elem
					 ? op->lower_elem(lw, &es->array[i], e, i)
					 : NULL;
		if (!out->states[i]) {
			se->code = "set-elem-state";
			se->why = arena_printf(lw->arena, "%s in elements has no lowering yet",
					       es->array[i].name);
			return false;
		}
		out->states[i]->object = se->set->name;
	}
	return true;
}

static bool add_target(struct lower *lw, struct set_entry *se, struct ir_chain *c)
{
	uint32_t i;

	/* Verdict maps tend to repeat a few chains or to have one each: look at the last ones. */
	for (i = se->n_targets; i-- > 0 && se->n_targets - i < 8;)
		if (se->targets[i] == c)
			return true;
	ARENA_PUSH(lw->ir->arena, se->targets, se->n_targets, c);
	return true;
}

/* All of @out but its key. False: the set cannot be lowered, se->code says why. */
static bool lower_elem(struct lower *lw, struct set_entry *se, const struct set_elem *e,
		       struct ir_elem *out)
{
	*out = (struct ir_elem){.origin = e, .expires = elem_expires(se->origin, e)};
	if (se->set->kind == IR_VERDICT_MAP) {
		if (!lower_verdict_code(lw, e->verdict.code, e->verdict.chain, &out->verdict)) {
			se->code = "verdict";
			se->why = "the verdict of an element has no lowering";
			return false;
		}
		if (out->verdict.chain)
			add_target(lw, se, out->verdict.chain);
	} else if (se->set->kind == IR_DATA_MAP) {
		if (!e->data) {
			se->code = "set-data";
			se->why = "an element of the map has no data";
			return false;
		}
		out->data = e->data;
	}
	return add_states(lw, se, e, out);
}

/* ---- order and intervals ---- */

struct sort_item {
	const uint8_t *key;
	const struct set_elem *elem;
};

static size_t sort_width; /* of qsort's comparison; lowering is not called from two threads */

/* At one key an end comes first: the start behind it is the next interval. */
static int cmp_items(const void *pa, const void *pb)
{
	const struct sort_item *a = pa, *b = pb;
	int d = memcmp(a->key, b->key, sort_width);
	bool a_end = a->elem->flags & NFT_SET_ELEM_INTERVAL_END,
	     b_end = b->elem->flags & NFT_SET_ELEM_INTERVAL_END;

	return d ? d : (int)b_end - (int)a_end;
}

static void sort_items(struct sort_item *items, size_t n, size_t width)
{
	size_t i;

	sort_width = width;
	for (i = 1; i < n; i++) {
		if (cmp_items(&items[i - 1], &items[i]) > 0) {
			qsort(items, n, sizeof(*items), cmp_items);
			return;
		}
	}
}

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

static struct ir_elem *push_elem(struct lower *lw, struct ir_set *set)
{
	ARENA_PUSH(lw->ir->arena, set->elems, set->n_elems, (struct ir_elem){0});
	return &set->elems[set->n_elems - 1];
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

static bool lower_intervals(struct lower *lw, struct set_entry *se, struct sort_item *items,
			    size_t n)
{
	struct ir_set *set = se->set;
	bool open = false;
	size_t i;

	for (i = 0; i < n; i++) {
		const uint8_t *key = items[i].key;
		struct ir_elem *e;

		if (open)
			close_interval(lw, set, &set->elems[set->n_elems - 1], key);
		open = !(items[i].elem->flags & NFT_SET_ELEM_INTERVAL_END);
		if (!open)
			continue;
		/* Two starts at one key cannot be in the kernel. */
		if (i && items[i - 1].key != key && set->n_elems &&
		    memcmp(set->elems[set->n_elems - 1].lo, key, set->width) == 0) {
			se->code = "set-overlap";
			se->why = "two elements of the set have the same key";
			return false;
		}
		e = push_elem(lw, set);
		if (!lower_elem(lw, se, items[i].elem, e))
			return false;
		e->lo = key;
	}
	if (open)
		close_interval(lw, set, &set->elems[set->n_elems - 1], NULL);
	return true;
}

static bool lower_points(struct lower *lw, struct set_entry *se, struct sort_item *items, size_t n)
{
	struct ir_set *set = se->set;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct set_elem *origin = items[i].elem;
		struct ir_elem *e = push_elem(lw, set);

		if (!lower_elem(lw, se, origin, e))
			return false;
		e->lo = e->hi = origin->key;
		if (origin->key_end && memcmp(origin->key, origin->key_end, set->width) != 0) {
			e->hi = origin->key_end;
			set->intervals = true;
		}
	}
	return true;
}

static bool lower_elems(struct lower *lw, struct set_entry *se)
{
	const struct set *s = se->origin;
	AUTO_FREE struct sort_item *items = calloc(MAX(s->n_elems, (size_t)1), sizeof(*items));
	const struct set_elem *catchall = NULL;
	size_t n = 0, i;

	if (!items)
		abort(); /* as the arena does */
	for (i = 0; i < s->n_elems; i++) {
		if (!s->elems[i].key || s->elems[i].flags & NFT_SET_ELEM_CATCHALL)
			catchall = &s->elems[i];
		else
			items[n++] = (struct sort_item){s->elems[i].key, &s->elems[i]};
	}
	if (!se->set->ranged)
		sort_items(items, n, s->key_len);
	if (s->flags & NFT_SET_INTERVAL && !se->set->ranged) {
		if (!lower_intervals(lw, se, items, n))
			return false;
	} else if (!lower_points(lw, se, items, n)) {
		return false;
	}
	return !catchall || lower_elem(lw, se, catchall, push_elem(lw, se->set));
}

/* ---- a set ---- */

static void set_fields(struct lower *lw, const struct set *s, struct ir_set *out)
{
	uint32_t i;

	out->n_fields = s->field_len && s->n_fields ? s->n_fields : 1;
	out->field_width = arena_alloc(lw->ir->arena, out->n_fields);
	out->field_width[0] = (uint8_t)s->key_len;
	if (out->n_fields > 1)
		for (i = 0; i < out->n_fields; i++)
			out->field_width[i] = (uint8_t)ROUND_UP(s->field_len[i], 4);
	out->ranged = out->n_fields > 1 && s->flags & NFT_SET_INTERVAL;
}

static bool set_header(struct lower *lw, struct set_entry *se)
{
	const struct set *s = se->origin;
	const struct table *t = s->table;
	const char *suffix = !se->pf ? "" : se->pf == NFPROTO_IPV4 ? "@v4" : "@v6";
	struct ir_set *out;

	out = ir_set_new(lw->ir, arena_printf(lw->ir->arena, "%s:%s:%s%s", family_name(t->family),
					      t->name, s->name, suffix));
	out->origin = s;
	out->width = (uint16_t)s->key_len;
	out->kind = IR_SET;
	if (s->flags & NFT_SET_MAP)
		out->kind = s->data_type == NFT_DATA_VERDICT ? IR_VERDICT_MAP : IR_DATA_MAP;
	if (out->kind == IR_DATA_MAP)
		out->data_width = (uint16_t)s->data_len;
	out->is_mutable = !(s->flags & NFT_SET_CONSTANT);
	out->has_timeout = s->flags & NFT_SET_TIMEOUT;
	out->size = s->size;
	out->n_states = s->exprs.n;
	if (!out->n_states && s->n_elems)
		out->n_states = s->elems[0].exprs.n;
	set_fields(lw, s, out);
	se->set = out;
	return true;
}

/* What is known before its elements are looked at. */
static bool set_check(const struct lower *lw, struct set_entry *se)
{
	const struct set *s = se->origin;
	uint32_t data = s->flags & NFT_SET_MAP && s->data_type != NFT_DATA_VERDICT ? s->data_len : 0;

	if (is_dynamic(lw, s)) {
		se->code = "set-dynamic";
		se->why = "rules add elements to the set";
	} else if (s->flags & NFT_SET_OBJECT) {
		se->code = "set-objects";
		se->why = "maps to objects have no lowering yet";
	} else if (!s->elems_known) {
		se->code = "set-elements";
		se->why = "the elements were not read";
	} else if (!(s->flags & NFT_SET_CONSTANT) && !lw->opt->named_sets) {
		se->code = "set-named";
		se->why = "elements of named sets can change, which has no lowering yet";
	} else if (!s->key_len || s->key_len > IR_MAX_WIDTH || data > IR_MAX_WIDTH) {
		se->code = "set-width";
		se->why = "the key or the data is wider than the registers";
	}
	return !se->code;
}

static struct set_entry *set_entry(struct lower *lw, const struct set *s)
{
	uint8_t pf = s->data_type == NFT_DATA_VERDICT && s->flags & NFT_SET_MAP &&
				     lower_family(lw) == NFPROTO_INET
			     ? lower_pf(lw)
			     : 0;
	uint64_t h = ir_hash_u64(ir_hash_u64(IR_HASH_INIT, (uintptr_t)s), pf);
	struct set_entry *se;
	size_t pos = 0;

	while ((se = ir_index_next(&lw->set_index, h, &pos)))
		if (se->origin == s && se->pf == pf)
			return se;
	se = ARENA_NEW(lw->ir->arena, struct set_entry);
	se->origin = s;
	se->pf = pf;
	ir_index_add(&lw->set_index, lw->ir->arena, h, se);
	if (!set_check(lw, se) || !set_header(lw, se) || !lower_elems(lw, se))
		se->set = NULL;
	return se;
}

struct ir_set *lower_set(struct lower *lw, const struct set *set)
{
	struct set_entry *se = set_entry(lw, set);
	uint32_t i;

	if (!se->set) {
		lower_block(lw, se->code, "set %s: %s", set->name, se->why);
		return NULL;
	}
	for (i = 0; i < se->n_targets; i++)
		lower_enter(lw, se->targets[i]);
	return se->set;
}

static bool elem_holds(const struct ir_set *set, const struct ir_elem *e, const uint8_t *key)
{
	uint32_t at = 0, i;

	if (!e->lo)
		return true; /* the catch-all, the last one */
	for (i = 0; i < (set->ranged ? set->n_fields : 1); i++) {
		uint32_t width = set->ranged ? set->field_width[i] : set->width;

		if (memcmp(key + at, e->lo + at, width) < 0 ||
		    memcmp(key + at, e->hi + at, width) > 0)
			return false;
		at += width;
	}
	return true;
}

const struct ir_elem *lower_set_find(const struct ir_set *set, const uint8_t *key)
{
	size_t i;

	for (i = 0; i < set->n_elems; i++)
		if (elem_holds(set, &set->elems[i], key))
			return &set->elems[i];
	return NULL;
}
