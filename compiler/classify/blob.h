/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the builders share: a blob that grows while it is built, the allocator of lines inside a
 * blob, keys as chunks.
 */
#ifndef NFT_BPF_COMPILER_CLASSIFY_BLOB_H
#define NFT_BPF_COMPILER_CLASSIFY_BLOB_H

#include <linux/types.h>

#include "../util.h"
#include "classify.h"
#include "layout.h"

#define CLS_MAX_CHUNKS 8

/*
 * While it is built a blob moves (realloc): keep offsets, not addresses. In place it is fixed, and
 * cls_take() fails when the lines are used up.
 */
struct cls_blob {
	struct cls_head *head; /* the blob's start */
	bool fixed;
	bool tight; /* nodes will not grow: pages without the lines they do not use */
	uint32_t first_node; /* line where the structure begins, behind the arrays */
};

static inline void *cls_at(const struct cls_head *h, uint64_t offset)
{
	return (char *)h + offset;
}

/* Offset of @bytes zeroed bytes, a whole number of lines, at the end of what is used; 0: no room.
 */
uint32_t cls_grow(struct cls_blob *b, uint64_t bytes);

/*
 * A node of one line or a page: its line number, or 0. cls_drop() is for one that nobody has seen,
 * cls_retire() for one that packets may be in: it becomes free in classify_settled().
 */
uint32_t cls_take(struct cls_blob *b, bool page);
void cls_drop(struct cls_head *h, uint32_t ref);
void cls_retire(struct cls_head *h, uint32_t ref);
/* That many nodes can be retired before classify_settled() is due. */
bool cls_can_retire(const struct cls_head *h, uint32_t n);

/* The @limit that programs are told. */
static inline uint64_t cls_limit(const struct cls_head *h)
{
	return (h->size - CLS_TAIL) | (uint64_t)h->form << 32;
}

static inline uint32_t cls_chunks(uint32_t width)
{
	return (width + 7) / 8;
}
/* Bytes of chunk @i of a key of @width. */
static inline uint32_t cls_chunk_width(uint32_t width, uint32_t i)
{
	return MIN(width - 8 * i, 8u);
}
static inline uint64_t cls_chunk_max(uint32_t width, uint32_t i)
{
	return UINT64_MAX >> (64 - 8 * cls_chunk_width(width, i));
}
void cls_key_chunks(const uint8_t *key, uint32_t width, uint64_t *ret);
/* The key after, before @key; false: there is none. */
bool cls_key_next(const uint64_t *key, uint32_t width, uint64_t *ret);
bool cls_key_before(const uint64_t *key, uint32_t width, uint64_t *ret);

/* Seen by programs as a whole, and after everything that was written before. */
#define CLS_PUBLISH(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)

/* ---- the kinds ---- */
int cls_hash_build(struct cls_blob *b, const struct classify_shape *shape,
		   const struct classify_elem *elems, size_t n);
int cls_hash_insert(struct cls_head *h, const struct classify_elem *e);
int cls_hash_delete(struct cls_head *h, const struct classify_elem *e);
/* Bits by index: takes out all others (NULL: all); sets those of all elements. */
void cls_hash_keep(struct cls_head *h, const uint64_t *kept);
void cls_hash_indexes(const struct cls_head *h, uint64_t *used);

int cls_tree_build(struct cls_blob *b, const struct classify_shape *shape,
		   const struct classify_elem *elems, size_t n);
int cls_tree_insert(struct cls_head *h, const struct classify_elem *e);
int cls_tree_delete(struct cls_head *h, const struct classify_elem *e);

int cls_boxes_build(struct cls_blob *b, const struct classify_shape *shape,
		    const struct classify_elem *elems, size_t n);
int cls_boxes_insert(struct cls_head *h, const struct classify_elem *e);
int cls_boxes_delete(struct cls_head *h, const struct classify_elem *e);
void cls_boxes_info(const struct cls_head *h, struct classify_info *ret);

#endif
