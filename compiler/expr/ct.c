/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct: the connection a packet belongs to (nft_ct_get_eval()).
 *
 * ct state always has a value, from the low bits of skb->_nfct alone. All other keys end the rule
 * without a connection and on a template.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

enum {
	DIR_NONE = 2,	  /* IP_CT_DIR_MAX: the attribute was not given */
	CT_UNTRACKED = 7, /* IP_CT_UNTRACKED */
	CT_DIRS = 3,	  /* IP_CT_IS_REPLY */
};

static bool eval_state(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	uint32_t state = 1; /* NF_CT_STATE_INVALID_BIT */

	if (env->has_ct)
		state = 1u << (env->ctinfo % CT_DIRS + 1); /* NF_CT_STATE_BIT() */
	else if (env->ctinfo == CT_UNTRACKED)
		state = 1u << 6; /* NF_CT_STATE_UNTRACKED_BIT */
	memcpy(out, &state, sizeof(state));
	return true;
}

static const struct ir_leaf leaf_state IR_LEAF_TABLE = {
	.name = "ct state",
	.helper = "ct_state",
	.width = 4,
	.cost = 2,
	.eval = eval_state,
};

static const char *const set_codes[] = {
	[NFT_CT_MARK] = "ct-set-mark",	 [NFT_CT_LABELS] = "ct-set-label",
	[NFT_CT_ZONE] = "ct-set-zone",	 [NFT_CT_EVENTMASK] = "ct-set-event",
};

static void lower_ct(struct lower *lw, const struct expr *e)
{
	uint32_t key = (uint32_t)attr_uint(e->attrs, NFTA_CT_KEY, UINT32_MAX);
	uint32_t dreg = (uint32_t)attr_uint(e->attrs, NFTA_CT_DREG, 0);
	struct blob reg;

	if (!attr_find(e->attrs, NFTA_CT_DREG, &reg))
		lower_block(lw,
			    key < ARRAY_SIZE(set_codes) && set_codes[key] ? set_codes[key]
									  : "ct-set",
			    "a BPF program cannot write conntrack");
	else if (key == NFT_CT_STATE)
		lower_set_reg(lw, dreg, ir_leaf(lower_ir(lw), &leaf_state, 4, NULL));
	else
		lower_block(lw, "ct-key", "this ct key has no lowering yet");
}

static const struct expr_op ct EXPR_OP_TABLE = {
	.name = "ct",
	.lower = lower_ct,
};
