/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of values as ranges, disjoint and ascending: and, or, not. Byte strings, as ir.h has them.
 */
#include "opt.h"

const uint8_t *opt_bytes(struct ir *ir, uint32_t width, uint8_t with)
{
	uint8_t *bytes = arena_alloc(ir->arena, width);

	memset(bytes, with, width);
	return bytes;
}

bool opt_neighbour(struct ir *ir, const uint8_t *from, uint32_t width, bool up, const uint8_t **ret)
{
	uint8_t *b = arena_memdup(ir->arena, from, width);

	for (uint32_t i = width; i-- > 0;) {
		if (up ? ++b[i] != 0 : b[i]-- != 0) {
			*ret = b;
			return true;
		}
	}
	return false;
}

bool opt_ranges_not(struct ir *ir, const struct opt_ranges *of, uint32_t width,
		    struct opt_ranges *ret)
{
	const uint8_t *from = opt_bytes(ir, width, 0);
	bool open = true;

	ret->n = 0;
	for (uint32_t i = 0; i < of->n && open; i++) {
		if (memcmp(from, of->r[i].lo, width) < 0) {
			if (ret->n == OPT_MAX_RANGES)
				return false;
			ret->r[ret->n].lo = from;
			opt_neighbour(ir, of->r[i].lo, width, false, &ret->r[ret->n++].hi);
		}
		open = opt_neighbour(ir, of->r[i].hi, width, true, &from);
	}
	if (open) {
		if (ret->n == OPT_MAX_RANGES)
			return false;
		ret->r[ret->n++] = (struct opt_range){from, opt_bytes(ir, width, 0xff)};
	}
	return true;
}

static const uint8_t *later(const uint8_t *a, const uint8_t *b, uint32_t width)
{
	return memcmp(a, b, width) >= 0 ? a : b;
}

static const uint8_t *earlier(const uint8_t *a, const uint8_t *b, uint32_t width)
{
	return memcmp(a, b, width) <= 0 ? a : b;
}

bool opt_ranges_and(const struct opt_range *a, uint32_t n, const struct opt_ranges *b,
		    uint32_t width, struct opt_ranges *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < b->n; k++) {
			const uint8_t *lo = later(a[i].lo, b->r[k].lo, width);
			const uint8_t *hi = earlier(a[i].hi, b->r[k].hi, width);

			if (memcmp(lo, hi, width) > 0)
				continue;
			if (ret->n == OPT_MAX_RANGES)
				return false;
			ret->r[ret->n++] = (struct opt_range){lo, hi};
		}
	}
	return true;
}

/* The one that begins first; both have more. */
static struct opt_range take_first(const struct opt_range *a, uint32_t na, uint32_t *i,
				   const struct opt_range *b, uint32_t nb, uint32_t *k,
				   uint32_t width)
{
	if (*k == nb || (*i < na && memcmp(a[*i].lo, b[*k].lo, width) <= 0))
		return a[(*i)++];
	return b[(*k)++];
}

bool opt_ranges_or(const struct opt_range *a, uint32_t na, const struct opt_range *b, uint32_t nb,
		   uint32_t width, struct opt_ranges *ret)
{
	uint32_t i = 0, k = 0;

	ret->n = 0;
	while (i < na || k < nb) {
		struct opt_range r = take_first(a, na, &i, b, nb, &k, width);
		struct opt_range *last = ret->n ? &ret->r[ret->n - 1] : NULL;

		if (last && memcmp(r.lo, last->hi, width) <= 0) {
			last->hi = memcmp(r.hi, last->hi, width) > 0 ? r.hi : last->hi;
			continue;
		}
		if (ret->n == OPT_MAX_RANGES)
			return false;
		ret->r[ret->n++] = r;
	}
	return true;
}

bool opt_ranges_within(const struct opt_range *a, uint32_t na, const struct opt_range *b,
		       uint32_t nb, uint32_t width)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < na; i++) {
		while (k < nb && memcmp(b[k].hi, a[i].lo, width) < 0)
			k++;
		if (k == nb || memcmp(b[k].lo, a[i].lo, width) > 0 ||
		    memcmp(b[k].hi, a[i].hi, width) < 0)
			return false;
	}
	return true;
}
