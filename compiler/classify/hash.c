/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exact match: a table of lines with 8 entries each (layout.h).
 *
 * An element stands in the first line from its home on that has room, at most CLS_PROBES away. A
 * lookup goes on to the next line only where CLS_PASSED says that an element was sent on, so at the
 * load we keep nearly every lookup, hit or miss, touches one line. Elements never move: a reader
 * that is between two lines cannot lose one.
 *
 * Keys of more than 4 bytes are known by a tag. A lookup compares one key only, the first with the
 * tag, so an entry with the same tag must not stand where a lookup for another one passes: the
 * table is built again with other multipliers then (it takes about 2^32 / 100 elements to be
 * likely).
 *
 * Bits of deleted elements stay in the filter, which is only a hint, until the table is built anew.
 */
#include <endian.h>
#include <errno.h>

#include "blob.h"
#include "walk.h"

#define SEEDS 8 /* tries before giving up */
#define BATCH 16

struct entry_place {
	uint32_t line; /* from the table's first line */
	uint32_t slot;
};

static uint32_t key_chunks(const struct cls_head *h)
{
	return cls_chunks(h->width[0]);
}

static bool is_wide(const struct cls_head *h)
{
	return h->width[0] > 4;
}

static uint64_t *line_at(const struct cls_head *h, uint32_t line)
{
	return cls_at(h, ((uint64_t)h->root + line) * CLS_LINE);
}

static uint64_t *record(const struct cls_head *h, uint32_t index)
{
	return cls_at(h, h->keys + (uint64_t)index * h->key_size);
}

static uint32_t all_lines(const struct cls_head *h)
{
	return h->n_lines + CLS_PROBES - 1;
}

static uint32_t entry_index(uint64_t entry)
{
	return (uint32_t)((entry & ~CLS_PASSED) >> 32) - 1;
}

/* What is computed of a key. */
struct hashed {
	uint64_t key[CLS_MAX_CHUNKS];
	uint64_t tag, bits; /* bits: in the filter */
	uint32_t home;
};

static void hash_chunks(const struct cls_head *h, struct hashed *k)
{
	uint64_t mixed = cls_mix(h, (const __u64 *)k->key, is_wide(h) ? key_chunks(h) : 0);

	k->tag = is_wide(h) ? mixed & CLS_TAG : k->key[0];
	k->bits = cls_filter_bits(mixed);
	k->home = (uint32_t)cls_home(h, mixed);
}

static void hash_key(const struct cls_head *h, const uint8_t *key, struct hashed *ret)
{
	uint32_t word;

	if (h->width[0] == sizeof(word)) { /* the most frequent, in one load */
		memcpy(&word, key, sizeof(word));
		ret->key[0] = be32toh(word);
		hash_chunks(h, ret);
		return;
	}
	cls_key_chunks(key, h->width[0], ret->key);
	hash_chunks(h, ret);
}

static uint32_t home_of_entry(const struct cls_head *h, uint64_t entry)
{
	struct hashed k;

	if (is_wide(h))
		memcpy(k.key, record(h, entry_index(entry)), 8 * key_chunks(h));
	else
		k.key[0] = entry & CLS_TAG;
	hash_chunks(h, &k);
	return k.home;
}

static bool same_key(const struct cls_head *h, uint64_t entry, const uint64_t *key)
{
	return !is_wide(h) || !memcmp(record(h, entry_index(entry)), key, 8 * key_chunks(h));
}

static bool find(const struct cls_head *h, const struct hashed *k, struct entry_place *ret)
{
	for (uint32_t i = k->home; i < k->home + CLS_PROBES; i++) {
		const uint64_t *line = line_at(h, i);

		for (uint32_t s = 0; s < CLS_SLOTS; s++)
			if (line[s] & ~CLS_PASSED && (line[s] & CLS_TAG) == k->tag &&
			    same_key(h, line[s], k->key)) {
				*ret = (struct entry_place){i, s};
				return true;
			}
		if (!(line[0] & CLS_PASSED))
			return false;
	}
	return false;
}

