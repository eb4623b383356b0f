/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading counters: a block per CPU in the programs' memory, plus what each stood at when the
 * programs began (the map "seeds", so that nothing is written where programs count).
 *
 * A rule that only our programs run shows their count alone: the interpreter's stands still from
 * the takeover on. In a chain that the interpreter runs as well (it is reached by a base chain that
 * is not compiled), and for named counters, both count different packets and the sum is shown; the
 * seed is then relative to the kernel's own count.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "counters.h"

/* ---- the maps ---- */

static int map_pin(const struct runtime *rt, uint32_t gen, const char *name, bool writable,
		   void **ret, size_t *ret_size, uint32_t *ret_n)
{
	int AUTO_CLOSE fd = -1;
	int err = gen_get(rt, gen, name, &fd);

	return err ? err : rt_array_map(fd, writable, ret, ret_size, NULL, ret_n);
}

static int check_sizes(const struct counters *c)
{
	const struct manifest *m = c->manifest;
	uint64_t need = (uint64_t)m->cpus * m->stride;

	if (need > c->blocks_size || (uint64_t)m->n_counters * 16 > m->stride ||
	    (uint64_t)m->n_counters * sizeof(*c->seeds) > c->seeds_size)
		return -EINVAL;
	for (uint32_t i = 0; i < m->n_counted; i++)
		if (m->counted[i].first > c->n_rules ||
		    m->counted[i].n > c->n_rules - m->counted[i].first)
			return -EINVAL;
	for (uint32_t i = 0; i < c->n_rules; i++)
		if (c->rules[i].counter >= m->n_counters)
			return -EINVAL;
	for (uint32_t i = 0; i < m->n_objects; i++)
		if (m->objects[i].counter >= m->n_counters)
			return -EINVAL;
	return 0;
}

int counters_open(const struct runtime *rt, uint32_t gen, const struct manifest *m, bool writable,
		  struct diags *ds, struct counters *ret)
{
	struct counters CLEANUP(counters_close) c = { .manifest = m };
	void *blocks = NULL, *seeds = NULL, *rules = NULL;
	int err;

	if (!m->n_counters)
		return -ENOENT;
	err = map_pin(rt, gen, "counters", false, &blocks, &c.blocks_size, NULL);
	c.blocks = blocks;
	if (!err)
		err = map_pin(rt, gen, "seeds", writable, &seeds, &c.seeds_size, NULL);
	c.seeds = seeds;
	if (!err && m->n_counted)
		err = map_pin(rt, gen, "rules", writable, &rules, &c.rules_size, &c.n_rules);
	c.rules = rules;
	if (!err)
		err = check_sizes(&c);
	if (err)
		return rt_error(ds, err, "generation %u: cannot read its counters", gen);
	*ret = c;
	c = (struct counters){ 0 };
	return 0;
}

void counters_close(struct counters *c)
{
	if (c->blocks)
		munmap((void *)c->blocks, c->blocks_size);
	if (c->seeds)
		munmap(c->seeds, c->seeds_size);
	if (c->rules)
		munmap(c->rules, c->rules_size);
	*c = (struct counters){ 0 };
}

struct packets_bytes counters_read(const struct counters *c, uint32_t counter)
{
	struct packets_bytes sum = c->seeds[counter];

	for (uint32_t cpu = 0; cpu < c->manifest->cpus; cpu++) {
		const volatile struct packets_bytes *b =
			(const volatile void *)(c->blocks + (size_t)cpu * c->manifest->stride +
						(size_t)counter * sizeof(*b));

		sum.packets += b->packets;
		sum.bytes += b->bytes;
	}
	return sum;
}

/* ---- into the model ---- */

static int compare_raw(const void *pa, const void *pb)
{
	const struct raw_counter *a = pa, *b = pb;

	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return a->expr < b->expr ? -1 : a->expr > b->expr;
}

void raw_sort(struct runtime *rt)
{
	if (rt->n_raw)
		qsort(rt->raw, rt->n_raw, sizeof(*rt->raw), compare_raw);
}

const struct raw_counter *raw_find(const struct runtime *rt, const void *owner, uint64_t handle,
				   uint32_t expr)
{
	const struct raw_counter key = { .owner = owner, .expr = expr }, *r;

	if (!rt->n_raw || !handle)
		return NULL;
	r = bsearch(&key, rt->raw, rt->n_raw, sizeof(key), compare_raw);
	/* Memory of a rule that went may have become another one's: that has no handle yet. */
	return r && r->handle == handle ? r : NULL;
}

