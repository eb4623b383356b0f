/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applying set element messages: nft_add_set_elem(), nft_del_setelem(). The elements of a request
 * are numbered 1, 2, 3… where the kernel's are all NFTA_LIST_ELEM: the type says nothing.
 */
#include "apply.h"

#include <errno.h>

#include "../compiler/attr.h"

#define LOOK_AHEAD 8

struct elem_attrs {
	struct nltb tb;
	uint32_t flags;
	const uint8_t *key, *key_end; /* NULL: none */
};

/* A key of the set's length in NFTA_DATA_VALUE. */
static int read_key(const struct set *s, const struct nltb *tb, unsigned int type,
		    const uint8_t **ret)
{
	struct blob nest = nltb_blob(tb, type), value;

	if (!nltb_has(tb, type))
		return 0;
	if (!attr_find(nest, NFTA_DATA_VALUE, &value) || value.len != s->key_len)
		return -EINVAL;
	*ret = value.data;
	return 0;
}

static int read_elem(const struct set *s, const struct nlattr *attr, struct elem_attrs *ret)
{
	int err;

	ret->key = ret->key_end = NULL;
	err = nltb_parse_nested(&ret->tb, attr);
	if (err < 0)
		return err;
	ret->flags = nltb_u32(&ret->tb, NFTA_SET_ELEM_FLAGS, 0);
	err = read_key(s, &ret->tb, NFTA_SET_ELEM_KEY, &ret->key);
	if (!err)
		err = read_key(s, &ret->tb, NFTA_SET_ELEM_KEY_END, &ret->key_end);
	if (!err && !ret->key != !!(ret->flags & NFT_BPF_SET_ELEM_CATCHALL))
		err = -EINVAL;
	return err;
}

static int set_verdict(const struct apply *ap, const struct set *s, struct set_elem *e,
		       struct blob data)
{
	const char *chain;
	struct blob v, name;

	if (!attr_find(data, NFTA_DATA_VERDICT, &v))
		return -EINVAL;
	chain = verdict_chain(s->table, v);
	if (!chain && (attr_find(v, NFTA_VERDICT_CHAIN, &name) ||
		       attr_find(v, NFTA_VERDICT_CHAIN_ID, &name)))
		return -EINVAL;
	if (chain && ap->src == APPLY_REQUEST && !table_find_chain(s->table, chain))
		return apply_error(ap, -ENOENT, s->table->name, chain, "no such chain");
	free(e->verdict.chain);
	e->verdict.chain = chain ? strdup(chain) : NULL;
	if (chain && !e->verdict.chain)
		return -ENOMEM;
	e->verdict.code = (int32_t)(uint32_t)attr_uint(v, NFTA_VERDICT_CODE, 0);
	return 0;
}

static int set_value(const struct set *s, struct set_elem *e, struct blob data)
{
	struct blob value;

	if (!attr_find(data, NFTA_DATA_VALUE, &value) || value.len != s->data_len)
		return -EINVAL;
	if (!e->data)
		e->data = malloc(s->data_len);
	if (!e->data)
		return -ENOMEM;
	memcpy(e->data, value.data, s->data_len);
	return 0;
}

static int set_object(const struct apply *ap, const struct set *s, struct set_elem *e,
		      const char *name)
{
	if (!name)
		return -EINVAL;
	if (ap->src == APPLY_REQUEST && !table_find_object(s->table, s->obj_type, name))
		return apply_error(ap, -ENOENT, s->table->name, NULL, "no such object: %s", name);
	free(e->object);
	e->object = strdup(name);
	return e->object ? 0 : -ENOMEM;
}

static int set_data(const struct apply *ap, const struct set *s, struct set_elem *e,
		    const struct nltb *tb)
{
	if (nltb_has(tb, NFTA_SET_ELEM_OBJREF))
		return set_object(ap, s, e, nltb_str(tb, NFTA_SET_ELEM_OBJREF));
	if (!nltb_has(tb, NFTA_SET_ELEM_DATA))
		return 0;
	if (!(s->flags & NFT_SET_MAP))
		return -EINVAL;
	return s->data_type == NFT_DATA_VERDICT ?
		       set_verdict(ap, s, e, nltb_blob(tb, NFTA_SET_ELEM_DATA)) :
		       set_value(s, e, nltb_blob(tb, NFTA_SET_ELEM_DATA));
}

