/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rt: the route of a packet (nft_rt_get_eval()); without one the rule ends.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

static bool eval_classid(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	memcpy(out, &env->rtclassid, 4);
	return env->has_dst;
}

static bool eval_nexthop(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	memcpy(out, env->nexthop, sel->width);
	return env->has_dst;
}

static bool eval_ipsec(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	*out = env->dst_xfrm;
	return env->has_dst;
}

static const struct ir_leaf leaf_classid IR_LEAF_TABLE = {
	.name = "rt classid",
	.helper = "meta_rtclassid",
	.width = 4,
	.partial = true,
	.cost = 4,
	.eval = eval_classid,
};
static const struct ir_leaf leaf_nexthop4 IR_LEAF_TABLE = {
	.name = "rt nexthop4",
	.helper = "rt_nexthop4",
	.width = 4,
	.partial = true,
	.cost = 6,
	.eval = eval_nexthop,
};
static const struct ir_leaf leaf_nexthop6 IR_LEAF_TABLE = {
	.name = "rt nexthop6",
	.helper = "rt_nexthop6",
	.width = 16,
	.partial = true,
	.cost = 8,
	.eval = eval_nexthop,
};
static const struct ir_leaf leaf_ipsec IR_LEAF_TABLE = {
	.name = "rt ipsec",
	.helper = "rt_ipsec",
	.width = 1,
	.partial = true,
	.cost = 4,
	.eval = eval_ipsec,
};

static const struct rt_key {
	const struct ir_leaf *leaf;
	uint8_t pf; /* packets of the other family end the rule; 0: either */
	const char *code, *why;
} keys[] = {
	[NFT_RT_CLASSID] = {&leaf_classid},
	[NFT_RT_NEXTHOP4] = {&leaf_nexthop4, NFPROTO_IPV4},
	[NFT_RT_NEXTHOP6] = {&leaf_nexthop6, NFPROTO_IPV6},
	[NFT_RT_TCPMSS] = {.code = "rt-mtu", .why = "a BPF program cannot look up a route"},
	[NFT_RT_XFRM] = {&leaf_ipsec},
};

static void lower_rt(struct lower *lw, const struct expr *e)
{
	uint32_t key = (uint32_t)attr_uint(e->attrs, NFTA_RT_KEY, UINT32_MAX);
	const struct rt_key *k = key < ARRAY_SIZE(keys) ? &keys[key] : NULL;

	if (!k || !k->leaf)
		lower_block(lw, k ? k->code : "rt-unknown", "%s",
			    k ? k->why : "nft-bpf does not know this key");
	else if (k->pf && k->pf != lower_pf(lw))
		lower_verdict(lw, NFT_BREAK, NULL);
	else
		lower_set_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_RT_DREG, 0),
			      ir_leaf(lower_ir(lw), k->leaf, k->leaf->width, NULL));
}

static const struct expr_op rt EXPR_OP_TABLE = {
	.name = "rt",
	.lower = lower_rt,
};
