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

#include "node.h"
#include "tree.h"

#define MAX_PATH CLS_LEVELS(1) /* nodes on the way down one layer */

/* A way down one layer (all nodes over one chunk). */
struct path {
	uint32_t n;
	uint32_t *slot[MAX_PATH]; /* the ref that leads to the node */
	uint32_t ref[MAX_PATH], at[MAX_PATH];
	struct cls_node last;
};

struct update {
	struct cls_blob b;
	struct cls_form form;
	uint32_t width, chunks;
};

static bool same_layer(uint32_t ref, uint32_t chunk)
{
	return !cls_is_end(ref) && CLS_CHUNK(ref) == chunk;
}

static uint32_t position(const struct cls_node *node, uint64_t key)
{
	uint32_t i = 0;

	while (i + 1 < node->n && node->e[i + 1].key <= key)
		i++;
	return i;
}

static int descend(const struct update *u, uint32_t *slot, uint64_t key, struct path *p)
{
	uint32_t chunk = CLS_CHUNK(*slot);

	for (p->n = 0; p->n < CLS_LEVELS(u->chunks);) {
		uint32_t i = p->n++;

		p->slot[i] = slot;
		p->ref[i] = *slot;
		cls_node_read(u->b.head, &u->form, *slot, &p->last);
		p->at[i] = position(&p->last, key);
		slot = cls_node_ref(u->b.head, &u->form, *slot, p->at[i]);
		if (!same_layer(*slot, chunk))
			return 0;
	}
	return -ENOSPC;
}

/* ---- replacing nodes of a path ---- */

/* Nodes made so far, to be dropped should room run out. */
struct fresh {
	uint32_t ref[2 * MAX_PATH + 2], n;
};

static uint32_t write_node(struct update *u, struct fresh *f, uint32_t chunk,
			   const struct cls_entry *e, uint32_t n)
{
	uint32_t ref = cls_node_write(&u->b, &u->form, chunk, e, n);

	if (ref)
		f->ref[f->n++] = ref;
	return ref;
}

static int no_room(struct update *u, struct fresh *f)
{
	while (f->n)
		cls_drop(u->b.head, f->ref[--f->n]);
	return u->b.head->n_retired ? -EAGAIN : -ENOSPC;
}

static void insert_at(struct cls_node *node, uint32_t i, struct cls_entry e)
{
	memmove(&node->e[i + 1], &node->e[i], (node->n - i) * sizeof(e));
	node->e[i] = e;
	node->n++;
}

static void remove_at(struct cls_node *node, uint32_t i)
{
	node->n--;
	memmove(&node->e[i], &node->e[i + 1], (node->n - i) * sizeof(node->e[0]));
}

/*
 * Puts @node in the place of the path's node at @level, split and handed up as needed, and
 * publishes. Everything from the highest changed node down the path is retired.
 */
static int replace(struct update *u, const struct path *p, uint32_t level, struct cls_node *node)
{
	uint32_t chunk = CLS_CHUNK(p->ref[level]), max = cls_form_max(&u->form), bottom = level;
	struct fresh fresh = {};
	struct cls_node up;
	uint32_t ref;

	while (node->n > max) {
		uint32_t half = node->n / 2;
		uint32_t a = write_node(u, &fresh, chunk, node->e, half);
		uint32_t b = write_node(u, &fresh, chunk, node->e + half, node->n - half);
		uint64_t key = node->e[half].key;

		if (!a || !b)
			return no_room(u, &fresh);
		if (level == 0) {
			if (p->n == CLS_LEVELS(u->chunks)) {
				no_room(u, &fresh);
				return -ENOSPC;
			}
			up.n = 1;
			up.e[0] = (struct cls_entry){node->e[0].key, a};
			insert_at(&up, 1, (struct cls_entry){key, b});
			*node = up;
			break;
		}
		level--;
		cls_node_read(u->b.head, &u->form, p->ref[level], &up);
		up.e[p->at[level]].ref = a;
		insert_at(&up, p->at[level] + 1, (struct cls_entry){key, b});
		*node = up;
	}
	ref = write_node(u, &fresh, chunk, node->e, node->n);
	if (!ref)
		return no_room(u, &fresh);
	CLS_PUBLISH(*p->slot[level], ref);
	for (; level <= bottom; level++)
		cls_retire(u->b.head, p->ref[level]);
	return 0;
}

