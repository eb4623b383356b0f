/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys of random sets and maps, one field or a concatenation, and their elements.
 *
 * nft refuses what overlaps, so elements are told apart by one field, whose values are disjoint; the
 * others are as they come.
 */
#include "rulegen_priv.h"

enum { KEY_BYTES = 64, ELEMENTS = 6 };

/* In registers. */
static uint32_t width_of(const struct rulegen_field *f)
{
	bool is_ifname = f->type && strcmp(f->type, "ifname") == 0;

	return f->kind == V_ADDR6 || is_ifname ? 16 : f->kind == V_MAC ? 8 : 4;
}

static bool may_be_interval(const struct rulegen_field *f)
{
	return f->has_range || (f->type && strcmp(f->type, "ifname") == 0);
}

/* nft shifts it; of a part of a range the kernel compares bits that others do not have. */
static bool is_shifted(const struct rulegen_field *f)
{
	return f->type && strcmp(f->type, "dscp") == 0;
}

void rulegen_pick_key(struct rulegen *g, struct rulegen_key *key, uint32_t most)
{
	uint32_t n = 1 + rng_below(&g->rng, most), bytes = 0;
	bool may = false, shifted = false;

	*key = (struct rulegen_key){.n = 0};
	while (key->n < n) {
		const struct rulegen_field *f = rulegen_pick_field(g, true);

		bytes += width_of(f);
		if (bytes > KEY_BYTES)
			break;
		may |= may_be_interval(f);
		shifted |= is_shifted(f);
		key->f[key->n++] = f;
	}
	key->intervals = may && rng_one_in(&g->rng, 2) && (!shifted || rng_one_in(&g->rng, 8));
}

void rulegen_put_fields(struct rulegen *g, const struct rulegen_key *key)
{
	for (uint32_t i = 0; i < key->n; i++)
		fprintf(g->out, "%s%s", i ? " . " : "", key->f[i]->key);
}

bool rulegen_put_types(struct rulegen *g, const struct rulegen_key *key)
{
	for (uint32_t i = 0; i < key->n; i++)
		if (!key->f[i]->type)
			return false;
	fputs("type ", g->out);
	for (uint32_t i = 0; i < key->n; i++)
		fprintf(g->out, "%s%s", i ? " . " : "", key->f[i]->type);
	return true;
}

bool rulegen_claim_key(struct rulegen *g, const struct rulegen_key *key)
{
	int l3 = g->l3;
	char l4 = g->l4;

	for (uint32_t i = 0; i < key->n; i++) {
		if (rulegen_claim(g, key->f[i]->key))
			continue;
		g->l3 = l3;
		g->l4 = l4;
		return false;
	}
	return true;
}

/* ---- one field: values that do not overlap ---- */

typedef char value[64];

static void print_interval(const struct rulegen_field *f, uint32_t lo, uint32_t hi, value v)
{
	if (f->kind == V_ADDR4)
		snprintf(v, sizeof(value), hi > lo ? "10.0.1.%u-10.0.1.%u" : "10.0.1.%u", lo, hi);
	else if (f->kind == V_ADDR6)
		snprintf(v, sizeof(value), hi > lo ? "2001:db8::%x-2001:db8::%x" : "2001:db8::%x", lo,
			 hi);
	else if (f->kind == V_MAC)
		snprintf(v, sizeof(value), hi > lo ? "02:00:5e:10:00:%02x-02:00:5e:10:00:%02x" :
			 "02:00:5e:10:00:%02x", lo, hi);
	else
		snprintf(v, sizeof(value), hi > lo ? "%u-%u" : "%u", lo, hi);
}

static void print_last(struct rulegen *g, const struct rulegen_field *f, value v)
{
	bool is_point = rng_one_in(&g->rng, 2);

	if (f->kind == V_ADDR4)
		strcpy(v, is_point ? "255.255.255.255" : "224.0.0.0-255.255.255.255");
	else if (f->kind == V_ADDR6)
		strcpy(v, is_point ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "ff00::/8");
	else if (f->kind == V_MAC)
		strcpy(v, is_point ? "ff:ff:ff:ff:ff:ff" : "f0:00:00:00:00:00-ff:ff:ff:ff:ff:ff");
	else if (is_point)
		snprintf(v, sizeof(value), "%u", f->max);
	else
		snprintf(v, sizeof(value), "%u-%u", f->max - f->max / 8, f->max);
}

static void print_all(const struct rulegen_field *f, value v)
{
	if (f->kind == V_ADDR4 || f->kind == V_ADDR6)
		strcpy(v, f->kind == V_ADDR4 ? "0.0.0.0/0" : "::/0");
	else if (f->kind == V_MAC)
		strcpy(v, "00:00:00:00:00:00-ff:ff:ff:ff:ff:ff");
	else
		snprintf(v, sizeof(value), "0-%u", f->max);
}

