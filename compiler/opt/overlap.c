/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules that may pass a packet on to the next one must not share a packet with a later rule of
 * their run: the dispatch looks only once. Here rows are added one rule after the other, and the
 * first that such a rule stands before ends the run.
 */
#include "../ir_index.h"
#include "overlap.h"

enum { MAX_COMPARES = 20000000 };

void opt_overlap_init(struct opt_overlap *o, struct arena *a, const struct ir_dispatch *d)
{
	*o = (struct opt_overlap){.a = a, .d = d};
}

static bool is_point(const struct ir_dispatch *d, const struct ir_row *r)
{
	return !r->any && memcmp(r->lo, r->hi, d->width) == 0;
}

static bool rows_meet(const struct ir_dispatch *d, const struct ir_row *a, const struct ir_row *b)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < d->n_fields; at += d->fields[i++]->width) {
		uint32_t width = d->fields[i]->width;

		if (memcmp(a->lo + at, b->hi + at, width) > 0 ||
		    memcmp(b->lo + at, a->hi + at, width) > 0)
			return false;
	}
	return true;
}

static bool meets_list(struct opt_overlap *o, struct ir_row *list, size_t n, const struct ir_row *r)
{
	o->compares += n;
	for (size_t i = 0; i < n; i++)
		if (rows_meet(o->d, &list[i], r))
			return true;
	return false;
}

static bool meets_point(struct opt_overlap *o, const struct ir_row *r)
{
	uint64_t h = ir_hash(IR_HASH_INIT, r->lo, o->d->width);
	const struct ir_row *p;
	size_t pos = 0;

	if (!is_point(o->d, r))
		return meets_list(o, o->points, o->n_points, r);
	while ((p = ir_index_next(&o->index, h, &pos)))
		if (memcmp(p->lo, r->lo, o->d->width) == 0)
			return true;
	return false;
}

bool opt_overlap_meets(struct opt_overlap *o, const struct ir_row *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (meets_list(o, o->boxes, o->n_boxes, &rows[i]) || meets_point(o, &rows[i]))
			return true;
	return o->compares > MAX_COMPARES;
}

void opt_overlap_add(struct opt_overlap *o, const struct ir_row *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (is_point(o->d, &rows[i])) {
			struct ir_row *copy = arena_memdup(o->a, &rows[i], sizeof(*copy));

			ir_index_add(&o->index, o->a, ir_hash(IR_HASH_INIT, copy->lo, o->d->width),
				     copy);
			ARENA_PUSH(o->a, o->points, o->n_points, rows[i]);
		} else {
			ARENA_PUSH(o->a, o->boxes, o->n_boxes, rows[i]);
		}
	}
}
