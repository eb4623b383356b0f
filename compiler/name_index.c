/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names to objects: open addressing with linear probing; removal shifts the run behind it back, so
 * there are no tombstones.
 */
#include "name_index.h"

#include <errno.h>

struct slot {
	struct name_key key;
	uint32_t hash;
	void *object; /* NULL: free */
};

struct name_index {
	struct slot *slots;
	size_t n_slots; /* a power of two, or 0 */
	size_t n_used;
};

static uint32_t key_hash(struct name_key key)
{
	uint64_t h = 0xcbf29ce484222325u ^ key.kind ^ ((uint64_t)key.number << 8);
	const char *p;

	for (p = key.name; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	h *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32);
}

static bool key_equal(struct name_key a, struct name_key b)
{
	return a.kind == b.kind && a.number == b.number && strcmp(a.name, b.name) == 0;
}

struct name_index *name_index_new(void)
{
	return calloc(1, sizeof(struct name_index));
}

void name_index_free(struct name_index *ix)
{
	if (!ix)
		return;
	free(ix->slots);
	free(ix);
}

void *name_index_find(const struct name_index *ix, struct name_key key)
{
	uint32_t hash;
	size_t i;

	if (!ix->n_slots)
		return NULL;
	hash = key_hash(key);
	for (i = hash & (ix->n_slots - 1); ix->slots[i].object; i = (i + 1) & (ix->n_slots - 1)) {
		if (ix->slots[i].hash == hash && key_equal(ix->slots[i].key, key))
			return ix->slots[i].object;
	}
	return NULL;
}

static void put(struct slot *slots, size_t n_slots, const struct slot *s)
{
	size_t i = s->hash & (n_slots - 1);

	while (slots[i].object)
		i = (i + 1) & (n_slots - 1);
	slots[i] = *s;
}

static int grow(struct name_index *ix)
{
	size_t n_slots = ix->n_slots ? 2 * ix->n_slots : 16;
	struct slot *slots = calloc(n_slots, sizeof(*slots));
	size_t i;

	if (!slots)
		return -ENOMEM;
	for (i = 0; i < ix->n_slots; i++) {
		if (ix->slots[i].object)
			put(slots, n_slots, &ix->slots[i]);
	}
	free(ix->slots);
	ix->slots = slots;
	ix->n_slots = n_slots;
	return 0;
}

int name_index_add(struct name_index *ix, struct name_key key, void *object)
{
	struct slot s = {.key = key, .hash = key_hash(key), .object = object};

	if (4 * (ix->n_used + 1) > 3 * ix->n_slots && grow(ix) < 0)
		return -ENOMEM;
	put(ix->slots, ix->n_slots, &s);
	ix->n_used++;
	return 0;
}

void name_index_remove(struct name_index *ix, struct name_key key, const void *object)
{
	size_t mask = ix->n_slots - 1, hole, i, home;

	if (!ix->n_slots)
		return;
	for (hole = key_hash(key) & mask;
	     ix->slots[hole].object != object || !key_equal(ix->slots[hole].key, key);
	     hole = (hole + 1) & mask) {
		if (!ix->slots[hole].object)
			return;
	}
	/* What probed past the hole to get where it is moves into it. */
	for (i = (hole + 1) & mask; ix->slots[i].object; i = (i + 1) & mask) {
		home = ix->slots[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			ix->slots[hole] = ix->slots[i];
			hole = i;
		}
	}
	ix->slots[hole].object = NULL;
	ix->n_used--;
}
