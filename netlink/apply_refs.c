/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What expressions refer to: chains, sets and objects, by name; in a request also by an id of the
 * batch, for the anonymous ones that have no name yet. References are counted, so that what is in
 * use is not deleted, and what only a rule could use (anonymous sets and chains) goes with the rule:
 * nf_tables_deactivate_set(), nft_immediate_deactivate().
 */
#include "apply.h"

#include <errno.h>
#include <stdio.h>

#include "../compiler/attr.h"

/* ---- the attributes that refer, by expression ---- */

struct set_attrs {
	const char *expr;
	uint16_t name, id;
};
static const struct set_attrs set_attrs[] = {
	{"lookup", NFTA_LOOKUP_SET, NFTA_LOOKUP_SET_ID},
	{"dynset", NFTA_DYNSET_SET_NAME, NFTA_DYNSET_SET_ID},
	{"objref", NFTA_OBJREF_SET_NAME, NFTA_OBJREF_SET_ID},
};

static const struct set_attrs *find_set_attrs(const struct expr *e)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(set_attrs); i++) {
		if (strcmp(e->name, set_attrs[i].expr) == 0)
			return &set_attrs[i];
	}
	return NULL;
}

/* NFTA_DATA_VERDICT of an immediate. */
static bool find_verdict(const struct expr *e, struct blob *ret)
{
	struct blob data;

	return strcmp(e->name, "immediate") == 0 &&
	       attr_find(e->attrs, NFTA_IMMEDIATE_DATA, &data) &&
	       attr_find(data, NFTA_DATA_VERDICT, ret);
}

const char *verdict_chain(const struct table *t, struct blob verdict)
{
	const char *name = attr_str(verdict, NFTA_VERDICT_CHAIN);
	struct blob id;
	struct chain *c;

	if (name || !attr_find(verdict, NFTA_VERDICT_CHAIN_ID, &id))
		return name;
	c = table_find_chain_id(t, (uint32_t)attr_uint(verdict, NFTA_VERDICT_CHAIN_ID, 0));
	return c ? c->name : NULL;
}

static const char *set_name(const struct expr *e, const struct set_attrs *sa,
			    const struct table *t)
{
	const char *name = attr_str(e->attrs, sa->name);
	struct set *s;
	struct blob id;

	/* nft_set_lookup_global(): by name first, and no set is called "__set%d". */
	if (!attr_find(e->attrs, sa->id, &id) || (name && table_find_set(t, name)))
		return name;
	s = table_find_set_id(t, (uint32_t)attr_uint(e->attrs, sa->id, 0));
	return s ? s->name : name;
}

/* ---- ids and old names become names ---- */

/* libnftnl sends the object's name of an objref without its terminating NUL. */
static bool is_object_name(const struct expr *e, uint16_t type)
{
	return type == NFTA_OBJREF_IMM_NAME && strcmp(e->name, "objref") == 0;
}

static void put_object_name(struct nlbuf *b, struct blob v)
{
	char name[256] = {0};

	memcpy(name, v.data, MIN(v.len, sizeof(name) - 1));
	nlbuf_put_str(b, NFTA_OBJREF_IMM_NAME, name);
}

static bool expr_is_resolved(const struct expr *e, const char *from)
{
	const struct set_attrs *sa = find_set_attrs(e);
	const char *chain;
	struct blob v;

	if (is_object_name(e, NFTA_OBJREF_IMM_NAME) &&
	    attr_find(e->attrs, NFTA_OBJREF_IMM_NAME, &v) && !memchr(v.data, '\0', v.len))
		return false;
	if (sa)
		return !attr_find(e->attrs, sa->id, &v);
	if (!find_verdict(e, &v))
		return true;
	chain = attr_str(v, NFTA_VERDICT_CHAIN);
	if (from && chain && strcmp(chain, from) == 0)
		return false;
	return !attr_find(v, NFTA_VERDICT_CHAIN_ID, &v);
}

