/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boxes: products of a range per field, the one with the lowest index wins.
 *
 * In the blob: a record of ranges per index, and up to CLS_TREES trees whose ends name boxes to be
 * compared. What one tree does not take (boxes_cut.c) goes to the next; a lookup takes the lowest
 * of what the trees find, and stops when no later tree can have a lower one.
 *
 * Everything in there is 32 bits wide: a field of more than 4 bytes is replaced by the rank of the
 * piece between borders that its value lies in, found by a tree of its own (tree.c).
 *
 * Here: elements become boxes. Their trees: boxes_forest.c; changes in place: boxes_update.c.
 */
#include <errno.h>

#include "boxes.h"
#include "tree.h"

/* What building needs, freed at once. */
struct job {
	struct cls_boxes x;
	const struct classify_shape *shape;
	const struct classify_elem **sorted;  /* by index */
	uint32_t offset[CLASSIFY_MAX_FIELDS]; /* of each field in a key */
	uint32_t *index;
	struct cls_range *range;
	uint8_t *full;
};

static int compare_index(const void *a, const void *b)
{
	const struct classify_elem *const *x = a, *const *y = b;

	return ((*x)->index > (*y)->index) - ((*x)->index < (*y)->index);
}

static uint32_t narrow_value(const uint8_t *key, uint32_t width)
{
	uint64_t v;

	cls_key_chunks(key, width, &v);
	return (uint32_t)v;
}

/* ---- fields of more than 4 bytes ---- */

static int compare_keys(const void *a, const void *b, void *width)
{
	return memcmp(a, b, *(uint32_t *)width);
}

static bool next_key(uint8_t *key, uint32_t width)
{
	while (width--)
		if (++key[width])
			return true;
	return false;
}

/* First keys of the pieces that the borders of field @f make, sorted, distinct; the first one is 0.
 */
static uint8_t *field_borders(const struct job *j, uint32_t f, uint32_t *ret_n)
{
	uint32_t width = j->shape->width[f], n = 1, used = 1;
	uint8_t *keys = calloc(2 * (size_t)j->x.n + 1, width);

	if (!keys)
		return NULL;
	for (uint32_t i = 0; i < j->x.n; i++) {
		memcpy(keys + (size_t)n++ * width, j->sorted[i]->lo + j->offset[f], width);
		memcpy(keys + (size_t)n * width, j->sorted[i]->hi + j->offset[f], width);
		if (next_key(keys + (size_t)n * width, width))
			n++;
	}
	qsort_r(keys, n, width, compare_keys, &width);
	for (uint32_t i = 1; i < n; i++)
		if (memcmp(keys + (size_t)i * width, keys + (size_t)(used - 1) * width, width))
			memmove(keys + (size_t)used++ * width, keys + (size_t)i * width, width);
	*ret_n = used;
	return keys;
}

/* The piece of a key: the last one that begins at or before it. */
static uint32_t rank_of(const uint8_t *keys, uint32_t n, uint32_t width, const uint8_t *key)
{
	uint32_t a = 0, b = n;

	while (b - a > 1) {
		uint32_t mid = a + (b - a) / 2;

		if (memcmp(keys + (size_t)mid * width, key, width) <= 0)
			a = mid;
		else
			b = mid;
	}
	return a;
}

/* The tree that gives each piece's number. */
static int write_ranks(struct job *j, uint32_t f, const uint8_t *keys, uint32_t n)
{
	uint32_t width = j->shape->width[f], ref;
	AUTO_FREE struct classify_elem *e = malloc(n * sizeof(*e));
	AUTO_FREE uint8_t *ends = malloc((size_t)n * width);
	int err;

	if (!e || !ends)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *end = ends + (size_t)i * width;

		memset(end, 255, width);
		if (i + 1 < n) {
			memcpy(end, keys + (size_t)(i + 1) * width, width);
			for (uint32_t at = width; at-- && end[at]-- == 0;)
				;
		}
		e[i] = (struct classify_elem){keys + (size_t)i * width, end, i};
	}
	err = cls_tree_of(j->x.b, width, false, e, n, &ref);
	if (err)
		return err;
	j->x.b->head->ranks[f] = ref;
	return 0;
}

