/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What random rules match: fields with values from small pools, so that rules overlap and packets
 * hit; masks, ranges, sets, concatenations, odd bits of headers, and oddities written out.
 */
#include <arpa/inet.h>

#include "rulegen_priv.h"

enum value_kind {
	V_NUMBER, /* 0 … max */
	V_NAME,	  /* one of .names */
	V_ADDR4,
	V_ADDR6,
	V_MAC,
};

struct rulegen_field {
	const char *key;
	enum value_kind kind;
	uint32_t max;
	const char *const *names;
	unsigned int in; /* IP, IP6, INET */
	bool is_key, has_range, has_mask;
};

enum { IP = 1, IP6 = 2, INET = 4, ALL = 7, V4 = IP | INET, V6 = IP6 | INET };

static const char *const protos[] = {"tcp", "udp", "icmp", "icmpv6", "sctp", "esp", "ah", "gre", NULL};
static const char *const devs[] = {"\"d0\"", "\"d1\"", "\"eth0\"", "\"wg0\"", "\"lo\"", NULL};
static const char *const pkttypes[] = {"host", "broadcast", "multicast", NULL};
static const char *const icmp_types[] = {"echo-request", "echo-reply", "destination-unreachable",
					 "time-exceeded", NULL};
static const char *const icmpv6_types[] = {"echo-request", "echo-reply", "packet-too-big",
					   "nd-neighbor-solicit", NULL};
static const char *const dscps[] = {"cs0", "cs1", "af11", "ef", NULL};
static const char *const states[] = {"new", "established", "related", "invalid", "untracked", NULL};

