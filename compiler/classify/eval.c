/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lookups in C, for the evaluator and the tests, and what else is asked of a finished blob.
 */
#include <errno.h>

#include "tree.h"
#include "walk.h"

static uint32_t find_hash(const struct cls_head *h, uint64_t limit, const __u64 *key)
{
	return cls_hash(h, limit, key, h->width[0] <= 4 ? 0 : cls_chunks(h->width[0]));
}

/* From @ref over a key of @width to an end. */
uint32_t cls_tree_ref(const struct cls_head *h, uint32_t width, const uint64_t *chunk, uint32_t ref)
{
	uint64_t limit = h->size - CLS_TAIL;
	const __u64 *key = (const __u64 *)chunk;
	uint32_t chunks = cls_chunks(width);

	if (width <= 4)
		return cls_walk_narrow(h, limit, key, ref, 1, CLS_DEPTH(1));
	if (width <= 7)
		return cls_walk_7(h, limit, key, ref, 1, CLS_DEPTH(1));
	return cls_walk_full(h, limit, key, ref, chunks, CLS_DEPTH(chunks));
}

uint32_t cls_boxes_nodes(const struct cls_head *h, uint32_t ref, const uint32_t *key)
{
	uint32_t n = 0;

	for (; !(ref & CLS_END); n++)
		ref = cls_step_narrow(cls_at(h, (uint64_t)(ref & CLS_NODE) * CLS_LINE),
				      key[CLS_CHUNK(ref)], ref);
	return n;
}

static uint32_t find_boxes(const struct cls_head *h, uint64_t limit, const uint8_t *key)
{
	__u32 fields[CLASSIFY_MAX_FIELDS];

	for (uint32_t i = 0; i < h->n_fields; key += h->width[i], i++) {
		uint64_t chunks[CLS_MAX_CHUNKS];

		cls_key_chunks(key, h->width[i], chunks);
		fields[i] = h->width[i] <= 4
				    ? (__u32)chunks[0]
				    : cls_tree_ref(h, h->width[i], chunks, h->ranks[i]) & CLS_VALUE;
	}

	return cls_boxes(h, limit, fields, h->n_fields);
}

uint32_t classify_find(const void *blob, const uint8_t *key)
{
	const struct cls_head *h = blob;
	uint64_t limit = cls_limit(h);
	uint64_t chunks[CLS_MAX_CHUNKS];

	if (h->kind == CLS_BOXES)
		return find_boxes(h, limit, key);
	cls_key_chunks(key, h->width[0], chunks);
	if (h->kind == CLS_HASH)
		return find_hash(h, limit, (const __u64 *)chunks);
	return cls_tree_end(h, cls_tree_ref(h, h->width[0], chunks, CLS_READ(__u32, h->root)));
}

uint32_t classify_find_at(const void *blob, const uint8_t *key, uint64_t now)
{
	const struct cls_head *h = blob;

	return cls_live(h, h->size - CLS_TAIL, classify_find(blob, key), now);
}

/* ---- values ---- */

void classify_set_catch_all(void *blob, uint32_t index)
{
	struct cls_head *h = blob;

	CLS_PUBLISH(h->catch_all, index);
}

bool classify_has_catch_all(const void *blob)
{
	return ((const struct cls_head *)blob)->catch_all != CLS_NONE;
}

uint32_t classify_catch_all(const void *blob)
{
	return ((const struct cls_head *)blob)->catch_all;
}

void classify_set_value(void *blob, uint32_t index, const void *value)
{
	struct cls_head *h = blob;
	uint32_t *to = cls_at(h, h->values + (uint64_t)index * h->value_step);

	for (uint32_t i = 0; i < h->value_size / 4; i++) {
		uint32_t word;

		memcpy(&word, (const char *)value + 4 * i, 4);
		CLS_PUBLISH(to[i], word);
	}
}

const void *classify_value(const void *blob, uint32_t index)
{
	const struct cls_head *h = blob;

	return cls_at(h, h->values + (uint64_t)index * h->value_step);
}

void classify_set_expires(void *blob, uint32_t index, uint64_t ns)
{
	struct cls_head *h = blob;
	uint64_t *to = cls_at(h, h->expires);

	CLS_PUBLISH(to[index], ns);
}

uint64_t classify_expires(const void *blob, uint32_t index)
{
	const struct cls_head *h = blob;
	const uint64_t *from = cls_at(h, h->expires);

	return h->expires ? from[index] : 0;
}

/* ---- updates ---- */

int classify_insert(void *blob, const struct classify_elem *e)
{
	struct cls_head *h = blob;

	if (e->index >= h->capacity)
		return -ENOSPC;
	switch (h->kind) {
	case CLS_HASH:
		return cls_hash_insert(h, e);
	case CLS_TREE:
		return cls_tree_insert(h, e);
	case CLS_BOXES:
		return cls_boxes_insert(h, e);
	}
	return -EINVAL;
}

int classify_delete(void *blob, const struct classify_elem *e)
{
	struct cls_head *h = blob;

	switch (h->kind) {
	case CLS_HASH:
		return cls_hash_delete(h, e);
	case CLS_TREE:
		return cls_tree_delete(h, e);
	case CLS_BOXES:
		return cls_boxes_delete(h, e);
	}
	return -EINVAL;
}
