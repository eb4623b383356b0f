/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset model: making, finding and freeing tables, chains and rules. Sets are in
 * ruleset_set.c, objects and flowtables in ruleset_object.c.
 */
#include "ruleset_private.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

int blob_set(struct blob *b, const void *data, uint32_t len)
{
	void *copy = NULL;

	if (len) {
		copy = malloc(len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, data, len);
	}
	free((void *)b->data);
	b->data = copy;
	b->len = len;
	return 0;
}

void blob_fini(struct blob *b)
{
	free((void *)b->data);
	*b = (struct blob){0};
}

/* ---- ruleset ---- */

struct ruleset *ruleset_new(void)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return NULL;
	list_init(&rs->tables);
	rs->next_seq = 1;
	rs->index = name_index_new();
	if (!rs->index) {
		free(rs);
		return NULL;
	}
	return rs;
}

void ruleset_free(struct ruleset *rs)
{
	struct table *t, *tmp;

	if (!rs)
		return;
	list_for_each_safe(t, tmp, &rs->tables, node)
		table_free(t);
	name_index_free(rs->index);
	free(rs);
}

void ruleset_freep(struct ruleset **rs)
{
	ruleset_free(*rs);
}

/* ---- tables ---- */

static struct name_key table_key(uint8_t family, const char *name)
{
	return (struct name_key){.kind = KEY_TABLE, .number = family, .name = name};
}

struct table *ruleset_find_table(const struct ruleset *rs, uint8_t family, const char *name)
{
	return name_index_find(rs->index, table_key(family, name));
}

struct table *ruleset_find_table_handle(const struct ruleset *rs, uint8_t family, uint64_t handle)
{
	struct table *t;

	list_for_each(t, &rs->tables, node) {
		if (handle && t->family == family && t->handle == handle)
			return t;
	}
	return NULL;
}

struct table *table_new(struct ruleset *rs, uint8_t family, const char *name)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	list_init(&t->node);
	list_init(&t->chains);
	list_init(&t->sets);
	list_init(&t->objects);
	list_init(&t->flowtables);
	t->ruleset = rs;
	t->family = family;
	t->name = strdup(name);
	t->index = calloc(1, sizeof(struct table_index));
	if (t->index)
		table_names(t) = name_index_new();
	if (!t->name || !t->index || !table_names(t) ||
	    name_index_add(rs->index, table_key(family, t->name), t) < 0) {
		table_free(t);
		return NULL;
	}
	list_append(&rs->tables, &t->node);
	return t;
}

void table_free(struct table *t)
{
	struct chain *c, *c_tmp;
	struct set *s, *s_tmp;
	struct object *o, *o_tmp;
	struct flowtable *f, *f_tmp;

	if (t->name)
		name_index_remove(t->ruleset->index, table_key(t->family, t->name), t);
	list_remove(&t->node);
	if (t->index) {
		/* Nobody looks for names any more: their removal one by one is saved. */
		name_index_free(table_names(t));
		table_names(t) = NULL;
	}
	list_for_each_safe(c, c_tmp, &t->chains, node)
		chain_free(c);
	list_for_each_safe(s, s_tmp, &t->sets, node)
		set_free(s);
	list_for_each_safe(o, o_tmp, &t->objects, node)
		object_free(o);
	list_for_each_safe(f, f_tmp, &t->flowtables, node)
		flowtable_free(f);
	free(t->index);
	free(t->name);
	blob_fini(&t->userdata);
	free(t);
}

/* ---- chains ---- */

static struct name_key chain_key(const char *name)
{
	return (struct name_key){.kind = KEY_CHAIN, .name = name};
}

static struct name_key chain_id_key(uint32_t id)
{
	return (struct name_key){.kind = KEY_CHAIN_ID, .number = id, .name = ""};
}

struct chain *table_find_chain(const struct table *t, const char *name)
{
	return name_index_find(table_names(t), chain_key(name));
}

struct chain *table_find_chain_handle(const struct table *t, uint64_t handle)
{
	struct chain *c;

	list_for_each(c, &t->chains, node) {
		if (handle && c->handle == handle)
			return c;
	}
	return NULL;
}

