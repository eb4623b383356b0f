/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named counters and quotas back to the kernel.
 *
 * A named counter cannot be set (nf_tables_newobj() ignores a counter that is there), only made anew;
 * and it can only be deleted while nothing refers to it. So the rules of the chains that refer to it, and
 * the elements of maps to objects, go and come again around it, in one transaction.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "../netlink/nfnl.h"
#include "counters.h"
#include "states.h"
#include "takeover.h"

/* ---- what counts in the new programs ---- */

static int compare_keys(const void *pa, const void *pb)
{
	const void *a = *(const void *const *)pa, *b = *(const void *const *)pb;

	return (uintptr_t)a < (uintptr_t)b ? -1 : a != b;
}

int counted_keys_init(struct counted_keys *k, const struct ir *ir)
{
	/* Without a program there are only those of programs in front of chains that are not worth it. */
	size_t n = ir && ir->n_progs ? ir->n_states : 0;

	k->array = calloc(MAX(n, (size_t)1), sizeof(*k->array));
	if (!k->array)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (ir->states[i]->op->per_cpu || strcmp(ir->states[i]->op->name, "quota") == 0)
			k->array[k->n++] = ir->states[i]->key;
	qsort(k->array, k->n, sizeof(*k->array), compare_keys);
	return 0;
}

void counted_keys_fini(struct counted_keys *k)
{
	free(k->array);
	*k = (struct counted_keys){ 0 };
}

bool counted_keys_have(const struct counted_keys *k, const void *key)
{
	return bsearch(&key, k->array, k->n, sizeof(*k->array), compare_keys);
}

/* ---- objects ---- */

struct returning {
	const struct object **objects;
	size_t n_objects;
	const struct set **maps;
	size_t n_maps;
	struct chain **chains;
	size_t n_chains;
};

static void returning_fini(struct returning *ret)
{
	free(ret->objects);
	free(ret->maps);
	free(ret->chains);
}

static bool is_behind(const struct runtime *rt, const struct object *o)
{
	const struct raw_counter *raw = raw_find(rt, o, o->handle, 0);
	struct packets_bytes now = counter_get(o->attrs);

	if (o->type == NFT_OBJECT_QUOTA)
		return states_quota_behind(rt, o, o->handle, 0, o->attrs);
	return raw && (raw->value.packets != now.packets || raw->value.bytes != now.bytes);
}

static const char *object_of(const struct expr *e, uint32_t type)
{
	return strcmp(e->name, "objref") == 0 &&
			       attr_uint(e->attrs, NFTA_OBJREF_IMM_TYPE, 0) == type ?
		       attr_str(e->attrs, NFTA_OBJREF_IMM_NAME) :
		       NULL;
}

static bool map_has(const struct set *s, const struct object *o)
{
	if (!s || !(s->flags & NFT_SET_OBJECT) || s->obj_type != o->type)
		return false;
	for (size_t i = 0; i < s->n_elems; i++)
		if (s->elems[i].object && strcmp(s->elems[i].object, o->name) == 0)
			return true;
	return false;
}

/* A map that goes with its rule. */
static const struct set *anonymous_map_of(const struct table *t, const struct expr *e)
{
	const char *name =
		strcmp(e->name, "objref") == 0 ? attr_str(e->attrs, NFTA_OBJREF_SET_NAME) : NULL;
	const struct set *s = name ? table_find_set(t, name) : NULL;

	return s && s->flags & NFT_SET_ANONYMOUS ? s : NULL;
}

static bool refers_to(const struct chain *c, const struct object *o)
{
	const struct rule *r;

	list_for_each(r, &c->rules, node) {
		for (uint32_t i = 0; i < r->exprs.n; i++) {
			const char *name = object_of(&r->exprs.array[i], o->type);

			if (name && strcmp(name, o->name) == 0)
				return true;
			if (map_has(anonymous_map_of(c->table, &r->exprs.array[i]), o))
				return true;
		}
	}
	return false;
}

/* Out of reach: from an anonymous chain, which takes no rules any more. */
static bool can_be_released(const struct object *o)
{
	const struct chain *c;

	list_for_each(c, &o->table->chains, node)
		if ((c->flags & 4 /* NFT_CHAIN_BINDING */) && refers_to(c, o))
			return false;
	return true;
}

