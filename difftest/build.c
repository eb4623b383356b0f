/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes: headers with sensible defaults, the draft's bits laid over them, and a length and
 * checksums that fit.
 */
#include "build.h"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <linux/netfilter.h>

#include "build_env.h"
#include "build_ext.h"

#define MAX_BYTES 9000

struct build {
	const struct draft *d;
	struct rng *rng;
	enum flow flow;
	uint8_t hook;
	uint8_t data[MAX_BYTES];
	uint32_t nh_len, th_len; /* th_len: header and what the draft settled behind it */
	uint8_t proto;
};

static const struct draft_area *nh(const struct build *b)
{
	return &b->d->area[0];
}

static const struct draft_area *th(const struct build *b)
{
	return &b->d->area[1];
}

static void overlay(uint8_t *out, const struct draft_area *a, uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end && i < DRAFT_AREA_BYTES; i++)
		out[i] = (uint8_t)((out[i] & ~a->mask[i]) | (a->val[i] & a->mask[i]));
}

/* What the rules want as transport protocol; when they do not care, one of the usual. */
static bool choose_proto(struct build *b)
{
	static const uint8_t usual[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP,
					IPPROTO_UDP, IPPROTO_ICMP};
	const struct draft_area *l4 = draft_leaf(b->d, "meta l4proto");
	uint8_t header, meta, mask;
	bool has_header = draft_byte(nh(b), b->d->pf == NFPROTO_IPV4 ? 9 : 6, &header);
	bool has_meta = l4 && draft_byte(l4, 0, &meta);

	if (has_header && has_meta && header != meta)
		return false;
	b->proto = usual[rng_below(b->rng, ARRAY_SIZE(usual))];
	if (b->proto == IPPROTO_ICMP && b->d->pf == NFPROTO_IPV6)
		b->proto = IPPROTO_ICMPV6;
	if (has_header || has_meta) {
		b->proto = has_header ? header : meta;
		return true;
	}
	if (draft_leaf(b->d, "exthdr tcp") || draft_leaf(b->d, "exthdr tcp exists"))
		b->proto = IPPROTO_TCP;
	mask = nh(b)->mask[b->d->pf == NFPROTO_IPV4 ? 9 : 6];
	b->proto = (uint8_t)((b->proto & ~mask) |
			     (nh(b)->val[b->d->pf == NFPROTO_IPV4 ? 9 : 6] & mask));
	if (l4)
		b->proto = (uint8_t)((b->proto & ~l4->mask[0]) | (l4->val[0] & l4->mask[0]));
	return true;
}

static bool start_v4(struct build *b)
{
	uint8_t *d = b->data;

	memcpy(d, (uint8_t[20]){0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, b->proto, 0, 0, 198, 51, 100, 0,
				203, 0, 113, 0}, 20);
	rng_bytes(b->rng, d + 4, 2);
	d[15] = (uint8_t)(1 + rng_below(b->rng, 254));
	d[19] = (uint8_t)(1 + rng_below(b->rng, 254));
	overlay(d, nh(b), 0, 20);
	b->nh_len = (d[0] & 0xfu) * 4;
	if (b->nh_len > 20)
		memset(d + 20, 1, b->nh_len - 20); /* IPOPT_NOP */
	if (b->nh_len < 20)
		b->nh_len = 20;
	overlay(d, nh(b), 20, b->nh_len);
	return true;
}

static bool start_v6(struct build *b)
{
	uint8_t *d = b->data;

	memset(d, 0, 40);
	d[0] = 0x60;
	d[6] = b->proto;
	d[7] = 64;
	memcpy(d + 8, (uint8_t[]){0x20, 0x01, 0x0d, 0xb8, 0, 1}, 6);
	memcpy(d + 24, (uint8_t[]){0x20, 0x01, 0x0d, 0xb8, 0, 2}, 6);
	d[23] = (uint8_t)(1 + rng_below(b->rng, 254));
	d[39] = (uint8_t)(1 + rng_below(b->rng, 254));
	overlay(d, nh(b), 0, 40);
	b->nh_len = 40;
	return true;
}

/* Routers take one off the hop count before the forward hook sees it. */
static void fix_ttl(struct build *b)
{
	uint32_t at = b->d->pf == NFPROTO_IPV4 ? 8 : 7;

	if (!flow_is_local(b->flow) &&
	    (b->hook == NF_INET_FORWARD || b->hook == NF_INET_POST_ROUTING))
		b->data[at]++;
}

static void put16(uint8_t *d, uint32_t v)
{
	d[0] = (uint8_t)(v >> 8);
	d[1] = (uint8_t)v;
}

static uint32_t start_tcp(struct build *b, uint8_t *t)
{
	static const uint8_t usual[] = {0x02, 0x02, 0x02, 0x10, 0x18, 0x12, 0x04, 0x11};
	uint32_t len = 20;

	put16(t, 1024 + rng_below(b->rng, 60000));
	put16(t + 2, 1 + rng_below(b->rng, 10000));
	rng_bytes(b->rng, t + 4, 4);
	t[12] = 0x50;
	t[13] = usual[rng_below(b->rng, ARRAY_SIZE(usual))];
	if (b->d->area[1].used > 20 && !b->d->area[1].mask[12]) {
		len = MIN(60u, ROUND_UP(b->d->area[1].used, 4u));
		t[12] = (uint8_t)(len / 4 << 4);
	}
	put16(t + 14, 0x2000);
	overlay(t, th(b), 0, 20);
	if (!(t[13] & 0x10) && !th(b)->mask[8])
		memset(t + 8, 0, 4);
	len = MAX(len, (t[12] >> 4) * 4u);
	if (len > 20)
		memset(t + 20, 1, len - 20); /* TCPOPT_NOP */
	return len;
}

