/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees over intervals, for TREE itself and for the wide fields of BOXES.
 */
#ifndef NFT_BPF_COMPILER_CLASSIFY_TREE_H
#define NFT_BPF_COMPILER_CLASSIFY_TREE_H

#include "blob.h"

/* @loose: nodes are not filled up. */
int cls_tree_of(struct cls_blob *b, uint32_t width, bool loose, const struct classify_elem *elems,
		size_t n, uint32_t *ret_ref);
/* Most nodes on a way from @ref to an end. */
uint32_t cls_tree_depth(const struct cls_head *h, uint32_t width, uint32_t ref);

/* The end that @key comes to from @ref: eval.c, as packets do. */
uint32_t cls_tree_ref(const struct cls_head *h, uint32_t width, const uint64_t *key, uint32_t ref);
/* Nodes from @ref, of a tree over boxes' fields, to the end that @key comes to. */
uint32_t cls_boxes_nodes(const struct cls_head *h, uint32_t ref, const uint32_t *key);

#endif
