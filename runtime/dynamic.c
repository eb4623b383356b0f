/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets that packets change, over loads and gives.
 *
 * Their map is the truth. A set that a load leaves alone keeps it: the new programs go on with the
 * same elements, and nothing that packets do meanwhile is lost. Here: the maps of a new generation.
 * What the user sees and changes of them is in dynamic_shown.c, what becomes of them when no program
 * keeps the set any more in dynamic_give.c.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../compiler/dynamic.h"
#include "../netlink/nfnl.h"
#include "dynamic_priv.h"

/* ---- the maps of a generation ---- */

void dynamic_heads_close(struct dynamic_heads *h)
{
	if (h->array)
		munmap(h->array, h->size);
}

int dynamic_heads_open(const struct runtime *rt, uint32_t gen, struct dynamic_heads *ret)
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

int dynamic_map(const struct runtime *rt, uint32_t gen, uint32_t id)
{
	char AUTO_FREE *name = NULL;
	int fd = -1, err = path_printf(&name, "dyn_%u", id);

	if (!err)
		err = gen_get(rt, gen, name, &fd);
	return err ? err : fd;
}

const struct mf_dynamic *dynamic_named(const struct manifest *m, const struct set *s)
{
	for (uint32_t i = 0; m && i < m->n_dynamic; i++) {
		const struct mf_dynamic *d = &m->dynamic[i];

		if (d->family == s->table->family && strcmp(d->table, s->table->name) == 0 &&
		    strcmp(d->name, s->name) == 0)
			return d;
	}
	return NULL;
}

bool dynamic_is_of(const struct dynamic_heads *h, const struct mf_dynamic *d, const struct set *s)
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
		d->packets = MAX(dynamic_packets(set->origin), set->packets);
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

static int bring_one(struct runtime *rt, const struct manifest *m, const struct dynamic_heads *h,
		     struct ir_set *set)
{
	const struct mf_dynamic *d = set->origin ? dynamic_named(m, set->origin) : NULL;
	int AUTO_CLOSE fd = -1;
	int err;

	if (!d || !dynamic_is_of(h, d, set->origin))
		return 0;
	/* What rules that are gone added is not in the kernel's set. */
	set->packets = d->packets == MF_PACKETS_UNKNOWN ? MF_PACKETS_DELETE : d->packets;
	if (!dynamic_same_exprs(d->exprs, d->n_exprs, set->like_exprs))
		return 0;
	fd = dynamic_map(rt, gen_current(rt), d->id);
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
	struct dynamic_heads CLEANUP(dynamic_heads_close) h = { 0 };
	struct diags quiet;
	int err;

	for (uint32_t i = 0; i < ir->n_sets; i++) {
		ir->sets[i]->map = map_of(ir->sets[i], obj);
		ir->sets[i]->kept = false;
		ir->sets[i]->packets = MF_PACKETS_NONE;
	}
	if (!rt->words)
		return 0;
	diags_init(&quiet);
	err = manifest_read(rt, gen_current(rt), &quiet, &m);
	if (!err)
		err = m->format == MANIFEST_FORMAT ? dynamic_heads_open(rt, gen_current(rt), &h) : -ENOENT;
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
	struct dynamic_heads CLEANUP(dynamic_heads_close) h = { 0 };
	int err = m->n_dynamic ? dynamic_heads_open(rt, gen, &h) : 0;

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
