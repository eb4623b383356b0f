/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same packet in another shape: cut short, as a fragment, with extension headers or options,
 * with other TCP flags, as GSO or with its bytes outside of the linear part.
 */
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <linux/netfilter.h>

#include "gen.h"

static uint32_t nh_len(const struct packet *p)
{
	return p->pf == NFPROTO_IPV6 ? 40 : MAX((p->data[0] & 0xfu) * 4, 20u);
}

static struct packet *cut(const struct packet *p, struct rng *rng)
{
	uint32_t min = nh_len(p), keep;
	struct packet *q;

	if (p->len <= min)
		return NULL;
	keep = min + rng_below(rng, MIN(p->len - min, 24u));
	q = packet_dup(p);
	if (!q)
		return NULL;
	q->len = keep;
	packet_fix(q, FIX_IP_LEN | FIX_IP_CSUM);
	packet_set_origin(q, "cut to %u bytes", keep);
	return q;
}

static struct packet *fragment_v4(const struct packet *p, struct rng *rng)
{
	static const uint16_t off[] = {0x2000, 0x2001, 1, 0x2005, 0xb9, 0x20b9, 0x1fff, 0x6000};
	struct packet *q = packet_dup(p);
	uint16_t o = off[rng_below(rng, ARRAY_SIZE(off))];

	if (!q)
		return NULL;
	q->data[6] = (uint8_t)(o >> 8);
	q->data[7] = (uint8_t)o;
	packet_fix(q, FIX_IP_CSUM);
	packet_set_origin(q, "%s fragment", o & 0x1fff ? "later" : "first");
	return q;
}

/* Puts one extension header behind the IPv6 header. */
static struct packet *put_ext(const struct packet *p, uint8_t type, const uint8_t *bytes, uint32_t n)
{
	struct packet *q = packet_insert(p, 40, bytes, n);

	if (!q)
		return NULL;
	q->data[40] = p->data[6];
	q->data[6] = type;
	packet_fix(q, FIX_IP_LEN);
	return q;
}

static struct packet *fragment_v6(const struct packet *p, struct rng *rng)
{
	static const uint16_t off[] = {0, 1, 1, 8, 9, 0x5c8, 0x5c9, 0xfff8};
	uint16_t o = off[rng_below(rng, ARRAY_SIZE(off))];
	uint8_t h[8] = {0, 0, (uint8_t)(o >> 8), (uint8_t)o};
	struct packet *q;

	rng_bytes(rng, h + 4, 4);
	q = put_ext(p, IPPROTO_FRAGMENT, h, 8);
	if (q)
		packet_set_origin(q, "%s fragment", o & 0xfff8 ? "later" : o ? "first" : "atomic");
	return q;
}

static struct packet *fragment(const struct packet *p, struct rng *rng)
{
	return p->pf == NFPROTO_IPV4 ? fragment_v4(p, rng) : fragment_v6(p, rng);
}

static uint32_t make_ext(uint8_t type, uint8_t *h, struct rng *rng)
{
	uint32_t units = rng_below(rng, 3), n = (units + 1) * 8;

	memset(h, 0, 64);
	if (type == IPPROTO_AH) {
		h[1] = (uint8_t)(units * 2 + 1); /* in 4-byte units, minus 2 */
		n = (h[1] + 2u) * 4;
		rng_bytes(rng, h + 4, n - 4);
		return n;
	}
	h[1] = (uint8_t)units;
	if (type == IPPROTO_ROUTING) {
		h[2] = rng_one_in(rng, 2) ? 0 : 2;
		h[3] = 0; /* segments left: the kernel goes on with the next header */
		return n;
	}
	h[2] = 1; /* PadN */
	h[3] = (uint8_t)(n - 4);
	return n;
}

static struct packet *ext_headers(const struct packet *p, struct rng *rng)
{
	static const uint8_t types[] = {IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_AH,
					IPPROTO_DSTOPTS, IPPROTO_NONE, IPPROTO_ESP};
	struct packet *q = packet_dup(p);
	uint32_t n = 1 + rng_below(rng, 3);
	uint8_t h[64];

