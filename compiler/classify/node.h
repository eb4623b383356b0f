/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes of trees as the writer sees them: a sorted list of first keys with their refs. Reading one
 * gives such a list, writing one makes the form that lookups want (layout.h). Lists are packed from
 * the front, so an entry's place in the list says where its ref stands.
 */
#ifndef NFT_BPF_COMPILER_CLASSIFY_NODE_H
#define NFT_BPF_COMPILER_CLASSIFY_NODE_H

#include "blob.h"

#define CLS_MAX_ENTRIES (CLS_NARROW * CLS_GROUPS)

struct cls_entry {
	uint64_t key;
	uint32_t ref;
};

struct cls_node {
	uint32_t n;
	struct cls_entry e[CLS_MAX_ENTRIES + 1]; /* one more, to be split */
};

/* How keys of one structure are kept: by the width of a key. */
struct cls_form {
	bool wide;
	uint32_t per_line;
	uint64_t fill;
};
struct cls_form cls_form_of(uint32_t width);

static inline uint32_t cls_form_max(const struct cls_form *f)
{
	return f->per_line * CLS_GROUPS;
}

void cls_node_read(const struct cls_head *h, const struct cls_form *f, uint32_t ref,
		   struct cls_node *ret);
/* A new node of n entries, 1 … cls_form_max(), for @chunk: its ref; 0: no room. */
uint32_t cls_node_write(struct cls_blob *b, const struct cls_form *f, uint32_t chunk,
			const struct cls_entry *e, uint32_t n);
/* Where the ref of entry @i of the node stands. */
uint32_t *cls_node_ref(const struct cls_head *h, const struct cls_form *f, uint32_t ref,
		       uint32_t i);

static inline bool cls_is_end(uint32_t ref)
{
	return ref & CLS_END;
}

/* A whole tree over one chunk: sorted distinct entries, the first one's key counts as 0. */
uint32_t cls_tree_pack(struct cls_blob *b, const struct cls_form *f, uint32_t chunk,
		       const struct cls_entry *e, size_t n, uint32_t fill);

#endif