/*
 * Whether an entry for @tag with this @home cannot stand in @line: one with the same tag stands
 * where its lookups pass, or is looked up across @line.
 */
static bool tag_is_near(const struct cls_head *h, uint64_t tag, uint32_t home, uint32_t line)
{
	uint32_t last = MIN(line + CLS_PROBES - 1, all_lines(h) - 1);

	for (uint32_t i = home; i <= last; i++) {
		const uint64_t *l = line_at(h, i);

		for (uint32_t s = 0; s < CLS_SLOTS; s++)
			if (l[s] & ~CLS_PASSED && (l[s] & CLS_TAG) == tag)
				return true;
		if (i >= line && !(l[0] & CLS_PASSED))
			break;
	}
	return false;
}

static bool place_for(const struct cls_head *h, uint32_t home, struct entry_place *ret)
{
	for (uint32_t i = home; i < home + CLS_PROBES; i++)
		for (uint32_t s = 0; s < CLS_SLOTS; s++)
			if (!(line_at(h, i)[s] & ~CLS_PASSED)) {
				*ret = (struct entry_place){i, s};
				return true;
			}
	return false;
}

/*
 * Where an element goes, found while looking whether it is there: its line at home, if nothing was
 * sent on from it.
 */
static int find_place(const struct cls_head *h, const struct hashed *k, struct entry_place *ret)
{
	const uint64_t *line = line_at(h, k->home);
	uint32_t free = CLS_SLOTS;

	for (uint32_t s = CLS_SLOTS; s-- > 0;) {
		if (!(line[s] & ~CLS_PASSED))
			free = s;
		else if ((line[s] & CLS_TAG) == k->tag && same_key(h, line[s], k->key))
			return -EEXIST;
	}
	*ret = (struct entry_place){k->home, free};
	if (free < CLS_SLOTS && !(line[0] & CLS_PASSED))
		return 0;
	if (find(h, k, ret))
		return -EEXIST;
	return place_for(h, k->home, ret) ? 0 : -ENOSPC;
}

/* -EEXIST; -ENOSPC: the lines are full, or a tag is there already. */
static int add(struct cls_head *h, const struct hashed *k, uint32_t index)
{
	struct entry_place at;
	uint64_t *slot;
	int err = find_place(h, k, &at);

	if (err)
		return err;
	if (is_wide(h)) {
		if (tag_is_near(h, k->tag, k->home, at.line))
			return -ENOSPC;
		memcpy(record(h, index), k->key, 8 * key_chunks(h));
	}
	if (h->filter) {
		uint64_t *word = (uint64_t *)cls_at(h, h->filter) + k->home;

		CLS_PUBLISH(*word, *word | k->bits);
	}
	slot = &line_at(h, at.line)[at.slot];
	CLS_PUBLISH(*slot, (*slot & CLS_PASSED) | (uint64_t)(index + 1) << 32 | k->tag);
	for (uint32_t i = k->home; i < at.line; i++) {
		slot = line_at(h, i);
		if (!(*slot & CLS_PASSED))
			CLS_PUBLISH(*slot, *slot | CLS_PASSED);
	}
	h->n_elems++;
	return 0;
}

static bool line_sends_on(const struct cls_head *h, uint32_t line)
{
	uint32_t end = MIN(line + CLS_PROBES, all_lines(h));

	for (uint32_t i = line + 1; i < end; i++)
		for (uint32_t s = 0; s < CLS_SLOTS; s++) {
			uint64_t entry = line_at(h, i)[s];

			if (entry & ~CLS_PASSED && home_of_entry(h, entry) <= line)
				return true;
		}
	return false;
}

int cls_hash_insert(struct cls_head *h, const struct classify_elem *e)
{
	struct hashed k;

	hash_key(h, e->lo, &k);
	return add(h, &k, e->index);
}

