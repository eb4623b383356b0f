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

static bool same_value(const struct cls_head *a, uint32_t i, const struct cls_head *b, uint32_t k)
{
	return !a->value_size ||
	       memcmp(classify_value(a, i), classify_value(b, k), a->value_size) == 0;
}

static bool same_catch_all(const struct cls_head *a, const struct cls_head *b)
{
	if (a->catch_all == CLS_NONE || b->catch_all == CLS_NONE)
		return a->catch_all == b->catch_all;
	return same_value(a, a->catch_all, b, b->catch_all);
}

static bool has_element(const struct cls_head *a, const struct cls_head *b,
			const struct classify_elem *e)
{
	uint32_t index;

	if (b->kind == CLS_TREE && classify_tree_has(b, e->lo, e->hi) != 1)
		return false;
	index = classify_find(b, e->lo);
	/* What a miss gives back is no element. */
	return index != CLASSIFY_MISS && index != b->catch_all && same_value(a, e->index, b, index);
}

/* Made in the same way of the same elements; the seed is not used for boxes. */
static bool same_bytes(const struct cls_head *a, const struct cls_head *b)
{
	const size_t seed = offsetof(struct cls_head, seed), next = offsetof(struct cls_head, n_lines);

	return a->size == b->size && memcmp(a, b, seed) == 0 &&
	       memcmp((const char *)a + next, (const char *)b + next, a->size - next) == 0;
}

bool classify_same(const void *a, const void *b, const struct classify_elem *elems, size_t n)
{
	if (!same_shape(a, b) || !same_catch_all(a, b))
		return false;
	if (((const struct cls_head *)a)->kind == CLS_BOXES)
		return same_bytes(a, b);
	for (size_t i = 0; i < n; i++)
		if (!has_element(a, b, &elems[i]))
			return false;
	return true;
}