static void set_times(const struct set *s, struct set_elem *e, const struct nltb *tb)
{
	if (nltb_has(tb, NFTA_SET_ELEM_TIMEOUT)) {
		e->timeout = nltb_u64(tb, NFTA_SET_ELEM_TIMEOUT, 0);
		if (e->timeout == s->timeout)
			e->timeout = 0;
		else if (e->timeout == 0)
			e->timeout = UINT64_MAX;
	}
	e->expiration = nltb_u64(tb, NFTA_SET_ELEM_EXPIRATION, e->expiration);
}

/* An element without expressions of its own gets the set's, as nft_set_elem_expr_clone() does. */
static int set_exprs(const struct apply *ap, const struct set *s, struct set_elem *e,
		     const struct nltb *tb)
{
	const struct nlattr *list = tb->attr[NFTA_SET_ELEM_EXPRESSIONS];
	const struct nlattr *single = tb->attr[NFTA_SET_ELEM_EXPR];

	exprs_fini(&e->exprs);
	if (list || single)
		return apply_exprs(ap, s->table, list, single, &e->exprs);
	if (ap->src != APPLY_REQUEST || !s->exprs.n || e->flags & NFT_SET_ELEM_INTERVAL_END)
		return 0;
	return exprs_init(&e->exprs, s->exprs.raw.data, s->exprs.raw.len);
}

static int fill(const struct apply *ap, const struct set *s, struct set_elem *e,
		const struct elem_attrs *ea)
{
	struct blob userdata = nltb_blob(&ea->tb, NFTA_SET_ELEM_USERDATA);
	int err;

	e->flags = ea->flags;
	set_times(s, e, &ea->tb);
	err = set_data(ap, s, e, &ea->tb);
	if (!err)
		err = set_exprs(ap, s, e, &ea->tb);
	if (!err && (userdata.len || e->userdata.len))
		err = blob_set(&e->userdata, userdata.data, userdata.len);
	return err;
}

/* nft_add_set_elem(). Only asked where the kernel cannot tell; such maps have no verdicts. */
static bool has_other_data(const struct set *s, const struct set_elem *e, const struct nltb *tb)
{
	struct blob v;

	return e->data && attr_find(nltb_blob(tb, NFTA_SET_ELEM_DATA), NFTA_DATA_VALUE, &v) &&
	       (v.len != s->data_len || memcmp(v.data, e->data, v.len) != 0);
}

/* nft_add_set_elem(): what packets added to a set that the kernel's lags behind leaves no room. */
static int check_room(const struct apply *ap, struct set *s, struct set_elem *e)
{
	if (ap->src != APPLY_REQUEST || !s->elsewhere || !s->size || s->n_elems <= s->size)
		return 0;
	set_elem_delete(s, e);
	return apply_error(ap, -ENFILE, s->table->name, NULL, "set %s is full, with what packets added",
			   s->name);
}

static int add_elem(const struct apply *ap, struct set *s, const struct nlattr *attr)
{
	struct elem_attrs ea;
	struct set_elem *e;
	size_t n = s->n_elems;
	int err;

	err = read_elem(s, attr, &ea);
	if (err < 0)
		return err;
	e = set_elem_get(s, ea.key, ea.key_end, ea.flags, true);
	if (!e)
		return -ENOMEM;
	if (s->n_elems == n && ap->src == APPLY_REQUEST) {
		if (ap->flags & NLM_F_EXCL)
			return apply_error(ap, -EEXIST, s->table->name, NULL,
					   "set %s has this element", s->name);
		if (s->elsewhere && has_other_data(s, e, &ea.tb))
			return apply_error(ap, -EBUSY, s->table->name, NULL,
					   "set %s has this element with other data", s->name);
		set_times(s, e, &ea.tb);
		return 0;
	}
	err = s->n_elems > n ? check_room(ap, s, e) : 0;
	if (err < 0)
		return err;
	err = fill(ap, s, e, &ea);
	if (err < 0) {
		if (s->n_elems > n)
			set_elem_delete(s, e);
		return err;
	}
	if (s->n_elems > n && ap->src == APPLY_REQUEST)
		e->fresh = s->changed = true;
	if (s->n_elems > n && (e->verdict.chain || e->object))
		elem_ref(e, s);
	return 0;
}

