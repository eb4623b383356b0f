/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing boxes while packets look them up.
 *
 * Deleting empties the box's record: whatever end still names it, it holds no key any more.
 *
 * Inserting writes the record and names the box at every end whose piece it touches, in the tree
 * where these are fewest. Pieces are not cut: an end may name boxes that do not hold each of its
 * keys, since they are compared. An end gets a new list, and one store of its ref publishes it;
 * what is dead in the old one is dropped on this occasion. Old lists are not used again: when their
 * room is gone, or lists get long, it is time to build anew. Boxes that would touch many ends go to
 * a short list that is looked through after the trees.
 */
#include <errno.h>

#include "boxes.h"
#include "tree.h"

#define MOST_ENDS 64

struct insertion {
	struct cls_blob b;
	struct cls_form form;
	uint32_t index;
	struct cls_range box[CLASSIFY_MAX_FIELDS];
	uint32_t ends;
	bool dry; /* only count */
};

/*
 * The element's box as ranges of numbers. false: a wide field has a border where the ranks have
 * none.
 */
static bool box_of(const struct cls_head *h, const struct classify_elem *e, struct cls_range *ret)
{
	for (uint32_t f = 0, at = 0; f < h->n_fields; at += h->width[f++]) {
		uint64_t lo[CLS_MAX_CHUNKS], hi[CLS_MAX_CHUNKS], beside[CLS_MAX_CHUNKS];
		uint32_t width = h->width[f];

		cls_key_chunks(e->lo + at, width, lo);
		cls_key_chunks(e->hi + at, width, hi);
		if (width <= 4) {
			ret[f] = (struct cls_range){(uint32_t)lo[0], (uint32_t)hi[0]};
			if (hi[0] == cls_chunk_max(width, 0))
				ret[f].hi = UINT32_MAX;
			continue;
		}
		ret[f].lo = cls_tree_ref(h, width, lo, h->ranks[f]) & CLS_VALUE;
		ret[f].hi = cls_tree_ref(h, width, hi, h->ranks[f]) & CLS_VALUE;
		if (cls_key_before(lo, width, beside) &&
		    (cls_tree_ref(h, width, beside, h->ranks[f]) & CLS_VALUE) == ret[f].lo)
			return false;
		if (!cls_key_next(hi, width, beside))
			ret[f].hi = UINT32_MAX;
		else if ((cls_tree_ref(h, width, beside, h->ranks[f]) & CLS_VALUE) == ret[f].hi)
			return false;
	}
	return true;
}

/* ---- ends ---- */

/* The live boxes of an end and the new one, in order: their number, or 0 if they are too many. */
static uint32_t end_list(const struct insertion *in, uint32_t ref, uint32_t *ret)
{
	const struct cls_head *h = in->b.head;
	const uint32_t *words = cls_at(h, (uint64_t)(ref & CLS_VALUE) * sizeof(*words));
	uint32_t one = (ref & CLS_VALUE) | CLS_LAST, n = 0, word;
	bool placed = false;

	if ((ref & CLS_KIND) == CLS_CHECK)
		words = &one;
	if (ref != CLS_NONE)
		do {
			uint32_t index;

			word = *words++;
			index = word & CLS_VALUE;
			if (index == in->index || cls_record_is_empty(cls_record(h, index)))
				continue;
			if (!placed && index > in->index) {
				ret[n++] = in->index;
				placed = true;
			}
			ret[n++] = index;
		} while (!(word & CLS_LAST));
	if (!placed)
		ret[n++] = in->index;
	return n <= CLS_BOX_LIST ? n : 0;
}

static bool names(const struct cls_head *h, uint32_t ref, uint32_t index)
{
	const uint32_t *words = cls_at(h, (uint64_t)(ref & CLS_VALUE) * sizeof(*words));

	if (ref == CLS_NONE || (ref & CLS_KIND) == CLS_CHECK)
		return ref == (CLS_CHECK | index);
	while ((*words & CLS_VALUE) != index)
		if (*words++ & CLS_LAST)
			return false;
	return true;
}

/* New words for a list: their place, or 0. */
static uint32_t take_words(struct cls_blob *b, uint32_t n)
{
	struct cls_head *h = b->head;

	if (h->words_end - h->words < n) {
		uint32_t at = cls_grow(b, CLS_LINE * 4);

		if (!at)
			return 0;
		h->words = at / sizeof(uint32_t);
		h->words_end = h->words + CLS_LINE * 4 / sizeof(uint32_t);
	}
	h->words += n;
	return h->words - n;
}

