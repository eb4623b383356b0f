/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookup: is the key in a set, what does a map hold for it, which verdict (nft_lookup_eval()).
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

static void lower_lookup(struct lower *lw, const struct expr *e)
{
	uint32_t flags = (uint32_t)attr_uint(e->attrs, NFTA_LOOKUP_FLAGS, 0);
	const struct set *s = lower_find_set(lw, e, NFTA_LOOKUP_SET, NFTA_LOOKUP_SET_ID);
	struct ir_set *set = s ? lower_set(lw, s) : NULL;
	struct ir_sel *key;
	struct blob dreg;

	if (!set)
		return;
	key = lower_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_LOOKUP_SREG, 0), set->width);
	if (!key)
		return;
	if (!attr_find(e->attrs, NFTA_LOOKUP_DREG, &dreg)) {
		/* A map may be asked for its keys alone. */
		lower_guard_set(lw, flags & NFT_LOOKUP_F_INV ? IR_NOT_IN : IR_IN, key, set);
	} else if (set->kind == IR_VERDICT_MAP) {
		lower_vmap(lw, key, set);
	} else if (set->kind == IR_DATA_MAP) {
		lower_set_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_LOOKUP_DREG, 0),
			      ir_map(lower_ir(lw), key, set));
	} else {
		lower_block(lw, "expr-malformed", "set %s has no data to look up", s->name);
	}
}

static const struct expr_op lookup EXPR_OP_TABLE = {
	.name = "lookup",
	.lower = lower_lookup,
};
