/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building trees over boxes: what its parts share.
 */
#ifndef NFT_BPF_COMPILER_CLASSIFY_BOXES_H
#define NFT_BPF_COMPILER_CLASSIFY_BOXES_H

#include "node.h"

struct cls_memo;

#define CLS_LONG_LIST 512 /* boxes: from here on cls_boxes.copies counts */

/* All boxes, by position: in ascending order of their index. */
struct cls_boxes {
	struct cls_blob *b;
	uint32_t fields, n;
	const struct cls_range *range; /* fields per box */
	const uint32_t *index;
	const uint8_t *full; /* bit f: takes all of field f */
	uint8_t all;	     /* the bits of all fields */
	uint32_t max[CLASSIFY_MAX_FIELDS]; /* highest key of each field */
	bool disjoint;	     /* and mutable: no box makes another one superfluous */

	/* of the tree that is being built */
	struct cls_memo *memo;
	uint8_t *evicted;	   /* boxes that have to be in another tree (too) */
	bool last;		   /* there will be no other tree */
	uint32_t short_list;	   /* not cut any more */
	uint32_t copies;	   /* of a box in a long list that is cut, at most on average */
	uint64_t budget;	   /* entries that may still be written */
	uint32_t words, words_end; /* room for lists, u32 words */
	uint32_t depth, longest;   /* what came of it */
	uint32_t *filtered;	   /* lines of filtered lists */
	size_t n_filtered, max_filtered;
};

static inline const struct cls_range *cls_box(const struct cls_boxes *x, uint32_t at)
{
	return x->range + (size_t)at * x->fields;
}

/* Ranges of the box with this index; empty (lo > hi in the first field): there is none. */
static inline struct cls_range *cls_record(const struct cls_head *h, uint32_t index)
{
	return cls_at(h, h->keys + (uint64_t)index * h->key_size);
}
static inline bool cls_record_is_empty(const struct cls_range *r)
{
	return r->lo > r->hi;
}
/* One range of a record that programs may be reading: both halves at once. */
static inline void cls_record_store(struct cls_range *to, struct cls_range r)
{
	uint64_t __attribute__((may_alias)) *word = (void *)to;
	uint64_t both;

	memcpy(&both, &r, sizeof(both));
	CLS_PUBLISH(*word, both);
}

int cls_boxes_records(struct cls_boxes *x, const struct classify_shape *s);

/*
 * A way to cut a list of boxes by one field: borders, and for each box the pieces it lies in.
 */
struct cls_cut {
	uint32_t field, n_borders;
	uint32_t *border;	/* first key of each piece; the first one is 0 */
	struct cls_range *span; /* per box of the list: pieces; lo > hi: evicted */
	uint32_t n_kept;
	uint64_t total; /* boxes in all pieces, one by one */
};
/*
 * The best cut in a field that is not in @done: 0; -ENOENT: none is worth it; -ENOMEM. Boxes whose
 * copies would cost too much are left out, unless x->last.
 */
int cls_cut_choose(const struct cls_boxes *x, const uint32_t *list, uint32_t n, uint8_t done,
		   struct cls_cut *ret);
void cls_cut_fini(struct cls_cut *cut);

/*
 * Trees for lists that were met before: the ref for (done, list), 0 when there is none. A tree that
 * was built at @level of the depth has its right depth for levels up to that.
 */
struct cls_memo *cls_memo_new(void);
void cls_memo_free(struct cls_memo *m);
uint32_t cls_memo_find(const struct cls_memo *m, uint8_t done, uint32_t level, const uint32_t *list,
		       uint32_t n);
int cls_memo_add(struct cls_memo *m, uint8_t done, uint32_t level, const uint32_t *list, uint32_t n,
		 uint32_t ref);

/* A filtered list of @n boxes, which has no filters before cls_filtered_fill(). */
int cls_filtered_write(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint32_t *ret_ref);
void cls_filtered_fill(struct cls_boxes *x);

/* Ref of a tree over the boxes of @list (positions, ascending), or -errno. */
int cls_boxes_tree(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint32_t *ret_ref);
/* Trees over all boxes, and the head's root. */
int cls_boxes_forest(struct cls_boxes *x);

#endif
