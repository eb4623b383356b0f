/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers and options that rules look for. Each kind is made once, with a content that the kernel
 * takes, and the settled bytes are laid over it.
 */
#include "build_ext.h"

#include <netinet/in.h>
#include <linux/netfilter.h>

#define KINDS	  8
#define KIND_SIZE 64

/* One header or option. */
struct kind {
	uint8_t type;
	uint32_t len;
	uint8_t bytes[KIND_SIZE];
};

struct kinds {
	struct kind kind[KINDS];
	unsigned int n;
};

typedef void (*default_fn)(struct kind *k);

static void default_ipv6(struct kind *k)
{
	k->len = k->type == IPPROTO_AH ? 12 : 8;
	switch (k->type) {
	case IPPROTO_AH:
		k->bytes[1] = 1;
		break;
	case IPPROTO_ROUTING:
		k->bytes[2] = 2;
		break;
	case IPPROTO_FRAGMENT:
		break;
	default:
		k->bytes[2] = 1; /* PadN */
		k->bytes[3] = 4;
	}
}

static void default_tcp(struct kind *k)
{
	static const uint8_t len[] = {[0] = 1, [1] = 1, [2] = 4, [3] = 3, [4] = 2, [5] = 10, [8] = 10};

	k->len = k->type < ARRAY_SIZE(len) && len[k->type] ? len[k->type] : 4;
	k->bytes[0] = k->type;
	if (k->len > 1)
		k->bytes[1] = (uint8_t)k->len;
}

static void default_ipv4(struct kind *k)
{
	bool is_route = k->type == 7 || k->type == 131 || k->type == 137;

	k->len = is_route ? 7 : 4;
	k->bytes[0] = k->type;
	k->bytes[1] = (uint8_t)k->len;
	if (is_route) /* a record that is full; a source route has to be fresh to be one */
		k->bytes[2] = k->type == 7 ? 8 : 4;
}

static struct kind *kind_get(struct kinds *ks, uint8_t type, default_fn fill)
{
	for (unsigned int i = 0; i < ks->n; i++)
		if (ks->kind[i].type == type)
			return &ks->kind[i];
	if (ks->n == KINDS)
		return NULL;
	ks->kind[ks->n] = (struct kind){.type = type};
	fill(&ks->kind[ks->n]);
	return &ks->kind[ks->n++];
}

/* Collects what the leaves @load and @exists of the draft want. */
static bool collect(const struct draft *d, const char *load, const char *exists, default_fn fill,
		    struct kinds *ks)
{
	for (unsigned int i = AREA_LEAF; i < d->n_areas; i++) {
		const struct draft_area *a = &d->area[i];
		const struct ir_sel *s = a->sel;
		struct kind *k;

		if (strcmp(s->leaf->name, exists) == 0) {
			if ((a->val[0] & 1) && !kind_get(ks, (uint8_t)s->param[0], fill))
				return false;
			continue;
		}
		if (strcmp(s->leaf->name, load) != 0)
			continue;
		k = kind_get(ks, (uint8_t)s->param[0], fill);
		if (!k || s->param[1] + s->width > KIND_SIZE)
			return false;
		k->len = MAX(k->len, (uint32_t)s->param[1] + s->width);
		for (uint32_t b = 0; b < s->width; b++) {
			uint8_t *x = &k->bytes[s->param[1] + b];

			*x = (uint8_t)((*x & ~a->mask[b]) | (a->val[b] & a->mask[b]));
		}
	}
	return true;
}

static bool insert(struct packet **p, uint32_t at, const uint8_t *bytes, uint32_t n)
{
	struct packet *q = packet_insert(*p, at, bytes, n);

	if (!q)
		return false;
	packet_free(*p);
	*p = q;
	return true;
}

/* ---- IPv6 ---- */

