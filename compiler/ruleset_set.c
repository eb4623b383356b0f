/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset model: sets, and elements found by key in constant time, so that a set of a million
 * loads as fast as it is read.
 */
#include "ruleset_private.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

#define ELEM_CATCHALL 0x2 /* NFT_SET_ELEM_CATCHALL, newer than the headers we must build with */

struct elem_slot {
	uint32_t hash;
	uint32_t number; /* of the element, from 1; 0: free */
};

/* Keys, many to an allocation. One that was deleted stays until the set is flushed. */
struct key_chunk {
	struct key_chunk *next;
	size_t used, size; /* of bytes[] */
	uint8_t bytes[];
};

#define KEY_CHUNK_MIN 256
#define KEY_CHUNK_MAX (256 * 1024)

struct elem_index {
	struct elem_slot *slots;
	size_t n_slots; /* a power of two, or 0 */
	size_t capacity; /* of set->elems */
	struct key_chunk *keys; /* the first one is being filled */
};

/* ---- sets ---- */

static struct name_key set_key(const char *name)
{
	return (struct name_key){.kind = KEY_SET, .name = name};
}

static struct name_key set_id_key(uint32_t id)
{
	return (struct name_key){.kind = KEY_SET_ID, .number = id, .name = ""};
}

struct set *table_find_set(const struct table *t, const char *name)
{
	return name_index_find(table_names(t), set_key(name));
}

struct set *table_find_set_handle(const struct table *t, uint64_t handle)
{
	struct set *s;

	list_for_each(s, &t->sets, node) {
		if (handle && s->handle == handle)
			return s;
	}
	return NULL;
}

struct set *table_find_set_id(const struct table *t, uint32_t id)
{
	return name_index_find(table_names(t), set_id_key(id));
}

/* "__set%d" and "__map%d" with the first number that is free. */
static char *free_name(struct table *t, const char *pattern, size_t prefix)
{
	struct table_index *ti = t->index;
	uint32_t *next = pattern[2] == 'm' ? &ti->next_map : &ti->next_set;
	char *name;

	for (;; (*next)++) {
		if (asprintf(&name, "%.*s%u%s", (int)prefix, pattern, *next,
			     pattern + prefix + 2) < 0)
			return NULL;
		if (!table_find_set(t, name))
			return name;
		free(name);
	}
}

struct set *set_new(struct table *t, const char *name)
{
	const char *number = strstr(name, "%d");
	struct set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	list_init(&s->node);
	s->table = t;
	s->elems_known = true;
	s->index = calloc(1, sizeof(struct elem_index));
	s->name = number ? free_name(t, name, (size_t)(number - name)) : strdup(name);
	if (!s->name || !s->index || name_index_add(table_names(t), set_key(s->name), s) < 0) {
		set_free(s);
		return NULL;
	}
	list_append(&t->sets, &s->node);
	return s;
}

int set_set_id(struct set *s, uint32_t id)
{
	if (id && name_index_add(table_names(s->table), set_id_key(id), s) < 0)
		return -ENOMEM;
	if (s->id)
		name_index_remove(table_names(s->table), set_id_key(s->id), s);
	s->id = id;
	return 0;
}

/* Of the numbered names the freed one may be the first free. */
static void forget_number(struct set *s)
{
	struct table_index *ti = s->table->index;
	uint32_t n;

	if (sscanf(s->name, "__set%u", &n) == 1)
		ti->next_set = MIN(ti->next_set, n);
	else if (sscanf(s->name, "__map%u", &n) == 1)
		ti->next_map = MIN(ti->next_map, n);
}

void set_free(struct set *s)
{
	struct name_index *names = table_names(s->table);

	if (names && s->name) {
		name_index_remove(names, set_key(s->name), s);
		if (s->id)
			name_index_remove(names, set_id_key(s->id), s);
		forget_number(s);
	}
	list_remove(&s->node);
	if (s->index)
		set_flush(s);
	free(s->index);
	free(s->name);
	free(s->field_len);
	exprs_fini(&s->exprs);
	blob_fini(&s->userdata);
	free(s);
}