static int add_object(struct returning *ret, const struct object *o)
{
	const struct object **objects =
		realloc(ret->objects, (ret->n_objects + 1) * sizeof(*objects));

	if (!objects)
		return -ENOMEM;
	ret->objects = objects;
	objects[ret->n_objects++] = o;
	return 0;
}

static int add_maps(struct returning *ret, const struct table *t)
{
	const struct set *s, **maps;

	list_for_each(s, &t->sets, node) {
		bool some = false;

		for (size_t i = 0; !some && i < ret->n_objects; i++)
			some = !(s->flags & NFT_SET_ANONYMOUS) && map_has(s, ret->objects[i]) &&
			       ret->objects[i]->table == t;
		if (!some)
			continue;
		maps = realloc(ret->maps, (ret->n_maps + 1) * sizeof(*maps));
		if (!maps)
			return -ENOMEM;
		ret->maps = maps;
		maps[ret->n_maps++] = s;
	}
	return 0;
}

static int add_chains(struct returning *ret, const struct table *t)
{
	struct chain *c, **chains;

	list_for_each(c, &t->chains, node) {
		bool some = false;

		for (size_t i = 0; i < ret->n_objects; i++)
			some |= ret->objects[i]->table == t && refers_to(c, ret->objects[i]);
		if (!some)
			continue;
		chains = realloc(ret->chains, (ret->n_chains + 1) * sizeof(*chains));
		if (!chains)
			return -ENOMEM;
		ret->chains = chains;
		chains[ret->n_chains++] = c;
	}
	return 0;
}

static int find_objects(const struct runtime *rt, const struct table *t,
			const struct counted_keys *counted, struct diags *ds,
			struct returning *ret)
{
	const struct object *o;
	int err = 0;

	list_for_each(o, &t->objects, node) {
		if (err || (o->type != NFT_OBJECT_COUNTER && o->type != NFT_OBJECT_QUOTA) ||
		    counted_keys_have(counted, o) || !is_behind(rt, o))
			continue;
		if (can_be_released(o))
			err = add_object(ret, o);
		else
			diag_add(ds, DIAG_WARNING, "counter-lost",
				 &(struct diag_place){ .family = t->family, .table = t->name },
				 "%s %s: what BPF programs counted cannot be given back",
				 o->type == NFT_OBJECT_QUOTA ? "quota" : "counter", o->name);
	}
	if (!err)
		err = add_maps(ret, t);
	return err ? err : add_chains(ret, t);
}

int park_give_objects(const struct runtime *rt, struct ruleset *rs, const struct rt_plan *p,
		      struct batch_builder *bb, struct diags *ds)
{
	struct counted_keys CLEANUP(counted_keys_fini) counted = { 0 };
	struct returning CLEANUP(returning_fini) ret = { 0 };
	const struct table *t;
	int err = counted_keys_init(&counted, p->lowered.ir);

	list_for_each(t, &rs->tables, node)
		if (!err && rt->n_raw)
			err = find_objects(rt, t, &counted, ds, &ret);
	if (!err && ret.n_objects)
		batch_renew_objects(bb, ret.objects, ret.n_objects, ret.maps, ret.n_maps, ret.chains,
				    ret.n_chains);
	return err;
}

int park_find_renewed(const struct runtime *rt, struct ruleset *rs, const struct rt_plan *p)
{
	struct counted_keys CLEANUP(counted_keys_fini) counted = { 0 };
	struct returning CLEANUP(returning_fini) ret = { 0 };
	struct diags quiet;
	struct table *t;
	struct chain *c;
	int err = counted_keys_init(&counted, p->lowered.ir);

	diags_init(&quiet);
	list_for_each(t, &rs->tables, node) {
		if (!err && rt->n_raw)
			err = find_objects(rt, t, &counted, &quiet, &ret);
		list_for_each(c, &t->chains, node)
			c->renewed = !(c->flags & 4 /* NFT_CHAIN_BINDING */) &&
				     park_has_leaving_set(c, p->lowered.ir);
	}
	diags_fini(&quiet);
	for (size_t i = 0; i < ret.n_chains; i++)
		ret.chains[i]->renewed = true;
	return err;
}
