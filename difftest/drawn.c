/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rules look at what the kernel draws for packets of its own, the id of an IPv4 header and the
 * checksum that follows from it, and what comes behind such a look: rules further on in the walk, and
 * the sets and objects that those change. Only there does another id excuse another count.
 */
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "../compiler/attr.h"
#include "difftest.h"

enum { ID_AT = 4, ID_END = 6, CHECKSUM_AT = 10, CHECKSUM_END = 12, ETHERNET = 14 };

static bool payload_reads_id(struct blob attrs)
{
	uint64_t base = attr_uint(attrs, NFTA_PAYLOAD_BASE, UINT64_MAX);
	uint64_t at = attr_uint(attrs, NFTA_PAYLOAD_OFFSET, 0);
	uint64_t end = at + attr_uint(attrs, NFTA_PAYLOAD_LEN, 0);

	if (base == NFT_PAYLOAD_NETWORK_HEADER)
		return (at < ID_END && end > ID_AT) || (at < CHECKSUM_END && end > CHECKSUM_AT);
	return base == NFT_PAYLOAD_LL_HEADER && end > ETHERNET + ID_AT;
}

static bool match_reads_anything(const char *name)
{
	return !name || strcmp(name, "u32") == 0 || strcmp(name, "bpf") == 0 ||
	       strcmp(name, "string") == 0;
}

static bool expr_reads_id(const struct expr *e)
{
	if (strcmp(e->name, "payload") == 0)
		return payload_reads_id(e->attrs);
	if (strcmp(e->name, "match") == 0)
		return match_reads_anything(attr_str(e->attrs, NFTA_MATCH_NAME));
	return strcmp(e->name, "inner") == 0;
}

static bool rule_reads_id(const struct rule *r)
{
	for (uint32_t i = 0; i < r->exprs.n; i++)
		if (expr_reads_id(&r->exprs.array[i]))
			return true;
	return false;
}

bool dt_reads_ids(const struct ruleset *rs)
{
	const struct table *t;
	const struct chain *c;
	const struct rule *r;

	list_for_each(t, &rs->tables, node)
		list_for_each(c, &t->chains, node)
			list_for_each(r, &c->rules, node)
				if (rule_reads_id(r))
					return true;
	return false;
}

/* ---- a set of pointers ---- */

struct pointers {
	const void **slots;
	size_t n, size; /* a power of two, or 0 */
};

static const void **slot_of(const struct pointers *p, const void *x)
{
	size_t i = (uintptr_t)x / 16 * 0x9e3779b97f4a7c15u >> 20;

	while (p->slots[i & (p->size - 1)] && p->slots[i & (p->size - 1)] != x)
		i++;
	return &p->slots[i & (p->size - 1)];
}

static bool has(const struct pointers *p, const void *x)
{
	return x && p->size && *slot_of(p, x);
}

static bool grow(struct pointers *p)
{
	struct pointers q = {.n = p->n, .size = p->size ? 2 * p->size : 64};

	q.slots = calloc(q.size, sizeof(*q.slots));
	if (!q.slots)
		return false;
	for (size_t i = 0; i < p->size; i++)
		if (p->slots[i])
			*slot_of(&q, p->slots[i]) = p->slots[i];
	free(p->slots);
	*p = q;
	return true;
}

/* ---- what ids have a hand in ---- */

struct drawn {
	struct pointers counts;	 /* rules, sets, objects: what they count may differ */
	struct pointers decides; /* sets, objects, chains: what they answer, how they end */
	struct pointers entered; /* chains: who gets there */
	bool grew, failed;
};

static void add(struct drawn *d, struct pointers *p, const void *x)
{
	if (!x || has(p, x))
		return;
	if (p->n * 2 >= p->size && !grow(p)) {
		d->failed = true;
		return;
	}
	*slot_of(p, x) = x;
	p->n++;
	d->grew = true;
}

static const struct set *set_of(const struct table *t, const struct expr *e)
{
	const char *name = strcmp(e->name, "lookup") == 0 ? attr_str(e->attrs, NFTA_LOOKUP_SET) :
			   strcmp(e->name, "dynset") == 0 ? attr_str(e->attrs, NFTA_DYNSET_SET_NAME) :
			   strcmp(e->name, "objref") == 0 ? attr_str(e->attrs, NFTA_OBJREF_SET_NAME) :
							    NULL;

	return name ? table_find_set(t, name) : NULL;
}

