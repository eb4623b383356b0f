/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookup: is the key in a set, what does a map hold for it, which verdict (nft_lookup_eval()).
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

static bool is_zero(const uint8_t *bytes, uint32_t n)
{
	while (n--)
		if (bytes[n])
			return false;
	return true;
}

/* Are these bytes of the key zero, whatever the packet? */
static bool sel_is_zero(const struct ir_sel *sel, uint32_t first, uint32_t n)
{
	uint32_t at = 0;

	if (sel->op == IR_CONST)
		return is_zero(sel->bytes + first, n);
	if (sel->op == IR_SLICE)
		return sel_is_zero(sel->args[0], sel->n + first, n);
	for (uint32_t i = 0; sel->op == IR_CONCAT && i < sel->n_args; i++) {
		const struct ir_sel *a = sel->args[i];
		uint32_t from = MAX(first, at), to = MIN(first + n, at + a->width);

		if (from < to && !sel_is_zero(a, from - at, to - from))
			return false;
		at += a->width;
	}
	return sel->op == IR_CONCAT;
}

/*
 * Of each field of concatenated ranges nft_pipapo_lookup() compares the field's length, which may
 * end within a word (1 byte for ip6 dscp, whose value takes 2); the IR compares words. They agree
 * where the rest of the word is zero in keys and in the lower ends of elements.
 */
bool lower_set_padded(const struct set *s, const struct ir_set *set, const struct ir_sel *key)
{
	uint32_t at = 0;

	for (uint32_t i = 0; set->ranged && i < set->n_fields; i++, at += set->field_width[i - 1]) {
		uint32_t len = s->field_len[i], pad = set->field_width[i] - len;

		if (pad && !sel_is_zero(key, at + len, pad))
			return true;
		for (size_t k = 0; k < set->n_elems; k++)
			if (set->elems[k].lo && !is_zero(set->elems[k].lo + at + len, pad))
				return true;
	}
	return false;
}

static void lower_lookup(struct lower *lw, const struct expr *e)
{
	uint32_t flags = (uint32_t)attr_uint(e->attrs, NFTA_LOOKUP_FLAGS, 0);
	const struct set *s = lower_find_set(lw, e, NFTA_LOOKUP_SET, NFTA_LOOKUP_SET_ID);
	struct ir_set *set = s ? lower_set(lw, s) : NULL;
	struct ir_sel *key;
	struct blob dreg;

	if (!set)
		return;
	if (s->flags & NFT_SET_OBJECT) {
		lower_block(lw, "set-objects", "set %s: a map to objects, looked up as a set", s->name);
		return;
	}
	key = lower_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_LOOKUP_SREG, 0), set->width);
	if (!key)
		return;
	if (lower_set_padded(s, set, key)) {
		lower_block(lw, "set-padding", "set %s: a field's value is longer than the field",
			    s->name);
		return;
	}
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
