/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model: classify_model.h. Elements are kept in a sorted array of pointers; disjointness makes
 * a lookup the comparison with one of them.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/classify_model.h"

uint64_t rnd(void)
{
	static uint64_t s;

	if (!s) {
		const char *seed = getenv("TEST_SEED");

		s = 88172645463325252ull ^ (seed ? strtoull(seed, NULL, 0) : 0);
	}
	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s * 0x2545f4914f6cdd1dull >> 16;
}

void model_random_key(const struct model *m, uint8_t *ret)
{
	static const uint8_t few[] = {0, 1, 254, 255};

	for (uint32_t i = 0; i < m->width; i++) {
		uint8_t any = (uint8_t)rnd(), one = few[rnd() % 4];

		switch (m->alphabet) {
		case 0:
			ret[i] = any;
			break;
		case 1:
			ret[i] = i + 2 >= m->width ? any : one;
			break;
		default:
			ret[i] = i + 2 >= m->width ? any : rnd() % 40 ? 255 : one;
		}
	}
}

bool model_step(const struct model *m, const uint8_t *key, int by, uint8_t *ret)
{
	memmove(ret, key, m->width);
	for (uint32_t i = m->width; by && i--;) {
		ret[i] = (uint8_t)(ret[i] + by);
		if (ret[i] != (by > 0 ? 0 : 255))
			return true;
	}
	if (by)
		memmove(ret, key, m->width);
	return !by;
}

/* Elements whose lo is at most @key. */
static size_t rank(const struct model *m, const uint8_t *key)
{
	size_t a = 0, b = m->n;

	while (a < b) {
		size_t mid = (a + b) / 2;

		if (memcmp(m->sorted[mid]->lo, key, m->width) <= 0)
			a = mid + 1;
		else
			b = mid;
	}
	return a;
}

uint32_t model_find(const struct model *m, const uint8_t *key)
{
	size_t r = rank(m, key);

	if (!r || memcmp(key, m->sorted[r - 1]->hi, m->width) > 0)
		return CLASSIFY_MISS;
	return m->sorted[r - 1]->index;
}

bool model_overlaps(const struct model *m, const struct classify_elem *e)
{
	size_t r = rank(m, e->hi);

	return r && memcmp(m->sorted[r - 1]->hi, e->lo, m->width) >= 0;
}

bool model_draw(struct model *m, struct classify_elem *ret)
{
	uint8_t *lo, *hi;

	if (!m->n_free)
		return false;
	lo = malloc(2 * m->width);
	hi = lo + m->width;
	model_random_key(m, lo);
	if (m->n && rnd() % 4 == 0) /* right behind another one */
		model_step(m, m->e[rnd() % m->n].hi, 1, lo);
	memcpy(hi, lo, m->width);
	if (m->ranges && rnd() % 3) {
		uint32_t from = m->width - 1 - (uint32_t)(rnd() % m->width);

		if (rnd() % 2) { /* a short one, or a prefix */
			hi[m->width - 1] |= (uint8_t)rnd();
		} else if (rnd() % 4 == 0) {
			memset(lo + from, 0, m->width - from);
			memset(hi + from, 255, m->width - from);
		} else if (m->width > 1) {
			hi[m->width - 2] |= (uint8_t)(rnd() & 3);
			hi[m->width - 1] = (uint8_t)rnd();
		}
		if (memcmp(lo, hi, m->width) > 0)
			memcpy(hi, lo, m->width);
	}
	*ret = (struct classify_elem){lo, hi, m->free_index[--m->n_free]};
	return true;
}

void model_forget(struct model *m, struct classify_elem *e)
{
	m->free_index[m->n_free++] = e->index;
	free((uint8_t *)e->lo);
}

void model_add(struct model *m, const struct classify_elem *e)
{
	size_t r = rank(m, e->lo);

	m->e[m->n] = *e;
	memmove(m->sorted + r + 1, m->sorted + r, (m->n - r) * sizeof(*m->sorted));
	m->sorted[r] = &m->e[m->n++];
}

bool model_pick(const struct model *m, struct classify_elem *ret)
{
	if (m->n <= m->keep)
		return false;
	*ret = m->e[m->keep + rnd() % (m->n - m->keep)];
	return true;
}

void model_remove(struct model *m, const struct classify_elem *e)
{
	size_t r = rank(m, e->lo) - 1, last;
	struct classify_elem *gone = m->sorted[r], copy = *gone;

	memmove(m->sorted + r, m->sorted + r + 1, (m->n - r - 1) * sizeof(*m->sorted));
	m->n--;
	if (gone != &m->e[m->n]) { /* the last one takes its place */
		last = rank(m, m->e[m->n].lo) - 1;
		*gone = m->e[m->n];
		m->sorted[last] = gone;
	}
	model_forget(m, &copy);
}

void model_init(struct model *m, uint32_t width, size_t n, bool ranges, int alphabet)
{
	struct classify_elem e;

	*m = (struct model){.width = width, .ranges = ranges, .alphabet = alphabet};
	m->capacity = 4 * n + 16;
	m->e = malloc(m->capacity * sizeof(*m->e));
	m->sorted = malloc(m->capacity * sizeof(*m->sorted));
	m->free_index = malloc(m->capacity * sizeof(*m->free_index));
	for (size_t i = 0; i < m->capacity; i++)
		m->free_index[m->n_free++] = (uint32_t)(m->capacity - 1 - i);
	for (size_t tries = 0; m->n < n && tries < 4 * n; tries++) {
		model_draw(m, &e);
		if (model_overlaps(m, &e))
			model_forget(m, &e);
		else
			model_add(m, &e);
	}
}

void model_fini(struct model *m)
{
	for (size_t i = 0; i < m->n; i++)
		free((uint8_t *)m->e[i].lo);
	free(m->e);
	free(m->sorted);
	free(m->free_index);
}
