/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The surroundings of a packet. Devices are found by asking each whether the leaves the draft
 * settled would read so on it; other metadata by name.
 */
#include "build_env.h"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <linux/netfilter.h>

static bool is_in_leaf(const char *name)
{
	return strncmp(name, "meta iif", 8) == 0 || strcmp(name, "meta sdif") == 0;
}

static bool is_out_leaf(const char *name)
{
	return strncmp(name, "meta oif", 8) == 0;
}

static bool area_agrees(const struct draft_area *a, const struct ir_env *env)
{
	uint8_t v[IR_MAX_WIDTH];

	if (!a->sel->leaf->eval(a->sel, env, v))
		return false;
	for (uint32_t i = 0; i < a->sel->width; i++)
		if ((v[i] ^ a->val[i]) & a->mask[i])
			return false;
	return true;
}

static bool devs_agree(const struct lab *lab, const struct draft *d, uint32_t iif, uint32_t oif)
{
	struct ir_env env = {.pf = d->pf};

	flow_dev(lab_dev_by_index(lab, iif), &env.in);
	flow_dev(lab_dev_by_index(lab, oif), &env.out);
	for (unsigned int i = AREA_LEAF; i < d->n_areas; i++) {
		const char *name = d->area[i].sel->leaf->name;

		if ((is_in_leaf(name) || is_out_leaf(name)) && !area_agrees(&d->area[i], &env))
			return false;
	}
	return true;
}

/* Which devices rules see at a hook on this way, when it enters at @in and leaves at @out. */
static bool pair_agrees(const struct lab *lab, const struct draft *d, enum flow flow, uint8_t hook,
			uint32_t in, uint32_t out)
{
	bool sees_in = hook == NF_INET_PRE_ROUTING || hook == NF_INET_LOCAL_IN ||
		       hook == NF_INET_FORWARD ||
		       (hook == NF_INET_POST_ROUTING && !flow_is_local(flow));
	bool sees_out = hook == NF_INET_LOCAL_OUT || hook == NF_INET_FORWARD ||
			hook == NF_INET_POST_ROUTING;

	return devs_agree(lab, d, sees_in ? in : 0, sees_out ? out : 0);
}

static bool choose_devs(const struct lab *lab, const struct draft *d, enum flow flow, uint8_t hook,
			struct rng *rng, struct packet *p)
{
	unsigned int n = lab->n_devs, start_in = rng_below(rng, n), start_out = rng_below(rng, n);

	for (unsigned int i = 0; i < n; i++) {
		const struct lab_dev *in = &lab->devs[(start_in + i) % n];

		if (in->is_lo != flow_is_local(flow))
			continue;
		for (unsigned int o = 0; o < n; o++) {
			const struct lab_dev *out = &lab->devs[(start_out + o) % n];

			if (out->is_lo != (flow == FLOW_INPUT || flow == FLOW_LOOP))
				continue;
			if (!pair_agrees(lab, d, flow, hook, in->ifindex, out->ifindex))
				continue;
			p->is_local = flow_is_local(flow);
			p->iif = p->is_local ? 0 : in->ifindex;
			p->oif = out->ifindex;
			return true;
		}
	}
	return false;
}

/* Open bits of a number that rules ask for are zero or anything. */
static uint32_t choose_u32(const struct draft *d, const char *leaf, struct rng *rng)
{
	uint32_t val, mask, any = rng_one_in(rng, 2) ? (uint32_t)rng_u64(rng) : 0;

	return draft_leaf_u32(d, leaf, &val, &mask) ? (any & ~mask) | (val & mask) : 0;
}

/* Of conntrack's status only what the rules ask for: other bits would have it do things. */
static uint32_t choose_ct_status(const struct draft *d)
{
	uint32_t val, mask;

	return draft_leaf_u32(d, "ct status", &val, &mask) ? val & mask : 0;
}

static bool choose_pkttype(const struct draft *d, struct packet *p)
{
	const struct draft_area *a = draft_leaf(d, "meta pkttype");
	uint8_t type;

	if (!a)
		return true;
	if (!draft_byte(a, 0, &type))
		return (a->val[0] & a->mask[0]) == (PACKET_HOST & a->mask[0]);
	if (type == PACKET_HOST)
		return true;
	if (p->is_local || (type != PACKET_BROADCAST && type != PACKET_MULTICAST))
		return false;
	p->own_dst_mac = true;
	memset(p->dst_mac, 0xff, 6);
	if (type == PACKET_MULTICAST)
		memcpy(p->dst_mac, (uint8_t[]){1, 0, 0x5e, 1, 1, 1}, 6);
	return true;
}

