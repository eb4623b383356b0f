/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways down a tree, and nodes on them written anew: tree_update.h.
 */
#include <errno.h>

#include "tree_update.h"

int cls_path_down(const struct cls_change *u, uint32_t *slot, uint64_t key, struct cls_path *p)
{
	uint32_t chunk = CLS_CHUNK(*slot);

	for (p->n = 0; p->n < CLS_LEVELS(u->chunks);) {
		uint32_t i = p->n++;

		p->slot[i] = slot;
		p->ref[i] = *slot;
		cls_node_read(u->b.head, &u->form, *slot, &p->last);
		p->at[i] = cls_node_position(&p->last, key);
		slot = cls_node_ref(u->b.head, &u->form, *slot, p->at[i]);
		if (!cls_same_layer(*slot, chunk))
			return 0;
	}
	return -ENOSPC;
}

uint32_t *cls_path_end(const struct cls_change *u, const struct cls_path *p)
{
	return cls_node_ref(u->b.head, &u->form, p->ref[p->n - 1], p->at[p->n - 1]);
}

/* ---- nodes written anew ---- */

uint32_t cls_fresh_node(struct cls_change *u, struct cls_fresh *f, uint32_t chunk,
			const struct cls_entry *e, uint32_t n)
{
	uint32_t ref = cls_node_write(&u->b, &u->form, chunk, e, n);

	if (ref)
		f->ref[f->n++] = ref;
	return ref;
}

int cls_fresh_drop(struct cls_change *u, struct cls_fresh *f)
{
	while (f->n)
		cls_drop(u->b.head, f->ref[--f->n]);
	return u->b.head->n_retired ? -EAGAIN : -ENOSPC;
}

void cls_node_insert(struct cls_node *node, uint32_t i, struct cls_entry e)
{
	memmove(&node->e[i + 1], &node->e[i], (node->n - i) * sizeof(e));
	node->e[i] = e;
	node->n++;
}

void cls_node_remove(struct cls_node *node, uint32_t i)
{
	node->n--;
	memmove(&node->e[i], &node->e[i + 1], (node->n - i) * sizeof(node->e[0]));
}

int cls_path_replace(struct cls_change *u, const struct cls_path *p, uint32_t level,
		     struct cls_node *node)
{
	uint32_t chunk = CLS_CHUNK(p->ref[level]), max = cls_form_max(&u->form), bottom = level;
	struct cls_fresh fresh = {};
	struct cls_node up;
	uint32_t ref;

	while (node->n > max) {
		uint32_t half = node->n / 2;
		uint32_t a = cls_fresh_node(u, &fresh, chunk, node->e, half);
		uint32_t b = cls_fresh_node(u, &fresh, chunk, node->e + half, node->n - half);
		uint64_t key = node->e[half].key;

		if (!a || !b)
			return cls_fresh_drop(u, &fresh);
		if (level == 0) {
			if (p->n == CLS_LEVELS(u->chunks)) {
				cls_fresh_drop(u, &fresh);
				return -ENOSPC;
			}
			up.n = 1;
			up.e[0] = (struct cls_entry){node->e[0].key, a};
			cls_node_insert(&up, 1, (struct cls_entry){key, b});
			*node = up;
			break;
		}
		level--;
		cls_node_read(u->b.head, &u->form, p->ref[level], &up);
		up.e[p->at[level]].ref = a;
		cls_node_insert(&up, p->at[level] + 1, (struct cls_entry){key, b});
		*node = up;
	}
	ref = cls_fresh_node(u, &fresh, chunk, node->e, node->n);
	if (!ref)
		return cls_fresh_drop(u, &fresh);
	CLS_PUBLISH(*p->slot[level], ref);
	for (; level <= bottom; level++)
		cls_retire(u->b.head, p->ref[level]);
	return 0;
}