static int rank_field(struct job *j, uint32_t f)
{
	uint32_t n, width = j->shape->width[f];
	AUTO_FREE uint8_t *keys = field_borders(j, f, &n);

	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < j->x.n; i++) {
		struct cls_range *r = &j->range[i * j->x.fields + f];

		r->lo = rank_of(keys, n, width, j->sorted[i]->lo + j->offset[f]);
		r->hi = rank_of(keys, n, width, j->sorted[i]->hi + j->offset[f]);
		if (r->hi == n - 1)
			r->hi = UINT32_MAX;
	}
	j->x.max[f] = n - 1;
	return write_ranks(j, f, keys, n);
}

/* ---- from elements to boxes ---- */

static int narrow_field(struct job *j, uint32_t f)
{
	uint32_t width = j->shape->width[f], max = (uint32_t)cls_chunk_max(width, 0);

	for (uint32_t i = 0; i < j->x.n; i++) {
		struct cls_range *r = &j->range[i * j->x.fields + f];

		r->lo = narrow_value(j->sorted[i]->lo + j->offset[f], width);
		r->hi = narrow_value(j->sorted[i]->hi + j->offset[f], width);
		if (r->hi == max)
			r->hi = UINT32_MAX;
	}
	j->x.max[f] = max;
	return 0;
}

static int read_fields(struct job *j)
{
	struct cls_boxes *x = &j->x;

	for (uint32_t f = 0, at = 0; f < x->fields; at += j->shape->width[f++]) {
		uint32_t width = j->shape->width[f];
		int err;

		j->offset[f] = at;
		for (uint32_t i = 0; i < x->n; i++)
			if (memcmp(j->sorted[i]->lo + at, j->sorted[i]->hi + at, width) > 0)
				return -EINVAL;
		err = width <= 4 ? narrow_field(j, f) : rank_field(j, f);
		if (err)
			return err;
		for (uint32_t i = 0; i < x->n; i++) {
			struct cls_range r = j->range[i * x->fields + f];

			j->full[i] |= (uint8_t)((r.lo == 0 && r.hi == UINT32_MAX) << f);
		}
	}
	return 0;
}

static int prepare(struct job *j, const struct classify_elem *elems, size_t n)
{
	struct cls_boxes *x = &j->x;

	j->sorted = malloc(MAX(n, 1u) * sizeof(*j->sorted));
	j->index = malloc(MAX(n, 1u) * sizeof(*j->index));
	j->range = malloc(MAX(n * x->fields, 1u) * sizeof(*j->range));
	j->full = calloc(MAX(n, 1u), 1);
	x->evicted = calloc(MAX(n, 1u), 1);
	if (!j->sorted || !j->index || !j->range || !j->full || !x->evicted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		j->sorted[i] = &elems[i];
	qsort(j->sorted, n, sizeof(*j->sorted), compare_index);
	for (size_t i = 0; i < n; i++) {
		j->index[i] = j->sorted[i]->index;
		if (i && j->index[i] == j->index[i - 1])
			return -EEXIST;
	}
	x->n = (uint32_t)n;
	x->range = j->range;
	x->index = j->index;
	x->full = j->full;
	return read_fields(j);
}

static void job_fini(struct job *j)
{
	free(j->sorted);
	free(j->index);
	free(j->range);
	free(j->full);
	free(j->x.evicted);
	free(j->x.filtered);
}

int cls_boxes_build(struct cls_blob *b, const struct classify_shape *shape,
		    const struct classify_elem *elems, size_t n)
{
	struct job j = {
		.x = {.b = b,
		      .fields = shape->n_fields,
		      .all = (uint8_t)((1u << shape->n_fields) - 1),
		      .disjoint = shape->is_mutable},
		.shape = shape,
	};
	int err;

	b->tight = true; /* changes in place change refs, not nodes */
	err = prepare(&j, elems, n);
	if (!err)
		err = cls_boxes_records(&j.x, shape);
	if (!err)
		err = cls_boxes_forest(&j.x);
	b->head->n_elems = (uint32_t)n;
	b->head->depth = j.x.depth;
	b->head->longest = MAX(j.x.longest, 1u);
	job_fini(&j);
	return err;
}

/* ---- info ---- */

void cls_boxes_info(const struct cls_head *h, struct classify_info *ret)
{
	const struct cls_directory *d = cls_at(h, (uint64_t)h->root * CLS_LINE);

	ret->trees = d->n_trees;
	ret->depth = h->depth;
	ret->longest = h->longest;
}