/* ---- elements ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	__uint128_t m = (__uint128_t)(h ^ v) * 0x9e3779b97f4a7c15u;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t mix_bytes(uint64_t h, const uint8_t *p, uint32_t len)
{
	uint64_t v;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&v, p, 8);
		h = mix(h, v);
	}
	v = len;
	memcpy(&v, p, len);
	return mix(h, v ^ ((uint64_t)len << 56));
}

/* nft tells the end of a point among ranges when it deletes it, and not always when it adds it. */
static bool is_point(const struct set *s, const uint8_t *key, const uint8_t *key_end)
{
	return !key_end || (key && memcmp(key, key_end, s->key_len) == 0);
}

static uint32_t elem_hash(const struct set *s, const uint8_t *key, const uint8_t *key_end,
			  uint32_t flags)
{
	uint64_t h = flags & NFT_SET_ELEM_INTERVAL_END ? 0x5851f42d4c957f2du : 0x14057b7ef767814fu;

	if (key)
		h = mix_bytes(h, key, s->key_len);
	if (!is_point(s, key, key_end))
		h = mix_bytes(h, key_end, s->key_len);
	return (uint32_t)(h >> 32);
}

static bool bytes_equal(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	return a && b ? memcmp(a, b, len) == 0 : a == b;
}

static bool elem_is(const struct set *s, const struct set_elem *e, const uint8_t *key,
		    const uint8_t *key_end, uint32_t flags)
{
	return !((e->flags ^ flags) & NFT_SET_ELEM_INTERVAL_END) &&
	       bytes_equal(e->key, key, s->key_len) &&
	       (bytes_equal(e->key_end, key_end, s->key_len) ||
		(is_point(s, e->key, e->key_end) && is_point(s, key, key_end)));
}

static void index_put(struct elem_index *ix, struct elem_slot slot)
{
	size_t i = slot.hash & (ix->n_slots - 1);

	while (ix->slots[i].number)
		i = (i + 1) & (ix->n_slots - 1);
	ix->slots[i] = slot;
}

