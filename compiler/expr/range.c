/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * range: a register within or outside two constants, both inclusive, as memcmp()
 * (nft_range_eval()).
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

static void lower_range(struct lower *lw, const struct expr *e)
{
	uint32_t op = (uint32_t)attr_uint(e->attrs, NFTA_RANGE_OP, NFT_RANGE_EQ);
	struct blob from, to;
	struct ir_sel *sel;

	if (!attr_data(e->attrs, NFTA_RANGE_FROM_DATA, &from) ||
	    !attr_data(e->attrs, NFTA_RANGE_TO_DATA, &to) || from.len != to.len ||
	    op > NFT_RANGE_NEQ) {
		lower_block(lw, "expr-malformed", "range without two ends of one length");
		return;
	}
	sel = lower_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_RANGE_SREG, 0), from.len);
	lower_guard(lw, op == NFT_RANGE_EQ ? IR_RANGE : IR_NOT_RANGE, sel, from.data, to.data);
}

static const struct expr_op range EXPR_OP_TABLE = {
	.name = "range",
	.lower = lower_range,
};