/* ---- cut ---- */

/* A border at @key of the layer under @slot: the entry that starts there, as a path. */
static int cut_layer(struct update *u, uint32_t *slot, uint64_t key, struct path *p)
{
	uint32_t at;
	int err = descend(u, slot, key, p);

	if (err)
		return err;
	at = p->at[p->n - 1];
	if (p->last.e[at].key == key || key == 0)
		return 0;
	if (!cls_can_retire(u->b.head, p->n))
		return -EAGAIN;
	insert_at(&p->last, at + 1, (struct cls_entry){key, p->last.e[at].ref});
	err = replace(u, p, p->n - 1, &p->last);
	return err ? err : descend(u, slot, key, p);
}

static uint32_t *path_end(const struct update *u, const struct path *p)
{
	return cls_node_ref(u->b.head, &u->form, p->ref[p->n - 1], p->at[p->n - 1]);
}

static bool all_zero(const uint64_t *key, uint32_t n)
{
	while (n--)
		if (key[n])
			return false;
	return true;
}

/* A border at @key (its chunks from @c on) below @slot. */
static int cut(struct update *u, uint32_t *slot, const uint64_t *key, uint32_t c)
{
	uint64_t max = cls_chunk_max(u->width, c);
	struct path p;
	uint32_t *end, ref;
	int err;

	if (all_zero(key + c + 1, u->chunks - c - 1))
		return cut_layer(u, slot, key[c], &p);
	err = key[c] == max ? 0 : cut_layer(u, slot, key[c] + 1, &p);
	if (!err)
		err = cut_layer(u, slot, key[c], &p);
	if (err)
		return err;
	end = path_end(u, &p);
	if (cls_is_end(*end)) {
		struct cls_entry whole = {0, *end};

		ref = cls_node_write(&u->b, &u->form, c + 1, &whole, 1);
		if (!ref)
			return u->b.head->n_retired ? -EAGAIN : -ENOSPC;
		CLS_PUBLISH(*end, ref);
	}
	return cut(u, end, key, c + 1);
}

/* ---- paint ---- */

struct painting {
	const uint64_t *lo, *hi; /* the whole interval */
	uint32_t ref;
	/* Not painted but looked at: .same is whether all of it is @ref. */
	bool look, same;
};

static void paint(struct update *u, uint32_t *slot, uint32_t c, bool from_lo, bool to_hi,
		  struct painting *job);

/* One entry over first … last of its layer, of which the interval takes a part or all. */
static void paint_entry(struct update *u, uint32_t *ref, uint32_t c, bool lo_edge, bool hi_edge,
			struct painting *job)
{
	if (!cls_is_end(*ref))
		paint(u, ref, same_layer(*ref, c) ? c : c + 1, lo_edge, hi_edge, job);
	else if (job->look)
		job->same = job->same && *ref == job->ref;
	else
		CLS_PUBLISH(*ref, job->ref);
}

/*
 * What the interval covers of the layer below @slot; from_lo: it begins at lo[c], else at 0; to_hi:
 * likewise. Borders are there already.
 */
static void paint(struct update *u, uint32_t *slot, uint32_t c, bool from_lo, bool to_hi,
		  struct painting *job)
{
	uint64_t lo = from_lo ? job->lo[c] : 0;
	uint64_t hi = to_hi ? job->hi[c] : cls_chunk_max(u->width, c);
	uint32_t node_ref = *slot;
	struct cls_node node;

	cls_node_read(u->b.head, &u->form, node_ref, &node);
	for (uint32_t i = position(&node, lo); i < node.n; i++) {
		uint32_t *ref = cls_node_ref(u->b.head, &u->form, node_ref, i);
		bool inner = same_layer(*ref, c);

		if (i && node.e[i].key > hi)
			break;
		/* A tree over the next chunk stands for one value of this one. */
		paint_entry(u, ref, c, from_lo && (inner || node.e[i].key == lo),
			    to_hi && (inner || node.e[i].key == hi), job);
	}
}

