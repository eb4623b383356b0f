/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets that packets change, over loads and gives.
 *
 * Their map is the truth. A set that a load leaves alone keeps it: the new programs go on with the
 * same elements, and nothing that packets do meanwhile is lost. What the user's batch adds or deletes
 * is what the model has more, or less, than it was shown with. When no program keeps the set any more
 * its elements go into the kernel's, with what is left of their time.
 */
#include "dynamic.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/netfilter/nf_tables.h>

#include "../compiler/dynamic.h"
#include "../netlink/nfnl.h"
#include "plan.h"

#define MADE_ANEW 1024 /* elements, whatever packets counted */

/* ---- the maps of a generation ---- */

struct heads { /* the map "dynsets" */
	struct dyn_head *array;
	uint32_t n;
	size_t size;
};

static void heads_close(struct heads *h)
{
	if (h->array)
		munmap(h->array, h->size);
}

static int heads_open(const struct runtime *rt, uint32_t gen, struct heads *ret)
{
	int AUTO_CLOSE fd = -1;
	uint32_t value_size = 0;
	void *map;
	int err = gen_get(rt, gen, DYN_SETS_MAP, &fd);

	if (!err)
		err = rt_array_map(fd, true, &map, &ret->size, &value_size, NULL);
	if (err)
		return err;
	ret->array = map;
	ret->n = value_size / sizeof(*ret->array);
	return 0;
}

static int map_open(const struct runtime *rt, uint32_t gen, uint32_t id)
{
	char AUTO_FREE *name = NULL;
	int fd = -1, err = path_printf(&name, "dyn_%u", id);

	if (!err)
		err = gen_get(rt, gen, name, &fd);
	return err ? err : fd;
}

static const struct mf_dynamic *find(const struct manifest *m, const struct set *s)
{
	for (uint32_t i = 0; m && i < m->n_dynamic; i++) {
		const struct mf_dynamic *d = &m->dynamic[i];

		if (d->family == s->table->family && strcmp(d->table, s->table->name) == 0 &&
		    strcmp(d->name, s->name) == 0)
			return d;
	}
	return NULL;
}

/* The very set that the map was made for? One whose load was killed is known by name alone. */
static bool is_of(const struct heads *h, const struct mf_dynamic *d, const struct set *s)
{
	uint64_t handle = d->id < h->n ? h->array[d->id].handle : 0;

	return s->handle && (!handle || handle == s->handle) && !s->table->remade;
}

int dynamic_make(const struct ir *ir, struct manifest *m)
{
	m->dynamic = calloc(MAX(ir ? ir->n_sets : 0, 1u), sizeof(*m->dynamic));
	if (!m->dynamic)
		return -ENOMEM;
	for (uint32_t i = 0; ir && i < ir->n_sets; i++) {
		const struct ir_set *set = ir->sets[i];
		struct mf_dynamic *d = &m->dynamic[m->n_dynamic];

		if (!set->is_dynamic || !set->origin)
			continue;
		d->family = set->origin->table->family;
		d->table = set->origin->table->name;
		d->name = set->origin->name;
		d->id = set->id;
		d->packets = dynamic_packets(set->origin);
		d->exprs = calloc(MAX(set->n_like, 1u), sizeof(*d->exprs));
		if (!d->exprs)
			return -ENOMEM;
		m->n_dynamic++;
		for (; d->n_exprs < set->n_like; d->n_exprs++) {
			const struct expr *e = &set->like_exprs->array[d->n_exprs];
			char AUTO_FREE *hex = dynamic_hex(e->attrs);

			if (!hex)
				return -ENOMEM;
			d->exprs[d->n_exprs].name = e->name;
			d->exprs[d->n_exprs].hex = arena_strdup(ir->arena, hex);
		}
	}
	return 0;
}

/* ---- a new generation ---- */

/* To be asked before any map is replaced: that takes the name of the one that replaces it. */
static struct bpf_map *map_of(const struct ir_set *set, const struct bpf_object *obj)
{
	char name[32];

	snprintf(name, sizeof(name), "dyn_%u", set->id);
	/* One that no program uses is not there. */
	return set->is_dynamic ? bpf_object__find_map_by_name(obj, name) : NULL;
}