static bool put_ipv6(struct packet **p, struct kind *k)
{
	uint32_t len = ROUND_UP(k->len, k->type == IPPROTO_AH ? 4u : 8u);

	if (k->type == IPPROTO_AH)
		len = MAX(len, (k->bytes[1] + 2u) * 4);
	else if (k->type != IPPROTO_FRAGMENT)
		len = MAX(len, (k->bytes[1] + 1u) * 8);
	if (len > KIND_SIZE)
		return false;
	k->bytes[0] = (*p)->data[6];
	if (!insert(p, 40, k->bytes, len))
		return false;
	(*p)->data[6] = k->type;
	return true;
}

static bool put_all_ipv6(const struct draft *d, struct packet **p)
{
	struct kinds ks = {.n = 0};

	if (!collect(d, "exthdr ipv6", "exthdr ipv6 exists", default_ipv6, &ks))
		return false;
	for (unsigned int i = 0; i < ks.n; i++)
		if (ks.kind[i].type != IPPROTO_HOPOPTS && !put_ipv6(p, &ks.kind[i]))
			return false;
	for (unsigned int i = 0; i < ks.n; i++) /* has to come first */
		if (ks.kind[i].type == IPPROTO_HOPOPTS && !put_ipv6(p, &ks.kind[i]))
			return false;
	if (ks.n)
		packet_fix(*p, FIX_IP_LEN);
	return true;
}

/* ---- options ---- */

/* All of them in a row, padded; how many bytes, or -1. */
static int join(const struct kinds *ks, uint8_t *out, uint32_t max)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < ks->n; i++) {
		if (n + ks->kind[i].len > max)
			return -1;
		memcpy(out + n, ks->kind[i].bytes, ks->kind[i].len);
		n += ks->kind[i].len;
	}
	while (n % 4)
		out[n++] = 1; /* "no operation" in IPv4 and TCP */
	return (int)n;
}

static bool put_all_ipv4(const struct draft *d, struct packet **p)
{
	struct kinds ks = {.n = 0};
	uint8_t options[KINDS * KIND_SIZE];
	uint32_t old = ((*p)->data[0] & 0xfu) * 4;
	int n;

	if (!collect(d, "exthdr ipv4", "exthdr ipv4 exists", default_ipv4, &ks))
		return false;
	if (!ks.n)
		return true;
	/* The next hop of a source route: this host, which is where the packet is going anyway. */
	for (unsigned int i = 0; i < ks.n; i++)
		if (ks.kind[i].type == 131 || ks.kind[i].type == 137)
			memcpy(ks.kind[i].bytes + 3, (*p)->data + 16, 4);
	n = join(&ks, options, 40);
	if (n < 0 || old + (uint32_t)n > 60 || !insert(p, 20, options, (uint32_t)n))
		return false;
	(*p)->data[0] = (uint8_t)(0x40 | (old + (uint32_t)n) / 4);
	packet_fix(*p, FIX_IP_LEN | FIX_IP_CSUM);
	return true;
}

static bool put_all_tcp(const struct draft *d, struct packet **p)
{
	const uint32_t th = packet_find_tcp(*p);
	struct kinds ks = {.n = 0};
	uint8_t options[KINDS * KIND_SIZE];
	uint32_t doff;
	int n;

	if (!collect(d, "exthdr tcp", "exthdr tcp exists", default_tcp, &ks))
		return false;
	if (!ks.n)
		return true;
	if (!th)
		return false;
	doff = ((*p)->data[th + 12] >> 4) * 4u;
	n = join(&ks, options, 40);
	if (n < 0 || doff < 20 || doff + (uint32_t)n > 60 ||
	    !insert(p, th + 20, options, (uint32_t)n))
		return false;
	doff += (uint32_t)n;
	(*p)->data[th + 12] = (uint8_t)(doff / 4 << 4 | ((*p)->data[th + 12] & 0xf));
	packet_fix(*p, FIX_ALL);
	return true;
}

bool build_ext(const struct draft *d, struct packet **p)
{
	if (!put_all_tcp(d, p))
		return false;
	return d->pf == NFPROTO_IPV4 ? put_all_ipv4(d, p) : put_all_ipv6(d, p);
}
