/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xtables matches of the connection: conntrack, state, connmark, connbytes (xt_*.c of these names).
 *
 * A template (`-j CT --zone` in the raw table) is a connection to xtables and none to nf_tables; so
 * what looks at more than the state is not lowered in tables with a chain before conntrack.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_connbytes.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter_ipv4.h>

#include "match.h"

enum { ORIGINAL, REPLY };
enum { SRC, DST };

#define NFT_CT_UNTRACKED (1u << 6) /* NF_CT_STATE_UNTRACKED_BIT of nf_tables */
#define STATES_WITHOUT	 (XT_CONNTRACK_STATE_INVALID | XT_CONNTRACK_STATE_UNTRACKED)

static bool meets_templates(const struct lower *lw)
{
	const struct chain *c;

	list_for_each (c, &lower_table(lw)->chains, node)
		if (c->is_base && c->priority <= NF_IP_PRI_CONNTRACK)
			return true;
	return false;
}

static void bits(struct lower *lw, struct ir_sel *sel, uint32_t mask, bool none)
{
	static const uint8_t zero[4];

	/* (sel & mask) != 0 is what holds without @none. */
	match_mask(lw, sel, &mask, zero, !none);
}

static void lower_xt_state(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_state_info *s = info;

	bits(lw, match_leaf(lw, "ct state", 4, 0, 0), s->statemask, false);
}

static const struct match_op state MATCH_OP_TABLE = {
	.name = "state",
	.size = {sizeof(struct xt_state_info)},
	.lower = lower_xt_state,
};

static void lower_connmark(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_connmark_mtinfo1 *c = info;

	if (meets_templates(lw))
		lower_block(lw, "match-conntrack", "connections of a table before conntrack");
	match_mask(lw, match_leaf(lw, "ct mark", 4, 0, 0), &c->mask, &c->mark, c->invert);
}

static const struct match_op connmark MATCH_OP_TABLE = {
	.name = "connmark",
	.rev_first = 1,
	.rev_last = 1,
	.size = {sizeof(struct xt_connmark_mtinfo1)},
	.lower = lower_connmark,
};

/*
 * Without accounting of a connection the match does not hold, while nf_tables takes zeros: the same
 * where zero is none of the numbers that are asked for.
 */
static void lower_connbytes(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	static const char *const leaves[] = {"ct packets", "ct bytes", "ct avgpkt"};
	const struct xt_connbytes_info *c = info;

	if (meets_templates(lw) || !c->count.from || c->count.to < c->count.from ||
	    c->what >= ARRAY_SIZE(leaves)) {
		lower_block(lw, "match-connbytes", "connections before any packet, or a template");
		return;
	}
	match_number(lw, match_leaf(lw, leaves[c->what], 8, c->direction, 0), c->count.from,
		     c->count.to, false);
}

static const struct match_op connbytes MATCH_OP_TABLE = {
	.name = "connbytes",
	.size = {18},
	.lower = lower_connbytes,
};

/* ---- conntrack ---- */

#define NAT_STATES (XT_CONNTRACK_STATE_SNAT | XT_CONNTRACK_STATE_DNAT)

static uint32_t state_mask(const struct xt_conntrack_mtinfo3 *c, uint32_t rev)
{
	return rev == 1 ? ((const struct xt_conntrack_mtinfo1 *)c)->state_mask : c->state_mask;
}

static uint32_t status_mask(const struct xt_conntrack_mtinfo3 *c, uint32_t rev)
{
	return rev == 1 ? ((const struct xt_conntrack_mtinfo1 *)c)->status_mask : c->status_mask;
}

/* Packets without a connection pass a state that allows for them, whatever else is asked. */
static bool conntrack_check(struct lower *lw, const struct xt_conntrack_mtinfo3 *c, uint32_t rev)
{
	const char *why = NULL;
	uint32_t states = state_mask(c, rev);
	uint32_t jiffy_ms = lower_opt(lw)->jiffy_ms;
	bool more = c->match_flags & ~(XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS);

	more |= c->match_flags & XT_CONNTRACK_STATE && states & NAT_STATES;
	if (c->match_flags & XT_CONNTRACK_EXPIRES && (!jiffy_ms || 1000 % jiffy_ms))
		why = "seconds are not whole ticks of the kernel";
	else if (more && meets_templates(lw))
		why = "connections of a table before conntrack";
	else if (more && c->match_flags & XT_CONNTRACK_STATE &&
		 (states & STATES_WITHOUT || c->invert_flags & XT_CONNTRACK_STATE))
		why = "packets without a connection, and more that is asked of it";
	if (why)
		lower_block(lw, "match-conntrack", "%s", why);
	return !why;
}

static void ct_addr(struct lower *lw, uint64_t dir, uint64_t end, const union nf_inet_addr *mask,
		    const union nf_inet_addr *addr, bool invert)
{
	const uint32_t width = lower_pf(lw) == NFPROTO_IPV4 ? 4 : 16;
	struct ir_sel *sel = match_leaf(lw, "ct addr", 16, dir, end);
	uint8_t value[16];
	uint32_t i;

	for (i = 0; i < width; i++)
		value[i] = ((const uint8_t *)addr)[i] & ((const uint8_t *)mask)[i];
	match_mask(lw, ir_slice(lower_ir(lw), sel, 0, width), mask, value, invert);
}

static uint16_t port_of(uint16_t value, uint32_t rev) /* network order before revision 3 */
{
	return rev < 3 ? __builtin_bswap16(value) : value;
}

static void ct_port(struct lower *lw, uint64_t dir, uint64_t end, uint16_t lo, uint16_t hi,
		    bool invert)
{
	match_port(lw, match_leaf(lw, "ct port", 2, dir, end), lo, hi, invert);
}

