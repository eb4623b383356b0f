/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What elements keep, in sets that packets do not fill: from the sets' maps into listings, and of new
 * elements into the maps.
 *
 * A counter in a map is what programs counted beside the kernel's own element, so the sum is shown,
 * whoever else looks the element up. A quota or a time is all there is.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "../compiler/dynamic.h"
#include "../compiler/ir_eval.h"
#include "../compiler/set_table.h"
#include "dynamic.h"
#include "elem_map.h"
#include "priv.h"

#ifndef NFTA_LAST_MAX
enum { NFTA_LAST_SET = 1, NFTA_LAST_MSECS = 2 };
#endif

/* ---- into the manifest ---- */

static int make_kind(const struct ir *ir, const struct exprs *es, struct mf_kind *k)
{
	k->exprs = calloc(MAX(es->n, 1u), sizeof(*k->exprs));
	if (!k->exprs)
		return -ENOMEM;
	for (; k->n_exprs < es->n; k->n_exprs++) {
		const struct expr *e = &es->array[k->n_exprs];
		char AUTO_FREE *hex = dynamic_hex(e->attrs);

		if (!hex)
			return -ENOMEM;
		k->exprs[k->n_exprs].name = e->name;
		k->exprs[k->n_exprs].hex = arena_strdup(ir->arena, hex);
	}
	return 0;
}

int elem_states_make(const struct ir *ir, const struct ir_set *set, struct mf_set *s)
{
	const struct set_table *t = set->table;
	int err = 0;

	s->kinds = calloc(MAX(t->n_kinds, 1u), sizeof(*s->kinds));
	if (!s->kinds)
		return -ENOMEM;
	for (; !err && s->n_kinds < t->n_kinds; s->n_kinds++)
		err = make_kind(ir, set_table_kind_exprs(set, t->kinds[s->n_kinds]),
				&s->kinds[s->n_kinds]);
	return err;
}

/* ---- into the model ---- */

static bool put(struct blob attrs, uint16_t type, const void *value, uint32_t size)
{
	struct blob at;

	if (!attr_find(attrs, type, &at) || at.len != size)
		return false;
	memcpy((void *)at.data, value, size); /* the bytes belong to the model */
	return true;
}

static void add_be64(struct blob attrs, uint16_t type, uint64_t more)
{
	uint64_t sum = htobe64(attr_uint(attrs, type, 0) + more);

	put(attrs, type, &sum, sizeof(sum));
}

static bool show_counter(struct blob attrs, const uint64_t *words)
{
	add_be64(attrs, NFTA_COUNTER_PACKETS, words[0]);
	add_be64(attrs, NFTA_COUNTER_BYTES, words[1]);
	return words[0] || words[1];
}

/* As nft_quota_do_dump() tells it: never more than the quota. */
static bool show_quota(struct blob attrs, uint64_t consumed)
{
	uint64_t was = attr_uint(attrs, NFTA_QUOTA_CONSUMED, 0), be;

	consumed = MIN(consumed, attr_uint(attrs, NFTA_QUOTA_BYTES, 0));
	be = htobe64(consumed);
	return put(attrs, NFTA_QUOTA_CONSUMED, &be, sizeof(be)) && consumed != was;
}

static bool show_last(struct blob attrs, uint64_t ns)
{
	const uint32_t set = htobe32(1);
	uint64_t ms = ms_since(ns), be = htobe64(ms);
	bool was = attr_uint(attrs, NFTA_LAST_SET, 0);

	if (!ns || (was && attr_uint(attrs, NFTA_LAST_MSECS, 0) <= ms))
		return false; /* the interpreter saw it later */
	return put(attrs, NFTA_LAST_SET, &set, sizeof(set)) &&
	       put(attrs, NFTA_LAST_MSECS, &be, sizeof(be));
}

/* True: the kernel's own element says less. A limit says nothing. */
static bool show(const struct expr *e, const uint64_t *words)
{
	if (strcmp(e->name, "counter") == 0)
		return show_counter(e->attrs, words);
	if (strcmp(e->name, "quota") == 0)
		return show_quota(e->attrs, words[0]);
	return strcmp(e->name, "last") == 0 && show_last(e->attrs, words[0]);
}

