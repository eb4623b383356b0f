/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which sets the packet path changes, and what their elements keep (dynamic.h).
 *
 * Rules may give the elements that they add expressions of their own (nft_dynset_init()), the set
 * may have them for all. Here all elements of a set keep the same, or nothing: one code runs it.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "attr.h"
#include "dynamic.h"
#include "lower_priv.h"

#define NFTA_DYNSET_EXPRESSIONS_ 10 /* Linux 5.11 */

struct dynamic {
	const struct set *set;
	struct exprs like; /* array in the arena; n 0: nothing */
	bool differ;	   /* rules and elements do not agree */
};

static struct dynamic *find(const struct lower *lw, const struct set *s)
{
	uint64_t h = ir_hash_u64(IR_HASH_INIT, (uintptr_t)s);
	size_t pos = 0;

	/* The hash of one word is never that of another. */
	return ir_index_next(&lw->dynamic_sets, h, &pos);
}

static struct dynamic *get(struct lower *lw, const struct set *s)
{
	struct dynamic *d = find(lw, s);

	if (d)
		return d;
	d = ARENA_NEW(lw->ir->arena, struct dynamic);
	d->set = s;
	ir_index_add(&lw->dynamic_sets, lw->ir->arena, ir_hash_u64(IR_HASH_INIT, (uintptr_t)s), d);
	return d;
}

/* ---- expressions ---- */

static void push_expr(struct arena *a, struct exprs *es, struct blob elem)
{
	const char *name = attr_str(elem, NFTA_EXPR_NAME);
	struct expr e = {.name = name ? name : ""};

	attr_find(elem, NFTA_EXPR_DATA, &e.attrs);
	ARENA_PUSH(a, es->array, es->n, e);
}

struct exprs lower_dynset_exprs(struct lower *lw, const struct expr *e)
{
	struct blob one, list, elem;
	struct exprs es = {0};
	uint32_t pos = 0;
	uint16_t type;

	if (attr_find(e->attrs, NFTA_DYNSET_EXPR, &one))
		push_expr(lw->ir->arena, &es, one);
	else if (attr_find(e->attrs, NFTA_DYNSET_EXPRESSIONS_, &list))
		while (attr_next(list, &pos, &type, &elem))
			push_expr(lw->ir->arena, &es, elem);
	return es;
}

static bool same_exprs(const struct exprs *a, const struct exprs *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (!dyn_same_expr(&a->array[i], &b->array[i]))
			return false;
	return true;
}

static void agree(struct dynamic *d, const struct exprs *es)
{
	if (!es->n)
		return;
	if (!d->like.n)
		d->like = *es;
	else if (!same_exprs(&d->like, es))
		d->differ = true;
}

static void agree_with_elems(struct dynamic *d, const struct set *s)
{
	agree(d, &s->exprs);
	for (size_t i = 0; i < s->n_elems && !d->differ; i++)
		agree(d, &s->elems[i].exprs);
}

/* Elements that keep different things are in a table of ours (set_table.h), which packets cannot fill. */
static bool elems_differ(const struct set *s)
{
	struct dynamic d = {.set = s};

	agree_with_elems(&d, s);
	return d.differ;
}

/* ---- which sets ---- */

static void find_in_rule(struct lower *lw, const struct table *t, const struct rule *r)
{
	for (uint32_t i = 0; i < r->exprs.n; i++) {
		const struct expr *e = &r->exprs.array[i];
		const struct set *s;
		struct exprs own;
		struct dynamic *d;

		if (strcmp(e->name, "dynset") != 0)
			continue;
		s = lower_named_set(t, e->attrs, NFTA_DYNSET_SET_NAME, NFTA_DYNSET_SET_ID);
		if (!s)
			continue;
		d = get(lw, s);
		own = lower_dynset_exprs(lw, e);
		agree(d, own.n ? &own : &s->exprs);
	}
}

void lower_find_dynamic_sets(struct lower *lw)
{
	const struct table *t;
	const struct chain *c;
	const struct rule *r;

	list_for_each (t, &lw->rs->tables, node) {
		const struct set *s;

		if (list_is_empty(&t->sets))
			continue;
		list_for_each (s, &t->sets, node)
			if (lower_elem_exprs(s) && !elems_differ(s))
				ir_index_add(&lw->keeping_sets, lw->ir->arena,
					     ir_hash_u64(IR_HASH_INIT, (uintptr_t)s), (void *)s);
		list_for_each (c, &t->chains, node)
			list_for_each (r, &c->rules, node)
				find_in_rule(lw, t, r);
	}
}

static bool has_catchall(const struct set *s)
{
	for (size_t i = 0; i < s->n_elems; i++)
		if (!s->elems[i].key || s->elems[i].flags & NFT_SET_ELEM_CATCHALL)
			return true;
	return false;
}

bool lower_set_is_filled(const struct lower *lw, const struct set *s)
{
	return find(lw, s) != NULL;
}

bool lower_set_is_dynamic(const struct lower *lw, const struct set *s)
{
	size_t pos = 0;

	if (!lw->opt->dynamic_sets || s->flags & (NFT_SET_CONSTANT | NFT_SET_INTERVAL |
						  NFT_SET_OBJECT))
		return false;
	if (s->flags & NFT_SET_MAP && s->data_type == NFT_DATA_VERDICT)
		return false;
	if (has_catchall(s) || !s->elems_known)
		return false;
	return find(lw, s) ||
	       ir_index_next(&lw->keeping_sets, ir_hash_u64(IR_HASH_INIT, (uintptr_t)s), &pos);
}

/* Ingress of inet is not looked at, but its rules may use the table's sets. */
static bool has_ingress(const struct table *t)
{
	const struct chain *c;

	list_for_each (c, &t->chains, node)
		if (c->is_base && c->hooknum >= NF_INET_NUMHOOKS)
			return true;
	return false;
}

bool lower_set_dynamic(struct lower *lw, struct lower_set *ls)
{
	const struct set *s = ls->origin;
	struct dynamic *d = find(lw, s);
	struct exprs *like = ARENA_NEW(lw->ir->arena, struct exprs);
	struct dynamic own = {.set = s};

	ls->set->is_dynamic = true;
	ls->set->grows = d != NULL;
	ls->set->n_states = 0;
	ls->set->keeps = false;
	d = d ? d : &own;
	agree_with_elems(d, s);
	if (d->differ) {
		ls->code = "set-elem-state";
		ls->why = "counters, limits or quotas of its elements differ";
		return false;
	}
	if (has_ingress(s->table)) {
		ls->code = "set-shared";
		ls->why = "packets change it, and the table has an ingress chain";
		return false;
	}
	*like = d->like;
	ls->set->like_exprs = like;
	ls->set->n_like = like->n;
	ls->set->like = arena_alloc(lw->ir->arena, (like->n + 1) * sizeof(*ls->set->like));
	return lower_elem_states(lw, ls, like, ls->set, ls->set->like);
}