	for (uint32_t i = 0; i < n && q; i++) {
		uint8_t type = i + 1 == n && rng_one_in(rng, 3) ?
			       IPPROTO_HOPOPTS : types[rng_below(rng, ARRAY_SIZE(types))];
		uint32_t len = make_ext(type, h, rng);
		struct packet *r = put_ext(q, type, h, len);

		packet_free(q);
		q = r;
	}
	if (!q)
		return NULL;
	if (rng_one_in(rng, 4)) { /* the chain ends outside of the packet */
		q->len = 40 + rng_below(rng, q->len - 40);
		packet_fix(q, FIX_IP_LEN);
	}
	packet_set_origin(q, "with extension headers");
	return q;
}

static struct packet *ip_options(const struct packet *p, struct rng *rng)
{
	static const uint8_t options[][8] = {
		{1, 1, 1, 1},
		{148, 4, 0, 0},			/* router alert */
		{7, 7, 4, 0, 0, 0, 0, 0},	/* record route, EOL */
		{68, 8, 9, 0, 0, 0, 0, 0},	/* time stamp, full: else the kernel writes one */
		{136, 4, 0, 1},			/* stream id */
		{1, 1, 1, 0},
	};
	static const uint8_t len[] = {4, 4, 8, 8, 4, 4};
	uint32_t k = rng_below(rng, ARRAY_SIZE(options));
	struct packet *q;

	if (p->pf == NFPROTO_IPV6)
		return ext_headers(p, rng);
	if (nh_len(p) + len[k] > 60)
		return NULL;
	q = packet_insert(p, nh_len(p), options[k], len[k]);
	if (!q)
		return NULL;
	q->data[0] = (uint8_t)(q->data[0] + len[k] / 4);
	packet_fix(q, FIX_IP_LEN | FIX_IP_CSUM);
	packet_set_origin(q, "with IP option %u", options[k][0]);
	return q;
}

static struct packet *tcp_flags(const struct packet *p, struct rng *rng)
{
	const uint32_t th = packet_find_tcp(p);
	struct packet *q = th ? packet_dup(p) : NULL;

	if (!q)
		return NULL;
	q->data[th + 13] = (uint8_t)rng_below(rng, 256);
	packet_fix(q, FIX_L4_CSUM);
	packet_set_origin(q, "with TCP flags 0x%02x", q->data[th + 13]);
	return q;
}

static struct packet *tcp_options(const struct packet *p, struct rng *rng)
{
	static const uint8_t options[][12] = {
		{2, 4, 5, 0xb4},
		{2, 4, 5, 0xb4, 1, 3, 3, 7},
		{4, 2, 1, 1, 3, 3, 7, 0},
		{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0},
		{2, 0, 1, 1},  /* length 0 */
		{3, 40, 1, 1}, /* longer than the header */
		{0, 2, 4, 5},  /* behind the end */
		{1, 1, 1, 2},  /* no room for its length */
	};
	static const uint8_t len[] = {4, 8, 8, 12, 4, 4, 4, 4};
	uint32_t k = rng_below(rng, ARRAY_SIZE(options)), th = packet_find_tcp(p), doff;
	struct packet *q;

	if (!th)
		return NULL;
	doff = (p->data[th + 12] >> 4) * 4u;
	if (doff < 20 || doff + len[k] > 60 || th + doff > p->len)
		return NULL;
	q = packet_insert(p, th + 20, options[k], len[k]);
	if (!q)
		return NULL;
	q->data[th + 12] = (uint8_t)(((doff + len[k]) / 4) << 4 | (p->data[th + 12] & 0xf));
	packet_fix(q, FIX_ALL);
	packet_set_origin(q, "with TCP option %u", options[k][0]);
	return q;
}

/* IPv4 or TCP options of which a byte is another: types, lengths, what is behind the last one. */
static struct packet *changed_options(const struct packet *p, struct rng *rng)
{
	uint32_t from = 20, n = p->pf == NFPROTO_IPV4 ? nh_len(p) - 20 : 0, at;
	const uint32_t th = packet_find_tcp(p);
	struct packet *q;

	if (th && (!n || rng_one_in(rng, 2))) {
		from = th + 20;
		n = MAX((p->data[th + 12] >> 4) * 4u, 20u) - 20;
	}
	if (!n || from + n > p->len)
		return NULL;
	q = packet_dup(p);
	if (!q)
		return NULL;
	at = from + (rng_one_in(rng, 3) ? n - 1 : rng_below(rng, MIN(n, 6u)));
	q->data[at] = (uint8_t)(rng_one_in(rng, 2) ? rng_below(rng, 5) :
							q->data[at] + 1 - 2 * rng_below(rng, 2));
	packet_fix(q, FIX_IP_CSUM | FIX_L4_CSUM);
	packet_set_origin(q, "with option byte %u changed", at - from);
	return q;
}

