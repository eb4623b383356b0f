/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fields of a run, and rows over them: a rule is the product of its conditions' ranges.
 */
#include "../dispatch.h"
#include "opt.h"

static const struct opt_cond *find_cond(const struct opt_rule *r, const struct ir_sel *sel)
{
	for (uint32_t i = 0; i < r->n_conds; i++)
		if (r->conds[i].sel == sel)
			return &r->conds[i];
	return NULL;
}

static bool has_field(const struct opt_fields *f, const struct ir_sel *sel)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->sel[i] == sel)
			return true;
	return false;
}

/* A byte for each field's "has a value" is kept free. */
bool opt_fields_add(struct opt_fields *f, const struct opt_rule *r)
{
	struct opt_fields with = *f;

	for (uint32_t i = 0; i < r->n_conds; i++) {
		struct ir_sel *sel = r->conds[i].sel;

		if (has_field(&with, sel))
			continue;
		if (with.n == IR_MAX_FIELDS ||
		    with.width + sel->width + with.n + 1 > CLASSIFY_MAX_WIDTH)
			return false;
		with.sel[with.n++] = sel;
		with.width += sel->width;
	}
	*f = with;
	return true;
}

bool opt_same_fields(const struct opt_rule *a, const struct opt_rule *b)
{
	if (a->n_conds != b->n_conds)
		return false;
	for (uint32_t i = 0; i < a->n_conds; i++)
		if (a->conds[i].sel != b->conds[i].sel)
			return false;
	return true;
}

uint32_t opt_n_rows(const struct opt_rule *r)
{
	uint64_t n = 1;

	for (uint32_t i = 0; i < r->n_conds && n <= UINT32_MAX; i++)
		n *= r->conds[i].n_ranges;
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* The @k-th of the product: the ranges' numbers are its digits. */
static void fill_row(const struct ir_dispatch *d, const struct opt_rule *r, uint32_t k, uint8_t *lo,
		     uint8_t *hi, uint8_t *any)
{
	for (uint32_t i = 0; i < d->n_fields; i++) {
		const struct opt_cond *c = find_cond(r, d->fields[i]);
		uint32_t width = d->fields[i]->width;

		if (c) {
			memcpy(lo, c->ranges[k % c->n_ranges].lo, width);
			memcpy(hi, c->ranges[k % c->n_ranges].hi, width);
			k /= c->n_ranges;
		} else {
			*any |= (uint8_t)(1u << i);
			memset(lo, 0, width);
			memset(hi, 0xff, width);
		}
		lo += width;
		hi += width;
	}
}

void opt_add_rows(struct ir *ir, struct ir_dispatch *d, const struct opt_rule *r, uint32_t number)
{
	uint32_t n = opt_n_rows(r);
	uint8_t *bytes = arena_alloc(ir->arena, 2 * (size_t)n * d->width);

	for (uint32_t k = 0; k < n; k++, bytes += 2 * d->width) {
		struct ir_row row = {.lo = bytes, .hi = bytes + d->width, .rule = number};

		fill_row(d, r, k, bytes, bytes + d->width, &row.any);
		ARENA_PUSH(ir->arena, d->rows, d->n_rows, row);
	}
}
