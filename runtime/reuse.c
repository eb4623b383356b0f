/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that is used again: each generation keeps the object that its programs were loaded from, and
 * the key that it was made for (compiler/emit/key.c). A load that comes to the same key takes the
 * object, and LLVM is not even opened; only maps are made anew. Programs, maps and the flip are as
 * with new code, so nothing else changes for packets.
 *
 * It is kept in a frozen map, pinned with its generation: nobody can write to it, and it goes with
 * the generation. A key is compared in full.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <bpf/bpf.h>

#include "../compiler/ir_index.h"
#include "reuse.h"

#define REUSE_MAGIC 0x6f626a31u /* "obj1" */
#define REUSE_MOST  ((size_t)64 << 20)

struct kept_code {
	uint32_t magic, padding;
	uint64_t key, object; /* bytes of each; in this order behind this */
	uint64_t time;	      /* when it was compiled */
	uint64_t sum;	      /* of all bytes behind this */
};

static uint64_t checksum(const struct kept_code *c)
{
	return ir_hash(IR_HASH_INIT, c + 1, c->key + c->object);
}

/* Mapped, to be unmapped; NULL: there is none, or nothing that could be trusted. */
static const struct kept_code *map_code(const struct runtime *rt, size_t *ret_size)
{
	int AUTO_CLOSE fd = -1;
	const struct kept_code *c;
	uint32_t value, n;
	void *map;

	if (gen_get(rt, gen_current(rt), "object", &fd) < 0 ||
	    rt_array_map(fd, false, &map, ret_size, &value, &n) < 0)
		return NULL;
	c = map;
	if (n == 1 && value >= sizeof(*c) && c->magic == REUSE_MAGIC &&
	    c->key <= value - sizeof(*c) && c->object <= value - sizeof(*c) - c->key)
		return c;
	munmap(map, *ret_size);
	return NULL;
}

bool rt_may_reuse(const struct runtime *rt)
{
	int AUTO_CLOSE fd = -1;

	return gen_get(rt, gen_current(rt), "object", &fd) == 0;
}

bool reuse_find(const struct runtime *rt, const void *key, size_t len, struct emitted *ret,
		uint64_t *ret_compiled)
{
	size_t size;
	const struct kept_code *c = map_code(rt, &size);
	void *object = NULL;

	if (!c)
		return false;
	if (c->key == len && memcmp(c + 1, key, len) == 0 && checksum(c) == c->sum)
		object = malloc(c->object);
	if (object) {
		memcpy(object, (const char *)(c + 1) + len, c->object);
		*ret = (struct emitted){ .object = object, .size = c->object };
		*ret_compiled = c->time;
	}
	munmap((void *)c, size);
	return object != NULL;
}

static int freeze(int fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)fd;
	return syscall(SYS_bpf, BPF_MAP_FREEZE, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int make_map(const void *key, size_t len, const struct emitted *e, int *ret_fd)
{
	struct kept_code head = { .magic = REUSE_MAGIC, .key = len, .object = e->size,
				  .time = (uint64_t)time(NULL) };
	int AUTO_CLOSE fd = -1;
	struct kept_code *c;
	size_t size;
	void *map;
	int err;

	if (len > REUSE_MOST || e->size > REUSE_MOST)
		return -E2BIG;
	err = rt_array_create("nb_object", (uint32_t)(sizeof(head) + len + e->size), 1, &fd, &map,
			      &size);
	if (err)
		return err;
	c = map;
	*c = head;
	memcpy(c + 1, key, len);
	memcpy((char *)(c + 1) + len, e->object, e->size);
	c->sum = checksum(c);
	munmap(map, size);
	err = freeze(fd);
	if (err)
		return err;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

void reuse_keep(struct runtime *rt, uint32_t gen, const struct rt_plan *p)
{
	int AUTO_CLOSE fd = -1;
	struct diags quiet;
	int err;

	if (!p->key)
		return;
	if (p->reused)
		err = gen_get(rt, gen_current(rt), "object", &fd);
	else
		err = make_map(p->key, p->key_len, &p->emitted, &fd);
	diags_init(&quiet);
	if (!err) /* without it the next load compiles */
		gen_pin(rt, gen, "object", fd, &quiet);
	diags_fini(&quiet);
}