/* Single values among them; from 0 on, now and then, or to the end; or all there is. */
static uint32_t intervals(struct rulegen *g, const struct rulegen_field *f, value v[ELEMENTS + 1])
{
	uint32_t n = 1 + rng_below(&g->rng, ELEMENTS), i = 0;
	uint32_t lo = rng_below(&g->rng, 3) * rng_below(&g->rng, 15);

	if (rng_one_in(&g->rng, 16)) {
		print_all(f, v[0]);
		return 1;
	}
	while (i < n) {
		uint32_t hi = lo + rng_below(&g->rng, 3) * rng_below(&g->rng, 20);

		print_interval(f, lo, hi, v[i++]);
		/* Neighbours that touch are as good as others. */
		lo = hi + 1 + rng_below(&g->rng, 2) * rng_below(&g->rng, 12);
		if (lo > 180 || (f->kind == V_NUMBER && lo + 40 > f->max))
			break;
	}
	if (rng_one_in(&g->rng, 3) && f->max != 300) /* lengths: as long as no packet is */
		print_last(g, f, v[i++]);
	return i;
}

/* Names of devices, and of those that begin so. */
static uint32_t wildcards(struct rulegen *g, value v[ELEMENTS + 1])
{
	static const char *const ways[][4] = {{"\"d*\"", "\"d0\"", "\"d1\"", "\"d*\""},
					      {"\"eth*\"", "\"eth0\"", "\"e*\"", "\"eth0*\""},
					      {"\"wg*\"", "\"wg0\"", "\"w*\"", "\"wg\""},
					      {"\"lo\"", "\"lo*\"", "\"l*\"", "\"lo0\""}};
	uint32_t first = rng_below(&g->rng, 4), n = 1 + rng_below(&g->rng, 4);

	for (uint32_t i = 0; i < n; i++)
		strcpy(v[i], ways[(first + i) % 4][rng_below(&g->rng, 4)]);
	return n;
}

static uint32_t points(struct rulegen *g, const struct rulegen_field *f, value v[ELEMENTS + 1])
{
	uint32_t n = 1 + rng_below(&g->rng, ELEMENTS), found = 0;

	for (uint32_t i = 0; i < n; i++) {
		bool again = false;

		rulegen_value(g, f, v[found], sizeof(value));
		for (uint32_t k = 0; k < found; k++)
			again |= strcmp(v[k], v[found]) == 0;
		found += !again;
	}
	return found;
}

static uint32_t disjoint(struct rulegen *g, const struct rulegen_key *key,
			 const struct rulegen_field *f, value v[ELEMENTS + 1])
{
	if (!key->intervals || !may_be_interval(f))
		return points(g, f, v);
	return f->has_range ? intervals(g, f, v) : wildcards(g, v);
}

/* ---- elements ---- */

static void any_value(struct rulegen *g, const struct rulegen_key *key,
		      const struct rulegen_field *f, value v)
{
	value several[ELEMENTS + 1];

	if (!key->intervals || !may_be_interval(f) || rng_one_in(&g->rng, 3))
		rulegen_value(g, f, v, sizeof(value));
	else if (f->has_range && rng_one_in(&g->rng, 6))
		print_all(f, v);
	else if (f->has_range)
		rulegen_range_value(g, f, v, sizeof(value));
	else if (wildcards(g, several))
		strcpy(v, several[0]);
}

void rulegen_put_elements(struct rulegen *g, const struct rulegen_key *key, rulegen_after *after,
			  unsigned int arg)
{
	uint32_t apart = rng_below(&g->rng, key->n);
	value v[ELEMENTS + 1], other;
	uint32_t n = disjoint(g, key, key->f[apart], v);

	for (uint32_t i = 0; i < n; i++) {
		fputs(i ? ", " : "", g->out);
		for (uint32_t k = 0; k < key->n; k++) {
			if (k != apart)
				any_value(g, key, key->f[k], other);
			fprintf(g->out, "%s%s", k ? " . " : "", k == apart ? v[i] : other);
		}
		after(g, arg);
	}
}

/* Two that cross: each is wide where the other is narrow. The kernel takes them, and answers with one. */
bool rulegen_put_crossing(struct rulegen *g, const struct rulegen_key *key, rulegen_after *after,
			  unsigned int arg)
{
	const struct rulegen_field *a = key->f[0], *b = key->n > 1 ? key->f[1] : NULL;

	if (!key->intervals || !b || key->n > 2 || a->kind != V_NUMBER || b->kind != V_NUMBER ||
	    !a->has_range || !b->has_range || a->max < 300 || b->max < 300)
		return false;
	fputs("22-80 . 1-256", g->out);
	after(g, arg);
	fputs(", 1-256 . 22-80", g->out);
	after(g, arg);
	return true;
}
