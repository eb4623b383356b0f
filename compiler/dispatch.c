/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of a dispatch: keys out of rows, in the form that was chosen, and what they lead to.
 */
#include "dispatch.h"

#include <errno.h>
#include <linux/netfilter.h>

#include "ir_index.h"

bool sel_may_lack(const struct ir_sel *sel, uint8_t pf)
{
	bool is_v4 = pf == NFPROTO_IPV4;

	if (!sel->partial)
		return false;
	if (sel->op == IR_MAP)
		return true;
	if (sel->op == IR_LEAF) {
		if (strcmp(sel->leaf->name, "load nh") == 0)
			return sel->param[0] + sel->width > (is_v4 ? 20u : 40u);
		/* IPv6: none behind a truncated extension header. */
		return !(is_v4 && strcmp(sel->leaf->name, "meta l4proto") == 0);
	}
	for (uint32_t i = 0; i < sel->n_args; i++)
		if (sel_may_lack(sel->args[i], pf))
			return true;
	return false;
}

/* ---- keys ---- */

static uint32_t number(const uint8_t *bytes, uint32_t width)
{
	return width == 1 ? bytes[0] : (uint32_t)bytes[0] << 8 | bytes[1];
}

/* A value of field @f, which is at byte @at of rows, that no row asks for. */
static bool find_stand_in(const struct ir_dispatch *d, uint32_t f, uint32_t at, uint16_t *ret)
{
	uint32_t width = d->fields[f]->width, n = 1u << 8 * width;
	AUTO_FREE int32_t *change = calloc(n + 1, sizeof(*change));
	int32_t rows = 0;

	if (!change)
		return false;
	for (uint32_t i = 0; i < d->n_rows; i++) {
		const struct ir_row *row = &d->rows[i];

		if (row->any & 1u << f)
			continue;
		change[number(row->lo + at, width)]++;
		change[number(row->hi + at, width) + 1]--;
	}
	for (uint32_t v = 0; v < n; v++) {
		rows += change[v];
		if (!rows) {
			*ret = (uint16_t)v;
			return true;
		}
	}
	return false;
}

/* Boxes: a field lacks no value that another one can stand for; narrow ones go last. */
static void arrange_boxes(const struct ir_dispatch *d, struct dispatch_table *t)
{
	uint32_t at = 0, n = 0;

	for (uint32_t i = 0; i < d->n_fields; at += d->fields[i++]->width) {
		if (!t->lacks[i] || d->fields[i]->width > 2 ||
		    !find_stand_in(d, i, at, &t->stand_in[i]))
			continue;
		t->lacks[i] = false;
		t->replaced[i] = true;
		t->key_width--;
	}
	for (uint32_t narrow = 0; narrow < 2; narrow++)
		for (uint32_t i = 0; i < d->n_fields; i++)
			if ((d->fields[i]->width + t->lacks[i] <= 2) == narrow)
				t->order[n++] = (uint8_t)i;
}

static void find_lacks(const struct ir_dispatch *d, struct dispatch_table *t)
{
	uint8_t any = 0, pf = d->n_rules ? d->rules[0].chain->pf : NFPROTO_IPV6;

	for (uint32_t i = 0; i < d->n_rows; i++)
		any |= d->rows[i].any;
	t->key_width = d->width;
	for (uint32_t i = 0; i < d->n_fields; i++) {
		t->lacks[i] = (any & 1u << i) && sel_may_lack(d->fields[i], pf);
		t->key_width += t->lacks[i];
		t->order[i] = (uint8_t)i;
	}
	if (d->form == IR_FORM_BOXES)
		arrange_boxes(d, t);
}

/* @upper: the row's upper bound. */
static const uint8_t *make_key(struct arena *a, const struct ir_dispatch *d,
			       const struct dispatch_table *t, const struct ir_row *row, bool upper)
{
	const uint8_t *from = upper ? row->hi : row->lo;
	uint32_t at[IR_MAX_FIELDS] = {0};
	uint8_t *key, *to;

	if (t->key_width == d->width && d->form != IR_FORM_BOXES)
		return from;
	for (uint32_t i = 1; i < d->n_fields; i++)
		at[i] = at[i - 1] + d->fields[i - 1]->width;
	key = to = arena_alloc(a, t->key_width);
	for (uint32_t k = 0; k < d->n_fields; k++) {
		uint32_t i = t->order[k], width = d->fields[i]->width;

		if (t->lacks[i]) /* any: up to the highest key, which spares a border */
			*to++ = row->any & 1u << i ? (upper ? 255 : 0) : 1;
		memcpy(to, from + at[i], width);
		to += width;
	}
	return key;
}

static struct dispatch_piece *make_keys(struct arena *a, const struct ir_dispatch *d,
					const struct dispatch_table *t)
{
	struct dispatch_piece *rows = arena_alloc(a, MAX(d->n_rows, 1u) * sizeof(*rows));

	for (uint32_t i = 0; i < d->n_rows; i++) {
		const struct ir_row *row = &d->rows[i];

		rows[i].rule = row->rule;
		rows[i].lo = rows[i].hi = make_key(a, d, t, row, false);
		if (row->any || memcmp(row->lo, row->hi, d->width) != 0)
			rows[i].hi = make_key(a, d, t, row, true);
	}
	return rows;
}

static bool all_points(const struct ir_dispatch *d, const struct dispatch_piece *rows)
{
	for (uint32_t i = 0; i < d->n_rows; i++)
		if (rows[i].lo != rows[i].hi)
			return false;
	return true;
}