static uint32_t start_l4(struct build *b)
{
	uint8_t *t = b->data + b->nh_len;

	memset(t, 0, 64);
	switch (b->proto) {
	case IPPROTO_TCP:
		return start_tcp(b, t);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		put16(t, 1024 + rng_below(b->rng, 60000));
		put16(t + 2, 1 + rng_below(b->rng, 10000));
		return 8;
	case IPPROTO_ICMP:
		t[0] = 8;
		rng_bytes(b->rng, t + 4, 4);
		return 8;
	case IPPROTO_ICMPV6:
		t[0] = 128;
		rng_bytes(b->rng, t + 4, 4);
		return 8;
	case IPPROTO_SCTP:
		rng_bytes(b->rng, t, 12);
		t[12] = 1; /* INIT */
		t[15] = 20;
		return 32;
	case IPPROTO_DCCP:
		rng_bytes(b->rng, t, 16);
		t[4] = 4;
		return 16;
	}
	rng_bytes(b->rng, t, 24);
	return 24;
}

/* Is @v what a 2- or 4-byte number in this area may be? */
static bool be16_fits(const struct draft_area *a, uint32_t off, uint32_t v)
{
	uint8_t x[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	return ((x[0] ^ a->val[off]) & a->mask[off]) == 0 &&
	       ((x[1] ^ a->val[off + 1]) & a->mask[off + 1]) == 0;
}

static bool length_fits(const struct build *b, uint32_t len)
{
	uint32_t val, mask;

	if (draft_leaf_u32(b->d, "meta len", &val, &mask) && ((len ^ val) & mask))
		return false;
	if (b->d->pf == NFPROTO_IPV4 ? !be16_fits(nh(b), 2, len) : !be16_fits(nh(b), 4, len - 40))
		return false;
	return b->proto != IPPROTO_UDP || be16_fits(th(b), 4, len - b->nh_len);
}

/* Without wishes about lengths some bytes of payload; else the first length that fits. */
static uint32_t choose_len(struct build *b)
{
	uint32_t min = b->nh_len + b->th_len;
	uint32_t some = min + rng_below(b->rng, rng_one_in(b->rng, 8) ? 1200 : 40);

	if (length_fits(b, some))
		return some;
	for (uint32_t len = min; len < MAX_BYTES; len++)
		if (length_fits(b, len))
			return len;
	return 0;
}

/* Checksums that rules ask for stay as they are, right or wrong. */
static unsigned int what_to_fix(const struct build *b)
{
	unsigned int fix = FIX_IP_LEN | FIX_IP_CSUM;
	uint32_t csum = b->proto == IPPROTO_TCP ? 16 : b->proto == IPPROTO_UDP ? 6 : 2;

	if (b->d->pf == NFPROTO_IPV4 && (nh(b)->mask[10] | nh(b)->mask[11]))
		fix &= ~FIX_IP_CSUM;
	if (!(th(b)->mask[csum] | th(b)->mask[csum + 1]))
		fix |= FIX_L4_CSUM;
	if (!(th(b)->mask[4] | th(b)->mask[5]) || b->proto == IPPROTO_UDP)
		fix |= FIX_L4_LEN;
	return fix;
}

static struct packet *finish(struct build *b)
{
	uint32_t len = choose_len(b), used = b->nh_len + b->th_len;
	struct packet *p;

	if (!len)
		return NULL;
	rng_bytes(b->rng, b->data + used, len - used);
	overlay(b->data, nh(b), b->nh_len, MIN(nh(b)->used, len));
	p = packet_new(b->d->pf, b->data, len);
	if (p)
		packet_fix(p, what_to_fix(b));
	return p;
}

struct packet *build_packet(const struct lab *lab, const struct draft *d, enum flow flow,
			    uint8_t hook, struct rng *rng)
{
	struct build b = {.d = d, .rng = rng, .flow = flow, .hook = hook};
	CLEANUP(packet_freep) struct packet *p = NULL;

	if (!choose_proto(&b))
		return NULL;
	if (!(d->pf == NFPROTO_IPV4 ? start_v4(&b) : start_v6(&b)))
		return NULL;
	b.data[d->pf == NFPROTO_IPV4 ? 9 : 6] = b.proto;
	fix_ttl(&b);
	b.th_len = start_l4(&b);
	b.th_len = MAX(b.th_len, th(&b)->used);
	if (nh(&b)->used > b.nh_len)
		b.th_len = MAX(b.th_len, nh(&b)->used - b.nh_len);
	overlay(b.data + b.nh_len, th(&b), 0, b.th_len);
	p = finish(&b);
	if (!p || !build_ext(d, &p) || !build_env(lab, d, flow, hook, rng, p))
		return NULL;
	return TAKE_PTR(p);
}
