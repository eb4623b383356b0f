/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which map holds the blob of which set.
 *
 * Each its own, so that it may stay when others change (runtime/kept.c); but a program has no more
 * than 64 maps (MAX_USED_MAPS of the kernel). Of many sets the blobs stand one behind the other in a
 * map that they share, and are looked up by functions that they share, too (emit/shared.c): boxes
 * already when they are a few, since their look-ups cost the verifier most.
 */
#include "classify/layout.h"
#include "set_table.h"

enum {
	OWN_MAX = 48, /* the rest of the 64 is for counters, states, dispatches */
	OWN_BOXES_MAX = 4,
	SHARED_MAX = 256 << 20, /* bytes; the verifier's offsets end at BPF_MAX_VAR_OFF, 512 MiB */
};

static bool has_blob(const struct ir_set *s)
{
	return s->table && s->table->blob;
}

static bool is_boxes(const struct ir_set *s)
{
	return has_blob(s) && s->table->form == SET_FORM_BOXES;
}

static void decide(const struct ir *ir)
{
	uint32_t n = 0, boxes = 0;

	for (uint32_t i = 0; i < ir->n_sets; i++) {
		n += has_blob(ir->sets[i]) || ir->sets[i]->is_dynamic;
		boxes += is_boxes(ir->sets[i]);
	}
	for (uint32_t i = 0; i < ir->n_sets; i++)
		if (has_blob(ir->sets[i]))
			ir->sets[i]->table->shares =
				n > OWN_MAX || (boxes > OWN_BOXES_MAX && is_boxes(ir->sets[i]));
}

void set_tables_place(struct ir *ir)
{
	uint64_t end = 0;
	uint32_t map = 0;

	decide(ir);
	for (uint32_t i = 0; i < ir->n_sets; i++) {
		struct set_table *t = ir->sets[i]->table;

		if (!has_blob(ir->sets[i]))
			continue;
		t->map = ir->sets[i]->id;
		t->map_offset = 0;
		if (!t->shares)
			continue;
		if (!end || end + t->blob_size > SHARED_MAX) {
			map = t->map;
			end = 0;
		}
		t->map = map;
		t->map_offset = (uint32_t)end;
		end += ROUND_UP(t->blob_size, (size_t)64);
	}
}

void set_map_bounds(const struct ir *ir, uint32_t map, uint64_t *ret_last, uint64_t *ret_limit)
{
	uint64_t last = 0, limit = 0;

	for (uint32_t i = 0; i < ir->n_sets; i++) {
		const struct set_table *t = ir->sets[i]->table;

		if (!has_blob(ir->sets[i]) || t->map != map)
			continue;
		last = MAX(last, (uint64_t)t->map_offset);
		limit = MAX(limit, (uint64_t)t->blob_size - CLS_TAIL);
	}
	*ret_last = last;
	*ret_limit = limit;
}

size_t set_map_size(const struct ir *ir, uint32_t map)
{
	uint64_t last, limit;

	set_map_bounds(ir, map, &last, &limit);
	return last + limit + CLS_TAIL;
}
