/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exthdr: IPv6 extension headers, TCP options and IPv4 options; their bytes, or whether they are
 * there. nft_exthdr_ipv6_eval(), nft_exthdr_tcp_eval() and nft_exthdr_ipv4_eval() decide.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

enum { TCP = 6, TCP_FIXED = 20, IPV4_FIXED = 20, IPV6_FIXED = 40 };

/* Parameters of the leaves that load; those that ask for presence have the first one. */
enum { P_TYPE, P_OFFSET };

static bool has(const struct ir_env *env, uint64_t at, uint64_t n)
{
	return at + n <= env->len;
}

static bool load(const struct ir_sel *sel, const struct ir_env *env, uint64_t at, uint8_t *out)
{
	if (!has(env, at, sel->width))
		return false;
	memcpy(out, env->data + at, sel->width);
	return true;
}

/* ---- IPv6 extension headers ---- */

static bool is_extension(uint8_t proto) /* ipv6_ext_hdr(), and not "no next header" */
{
	return proto == 0 || proto == 43 || proto == 44 || proto == 51 || proto == 60;
}

/* ipv6_find_hdr() with a target: its offset, or -1. */
static int64_t find_ipv6(const struct ir_env *env, uint8_t target)
{
	uint32_t at = IPV6_FIXED;
	uint8_t proto;

	if (!has(env, 0, IPV6_FIXED))
		return -1;
	for (proto = env->data[6]; is_extension(proto);) {
		const uint8_t *h = env->data + at;

		if (!has(env, at, proto == 43 || proto == 44 ? 4 : 2))
			return -1;
		if (proto == target)
			return at;
		if (proto == 44 && (h[2] || h[3] & 0xf8))
			return -1; /* nothing behind the header of a later fragment */
		at += proto == 44 ? 8 : proto == 51 ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;
		proto = h[0];
	}
	return proto == target ? (int64_t)at : -1;
}

static bool eval_ipv6(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	int64_t at = find_ipv6(env, (uint8_t)sel->param[P_TYPE]);

	return at >= 0 && load(sel, env, (uint64_t)at + sel->param[P_OFFSET], out);
}

static bool eval_ipv6_exists(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	*out = find_ipv6(env, (uint8_t)sel->param[P_TYPE]) >= 0;
	return true;
}

/* ---- TCP options ---- */

/* Offset of the option's first byte if @want bytes of it are there, or -1. */
static int64_t find_tcp(const struct ir_env *env, uint8_t type, uint64_t want)
{
	struct ir_transport t = ir_packet_transport(env);
	uint32_t len, i, opt_len;
	const uint8_t *h;

	if (!t.l4proto_known || t.l4proto != TCP || t.frag_offset || !has(env, t.offset, TCP_FIXED))
		return -1;
	h = env->data + t.offset;
	len = (h[12] >> 4) * 4u;
	if (len < TCP_FIXED || !has(env, t.offset, len))
		return -1;
	for (i = TCP_FIXED; i < len - 1; i += opt_len) {
		opt_len = h[i] <= 1 || !h[i + 1] ? 1 : h[i + 1];
		if (h[i] != type)
			continue;
		return i + opt_len > len || want > opt_len ? -1 : (int64_t)t.offset + i;
	}
	return -1;
}

static bool eval_tcp(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	uint64_t offset = sel->param[P_OFFSET];
	int64_t at = find_tcp(env, (uint8_t)sel->param[P_TYPE], offset + sel->width);

	return at >= 0 && load(sel, env, (uint64_t)at + offset, out);
}

static bool eval_tcp_exists(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	*out = find_tcp(env, (uint8_t)sel->param[P_TYPE], 1) >= 0;
	return true;
}

/* ---- IPv4 options ---- */

enum {
	OPT_END = 0,
	OPT_NOOP = 1,
	OPT_RR = 7,
	OPT_TS = 68,
	OPT_LSRR = 131,
	OPT_CIPSO = 134,
	OPT_SSRR = 137,
	OPT_RA = 148
};

