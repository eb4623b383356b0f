/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * immediate: a constant into a register, or a verdict.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

static void lower_verdict_data(struct lower *lw, struct blob data)
{
	const char *chain = attr_str(data, NFTA_VERDICT_CHAIN);
	uint32_t id = (uint32_t)attr_uint(data, NFTA_VERDICT_CHAIN_ID, 0);
	struct chain *c;

	/* Anonymous chains of a batch may still go by their number. */
	if (!chain && id) {
		c = table_find_chain_id(lower_table(lw), id);
		chain = c ? c->name : NULL;
	}
	lower_verdict(lw, (int32_t)attr_uint(data, NFTA_VERDICT_CODE, (uint32_t)NFT_BREAK), chain);
}

static void lower_immediate(struct lower *lw, const struct expr *e)
{
	uint32_t dreg = (uint32_t)attr_uint(e->attrs, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	struct blob data, value;

	if (!attr_find(e->attrs, NFTA_IMMEDIATE_DATA, &data)) {
		lower_block(lw, "expr-malformed", "there is no data");
		return;
	}
	if (attr_find(data, NFTA_DATA_VERDICT, &value))
		lower_verdict_data(lw, value);
	else if (attr_find(data, NFTA_DATA_VALUE, &value) && value.len && value.len <= IR_MAX_WIDTH)
		lower_set_reg(lw, dreg, ir_const(lower_ir(lw), value.data, value.len));
	else
		lower_block(lw, "expr-malformed", "the data is neither a value nor a verdict");
}

static const struct expr_op immediate EXPR_OP_TABLE = {
	.name = "immediate",
	.lower = lower_immediate,
};
