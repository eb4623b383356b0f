/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model's objects as attributes, after the kernel's nf_tables_fill_*_info().
 *
 * In a request anonymous sets and chains go by the id they have in the model (set->id, chain->id):
 * their names are the kernel's to choose.
 */
#include "write.h"

#include "../compiler/attr.h"
#include "write_expr.h"

void write_table(struct nlbuf *b, const struct table *t)
{
	nlbuf_put_str(b, NFTA_TABLE_NAME, t->name);
	nlbuf_put_be32(b, NFTA_TABLE_FLAGS, t->flags);
	nlbuf_put_be32(b, NFTA_TABLE_USE, t->use);
	nlbuf_put_be64(b, NFTA_TABLE_HANDLE, t->handle);
	if (t->owner)
		nlbuf_put_be32(b, NFTA_TABLE_OWNER, t->owner);
	if (t->userdata.len)
		nlbuf_put_blob(b, NFTA_TABLE_USERDATA, t->userdata);
}

/* ---- chains ---- */

static void write_devices(struct nlbuf *b, uint16_t type, char *const *devices)
{
	size_t nest = nlbuf_nest(b, type);

	for (; devices && *devices; devices++)
		nlbuf_put_str(b, NFTA_DEVICE_NAME, *devices);
	nlbuf_nest_end(b, nest);
}

static void write_hook(struct nlbuf *b, const struct chain *c)
{
	size_t nest = nlbuf_nest(b, NFTA_CHAIN_HOOK | NLA_F_NESTED);

	nlbuf_put_be32(b, NFTA_HOOK_HOOKNUM, c->hooknum);
	nlbuf_put_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
	if (c->devices)
		write_devices(b, NFTA_HOOK_DEVS, c->devices);
	/* nft_dump_basechain_hook(): a single device in both places */
	if (c->devices && !c->devices[1])
		nlbuf_put_str(b, NFTA_HOOK_DEV, c->devices[0]);
	nlbuf_nest_end(b, nest);
}

void write_chain(struct nlbuf *b, const struct chain *c, enum write_as as, bool hooked)
{
	uint32_t flags = c->flags;

	if (as == WRITE_REQUEST || !hooked)
		flags &= ~(uint32_t)NFT_CHAIN_BASE;
	nlbuf_put_str(b, NFTA_CHAIN_TABLE, c->table->name);
	if (as == WRITE_REQUEST && c->flags & NFT_CHAIN_BINDING)
		nlbuf_put_be32(b, NFTA_CHAIN_ID, c->id);
	else
		nlbuf_put_str(b, NFTA_CHAIN_NAME, c->name);
	if (hooked && c->is_base) {
		write_hook(b, c);
		nlbuf_put_be32(b, NFTA_CHAIN_POLICY, c->policy);
		nlbuf_put_str(b, NFTA_CHAIN_TYPE, c->type);
		if (c->counters.len)
			nlbuf_put_blob(b, NFTA_CHAIN_COUNTERS | NLA_F_NESTED, c->counters);
	}
	if (as == WRITE_TOLD) {
		nlbuf_put_be64(b, NFTA_CHAIN_HANDLE, c->handle);
		nlbuf_put_be32(b, NFTA_CHAIN_USE, c->n_rules + c->refs);
	}
	if (flags)
		nlbuf_put_be32(b, NFTA_CHAIN_FLAGS, flags);
	if (c->userdata.len)
		nlbuf_put_blob(b, NFTA_CHAIN_USERDATA, c->userdata);
}

/* ---- rules ---- */

void write_rule(struct nlbuf *b, const struct rule *r, enum write_as as, uint64_t handle)
{
	const struct chain *c = r->chain;
	size_t nest;

	nlbuf_put_str(b, NFTA_RULE_TABLE, c->table->name);
	if (as == WRITE_REQUEST && c->flags & NFT_CHAIN_BINDING)
		nlbuf_put_be32(b, NFTA_RULE_CHAIN_ID, c->id);
	else
		nlbuf_put_str(b, NFTA_RULE_CHAIN, c->name);
	if (handle)
		nlbuf_put_be64(b, NFTA_RULE_HANDLE, handle);
	if (as == WRITE_TOLD) {
		nlbuf_put_blob(b, NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, r->exprs.raw);
	} else {
		nest = nlbuf_nest(b, NFTA_RULE_EXPRESSIONS);
		write_exprs_request(b, &r->exprs, c->table);
		nlbuf_nest_end(b, nest);
		write_compat(b, r);
	}
	if (r->userdata.len)
		nlbuf_put_blob(b, NFTA_RULE_USERDATA, r->userdata);
}

/* ---- sets ---- */

