/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All trees of a list of boxes, and the directory that a lookup begins with.
 */
#include <errno.h>

#include "boxes.h"
#include "tree.h"

#define BUDGET 48 /* entries per box, all trees together */
#define TRIES  3  /* each with 8 times the budget, for lists that overlap a lot */

#define SHORT_LIST 2	/* of boxes that are not cut any more */
#define SAMPLES	   2048 /* boxes */

struct forest {
	uint32_t n;
	struct {
		uint32_t root, first;
	} tree[CLS_TREES];
};

static uint32_t take_evicted(struct cls_boxes *x, uint32_t *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->n; i++)
		if (x->evicted[i])
			list[n++] = i;
	memset(x->evicted, 0, x->n);
	return n;
}

static int build_trees(struct cls_boxes *x, struct forest *ret)
{
	AUTO_FREE uint32_t *list = malloc(MAX(x->n, 1u) * sizeof(*list));
	uint32_t n = x->n, was;

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		list[i] = i;
	x->words = x->words_end = x->depth = x->longest = 0;
	x->n_filtered = 0;
	memset(x->evicted, 0, x->n);
	for (ret->n = 0; n || !ret->n; ret->n++) {
		uint32_t root;
		int err;

		x->last = ret->n == CLS_TREES - 1;
		err = cls_boxes_tree(x, list, n, &root);
		if (err)
			return err;
		ret->tree[ret->n].root = root;
		ret->tree[ret->n].first = n ? x->index[list[0]] : 0;
		was = n;
		n = take_evicted(x, list);
		if (n && n == was) /* cannot be: each tree takes at least one */
			return -E2BIG;
	}
	return 0;
}

static int write_directory(struct cls_boxes *x, struct forest *f)
{
	uint32_t at = cls_grow(x->b, sizeof(struct cls_directory));
	struct cls_directory *d;

	if (!at)
		return -E2BIG;
	d = cls_at(x->b->head, at);
	d->n_trees = f->n;
	d->n_extra = 0;
	for (uint32_t i = 0; i < ARRAY_SIZE(d->tree); i++)
		d->tree[i].root = d->tree[i].first = CLS_NONE;
	for (uint32_t i = 0; i < f->n; i++) { /* insertion sort by first */
		uint32_t to = i;

		for (; to && d->tree[to - 1].first > f->tree[i].first; to--)
			d->tree[to] = d->tree[to - 1];
		d->tree[to].root = f->tree[i].root;
		/* Where boxes come and go, nothing can be said. */
		d->tree[to].first = x->disjoint ? 0 : f->tree[i].first;
	}
	for (uint32_t i = 0; i < CLS_EXTRA; i++)
		d->extra[i] = CLS_NONE;
	x->b->head->root = at / CLS_LINE;
	return 0;
}

static int build_within(struct cls_boxes *x, uint32_t line, struct forest *ret)
{
	uint64_t budget = BUDGET * (uint64_t)x->n + 4096;
	int err = -E2BIG;

	for (int i = 0; i < TRIES && err == -E2BIG; i++, budget *= 8) {
		x->b->head->next_line = line;
		x->budget = budget;
		err = build_trees(x, ret);
	}
	return err;
}

/* Nodes on the ways of keys that boxes begin with: of the longest way of two that go together. */
static uint64_t nodes_of_samples(const struct cls_boxes *x, const struct forest *f)
{
	uint32_t step = x->n / SAMPLES + 1;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < x->n; i += step) {
		uint32_t key[CLS_FIELDS] = {0}, longest = 0;

		for (uint32_t k = 0; k < x->fields; k++)
			key[k] = cls_box(x, i)[k].lo;
		for (uint32_t t = 0; t < f->n && f->tree[t].first <= x->index[i]; t++) {
			uint32_t nodes = cls_boxes_nodes(x->b->head, f->tree[t].root, key);

			longest = t % 2 ? MAX(longest, nodes) : nodes;
			if (t % 2 || t + 1 == f->n || f->tree[t + 1].first > x->index[i])
				sum += longest;
		}
	}
	return sum;
}

/*
 * Whether few trees with many copies or more trees with few are better depends on the list: both
 * are tried.
 */
static int build_best(struct cls_boxes *x, struct forest *ret)
{
	static const uint32_t copies[] = {6, 3};
	uint32_t line = x->b->head->next_line, best = 0, size[2];
	uint64_t nodes[2];

	for (uint32_t i = 0; i < 2; i++) {
		int err;

		x->copies = copies[i];
		err = build_within(x, line, ret);
		if (err || x->n < CLS_LONG_LIST)
			return err;
		nodes[i] = nodes_of_samples(x, ret);
		size[i] = x->b->head->next_line - line;
	}
	best = nodes[1] <= nodes[0] || size[0] / 2 > size[1];
	if (best == 1)
		return 0;
	x->copies = copies[best];
	return build_within(x, line, ret);
}

int cls_boxes_forest(struct cls_boxes *x)
{
	struct forest forest = {};
	int err;

	/* What is in the nearest cache anyway is faster cut than filtered. */
	x->short_list = SHORT_LIST;
	if (x->n >= CLS_LONG_LIST && x->b->head->form)
		x->short_list = CLS_FILTERED * CLS_FILTER_LINES;
	err = build_best(x, &forest);
	if (err)
		return err;
	cls_filtered_fill(x);
	return write_directory(x, &forest);
}