static int delete_elem(const struct apply *ap, struct set *s, const struct nlattr *attr)
{
	struct elem_attrs ea;
	struct set_elem *e;
	int err;

	err = read_elem(s, attr, &ea);
	if (err < 0)
		return err;
	e = set_elem_get(s, ea.key, ea.key_end, ea.flags, false);
	if (!e && (ap->destroy || ap->src == APPLY_EVENT))
		return 0;
	if (!e)
		return apply_error(ap, -ENOENT, s->table->name, NULL,
				   "set %s has no such element", s->name);
	elem_drop(s, e);
	s->changed = true;
	return 0;
}

/* nft_set_lookup_global(): an anonymous set has no name yet, only an id. */
static struct set *find_set(const struct apply *ap, const struct table *t)
{
	const char *name = nltb_str(&ap->tb, NFTA_SET_ELEM_LIST_SET);
	struct set *s = name ? table_find_set(t, name) : NULL;

	if (!s && ap->type == NFT_MSG_NEWSETELEM && ap->src == APPLY_REQUEST)
		s = table_find_set_id(t, nltb_u32(&ap->tb, NFTA_SET_ELEM_LIST_SET_ID, 0));
	if (!s)
		apply_error(ap, -ENOENT, t->name, NULL, "no such set: %s", name ? name : "");
	return s;
}

/* Some elements on: what its key is found by is on its way from memory when its turn comes. */
static const struct nlattr *look_ahead(const struct set *s, const struct nlattr *list,
				       const struct nlattr *attr)
{
	const uint8_t *end = (const uint8_t *)list + list->nla_len;
	struct blob nest, value;

	if (!attr || !mnl_attr_ok(attr, (int)(end - (const uint8_t *)attr)))
		return NULL;
	if (attr_find(nlattr_blob(attr), NFTA_SET_ELEM_KEY, &nest) &&
	    attr_find(nest, NFTA_DATA_VALUE, &value) && value.len == s->key_len)
		set_elem_expect(s, value.data);
	return mnl_attr_next(attr);
}

static int apply_each(struct apply *ap, struct set *s, const struct nlattr *list)
{
	const struct nlattr *ahead = mnl_attr_get_payload(list), *attr;
	int err;

	for (int i = 0; i < LOOK_AHEAD; i++)
		ahead = look_ahead(s, list, ahead);
	mnl_attr_for_each_nested(attr, list) {
		ahead = look_ahead(s, list, ahead);
		err = ap->type == NFT_MSG_NEWSETELEM ? add_elem(ap, s, attr) :
						       delete_elem(ap, s, attr);
		if (err < 0 && s->elsewhere)
			ap->refused = attr;
		if (err < 0)
			return err;
	}
	return 0;
}

int apply_elems(struct apply *ap)
{
	const struct nlattr *list = ap->tb.attr[NFTA_SET_ELEM_LIST_ELEMENTS];
	struct table *t = apply_find_table(ap, NFTA_SET_ELEM_LIST_TABLE);
	bool is_new = ap->type == NFT_MSG_NEWSETELEM;
	struct set *s;

	if (!t)
		return -ENOENT;
	s = find_set(ap, t);
	if (!s)
		return -ENOENT;
	if (!list && is_new)
		return -EINVAL;
	if (!is_new && s->flags & NFT_SET_ANONYMOUS)
		return -EOPNOTSUPP;
	if (!list) {
		set_drop_elems(s);
		s->changed = true;
		return 0;
	}
	return apply_each(ap, s, list);
}