static const struct object *object_of(const struct table *t, const struct expr *e)
{
	const char *name = strcmp(e->name, "objref") == 0 ?
			   attr_str(e->attrs, NFTA_OBJREF_IMM_NAME) : NULL;

	return name ? table_find_object(t, (uint32_t)attr_uint(e->attrs, NFTA_OBJREF_IMM_TYPE, 0),
					name) : NULL;
}

/* The objects of a map count, too. */
static void add_objects(struct drawn *d, const struct set *s)
{
	for (size_t i = 0; i < s->n_elems; i++) {
		const struct object *o = s->elems[i].object ?
			table_find_object(s->table, s->obj_type, s->elems[i].object) : NULL;

		add(d, &d->counts, o);
		add(d, &d->decides, o);
	}
}

/* How a rule goes on behind expression @e; @behind: an id was looked at before it. */
static bool walk_expr(struct drawn *d, const struct table *t, const struct expr *e, bool behind)
{
	const struct set *s = set_of(t, e);
	const struct object *o = object_of(t, e);

	behind |= expr_reads_id(e) || has(&d->decides, s) || has(&d->decides, o);
	if (!behind)
		return false;
	add(d, &d->counts, s);
	add(d, &d->counts, o);
	add(d, &d->decides, o); /* a limit, a quota */
	if (s && strcmp(e->name, "dynset") == 0)
		add(d, &d->decides, s);
	if (s && strcmp(e->name, "objref") == 0)
		add_objects(d, s);
	return true;
}

/* A chain that the rule may lead to: does the way from there back depend on ids? */
static bool walk_verdict(struct drawn *d, const struct table *t, const char *name, bool behind)
{
	const struct chain *to = name ? table_find_chain(t, name) : NULL;

	if (behind)
		add(d, &d->entered, to);
	return has(&d->decides, to);
}

static const char *jump_of(const struct expr *e, bool *ret_is_verdict)
{
	struct blob data, verdict;

	*ret_is_verdict = strcmp(e->name, "immediate") == 0 &&
			  attr_find(e->attrs, NFTA_IMMEDIATE_DATA, &data) &&
			  attr_find(data, NFTA_DATA_VERDICT, &verdict);
	return *ret_is_verdict ? attr_str(verdict, NFTA_VERDICT_CHAIN) : NULL;
}

/* What comes behind the rule in its chain; @behind: ids decide already who comes to it. */
static bool walk_rule(struct drawn *d, const struct rule *r, bool behind)
{
	const struct table *t = r->chain->table;
	bool here = behind;

	for (uint32_t i = 0; i < r->exprs.n; i++) {
		const struct expr *e = &r->exprs.array[i];
		const struct set *s = set_of(t, e);
		bool is_verdict;
		const char *to = jump_of(e, &is_verdict);

		here = walk_expr(d, t, e, here);
		if (is_verdict)
			behind |= walk_verdict(d, t, to, here) || here;
		if (!s || s->data_type != NFT_DATA_VERDICT)
			continue;
		behind |= here;
		for (size_t k = 0; k < s->n_elems; k++)
			behind |= walk_verdict(d, t, s->elems[k].verdict.chain, here);
	}
	if (here)
		add(d, &d->counts, r);
	return behind;
}

static void walk_chain(struct drawn *d, const struct chain *c)
{
	bool behind = has(&d->entered, c);
	const struct rule *r;

	list_for_each(r, &c->rules, node) {
		bool after = walk_rule(d, r, behind);

		if (after && !behind)
			add(d, &d->decides, c);
		behind = after;
	}
}

struct drawn *drawn_new(const struct ruleset *rs)
{
	struct drawn *d = calloc(1, sizeof(*d));
	const struct table *t;
	const struct chain *c;

	do {
		if (!d)
			return NULL;
		d->grew = false;
		list_for_each(t, &rs->tables, node)
			list_for_each(c, &t->chains, node)
				walk_chain(d, c);
		if (d->failed)
			drawn_freep(&d);
	} while (d && d->grew);
	return d;
}

void drawn_freep(struct drawn **d)
{
	if (!*d)
		return;
	free((*d)->counts.slots);
	free((*d)->decides.slots);
	free((*d)->entered.slots);
	free(*d);
	*d = NULL;
}

bool drawn_counts(const struct drawn *d, const void *what)
{
	return d && has(&d->counts, what);
}