static int add_to_end(struct insertion *in, uint32_t *slot)
{
	uint32_t list[CLS_BOX_LIST + 1], n, at, *words;

	if (names(in->b.head, *slot, in->index)) /* from an earlier life, or shared */
		return 0;
	if (++in->ends > MOST_ENDS)
		return -ENOSPC;
	n = end_list(in, *slot, list);
	if (!n)
		return -ENOSPC;
	if (in->dry)
		return 0;
	if (n == 1) {
		CLS_PUBLISH(*slot, CLS_CHECK | list[0]);
		return 0;
	}
	at = take_words(&in->b, n);
	if (!at)
		return -ENOSPC;
	words = cls_at(in->b.head, (uint64_t)at * sizeof(*words));
	for (uint32_t i = 0; i < n; i++)
		words[i] = list[i] | (i + 1 == n ? CLS_LAST : 0);
	CLS_PUBLISH(*slot, CLS_LIST | at);
	return 0;
}

/* Every end below @slot that the box touches. */
static int add_below(struct insertion *in, uint32_t *slot)
{
	struct cls_range r = in->box[CLS_CHUNK(*slot) & 7];
	uint32_t ref = *slot, i = 0;
	struct cls_node node;
	int err = 0;

	if (cls_is_end(ref))
		return add_to_end(in, slot);
	cls_node_read(in->b.head, &in->form, ref, &node);
	while (i + 1 < node.n && node.e[i + 1].key <= r.lo)
		i++;
	for (; i < node.n && !err && (i == 0 || node.e[i].key <= r.hi); i++)
		err = add_below(in, cls_node_ref(in->b.head, &in->form, ref, i));
	return err;
}

/* The tree in which fewest ends change, as the place of its root; NULL: none will do. */
static uint32_t *best_tree(struct insertion *in, struct cls_directory *d)
{
	uint32_t least = MOST_ENDS + 1, *best = NULL;

	in->dry = true;
	for (uint32_t i = 0; i < d->n_trees; i++) {
		in->ends = 0;
		if (!add_below(in, &d->tree[i].root) && in->ends < least) {
			least = in->ends;
			best = &d->tree[i].root;
		}
	}
	in->dry = false;
	in->ends = 0;
	return best;
}

/* ---- elements ---- */

static int add_extra(struct cls_directory *d, uint32_t index)
{
	uint32_t at = 0;

	while (at < d->n_extra && d->extra[at] != CLS_NONE)
		at++;
	if (at == CLS_EXTRA)
		return -ENOSPC;
	CLS_PUBLISH(d->extra[at], index);
	if (at == d->n_extra)
		CLS_PUBLISH(d->n_extra, at + 1);
	return 0;
}

int cls_boxes_insert(struct cls_head *h, const struct classify_elem *e)
{
	struct cls_directory *d = cls_at(h, (uint64_t)h->root * CLS_LINE);
	struct cls_range *r = cls_record(h, e->index);
	struct insertion in = {{.head = h, .fixed = true}, cls_form_of(4), e->index};
	uint32_t *root;
	int err;

	if (!(h->flags & CLS_MUTABLE))
		return -ENOSPC;
	if (!cls_record_is_empty(r))
		return -EEXIST;
	if (!box_of(h, e, in.box))
		return -ENOSPC;
	root = best_tree(&in, d);
	for (uint32_t f = h->n_fields; f--;) /* the first field last: until then the box is empty */
		cls_record_store(&r[f], in.box[f]);
	err = root ? add_below(&in, root) : -ENOSPC;
	if (err)
		err = add_extra(d, e->index);
	if (err)
		cls_record_store(&r[0], (struct cls_range){1, 0});
	else
		h->n_elems++;
	return err;
}

int cls_boxes_delete(struct cls_head *h, const struct classify_elem *e)
{
	struct cls_directory *d = cls_at(h, (uint64_t)h->root * CLS_LINE);
	struct cls_range *r, box[CLASSIFY_MAX_FIELDS];

	if (e->index >= h->capacity)
		return -ENOENT;
	r = cls_record(h, e->index);
	if (cls_record_is_empty(r) || !box_of(h, e, box) ||
	    memcmp(r, box, h->n_fields * sizeof(box[0])))
		return -ENOENT;
	if (!(h->flags & CLS_MUTABLE))
		return -ENOSPC;
	cls_record_store(&r[0], (struct cls_range){1, 0});
	for (uint32_t i = 0; i < d->n_extra; i++)
		if (d->extra[i] == e->index)
			CLS_PUBLISH(d->extra[i], CLS_NONE);
	while (d->n_extra && d->extra[d->n_extra - 1] == CLS_NONE)
		CLS_PUBLISH(d->n_extra, d->n_extra - 1);
	h->n_elems--;
	return 0;
}
