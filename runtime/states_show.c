/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State of quotas and last into the model, and named quotas begun anew.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "counters.h"
#include "manifest.h"
#include "states_priv.h"

#ifndef NFTA_LAST_MAX
enum { NFTA_LAST_SET = 1, NFTA_LAST_MSECS = 2 };
#endif

static bool put_be64(struct blob attrs, uint16_t type, uint64_t value)
{
	struct blob at;

	if (!attr_find(attrs, type, &at) || at.len != sizeof(value))
		return false;
	value = htobe64(value);
	memcpy((void *)at.data, &value, sizeof(value)); /* the bytes belong to the model */
	return true;
}

static void show_last(struct blob attrs, uint64_t ns)
{
	const uint32_t set = htobe32(1);
	struct blob at;

	if (!ns || !attr_find(attrs, NFTA_LAST_SET, &at) || at.len != sizeof(set))
		return;
	if (put_be64(attrs, NFTA_LAST_MSECS, ms_since(ns)))
		memcpy((void *)at.data, &set, sizeof(set));
}

/*
 * raw_counter.value.bytes of a quota is what the kernel's own consumed. It never tells, nor takes,
 * more than the quota (nft_quota_do_dump(), nft_quota_do_init()).
 */
static int show(struct runtime *rt, const struct states *s, const struct kept *k, const char *op,
		struct blob attrs, struct raw_counter raw)
{
	uint64_t value = __atomic_load_n(states_word(s, k), __ATOMIC_RELAXED);
	struct raw_counter *more;

	if (strcmp(op, "last") == 0)
		show_last(attrs, value);
	if (strcmp(op, "quota") != 0)
		return 0;
	value = MIN(value, attr_uint(attrs, NFTA_QUOTA_BYTES, 0));
	raw.value.bytes = attr_uint(attrs, NFTA_QUOTA_CONSUMED, 0);
	if (!put_be64(attrs, NFTA_QUOTA_CONSUMED, value))
		return 0;
	more = reallocarray(rt->raw, rt->n_raw + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	rt->raw = more;
	rt->raw[rt->n_raw++] = raw;
	return 0;
}

static int show_rule(struct runtime *rt, const struct states *s, uint64_t table,
		     const struct rule *r)
{
	struct kept key = {.table = table, .handle = r->handle};
	const struct kept *k;
	int err = 0;

	for (key.expr = 0; !err && r->handle && key.expr < r->exprs.n; key.expr++) {
		const struct expr *e = &r->exprs.array[key.expr];

		if (strcmp(e->name, "quota") != 0 && strcmp(e->name, "last") != 0)
			continue;
		snprintf(key.op, sizeof(key.op), "%s", e->name);
		k = states_find(s, &key);
		if (k)
			err = show(rt, s, k, e->name, e->attrs,
				   (struct raw_counter){
					   .owner = r, .handle = r->handle, .expr = key.expr});
	}
	return err;
}

static int show_object(struct runtime *rt, const struct states *s, uint64_t table,
		       const struct object *o)
{
	struct kept key = {.table = table, .chain = states_hash_name(table, o->name), .op = "quota"};
	const struct kept *k = o->type == NFT_OBJECT_QUOTA ? states_find(s, &key) : NULL;

	return k ? show(rt, s, k, key.op, o->attrs,
			(struct raw_counter){.owner = o, .handle = o->handle})
		 : 0;
}

int states_overlay(struct runtime *rt, struct ruleset *rs, struct diags *ds)
{
	struct states CLEANUP(states_close) s = {0};
	int err = states_open(rt, gen_current(rt), ds, &s);
	const struct object *o;
	const struct table *t;
	const struct chain *c;
	const struct rule *r;

	if (err)
		return err == -ENOENT ? 0 : err;
	list_for_each (t, &rs->tables, node) {
		uint64_t table = tables_hash(t);

		if (t->remade)
			continue;
		list_for_each (c, &t->chains, node)
			list_for_each (r, &c->rules, node)
				if (!err)
					err = show_rule(rt, &s, table, r);
		list_for_each (o, &t->objects, node)
			if (!err)
				err = show_object(rt, &s, table, o);
	}
	raw_sort(rt);
	return err;
}

void states_reset_object(const struct states *s, const struct object *o)
{
	struct kept key = { .table = tables_hash(o->table), .op = "quota" };
	const struct kept *k;

	key.chain = states_hash_name(key.table, o->name);
	k = states_find(s, &key);
	if (k)
		__atomic_store_n(states_word(s, k), 0, __ATOMIC_RELAXED);
}

bool states_quota_behind(const struct runtime *rt, const void *owner, uint64_t handle,
			 uint32_t expr, struct blob attrs)
{
	const struct raw_counter *raw = raw_find(rt, owner, handle, expr);

	return raw && raw->value.bytes != attr_uint(attrs, NFTA_QUOTA_CONSUMED, 0);
}
