/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xtables matches of the packet and its headers below transport: comment, mark, ttl, hl, dscp, tos,
 * ecn, iprange, length, mac, pkttype (net/netfilter/xt_*.c, ipt_*.c, ip6t_*.c of the same names).
 */
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_ecn.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter_ipv4/ipt_ttl.h>

#include "match.h"

static struct ir_sel *nh(struct lower *lw, uint32_t at, uint32_t width)
{
	return match_leaf(lw, "load nh", width, at, 0);
}

static void lower_comment(struct lower *lw UNUSED, uint32_t rev UNUSED, const void *info UNUSED)
{
}

static const struct match_op comment MATCH_OP_TABLE = {
	.name = "comment",
	.lower = lower_comment,
};

static void lower_mark(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_mark_mtinfo1 *m = info;

	match_mask(lw, match_leaf(lw, "meta mark", 4, 0, 0), &m->mask, &m->mark, m->invert);
}

static const struct match_op mark MATCH_OP_TABLE = {
	.name = "mark",
	.rev_first = 1,
	.rev_last = 1,
	.size = {sizeof(struct xt_mark_mtinfo1)},
	.lower = lower_mark,
};

/* struct ip6t_hl_info is the same. */
static void lower_ttl(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	static const uint8_t none[] = {1, 0};
	const struct ipt_ttl_info *t = info;
	struct ir_sel *sel = nh(lw, lower_pf(lw) == NFPROTO_IPV4 ? 8 : 7, 1);
	uint8_t lo = t->ttl, hi = lo;
	bool impossible = false;

	if (t->mode == IPT_TTL_LT) {
		impossible = !t->ttl;
		lo = 0;
		hi--;
	} else if (t->mode == IPT_TTL_GT) {
		impossible = t->ttl == 0xff;
		lo++;
		hi = 0xff;
	}
	if (impossible)
		match_range(lw, sel, &none[0], &none[1], false);
	else
		match_range(lw, sel, &lo, &hi, t->mode == IPT_TTL_NE);
}

static const struct match_op ttl MATCH_OP_TABLE = {
	.name = "ttl",
	.family = NFPROTO_IPV4,
	.size = {sizeof(struct ipt_ttl_info)},
	.lower = lower_ttl,
};
static const struct match_op hl MATCH_OP_TABLE = {
	.name = "hl",
	.family = NFPROTO_IPV6,
	.size = {sizeof(struct ipt_ttl_info)},
	.lower = lower_ttl,
};

/* The traffic class: IPv4's second byte; of IPv6 the 8 bits behind the version. */
static void match_tos(struct lower *lw, uint8_t mask, uint8_t value, bool invert)
{
	const uint8_t mask6[] = {mask >> 4, (uint8_t)(mask << 4)};
	const uint8_t value6[] = {value >> 4, (uint8_t)(value << 4)};

	if (lower_pf(lw) == NFPROTO_IPV4)
		match_mask(lw, nh(lw, 1, 1), &mask, &value, invert);
	else
		match_mask(lw, nh(lw, 0, 2), mask6, value6, invert);
}

static void lower_dscp(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_dscp_info *d = info;

	match_tos(lw, 0xfc, (uint8_t)(d->dscp << 2), d->invert);
}

static const struct match_op dscp MATCH_OP_TABLE = {
	.name = "dscp",
	.size = {sizeof(struct xt_dscp_info)},
	.lower = lower_dscp,
};

static void lower_tos(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_tos_match_info *t = info;

	match_tos(lw, t->tos_mask, t->tos_value, t->invert);
}

static const struct match_op tos MATCH_OP_TABLE = {
	.name = "tos",
	.rev_first = 1,
	.rev_last = 1,
	.size = {sizeof(struct xt_tos_match_info)},
	.lower = lower_tos,
};

static void lower_ecn(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_ecn_info *e = info;

	if (e->operation & ~XT_ECN_OP_MATCH_IP) {
		lower_block(lw, "match-ecn", "the ECN bits of TCP have no lowering");
		return;
	}
	if (e->operation & XT_ECN_OP_MATCH_IP)
		match_tos(lw, (uint8_t)XT_ECN_IP_MASK, e->ip_ect, e->invert & XT_ECN_OP_MATCH_IP);
}

static const struct match_op ecn MATCH_OP_TABLE = {
	.name = "ecn",
	.size = {sizeof(struct xt_ecn_info)},
	.lower = lower_ecn,
};

/*
 * IPv4's total length, where zero stands for a packet too long for it (skb_ip_totlen()); of IPv6
 * what the packet is long.
 */
static void lower_length(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_length_info *l = info;

	if (lower_pf(lw) == NFPROTO_IPV6)
		match_number(lw, match_leaf(lw, "meta len", 4, 0, 0), l->min, l->max, l->invert);
	else
		match_port(lw, nh(lw, 2, 2), MAX(l->min, 1), l->max, l->invert);
}

static const struct match_op length MATCH_OP_TABLE = {
	.name = "length",
	.size = {sizeof(struct xt_length_info)},
	.lower = lower_length,
};

static void lower_iprange(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_iprange_mtinfo *r = info;
	const bool v4 = lower_pf(lw) == NFPROTO_IPV4;
	const uint32_t width = v4 ? 4 : 16;

	if (r->flags & IPRANGE_SRC)
		match_range(lw, nh(lw, v4 ? 12 : 8, width), &r->src_min, &r->src_max,
			    r->flags & IPRANGE_SRC_INV);
	if (r->flags & IPRANGE_DST)
		match_range(lw, nh(lw, v4 ? 16 : 24, width), &r->dst_min, &r->dst_max,
			    r->flags & IPRANGE_DST_INV);
}

static const struct match_op iprange MATCH_OP_TABLE = {
	.name = "iprange",
	.rev_first = 1,
	.rev_last = 1,
	.size = {sizeof(struct xt_iprange_mtinfo)},
	.lower = lower_iprange,
};

/* Only where packets come in: there skb->dev is the device they came in by. */
static void lower_mac(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_mac_info *m = info;
	const uint16_t ether = ARPHRD_ETHER;

	lower_block_hooks(lw, 1u << NF_INET_LOCAL_OUT | 1u << NF_INET_POST_ROUTING, "match-mac",
			  "packets that go out have no sender's address yet");
	match_range(lw, match_leaf(lw, "meta iiftype", 2, 0, 0), &ether, &ether, false);
	match_range(lw, match_leaf(lw, "load ll", 6, 6, 0), m->srcaddr, m->srcaddr, m->invert);
}

static const struct match_op mac MATCH_OP_TABLE = {
	.name = "mac",
	.size = {sizeof(struct xt_mac_info)},
	.lower = lower_mac,
};

/* Over the loopback device nf_tables takes every IPv6 packet for multicast, xtables does not. */
static void lower_pkttype(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_pkttype_info *t = info;
	const uint8_t type = (uint8_t)t->pkttype;

	match_range(lw, match_leaf(lw, "meta pkttype", 1, 0, 0), &type, &type, t->invert);
}

static const struct match_op pkttype MATCH_OP_TABLE = {
	.name = "pkttype",
	.family = NFPROTO_IPV4,
	.size = {sizeof(struct xt_pkttype_info)},
	.lower = lower_pkttype,
};
