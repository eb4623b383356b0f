/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the IR finds what it already has: hash tables from a hash to pointers. What is equal is for
 * the caller to say, who goes through the candidates. Private to ir.c and ir_sel.c.
 */
#ifndef NFT_BPF_COMPILER_IR_INDEX_H
#define NFT_BPF_COMPILER_IR_INDEX_H

#include "ir.h"

struct ir_index {
	struct ir_index_slot {
		uint64_t hash;
		void *item; /* NULL: free */
	} * slots;
	size_t n, room; /* room: 0 or a power of two */
};

struct ir_tables {
	struct ir_index sels, chains, sets, states;
};

/* Candidates of @hash, one per call, starting with *pos = 0; NULL at the end. */
static inline void *ir_index_next(const struct ir_index *x, uint64_t hash, size_t *pos)
{
	while (*pos < x->room) {
		const struct ir_index_slot *s = &x->slots[(hash + (*pos)++) & (x->room - 1)];

		if (!s->item)
			return NULL;
		if (s->hash == hash)
			return s->item;
	}
	return NULL;
}

void ir_index_add(struct ir_index *x, struct arena *a, uint64_t hash, void *item);

/* FNV-1a, continued from @h. */
#define IR_HASH_INIT 0xcbf29ce484222325ull
static inline uint64_t ir_hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

static inline uint64_t ir_hash_u64(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ (h >> 29);
}

#endif