/* Both attributes are there in what a kernel dumped; the bytes belong to the model. */
static bool set_counter(struct blob attrs, struct packets_bytes value, struct packets_bytes *ret_old)
{
	struct blob packets, bytes;
	uint64_t p, b;

	if (!attr_find(attrs, NFTA_COUNTER_PACKETS, &packets) || packets.len != sizeof(p) ||
	    !attr_find(attrs, NFTA_COUNTER_BYTES, &bytes) || bytes.len != sizeof(b))
		return false;
	memcpy(&p, packets.data, sizeof(p));
	memcpy(&b, bytes.data, sizeof(b));
	*ret_old = (struct packets_bytes){ be64toh(p), be64toh(b) };
	p = htobe64(value.packets);
	b = htobe64(value.bytes);
	memcpy((void *)packets.data, &p, sizeof(p));
	memcpy((void *)bytes.data, &b, sizeof(b));
	return true;
}

struct packets_bytes counter_get(struct blob attrs)
{
	return (struct packets_bytes){ attr_uint(attrs, NFTA_COUNTER_PACKETS, 0),
				       attr_uint(attrs, NFTA_COUNTER_BYTES, 0) };
}

static void show(struct runtime *rt, struct blob attrs, struct packets_bytes ours, bool add,
		 struct raw_counter raw)
{
	if (add) {
		struct packets_bytes kernel = counter_get(attrs);

		ours.packets += kernel.packets;
		ours.bytes += kernel.bytes;
	}
	if (set_counter(attrs, ours, &raw.value))
		rt->raw[rt->n_raw++] = raw;
}

/* An entry and the chain it stood in; handles are unique in a table, names of anonymous chains change. */
struct entry {
	const struct counted_rule *rule;
	const struct mf_counted *in;
};

static int compare_handles(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->rule->handle != b->rule->handle)
		return a->rule->handle < b->rule->handle ? -1 : 1;
	return a->rule->expr < b->rule->expr ? -1 : a->rule->expr > b->rule->expr;
}

/* The first one at or behind @handle. */
static size_t search(const struct entry *sorted, size_t n, uint64_t handle)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (sorted[mid].rule->handle < handle)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void show_entry(struct runtime *rt, const struct counters *c, const struct entry *e,
		       const struct rule *r)
{
	uint32_t expr = e->rule->expr;

	if (expr < r->exprs.n && strcmp(r->exprs.array[expr].name, "counter") == 0)
		show(rt, r->exprs.array[expr].attrs, counters_read(c, e->rule->counter),
		     e->in->shared,
		     (struct raw_counter){ .owner = r, .handle = r->handle, .expr = expr });
}

static void overlay_chain(struct runtime *rt, const struct counters *c, const struct entry *sorted,
			  size_t n, const struct chain *chain)
{
	const struct rule *r;

	list_for_each(r, &chain->rules, node) {
		size_t i = r->handle ? search(sorted, n, r->handle) : n;

		for (; i < n && sorted[i].rule->handle == r->handle; i++)
			show_entry(rt, c, &sorted[i], r);
	}
}

/* Entries whose handle a killed load did not get to note: the position counts. */
static void overlay_unnamed(struct runtime *rt, const struct counters *c,
			    const struct mf_counted *counted, const struct chain *chain)
{
	const struct counted_rule *e = c->rules + counted->first, *end = e + counted->n;
	uint32_t position = 0;
	const struct rule *r;

	list_for_each(r, &chain->rules, node)
		for (position++; e < end && e->position <= position; e++)
			if (!e->handle && e->position == position)
				show_entry(rt, c, &(struct entry){ e, counted }, r);
}

static bool same_table(const struct mf_counted *a, const struct mf_counted *b)
{
	return a->family == b->family && strcmp(a->table, b->table) == 0;
}

/* The counted chains of a table follow each other: from @i on, to what is returned. */
static uint32_t end_of_table(const struct manifest *m, uint32_t i)
{
	uint32_t end = i;

	while (end < m->n_counted && same_table(&m->counted[i], &m->counted[end]))
		end++;
	return end;
}

static struct entry *sort_entries(const struct counters *c, uint32_t from, uint32_t to,
				  size_t *ret_n)
{
	const struct mf_counted *counted = c->manifest->counted;
	struct entry *sorted;
	size_t n = 0;

	for (uint32_t i = from; i < to; i++)
		n += counted[i].n;
	sorted = calloc(MAX(n, (size_t)1), sizeof(*sorted));
	if (!sorted)
		return NULL;
	n = 0;
	for (uint32_t i = from; i < to; i++)
		for (uint32_t k = 0; k < counted[i].n; k++)
			sorted[n++] = (struct entry){ c->rules + counted[i].first + k, &counted[i] };
	qsort(sorted, n, sizeof(*sorted), compare_handles);
	*ret_n = n;
	return sorted;
}