int cls_hash_delete(struct cls_head *h, const struct classify_elem *e)
{
	struct entry_place at;
	struct hashed k;
	uint64_t *slot;

	hash_key(h, e->lo, &k);
	if (!find(h, &k, &at))
		return -ENOENT;
	slot = &line_at(h, at.line)[at.slot];
	if (entry_index(*slot) != e->index)
		return -ENOENT;
	CLS_PUBLISH(*slot, at.slot ? 0 : *slot & CLS_PASSED);
	for (uint32_t i = k.home; i < at.line; i++) {
		slot = line_at(h, i);
		if (!line_sends_on(h, i))
			CLS_PUBLISH(*slot, *slot & ~CLS_PASSED);
	}
	h->n_elems--;
	return 0;
}

/* ---- all of them ---- */

void cls_hash_keep(struct cls_head *h, const uint64_t *kept)
{
	uint64_t *line, entry;
	uint32_t index;

	for (uint32_t i = 0; i < all_lines(h); i++) {
		line = line_at(h, i);
		for (uint32_t s = 0; s < CLS_SLOTS; s++) {
			entry = line[s];
			index = entry_index(entry);
			if (!(entry & ~CLS_PASSED) ||
			    (kept && kept[index / 64] >> index % 64 & 1))
				continue;
			CLS_PUBLISH(line[s], s ? 0 : entry & CLS_PASSED);
			h->n_elems--;
		}
	}
	for (uint32_t i = 0; i < all_lines(h); i++) {
		line = line_at(h, i);
		if (*line & CLS_PASSED && !line_sends_on(h, i))
			CLS_PUBLISH(*line, *line & ~CLS_PASSED);
	}
}

void cls_hash_indexes(const struct cls_head *h, uint64_t *used)
{
	for (uint32_t i = 0; i < all_lines(h); i++)
		for (uint32_t s = 0; s < CLS_SLOTS; s++) {
			uint64_t entry = line_at(h, i)[s];

			if (entry & ~CLS_PASSED)
				used[entry_index(entry) / 64] |= 1ull << entry_index(entry) % 64;
		}
}

/* ---- building ---- */

/* In batches, so that the lines are on their way when they are needed. */
static int fill_table(struct cls_head *h, const struct classify_elem *elems, size_t n)
{
	struct hashed k[BATCH];

	for (size_t i = 0; i < n; i += BATCH) {
		size_t m = MIN(n - i, (size_t)BATCH);

		for (size_t j = 0; j < m; j++) {
			hash_key(h, elems[i + j].lo, &k[j]);
			__builtin_prefetch(line_at(h, k[j].home), 1);
		}
		for (size_t j = 0; j < m; j++) {
			int err = add(h, &k[j], elems[i + j].index);

			if (err)
				return err;
		}
	}
	return 0;
}

int cls_hash_build(struct cls_blob *b, const struct classify_shape *shape,
		   const struct classify_elem *elems, size_t n)
{
	uint64_t lines = shape->capacity / 5 + 2;
	uint32_t at, keys = 0, key_size = 0, filter = 0;
	int err = -ENOSPC;

	if (shape->width[0] > 4) {
		key_size = 8 * cls_chunks(shape->width[0]);
		keys = cls_grow(b, (uint64_t)key_size * shape->capacity + CLS_LINE);
		if (!keys)
			return -E2BIG;
	}
	at = cls_grow(b, (lines + CLS_PROBES - 1) * CLS_LINE);
	if (!at)
		return -E2BIG;
	if (lines * CLS_LINE >= CLS_FILTER_FROM) {
		filter = cls_grow(b, lines * 8);
		if (!filter)
			return -E2BIG;
	}
	b->head->filter = filter;
	b->head->keys = keys;
	b->head->key_size = key_size;
	b->head->root = at / CLS_LINE;
	b->head->n_lines = (uint32_t)lines;
	for (int i = 0; i < SEEDS && err == -ENOSPC; i++) {
		memset(cls_at(b->head, at), 0, (lines + CLS_PROBES - 1) * CLS_LINE);
		if (filter)
			memset(cls_at(b->head, filter), 0, lines * 8);
		b->head->n_elems = 0;
		b->head->multiplier += 0x9e3779b97f4a7c16ull; /* even: it stays odd */
		err = fill_table(b->head, elems, n);
	}
	return err == -ENOSPC ? -E2BIG : err;
}
