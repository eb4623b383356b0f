/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets into maps. Objects hold a placeholder of each, ".data.set_ID", whose place a map of the real
 * size takes: filled before a program can read it, never copied through LLVM or the object.
 */
#include "sets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../compiler/set_table.h"
#include "priv.h"

/* The map called by the set with id @id, with every blob that has its place there. */
static int bring_new(const struct ir *ir, uint32_t id, struct bpf_map *map)
{
	int AUTO_CLOSE fd = -1;
	size_t size;
	void *value;
	int err = rt_array_create("nb_set", (uint32_t)set_map_size(ir, id), 1, &fd, &value, &size);

	if (err)
		return err;
	for (uint32_t i = 0; i < ir->n_sets; i++) {
		const struct set_table *t = ir->sets[i]->table;

		if (t && t->blob && t->map == id)
			memcpy((char *)value + t->map_offset, t->blob, t->blob_size);
	}
	munmap(value, size);
	return bpf_map__reuse_fd(map, fd);
}

static int bring_old(const struct runtime *rt, uint32_t id, struct bpf_map *map)
{
	int AUTO_CLOSE fd = -1;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "set_%u", id);
	err = gen_get(rt, gen_current(rt), name, &fd);
	return err ? err : bpf_map__reuse_fd(map, fd);
}

int sets_bring(const struct runtime *rt, const struct ir *ir, struct bpf_object *obj)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_sets; i++) {
		const struct set_table *t = ir->sets[i]->table;
		struct bpf_map *map;
		char name[32];

		if (!t || !t->blob || t->map_offset)
			continue;
		snprintf(name, sizeof(name), ".data.set_%u", ir->sets[i]->id);
		map = bpf_object__find_map_by_name(obj, name);
		/* One that no program uses is not there. */
		if (map && ir->sets[i]->stays)
			err = bring_old(rt, ir->sets[i]->old_id, map);
		else if (map)
			err = bring_new(ir, t->map, map);
	}
	return err;
}

/*
 * libbpf unmaps its copy of a data section by the size that the map has now (bpf_map__destroy()): it
 * gets one of the placeholder's size back.
 */
static bool restore_one(struct bpf_map *map)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int AUTO_CLOSE fd = -1;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nb_none", sizeof(uint32_t), SETS_PLACEHOLDER, 1,
			    &opts);
	return fd >= 0 && bpf_map__reuse_fd(map, fd) == 0;
}

void sets_close_object(struct bpf_object *obj)
{
	struct bpf_map *map;
	bool ok = true;

	if (!obj)
		return;
	bpf_object__for_each_map(map, obj)
		if (strncmp(bpf_map__name(map), ".data.set_", strlen(".data.set_")) == 0 &&
		    bpf_map__value_size(map) != SETS_PLACEHOLDER)
			ok = restore_one(map) && ok;
	/* Better lost than memory gone that is not its own. */
	if (ok)
		bpf_object__close(obj);
}

struct set_use *sets_use_map(const struct runtime *rt, uint32_t *ret_n, size_t *ret_size)
{
	int AUTO_CLOSE fd = -1;
	uint32_t value;
	void *map;

	if (gen_get(rt, gen_current(rt), "set_use", &fd) < 0 ||
	    rt_array_map(fd, false, &map, ret_size, &value, ret_n) < 0)
		return NULL;
	if (value == sizeof(struct set_use))
		return map;
	munmap(map, *ret_size);
	return NULL;
}

/* Of maps that stay, which indexes are free stays too. */
static int carry_use(const struct runtime *rt, const struct ir *ir, struct set_use *use)
{
	struct set_use *old = NULL;
	uint32_t n = 0;
	size_t size = 0;
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_sets; i++) {
		const struct ir_set *s = ir->sets[i];

		if (!s->stays)
			continue;
		if (!old)
			old = sets_use_map(rt, &n, &size);
		if (old && s->old_id < n)
			use[s->id] = old[s->old_id];
		else
			err = -ENOENT;
	}
	if (old)
		munmap(old, size);
	return err;
}

int sets_make_use(const struct runtime *rt, const struct ir *ir, int *ret_fd)
{
	int AUTO_CLOSE fd = -1;
	struct set_use *use;
	size_t size;
	void *map;
	int err = rt_array_create("nb_set_use", sizeof(*use), MAX(ir->n_sets, 1u), &fd, &map, &size);

	if (err)
		return err;
	use = map;
	/* One more is kept for a catch-all element. */
	for (uint32_t i = 0; i < ir->n_sets; i++)
		use[ir->sets[i]->id].next = (uint32_t)ir->sets[i]->n_elems + 1;
	err = carry_use(rt, ir, use);
	munmap(map, size);
	if (err)
		return err;
	*ret_fd = fd;
	fd = -1;
	return 0;
}
