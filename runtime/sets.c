/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What code finds in maps: sets, and what stands behind dispatches and templates. Objects hold a
 * placeholder of each, ".data.set_ID" and so on, whose place a map of the real size takes: filled
 * before a program can read it, never copied through LLVM or the object, so that one object serves
 * rulesets that differ in nothing else (reuse.c).
 */
#include "sets.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../compiler/classify/layout.h"
#include "../compiler/dispatch.h"
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

/* The object's map ".data.WHAT_ID"; one that no program uses is not there: NULL. */
static struct bpf_map *find_map(struct bpf_object *obj, const char *what, uint32_t id)
{
	char name[40];

	snprintf(name, sizeof(name), ".data.%s_%u", what, id);
	return bpf_object__find_map_by_name(obj, name);
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

static int bring_sets(const struct runtime *rt, const struct ir *ir, struct bpf_object *obj)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_sets; i++) {
		const struct set_table *t = ir->sets[i]->table;
		struct bpf_map *map = t && t->blob && !t->map_offset ?
					      find_map(obj, "set", ir->sets[i]->id) :
					      NULL;

		if (map && ir->sets[i]->stays)
			err = bring_old(rt, ir->sets[i]->old_id, map);
		else if (map)
			err = bring_new(ir, t->map, map);
	}
	return err;
}

/* One of the maps of tables, as large as those that have their place in it take. */
struct tables_map {
	uint32_t map;
	size_t size;
	char *value; /* NULL: asked for the size */
};

static int add_table(void *arg, const struct table_bytes *t)
{
	struct tables_map *m = arg;

	if (t->place->map != m->map)
		return 0;
	m->size = MAX(m->size, t->place->offset + t->room);
	if (m->value)
		memcpy(m->value + t->place->offset, t->bytes, t->len);
	return 0;
}

static int bring_tables_map(const struct ir *ir, uint32_t number, struct bpf_map *map)
{
	struct tables_map m = { .map = number };
	int AUTO_CLOSE fd = -1;
	size_t size;
	void *value;
	uint64_t last, limit;
	int err = tables_each(ir, add_table, &m);

	tables_bounds(ir, number, &last, &limit);
	m.size = MAX(m.size, (size_t)(last + limit + CLS_TAIL));
	if (!err)
		err = rt_array_create("nb_tables", (uint32_t)m.size, 1, &fd, &value, &size);
	if (err)
		return err;
	m.value = value;
	tables_each(ir, add_table, &m);
	munmap(value, size);
	return bpf_map__reuse_fd(map, fd);
}

static int note_last_map(void *arg, const struct table_bytes *t)
{
	uint32_t *last = arg;

	*last = MAX(*last, t->place->map);
	return 0;
}

static int bring_tables(const struct ir *ir, struct bpf_object *obj)
{
	uint32_t last = 0;
	int err = tables_each(ir, note_last_map, &last);

	for (uint32_t i = 0; !err && i <= last; i++) {
		struct bpf_map *map = find_map(obj, "tables", i);

		if (map)
			err = bring_tables_map(ir, i, map);
	}
	return err;
}

/* What limits, quotas and the like begin with. */
static int bring_state(const struct ir *ir, struct bpf_object *obj)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".data.state");
	int AUTO_CLOSE fd = -1;
	uint8_t *bytes;
	size_t size;
	void *value;
	int err;

	if (!map)
		return 0;
	err = rt_array_create("nb_state", ir->shared_state_size, 1, &fd, &value, &size);
	if (err)
		return err;
	bytes = value;
	for (uint32_t i = 0; i < ir->n_states; i++) {
		const struct ir_state *st = ir->states[i];

		if (!st->op->per_cpu && !st->in_elem && st->init)
			memcpy(bytes + st->index, st->init, st->op->state_size);
	}
	munmap(value, size);
	return bpf_map__reuse_fd(map, fd);
}

int sets_bring(const struct runtime *rt, const struct ir *ir, struct bpf_object *obj)
{
	int err = bring_sets(rt, ir, obj);

	if (!err)
		err = bring_tables(ir, obj);
	return err ? err : bring_state(ir, obj);
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

static bool is_placeholder(const char *name)
{
	static const char *const kinds[] = { ".data.set_", ".data.tables_" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strncmp(name, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

void sets_close_object(struct bpf_object *obj)
{
	struct bpf_map *map;
	bool ok = true;

	if (!obj)
		return;
	bpf_object__for_each_map(map, obj)
		if (is_placeholder(bpf_map__name(map)) &&
		    bpf_map__value_size(map) != SETS_PLACEHOLDER)
			ok = restore_one(map) && ok;
	/* Better lost than memory gone that is not its own. */
	if (ok)
		bpf_object__close(obj);
}

int sets_use_map(const struct runtime *rt, uint32_t gen, bool writable, struct set_use **ret, uint32_t *ret_n,
		 size_t *ret_size)
{
	int AUTO_CLOSE fd = -1;
	uint32_t value;
	void *map;
	int err = gen_get(rt, gen, "set_use", &fd);

	if (!err)
		err = rt_array_map(fd, writable, &map, ret_size, &value, ret_n);
	if (err)
		return err;
	if (value != sizeof(**ret)) {
		munmap(map, *ret_size);
		return -ENOENT;
	}
	*ret = map;
	return 0;
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
			err = sets_use_map(rt, gen_current(rt), false, &old, &n, &size);
		if (!err && s->old_id >= n)
			err = -ENOENT;
		if (!err)
			use[s->id] = old[s->old_id];
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