static int index_grow(struct elem_index *ix)
{
	struct elem_index grown = *ix;
	size_t i;

	grown.n_slots = ix->n_slots ? 4 * ix->n_slots : 8;
	grown.slots = calloc(grown.n_slots, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (i = 0; i < ix->n_slots; i++) {
		if (ix->slots[i].number)
			index_put(&grown, ix->slots[i]);
	}
	free(ix->slots);
	*ix = grown;
	return 0;
}

/* The slot that points at element @number. */
static size_t index_slot(const struct elem_index *ix, uint32_t hash, uint32_t number)
{
	size_t i = hash & (ix->n_slots - 1);

	while (ix->slots[i].number != number)
		i = (i + 1) & (ix->n_slots - 1);
	return i;
}

static void index_clear_slot(struct elem_index *ix, size_t hole)
{
	size_t mask = ix->n_slots - 1, i, home;

	for (i = (hole + 1) & mask; ix->slots[i].number; i = (i + 1) & mask) {
		home = ix->slots[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			ix->slots[hole] = ix->slots[i];
			hole = i;
		}
	}
	ix->slots[hole].number = 0;
}

static struct set_elem *elem_find(const struct set *s, const uint8_t *key, const uint8_t *key_end,
				  uint32_t flags, uint32_t hash)
{
	const struct elem_index *ix = s->index;
	struct set_elem *e;
	size_t i;

	if (!ix->n_slots)
		return NULL;
	for (i = hash & (ix->n_slots - 1); ix->slots[i].number; i = (i + 1) & (ix->n_slots - 1)) {
		e = &s->elems[ix->slots[i].number - 1];
		if (ix->slots[i].hash == hash && elem_is(s, e, key, key_end, flags))
			return e;
	}
	return NULL;
}

static int reserve(struct set *s)
{
	struct elem_index *ix = s->index;
	struct set_elem *elems;
	size_t capacity;

	if (s->n_elems == ix->capacity) {
		capacity = ix->capacity ? 2 * ix->capacity : 4;
		elems = realloc(s->elems, capacity * sizeof(*elems));
		if (!elems)
			return -ENOMEM;
		s->elems = elems;
		ix->capacity = capacity;
	}
	if (4 * (s->n_elems + 1) > 3 * ix->n_slots)
		return index_grow(ix);
	return 0;
}

/* NULL: no memory. */
static uint8_t *take_key(struct elem_index *ix, size_t len)
{
	struct key_chunk *c = ix->keys;
	size_t size;

	if (!c || c->size - c->used < len) {
		size = c ? MIN(2 * c->size, (size_t)KEY_CHUNK_MAX) : KEY_CHUNK_MIN;
		size = MAX(size, len);
		c = malloc(sizeof(*c) + size);
		if (!c)
			return NULL;
		*c = (struct key_chunk){.next = ix->keys, .size = size};
		ix->keys = c;
	}
	c->used += len;
	return c->bytes + c->used - len;
}

static void free_keys(struct elem_index *ix)
{
	while (ix->keys) {
		struct key_chunk *c = ix->keys;

		ix->keys = c->next;
		free(c);
	}
}

/* key_end is right behind the key. */
static int elem_set_key(const struct set *s, struct set_elem *e, const uint8_t *key,
			const uint8_t *key_end)
{
	if (!key)
		return 0;
	e->key = take_key(s->index, key_end ? 2 * (size_t)s->key_len : s->key_len);
	if (!e->key)
		return -ENOMEM;
	memcpy(e->key, key, s->key_len);
	if (key_end) {
		e->key_end = e->key + s->key_len;
		memcpy(e->key_end, key_end, s->key_len);
	}
	return 0;
}

void set_elem_expect(const struct set *s, const uint8_t *key)
{
	const struct elem_index *ix = s->index;

	if (ix->n_slots)
		__builtin_prefetch(&ix->slots[elem_hash(s, key, NULL, 0) & (ix->n_slots - 1)], 1);
}

struct set_elem *set_elem_get(struct set *s, const uint8_t *key, const uint8_t *key_end,
			      uint32_t flags, bool create)
{
	uint32_t hash;
	struct set_elem *e;

	if (!key)
		key_end = NULL;
	hash = elem_hash(s, key, key_end, flags);
	e = elem_find(s, key, key_end, flags, hash);
	if (e || !create)
		return e;
	if (reserve(s) < 0)
		return NULL;
	e = &s->elems[s->n_elems];
	*e = (struct set_elem){.flags = flags | (key ? 0 : ELEM_CATCHALL)};
	if (elem_set_key(s, e, key, key_end) < 0)
		return NULL;
	s->n_elems++;
	index_put(s->index, (struct elem_slot){.hash = hash, .number = (uint32_t)s->n_elems});
	return e;
}

static void elem_fini(struct set_elem *e)
{
	free(e->data);
	free(e->verdict.chain);
	free(e->object);
	exprs_fini(&e->exprs);
	blob_fini(&e->userdata);
}

/* The last element moves into the gap. */
void set_elem_delete(struct set *s, struct set_elem *e)
{
	struct elem_index *ix = s->index;
	struct set_elem *last = &s->elems[s->n_elems - 1];
	uint32_t number = (uint32_t)(e - s->elems) + 1;
	size_t slot;

	slot = index_slot(ix, elem_hash(s, e->key, e->key_end, e->flags), number);
	index_clear_slot(ix, slot);
	elem_fini(e);
	if (e != last) {
		slot = index_slot(ix, elem_hash(s, last->key, last->key_end, last->flags),
				  (uint32_t)s->n_elems);
		ix->slots[slot].number = number;
		*e = *last;
	}
	s->n_elems--;
}

void set_flush(struct set *s)
{
	struct elem_index *ix = s->index;
	size_t i;

	for (i = 0; i < s->n_elems; i++)
		elem_fini(&s->elems[i]);
	free(s->elems);
	free(ix->slots);
	free_keys(ix);
	*ix = (struct elem_index){0};
	s->elems = NULL;
	s->n_elems = 0;
}
