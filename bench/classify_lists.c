/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made-up sets and rule lists: classify_lists.h.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/classify_lists.h"
#include "compiler/util.h"

static uint64_t rnd(void)
{
	static uint64_t s = 0x853c49e6748fea9bull;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s * 0x2545f4914f6cdd1dull >> 16;
}

static void random_bytes(uint8_t *p, uint32_t n)
{
	while (n--)
		*p++ = (uint8_t)rnd();
}

static void draw_single(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	random_bytes(lo, width);
	memcpy(hi, lo, width);
}

/* Prefix of @bits in the field at lo, hi. */
static void make_prefix(uint8_t *lo, uint8_t *hi, uint32_t width, uint32_t bits)
{
	for (uint32_t i = 0; i < width; i++) {
		uint32_t keep = bits >= 8 ? 8 : bits;
		uint8_t mask = (uint8_t)(0xff00 >> keep);

		lo[i] &= mask;
		hi[i] = (uint8_t)(lo[i] | ~mask);
		bits -= keep;
	}
}

/* Mostly hosts and small networks of v4. */
static void draw_v4_net(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	random_bytes(lo, width);
	make_prefix(lo, hi, width, 20 + (uint32_t)(rnd() % 13));
}

static void draw_v6_net(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	static const uint8_t bits[] = {48, 56, 64, 64, 64, 128};

	random_bytes(lo, width);
	lo[0] = 0x20;
	lo[1] &= 0x1f;
	make_prefix(lo, hi, width, bits[rnd() % ARRAY_SIZE(bits)]);
}

static void key_v6(uint8_t *key, uint32_t width)
{
	random_bytes(key, width);
	key[0] = 0x20;
	key[1] &= 0x1f;
}

static void draw_v6_host(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	key_v6(lo, width);
	memcpy(hi, lo, width);
}

static void draw_mac_range(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	random_bytes(lo, width);
	make_prefix(lo, hi, width, 24 + (uint32_t)(rnd() % 25));
}

const struct sample_kind sample_kinds[] = {
	{"exact v4", {CLASSIFY_HASH, 1, {4}}, 1000000, draw_single, NULL},
	{"exact mac", {CLASSIFY_HASH, 1, {6}}, 1000000, draw_single, NULL},
	{"exact addr . port", {CLASSIFY_HASH, 1, {8}}, 1000000, draw_single, NULL},
	{"exact v6", {CLASSIFY_HASH, 1, {16}}, 1000000, draw_single, NULL},
	{"exact five-tuple", {CLASSIFY_HASH, 1, {20}}, 1000000, draw_single, NULL},
	{"exact 64 bytes", {CLASSIFY_HASH, 1, {64}}, 100000, draw_single, NULL},
	{"intervals v4", {CLASSIFY_TREE, 1, {4}}, 1000000, draw_v4_net, NULL},
	{"intervals mac", {CLASSIFY_TREE, 1, {6}}, 1000000, draw_mac_range, NULL},
	{"intervals v6 nets", {CLASSIFY_TREE, 1, {16}}, 1000000, draw_v6_net, key_v6},
	{"intervals v6 hosts", {CLASSIFY_TREE, 1, {16}}, 1000000, draw_v6_host, key_v6},
	{},
};

static int compare(const void *a, const void *b, void *width)
{
	const struct classify_elem *x = a, *y = b;

	return memcmp(x->lo, y->lo, *(uint32_t *)width);
}

/* What overlaps an earlier one goes. */
static void make_disjoint(struct sample *l)
{
	size_t n = 0;

	qsort_r(l->e, l->n, sizeof(*l->e), compare, &l->width);
	for (size_t i = 0; i < l->n; i++)
		if (!n || memcmp(l->e[n - 1].hi, l->e[i].lo, l->width) < 0)
			l->e[n++] = l->e[i];
	l->n = n;
}

void sample_init(struct sample *l, const struct sample_kind *kind, size_t n)
{
	*l = (struct sample){.name = kind->name, .shape = kind->shape, .n = n};
	for (uint32_t i = 0; i < kind->shape.n_fields; i++)
		l->width += kind->shape.width[i];
	l->shape.capacity = (uint32_t)n;
	l->shape.seed = rnd();
	l->bytes = calloc(n, 2 * l->width);
	l->e = malloc(n * sizeof(*l->e));
	for (size_t i = 0; i < n; i++) {
		uint8_t *lo = l->bytes + 2 * l->width * i, *hi = lo + l->width;

		kind->draw(lo, hi, l->width);
		l->e[i] = (struct classify_elem){lo, hi, (uint32_t)i};
	}
	if (l->shape.kind != CLASSIFY_BOXES)
		make_disjoint(l);
	l->key = kind->key;
}

void sample_fini(struct sample *l)
{
	free(l->bytes);
	free(l->e);
}

void sample_keys(const struct sample *l, bool hit, size_t n, uint8_t *ret)
{
	for (size_t i = 0; i < n; i++, ret += 64) {
		const struct classify_elem *e = &l->e[rnd() % l->n];

		if (!hit) {
			if (l->key)
				l->key(ret, l->width);
			else
				random_bytes(ret, l->width);
			continue;
		}
		memcpy(ret, e->lo, l->width);
		for (uint32_t b = l->width;
		     b--;) { /* a key between lo and hi, where that is easy */
			uint8_t was = ret[b];

			ret[b] = (uint8_t)rnd();
			if (memcmp(ret, e->lo, l->width) < 0 || memcmp(ret, e->hi, l->width) > 0)
				ret[b] = was;
		}
	}
}
