/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How to cut a list of boxes. A cut divides one field at every border of the list's boxes, so that
 * afterwards the field is decided: each box that is left covers the piece as a whole.
 *
 * A box is copied into each piece it spans. Boxes that span many (a wildcard, a short prefix) would
 * multiply; from the widest on they are left out (evicted) until what is copied keeps within a
 * factor, and go into a tree of their own, where another field tells them apart. That is how rules
 * get sorted by their pattern of wildcards.
 */
#include <errno.h>

#include "boxes.h"

/* Cost model, ns; see bench/classify.c. */
#define NS_NODE	 7.0
#define NS_CHECK 5.0
#define NS_TREE	 35.0 /* another tree, when all boxes go there */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void cls_cut_fini(struct cls_cut *cut)
{
	free(cut->border);
	free(cut->span);
	*cut = (struct cls_cut){};
}

static void find_borders(const struct cls_boxes *x, const uint32_t *list, uint32_t n,
			 struct cls_cut *cut)
{
	uint32_t m = 1, used = 1;

	cut->border[0] = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct cls_range r = cls_box(x, list[i])[cut->field];

		if (r.lo)
			cut->border[m++] = r.lo;
		if (r.hi != UINT32_MAX)
			cut->border[m++] = r.hi + 1;
	}
	qsort(cut->border, m, sizeof(*cut->border), compare_u32);
	for (uint32_t i = 1; i < m; i++)
		if (cut->border[i] != cut->border[used - 1])
			cut->border[used++] = cut->border[i];
	cut->n_borders = used;
}

static uint32_t piece_of(const struct cls_cut *cut, uint32_t key)
{
	uint32_t a = 0, b = cut->n_borders;

	while (b - a > 1) {
		uint32_t mid = a + (b - a) / 2;

		if (cut->border[mid] <= key)
			a = mid;
		else
			b = mid;
	}
	return a;
}

static uint32_t span_size(struct cls_range s)
{
	return s.hi - s.lo + 1;
}

/* Copies allowed per box. Short lists may multiply more: what follows is short, too. */
static uint64_t allowed(const struct cls_boxes *x, uint32_t n)
{
	uint64_t per_box = n < 16 ? 12 : n < 64 ? 8 : n < CLS_LONG_LIST ? 5 : x->copies;

	return MIN(per_box * n + 16, x->budget);
}

/* Leaves out the widest boxes. */
static int evict(const struct cls_boxes *x, uint32_t n, struct cls_cut *cut)
{
	AUTO_FREE uint32_t *size = malloc(n * sizeof(*size));
	uint32_t kept = 0, widest;

	if (!size)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		size[i] = span_size(cut->span[i]);
	qsort(size, n, sizeof(*size), compare_u32);
	cut->total = 0;
	while (kept < n && cut->total + size[kept] <= allowed(x, kept + 1))
		cut->total += size[kept++];
	if (!kept)
		return -ENOENT;
	widest = size[kept - 1];
	cut->n_kept = 0;
	cut->total = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (cut->n_kept < kept && span_size(cut->span[i]) <= widest) {
			cut->n_kept++;
			cut->total += span_size(cut->span[i]);
		} else {
			cut->span[i] = (struct cls_range){1, 0};
		}
	}
	return 0;
}

/* Boxes that are met on average in the piece of a random box. */
static double mean_piece(const struct cls_cut *cut, uint32_t n)
{
	AUTO_FREE int32_t *change = calloc(cut->n_borders + 1, sizeof(*change));
	double sum = 0, count = 0;

	if (!change)
		return n;
	for (uint32_t i = 0; i < n; i++) {
		struct cls_range s = cut->span[i];

		if (s.lo > s.hi)
			continue;
		change[s.lo]++;
		change[s.hi + 1]--;
	}
	for (uint32_t i = 0; i < cut->n_borders; i++) {
		count += change[i];
		sum += count * count;
	}
	return cut->total ? sum / (double)cut->total : 0;
}

/* About what @mean boxes still cost when the other fields divide them. */
static double cost_of_list(double mean, double few)
{
	double cost = NS_CHECK;

	for (; mean > few; mean /= 4)
		cost += NS_NODE;
	return cost;
}

static double cost_of_cut(const struct cls_boxes *x, const struct cls_cut *cut, uint32_t n)
{
	/* Where lists may be long, not all are. */
	double few = x->short_list > CLS_FILTERED ? 2 * CLS_FILTERED : x->short_list;
	double cost = NS_NODE + cost_of_list(mean_piece(cut, n), few);
	double out = (double)(n - cut->n_kept) / n;

	for (uint32_t m = cut->n_borders; m > CLS_MAX_ENTRIES; m /= CLS_MAX_ENTRIES)
		cost += NS_NODE;
	if (out > 0)
		cost += NS_TREE * (0.25 + out);
	return cost;
}

static int try_field(const struct cls_boxes *x, const uint32_t *list, uint32_t n, uint32_t field,
		     struct cls_cut *cut)
{
	*cut = (struct cls_cut){.field = field, .n_kept = n};
	cut->border = malloc((2 * (size_t)n + 1) * sizeof(*cut->border));
	cut->span = malloc((size_t)n * sizeof(*cut->span));
	if (!cut->border || !cut->span)
		return -ENOMEM;
	find_borders(x, list, n, cut);
	if (cut->n_borders == 1)
		return -ENOENT;
	for (uint32_t i = 0; i < n; i++) {
		struct cls_range r = cls_box(x, list[i])[field];

		cut->span[i] = (struct cls_range){piece_of(cut, r.lo), piece_of(cut, r.hi)};
		cut->total += span_size(cut->span[i]);
	}
	if (x->last)
		return cut->total <= x->budget ? 0 : -ENOENT;
	return cut->total > allowed(x, n) ? evict(x, n, cut) : 0;
}

int cls_cut_choose(const struct cls_boxes *x, const uint32_t *list, uint32_t n, uint8_t done,
		   struct cls_cut *ret)
{
	struct cls_cut best = {}, cut;
	double least = 1e9;

	for (uint32_t f = 0; f < x->fields; f++) {
		double cost;
		int err;

		if (done & 1 << f)
			continue;
		err = try_field(x, list, n, f, &cut);
		cost = err ? 1e9 : cost_of_cut(x, &cut, n);
		if (cost < least) {
			cls_cut_fini(&best);
			best = cut;
			least = cost;
		} else {
			cls_cut_fini(&cut);
		}
		if (err == -ENOMEM) {
			cls_cut_fini(&best);
			return err;
		}
	}
	if (!best.span)
		return -ENOENT;
	*ret = best;
	return 0;
}
