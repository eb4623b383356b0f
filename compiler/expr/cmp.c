/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmp: a register against a constant, as memcmp() (nft_cmp_eval()).
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

/* @key plus or minus one as a big-endian number; false where that wraps. */
static bool step_key(uint8_t *key, uint32_t width, int by)
{
	uint32_t i;

	for (i = width; i-- > 0;) {
		key[i] = (uint8_t)(key[i] + by);
		if (key[i] != (by > 0 ? 0 : 0xff))
			return true;
	}
	return false;
}

static void guard_order(struct lower *lw, struct ir_sel *sel, uint32_t op, const uint8_t *value)
{
	uint8_t lo[IR_MAX_WIDTH] = {0}, hi[IR_MAX_WIDTH];
	bool possible = true;

	memset(hi, 0xff, sizeof(hi));
	if (op == NFT_CMP_LT || op == NFT_CMP_LTE)
		memcpy(hi, value, sel->width);
	else
		memcpy(lo, value, sel->width);
	if (op == NFT_CMP_LT)
		possible = step_key(hi, sel->width, -1);
	else if (op == NFT_CMP_GT)
		possible = step_key(lo, sel->width, 1);
	if (possible)
		lower_guard(lw, IR_RANGE, sel, lo, hi);
	else
		lower_verdict(lw, NFT_BREAK, NULL);
}

static void lower_cmp(struct lower *lw, const struct expr *e)
{
	uint32_t op = (uint32_t)attr_uint(e->attrs, NFTA_CMP_OP, NFT_CMP_EQ);
	struct ir_sel *sel;
	struct blob value;

	if (!attr_data(e->attrs, NFTA_CMP_DATA, &value) || op > NFT_CMP_GTE) {
		lower_block(lw, "expr-malformed", "cmp without data or with operation %u", op);
		return;
	}
	sel = lower_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_CMP_SREG, 0), value.len);
	if (!sel)
		return;
	if (op == NFT_CMP_EQ || op == NFT_CMP_NEQ)
		lower_guard(lw, op == NFT_CMP_EQ ? IR_EQ : IR_NE, sel, value.data, value.data);
	else
		guard_order(lw, sel, op, value.data);
}

static const struct expr_op cmp EXPR_OP_TABLE = {
	.name = "cmp",
	.lower = lower_cmp,
};
