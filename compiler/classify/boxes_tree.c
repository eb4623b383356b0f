/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One tree over boxes: cut by a field, each piece by another one, until a few boxes are left, which
 * are compared one by one (boxes_cut.c says how it is cut), or of which filters let few be compared
 * (boxes_filter.c).
 *
 * Where a box takes all that is left of the space, what comes after it is dead there; where it is
 * the first one, it need not be compared. Neither is done when boxes may be deleted later.
 */
#include <errno.h>

#include "boxes.h"

/* Of one leaf. */
static uint32_t longest_list(const struct cls_boxes *x)
{
	return x->b->head->form ? CLS_FILTERED * CLS_FILTER_LINES : CLS_BOX_LIST;
}

struct piece_list {
	uint32_t *box;	 /* of all pieces, one after the other */
	uint32_t *first; /* n_borders + 1 */
};

static bool takes_rest(const struct cls_boxes *x, uint32_t at, uint8_t done)
{
	return !x->disjoint && (x->full[at] | done) == x->all;
}

/* ---- lists ---- */

static int write_list(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint32_t *ret_ref)
{
	uint32_t *words;

	if (x->words_end - x->words < n) {
		uint32_t at = cls_grow(x->b, 4096);

		if (!at)
			return -E2BIG;
		x->words = at / sizeof(*words);
		x->words_end = x->words + 4096 / sizeof(*words);
	}
	words = cls_at(x->b->head, (uint64_t)x->words * sizeof(*words));
	for (uint32_t i = 0; i < n; i++)
		words[i] = x->index[list[i]] | (i + 1 == n ? CLS_LAST : 0);
	*ret_ref = CLS_LIST | x->words;
	x->words += n;
	return 0;
}

/* Leaves of the same boxes are one, wherever they are. */
#define LEAF_DONE 0xff

static int write_leaf(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint32_t *ret_ref)
{
	int err;

	*ret_ref = cls_memo_find(x->memo, LEAF_DONE, 0, list, n);
	if (*ret_ref)
		return 0;
	x->longest = MAX(x->longest, n);
	if (x->b->head->form && n > CLS_PACKED_LIST)
		err = cls_filtered_write(x, list, n, ret_ref);
	else
		err = write_list(x, list, n, ret_ref);
	return err ? err : cls_memo_add(x->memo, LEAF_DONE, 0, list, n, *ret_ref);
}

/* Few boxes, or many that nothing divides. */
static int make_leaf(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint8_t done,
		     uint32_t *ret_ref)
{
	uint32_t most = longest_list(x);

	if (n == 0) {
		*ret_ref = CLS_NONE;
		return 0;
	}
	if (takes_rest(x, list[0], done)) {
		*ret_ref = CLS_INDEX | x->index[list[0]];
		return 0;
	}
	if (n == 1) {
		*ret_ref = CLS_CHECK | x->index[list[0]];
		return 0;
	}
	if (n > most) {
		if (x->last)
			return -E2BIG;
		most /= 4;
		for (uint32_t i = most; i < n; i++)
			x->evicted[list[i]] = 1;
		n = most;
	}
	return write_leaf(x, list, n, ret_ref);
}

/* ---- cuts ---- */

static uint32_t levels(uint32_t n_borders)
{
	uint32_t l = 1;

	for (uint64_t m = CLS_MAX_ENTRIES; m < n_borders; m *= CLS_MAX_ENTRIES)
		l++;
	return l;
}

/* The boxes of each piece, in order. */
static int divide(const uint32_t *list, uint32_t n, const struct cls_cut *cut,
		  struct piece_list *ret)
{
	uint32_t *next = calloc(cut->n_borders + 1, sizeof(*next));
	AUTO_FREE uint32_t *at = NULL;

	ret->first = next;
	ret->box = malloc(MAX(cut->total, 1u) * sizeof(*ret->box));
	at = malloc(cut->n_borders * sizeof(*at));
	if (!next || !ret->box || !at)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t p = cut->span[i].lo; p <= cut->span[i].hi; p++)
			next[p + 1]++;
	for (uint32_t p = 0; p < cut->n_borders; p++)
		next[p + 1] += next[p];
	memcpy(at, next, cut->n_borders * sizeof(*at));
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t p = cut->span[i].lo; p <= cut->span[i].hi; p++)
			ret->box[at[p]++] = list[i];
	return 0;
}

static int build(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint8_t done,
		 uint32_t level, uint32_t *ret_ref);

static int build_pieces(struct cls_boxes *x, const struct cls_cut *cut,
			const struct piece_list *pieces, uint8_t done, uint32_t level,
			uint32_t *ret_ref)
{
	struct cls_form form = cls_form_of(4);
	AUTO_FREE struct cls_entry *e = malloc(cut->n_borders * sizeof(*e));
	size_t m = 0;

	if (!e)
		return -ENOMEM;
	for (uint32_t p = 0; p < cut->n_borders; p++) {
		uint32_t first = pieces->first[p], ref;
		int err = build(x, pieces->box + first, pieces->first[p + 1] - first, done, level,
				&ref);

		if (err)
			return err;
		if (!m || e[m - 1].ref != ref)
			e[m++] = (struct cls_entry){cut->border[p], ref};
	}
	if (m == 1) {
		*ret_ref = e[0].ref;
		return 0;
	}
	*ret_ref = cls_tree_pack(x->b, &form, cut->field, e, m, cls_form_max(&form));
	return *ret_ref ? 0 : -E2BIG;
}

static int build_cut(struct cls_boxes *x, const uint32_t *list, uint32_t n,
		     const struct cls_cut *cut, uint8_t done, uint32_t level, uint32_t *ret_ref)
{
	struct piece_list pieces = {};
	int err = divide(list, n, cut, &pieces);

	for (uint32_t i = 0; i < n && !err; i++)
		if (cut->span[i].lo > cut->span[i].hi)
			x->evicted[list[i]] = 1;
	x->depth = MAX(x->depth, level + levels(cut->n_borders));
	x->budget -= MIN(x->budget, cut->total + cut->n_borders);
	if (!err)
		err = build_pieces(x, cut, &pieces, done | (uint8_t)(1 << cut->field),
				   level + levels(cut->n_borders), ret_ref);
	free(pieces.first);
	free(pieces.box);
	return err;
}

static int build(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint8_t done,
		 uint32_t level, uint32_t *ret_ref)
{
	struct cls_cut cut = {};
	int err = -ENOENT;

	for (uint32_t i = 0; i < n; i++)
		if (takes_rest(x, list[i], done)) {
			n = i + 1;
			break;
		}
	if (n <= x->short_list)
		return make_leaf(x, list, n, done, ret_ref);
	*ret_ref = cls_memo_find(x->memo, done, level, list, n);
	if (*ret_ref)
		return 0;
	if (!takes_rest(x, list[0], done))
		err = cls_cut_choose(x, list, n, done, &cut);
	if (!err && level + levels(cut.n_borders) > CLS_BOX_DEPTH)
		err = -ENOENT;
	if (!err)
		err = build_cut(x, list, n, &cut, done, level, ret_ref);
	else if (err == -ENOENT)
		err = make_leaf(x, list, n, done, ret_ref);
	cls_cut_fini(&cut);
	return err ? err : cls_memo_add(x->memo, done, level, list, n, *ret_ref);
}

int cls_boxes_tree(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint32_t *ret_ref)
{
	int err;

	x->memo = cls_memo_new();
	if (!x->memo)
		return -ENOMEM;
	err = build(x, list, n, 0, 0, ret_ref);
	cls_memo_free(x->memo);
	x->memo = NULL;
	return err;
}