static void put_verdict(struct nlbuf *b, const struct expr *e, const struct table *t,
			const char *from, const char *to)
{
	size_t data, verdict;
	struct blob v;
	const char *chain;

	find_verdict(e, &v);
	chain = verdict_chain(t, v);
	if (chain && from && strcmp(chain, from) == 0)
		chain = to;
	data = nlbuf_nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nlbuf_nest(b, NFTA_DATA_VERDICT);
	nlbuf_put_be32(b, NFTA_VERDICT_CODE, (uint32_t)attr_uint(v, NFTA_VERDICT_CODE, 0));
	if (chain)
		nlbuf_put_str(b, NFTA_VERDICT_CHAIN, chain);
	nlbuf_nest_end(b, verdict);
	nlbuf_nest_end(b, data);
}

static void put_expr(struct nlbuf *b, const struct expr *e, const struct table *t,
		     const char *from, const char *to)
{
	const struct set_attrs *sa = find_set_attrs(e);
	size_t elem = nlbuf_nest(b, NFTA_LIST_ELEM), data;
	const char *name;
	struct blob v;
	uint32_t pos = 0;
	uint16_t type;

	nlbuf_put_str(b, NFTA_EXPR_NAME, e->name);
	data = nlbuf_nest(b, NFTA_EXPR_DATA);
	while (attr_next(e->attrs, &pos, &type, &v)) {
		if (sa && type == sa->id)
			continue;
		name = sa && type == sa->name ? set_name(e, sa, t) : NULL;
		if (name)
			nlbuf_put_str(b, type, name);
		else if (is_object_name(e, type))
			put_object_name(b, v);
		else if (!sa && type == NFTA_IMMEDIATE_DATA)
			put_verdict(b, e, t, from, to);
		else
			nlbuf_put_blob(b, type, v);
	}
	nlbuf_nest_end(b, data);
	nlbuf_nest_end(b, elem);
}

int exprs_resolve(struct exprs *es, const struct table *t, const char *from, const char *to)
{
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};
	struct exprs resolved;
	bool is_resolved = true;
	size_t elem;
	uint32_t i;
	int err;

	for (i = 0; i < es->n; i++)
		is_resolved = is_resolved && expr_is_resolved(&es->array[i], from);
	if (is_resolved)
		return 0;
	for (i = 0; i < es->n; i++) {
		if (!expr_is_resolved(&es->array[i], from)) {
			put_expr(&b, &es->array[i], t, from, to);
			continue;
		}
		elem = nlbuf_nest(&b, NFTA_LIST_ELEM);
		nlbuf_put_str(&b, NFTA_EXPR_NAME, es->array[i].name);
		if (es->array[i].attrs.data)
			nlbuf_put_blob(&b, NFTA_EXPR_DATA | NLA_F_NESTED, es->array[i].attrs);
		nlbuf_nest_end(&b, elem);
	}
	if (b.failed)
		return -ENOMEM;
	err = exprs_init(&resolved, b.data, (uint32_t)b.len);
	if (err < 0)
		return err;
	exprs_fini(es);
	*es = resolved;
	return 0;
}

/* ---- references ---- */

/* What one expression refers to. Names; NULL where there is none. */
struct refs {
	const char *chain, *set, *object;
	uint32_t object_type;
};

static struct refs expr_refs(const struct expr *e)
{
	const struct set_attrs *sa = find_set_attrs(e);
	struct refs r = {0};
	struct blob v;

	if (sa)
		r.set = attr_str(e->attrs, sa->name);
	if (sa && strcmp(e->name, "objref") == 0) {
		r.object = attr_str(e->attrs, NFTA_OBJREF_IMM_NAME);
		r.object_type = (uint32_t)attr_uint(e->attrs, NFTA_OBJREF_IMM_TYPE, 0);
	}
	if (find_verdict(e, &v))
		r.chain = attr_str(v, NFTA_VERDICT_CHAIN);
	return r;
}

char *exprs_missing(const struct exprs *es, const struct table *t)
{
	char *text = NULL;
	struct refs r;
	uint32_t i;
	int n = 0;

	for (i = 0; i < es->n && !text && n >= 0; i++) {
		r = expr_refs(&es->array[i]);
		if (r.chain && !table_find_chain(t, r.chain))
			n = asprintf(&text, "chain %s", r.chain);
		else if (r.set && !table_find_set(t, r.set))
			n = asprintf(&text, "set %s", r.set);
		else if (r.object && !table_find_object(t, r.object_type, r.object))
			n = asprintf(&text, "object %s", r.object);
	}
	return n < 0 ? NULL : text;
}

