/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte strings as big-endian numbers, and set elements as ranges of them.
 */
#include "draft.h"

bool bytes_add(uint8_t *v, uint32_t n, int delta)
{
	int carry = delta;

	for (uint32_t i = n; i-- > 0 && carry;) {
		int x = v[i] + carry;

		v[i] = (uint8_t)x;
		carry = x < 0 ? -1 : x > 255;
	}
	return carry == 0;
}

static void bytes_sub(uint8_t *out, const uint8_t *a, const uint8_t *b, uint32_t n)
{
	int borrow = 0;

	for (uint32_t i = n; i-- > 0;) {
		int x = a[i] - b[i] - borrow;

		out[i] = (uint8_t)x;
		borrow = x < 0;
	}
}

/* Random, no greater than @max: of as many bits, drawn until it fits. */
static void bytes_upto(uint8_t *out, const uint8_t *max, uint32_t n, struct rng *rng)
{
	uint32_t first = 0;
	uint8_t top = 0xff;

	memset(out, 0, n);
	while (first < n && max[first] == 0)
		first++;
	if (first == n)
		return;
	while (top / 2 >= max[first])
		top /= 2;
	do {
		rng_bytes(rng, out + first, n - first);
		out[first] &= top;
	} while (memcmp(out, max, n) > 0);
}

void bytes_between(uint8_t *out, const uint8_t *lo, const uint8_t *hi, uint32_t n, struct rng *rng)
{
	uint8_t span[IR_MAX_WIDTH], add[IR_MAX_WIDTH];
	int carry = 0;

	switch (rng_below(rng, 5)) {
	case 0:
		memcpy(out, lo, n);
		return;
	case 1:
		memcpy(out, hi, n);
		return;
	}
	bytes_sub(span, hi, lo, n);
	bytes_upto(add, span, n, rng);
	for (uint32_t i = n; i-- > 0;) {
		int x = lo[i] + add[i] + carry;

		out[i] = (uint8_t)x;
		carry = x >> 8;
	}
}

/* As nf_tables decides: fields if ranged, else one number. */
static bool elem_has(const struct ir_set *set, const struct ir_elem *e, const uint8_t *key)
{
	uint32_t at = 0;

	if (!e->lo)
		return true;
	if (!set->ranged)
		return memcmp(e->lo, key, set->width) <= 0 && memcmp(key, e->hi, set->width) <= 0;
	for (uint32_t f = 0; f < set->n_fields; f++) {
		uint32_t w = set->field_width[f];

		if (memcmp(e->lo + at, key + at, w) > 0 || memcmp(key + at, e->hi + at, w) > 0)
			return false;
		at += w;
	}
	return true;
}

const struct ir_elem *set_find(const struct ir_set *set, const uint8_t *key)
{
	for (size_t i = 0; i < set->n_elems; i++)
		if (elem_has(set, &set->elems[i], key))
			return &set->elems[i];
	return NULL;
}
