/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a blob is like: for explain, the cost model and the constants of programs.
 */
#include <errno.h>
#include <stdio.h>

#include "tree.h"

/* ---- names of the programs' functions ---- */

#define NAMES(what)                                                                          \
	{                                                                                    \
		"nb_classify_" what "8", "nb_classify_" what "16", "nb_classify_" what "24", \
			"nb_classify_" what "32", "nb_classify_" what "40",                  \
			"nb_classify_" what "48", "nb_classify_" what "56",                  \
			"nb_classify_" what "64"                                             \
	}

static const char *function_of(const struct cls_head *h)
{
	static const char *const hash[CLS_MAX_CHUNKS] = NAMES("hash");
	static const char *const tree[CLS_MAX_CHUNKS] = NAMES("tree");
	static const char *const boxes[CLASSIFY_MAX_FIELDS] = {
		"nb_classify_boxes1", "nb_classify_boxes2", "nb_classify_boxes3",
		"nb_classify_boxes4", "nb_classify_boxes5", "nb_classify_boxes6",
		"nb_classify_boxes7", "nb_classify_boxes8",
	};
	uint32_t width = h->width[0], chunks = cls_chunks(width);

	switch (h->kind) {
	case CLS_HASH:
		return width <= 4 ? "nb_classify_hash4" : hash[chunks - 1];
	case CLS_TREE:
		if (width <= 4)
			return "nb_classify_tree4";
		return width <= 7 ? "nb_classify_tree7" : tree[chunks - 1];
	}
	return boxes[h->n_fields - 1];
}

/* ---- cost ---- */

/* ns that an access adds when random keys spread over this many bytes: caches, then the TLB, end.
 */
static uint32_t miss_ns(size_t size)
{
	if (size < (512u << 10))
		return 0;
	if (size < (3u << 19))
		return 10;
	return size < (8u << 20) ? 40 : 90;
}

/* From bench/classify.c on one machine: to compare forms with each other, not to promise. */
static uint32_t cost_ns(const struct cls_head *h, const struct classify_info *i)
{
	uint32_t width = h->width[0], miss = miss_ns(i->size), cost;

	switch (h->kind) {
	case CLS_HASH:
		/* Half of the keys are missing, most of which the filter tells. */
		miss = h->filter ? (miss_ns(i->size / 8) + miss) / 2 : miss;
		return width <= 4 ? 14 + miss : 18 + 2 * miss;
	case CLS_TREE:
		return 5 + i->depth * (width <= 7 ? 9 : 16) + 2 * miss;
	}
	cost = 10 + (i->trees + 1) / 2 * (8 + i->depth * 8) + (i->trees + 1) * miss;
	for (uint32_t f = 0; f < h->n_fields; f++)
		if (h->width[f] > 4)
			cost += 35 + miss;
	return cost;
}

int classify_shape(const void *blob, size_t size, struct classify_shape *ret)
{
	const struct cls_head *h = blob;

	if (size < sizeof(*h) || h->magic != CLS_MAGIC || h->size > size)
		return -EINVAL;
	*ret = (struct classify_shape){
		.kind = (enum classify_kind)h->kind,
		.n_fields = h->n_fields,
		.capacity = h->capacity,
		.value_size = h->value_size,
		.expires = h->flags & CLS_EXPIRES,
		.is_mutable = h->flags & CLS_MUTABLE,
		.packed = h->form,
	};
	memcpy(ret->width, h->width, sizeof(h->width));
	return 0;
}

int classify_info(const void *blob, size_t size, struct classify_info *ret)
{
	const struct cls_head *h = blob;
	struct classify_shape shape;

	if (classify_shape(blob, size, &shape))
		return -EINVAL;
	*ret = (struct classify_info){
		.shape = shape,
		.size = h->size,
		.limit = cls_limit(h),
		.value_step = h->value_step,
		.trees = 1,
		.free_bytes = (size_t)(h->end_line - h->next_line) * CLS_LINE,
		.function = function_of(h),
	};
	switch (h->kind) {
	case CLS_HASH:
		ret->depth = 1;
		break;
	case CLS_TREE:
		ret->depth = cls_tree_depth(h, h->width[0], h->root);
		break;
	case CLS_BOXES:
		cls_boxes_info(h, ret);
	}
	ret->cost_ns = cost_ns(h, ret);
	return 0;
}