/* Bytes of the link layer header; its type field is the packet's business. */
static bool choose_macs(const struct lab *lab, const struct draft *d, struct packet *p)
{
	const struct draft_area *ll = &d->area[2];
	const struct lab_dev *dev = lab_dev_by_index(lab, p->iif);

	if (!ll->used)
		return true;
	if (p->is_local || !dev || dev->is_tun)
		return false;
	if (!p->own_dst_mac)
		memcpy(p->dst_mac, dev->mac, 6);
	p->own_dst_mac = true;
	for (int i = 0; i < 6; i++) {
		p->dst_mac[i] = (uint8_t)((p->dst_mac[i] & ~ll->mask[i]) | (ll->val[i] & ll->mask[i]));
		p->src_mac[i] = (uint8_t)((p->src_mac[i] & ~ll->mask[i + 6]) |
					  (ll->val[i + 6] & ll->mask[i + 6]));
	}
	return true;
}

/* Conntrack calls invalid what comes with a wrong checksum, or TCP flags that make no sense. */
static bool make_invalid(const struct draft *d, struct packet *p)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);
	uint8_t *th = p->data + l4.offset;

	if (l4.proto == IPPROTO_TCP && l4.offset + 20 <= p->len) {
		if (p->is_local && d->area[1].mask[13])
			return false;
		if (p->is_local) {
			th[13] = 0;
			packet_fix(p, FIX_L4_CSUM);
		} else {
			th[17] ^= 0x55;
		}
		return true;
	}
	if (p->is_local || l4.offset + 8 > p->len)
		return false;
	if (l4.proto == IPPROTO_UDP)
		th[7] ^= 0x55;
	else if (l4.proto == IPPROTO_ICMP || l4.proto == IPPROTO_ICMPV6)
		th[3] ^= 0x55;
	else
		return false;
	return true;
}

/* One bit of ct state: 1 invalid, 2 established, 4 related, 8 new, 64 untracked. */
static bool choose_ct(const struct draft *d, struct rng *rng, struct packet *p)
{
	static const struct {
		uint32_t bit;
		enum packet_ct ct;
	} states[] = {{8, CT_NEW}, {2, CT_ESTABLISHED}, {4, CT_RELATED}, {1, CT_INVALID}};
	uint32_t val, mask, start = rng_below(rng, ARRAY_SIZE(states));
	const struct draft_area *dir = draft_leaf(d, "ct direction");
	uint8_t v;

	p->ct_mark = choose_u32(d, "ct mark", rng);
	p->ct_status = choose_ct_status(d);
	p->ct_reply = !d->ct_original && rng_one_in(rng, 2);
	if (dir && draft_byte(dir, 0, &v)) {
		if (v && d->ct_original)
			return false;
		p->ct_reply = v;
		p->ct = CT_ESTABLISHED;
	}
	if (d->ct_original)
		p->ct = CT_NEW;
	if (!draft_leaf_u32(d, "ct state", &val, &mask)) {
		if (p->ct_mark || p->ct_status)
			p->ct = CT_ESTABLISHED;
		return true;
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(states); i++) {
		uint32_t k = (start + i) % ARRAY_SIZE(states);

		if (((states[k].bit ^ val) & mask) == 0) {
			p->ct = states[k].ct;
			return p->ct != CT_INVALID || make_invalid(d, p);
		}
	}
	return false;
}

bool build_env(const struct lab *lab, const struct draft *d, enum flow flow, uint8_t hook,
	       struct rng *rng, struct packet *p)
{
	if (!choose_devs(lab, d, flow, hook, rng, p))
		return false;
	if ((draft_leaf(d, "meta skuid") || draft_leaf(d, "meta skgid")) && !p->is_local)
		return false;
	p->mark = choose_u32(d, "meta mark", rng);
	p->priority = choose_u32(d, "meta priority", rng);
	p->uid = choose_u32(d, "meta skuid", rng);
	p->gid = choose_u32(d, "meta skgid", rng);
	return choose_pkttype(d, p) && choose_macs(lab, d, p) && choose_ct(d, rng, p);
}
