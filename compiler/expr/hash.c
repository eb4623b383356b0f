/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash: jhash of a register, scaled (nft_jhash_eval()). Without a seed the kernel takes a random
 * one for each expression, so any will do. symhash is over the kernel's secret.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_index.h"
#include "../lower.h"

static uint32_t own_seed(const struct lower *lw)
{
	uint64_t h = ir_hash_u64(IR_HASH_INIT, lower_opt(lw)->seed);

	h = ir_hash_u64(h, lower_rule(lw)->handle);
	return (uint32_t)ir_hash_u64(h, lower_expr_index(lw));
}

static void lower_hash(struct lower *lw, const struct expr *e)
{
	uint32_t mod = (uint32_t)attr_uint(e->attrs, NFTA_HASH_MODULUS, 0);
	uint32_t offset = (uint32_t)attr_uint(e->attrs, NFTA_HASH_OFFSET, 0);
	uint32_t seed = (uint32_t)attr_uint(e->attrs, NFTA_HASH_SEED, own_seed(lw));
	struct ir_sel *sel;

	if (attr_uint(e->attrs, NFTA_HASH_TYPE, NFT_HASH_JENKINS) != NFT_HASH_JENKINS) {
		lower_block(lw, "hash-sym", "the kernel computes symhash with a secret");
		return;
	}
	if (lower_is_front(lw) && !attr_uint(e->attrs, NFTA_HASH_SEED, 0)) {
		lower_block(lw, "hash-sym", "the kernel has drawn a seed of its own");
		return;
	}
	if (!mod) {
		lower_block(lw, "expr-malformed", "a modulus of zero");
		return;
	}
	sel = lower_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_HASH_SREG, 0),
			(uint32_t)attr_uint(e->attrs, NFTA_HASH_LEN, 0));
	if (sel)
		lower_set_reg(
			lw, (uint32_t)attr_uint(e->attrs, NFTA_HASH_DREG, 0),
			ir_scale(lower_ir(lw), ir_jhash(lower_ir(lw), sel, seed), mod, offset));
}

static const struct expr_op hash EXPR_OP_TABLE = {
	.name = "hash",
	.lower = lower_hash,
};
