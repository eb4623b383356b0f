/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two blobs that say the same: all elements of one are looked up in the other, which has as many.
 */
#include <stddef.h>
#include <string.h>

#include "tree.h"

static bool same_shape(const struct cls_head *a, const struct cls_head *b)
{
	return a->magic == b->magic && a->kind == b->kind && a->n_fields == b->n_fields &&
	       memcmp(a->width, b->width, sizeof(a->width)) == 0 &&
	       a->value_size == b->value_size && a->flags == b->flags &&
	       a->n_elems == b->n_elems && !(a->flags & CLS_EXPIRES);
}

static bool same_value(const struct cls_head *a, uint32_t i, const struct cls_head *b, uint32_t k,
		       uint32_t compared)
{
	return !a->value_size ||
	       memcmp(classify_value(a, i), classify_value(b, k), compared) == 0;
}

static bool same_catch_all(const struct cls_head *a, const struct cls_head *b, uint32_t compared)
{
	if (a->catch_all == CLS_NONE || b->catch_all == CLS_NONE)
		return a->catch_all == b->catch_all;
	return same_value(a, a->catch_all, b, b->catch_all, compared);
}

static bool has_element(const struct cls_head *a, const struct cls_head *b,
			const struct classify_elem *e, uint32_t compared)
{
	uint32_t index;

	if (b->kind == CLS_TREE && classify_tree_has(b, e->lo, e->hi) != 1)
		return false;
	index = classify_find(b, e->lo);
	/* What a miss gives back is no element. */
	return index != CLASSIFY_MISS && index != b->catch_all && 
	       same_value(a, e->index, b, index, compared);
}

static bool same_part(const void *a, const void *b, size_t from, size_t to)
{
	return memcmp((const char *)a + from, (const char *)b + from, to - from) == 0;
}

/* Made in the same way of the same elements; the seed is not used for boxes. */
static bool same_bytes(const struct cls_head *a, const struct cls_head *b, uint32_t compared)
{
	const size_t seed = offsetof(struct cls_head, seed), next = offsetof(struct cls_head, n_lines);
	size_t end = a->values + (size_t)a->value_size * a->capacity;

	if (a->size != b->size || !same_part(a, b, 0, seed))
		return false;
	if (compared == a->value_size)
		return same_part(a, b, next, a->size);
	/* Where values are is within what is compared first. */
	if (!same_part(a, b, next, a->values) || !same_part(a, b, end, a->size))
		return false;
	for (uint32_t i = 0; i < a->capacity; i++)
		if (!same_value(a, i, b, i, compared))
			return false;
	return true;
}

bool classify_same(const void *a, const void *b, const struct classify_elem *elems, size_t n,
		   uint32_t compared)
{
	if (!same_shape(a, b) || !same_catch_all(a, b, compared))
		return false;
	if (((const struct cls_head *)a)->kind == CLS_BOXES)
		return same_bytes(a, b, compared);
	for (size_t i = 0; i < n; i++)
		if (!has_element(a, b, &elems[i], compared))
			return false;
	return true;
}
