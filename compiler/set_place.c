/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which map holds the blob of which set.
 *
 * Each its own, so that it may stay when others change (runtime/kept.c); but a program has no more
 * than 64 maps (MAX_USED_MAPS of the kernel). Of many sets the blobs stand one behind the other in a
 * map that they share. To a packet that is the same: the address is a constant in the code.
 */
#include "set_table.h"

enum {
	OWN_MAX = 48, /* the rest of the 64 is for counters, states, dispatches */
	SHARED_MAX = 256 << 20, /* bytes; the verifier's offsets end at BPF_MAX_VAR_OFF, 512 MiB */
};

static bool has_blob(const struct ir_set *s)
{
	return s->table && s->table->blob;
}

static bool are_many(const struct ir *ir)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ir->n_sets; i++)
		n += has_blob(ir->sets[i]) || ir->sets[i]->is_dynamic;
	return n > OWN_MAX;
}

void set_tables_place(struct ir *ir)
{
	bool share = are_many(ir);
	uint64_t end = 0;
	uint32_t map = 0;

	for (uint32_t i = 0; i < ir->n_sets; i++) {
		struct set_table *t = ir->sets[i]->table;

		if (!has_blob(ir->sets[i]))
			continue;
		if (!share || !end || end + t->blob_size > SHARED_MAX) {
			map = ir->sets[i]->id;
			end = 0;
		}
		t->map = map;
		t->map_offset = (uint32_t)end;
		t->shares = share;
		end += ROUND_UP(t->blob_size, (size_t)64);
	}
}

size_t set_map_size(const struct ir *ir, uint32_t map)
{
	size_t size = 0;

	for (uint32_t i = 0; i < ir->n_sets; i++) {
		const struct set_table *t = ir->sets[i]->table;

		if (has_blob(ir->sets[i]) && t->map == map)
			size = MAX(size, t->map_offset + t->blob_size);
	}
	return size;
}