static void conntrack_tuples(struct lower *lw, const struct xt_conntrack_mtinfo3 *c, uint32_t rev)
{
	const struct {
		uint16_t addr_flag, port_flag;
		uint8_t dir, end;
		const union nf_inet_addr *addr, *mask;
		uint16_t lo, hi;
	} ends[] = {
		{XT_CONNTRACK_ORIGSRC, XT_CONNTRACK_ORIGSRC_PORT, ORIGINAL, SRC, &c->origsrc_addr,
		 &c->origsrc_mask, c->origsrc_port, c->origsrc_port_high},
		{XT_CONNTRACK_ORIGDST, XT_CONNTRACK_ORIGDST_PORT, ORIGINAL, DST, &c->origdst_addr,
		 &c->origdst_mask, c->origdst_port, c->origdst_port_high},
		{XT_CONNTRACK_REPLSRC, XT_CONNTRACK_REPLSRC_PORT, REPLY, SRC, &c->replsrc_addr,
		 &c->replsrc_mask, c->replsrc_port, c->replsrc_port_high},
		{XT_CONNTRACK_REPLDST, XT_CONNTRACK_REPLDST_PORT, REPLY, DST, &c->repldst_addr,
		 &c->repldst_mask, c->repldst_port, c->repldst_port_high},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		uint16_t lo = port_of(ends[i].lo, rev);

		if (c->match_flags & ends[i].addr_flag)
			ct_addr(lw, ends[i].dir, ends[i].end, ends[i].mask, ends[i].addr,
				c->invert_flags & ends[i].addr_flag);
		if (c->match_flags & ends[i].port_flag)
			ct_port(lw, ends[i].dir, ends[i].end, lo, rev < 3 ? lo : ends[i].hi,
				c->invert_flags & ends[i].port_flag);
	}
}

/* Any of these states; SNAT and DNAT are in the status, as bits of their own. */
static void conntrack_states(struct lower *lw, uint32_t states, bool invert)
{
	const uint32_t other = NAT_STATES | XT_CONNTRACK_STATE_UNTRACKED;
	const uint32_t plain = (states & ~other) |
			       (states & XT_CONNTRACK_STATE_UNTRACKED ? NFT_CT_UNTRACKED : 0);
	const uint32_t nat = (states & XT_CONNTRACK_STATE_SNAT ? IPS_SRC_NAT : 0) |
			     (states & XT_CONNTRACK_STATE_DNAT ? IPS_DST_NAT : 0);
	static const uint8_t zero[4];
	struct ir *ir = lower_ir(lw);
	struct ir_sel *state, *status;

	if (!nat) {
		bits(lw, match_leaf(lw, "ct state", 4, 0, 0), plain, invert);
		return;
	}
	state = match_leaf(lw, "ct state", 4, 0, 0);
	status = match_leaf(lw, "ct status", 4, 0, 0);
	lower_guard(lw, IR_NE,
		    ir_binary(ir, IR_OR,
			      ir_binary(ir, IR_AND, state, ir_const(ir, &plain, 4)),
			      ir_binary(ir, IR_AND, status, ir_const(ir, &nat, 4))),
		    zero, zero);
}

static void conntrack_rest(struct lower *lw, const struct xt_conntrack_mtinfo3 *c)
{
	const bool original = !(c->invert_flags & XT_CONNTRACK_DIRECTION);
	const uint64_t jiffy_ms = lower_opt(lw)->jiffy_ms;

	if (c->match_flags & XT_CONNTRACK_DIRECTION)
		match_number(lw, match_leaf(lw, "ct direction", 1, 0, 0), !original, !original,
			     false);
	if (c->match_flags & XT_CONNTRACK_EXPIRES) /* in whole seconds, rounded down */
		match_number(lw, match_leaf(lw, "ct expiration", 4, jiffy_ms, 1),
			     MIN(c->expires_min * (1000 / jiffy_ms), UINT32_MAX),
			     MIN((c->expires_max + 1ull) * (1000 / jiffy_ms) - 1, UINT32_MAX),
			     c->invert_flags & XT_CONNTRACK_EXPIRES);
}

static void lower_conntrack(struct lower *lw, uint32_t rev, const void *info)
{
	const struct xt_conntrack_mtinfo3 *c = info; /* the earlier ones are its beginning */
	uint32_t states = state_mask(c, rev);
	uint8_t proto = (uint8_t)c->l4proto;

	if (!conntrack_check(lw, c, rev))
		return;
	if (c->match_flags & XT_CONNTRACK_STATE)
		conntrack_states(lw, states, c->invert_flags & XT_CONNTRACK_STATE);
	else
		lower_need(lw, match_leaf(lw, "ct status", 4, 0, 0));
	if (c->match_flags & XT_CONNTRACK_PROTO)
		match_range(lw, match_leaf(lw, "ct protocol", 1, 0, 0), &proto, &proto,
			    c->invert_flags & XT_CONNTRACK_PROTO);
	conntrack_tuples(lw, c, rev);
	if (c->match_flags & XT_CONNTRACK_STATUS)
		bits(lw, match_leaf(lw, "ct status", 4, 0, 0), status_mask(c, rev),
		     c->invert_flags & XT_CONNTRACK_STATUS);
	conntrack_rest(lw, c);
}

static const struct match_op conntrack MATCH_OP_TABLE = {
	.name = "conntrack",
	.rev_first = 1,
	.rev_last = 3,
	.size = {sizeof(struct xt_conntrack_mtinfo1), sizeof(struct xt_conntrack_mtinfo2),
		 sizeof(struct xt_conntrack_mtinfo3)},
	.lower = lower_conntrack,
};