void exprs_ref(const struct exprs *es, struct table *t)
{
	struct object *o;
	struct chain *c;
	struct set *s;
	struct refs r;
	uint32_t i;

	for (i = 0; i < es->n; i++) {
		r = expr_refs(&es->array[i]);
		c = r.chain ? table_find_chain(t, r.chain) : NULL;
		s = r.set ? table_find_set(t, r.set) : NULL;
		o = r.object ? table_find_object(t, r.object_type, r.object) : NULL;
		if (c)
			c->refs++;
		if (s)
			s->refs++;
		/* nft_dynset_init(): what packets add to has a limit. */
		if (s && !s->size && strcmp(es->array[i].name, "dynset") == 0)
			s->size = 0xffff;
		if (o)
			o->refs++;
	}
}

void elem_ref(const struct set_elem *e, const struct set *s)
{
	struct chain *c = e->verdict.chain ? table_find_chain(s->table, e->verdict.chain) : NULL;
	struct object *o = e->object ? table_find_object(s->table, s->obj_type, e->object) : NULL;

	if (c)
		c->refs++;
	if (o)
		o->refs++;
}

static void unref(uint32_t *refs)
{
	if (*refs)
		--*refs;
}

static void chain_unref(struct table *t, const char *name)
{
	struct chain *c = name ? table_find_chain(t, name) : NULL;

	if (!c)
		return;
	unref(&c->refs);
	if (c->flags & NFT_CHAIN_BINDING)
		chain_drop(c);
}

static void set_unref(struct table *t, const char *name)
{
	struct set *s = name ? table_find_set(t, name) : NULL;

	if (!s)
		return;
	unref(&s->refs);
	if (s->flags & NFT_SET_ANONYMOUS && !s->refs)
		set_drop(s);
}

static void object_unref(struct table *t, uint32_t type, const char *name)
{
	struct object *o = name ? table_find_object(t, type, name) : NULL;

	if (o)
		unref(&o->refs);
}

/*
 * What is dropped along may refer back to what is being dropped (the kernel forbids loops, bytes from
 * elsewhere do not): so first the rule goes, then its references.
 */
void rule_drop(struct rule *r)
{
	struct table *t = r->chain->table;
	struct exprs CLEANUP(exprs_fini) es = r->exprs;
	struct refs refs;
	uint32_t i;

	r->exprs = (struct exprs){0};
	rule_free(r);
	for (i = 0; i < es.n; i++) {
		refs = expr_refs(&es.array[i]);
		chain_unref(t, refs.chain);
		set_unref(t, refs.set);
		object_unref(t, refs.object_type, refs.object);
	}
}

static void elem_unref(struct table *t, uint32_t obj_type, struct set_elem *e)
{
	char AUTO_FREE *chain = TAKE_PTR(e->verdict.chain);
	char AUTO_FREE *object = TAKE_PTR(e->object);

	chain_unref(t, chain);
	object_unref(t, obj_type, object);
}

void elem_drop(struct set *s, struct set_elem *e)
{
	struct set_elem refs = {.verdict.chain = TAKE_PTR(e->verdict.chain),
				.object = TAKE_PTR(e->object)};
	uint32_t obj_type = s->obj_type;
	struct table *t = s->table;

	set_elem_delete(s, e);
	elem_unref(t, obj_type, &refs);
}

void set_drop_elems(struct set *s)
{
	size_t i;

	s->refs++; /* it stays, whatever its elements take along */
	for (i = 0; i < s->n_elems; i++)
		elem_unref(s->table, s->obj_type, &s->elems[i]);
	s->refs--;
	set_flush(s);
}

void set_drop(struct set *s)
{
	/* Not to be dropped again by what it drops. */
	s->flags &= ~(uint32_t)NFT_SET_ANONYMOUS;
	set_drop_elems(s);
	set_free(s);
}

void chain_drop_rules(struct chain *c)
{
	while (!list_is_empty(&c->rules))
		rule_drop(list_entry(c->rules.next, struct rule, node));
}

void chain_drop(struct chain *c)
{
	c->flags &= ~(uint32_t)NFT_CHAIN_BINDING;
	chain_drop_rules(c);
	chain_free(c);
}
