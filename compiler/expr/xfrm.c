/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xfrm: the IPsec states a packet came through or will go through (nft_xfrm_get_eval()). The rule
 * ends where there is no such state, and where one without addresses is asked for its own.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

enum { P_KEY, P_OUT, P_NUM };
enum { POLICY_IN, POLICY_OUT }; /* XFRM_POLICY_* */

static bool put(uint8_t *out, const void *value, size_t size)
{
	memcpy(out, value, size);
	return true;
}

static bool eval_ipsec(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	const struct ir_xfrm *x = sel->param[P_OUT] ? env->xfrm_out : env->xfrm_in;
	const uint8_t n = sel->param[P_OUT] ? env->n_xfrm_out : env->n_xfrm_in;
	uint64_t key = sel->param[P_KEY];

	if (sel->param[P_NUM] >= n)
		return false;
	x += sel->param[P_NUM];
	if (key == NFT_XFRM_KEY_REQID)
		return put(out, &x->reqid, 4);
	if (key == NFT_XFRM_KEY_SPI)
		return put(out, x->spi, 4);
	if (!x->has_addr || (sel->width == 4) != (x->family == NFPROTO_IPV4))
		return false;
	if (key == NFT_XFRM_KEY_DADDR_IP4 || key == NFT_XFRM_KEY_DADDR_IP6)
		return put(out, x->daddr, sel->width);
	return put(out, x->saddr, sel->width);
}

static bool is_v6_key(uint64_t key)
{
	return key == NFT_XFRM_KEY_DADDR_IP6 || key == NFT_XFRM_KEY_SADDR_IP6;
}

static bool takes_key(const struct ir_sel *sel)
{
	uint64_t key = sel->param[P_KEY];

	return key >= NFT_XFRM_KEY_DADDR_IP4 && key <= NFT_XFRM_KEY_SPI &&
	       sel->width == (is_v6_key(key) ? 16 : 4);
}

static const struct ir_leaf leaf_ipsec IR_LEAF_TABLE = {
	.name = "ipsec",
	.helper = "ipsec",
	.n_params = 3,
	.takes = takes_key,
	.partial = true,
	.cost = 150,
	.eval = eval_ipsec,
};

static void lower_xfrm(struct lower *lw, const struct expr *e)
{
	uint32_t key = (uint32_t)attr_uint(e->attrs, NFTA_XFRM_KEY, 0);
	uint64_t params[IR_LEAF_PARAMS] = {
		[P_KEY] = key,
		[P_OUT] = attr_uint(e->attrs, NFTA_XFRM_DIR, POLICY_IN) == POLICY_OUT,
		[P_NUM] = attr_uint(e->attrs, NFTA_XFRM_SPNUM, 0),
	};

	if (key < NFT_XFRM_KEY_DADDR_IP4 || key > NFT_XFRM_KEY_SPI)
		lower_block(lw, "xfrm-unknown", "nft-bpf does not know this key");
	else
		lower_set_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_XFRM_DREG, 0),
			      ir_leaf(lower_ir(lw), &leaf_ipsec, is_v6_key(key) ? 16 : 4, params));
}

static const struct expr_op xfrm EXPR_OP_TABLE = {
	.name = "xfrm",
	.lower = lower_xfrm,
};
