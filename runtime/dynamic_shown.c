/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets that packets change, as the user sees and changes them: elements are read out of the maps into
 * the model, and what the user's batch adds or deletes is what the model then has more, or less, than it
 * was shown with.
 */
#include <errno.h>

#include <bpf/bpf.h>

#include "../compiler/dynamic.h"
#include "dynamic_priv.h"

/* ---- what is shown ---- */

struct shown { /* a set's elements, as the model was given them */
	const struct set *set;
	uint8_t *keys; /* sorted */
	uint64_t *times; /* timeout and expiration of each */
	size_t n;
};

static __thread size_t sort_width;

static int compare_elems(const void *pa, const void *pb)
{
	const struct set_elem *a = *(struct set_elem *const *)pa, *b = *(struct set_elem *const *)pb;

	return memcmp(a->key, b->key, sort_width);
}

/* Elements by key; malloc'ed. */
static const struct set_elem **sort_elems(const struct set *s)
{
	const struct set_elem **sorted = calloc(s->n_elems + 1, sizeof(*sorted));

	for (size_t i = 0; sorted && i < s->n_elems; i++)
		sorted[i] = &s->elems[i];
	sort_width = s->key_len;
	if (sorted)
		qsort(sorted, s->n_elems, sizeof(*sorted), compare_elems);
	return sorted;
}

/* The map of @s has what @map has. */
static int remember(struct runtime *rt, const struct set *s, const struct set *map)
{
	const struct set_elem **AUTO_FREE sorted = sort_elems(map);
	struct shown *all = realloc(rt->shown, (rt->n_shown + 1) * sizeof(*all)), *sh;

	if (all)
		rt->shown = all;
	if (!sorted || !all)
		return -ENOMEM;
	sh = &all[rt->n_shown++];
	*sh = (struct shown){ .set = s, .keys = malloc(map->n_elems * s->key_len + 1),
			      .times = calloc(2 * map->n_elems + 1, sizeof(*sh->times)) };
	if (!sh->keys || !sh->times)
		return -ENOMEM;
	for (; sh->n < map->n_elems; sh->n++) {
		memcpy(sh->keys + sh->n * s->key_len, sorted[sh->n]->key, s->key_len);
		sh->times[2 * sh->n] = sorted[sh->n]->timeout;
		sh->times[2 * sh->n + 1] = sorted[sh->n]->expiration;
	}
	return 0;
}

void dynamic_forget(struct runtime *rt)
{
	for (size_t i = 0; i < rt->n_shown; i++) {
		free(rt->shown[i].keys);
		free(rt->shown[i].times);
	}
	free(rt->shown);
	rt->shown = NULL;
	rt->n_shown = 0;
}

static int read_set(struct runtime *rt, uint32_t gen, const struct mf_dynamic *d, struct set *s,
		    bool remembered, bool others)
{
	struct ruleset CLEANUP(ruleset_freep) *aside = NULL;
	int AUTO_CLOSE fd = dynamic_map(rt, gen, d->id);
	struct set *map = s;
	int err = fd < 0 ? fd : 0;

	if (!err && others && dynamic_heeds_others(d, s))
		err = dynamic_set_aside(s, &aside, &map);
	if (!err)
		err = dynamic_read(fd, d, map);
	if (!err && map != s)
		err = dynamic_heed_others(d, s, map);
	if (!err && remembered)
		err = remember(rt, s, map);
	return err;
}

int dynamic_overlay_of(struct runtime *rt, uint32_t gen, const struct manifest *m,
		       struct ruleset *rs, bool remembered)
{
	const bool others = remembered && rt->words &&
			    rt->words[RT_WORD_RULESET].value != rs->generation;
	struct dynamic_heads CLEANUP(dynamic_heads_close) h = { 0 };
	int err = m->n_dynamic ? dynamic_heads_open(rt, gen, &h) : 0;

	for (uint32_t i = 0; !err && i < m->n_dynamic; i++) {
		const struct mf_dynamic *d = &m->dynamic[i];
		const struct table *t = ruleset_find_table(rs, d->family, d->table);
		struct set *s = t ? table_find_set(t, d->name) : NULL;

		if (!s || !dynamic_is_of(&h, d, s))
			continue;
		err = read_set(rt, gen, d, s, remembered, others);
		if (err == -ENOENT || err == -EINVAL) /* a set that no program used has no map */
			err = 0;
	}
	return err == -ENOENT ? 0 : err;
}

int dynamic_overlay(struct runtime *rt, const struct manifest *m, struct ruleset *rs,
		    struct diags *ds)
{
	int err;

	dynamic_forget(rt);
	err = m->format == MANIFEST_FORMAT ? dynamic_overlay_of(rt, gen_current(rt), m, rs, true) : 0;
	return err ? rt_error(ds, err, "elements of dynamic sets cannot be read") : 0;
}

/* ---- what a batch changed ---- */

static bool times_changed(const struct shown *sh, size_t i, const struct set_elem *e)
{
	return sh->times[2 * i] != e->timeout || sh->times[2 * i + 1] != e->expiration;
}

static int put(const struct ir *ir, const struct ir_set *set, const struct set_elem *e, int fd)
{
	uint8_t key[IR_MAX_WIDTH], value[2 * IR_MAX_WIDTH + 512];

	if (dyn_value_size(set) > sizeof(value))
		return -E2BIG;
	dynamic_put(ir, set, e, key, value);
	return bpf_map_update_elem(fd, key, value, BPF_ANY);
}

/* Both in the order of keys. */
static int commit_set(const struct ir *ir, const struct ir_set *set, const struct shown *sh, int fd)
{
	const struct set_elem **AUTO_FREE now = sort_elems(set->origin);
	size_t width = set->width, n = set->origin->n_elems, i = 0, k = 0;
	int err = now ? 0 : -ENOMEM;

	while (!err && (i < sh->n || k < n)) {
		int cmp = i == sh->n ? 1 :
			  k == n     ? -1 :
				       memcmp(sh->keys + i * width, now[k]->key, width);

		if (cmp < 0) {
			uint8_t key[IR_MAX_WIDTH] = { 0 };

			memcpy(key, sh->keys + i * width, width);
			err = bpf_map_delete_elem(fd, key);
			if (err == -ENOENT) /* it may have gone by itself */
				err = 0;
		} else if (cmp > 0 || times_changed(sh, i, now[k])) {
			err = put(ir, set, now[k], fd);
		}
		i += cmp <= 0;
		k += cmp >= 0;
	}
	return err;
}

int dynamic_commit(struct runtime *rt, uint32_t gen, const struct ir *ir, struct diags *ds)
{
	int err = 0;

	for (uint32_t i = 0; ir && !err && i < ir->n_sets; i++) {
		const struct ir_set *set = ir->sets[i];
		int AUTO_CLOSE fd = -1;

		for (size_t k = 0; set->kept && k < rt->n_shown; k++) {
			if (rt->shown[k].set != set->origin)
				continue;
			fd = dynamic_map(rt, gen, set->id);
			err = fd < 0 ? fd : commit_set(ir, set, &rt->shown[k], fd);
			break;
		}
		if (err)
			return rt_error(ds, err, "set %s: its map cannot be changed", set->name);
	}
	return 0;
}