/* One expression without a list, or a list of several. */
static void write_exprs_told(struct nlbuf *b, const struct exprs *es, uint16_t single, uint16_t list)
{
	struct blob value;
	uint32_t pos = 0;
	uint16_t type;

	if (es->n == 1 && attr_next(es->raw, &pos, &type, &value))
		nlbuf_put_blob(b, single | NLA_F_NESTED, value);
	else if (es->n > 1)
		nlbuf_put_blob(b, list | NLA_F_NESTED, es->raw);
}

static void write_exprs(struct nlbuf *b, const struct set *s, const struct exprs *es,
			enum write_as as, uint16_t single, uint16_t list)
{
	size_t nest;

	if (as == WRITE_TOLD) {
		write_exprs_told(b, es, single, list);
	} else if (es->n == 1) {
		write_expr_request(b, single, &es->array[0], s->table);
	} else if (es->n > 1) {
		nest = nlbuf_nest(b, list);
		write_exprs_request(b, es, s->table);
		nlbuf_nest_end(b, nest);
	}
}

static void write_desc(struct nlbuf *b, const struct set *s)
{
	size_t desc = nlbuf_nest(b, NFTA_SET_DESC), concat, field;
	uint32_t i;

	if (s->size)
		nlbuf_put_be32(b, NFTA_SET_DESC_SIZE, s->size);
	if (s->n_fields > 1) {
		concat = nlbuf_nest(b, NFTA_SET_DESC_CONCAT);
		for (i = 0; i < s->n_fields; i++) {
			field = nlbuf_nest(b, NFTA_LIST_ELEM);
			nlbuf_put_be32(b, NFTA_SET_FIELD_LEN, s->field_len[i]);
			nlbuf_nest_end(b, field);
		}
		nlbuf_nest_end(b, concat);
	}
	nlbuf_nest_end(b, desc);
}

void write_set(struct nlbuf *b, const struct set *s, enum write_as as)
{
	nlbuf_put_str(b, NFTA_SET_TABLE, s->table->name);
	if (as == WRITE_REQUEST && s->flags & NFT_SET_ANONYMOUS)
		nlbuf_put_str(b, NFTA_SET_NAME, anonymous_set_name(s));
	else
		nlbuf_put_str(b, NFTA_SET_NAME, s->name);
	if (as == WRITE_REQUEST)
		nlbuf_put_be32(b, NFTA_SET_ID, s->id);
	else
		nlbuf_put_be64(b, NFTA_SET_HANDLE, s->handle);
	if (s->flags)
		nlbuf_put_be32(b, NFTA_SET_FLAGS, s->flags);
	nlbuf_put_be32(b, NFTA_SET_KEY_TYPE, s->key_type);
	nlbuf_put_be32(b, NFTA_SET_KEY_LEN, s->key_len);
	if (s->flags & NFT_SET_MAP) {
		nlbuf_put_be32(b, NFTA_SET_DATA_TYPE, s->data_type);
		nlbuf_put_be32(b, NFTA_SET_DATA_LEN, s->data_len);
	}
	if (s->flags & NFT_SET_OBJECT)
		nlbuf_put_be32(b, NFTA_SET_OBJ_TYPE, s->obj_type);
	if (s->timeout)
		nlbuf_put_be64(b, NFTA_SET_TIMEOUT, s->timeout);
	if (s->gc_interval)
		nlbuf_put_be32(b, NFTA_SET_GC_INTERVAL, s->gc_interval);
	if (s->policy)
		nlbuf_put_be32(b, NFTA_SET_POLICY, s->policy);
	if (s->userdata.len)
		nlbuf_put_blob(b, NFTA_SET_USERDATA, s->userdata);
	write_desc(b, s);
	write_exprs(b, s, &s->exprs, as, NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS);
}

static void write_value(struct nlbuf *b, uint16_t type, const uint8_t *data, uint32_t len)
{
	size_t nest = nlbuf_nest(b, type);

	nlbuf_put(b, NFTA_DATA_VALUE, data, len);
	nlbuf_nest_end(b, nest);
}

static void write_elem_data(struct nlbuf *b, const struct set *s, const struct set_elem *e,
			    enum write_as as)
{
	if (e->data)
		write_value(b, NFTA_SET_ELEM_DATA, e->data, s->data_len);
	else if (s->flags & NFT_SET_MAP && s->data_type == NFT_DATA_VERDICT &&
		 !(e->flags & NFT_SET_ELEM_INTERVAL_END))
		write_verdict(b, NFTA_SET_ELEM_DATA, s->table, (uint32_t)e->verdict.code,
			      e->verdict.chain, as);
}

/*
 * A packet's update gives an element the rule's time, or the set's, also if its own is shorter
 * (nft_dynset_eval()); nft_add_set_elem() takes no more time left than an element has in all. So that is
 * the set's, where it is enough, else what is left.
 */