static bool show_elem(const struct elem_map *em, const struct set_elem *e)
{
	uint32_t index = elem_map_index(em, e->key);
	const struct mf_kind *k = index == CLASSIFY_MISS ? NULL : elem_map_kind(em, index);
	const uint64_t *at;
	bool more = false;

	if (!k || !e->exprs.n || !dynamic_same_exprs(k->exprs, k->n_exprs, &e->exprs))
		return false;
	at = elem_map_words(em, index);
	for (uint32_t i = 0; i < e->exprs.n; i++) {
		uint64_t words[2] = { 0 };

		elem_read_words(at, e->exprs.array[i].name, words);
		more |= show(&e->exprs.array[i], words);
		at += dyn_state_size(e->exprs.array[i].name) / 8;
	}
	return more;
}

void elem_states_forget_shown(struct runtime *rt)
{
	while (rt->elem_shown) {
		struct elem_shown *sh = rt->elem_shown;

		rt->elem_shown = sh->next;
		free(sh->blob);
		free(sh);
	}
}

/* Packets go on counting: what is shown is what was remembered. */
static int remember(struct runtime *rt, const struct elem_map *em, struct elem_map *ret)
{
	size_t size = em->size - em->mf->map_offset;
	struct elem_shown *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return -ENOMEM;
	sh->next = rt->elem_shown;
	rt->elem_shown = sh;
	sh->id = em->mf->id;
	sh->blob = aligned_alloc(64, ROUND_UP(size, (size_t)64));
	if (!sh->blob)
		return -ENOMEM;
	memcpy(sh->blob, em->blob, size);
	*ret = *em;
	ret->blob = sh->blob;
	return 0;
}

static int overlay_set(struct runtime *rt, const struct mf_set *mf, struct set *s)
{
	struct elem_map CLEANUP(elem_map_close) em = { 0 };
	int err = elem_map_open(rt, gen_current(rt), mf, s, false, &em);
	struct elem_map shown = em;

	if (!err && s->flags & NFT_SET_ANONYMOUS)
		err = remember(rt, &em, &shown);
	for (size_t i = 0; !err && i < s->n_elems; i++) {
		struct set_elem *e = &s->elems[i];

		if (!(e->flags & NFT_SET_ELEM_INTERVAL_END))
			e->counted |= show_elem(&shown, e); /* a set may have several maps */
		s->counted |= e->counted;
	}
	return err == -ENOENT ? 0 : err;
}

int elem_states_overlay(struct runtime *rt, const struct manifest *m, struct ruleset *rs,
			struct diags *ds)
{
	struct elem_uses CLEANUP(elem_uses_close) u = { 0 };
	struct table *t;
	struct set *s;
	int err;

	elem_states_forget_shown(rt);
	if (!elem_states_any(m))
		return 0;
	err = elem_uses_open(rt, gen_current(rt), false, &u);
	if (err == -ENOENT)
		return 0;
	list_for_each(t, &rs->tables, node) {
		list_for_each(s, &t->sets, node) {
			for (uint32_t i = 0; !err && i < m->n_sets; i++)
				if (elem_uses_same(&u, &m->sets[i], s) &&
				    !elem_uses_given(&u, &m->sets[i], rs->generation))
					err = overlay_set(rt, &m->sets[i], s);
		}
	}
	return err ? rt_error(ds, err, "what elements keep cannot be read") : 0;
}

/* ---- in place ---- */

int elem_states_init(const struct mf_set *mf, const struct set *s, const struct set_elem *e,
		     uint32_t *record)
{
	const struct exprs *es = e->exprs.n ? &e->exprs : &s->exprs;
	char *at = (char *)record + set_kept_at(elem_data_words(s));
	uint32_t kind = 0;

	while (kind < mf->n_kinds &&
	       !dynamic_same_exprs(mf->kinds[kind].exprs, mf->kinds[kind].n_exprs, es))
		kind++;
	if (kind == mf->n_kinds)
		return -ENOENT;
	record[set_kind_at(elem_data_words(s)) / 4] = kind;
	for (uint32_t i = 0; i < es->n; i++) {
		uint64_t words[2];

		dyn_expr_init(es->array[i].name, es->array[i].attrs, now_ns(),
			      words);
		if (strcmp(es->array[i].name, "counter") == 0)
			words[0] = words[1] = 0; /* the kernel's element has these */
		memcpy(at, words, dyn_state_size(es->array[i].name));
		at += dyn_state_size(es->array[i].name);
	}
	return 0;
}
