/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the tables of dispatches, the records of templates and the kinds of sets' elements lie: one
 * behind the other in a map, or in as many as it takes. To a packet that is no cost, the address is a
 * constant in the code. They are of the loader's making (emit_options.maps_elsewhere); in an object of
 * its own LLVM places them.
 */
#include <stdlib.h>

#include "classify/layout.h"
#include "dispatch.h"
#include "set_table.h"
#include "template.h"

enum { MAP_MAX = 256 << 20 }; /* bytes; the verifier's offsets end at BPF_MAX_VAR_OFF, 512 MiB */

int tables_each(const struct ir *ir, int (*fn)(void *arg, const struct table_bytes *t), void *arg)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_chains; i++) {
		const struct ir_chain *c = ir->chains[i];

		/* Of a template only the model is code. */
		for (uint32_t k = 0; !err && template_model(c) == c && k < c->n_rules; k++) {
			const struct ir_rule *r = &c->rules[k];
			const struct ir_dispatch *d;
			struct dispatch_table *t;

			if (!ir_rule_is_dispatch(r))
				continue;
			d = r->steps[r->n_steps - 1].dispatch;
			t = (struct dispatch_table *)d->table;
			if (t && t->blob)
				err = fn(arg, &(struct table_bytes){
						      t->blob, t->blob_size, t->blob_size,
						      ir->calls_boxes && d->form == IR_FORM_BOXES,
						      &t->place});
		}
	}
	for (uint32_t i = 0; !err && i < ir->n_templates; i++) {
		struct ir_template *t = ir->templates[i];
		size_t each = t->n_words * sizeof(uint32_t);

		if (each)
			err = fn(arg, &(struct table_bytes){t->records, t->n * each,
							    template_room(t) * each, false, &t->place});
	}
	for (uint32_t i = 0; !err && i < ir->n_sets; i++) {
		struct set_table *t = ir->sets[i]->table;
		size_t size = t ? (size_t)t->n_kinds * t->row_words * sizeof(*t->rows) : 0;

		if (t && t->rows)
			err = fn(arg, &(struct table_bytes){t->rows, size, size, false,
							    &t->rows_place});
	}
	return err;
}

struct placing {
	struct table_bytes *called;
	size_t n_called;
	struct arena *arena;
	struct map_place next;
};

static int list_called(void *arg, const struct table_bytes *t)
{
	struct placing *l = arg;

	if (t->is_called)
		ARENA_PUSH(l->arena, l->called, l->n_called, *t);
	return 0;
}

static int by_size(const void *pa, const void *pb)
{
	const struct table_bytes *a = pa, *b = pb;

	return (a->room > b->room) - (a->room < b->room);
}

static void place(struct map_place *next, const struct table_bytes *t)
{
	if (next->offset && next->offset + t->room > MAP_MAX) {
		next->map++;
		next->offset = 0;
	}
	*t->place = *next;
	next->offset += (uint32_t)ROUND_UP(t->room, (size_t)64);
}

/*
 * The largest last: there is room for it behind the place of any, so that the verifier need not know
 * which of them is meant.
 */
static void place_called(struct placing *l)
{
	if (l->n_called)
		qsort(l->called, l->n_called, sizeof(*l->called), by_size);
	for (size_t i = 0; i < l->n_called; i++)
		place(&l->next, &l->called[i]);
}

static int place_other(void *arg, const struct table_bytes *t)
{
	struct placing *l = arg;

	if (!t->is_called)
		place(&l->next, t);
	return 0;
}

struct bounds {
	uint32_t map;
	uint64_t last, limit;
};

static int add_bounds(void *arg, const struct table_bytes *t)
{
	struct bounds *b = arg;

	if (t->is_called && t->place->map == b->map) {
		b->last = MAX(b->last, (uint64_t)t->place->offset);
		b->limit = MAX(b->limit, (uint64_t)t->room - CLS_TAIL);
	}
	return 0;
}

void tables_bounds(const struct ir *ir, uint32_t map, uint64_t *ret_last, uint64_t *ret_limit)
{
	struct bounds b = {.map = map};

	tables_each(ir, add_bounds, &b);
	*ret_last = b.last;
	*ret_limit = b.limit;
}

int tables_place(struct ir *ir)
{
	struct placing l = {.arena = ir->arena};

	for (uint32_t i = 0; i < ir->n_chains; i++) {
		const struct ir_chain *c = ir->chains[i];

		for (uint32_t k = 0; k < c->n_rules; k++) {
			const struct dispatch_table *t;
			int err;

			if (!ir_rule_is_dispatch(&c->rules[k]) || template_model(c) != c)
				continue;
			err = dispatch_table_get(ir, c->rules[k].steps[c->rules[k].n_steps - 1].dispatch,
						 &t);
			if (err)
				return err;
		}
	}
	tables_each(ir, list_called, &l);
	place_called(&l);
	return tables_each(ir, place_other, &l);
}