static const struct rulegen_field fields[] = {
	{.key = "ip saddr", .kind = V_ADDR4, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip daddr", .kind = V_ADDR4, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip saddr", .kind = V_ADDR4, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip6 saddr", .kind = V_ADDR6, .in = V6, .is_key = true, .has_range = true},
	{.key = "ip6 daddr", .kind = V_ADDR6, .in = V6, .is_key = true, .has_range = true},
	{.key = "tcp dport", .max = 65535, .in = ALL, .is_key = true, .has_range = true},
	{.key = "tcp sport", .max = 65535, .in = ALL, .is_key = true, .has_range = true},
	{.key = "udp dport", .max = 65535, .in = ALL, .is_key = true, .has_range = true},
	{.key = "th dport", .max = 65535, .in = ALL, .is_key = true, .has_range = true},
	{.key = "th sport", .max = 65535, .in = ALL, .is_key = true, .has_range = true},
	{.key = "meta l4proto", .kind = V_NAME, .names = protos, .in = ALL, .is_key = true},
	{.key = "ip protocol", .kind = V_NAME, .names = protos, .in = V4, .is_key = true},
	{.key = "ip6 nexthdr", .kind = V_NAME, .names = protos, .in = V6, .is_key = true},
	{.key = "ip ttl", .max = 255, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip6 hoplimit", .max = 255, .in = V6, .is_key = true, .has_range = true},
	{.key = "ip length", .max = 300, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip6 length", .max = 300, .in = V6, .is_key = true, .has_range = true},
	{.key = "ip dscp", .kind = V_NAME, .names = dscps, .in = V4, .is_key = true},
	{.key = "ip6 dscp", .kind = V_NAME, .names = dscps, .in = V6, .is_key = true},
	{.key = "ip version", .max = 6, .in = V4},
	{.key = "ip hdrlength", .max = 8, .in = V4},
	{.key = "ip id", .max = 65535, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip frag-off", .max = 65535, .in = V4, .has_mask = true},
	{.key = "ip6 flowlabel", .max = 0xfffff, .in = V6},
	{.key = "udp length", .max = 200, .in = ALL, .has_range = true},
	{.key = "tcp window", .max = 65535, .in = ALL, .has_range = true},
	{.key = "tcp doff", .max = 15, .in = ALL},
	{.key = "tcp sequence", .max = UINT32_MAX, .in = ALL, .has_range = true},
	{.key = "icmp type", .kind = V_NAME, .names = icmp_types, .in = V4, .is_key = true},
	{.key = "icmpv6 type", .kind = V_NAME, .names = icmpv6_types, .in = V6, .is_key = true},
	{.key = "icmp code", .max = 15, .in = V4},
	{.key = "meta length", .max = 300, .in = ALL, .has_range = true},
	{.key = "meta mark", .max = UINT32_MAX, .in = ALL, .is_key = true, .has_range = true,
	 .has_mask = true},
	{.key = "meta priority", .max = 65535, .in = ALL},
	{.key = "meta skuid", .max = 2000, .in = ALL, .has_range = true},
	{.key = "meta skgid", .max = 2000, .in = ALL},
	{.key = "meta pkttype", .kind = V_NAME, .names = pkttypes, .in = ALL},
	{.key = "iifname", .kind = V_NAME, .names = devs, .in = ALL, .is_key = true},
	{.key = "oifname", .kind = V_NAME, .names = devs, .in = ALL, .is_key = true},
	{.key = "iif", .kind = V_NAME, .names = devs, .in = ALL, .is_key = true},
	{.key = "oif", .kind = V_NAME, .names = devs, .in = ALL, .is_key = true},
	{.key = "ether saddr", .kind = V_MAC, .in = ALL},
	{.key = "ct mark", .max = 255, .in = ALL, .has_range = true, .has_mask = true},
	{.key = "exthdr frag id", .max = 255, .in = 0},
	{.key = "dst hdrlength", .max = 4, .in = V6},
	{.key = "rt type", .max = 4, .in = V6},
	{.key = "frag id", .max = 255, .in = V6},
	{.key = "tcp option maxseg size", .max = 1500, .in = ALL, .has_range = true},
	{.key = "@nh,96,8", .max = 255, .in = ALL},
	{.key = "@nh,64,16", .max = 65535, .in = ALL},
	{.key = "@nh,12,4", .max = 15, .in = ALL},
	{.key = "@nh,160,24", .max = 0xffffff, .in = ALL},
	{.key = "@th,0,16", .max = 65535, .in = ALL, .has_range = true},
	{.key = "@th,8,24", .max = 0xffffff, .in = ALL},
	{.key = "@th,64,32", .max = UINT32_MAX, .in = ALL},
	{.key = "@th,101,3", .max = 7, .in = ALL},
};

static unsigned int family_bit(const struct rulegen *g)
{
	return strcmp(g->family, "ip") == 0 ? IP : strcmp(g->family, "ip6") == 0 ? IP6 : INET;
}

/* ---- what goes together in one rule ---- */

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* 4, 6 or 0: the network protocol that a match implies. */
static int l3_of(const char *key)
{
	static const char *const v6[] = {"ip6 ", "icmpv6", "exthdr", "frag ", "dst ", "rt ",
					 "meta nfproto ipv6"};

	for (size_t i = 0; i < ARRAY_SIZE(v6); i++)
		if (starts(key, v6[i]))
			return 6;
	if (starts(key, "ip ") || starts(key, "icmp ") || starts(key, "meta nfproto ipv4") ||
	    starts(key, "meta protocol ip") || starts(key, "ct original ip "))
		return 4;
	return 0;
}

/* A letter for the transport protocol a match implies; '*' for one that its value names. */
static char l4_of(const char *key)
{
	if (starts(key, "icmpv6"))
		return '6';
	if (starts(key, "icmp"))
		return 'i';
	if (starts(key, "tcp") || starts(key, "udp"))
		return key[0];
	if (starts(key, "meta l4proto") || starts(key, "ip protocol") || starts(key, "ip6 nexthdr"))
		return '*';
	return 0;
}

/* nft refuses rules whose matches contradict each other. */
static bool claim(struct rulegen *g, const char *key)
{
	int l3 = l3_of(key);
	char l4 = l4_of(key);

	if (l3 && g->l3 && l3 != g->l3)
		return false;
	if (l4 && g->l4 && (l4 != g->l4 || l4 == '*'))
		return false;
	if (l3)
		g->l3 = l3;
	if (l4)
		g->l4 = l4;
	return true;
}

const struct rulegen_field *rulegen_pick_field(struct rulegen *g, bool is_key)
{
	for (;;) {
		const struct rulegen_field *f = &fields[rng_below(&g->rng, ARRAY_SIZE(fields))];

		if (!(f->in & family_bit(g)) || (is_key && !f->is_key))
			continue;
		if ((g->flags & RULEGEN_NO_INDEX) &&
		    (strcmp(f->key, "iif") == 0 || strcmp(f->key, "oif") == 0))
			continue;
		if (claim(g, f->key))
			return f;
	}
}

bool rulegen_claim(struct rulegen *g, const struct rulegen_field *f)
{
	return claim(g, f->key);
}

bool rulegen_is_name(const struct rulegen_field *f)
{
	return f->kind == V_NAME;
}

void rulegen_put_key(struct rulegen *g, const struct rulegen_field *f)
{
	fputs(f->key, g->out);
}

/* From a few neighbouring values, the ends, or anywhere. */
static uint32_t number(struct rulegen *g, uint32_t max)
{
	static const uint32_t usual[] = {0, 1, 22, 53, 80, 81, 255, 256, 443, 1024, 8080, 65535};
	uint32_t v = usual[rng_below(&g->rng, ARRAY_SIZE(usual))];

	if (g->spread || rng_one_in(&g->rng, 3))
		v = (uint32_t)rng_u64(&g->rng);
	if (rng_one_in(&g->rng, 8))
		v = max - rng_below(&g->rng, 2);
	return max == UINT32_MAX ? v : v % (max + 1);
}

static void addr4(struct rulegen *g, uint8_t a[4])
{
	uint32_t n = g->spread ? 256 : 4;

	memcpy(a, (uint8_t[]){10, 0, (uint8_t)rng_below(&g->rng, 3), (uint8_t)rng_below(&g->rng, n)}, 4);
	if (rng_one_in(&g->rng, 4))
		memcpy(a, (uint8_t[]){192, 168, 1, (uint8_t)(250 + rng_below(&g->rng, 6))}, 4);
}

static void addr6(struct rulegen *g, uint8_t a[16])
{
	memset(a, 0, 16);
	memcpy(a, (uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
	a[7] = (uint8_t)rng_below(&g->rng, 3);
	a[15] = (uint8_t)rng_below(&g->rng, g->spread ? 200 : 5);
}

void rulegen_value(struct rulegen *g, const struct rulegen_field *f, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t a[16];
	uint32_t n = 0;

	switch (f->kind) {
	case V_NUMBER:
		snprintf(out, size, "%u", number(g, f->max));
		return;
	case V_NAME:
		while (f->names[n])
			n++;
		snprintf(out, size, "%s", f->names[rng_below(&g->rng, n)]);
		return;
	case V_ADDR4:
		addr4(g, a);
		snprintf(out, size, "%s", inet_ntop(AF_INET, a, text, sizeof(text)));
		return;
	case V_ADDR6:
		addr6(g, a);
		snprintf(out, size, "%s", inet_ntop(AF_INET6, a, text, sizeof(text)));
		return;
	case V_MAC:
		snprintf(out, size, "02:00:5e:10:00:0%u", rng_below(&g->rng, 3));
		return;
	}
}

/* "low-high" or a prefix. */
static void range_value(struct rulegen *g, const struct rulegen_field *f, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t a[16];
	uint32_t lo, hi;

	if (f->kind == V_ADDR4) {
		addr4(g, a);
		if (rng_one_in(&g->rng, 2)) {
			lo = rng_below(&g->rng, 200);
			snprintf(out, size, "10.0.%u.%u-10.0.%u.%u", a[2], lo, a[2],
				 lo + rng_below(&g->rng, 56));
			return;
		}
		hi = 20 + rng_below(&g->rng, 12);
		lo = (uint32_t)(a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3]) & (~0u << (32 - hi));
		snprintf(out, size, "%u.%u.%u.%u/%u", lo >> 24, lo >> 16 & 255, lo >> 8 & 255,
			 lo & 255, hi);
		return;
	}
	if (f->kind == V_ADDR6) {
		addr6(g, a);
		hi = 14 + rng_below(&g->rng, 3);
		memset(a + hi, 0, 16 - hi);
		if (hi == 16)
			hi = 8, memset(a + 8, 0, 8);
		snprintf(out, size, "%s/%u", inet_ntop(AF_INET6, a, text, sizeof(text)), hi * 8);
		return;
	}
	lo = number(g, f->max);
	hi = number(g, f->max);
	snprintf(out, size, "%u-%u", MIN(lo, hi), lo == hi ? MIN(lo + 1, f->max) : MAX(lo, hi));
	if (lo == hi && lo == f->max)
		snprintf(out, size, "%u", lo);
}

void rulegen_put_value(struct rulegen *g, const struct rulegen_field *f, bool may_range)
{
	char v[64];

	if (may_range && f->has_range && rng_one_in(&g->rng, 3))
		range_value(g, f, v, sizeof(v));
	else
		rulegen_value(g, f, v, sizeof(v));
	fputs(v, g->out);
}

static const char *maybe_not(struct rulegen *g)
{
	return rng_one_in(&g->rng, 4) ? "!= " : "";
}

/* An anonymous set; overlapping intervals are refused, so with ranges there is only one element. */
static void put_set(struct rulegen *g, const struct rulegen_field *f)
{
	uint32_t n = 1 + rng_below(&g->rng, 7);
	char v[64];

	fprintf(g->out, "%s{ ", maybe_not(g));
	if (f->has_range && rng_one_in(&g->rng, 4)) {
		range_value(g, f, v, sizeof(v));
		fprintf(g->out, "%s }", v);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		rulegen_value(g, f, v, sizeof(v));
		fprintf(g->out, "%s%s", i ? ", " : "", v);
	}
	fputs(" }", g->out);
}

/* Two or three fields against a set of their concatenation. */
static void put_concat(struct rulegen *g)
{
	const struct rulegen_field *f[3];
	uint32_t n = 2 + rng_below(&g->rng, 2), m = 1 + rng_below(&g->rng, 4);
	char v[64];

	for (uint32_t i = 0; i < n; i++) {
		f[i] = rulegen_pick_field(g, true);
		fprintf(g->out, "%s%s", i ? " . " : "", f[i]->key);
	}
	fprintf(g->out, " %s{ ", maybe_not(g));
	for (uint32_t k = 0; k < m; k++) {
		fputs(k ? ", " : "", g->out);
		for (uint32_t i = 0; i < n; i++) {
			if (m == 1 && f[i]->has_range && rng_one_in(&g->rng, 2))
				range_value(g, f[i], v, sizeof(v));
			else
				rulegen_value(g, f[i], v, sizeof(v));
			fprintf(g->out, "%s%s", i ? " . " : "", v);
		}
	}
	fputs(" }", g->out);
}

static void put_mask(struct rulegen *g, const struct rulegen_field *f)
{
	uint32_t mask = number(g, f->max) | 1u << rng_below(&g->rng, f->max > 65535 ? 32 : 8);

	fprintf(g->out, "%s & 0x%x %s 0x%x", f->key, mask, rng_one_in(&g->rng, 3) ? "!=" : "==",
		number(g, f->max) & mask);
}

static const struct {
	const char *text;
	unsigned int in;
} odd[] = {
	{"tcp flags & (syn | ack) == syn", ALL},
	{"tcp flags & (fin | syn | rst | psh | ack | urg) == 0x0", ALL},
	{"tcp flags syn", ALL},
	{"tcp flags != syn", ALL},
	{"tcp flags { syn, ack, syn | ack }", ALL},
	{"tcp option sack-perm exists", ALL},
	{"tcp option timestamp missing", ALL},
	{"tcp option window count 7", ALL},
	{"ip option ra exists", V4},
	{"ip option rr missing", V4},
	{"exthdr hbh exists", V6},
	{"exthdr frag missing", V6},
	{"exthdr dst exists", V6},
	{"meta nfproto ipv4", INET},
	{"meta nfproto ipv6", INET},
	{"meta protocol ip", INET},
	{"iifname \"eth*\"", ALL},
	{"oifname \"d*\"", ALL},
	{"iifname != \"d*\"", ALL},
	{"iifname \"\"", 0},
	{"iiftype ether", ALL},
	{"oiftype loopback", ALL},
	{"meta iifgroup 0", ALL},
	{"ip saddr & 0.0.3.1 == 0.0.1.1", V4},
	{"ip6 saddr & ::f == ::2", V6},
	{"ct status assured", ALL},
	{"ct direction reply", ALL},
	{"ct original proto-dst 80", 0},
	{"ct original ip saddr 10.0.1.1", V4},
	{"meta mark >= 0x100", ALL},
	{"meta mark > 0x100", ALL},
	{"meta mark or 0x3 == 0x53", ALL},
	{"meta mark xor 0x3 != 0x52", ALL},
	{"meta mark < 80", ALL},
	{"meta length > 100", ALL},
	{"ip ttl < 64", V4},
	{"th dport >= 1024", ALL},
	{"th sport != 53", ALL},
	{"meta cpu 0", ALL},
	{"ip frag-off & 0x1fff != 0", V4},
	{"ip frag-off & 0x2000 == 0x2000", V4},
};

static void put_odd(struct rulegen *g)
{
	for (;;) {
		uint32_t k = rng_below(&g->rng, ARRAY_SIZE(odd));

		if ((odd[k].in & family_bit(g)) && claim(g, odd[k].text)) {
			fputs(odd[k].text, g->out);
			return;
		}
	}
}

static void put_state(struct rulegen *g)
{
	uint32_t n = 1 + rng_below(&g->rng, 3), first = rng_below(&g->rng, 5);

	fprintf(g->out, "ct state %s", maybe_not(g));
	for (uint32_t i = 0; i < n; i++)
		fprintf(g->out, "%s%s", i ? "," : "", states[(first + i) % 5]);
}

void rulegen_put_match(struct rulegen *g)
{
	struct rulegen saved = *g;
	const struct rulegen_field *f = rulegen_pick_field(g, false);
	uint32_t way = rng_below(&g->rng, 16);

	/* Those that pick fields of their own forget this one. */
	if (way <= 4 || (way == 6 && g->n_sets) || (way == 7 && g->n_dynamic)) {
		g->l3 = saved.l3;
		g->l4 = saved.l4;
	}
	switch (way) {
	case 0:
		put_odd(g);
		return;
	case 1:
		put_state(g);
		return;
	case 2:
		put_concat(g);
		return;
	case 3:
	case 4:
		f = rulegen_pick_field(g, true);
		rulegen_put_key(g, f);
		fputc(' ', g->out);
		put_set(g, f);
		return;
	case 5:
		if (f->has_mask) {
			put_mask(g, f);
			return;
		}
		break;
	case 6:
		if (g->n_sets) {
			uint32_t k = rng_below(&g->rng, g->n_sets);

			if (!claim(g, g->set_field[k]->key)) {
				put_odd(g);
				return;
			}
			fprintf(g->out, "%s %s@s%u", g->set_field[k]->key, maybe_not(g), k);
			return;
		}
		break;
	case 7:
		if (g->n_dynamic) {
			if (!rulegen_put_lookup(g))
				put_odd(g);
			return;
		}
		break;
	}
	fprintf(g->out, "%s %s", f->key, maybe_not(g));
	rulegen_put_value(g, f, true);
	if (f->has_range && rng_one_in(&g->rng, 6)) { /* and once more */
		fprintf(g->out, " %s %s", f->key, maybe_not(g));
		rulegen_put_value(g, f, true);
	}
}

/* Disjoint intervals, single values among them, and perhaps "*". */
static void put_intervals(struct rulegen *g, const struct rulegen_field *f)
{
	uint32_t n = 1 + rng_below(&g->rng, 6), lo = rng_below(&g->rng, 30);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t hi = lo + rng_below(&g->rng, 3) * rng_below(&g->rng, 20);

		fputs(i ? ", " : "", g->out);
		if (f->kind == V_ADDR4)
			fprintf(g->out, hi > lo ? "10.0.1.%u-10.0.1.%u" : "10.0.1.%u", lo, hi);
		else if (f->kind == V_ADDR6)
			fprintf(g->out, hi > lo ? "2001:db8::%x-2001:db8::%x" : "2001:db8::%x", lo, hi);
		else
			fprintf(g->out, hi > lo ? "%u-%u" : "%u", lo, hi);
		/* Neighbours that touch are as good as others. */
		lo = hi + 1 + rng_below(&g->rng, 2) * rng_below(&g->rng, 12);
		if (lo > 200 || (f->kind == V_NUMBER && lo + 40 > f->max))
			break;
	}
	if (rng_one_in(&g->rng, 6))
		fputs(", *", g->out);
}

static void put_points(struct rulegen *g, const struct rulegen_field *f)
{
	uint32_t n = 1 + rng_below(&g->rng, 5);
	char v[64];

	for (uint32_t k = 0; k < n; k++) {
		rulegen_value(g, f, v, sizeof(v));
		fprintf(g->out, "%s%s", k ? ", " : "", v);
	}
}

/* Named sets, some of which may change. */
void rulegen_put_sets(struct rulegen *g)
{
	static const char *const flags[][2] = {{"", "\t\tflags constant\n"},
					       {"\t\tflags interval\n",
						"\t\tflags constant, interval\n"}};

	g->n_sets = rng_below(&g->rng, 4);
	for (uint32_t i = 0; i < g->n_sets; i++) {
		const struct rulegen_field *f;
		bool intervals;

		do {
			g->l3 = g->l4 = 0;
			f = rulegen_pick_field(g, true);
		} while (rulegen_is_name(f));
		intervals = f->has_range && f->max != 255 && rng_one_in(&g->rng, 2);
		g->set_field[i] = f;
		fprintf(g->out, "\tset s%u {\n\t\ttypeof %s\n%s\t\telements = { ", i, f->key,
			flags[intervals][rng_one_in(&g->rng, 2)]);
		if (intervals)
			put_intervals(g, f);
		else
			put_points(g, f);
		fputs(" }\n\t}\n", g->out);
	}
}
