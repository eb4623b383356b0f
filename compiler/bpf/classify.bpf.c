/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data path's lookups in classifiers (compiler/classify): the functions that generated code
 * calls, one per width, so that loops over chunks are gone and only what a program uses stays.
 *
 * They are subprograms of their own: a lookup is 60 to 200 instructions, a call 1 ns.
 */
#include "nb.h"

#include "../classify/walk.h"

#define NB_CLASSIFY __attribute__((noinline, used, visibility("hidden"))) __u32

#define NB_HASH(bytes, chunks)                                                                     \
	NB_CLASSIFY nb_classify_hash##bytes(const void *blob, __u64 limit, const __u64 *key)       \
	{                                                                                          \
		return cls_hash(blob, limit, key, chunks);                                         \
	}
NB_HASH(4, 0)
NB_HASH(8, 1)
NB_HASH(16, 2)
NB_HASH(24, 3)
NB_HASH(32, 4)
NB_HASH(40, 5)
NB_HASH(48, 6)
NB_HASH(56, 7)
NB_HASH(64, 8)

#define NB_TREE(bytes, chunks, walk)                                                               \
	NB_CLASSIFY nb_classify_tree##bytes(const void *blob, __u64 limit, const __u64 *key)       \
	{                                                                                          \
		const struct cls_head *h = blob;                                                   \
		__u32 ref = walk(blob, limit, key, CLS_READ(__u32, h->root), chunks,               \
				 CLS_DEPTH(chunks));                                               \
                                                                                                   \
		return cls_tree_end(h, ref);                                                       \
	}
NB_TREE(4, 1, cls_walk_narrow)
NB_TREE(7, 1, cls_walk_7)
NB_TREE(8, 1, cls_walk_full)
NB_TREE(16, 2, cls_walk_full)
NB_TREE(24, 3, cls_walk_full)
NB_TREE(32, 4, cls_walk_full)
NB_TREE(40, 5, cls_walk_full)
NB_TREE(48, 6, cls_walk_full)
NB_TREE(56, 7, cls_walk_full)
NB_TREE(64, 8, cls_walk_full)

#define NB_BOXES(fields)                                                                           \
	NB_CLASSIFY nb_classify_boxes##fields(const void *blob, __u64 limit, const __u32 *key)     \
	{                                                                                          \
		return cls_boxes(blob, limit, key, fields);                                        \
	}
NB_BOXES(1)
NB_BOXES(2)
NB_BOXES(3)
NB_BOXES(4)
NB_BOXES(5)
NB_BOXES(6)
NB_BOXES(7)
NB_BOXES(8)

/* ---- fields of boxes as numbers ---- */

#define NB_FIELD(bytes, chunks, walk)                                                              \
	NB_CLASSIFY nb_classify_field##bytes(const void *blob, __u64 limit, __u64 field,           \
					     const __u64 *key)                                     \
	{                                                                                          \
		const struct cls_head *h = blob;                                                   \
		__u32 ref = h->ranks[field & 7];                                                   \
                                                                                                   \
		return walk(blob, (__u32)limit, key, ref, chunks, CLS_DEPTH(chunks)) & CLS_VALUE;  \
	}
NB_API __u32 nb_classify_field4(const void *blob, __u64 limit, __u64 field, const __u64 *key)
{
	return (__u32)key[0];
}
NB_FIELD(7, 1, cls_walk_7)
NB_FIELD(8, 1, cls_walk_full)
NB_FIELD(16, 2, cls_walk_full)
NB_FIELD(24, 3, cls_walk_full)
NB_FIELD(32, 4, cls_walk_full)
NB_FIELD(40, 5, cls_walk_full)
NB_FIELD(48, 6, cls_walk_full)
NB_FIELD(56, 7, cls_walk_full)
NB_FIELD(64, 8, cls_walk_full)

/* ---- values ---- */

NB_CLASSIFY nb_classify_live(const void *blob, __u64 limit, __u32 index, __u64 now)
{
	return cls_live(blob, limit, index, now);
}

NB_API const void *nb_classify_value(const void *blob, __u64 limit, __u32 index)
{
	const struct cls_head *h = blob;
	__u64 at = h->values + (__u64)index * h->value_step;

	if (at > limit)
		at = 0;
	return (const char *)blob + at;
}

NB_API __u64 nb_classify_expires(const void *blob, __u64 limit, __u32 index)
{
	const struct cls_head *h = blob;
	__u64 at = h->expires + (__u64)index * 8;

	if (!h->expires || at > limit)
		return 0;
	return CLS_READ(__u64, *(const __u64 *)((const char *)blob + at));
}
