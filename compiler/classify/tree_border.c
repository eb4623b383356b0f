/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Borders of a tree that packets are walking through: tree_update.h.
 */
#include <errno.h>

#include "tree_update.h"

/* ---- cut ---- */

/* A border at @key of the layer under @slot: the entry that starts there, as a path. */
static int cut_layer(struct cls_change *u, uint32_t *slot, uint64_t key, struct cls_path *p)
{
	uint32_t at;
	int err = cls_path_down(u, slot, key, p);

	if (err)
		return err;
	at = p->at[p->n - 1];
	if (p->last.e[at].key == key || key == 0)
		return 0;
	if (!cls_can_retire(u->b.head, p->n))
		return -EAGAIN;
	cls_node_insert(&p->last, at + 1, (struct cls_entry){key, p->last.e[at].ref});
	err = cls_path_replace(u, p, p->n - 1, &p->last);
	return err ? err : cls_path_down(u, slot, key, p);
}

static bool all_zero(const uint64_t *key, uint32_t n)
{
	while (n--)
		if (key[n])
			return false;
	return true;
}

int cls_border_cut(struct cls_change *u, uint32_t *slot, const uint64_t *key, uint32_t c)
{
	uint64_t max = cls_chunk_max(u->width, c);
	struct cls_path p;
	uint32_t *end, ref;
	int err;

	if (all_zero(key + c + 1, u->chunks - c - 1))
		return cut_layer(u, slot, key[c], &p);
	err = key[c] == max ? 0 : cut_layer(u, slot, key[c] + 1, &p);
	if (!err)
		err = cut_layer(u, slot, key[c], &p);
	if (err)
		return err;
	end = cls_path_end(u, &p);
	if (cls_is_end(*end)) {
		struct cls_entry whole = {0, *end};

		ref = cls_node_write(&u->b, &u->form, c + 1, &whole, 1);
		if (!ref)
			return u->b.head->n_retired ? -EAGAIN : -ENOSPC;
		CLS_PUBLISH(*end, ref);
	}
	return cls_border_cut(u, end, key, c + 1);
}

/* ---- tidy ---- */

/* What the keys right before the path's entry have; false: there are none in this layer. */
static bool ref_before(const struct cls_change *u, uint32_t *slot, uint64_t key, uint32_t *ret)
{
	struct cls_path p;

	if (key == 0 || cls_path_down(u, slot, key - 1, &p))
		return false;
	*ret = *cls_path_end(u, &p);
	return true;
}

/* Takes an entry out of the node at @level; an empty or nearly empty node goes with it. */
static int remove_entry(struct cls_change *u, struct cls_path *p, uint32_t level,
			struct cls_node *node)
{
	cls_node_remove(node, p->at[level]);
	return cls_path_replace(u, p, level, node);
}

/* Joins the path's bottom node with its right or left neighbour when both are small. */
static void join(struct cls_change *u, uint32_t *slot, uint64_t key)
{
	struct cls_node up, a, b;
	struct cls_fresh fresh = {};
	struct cls_path p;
	uint32_t left, ref, up_level;

	if (cls_path_down(u, slot, key, &p) || p.n < 2 || !cls_can_retire(u->b.head, 3))
		return;
	up_level = p.n - 2;
	cls_node_read(u->b.head, &u->form, p.ref[up_level], &up);
	if (up.n == 1) { /* a node above that only hands on */
		CLS_PUBLISH(*p.slot[up_level], p.ref[p.n - 1]);
		cls_retire(u->b.head, p.ref[up_level]);
		return;
	}
	left = p.at[up_level] + 1 < up.n ? p.at[up_level] : p.at[up_level] - 1;
	cls_node_read(u->b.head, &u->form, up.e[left].ref, &a);
	cls_node_read(u->b.head, &u->form, up.e[left + 1].ref, &b);
	if (a.n + b.n > cls_form_max(&u->form) / 2)
		return;
	memcpy(&a.e[a.n], b.e, b.n * sizeof(b.e[0]));
	a.e[a.n].key = up.e[left + 1].key; /* of a first entry only the node above knows it */
	ref = cls_fresh_node(u, &fresh, CLS_CHUNK(p.ref[0]), a.e, a.n + b.n);
	if (!ref)
		return;
	cls_retire(u->b.head, up.e[left + 1].ref);
	cls_retire(u->b.head, up.e[left].ref);
	up.e[left].ref = ref;
	cls_node_remove(&up, left + 1);
	ref = cls_fresh_node(u, &fresh, CLS_CHUNK(p.ref[0]), up.e, up.n);
	if (!ref) { /* cannot happen before a page was freed just now: leave the pair as it is */
		u->b.head->n_retired -= 2;
		cls_fresh_drop(u, &fresh);
		return;
	}
	CLS_PUBLISH(*p.slot[up_level], ref);
	cls_retire(u->b.head, p.ref[up_level]);
}

/* Removes the border at @key of a layer if it separates nothing. */
static void tidy_border(struct cls_change *u, uint32_t *slot, uint64_t key)
{
	uint32_t before, level, at;
	struct cls_path p;

	if (!ref_before(u, slot, key, &before) || !cls_is_end(before) ||
	    cls_path_down(u, slot, key, &p))
		return;
	level = p.n - 1;
	at = p.at[level];
	if (p.last.e[at].key != key || p.last.e[at].ref != before ||
	    !cls_can_retire(u->b.head, p.n))
		return;
	if (at == 0) {
		/* The first one: its keys are led here from above. It can go with its node only. */
		if (p.last.n > 1)
			return;
		while (level && p.last.n == 1) {
			level--;
			cls_node_read(u->b.head, &u->form, p.ref[level], &p.last);
		}
		if (p.last.n == 1 || p.at[level] == 0)
			return;
	}
	if (!remove_entry(u, &p, level, &p.last)) {
		/* nodes below the one that was written anew */
		for (level++; level < p.n; level++)
			cls_retire(u->b.head, p.ref[level]);
		join(u, slot, key - 1);
	}
}

void cls_border_tidy(struct cls_change *u, uint32_t *slot, const uint64_t *key, uint32_t c)
{
	struct cls_node node;
	struct cls_path p;
	uint32_t *end, ref;

	if (!all_zero(key + c + 1, u->chunks - c - 1)) {
		if (cls_path_down(u, slot, key[c], &p))
			return;
		end = cls_path_end(u, &p);
		ref = *end;
		if (cls_is_end(ref))
			return;
		cls_border_tidy(u, end, key, c + 1);
		ref = *end;
		cls_node_read(u->b.head, &u->form, ref, &node);
		if (node.n > 1 || !cls_is_end(node.e[0].ref) || !cls_can_retire(u->b.head, 1))
			return;
		CLS_PUBLISH(*end, node.e[0].ref);
		cls_retire(u->b.head, ref);
		if (key[c] != cls_chunk_max(u->width, c))
			tidy_border(u, slot, key[c] + 1);
	}
	tidy_border(u, slot, key[c]);
}
