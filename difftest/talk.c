/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP conversations between the ends of packets that rules ask for: a handshake, data both ways (some
 * of it as GSO), an end. Conntrack learns of them by the packets alone, so that its states come in
 * the order in which they come outside.
 */
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <linux/netfilter.h>

#include "gen.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { TCP_LEN = 20, GSO_SIZE = 500 };
enum { LEAST = 4, SHARE = 200 }; /* conversations; one more for so many packets */

struct talk {
	struct gen *g;
	const struct packet *base; /* its addresses, devices, metadata */
	uint8_t port[2][2];	   /* of who began, of who answers */
	uint32_t seq[2];
};

static void put_ip(const struct talk *t, bool reply, uint8_t *nh)
{
	bool v4 = t->base->pf == NFPROTO_IPV4;
	uint32_t at = v4 ? 12 : 8, n = v4 ? 4 : 16;

	nh[0] = v4 ? 0x45 : 0x60;
	nh[v4 ? 9 : 6] = IPPROTO_TCP;
	nh[v4 ? 8 : 7] = 64;
	/* Of a raw socket's packet without an id the kernel draws one, in each namespace another. */
	if (v4)
		memcpy(nh + 4, t->port[reply], 2);
	if (v4)
		nh[5] |= 1;
	memcpy(nh + at, t->base->data + at + (reply ? n : 0), n);
	memcpy(nh + at + n, t->base->data + at + (reply ? 0 : n), n);
}

static void put_u32(uint8_t *to, uint32_t v)
{
	v = htonl(v);
	memcpy(to, &v, 4);
}

static void put_tcp(const struct talk *t, bool reply, uint8_t flags, uint8_t *th)
{
	memcpy(th, t->port[reply], 2);
	memcpy(th + 2, t->port[!reply], 2);
	put_u32(th + 4, t->seq[reply]);
	if (flags & ACK)
		put_u32(th + 8, t->seq[!reply]);
	th[12] = TCP_LEN / 4 << 4;
	th[13] = flags;
	th[14] = 0x40; /* window */
}

/* An answer enters where the question left, and the other way round. */
static void put_ends(const struct packet *base, bool reply, struct packet *p)
{
	bool to_us = !base->is_local && base->oif == LAB_LO;

	p->is_local = base->is_local;
	p->iif = base->iif;
	p->oif = base->oif;
	if (!reply) {
		p->mark = base->mark;
		p->priority = base->priority;
		p->uid = base->uid;
		p->gid = base->gid;
	} else if (to_us) {
		p->is_local = true;
		p->iif = 0;
		p->oif = base->iif;
	} else if (base->is_local && base->oif != LAB_LO) {
		p->is_local = false;
		p->iif = base->oif;
		p->oif = LAB_LO;
	} else if (!base->is_local) {
		p->iif = base->oif;
		p->oif = base->iif;
	}
}

static void say(struct talk *t, bool reply, uint8_t flags, uint32_t n)
{
	bool v4 = t->base->pf == NFPROTO_IPV4;
	uint32_t nh = v4 ? 20 : 40;
	struct packet *p = packet_new(t->base->pf, NULL, nh + TCP_LEN + n);

	if (!p)
		return;
	put_ip(t, reply, p->data);
	put_tcp(t, reply, flags, p->data + nh);
	put_ends(t->base, reply, p);
	p->is_talk = true;
	if (n > GSO_SIZE && !p->is_local) {
		p->gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		p->gso_size = GSO_SIZE;
		p->hdr_len = (uint16_t)(nh + TCP_LEN);
	}
	packet_fix(p, FIX_ALL);
	packet_set_origin(p, "of a conversation: flags 0x%02x%s", flags, reply ? ", answer" : "");
	gen_add(t->g, p);
	t->seq[reply] += n + (flags & (SYN | FIN) ? 1 : 0);
}

static void converse(struct talk *t)
{
	uint32_t n = 1 + rng_below(&t->g->rng, 1400);

	say(t, false, SYN, 0);
	say(t, true, SYN | ACK, 0);
	say(t, false, ACK, 0);
	say(t, false, PSH | ACK, n);
	say(t, true, ACK, 0);
	say(t, true, PSH | ACK, 1200);
	say(t, false, ACK, 0);
	if (rng_one_in(&t->g->rng, 3)) {
		say(t, true, RST | ACK, 0);
		return;
	}
	say(t, false, FIN | ACK, 0);
	say(t, true, FIN | ACK, 0);
	say(t, false, ACK, 0);
}

/* False: the rule is about something else than TCP. */
static bool talk_between(struct gen *g, const struct packet *base)
{
	struct packet_l4 l4 = packet_find_l4(base->pf, base->data, base->len);
	struct talk t = {.g = g, .base = base};

	if (l4.proto != IPPROTO_TCP || l4.later_fragment || l4.offset + 4 > base->len)
		return false;
	rng_bytes(&g->rng, t.port[0], 2);
	t.port[0][0] |= 0x80;
	memcpy(t.port[1], base->data + l4.offset + 2, 2);
	t.seq[0] = (uint32_t)rng_u64(&g->rng);
	t.seq[1] = (uint32_t)rng_u64(&g->rng);
	converse(&t);
	return true;
}

/* Between the ends that a rule asks for; through this host, where its hook sees such packets. */
static bool talk_about(struct gen *g, const struct gen_target *t)
{
	enum flow flow = flow_has_hook(FLOW_FORWARD, t->prog->hook) ? FLOW_FORWARD : t->flow;
	struct packet *base = gen_try(g, t, t->wishes, t->n_wishes, flow);
	bool talked = base && talk_between(g, base);

	packet_free(base);
	return talked;
}

void gen_talks(struct gen *g, size_t n_packets)
{
	size_t left = LEAST + n_packets / SHARE;

	for (size_t tries = 20 * left; g->n_targets && left && tries; tries--) {
		const struct gen_target *t =
			&g->targets[rng_below(&g->rng, (uint32_t)g->n_targets)];

		if (t->hit && talk_about(g, t))
			left--;
	}
}