/* Intervals of the whole key: only the last field is not a point. */
static bool all_intervals(const struct ir_dispatch *d, const struct dispatch_table *t,
			  const struct dispatch_piece *rows)
{
	uint32_t last = d->n_fields - 1, before;

	before = t->key_width - d->fields[last]->width - t->lacks[last];
	for (uint32_t i = 0; i < d->n_rows; i++)
		if (memcmp(rows[i].lo, rows[i].hi, before) != 0)
			return false;
	return true;
}

/* Of equal points the first stays. */
static void distinct_points(struct arena *a, const struct ir_dispatch *d, struct dispatch_table *t,
			    const struct dispatch_piece *rows)
{
	struct ir_index known = {0};

	for (uint32_t i = 0; i < d->n_rows; i++) {
		uint64_t h = ir_hash(IR_HASH_INIT, rows[i].lo, t->key_width);
		const uint8_t *k;
		size_t pos = 0;

		while ((k = ir_index_next(&known, h, &pos)))
			if (memcmp(k, rows[i].lo, t->key_width) == 0)
				break;
		if (k)
			continue;
		ir_index_add(&known, a, h, (void *)rows[i].lo);
		ARENA_PUSH(a, t->pieces, t->n_pieces, rows[i]);
	}
}

static int make_pieces(struct arena *a, const struct ir_dispatch *d, struct dispatch_table *t)
{
	struct dispatch_piece *rows = make_keys(a, d, t);

	switch (d->form) {
	case IR_FORM_HASH:
		if (!all_points(d, rows) || t->key_width > CLASSIFY_MAX_WIDTH)
			return -EINVAL;
		distinct_points(a, d, t, rows);
		return 0;
	case IR_FORM_CODE:
	case IR_FORM_TREE:
		if (!all_intervals(d, t, rows) || t->key_width > CLASSIFY_MAX_WIDTH)
			return -EINVAL;
		dispatch_sweep(a, rows, d->n_rows, t->key_width, &t->pieces, &t->n_pieces);
		return d->form == IR_FORM_CODE && t->n_pieces > DISPATCH_MAX_CODE ? -E2BIG : 0;
	case IR_FORM_BOXES:
		t->pieces = rows;
		t->n_pieces = d->n_rows;
		return 0;
	}
	return -EINVAL;
}

/* ---- the blob ---- */

static void fill_shape(const struct ir *ir, const struct ir_dispatch *d,
		       const struct dispatch_table *t, struct classify_shape *ret)
{
	static const enum classify_kind kinds[] = {
		[IR_FORM_HASH] = CLASSIFY_HASH,
		[IR_FORM_TREE] = CLASSIFY_TREE,
		[IR_FORM_BOXES] = CLASSIFY_BOXES,
	};
	struct classify_shape s = {
		.kind = kinds[d->form],
		.n_fields = 1,
		.width = {(uint8_t)t->key_width},
		.capacity = (uint32_t)with_room(MAX(t->n_pieces, 1u), 8),
		.value_size = 4 * dispatch_words(t),
		.seed = ir->seed,
	};

	if (d->form == IR_FORM_BOXES) {
		s.n_fields = d->n_fields;
		s.packed = true;
		for (uint32_t i = 0; i < d->n_fields; i++) {
			uint32_t f = t->order[i];

			s.width[i] = (uint8_t)(d->fields[f]->width + t->lacks[f]);
		}
	}
	*ret = s;
}

static int make_blob(struct ir *ir, const struct ir_dispatch *d, struct dispatch_table *t)
{
	AUTO_FREE struct classify_elem *elems = calloc(t->n_pieces + 1u, sizeof(*elems));
	uint32_t words[1 + DISPATCH_MAX_NUMBERS];
	AUTO_FREE void *blob = NULL;
	struct classify_shape shape;
	int err;

	if (!elems)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_pieces; i++)
		elems[i] = (struct classify_elem){t->pieces[i].lo, t->pieces[i].hi, i};
	fill_shape(ir, d, t, &shape);
	err = classify_build(&shape, elems, t->n_pieces, &blob, &t->blob_size);
	if (err)
		return err;
	for (uint32_t i = 0; i < t->n_pieces && shape.value_size; i++) {
		dispatch_record(d, t, t->pieces[i].rule, words);
		classify_set_value(blob, i, words);
	}
	t->blob = arena_memdup(ir->arena, blob, t->blob_size);
	return classify_info(t->blob, t->blob_size, &t->info);
}

int dispatch_table_get(struct ir *ir, struct ir_dispatch *d, const struct dispatch_table **ret)
{
	struct dispatch_table *t;
	int err;

	if (!d->table) {
		t = ARENA_NEW(ir->arena, struct dispatch_table);
		find_lacks(d, t);
		err = dispatch_shapes(ir->arena, d, t);
		if (!err)
			err = make_pieces(ir->arena, d, t);
		if (!err && d->form != IR_FORM_CODE)
			err = make_blob(ir, d, t);
		if (err)
			return err;
		d->table = t;
	}
	*ret = d->table;
	return 0;
}

uint32_t dispatch_cost(const struct ir_dispatch *d, const struct dispatch_table *t)
{
	uint32_t row = t->n_pieces, levels = 0;

	if (d->form != IR_FORM_CODE)
		return t->info.cost_ns;
	for (; row > DISPATCH_LINEAR; row = (row + 1) / 2)
		levels++;
	return 2 + row / 2 + 4 * levels;
}
