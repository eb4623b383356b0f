/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing a tree that packets are walking through.
 *
 * A node that packets can reach is never written to, except for single refs: it is written anew
 * with the change, together with the nodes above it that have to know, and one store of a ref puts
 * the new ones in the old ones' place. The old ones are retired.
 *
 * A change of the interval [lo, hi] is made of steps, each of which leaves a right tree behind:
 *   cut	borders at lo and behind hi, without a change of meaning; only this needs room
 *   paint	the refs in between, one store each
 *   tidy	borders that separate the same from the same go away; if there is no room, they stay
 */
#include <errno.h>

#include "tree.h"
#include "tree_update.h"

/* ---- paint ---- */

struct painting {
	const uint64_t *lo, *hi; /* the whole interval */
	uint32_t ref;
	/* Not painted but looked at: .same is whether all of it is @ref. */
	bool look, same;
};

static void paint(struct cls_change *u, uint32_t *slot, uint32_t c, bool from_lo, bool to_hi,
		  struct painting *job);

/* One entry over first … last of its layer, of which the interval takes a part or all. */
static void paint_entry(struct cls_change *u, uint32_t *ref, uint32_t c, bool lo_edge, bool hi_edge,
			struct painting *job)
{
	if (!cls_is_end(*ref))
		paint(u, ref, cls_same_layer(*ref, c) ? c : c + 1, lo_edge, hi_edge, job);
	else if (job->look)
		job->same = job->same && *ref == job->ref;
	else
		CLS_PUBLISH(*ref, job->ref);
}

/*
 * What the interval covers of the layer below @slot; from_lo: it begins at lo[c], else at 0; to_hi:
 * likewise. Borders are there already.
 */
static void paint(struct cls_change *u, uint32_t *slot, uint32_t c, bool from_lo, bool to_hi,
		  struct painting *job)
{
	uint64_t lo = from_lo ? job->lo[c] : 0;
	uint64_t hi = to_hi ? job->hi[c] : cls_chunk_max(u->width, c);
	uint32_t node_ref = *slot;
	struct cls_node node;

	cls_node_read(u->b.head, &u->form, node_ref, &node);
	for (uint32_t i = cls_node_position(&node, lo); i < node.n; i++) {
		uint32_t *ref = cls_node_ref(u->b.head, &u->form, node_ref, i);
		bool inner = cls_same_layer(*ref, c);

		if (i && node.e[i].key > hi)
			break;
		/* A tree over the next chunk stands for one value of this one. */
		paint_entry(u, ref, c, from_lo && (inner || node.e[i].key == lo),
			    to_hi && (inner || node.e[i].key == hi), job);
	}
}

/* ---- elements ---- */

struct interval {
	uint64_t lo[CLS_MAX_CHUNKS], hi[CLS_MAX_CHUNKS], behind[CLS_MAX_CHUNKS];
	bool has_behind;
};

static int make_interval(struct cls_change *u, struct cls_head *h, const struct classify_elem *e,
			 struct interval *ret)
{
	u->b = (struct cls_blob){.head = h, .fixed = true};
	u->width = h->width[0];
	u->chunks = cls_chunks(u->width);
	u->form = cls_form_of(u->width);
	if (memcmp(e->lo, e->hi, u->width) > 0)
		return -EINVAL;
	cls_key_chunks(e->lo, u->width, ret->lo);
	cls_key_chunks(e->hi, u->width, ret->hi);
	ret->has_behind = cls_key_next(ret->hi, u->width, ret->behind);
	return 0;
}

static bool all_is(struct cls_change *u, const struct interval *v, uint32_t ref)
{
	struct painting look = {v->lo, v->hi, ref, .look = true, .same = true};

	paint(u, &u->b.head->root, 0, true, true, &look);
	return look.same;
}

static bool is_whole(const struct cls_change *u, const struct interval *v, uint32_t ref)
{
	const struct cls_head *h = u->b.head;
	uint64_t before[CLS_MAX_CHUNKS];

	return !(v->has_behind && cls_tree_ref(h, u->width, v->behind, h->root) == ref) &&
	       !(cls_key_before(v->lo, u->width, before) &&
		 cls_tree_ref(h, u->width, before, h->root) == ref);
}

int classify_tree_has(const void *blob, const uint8_t *lo, const uint8_t *hi)
{
	const struct classify_elem e = {.lo = lo, .hi = hi};
	struct cls_head *h = (struct cls_head *)blob; /* looked at only */
	struct interval v;
	struct cls_change u;
	uint32_t ref;
	int err = make_interval(&u, h, &e, &v);

	if (err)
		return err;
	ref = cls_tree_ref(h, u.width, v.lo, h->root);
	if (!all_is(&u, &v, ref))
		return -EEXIST;
	if (ref == CLS_NONE)
		return 0;
	return is_whole(&u, &v, ref) ? 1 : -EEXIST;
}

static void tidy_both(struct cls_change *u, const struct interval *v)
{
	if (v->has_behind)
		cls_border_tidy(u, &u->b.head->root, v->behind, 0);
	cls_border_tidy(u, &u->b.head->root, v->lo, 0);
}

int cls_tree_insert(struct cls_head *h, const struct classify_elem *e)
{
	struct painting job = {.ref = CLS_INDEX | e->index};
	struct interval v;
	struct cls_change u;
	int err = make_interval(&u, h, e, &v);

	if (err)
		return err;
	if (!all_is(&u, &v, CLS_NONE))
		return -EEXIST;
	if (v.has_behind)
		err = cls_border_cut(&u, &h->root, v.behind, 0);
	if (!err)
		err = cls_border_cut(&u, &h->root, v.lo, 0);
	if (!err) {
		job.lo = v.lo;
		job.hi = v.hi;
		paint(&u, &h->root, 0, true, true, &job);
		h->n_elems++;
	}
	if (err)
		tidy_both(&u, &v);
	return err;
}

int cls_tree_delete(struct cls_head *h, const struct classify_elem *e)
{
	struct painting job = {.ref = CLS_NONE};
	uint32_t ref = CLS_INDEX | e->index;
	struct interval v;
	struct cls_change u;
	int err = make_interval(&u, h, e, &v);

	if (err)
		return err;
	if (!all_is(&u, &v, ref) || !is_whole(&u, &v, ref))
		return -ENOENT;
	job.lo = v.lo;
	job.hi = v.hi;
	paint(&u, &h->root, 0, true, true, &job);
	tidy_both(&u, &v);
	h->n_elems--;
	return 0;
}
