/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps of named sets that a load does not change: the new generation's programs use the running
 * one's map, which nobody writes to before the flip. So a refused load leaves it as it was.
 *
 * The map, not what the kernel's set was, is compared with the elements to be. It is looked at only
 * when the ruleset is the one that we left: a process killed while it changed the map in place may
 * have left something in there that comparing does not find, and then the ruleset has moved on.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "config.h"
#include "../compiler/classify/classify.h"
#include "../compiler/set_table.h"
#include "dynamic.h"
#include "elem_states.h"
#include "manifest.h"
#include "sets.h"

/* One whose map is its own, may be changed in place and may stay; elements of maps to objects have numbers of this
 * generation's in it. What elements keep themselves stays with them all. */
static bool may_stay(const struct ir_set *s)
{
	return s->is_mutable && !s->is_dynamic && !s->has_timeout && s->origin &&
	       (!s->n_states || (s->keeps && !s->origin->changed)) &&
	       s->table && s->table->blob && !s->table->shares;
}

/* The @nth of the set's: a verdict map of an inet table has one for each family. */
static const struct mf_set *find(const struct manifest *m, const struct set *s, uint32_t nth)
{
	for (uint32_t i = 0; i < m->n_sets; i++) {
		const struct mf_set *mf = &m->sets[i];

		if (mf->family == s->table->family && strcmp(mf->table, s->table->name) == 0 &&
		    strcmp(mf->name, s->name) == 0 && nth-- == 0)
			return mf;
	}
	return NULL;
}

static uint32_t place_among_its_kind(const struct ir *ir, uint32_t i)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < i; k++)
		n += ir->sets[k]->origin == ir->sets[i]->origin && may_stay(ir->sets[k]);
	return n;
}

/* The map as it is, to be unmapped, *@ret_size of it the value; NULL: there is none that we know. */
static void *map_blob(const struct runtime *rt, uint32_t id, size_t *ret_size, size_t *ret_mapped)
{
	int AUTO_CLOSE fd = -1;
	char name[32];
	uint32_t n, value;
	void *map;

	snprintf(name, sizeof(name), "set_%u", id);
	if (gen_get(rt, gen_current(rt), name, &fd) < 0 ||
	    rt_array_map(fd, false, &map, ret_mapped, &value, &n) < 0)
		return NULL;
	*ret_size = value;
	if (n == 1 && value % 64 == 0)
		return map;
	munmap(map, *ret_mapped);
	return NULL;
}

/* Of another history, maybe: what is in it decides. */
static bool adopt(struct ir_set *set, const void *map, size_t size)
{
	struct classify_shape shape;
	void *copy = aligned_alloc(64, size);

	if (copy)
		memcpy(copy, map, size);
	if (copy && classify_shape(copy, size, &shape) == 0 && set_table_adopt(set, copy, size))
		return true;
	free(copy);
	return false;
}

static bool same_exprs(const struct mf_kind *k, const struct exprs *es)
{
	return dynamic_same_exprs(k->exprs, k->n_exprs, es);
}

/* The very set, and numbers of kinds that mean the same. */
static bool may_keep_states(const struct runtime *rt, const struct mf_set *mf,
			    const struct ir_set *s)
{
	const struct set_table *t = s->table;

	if (mf->n_kinds != t->n_kinds || !elem_states_same_set(rt, mf, s->origin))
		return false;
	for (uint32_t i = 0; i < mf->n_kinds; i++)
		if (!same_exprs(&mf->kinds[i], set_table_kind_exprs(s, t->kinds[i])))
			return false;
	return true;
}

static bool keep_one(const struct runtime *rt, const struct mf_set *mf, struct ir_set *set)
{
	size_t size = 0, mapped;
	void *map = map_blob(rt, mf->id, &size, &mapped);
	bool kept;

	if (!map)
		return false;
	/* The same elements, seed and order make the same bytes: most often that is all. */
	kept = (size == set->table->blob_size && memcmp(map, set->table->blob, size) == 0) ||
	       adopt(set, map, size);
	munmap(map, mapped);
	return kept;
}

void sets_keep(const struct runtime *rt, uint32_t ruleset, const struct ir *ir)
{
	struct manifest CLEANUP(manifest_freep) *m = NULL;
	struct set_use *use = NULL;
	struct diags quiet;
	uint32_t n_use = 0;
	size_t size = 0;

	if (!rt->words || rt->words[RT_WORD_RULESET].value != ruleset)
		return;
	diags_init(&quiet);
	if (manifest_read(rt, gen_current(rt), &quiet, &m) == 0 && m->format == MANIFEST_FORMAT &&
	    strcmp(m->version, PACKAGE_VERSION) == 0)
		sets_use_map(rt, gen_current(rt), false, &use, &n_use, &size); /* else all are made anew */
	diags_fini(&quiet);
	for (uint32_t i = 0; use && i < ir->n_sets; i++) {
		struct ir_set *s = ir->sets[i];
		const struct mf_set *mf;

		if (s->stays || !may_stay(s))
			continue;
		mf = find(m, s->origin, place_among_its_kind(ir, i));
		if (mf && s->keeps && !may_keep_states(rt, mf, s))
			mf = NULL;
		s->stays = mf && mf->id < n_use && mf->map == mf->id && keep_one(rt, mf, s);
		s->old_id = s->stays ? mf->id : 0;
	}
	if (use)
		munmap(use, size);
}
