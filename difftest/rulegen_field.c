/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fields that random rules look at, what goes together in one rule, and values from small pools, so
 * that rules overlap and packets hit.
 */
#include <arpa/inet.h>

#include "rulegen_priv.h"

static const char *const protos[] = {"tcp", "udp", "icmp", "icmpv6", "sctp", "esp", "ah", "gre", NULL};
static const char *const devs[] = {"\"d0\"", "\"d1\"", "\"eth0\"", "\"wg0\"", "\"lo\"", NULL};
static const char *const pkttypes[] = {"host", "broadcast", "multicast", NULL};
static const char *const icmp_types[] = {"echo-request", "echo-reply", "destination-unreachable",
					 "time-exceeded", NULL};
static const char *const icmpv6_types[] = {"echo-request", "echo-reply", "packet-too-big",
					   "nd-neighbor-solicit", NULL};
static const char *const dscps[] = {"cs0", "cs1", "af11", "ef", NULL};

static const char *const ct_states[] = {"new", "established", "related", "invalid", "untracked", NULL};
static const char *const ct_directions[] = {"original", "reply", NULL};
static const char *const ct_statuses[] = {"assured", "confirmed", "seen-reply", "snat", NULL};
static const char *const tcp_flags[] = {"syn", "ack", "fin", "rst", NULL};

static const struct rulegen_field fields[] = {
	{.key = "ip saddr", .type = "ipv4_addr", .kind = V_ADDR4, .in = V4, .is_key = true,
	 .has_range = true},
	{.key = "ip daddr", .type = "ipv4_addr", .kind = V_ADDR4, .in = V4, .is_key = true,
	 .has_range = true},
	{.key = "ip saddr", .type = "ipv4_addr", .kind = V_ADDR4, .in = V4, .is_key = true,
	 .has_range = true},
	{.key = "ip6 saddr", .type = "ipv6_addr", .kind = V_ADDR6, .in = V6, .is_key = true,
	 .has_range = true},
	{.key = "ip6 daddr", .type = "ipv6_addr", .kind = V_ADDR6, .in = V6, .is_key = true,
	 .has_range = true},
	{.key = "tcp dport", .type = "inet_service", .max = 65535, .in = ALL, .is_key = true,
	 .has_range = true},
	{.key = "tcp sport", .type = "inet_service", .max = 65535, .in = ALL, .is_key = true,
	 .has_range = true},
	{.key = "udp dport", .type = "inet_service", .max = 65535, .in = ALL, .is_key = true,
	 .has_range = true},
	{.key = "th dport", .type = "inet_service", .max = 65535, .in = ALL, .is_key = true,
	 .has_range = true},
	{.key = "th sport", .type = "inet_service", .max = 65535, .in = ALL, .is_key = true,
	 .has_range = true},
	{.key = "meta l4proto", .type = "inet_proto", .kind = V_NAME, .names = protos, .in = ALL,
	 .is_key = true},
	{.key = "ip protocol", .type = "inet_proto", .kind = V_NAME, .names = protos, .in = V4,
	 .is_key = true},
	{.key = "ip6 nexthdr", .type = "inet_proto", .kind = V_NAME, .names = protos, .in = V6,
	 .is_key = true},
	{.key = "ip ttl", .max = 255, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip6 hoplimit", .max = 255, .in = V6, .is_key = true, .has_range = true},
	{.key = "ip length", .max = 300, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip6 length", .max = 300, .in = V6, .is_key = true, .has_range = true},
	{.key = "ip dscp", .type = "dscp", .kind = V_NAME, .names = dscps, .in = V4,
	 .is_key = true},
	{.key = "ip6 dscp", .type = "dscp", .kind = V_NAME, .names = dscps, .in = V6,
	 .is_key = true},
	{.key = "ip version", .max = 6, .in = V4},
	{.key = "ip hdrlength", .max = 8, .in = V4},
	{.key = "ip id", .max = 65535, .in = V4, .is_key = true, .has_range = true},
	{.key = "ip frag-off", .max = 65535, .in = V4, .has_mask = true},
	{.key = "ip6 flowlabel", .max = 0xfffff, .in = V6, .is_key = true},
	{.key = "udp length", .max = 200, .in = ALL, .has_range = true, .is_key = true},
	{.key = "tcp window", .max = 65535, .in = ALL, .has_range = true, .is_key = true},
	{.key = "tcp doff", .max = 15, .in = ALL},
	{.key = "tcp sequence", .max = UINT32_MAX, .in = ALL, .has_range = true, .is_key = true},
	{.key = "icmp type", .type = "icmp_type", .kind = V_NAME, .names = icmp_types, .in = V4,
	 .is_key = true},
	{.key = "icmpv6 type", .type = "icmpv6_type", .kind = V_NAME, .names = icmpv6_types,
	 .in = V6, .is_key = true},
	{.key = "icmp code", .max = 15, .in = V4, .is_key = true},
	{.key = "meta length", .max = 300, .in = ALL, .has_range = true},
	{.key = "meta mark", .type = "mark", .max = UINT32_MAX, .in = ALL, .is_key = true,
	 .has_range = true,
	 .has_mask = true},
	{.key = "meta priority", .max = 65535, .in = ALL, .is_key = true},
	{.key = "meta skuid", .type = "uid", .max = 2000, .in = ALL, .has_range = true,
	 .is_key = true},
	{.key = "meta skgid", .type = "gid", .max = 2000, .in = ALL, .is_key = true},
	{.key = "meta pkttype", .type = "pkt_type", .kind = V_NAME, .names = pkttypes, .in = ALL,
	 .is_key = true},
	{.key = "iifname", .type = "ifname", .kind = V_NAME, .names = devs, .in = ALL,
	 .is_key = true},
	{.key = "oifname", .type = "ifname", .kind = V_NAME, .names = devs, .in = ALL,
	 .is_key = true},
	{.key = "iif", .type = "iface_index", .kind = V_NAME, .names = devs, .in = ALL,
	 .is_key = true},
	{.key = "oif", .type = "iface_index", .kind = V_NAME, .names = devs, .in = ALL,
	 .is_key = true},
	{.key = "ether saddr", .type = "ether_addr", .kind = V_MAC, .in = ALL, .is_key = true,
	 .has_range = true},
	{.key = "ct mark", .type = "mark", .max = 255, .in = ALL, .has_range = true,
	 .has_mask = true, .is_key = true},
	{.key = "ct state", .type = "ct_state", .kind = V_NAME, .names = ct_states, .in = ALL,
	 .is_key = true},
	{.key = "ct direction", .type = "ct_dir", .kind = V_NAME, .names = ct_directions, .in = ALL,
	 .is_key = true},
	{.key = "ct status", .type = "ct_status", .kind = V_NAME, .names = ct_statuses, .in = ALL,
	 .is_key = true},
	{.key = "tcp flags", .type = "tcp_flag", .kind = V_NAME, .names = tcp_flags, .in = ALL,
	 .is_key = true},
	{.key = "exthdr frag id", .max = 255, .in = 0},
	{.key = "dst hdrlength", .max = 4, .in = V6},
	{.key = "rt type", .max = 4, .in = V6, .is_key = true},
	{.key = "frag id", .max = 255, .in = V6, .is_key = true},
	{.key = "tcp option maxseg size", .max = 1500, .in = ALL, .is_key = true, .has_range = true},
	{.key = "@nh,96,8", .max = 255, .in = ALL},
	{.key = "@nh,64,16", .max = 65535, .in = ALL},
	{.key = "@nh,12,4", .max = 15, .in = ALL},
	{.key = "@nh,160,24", .max = 0xffffff, .in = ALL},
	{.key = "@th,0,16", .max = 65535, .in = ALL, .has_range = true},
	{.key = "@th,8,24", .max = 0xffffff, .in = ALL},
	{.key = "@th,64,32", .max = UINT32_MAX, .in = ALL},
	{.key = "@th,101,3", .max = 7, .in = ALL},
};

unsigned int rulegen_family_bit(const struct rulegen *g)
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
bool rulegen_claim(struct rulegen *g, const char *key)
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

		if (!(f->in & rulegen_family_bit(g)) || (is_key && !f->is_key))
			continue;
		if ((g->flags & RULEGEN_NO_INDEX) &&
		    (strcmp(f->key, "iif") == 0 || strcmp(f->key, "oif") == 0))
			continue;
		/* Of packets that this host sends it is the interpreter's. */
		if (is_key && f->kind == V_MAC && !rng_one_in(&g->rng, 6))
			continue;
		if (rulegen_claim(g, f->key))
			return f;
	}
}

