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

/* ---- rule lists ---- */

static uint32_t percent(void)
{
	return (uint32_t)(rnd() % 100);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/*
 * An address in a rule: anything, a network of the site, a smaller one in it, or a host. Networks
 * come up again and again.
 */
static void draw_address(uint8_t *lo, uint8_t *hi, uint32_t any)
{
	static uint32_t nets[4096];
	uint32_t r = percent(), net, bits;

	if (!nets[0])
		for (size_t i = 0; i < ARRAY_SIZE(nets); i++)
			nets[i] = (uint32_t)rnd();
	/* a quarter of them is used most of the time */
	net = nets[rnd() % (rnd() % 4 ? ARRAY_SIZE(nets) / 4 : ARRAY_SIZE(nets))];
	random_bytes(lo, 4);
	memset(hi, 255, 4);
	if (r < any) {
		memset(lo, 0, 4);
		return;
	}
	bits = r < any + 15   ? 16 + (uint32_t)(rnd() % 8)
	       : r < any + 40 ? 24 + (uint32_t)(rnd() % 5)
			      : 32;
	for (uint32_t i = 0; i < 2 + (rnd() % 2); i++)
		lo[i] = (uint8_t)(net >> (24 - 8 * i));
	make_prefix(lo, hi, 4, bits);
}

static void draw_ports(uint8_t *lo, uint8_t *hi, uint32_t any)
{
	static const uint16_t known[] = {22,  25,  53,	80,   110,  123,  143,	161,
					 389, 443, 993, 1433, 3306, 5432, 8080, 8443};
	uint32_t r = percent(), from;

	put16(lo, 0);
	put16(hi, 65535);
	if (r < any)
		return;
	if (r < any + 8) {
		put16(lo, 1024);
	} else if (r < any + 18) {
		from = (uint32_t)(rnd() % 60000);
		put16(lo, from);
		put16(hi, from + 1 + (uint32_t)(rnd() % (rnd() % 2 ? 20 : 5000)));
	} else {
		from = r < 85 ? known[rnd() % ARRAY_SIZE(known)] : (uint32_t)(rnd() % 65536);
		put16(lo, from);
		put16(hi, from);
	}
}

static void draw_protocol(uint8_t *lo, uint8_t *hi)
{
	uint32_t r = percent();

	*lo = r < 60 ? 6 : r < 85 ? 17 : r < 90 ? 1 : 0;
	*hi = r < 90 ? *lo : 255;
}

static bool is_any(const uint8_t *lo, const uint8_t *hi)
{
	static const uint8_t zeros[4], ones[4] = {255, 255, 255, 255};

	return !memcmp(lo, zeros, 4) && !memcmp(hi, ones, 4);
}

/* One of the addresses is named: a rule for everybody early in a list makes the rest of it dead. */
static void draw_five(uint8_t *lo, uint8_t *hi, uint32_t any_source, uint32_t any_target)
{
	do {
		draw_address(lo, hi, any_source);
		draw_address(lo + 4, hi + 4, any_target);
	} while (is_any(lo, hi) && is_any(lo + 4, hi + 4));
	draw_ports(lo + 8, hi + 8, 82);
	draw_ports(lo + 10, hi + 10, 25);
	draw_protocol(lo + 12, hi + 12);
}

/* Nobody named: what most packets are to most rules. */
static void key_five(uint8_t *key, uint32_t width)
{
	random_bytes(key, width);
	key[12] = rnd() % 4 ? 6 : 17;
}

/* Access lists: targets are named nearly always. */
static void draw_acl(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	(void)width;
	draw_five(lo, hi, 30, 4);
}

/* Firewalls: many wildcards on either side. */
static void draw_fw(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	(void)width;
	draw_five(lo, hi, 45, 30);
}

static void draw_net_net_proto(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	(void)width;
	draw_address(lo, hi, 0);
	draw_address(lo + 4, hi + 4, 2);
	draw_protocol(lo + 8, hi + 8);
}

static void draw_addr_ports(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	(void)width;
	random_bytes(lo, 4);
	memcpy(hi, lo, 4);
	draw_ports(lo + 4, hi + 4, 10);
}

static void draw_v6_ports(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	(void)width;
	draw_v6_net(lo, hi, 16);
	draw_ports(lo + 16, hi + 16, 10);
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
	{"addr . port-range", {CLASSIFY_BOXES, 2, {4, 2}}, 100000, draw_addr_ports, NULL},
	{"net . net . proto", {CLASSIFY_BOXES, 3, {4, 4, 1}}, 100000, draw_net_net_proto, NULL},
	{"v6 net . port-range", {CLASSIFY_BOXES, 2, {16, 2}}, 100000, draw_v6_ports, NULL},
	{"five fields, acl", {CLASSIFY_BOXES, 5, {4, 4, 2, 2, 1}, .packed = true}, 100000, draw_acl, key_five},
	{"five fields, fw", {CLASSIFY_BOXES, 5, {4, 4, 2, 2, 1}, .packed = true}, 100000, draw_fw, key_five},
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

/* A key between lo and hi: byte by byte from the end, what keeps it in there. */
static void key_inside(const uint8_t *lo, const uint8_t *hi, uint32_t width, uint8_t *ret)
{
	memcpy(ret, lo, width);
	for (uint32_t b = width; b--;) {
		uint8_t was = ret[b];

		ret[b] = (uint8_t)rnd();
		if (memcmp(ret, lo, width) < 0 || memcmp(ret, hi, width) > 0)
			ret[b] = was;
	}
}

void sample_keys(const struct sample *l, bool hit, size_t n, uint8_t *ret)
{
	for (size_t i = 0; i < n; i++, ret += 64) {
		const struct classify_elem *e = &l->e[rnd() % l->n];

		if (hit)
			for (uint32_t f = 0, at = 0; f < l->shape.n_fields;
			     at += l->shape.width[f++])
				key_inside(e->lo + at, e->hi + at, l->shape.width[f], ret + at);
		else if (l->key)
			l->key(ret, l->width);
		else
			random_bytes(ret, l->width);
	}
}