struct chain *table_find_chain_id(const struct table *t, uint32_t id)
{
	return name_index_find(table_names(t), chain_id_key(id));
}

struct chain *chain_new(struct table *t, const char *name)
{
	struct chain *c = calloc(1, sizeof(*c));
	char anonymous[32];

	if (!c)
		return NULL;
	if (!name) {
		do {
			snprintf(anonymous, sizeof(anonymous), "__chain%u",
				 ++((struct table_index *)t->index)->last_chain);
		} while (table_find_chain(t, anonymous));
		name = anonymous;
	}
	list_init(&c->node);
	list_init(&c->rules);
	c->table = t;
	c->policy = 1; /* NF_ACCEPT */
	c->name = strdup(name);
	if (!c->name || name_index_add(table_names(t), chain_key(c->name), c) < 0) {
		chain_free(c);
		return NULL;
	}
	list_append(&t->chains, &c->node);
	return c;
}

int chain_rename(struct chain *c, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	if (name_index_add(table_names(c->table), chain_key(copy), c) < 0) {
		free(copy);
		return -ENOMEM;
	}
	name_index_remove(table_names(c->table), chain_key(c->name), c);
	free(c->name);
	c->name = copy;
	return 0;
}

int chain_set_id(struct chain *c, uint32_t id)
{
	if (id && name_index_add(table_names(c->table), chain_id_key(id), c) < 0)
		return -ENOMEM;
	if (c->id)
		name_index_remove(table_names(c->table), chain_id_key(c->id), c);
	c->id = id;
	return 0;
}

void chain_free(struct chain *c)
{
	struct name_index *names = table_names(c->table);
	struct rule *r, *tmp;

	if (names) {
		if (c->name)
			name_index_remove(names, chain_key(c->name), c);
		if (c->id)
			name_index_remove(names, chain_id_key(c->id), c);
	}
	list_remove(&c->node);
	list_for_each_safe(r, tmp, &c->rules, node)
		rule_free(r);
	free(c->name);
	free(c->type);
	devices_free(&c->devices);
	blob_fini(&c->userdata);
	blob_fini(&c->counters);
	free(c);
}

/* ---- rules ---- */

/*
 * By handle. Whoever goes through a chain asks for neighbours, so the search starts where the last
 * one ended.
 */
struct rule *chain_find_rule(const struct chain *c, uint64_t handle)
{
	struct rule *from = c->hint, *r;

	if (!handle || list_is_empty(&c->rules))
		return NULL;
	if (!from)
		from = list_entry(c->rules.next, struct rule, node);
	for (r = from;;) {
		if (r->handle == handle) {
			((struct chain *)c)->hint = r;
			return r;
		}
		r = list_entry(r->node.next, struct rule, node);
		if (&r->node == &c->rules)
			r = list_entry(c->rules.next, struct rule, node);
		if (r == from)
			return NULL;
	}
}

struct rule *rule_new(struct chain *c, struct rule *before)
{
	struct rule *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->chain = c;
	list_init(&r->node);
	list_append(before ? &before->node : &c->rules, &r->node);
	c->n_rules++;
	return r;
}

void rule_free(struct rule *r)
{
	struct chain *c = r->chain;

	if (c->hint == r)
		c->hint = r->node.next == &c->rules ? NULL :
						      list_entry(r->node.next, struct rule, node);
	list_remove(&r->node);
	c->n_rules--;
	exprs_fini(&r->exprs);
	blob_fini(&r->userdata);
	blob_fini(&r->compat);
	free(r);
}

/* struct nftnl_udata: type and length bytes, then the value; 0 is NFTNL_UDATA_RULE_COMMENT. */
const char *rule_comment(const struct rule *r)
{
	const uint8_t *p = r->userdata.data, *end = p + r->userdata.len;

	while (p && end - p >= 2 && end - p - 2 >= p[1]) {
		if (p[0] == 0 && p[1] > 0 && p[2 + p[1] - 1] == '\0')
			return (const char *)p + 2;
		p += 2 + p[1];
	}
	return NULL;
}