void rulegen_put_key(struct rulegen *g, const struct rulegen_field *f)
{
	fputs(f->key, g->out);
}

/* From a few neighbouring values, the ends, or anywhere. */
uint32_t rulegen_number(struct rulegen *g, uint32_t max)
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
		snprintf(out, size, "%u", rulegen_number(g, f->max));
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
void rulegen_range_value(struct rulegen *g, const struct rulegen_field *f, char *out, size_t size)
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
	if (f->kind == V_MAC) {
		lo = rng_below(&g->rng, 3);
		snprintf(out, size, "02:00:5e:10:00:%02x-02:00:5e:10:00:%02x", lo,
			 lo + 1 + rng_below(&g->rng, 90));
		return;
	}
	lo = rulegen_number(g, f->max);
	hi = g->spread ? MIN(lo, f->max - 99) + rng_below(&g->rng, 100) : rulegen_number(g, f->max);
	snprintf(out, size, "%u-%u", MIN(lo, hi), lo == hi ? MIN(lo + 1, f->max) : MAX(lo, hi));
	if (lo == hi && lo == f->max)
		snprintf(out, size, "%u", lo);
}

void rulegen_put_value(struct rulegen *g, const struct rulegen_field *f, bool may_range)
{
	char v[64];

	if (may_range && f->has_range && rng_one_in(&g->rng, 3))
		rulegen_range_value(g, f, v, sizeof(v));
	else
		rulegen_value(g, f, v, sizeof(v));
	fputs(v, g->out);
}