/* The map must be as if it was made for @set. */
static bool fits(int fd, const struct ir_set *set)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.type != BPF_MAP_TYPE_HASH)
		return false;
	if (info.key_size != dyn_key_size(set) || info.value_size != dyn_value_size(set))
		return false;
	return set->size || set->grows ? info.max_entries == dyn_capacity(set) :
					 info.max_entries > set->n_elems;
}

static int bring_one(struct runtime *rt, const struct manifest *m, const struct heads *h,
		     struct ir_set *set)
{
	const struct mf_dynamic *d = set->origin ? find(m, set->origin) : NULL;
	int AUTO_CLOSE fd = -1;
	int err;

	if (!d || !is_of(h, d, set->origin) || !dynamic_same_exprs(d->exprs, d->n_exprs, set->like_exprs))
		return 0;
	fd = map_open(rt, gen_current(rt), d->id);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	if (fd < 0 || !fits(fd, set))
		return 0;
	err = bpf_map__reuse_fd(set->map, fd);
	set->kept = !err;
	return err;
}

int dynamic_bring(struct runtime *rt, const struct ir *ir, struct bpf_object *obj)
{
	struct manifest CLEANUP(manifest_freep) *m = NULL;
	struct heads CLEANUP(heads_close) h = { 0 };
	struct diags quiet;
	int err;

	for (uint32_t i = 0; i < ir->n_sets; i++) {
		ir->sets[i]->map = map_of(ir->sets[i], obj);
		ir->sets[i]->kept = false;
	}
	if (!rt->words)
		return 0;
	diags_init(&quiet);
	err = manifest_read(rt, gen_current(rt), &quiet, &m);
	if (!err)
		err = m->format == MANIFEST_FORMAT ? heads_open(rt, gen_current(rt), &h) : -ENOENT;
	diags_fini(&quiet);
	for (uint32_t i = 0; !err && i < ir->n_sets; i++)
		if (ir->sets[i]->map)
			err = bring_one(rt, m, &h, ir->sets[i]);
	return err == -ENOENT ? 0 : err;
}

static int fill_one(const struct ir *ir, const struct ir_set *set, int fd)
{
	uint8_t AUTO_FREE *key = malloc(dyn_key_size(set));
	uint8_t AUTO_FREE *value = malloc(dyn_value_size(set));
	int err = key && value ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < set->n_elems; i++) {
		dynamic_put(ir, set, set->elems[i].origin, key, value);
		err = bpf_map_update_elem(fd, key, value, BPF_ANY);
	}
	return err;
}

int dynamic_fill(const struct ir *ir, struct diags *ds)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_sets; i++) {
		const struct bpf_map *map = ir->sets[i]->map;

		if (map && !ir->sets[i]->kept)
			err = fill_one(ir, ir->sets[i], bpf_map__fd(map));
		if (err)
			return rt_error(ds, err, "set %s: its map cannot be filled",
					ir->sets[i]->name);
	}
	return 0;
}

int dynamic_pin(struct runtime *rt, uint32_t gen, const struct ir *ir, struct diags *ds)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_sets; i++) {
		char AUTO_FREE *name = NULL;

		if (!ir->sets[i]->map)
			continue;
		err = path_printf(&name, "dyn_%u", ir->sets[i]->id);
		if (!err)
			err = gen_pin(rt, gen, name, bpf_map__fd(ir->sets[i]->map), ds);
	}
	return err;
}

int dynamic_note_handles(struct runtime *rt, uint32_t gen, const struct manifest *m,
			 struct diags *ds)
{
	const struct dump_options opt = { .sets_only = true };
	struct ruleset CLEANUP(ruleset_freep) *rs = NULL;
	struct heads CLEANUP(heads_close) h = { 0 };
	int err = m->n_dynamic ? heads_open(rt, gen, &h) : 0;

	if (!err && m->n_dynamic)
		err = dump_ruleset(&opt, ds, &rs);
	for (uint32_t i = 0; !err && i < m->n_dynamic; i++) {
		const struct mf_dynamic *d = &m->dynamic[i];
		const struct table *t = ruleset_find_table(rs, d->family, d->table);
		const struct set *s = t ? table_find_set(t, d->name) : NULL;

		if (s && d->id < h.n)
			h.array[d->id].handle = s->handle;
	}
	return err == -ENOENT ? 0 : err;
}

