/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many elements taken out at once, while packets look others up: all of a structure, or those of a
 * hash that are not to stay.
 */
#include <errno.h>

#include "boxes.h"
#include "tree.h"

static void clear_hash(struct cls_head *h)
{
	cls_hash_keep(h, NULL);
	/* Nothing is left that it could have to let pass. */
	for (uint32_t i = 0; h->filter && i < h->n_lines; i++)
		CLS_PUBLISH(((uint64_t *)cls_at(h, h->filter))[i], 0);
}

/* Records are emptied one after the other, and then named by nobody. Their nodes are lost. */
static void clear_boxes(struct cls_head *h)
{
	struct cls_directory *d = cls_at(h, (uint64_t)h->root * CLS_LINE);

	for (uint32_t i = 0; i < h->capacity; i++)
		cls_record_store(cls_record(h, i), (struct cls_range){1, 0});
	for (uint32_t i = 0; i < d->n_trees; i++)
		CLS_PUBLISH(d->tree[i].root, CLS_NONE);
	CLS_PUBLISH(d->n_extra, 0);
}

/* As an empty one is built: one node, one entry. */
static int clear_tree(struct cls_head *h, uint32_t *ret_left)
{
	struct cls_blob b = {.head = h, .fixed = true};
	struct cls_form f = cls_form_of(h->width[0]);
	uint32_t root = cls_node_write(&b, &f, 0, &(struct cls_entry){0, CLS_NONE}, 1);

	if (!root)
		return h->n_retired ? -EAGAIN : -ENOSPC;
	*ret_left = h->root;
	CLS_PUBLISH(h->root, root);
	return 0;
}

int classify_clear(void *blob, uint32_t *ret_left)
{
	struct cls_head *h = blob;
	int err = 0;

	if (!(h->flags & CLS_MUTABLE))
		return -ENOSPC;
	*ret_left = CLS_NONE;
	switch (h->kind) {
	case CLS_HASH:
		clear_hash(h);
		break;
	case CLS_TREE:
		err = clear_tree(h, ret_left);
		break;
	case CLS_BOXES:
		clear_boxes(h);
		break;
	}
	if (err)
		return err;
	classify_set_catch_all(h, CLASSIFY_MISS);
	h->n_elems = 0;
	return 0;
}

static void drop_nodes(struct cls_head *h, const struct cls_form *f, uint32_t ref)
{
	struct cls_node node;

	if (cls_is_end(ref))
		return;
	cls_node_read(h, f, ref, &node);
	for (uint32_t i = 0; i < node.n; i++)
		drop_nodes(h, f, node.e[i].ref);
	cls_drop(h, ref);
}

void classify_cleared(void *blob, uint32_t left)
{
	struct cls_head *h = blob;
	struct cls_form f = cls_form_of(h->width[0]);

	classify_settled(blob);
	drop_nodes(h, &f, left);
}

int classify_keep(void *blob, const uint64_t *kept)
{
	struct cls_head *h = blob;

	if (h->kind != CLS_HASH)
		return -EOPNOTSUPP;
	cls_hash_keep(h, kept);
	return 0;
}

int classify_free_indexes(const void *blob, uint32_t *ret, uint32_t room)
{
	const struct cls_head *h = blob;
	AUTO_FREE uint64_t *used = calloc(h->capacity / 64 + 1, sizeof(*used));
	int n = 0;

	if (!used)
		return -ENOMEM;
	if (h->kind != CLS_HASH)
		return 0;
	cls_hash_indexes(h, used);
	if (h->catch_all != CLS_NONE)
		used[h->catch_all / 64] |= 1ull << h->catch_all % 64;
	for (uint32_t i = 0; i < h->capacity && (uint32_t)n < room; i++)
		if (!(used[i / 64] >> i % 64 & 1))
			ret[n++] = i;
	return n;
}