/* ---- tidy ---- */

/* What the keys right before the path's entry have; false: there are none in this layer. */
static bool ref_before(const struct update *u, uint32_t *slot, uint64_t key, uint32_t *ret)
{
	struct path p;

	if (key == 0 || descend(u, slot, key - 1, &p))
		return false;
	*ret = *path_end(u, &p);
	return true;
}

/* Takes an entry out of the node at @level; an empty or nearly empty node goes with it. */
static int remove_entry(struct update *u, struct path *p, uint32_t level, struct cls_node *node)
{
	remove_at(node, p->at[level]);
	return replace(u, p, level, node);
}

/* Joins the path's bottom node with its right or left neighbour when both are small. */
static void join(struct update *u, uint32_t *slot, uint64_t key)
{
	struct cls_node up, a, b;
	struct fresh fresh = {};
	struct path p;
	uint32_t left, ref, up_level;

	if (descend(u, slot, key, &p) || p.n < 2 || !cls_can_retire(u->b.head, 3))
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
	ref = write_node(u, &fresh, CLS_CHUNK(p.ref[0]), a.e, a.n + b.n);
	if (!ref)
		return;
	cls_retire(u->b.head, up.e[left + 1].ref);
	cls_retire(u->b.head, up.e[left].ref);
	up.e[left].ref = ref;
	remove_at(&up, left + 1);
	ref = write_node(u, &fresh, CLS_CHUNK(p.ref[0]), up.e, up.n);
	if (!ref) { /* cannot happen before a page was freed just now: leave the pair as it is */
		u->b.head->n_retired -= 2;
		no_room(u, &fresh);
		return;
	}
	CLS_PUBLISH(*p.slot[up_level], ref);
	cls_retire(u->b.head, p.ref[up_level]);
}

/* Removes the border at @key of a layer if it separates nothing. */
static void tidy_border(struct update *u, uint32_t *slot, uint64_t key)
{
	uint32_t before, level, at;
	struct path p;

	if (!ref_before(u, slot, key, &before) || !cls_is_end(before) || descend(u, slot, key, &p))
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

/* Undoes what cut() made at @key, as far as it separates nothing. */
static void tidy(struct update *u, uint32_t *slot, const uint64_t *key, uint32_t c)
{
	struct cls_node node;
	struct path p;
	uint32_t *end, ref;

	if (!all_zero(key + c + 1, u->chunks - c - 1)) {
		if (descend(u, slot, key[c], &p))
			return;
		end = path_end(u, &p);
		ref = *end;
		if (cls_is_end(ref))
			return;
		tidy(u, end, key, c + 1);
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

/* ---- elements ---- */

struct interval {
	uint64_t lo[CLS_MAX_CHUNKS], hi[CLS_MAX_CHUNKS], behind[CLS_MAX_CHUNKS];
	bool has_behind;
};

static int make_interval(struct update *u, struct cls_head *h, const struct classify_elem *e,
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

static bool all_is(struct update *u, const struct interval *v, uint32_t ref)
{
	struct painting look = {v->lo, v->hi, ref, .look = true, .same = true};

	paint(u, &u->b.head->root, 0, true, true, &look);
	return look.same;
}

static bool is_whole(const struct update *u, const struct interval *v, uint32_t ref)
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
	struct update u;
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

static void tidy_both(struct update *u, const struct interval *v)
{
	if (v->has_behind)
		tidy(u, &u->b.head->root, v->behind, 0);
	tidy(u, &u->b.head->root, v->lo, 0);
}

int cls_tree_insert(struct cls_head *h, const struct classify_elem *e)
{
	struct painting job = {.ref = CLS_INDEX | e->index};
	struct interval v;
	struct update u;
	int err = make_interval(&u, h, e, &v);

	if (err)
		return err;
	if (!all_is(&u, &v, CLS_NONE))
		return -EEXIST;
	if (v.has_behind)
		err = cut(&u, &h->root, v.behind, 0);
	if (!err)
		err = cut(&u, &h->root, v.lo, 0);
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
	struct update u;
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