/* ---- the model ---- */

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
	int AUTO_CLOSE fd = map_open(rt, gen, d->id);
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

static int overlay(struct runtime *rt, uint32_t gen, const struct manifest *m, struct ruleset *rs,
		   bool remembered)
{
	const bool others = remembered && rt->words &&
			    rt->words[RT_WORD_RULESET].value != rs->generation;
	struct heads CLEANUP(heads_close) h = { 0 };
	int err = m->n_dynamic ? heads_open(rt, gen, &h) : 0;

	for (uint32_t i = 0; !err && i < m->n_dynamic; i++) {
		const struct mf_dynamic *d = &m->dynamic[i];
		const struct table *t = ruleset_find_table(rs, d->family, d->table);
		struct set *s = t ? table_find_set(t, d->name) : NULL;

		if (!s || !is_of(&h, d, s))
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
	err = m->format == MANIFEST_FORMAT ? overlay(rt, gen_current(rt), m, rs, true) : 0;
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
			fd = map_open(rt, gen, set->id);
			err = fd < 0 ? fd : commit_set(ir, set, &rt->shown[k], fd);
			break;
		}
		if (err)
			return rt_error(ds, err, "set %s: its map cannot be changed", set->name);
	}
	return 0;
}

/* ---- back to the kernel ---- */

bool dynamic_is_leaving(const struct ir *ir, const struct set *s)
{
	for (uint32_t i = 0; ir && i < ir->n_sets; i++)
		if ((ir->sets[i]->is_dynamic || ir->sets[i]->keeps) && ir->sets[i]->origin == s)
			return false;
	return (s->elsewhere || s->counted) && s->handle;
}

/*
 * To delete an element that has expired meanwhile would fail; to flush the set does not. Else large sets
 * are changed only where packets counted: the kernel takes minutes to make 100,000 ranges anew. Small
 * ones are made anew, so that the kernel goes on listing ranges of several fields in their order.
 */
static void give_set(const struct set *s, struct batch_builder *bb)
{
	if (s->elsewhere || s->flags & NFT_SET_TIMEOUT || s->n_elems <= MADE_ANEW)
		batch_renew_elems(bb, s);
	else
		batch_renew_counted(bb, s);
}

void dynamic_give(const struct ruleset *rs, const struct ir *ir, struct batch_builder *bb)
{
	const struct table *t;
	const struct set *s;

	list_for_each(t, &rs->tables, node)
		list_for_each(s, &t->sets, node)
			if (dynamic_is_leaving(ir, s) && !(s->flags & NFT_SET_ANONYMOUS))
				give_set(s, bb);
}

static const struct set *counterpart(const struct ruleset *rs, const struct set *s)
{
	const struct table *t = ruleset_find_table(rs, s->table->family, s->table->name);

	return t ? table_find_set(t, s->name) : NULL;
}

static void only_new(struct set *s, struct set *known)
{
	size_t i = 0;

	while (i < s->n_elems) {
		if (set_elem_get(known, s->elems[i].key, NULL, 0, false))
			set_elem_delete(s, &s->elems[i]);
		else
			i++;
	}
}

int dynamic_give_rest(struct runtime *rt, uint32_t gen, const struct manifest *m,
		      const struct ruleset *rs, const struct ir *ir, struct batch_builder *bb)
{
	const struct dump_options opt = { .sets_only = true };
	struct ruleset CLEANUP(ruleset_freep) *late = NULL;
	struct diags quiet;
	struct table *t;
	struct set *s;
	int err = 0;

	if (!m || !m->n_dynamic)
		return 0;
	diags_init(&quiet);
	err = dump_ruleset(&opt, &quiet, &late);
	diags_fini(&quiet);
	if (!err)
		err = overlay(rt, gen, m, late, false);
	if (err)
		return err;
	list_for_each(t, &late->tables, node) {
		list_for_each(s, &t->sets, node) {
			const struct set *known = counterpart(rs, s);

			if (!s->elsewhere || !known || !dynamic_is_leaving(ir, known) ||
			    s->flags & NFT_SET_ANONYMOUS)
				continue;
			only_new(s, (struct set *)known);
			batch_add_elems(bb, s);
		}
	}
	return 0;
}
