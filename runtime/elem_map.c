/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps of sets whose elements keep something (compiler/set_table.h): records by key, and which set
 * a map is of. A set is known by its handle, an anonymous one by its rule's, since its name is the
 * kernel's to choose.
 */
#include "elem_map.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "../compiler/dynamic.h"
#include "../compiler/set_table.h"

/* ---- a map ---- */

void elem_map_close(struct elem_map *em)
{
	if (em->map)
		munmap(em->map, em->size);
	em->map = em->blob = NULL;
}

uint32_t elem_data_words(const struct set *s)
{
	if (!(s->flags & NFT_SET_MAP))
		return 0;
	return s->data_type == NFT_DATA_VERDICT ? 1 : (s->data_len + 3) / 4;
}

uint32_t elem_kind_size(const struct mf_kind *k)
{
	uint32_t size = 0;

	for (uint32_t i = 0; i < k->n_exprs; i++)
		size += dyn_state_size(k->exprs[i].name);
	return size;
}

int elem_map_open(const struct runtime *rt, uint32_t gen, const struct mf_set *mf,
			 const struct set *s, bool writable, struct elem_map *ret)
{
	struct elem_map CLEANUP(elem_map_close) em = { .mf = mf };
	int AUTO_CLOSE fd = -1;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "set_%u", mf->map);
	err = gen_get(rt, gen, name, &fd);
	if (!err)
		err = rt_array_map(fd, writable, &em.map, &em.size, NULL, NULL);
	if (!err && mf->map_offset >= em.size)
		err = -EINVAL;
	if (err)
		return err;
	em.blob = (char *)em.map + mf->map_offset;
	err = classify_shape(em.blob, em.size - mf->map_offset, &em.shape);
	if (err)
		return err;
	em.kind_at = set_kind_at(elem_data_words(s));
	em.kept_at = set_kept_at(elem_data_words(s));
	for (uint32_t i = 0; i < mf->n_kinds; i++)
		if (em.kept_at + elem_kind_size(&mf->kinds[i]) > em.shape.value_size)
			return -EINVAL;
	*ret = em;
	em.map = NULL;
	return 0;
}

uint32_t elem_map_index(const struct elem_map *em, const uint8_t *key)
{
	uint32_t all = classify_catch_all(em->blob);
	uint32_t index = key ? classify_find(em->blob, key) : all;

	return (key && index == all) || index >= em->shape.capacity ? CLASSIFY_MISS : index;
}

const struct mf_kind *elem_map_kind(const struct elem_map *em, uint32_t index)
{
	uint32_t kind;

	memcpy(&kind, (const char *)classify_value(em->blob, index) + em->kind_at, sizeof(kind));
	return kind < em->mf->n_kinds ? &em->mf->kinds[kind] : NULL;
}

uint64_t *elem_map_words(const struct elem_map *em, uint32_t index)
{
	return (uint64_t *)((char *)classify_value(em->blob, index) + em->kept_at);
}

void elem_read_words(const uint64_t *from, const char *expr, uint64_t *ret)
{
	for (uint32_t i = 0; i < dyn_state_size(expr) / 8; i++)
		ret[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* ---- which set ---- */

/* The rule that an anonymous set belongs to, and the expression in it. */
static const struct rule *rule_of(const struct set *s, uint32_t *ret_expr)
{
	const struct chain *c;
	const struct rule *r;

	list_for_each(c, &s->table->chains, node) {
		list_for_each(r, &c->rules, node) {
			for (uint32_t i = 0; i < r->exprs.n; i++) {
				const struct expr *e = &r->exprs.array[i];
				const char *name = strcmp(e->name, "lookup") == 0 ?
							   attr_str(e->attrs, NFTA_LOOKUP_SET) :
							   NULL;

				if (!name || strcmp(name, s->name) != 0)
					continue;
				*ret_expr = i;
				return r;
			}
		}
	}
	return NULL;
}

uint64_t elem_set_identity(const struct set *s, uint32_t *ret_expr)
{
	const struct rule *r;

	*ret_expr = 0;
	if (!(s->flags & NFT_SET_ANONYMOUS))
		return s->handle;
	r = rule_of(s, ret_expr);
	return r ? r->handle : 0;
}

void elem_uses_close(struct elem_uses *u)
{
	if (u->array)
		munmap(u->array, u->size);
}

int elem_uses_open(const struct runtime *rt, uint32_t gen, bool writable, struct elem_uses *ret)
{
	return sets_use_map(rt, gen, writable, &ret->array, &ret->n, &ret->size);
}

static bool in_table(const struct mf_set *mf, const struct table *t)
{
	return mf->family == t->family && strcmp(mf->table, t->name) == 0;
}

/* One whose load was killed before that was noted is known by name alone, if it has one of its own. */
bool elem_uses_same(const struct elem_uses *u, const struct mf_set *mf, const struct set *s)
{
	uint32_t expr;
	uint64_t id;

	if (!mf->n_kinds || mf->id >= u->n || !in_table(mf, s->table) || s->table->remade)
		return false;
	if (!(s->flags & NFT_SET_ANONYMOUS) && strcmp(mf->name, s->name) != 0)
		return false;
	id = elem_set_identity(s, &expr);
	if (!u->array[mf->id].handle)
		return id && !(s->flags & NFT_SET_ANONYMOUS);
	return id == u->array[mf->id].handle && expr == u->array[mf->id].expr;
}

bool elem_states_same_set(const struct runtime *rt, const struct mf_set *mf, const struct set *s)
{
	struct elem_uses CLEANUP(elem_uses_close) u = { 0 };

	return elem_uses_open(rt, gen_current(rt), false, &u) == 0 && elem_uses_same(&u, mf, s);
}

bool elem_states_any(const struct manifest *m)
{
	for (uint32_t i = 0; m && m->format == MANIFEST_FORMAT && i < m->n_sets; i++)
		if (m->sets[i].n_kinds)
			return true;
	return false;
}

bool elem_uses_given(const struct elem_uses *u, const struct mf_set *mf, uint32_t ruleset)
{
	uint32_t given = u->array[mf->id].given;

	return given && (int32_t)(ruleset - (given - 1)) >= 0;
}