static void write_times(struct nlbuf *b, const struct set *s, const struct set_elem *e, enum write_as as)
{
	uint64_t timeout = e->timeout, left = e->expiration;

	if (as == WRITE_REQUEST && left > (timeout ? timeout : s->timeout))
		timeout = left > s->timeout ? left : 0;
	if (timeout)
		nlbuf_put_be64(b, NFTA_SET_ELEM_TIMEOUT, timeout == UINT64_MAX ? 0 : timeout);
	if (left)
		nlbuf_put_be64(b, NFTA_SET_ELEM_EXPIRATION, left);
}

static void put_elem_key(struct nlbuf *b, const struct set *s, const struct set_elem *e)
{
	if (e->key)
		write_value(b, NFTA_SET_ELEM_KEY, e->key, s->key_len);
	if (e->key_end)
		write_value(b, NFTA_SET_ELEM_KEY_END, e->key_end, s->key_len);
}

static void put_elem_flags(struct nlbuf *b, const struct set_elem *e)
{
	if (e->flags)
		nlbuf_put_be32(b, NFTA_SET_ELEM_FLAGS, e->flags);
}

void write_elem_key(struct nlbuf *b, const struct set *s, const struct set_elem *e)
{
	size_t nest = nlbuf_nest(b, NFTA_LIST_ELEM);

	put_elem_key(b, s, e);
	put_elem_flags(b, e);
	nlbuf_nest_end(b, nest);
}

void write_elem(struct nlbuf *b, const struct set *s, const struct set_elem *e, enum write_as as)
{
	size_t nest = nlbuf_nest(b, NFTA_LIST_ELEM);

	put_elem_key(b, s, e);
	write_elem_data(b, s, e, as);
	write_exprs(b, s, &e->exprs, as, NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS);
	if (e->object)
		nlbuf_put_str(b, NFTA_SET_ELEM_OBJREF, e->object);
	put_elem_flags(b, e);
	write_times(b, s, e, as);
	if (e->userdata.len)
		nlbuf_put_blob(b, NFTA_SET_ELEM_USERDATA, e->userdata);
	nlbuf_nest_end(b, nest);
}

/* ---- objects and flowtables ---- */

static void write_quota(struct nlbuf *b, struct blob attrs)
{
	size_t nest = nlbuf_nest(b, NFTA_OBJ_DATA);
	struct blob value;
	uint32_t pos = 0;
	uint16_t type;

	while (attr_next(attrs, &pos, &type, &value)) {
		if (type == NFTA_QUOTA_FLAGS)
			nlbuf_put_be32(b, type, quota_flags(attrs));
		else
			nlbuf_put_blob(b, type, value);
	}
	nlbuf_nest_end(b, nest);
}

void write_object(struct nlbuf *b, const struct object *o, enum write_as as)
{
	nlbuf_put_str(b, NFTA_OBJ_TABLE, o->table->name);
	nlbuf_put_str(b, NFTA_OBJ_NAME, o->name);
	nlbuf_put_be32(b, NFTA_OBJ_TYPE, o->type);
	if (as == WRITE_REQUEST && o->type == NFT_OBJECT_QUOTA)
		write_quota(b, o->attrs);
	else
		nlbuf_put_blob(b, NFTA_OBJ_DATA | NLA_F_NESTED, o->attrs);
	if (as == WRITE_TOLD) {
		nlbuf_put_be64(b, NFTA_OBJ_HANDLE, o->handle);
		nlbuf_put_be32(b, NFTA_OBJ_USE, o->refs);
	}
	if (o->userdata.len)
		nlbuf_put_blob(b, NFTA_OBJ_USERDATA, o->userdata);
}

void write_flowtable(struct nlbuf *b, const struct flowtable *f, enum write_as as)
{
	size_t hook;

	nlbuf_put_str(b, NFTA_FLOWTABLE_TABLE, f->table->name);
	nlbuf_put_str(b, NFTA_FLOWTABLE_NAME, f->name);
	if (as == WRITE_TOLD)
		nlbuf_put_be64(b, NFTA_FLOWTABLE_HANDLE, f->handle);
	nlbuf_put_be32(b, NFTA_FLOWTABLE_FLAGS, f->flags);
	hook = nlbuf_nest(b, NFTA_FLOWTABLE_HOOK);
	nlbuf_put_be32(b, NFTA_FLOWTABLE_HOOK_NUM, f->hooknum);
	nlbuf_put_be32(b, NFTA_FLOWTABLE_HOOK_PRIORITY, (uint32_t)f->priority);
	write_devices(b, NFTA_FLOWTABLE_HOOK_DEVS, f->devices);
	nlbuf_nest_end(b, hook);
}