struct ip_options {
	uint32_t srr, rr, ts, alert; /* offsets; 0: none */
	bool strict;
};

/* One option of @len bytes as __ip_options_compile() sees it; false: malformed. */
static bool ip_option(struct ip_options *o, const uint8_t *opt, uint32_t len, uint32_t at)
{
	switch (opt[0]) {
	case OPT_SSRR:
	case OPT_LSRR:
		if (o->srr || len < 7 || (len - 3) % 4 || opt[2] != 4)
			return false;
		o->srr = at;
		o->strict = opt[0] == OPT_SSRR;
		return true;
	case OPT_RR:
		if (o->rr || len < 3 || opt[2] < 4 || (opt[2] <= len && opt[2] + 3u > len))
			return false;
		o->rr = at;
		return true;
	case OPT_TS:
		if (o->ts || len < 4 || opt[2] < 5)
			return false;
		if (opt[2] > len) {
			if ((opt[3] & 0xf) != 3 && opt[3] >> 4 == 15)
				return false;
		} else if (opt[2] + 3u > len ||
			   (((opt[3] & 0xf) == 1 || (opt[3] & 0xf) == 3) && opt[2] + 7u > len)) {
			return false;
		}
		o->ts = at;
		return true;
	case OPT_RA:
		if (len < 4)
			return false;
		if (!opt[2] && !opt[3])
			o->alert = at;
		return true;
	case OPT_CIPSO: /* no domain of interpretation is known to us */
		return false;
	}
	/* Others need CAP_NET_RAW of whoever runs right now: the kernel's own threads have it. */
	return true;
}

/* ipv4_find_option(): the option's offset, or -1. */
static int64_t find_ipv4(const struct ir_env *env, uint8_t type)
{
	struct ip_options o = {0};
	uint32_t end, at, len;

	if (!has(env, 0, IPV4_FIXED))
		return -1;
	end = (env->data[0] & 0xf) * 4u;
	if (end <= IPV4_FIXED || !has(env, 0, end))
		return -1;
	for (at = IPV4_FIXED; at < end && env->data[at] != OPT_END; at += len) {
		const uint8_t *opt = env->data + at;

		len = 1;
		if (opt[0] == OPT_NOOP)
			continue;
		if (end - at < 2)
			return -1;
		len = opt[1];
		if (len < 2 || len > end - at || !ip_option(&o, opt, len, at))
			return -1;
	}
	if (type == OPT_RR)
		at = o.rr;
	else if (type == OPT_RA)
		at = o.alert;
	else
		at = o.strict == (type == OPT_SSRR) ? o.srr : 0;
	return at ? (int64_t)at : -1;
}

static bool eval_ipv4(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	int64_t at = find_ipv4(env, (uint8_t)sel->param[P_TYPE]);

	return at >= 0 && load(sel, env, (uint64_t)at + sel->param[P_OFFSET], out);
}

static bool eval_ipv4_exists(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	*out = find_ipv4(env, (uint8_t)sel->param[P_TYPE]) >= 0;
	return true;
}

/* ---- leaves ---- */

static bool takes_bytes(const struct ir_sel *sel)
{
	return sel->param[P_TYPE] <= UINT8_MAX && sel->param[P_OFFSET] <= UINT8_MAX;
}

#define EXTHDR_LEAVES(id, label, ns)                                     \
	static const struct ir_leaf leaf_##id IR_LEAF_TABLE = {          \
		.name = "exthdr " label,                                 \
		.helper = "exthdr_" #id,                                 \
		.n_params = 2,                                           \
		.takes = takes_bytes,                                    \
		.partial = true,                                         \
		.cost = (ns),                                            \
		.eval = eval_##id,                                       \
	};                                                               \
	static const struct ir_leaf leaf_##id##_exists IR_LEAF_TABLE = { \
		.name = "exthdr " label " exists",                       \
		.helper = "exthdr_" #id "_exists",                       \
		.width = 1,                                              \
		.n_params = 1,                                           \
		.takes = takes_bytes,                                    \
		.cost = (ns),                                            \
		.eval = eval_##id##_exists,                              \
	}