/* A header length that lies. */
static struct packet *tcp_doff(const struct packet *p, struct rng *rng)
{
	const uint32_t th = packet_find_tcp(p);
	struct packet *q = th ? packet_dup(p) : NULL;

	if (!q)
		return NULL;
	q->data[th + 12] = (uint8_t)(rng_below(rng, 16) << 4);
	packet_fix(q, FIX_L4_CSUM);
	packet_set_origin(q, "with TCP header length %u", (q->data[th + 12] >> 4) * 4);
	return q;
}

/* tun_alloc_skb() puts what is behind the header length into pages once it is a page or more. */
static struct packet *in_pages(const struct packet *p, struct rng *rng)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);
	uint8_t *pad;
	struct packet *q;

	if (p->is_local || p->len > 4000 || l4.proto < 0)
		return NULL;
	pad = calloc(1, 4200);
	if (!pad)
		return NULL;
	rng_bytes(rng, pad, 4200);
	q = packet_insert(p, p->len, pad, 4200);
	free(pad);
	if (!q)
		return NULL;
	q->hdr_len = (uint16_t)(nh_len(p) + rng_below(rng, 24));
	packet_fix(q, FIX_ALL);
	packet_set_origin(q, "with %u linear bytes", q->hdr_len);
	return q;
}

static struct packet *as_gso(const struct packet *p, struct rng *rng)
{
	const uint32_t th = packet_find_tcp(p);
	uint8_t pad[3000] = {0};
	struct packet *q;
	uint32_t doff;

	if (p->is_local || !th)
		return NULL;
	doff = (p->data[th + 12] >> 4) * 4u;
	if (doff < 20 || th + doff > p->len)
		return NULL;
	q = packet_insert(p, p->len, pad, 1000 + rng_below(rng, 2000));
	if (!q)
		return NULL;
	q->gso_type = p->pf == NFPROTO_IPV4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	q->gso_size = 500;
	q->hdr_len = (uint16_t)(th + doff);
	packet_fix(q, FIX_ALL);
	packet_set_origin(q, "as GSO");
	return q;
}

static struct packet *random_byte(const struct packet *p, struct rng *rng)
{
	struct packet *q = packet_dup(p);
	uint32_t at;

	if (!q)
		return NULL;
	at = rng_below(rng, MIN(p->len, nh_len(p) + 24));
	q->data[at] ^= (uint8_t)(1 + rng_below(rng, 255));
	packet_fix(q, rng_one_in(rng, 4) ? FIX_IP_CSUM : FIX_IP_CSUM | FIX_L4_CSUM);
	packet_set_origin(q, "with byte %u changed", at);
	return q;
}

static struct packet *swap_ends(const struct packet *p, struct rng *rng UNUSED)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);
	uint32_t at = p->pf == NFPROTO_IPV4 ? 12 : 8, n = p->pf == NFPROTO_IPV4 ? 4 : 16;
	struct packet *q = packet_dup(p);

	if (!q)
		return NULL;
	memcpy(q->data + at, p->data + at + n, n);
	memcpy(q->data + at + n, p->data + at, n);
	if ((l4.proto == IPPROTO_TCP || l4.proto == IPPROTO_UDP) && l4.offset + 4 <= p->len) {
		memcpy(q->data + l4.offset, p->data + l4.offset + 2, 2);
		memcpy(q->data + l4.offset + 2, p->data + l4.offset, 2);
	}
	packet_fix(q, FIX_IP_CSUM | FIX_L4_CSUM);
	packet_set_origin(q, "answered");
	return q;
}

struct packet *mutate_packet(const struct packet *p, struct rng *rng)
{
	static struct packet *(*const ways[])(const struct packet *p, struct rng *rng) = {
		cut,	     cut,	fragment, fragment, ext_headers, ip_options, tcp_flags,
		tcp_options, tcp_doff, in_pages, as_gso,   random_byte, random_byte, swap_ends,
		changed_options,
	};
	uint32_t k = rng_below(rng, ARRAY_SIZE(ways));

	if (p->len < (p->pf == NFPROTO_IPV4 ? 20u : 40u))
		return NULL;
	if (ways[k] == ext_headers && p->pf == NFPROTO_IPV4)
		return ip_options(p, rng);
	return ways[k](p, rng);
}