static int overlay_table(struct runtime *rt, const struct counters *c, const struct table *t,
			 uint32_t from, uint32_t to)
{
	size_t n;
	struct entry AUTO_FREE *sorted = sort_entries(c, from, to, &n);
	const struct chain *chain;

	if (!sorted)
		return -ENOMEM;
	list_for_each(chain, &t->chains, node)
		overlay_chain(rt, c, sorted, n, chain);
	for (uint32_t i = from; i < to && n && !sorted[0].rule->handle; i++) {
		chain = table_find_chain(t, c->manifest->counted[i].chain);
		if (chain)
			overlay_unnamed(rt, c, &c->manifest->counted[i], chain);
	}
	return 0;
}

static int overlay_rules(struct runtime *rt, const struct counters *c, const struct ruleset *rs)
{
	const struct manifest *m = c->manifest;
	uint32_t end;
	int err = 0;

	for (uint32_t i = 0; !err && i < m->n_counted; i = end) {
		const struct mf_counted *counted = &m->counted[i];
		const struct table *t = ruleset_find_table(rs, counted->family, counted->table);

		end = end_of_table(m, i);
		if (t && !t->remade)
			err = overlay_table(rt, c, t, i, end);
	}
	return err;
}

/* NULL: another build's map, which has no room for it. */
static uint64_t *noted_handle(const struct counters *c, uint32_t object)
{
	size_t at = (size_t)c->manifest->n_counters + object;

	return (at + 1) * sizeof(*c->seeds) <= c->seeds_size ? &c->seeds[at].packets : NULL;
}

static const struct object *find_object(const struct ruleset *rs, const struct mf_object *mo)
{
	const struct table *t = ruleset_find_table(rs, mo->family, mo->table);

	return t && !t->remade ? table_find_object(t, NFT_OBJECT_COUNTER, mo->name) : NULL;
}

int counters_note_objects(struct runtime *rt, const struct manifest *m, const struct ruleset *rs,
			  struct diags *ds)
{
	struct counters CLEANUP(counters_close) c = { 0 };
	int err = counters_open(rt, gen_current(rt), m, true, ds, &c);

	for (uint32_t i = 0; !err && i < m->n_objects; i++) {
		const struct object *o = find_object(rs, &m->objects[i]);
		uint64_t *noted = noted_handle(&c, i);

		if (o && noted && !*noted && !m->objects[i].handle)
			*noted = o->handle;
	}
	return err == -ENOENT ? 0 : err;
}

static void overlay_objects(struct runtime *rt, const struct counters *c, const struct ruleset *rs)
{
	for (uint32_t i = 0; i < c->manifest->n_objects; i++) {
		const struct mf_object *mo = &c->manifest->objects[i];
		const struct object *o = find_object(rs, mo);
		const uint64_t *noted = noted_handle(c, i);
		uint64_t handle = mo->handle ? mo->handle : noted ? *noted : 0;

		/* One of another handle was given our count when it was made (park_objects.c). */
		if (o && (!handle || handle == o->handle))
			show(rt, o->attrs, counters_read(c, mo->counter), true,
			     (struct raw_counter){ .owner = o, .handle = o->handle });
	}
}

static int take_snapshot(struct runtime *rt, const struct counters *c)
{
	uint32_t n = c->manifest->n_counters;
	struct packets_bytes *snapshot = calloc(n, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		snapshot[i] = counters_read(c, i);
	free(rt->snapshot);
	rt->snapshot = snapshot;
	rt->n_snapshot = n;
	return 0;
}

int counters_overlay(struct runtime *rt, const struct manifest *m, struct ruleset *rs,
		     struct diags *ds)
{
	struct counters CLEANUP(counters_close) c = { 0 };
	int err = counters_open(rt, gen_current(rt), m, false, ds, &c);

	free(rt->raw);
	rt->raw = NULL;
	rt->n_raw = 0;
	if (err)
		return err == -ENOENT ? 0 : err;
	rt->raw = calloc((size_t)c.n_rules + m->n_objects + 1, sizeof(*rt->raw));
	if (!rt->raw)
		return -ENOMEM;
	err = take_snapshot(rt, &c);
	if (err)
		return err;
	err = overlay_rules(rt, &c, rs);
	if (err)
		return err;
	overlay_objects(rt, &c, rs);
	raw_sort(rt);
	return 0;
}
