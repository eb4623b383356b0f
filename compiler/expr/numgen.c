/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * numgen: random numbers (nft_ng_random_gen()). Incremental ones come out of a counter that all
 * CPUs share and that is a value besides: no lowering yet.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

static void lower_numgen(struct lower *lw, const struct expr *e)
{
	uint32_t mod = (uint32_t)attr_uint(e->attrs, NFTA_NG_MODULUS, 0);
	uint32_t offset = (uint32_t)attr_uint(e->attrs, NFTA_NG_OFFSET, 0);
	struct ir_sel *random;

	if (attr_uint(e->attrs, NFTA_NG_TYPE, NFT_NG_INCREMENTAL) != NFT_NG_RANDOM) {
		lower_block(lw, "numgen-inc", "incremental numbers have no lowering yet");
		return;
	}
	if (!mod) {
		lower_block(lw, "expr-malformed", "a modulus of zero");
		return;
	}
	random = ir_leaf(lower_ir(lw), ir_leaf_find("meta random"), 4, NULL);
	lower_need(lw, random);
	lower_set_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_NG_DREG, 0),
		      ir_scale(lower_ir(lw), random, mod, offset));
}

static const struct expr_op numgen EXPR_OP_TABLE = {
	.name = "numgen",
	.lower = lower_numgen,
};
