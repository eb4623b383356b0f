/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing a tree: shared by tree_update.c, which says how it is done, tree_border.c and
 * tree_path.c.
 */
#ifndef NFT_BPF_CLASSIFY_TREE_UPDATE_H
#define NFT_BPF_CLASSIFY_TREE_UPDATE_H

#include "node.h"

#define CLS_PATH_MAX CLS_LEVELS(1) /* nodes on the way down one layer */

/* A way down one layer (all nodes over one chunk). */
struct cls_path {
	uint32_t n;
	uint32_t *slot[CLS_PATH_MAX]; /* the ref that leads to the node */
	uint32_t ref[CLS_PATH_MAX], at[CLS_PATH_MAX];
	struct cls_node last;
};

struct cls_change {
	struct cls_blob b;
	struct cls_form form;
	uint32_t width, chunks;
};

static inline bool cls_same_layer(uint32_t ref, uint32_t chunk)
{
	return !cls_is_end(ref) && CLS_CHUNK(ref) == chunk;
}

static inline uint32_t cls_node_position(const struct cls_node *node, uint64_t key)
{
	uint32_t i = 0;

	while (i + 1 < node->n && node->e[i + 1].key <= key)
		i++;
	return i;
}

/* ---- tree_path.c ---- */

/* -ENOSPC: a layer of more nodes than a way has. */
int cls_path_down(const struct cls_change *u, uint32_t *slot, uint64_t key, struct cls_path *p);
uint32_t *cls_path_end(const struct cls_change *u, const struct cls_path *p);
/*
 * Puts @node in the place of the path's node at @level, split and handed up as needed, and
 * publishes. Everything from the highest changed node down the path is retired. -EAGAIN: no room,
 * but there will be when packets have left what is retired; -ENOSPC.
 */
int cls_path_replace(struct cls_change *u, const struct cls_path *p, uint32_t level,
		     struct cls_node *node);

/* Nodes made so far, to be dropped should room run out. */
struct cls_fresh {
	uint32_t ref[2 * CLS_PATH_MAX + 2], n;
};
uint32_t cls_fresh_node(struct cls_change *u, struct cls_fresh *f, uint32_t chunk,
			const struct cls_entry *e, uint32_t n);
int cls_fresh_drop(struct cls_change *u, struct cls_fresh *f); /* -EAGAIN, -ENOSPC, as above */

void cls_node_insert(struct cls_node *node, uint32_t i, struct cls_entry e);
void cls_node_remove(struct cls_node *node, uint32_t i);

/* ---- tree_border.c ---- */

/* A border at @key (its chunks from @c on) below @slot. */
int cls_border_cut(struct cls_change *u, uint32_t *slot, const uint64_t *key, uint32_t c);
/* Undoes it, as far as it separates nothing. */
void cls_border_tidy(struct cls_change *u, uint32_t *slot, const uint64_t *key, uint32_t c);

#endif
