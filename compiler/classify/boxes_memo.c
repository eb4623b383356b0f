/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was built for which list of boxes. Cuts are at every border of a field, so a tree is
 * determined by its list and by the fields that are already decided: wherever the same list comes
 * up again, the same tree serves. This keeps lists with many ranges of ports small.
 */
#include <errno.h>

#include "boxes.h"

struct known {
	uint64_t hash;
	size_t at; /* of the list in .lists */
	uint32_t n, ref, level;
	uint8_t done;
};

struct cls_memo {
	struct known *slots; /* a power of two, ref 0: free */
	size_t n_slots, used;
	uint32_t *lists;
	size_t n_lists, max_lists;
};

struct cls_memo *cls_memo_new(void)
{
	return calloc(1, sizeof(struct cls_memo));
}

void cls_memo_free(struct cls_memo *m)
{
	if (!m)
		return;
	free(m->slots);
	free(m->lists);
	free(m);
}

static uint64_t hash_list(uint8_t done, const uint32_t *list, uint32_t n)
{
	uint64_t h = done + 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; i < n; i++) {
		h = (h ^ list[i]) * 0xd6e8feb86659fd93ull;
		h ^= h >> 32;
	}
	return h;
}

uint32_t cls_memo_find(const struct cls_memo *m, uint8_t done, uint32_t level, const uint32_t *list,
		       uint32_t n)
{
	uint64_t h = hash_list(done, list, n);

	if (!m->n_slots)
		return 0;
	for (size_t i = h & (m->n_slots - 1); m->slots[i].ref; i = (i + 1) & (m->n_slots - 1)) {
		const struct known *k = &m->slots[i];

		if (k->hash == h && k->n == n && k->done == done && k->level >= level &&
		    !memcmp(m->lists + k->at, list, n * sizeof(*list)))
			return k->ref;
	}
	return 0;
}

static void put(struct cls_memo *m, struct known k)
{
	size_t i = k.hash & (m->n_slots - 1);

	while (m->slots[i].ref)
		i = (i + 1) & (m->n_slots - 1);
	m->slots[i] = k;
	m->used++;
}

static int grow(struct cls_memo *m)
{
	struct cls_memo old = *m;

	m->n_slots = MAX(2 * old.n_slots, 256u);
	m->slots = calloc(m->n_slots, sizeof(*m->slots));
	if (!m->slots) {
		*m = old;
		return -ENOMEM;
	}
	m->used = 0;
	for (size_t i = 0; i < old.n_slots; i++)
		if (old.slots[i].ref)
			put(m, old.slots[i]);
	free(old.slots);
	return 0;
}

int cls_memo_add(struct cls_memo *m, uint8_t done, uint32_t level, const uint32_t *list, uint32_t n,
		 uint32_t ref)
{
	if (2 * m->used >= m->n_slots && grow(m))
		return -ENOMEM;
	if (m->n_lists + n > m->max_lists) {
		size_t max = MAX(2 * m->max_lists, m->n_lists + n + 1024);
		uint32_t *lists = realloc(m->lists, max * sizeof(*lists));

		if (!lists)
			return -ENOMEM;
		m->lists = lists;
		m->max_lists = max;
	}
	memcpy(m->lists + m->n_lists, list, n * sizeof(*list));
	put(m, (struct known){hash_list(done, list, n), m->n_lists, n, ref, level, done});
	m->n_lists += n;
	return 0;
}