EXTHDR_LEAVES(ipv6, "ipv6", 60);
EXTHDR_LEAVES(tcp, "tcp", 80);
EXTHDR_LEAVES(ipv4, "ipv4", 80);

/* By NFT_EXTHDR_OP_*. */
static const struct exthdr_kind {
	const struct ir_leaf *load, *exists;
	uint8_t pf; /* packets of others end the rule; 0: either */
	const char *code, *why;
} kinds[] = {
	[NFT_EXTHDR_OP_IPV6] = {&leaf_ipv6, &leaf_ipv6_exists, NFPROTO_IPV6},
	[NFT_EXTHDR_OP_TCPOPT] = {&leaf_tcp, &leaf_tcp_exists},
	[NFT_EXTHDR_OP_IPV4] = {&leaf_ipv4, &leaf_ipv4_exists, NFPROTO_IPV4},
	[NFT_EXTHDR_OP_SCTP] = {.code = "exthdr-sctp", .why = "SCTP chunks have no lowering yet"},
	[4] = {.code = "exthdr-dccp", .why = "DCCP options have no lowering yet"},
};

static void lower_read(struct lower *lw, const struct expr *e, const struct exthdr_kind *kind)
{
	uint64_t params[IR_LEAF_PARAMS] = {
		[P_TYPE] = attr_uint(e->attrs, NFTA_EXTHDR_TYPE, 0),
		[P_OFFSET] = attr_uint(e->attrs, NFTA_EXTHDR_OFFSET, 0),
	};
	uint32_t len = (uint32_t)attr_uint(e->attrs, NFTA_EXTHDR_LEN, 0);
	uint64_t flags = attr_uint(e->attrs, NFTA_EXTHDR_FLAGS, 0);
	const struct ir_leaf *leaf = flags & NFT_EXTHDR_F_PRESENT ? kind->exists : kind->load;

	if (leaf == &leaf_tcp_exists && params[P_OFFSET]) {
		lower_block(lw, "exthdr-offset", "an option is asked for with an offset");
	} else if (!leaf) {
		lower_block(lw, kind->code, "%s", kind->why);
	} else if (kind->pf && kind->pf != lower_pf(lw)) {
		lower_verdict(lw, NFT_BREAK, NULL); /* skb->protocol is another, also for exists */
	} else if (!len || len > IR_MAX_WIDTH || (leaf->width && len != leaf->width) ||
		   params[P_TYPE] > UINT8_MAX || params[P_OFFSET] > UINT8_MAX) {
		lower_block(lw, "expr-malformed", "%u bytes of a header", len);
	} else {
		lower_set_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_EXTHDR_DREG, 0),
			      ir_leaf(lower_ir(lw), leaf, len, params));
	}
}

static void lower_exthdr(struct lower *lw, const struct expr *e)
{
	uint64_t op = attr_uint(e->attrs, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
	struct blob reg;

	if (attr_find(e->attrs, NFTA_EXTHDR_SREG, &reg))
		lower_block(lw, "exthdr-write", "a BPF program cannot write to a packet");
	else if (!attr_find(e->attrs, NFTA_EXTHDR_DREG, &reg))
		lower_block(lw, "exthdr-reset", "a BPF program cannot write to a packet");
	else if (op < ARRAY_SIZE(kinds))
		lower_read(lw, e, &kinds[op]);
	else
		lower_block(lw, "exthdr-unknown", "nft-bpf does not know headers of kind %u",
			    (uint32_t)op);
}

static const struct expr_op exthdr EXPR_OP_TABLE = {
	.name = "exthdr",
	.lower = lower_exthdr,
};
