/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * numgen: random numbers (nft_ng_random_gen()), and ones that all CPUs count up together
 * (nft_ng_inc_gen()). The kernel keeps the last of these numbers; here the state is how many there
 * were, which only grows, and the number is what that leaves by the modulus.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

enum { P_MODULUS, P_OFFSET };

struct numgen_state {
	uint64_t n;
};

static bool eval_inc(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	struct numgen_state *s = (struct numgen_state *)(env->shared + sel->state->index);
	uint32_t v = (uint32_t)(s->n++ % sel->param[P_MODULUS] + sel->param[P_OFFSET]);

	memcpy(out, &v, sizeof(v));
	return true;
}

static bool takes_modulus(const struct ir_sel *sel)
{
	return sel->param[P_MODULUS] && sel->param[P_MODULUS] <= UINT32_MAX &&
	       sel->param[P_OFFSET] <= UINT32_MAX;
}

/* The state decides what packets get, so it must not be kept twice: may_break. */
static const struct ir_effect_op inc_state IR_EFFECT_TABLE = {
	.name = "numgen inc",
	.state_size = sizeof(struct numgen_state),
	.may_break = true,
};

static const struct ir_leaf leaf_inc IR_LEAF_TABLE = {
	.name = "numgen inc",
	.helper = "numgen_inc",
	.width = 4,
	.n_params = 2,
	.takes = takes_modulus,
	.impure = true,
	.state = &inc_state,
	.cost = 15,
	.eval = eval_inc,
};

static void lower_numgen(struct lower *lw, const struct expr *e)
{
	uint32_t mod = (uint32_t)attr_uint(e->attrs, NFTA_NG_MODULUS, 0);
	uint32_t offset = (uint32_t)attr_uint(e->attrs, NFTA_NG_OFFSET, 0);
	const uint64_t params[IR_LEAF_PARAMS] = {[P_MODULUS] = mod, [P_OFFSET] = offset};
	struct ir_sel *sel;

	if (!mod) {
		lower_block(lw, "expr-malformed", "a modulus of zero");
		return;
	}
	if (attr_uint(e->attrs, NFTA_NG_TYPE, NFT_NG_INCREMENTAL) == NFT_NG_RANDOM) {
		sel = ir_leaf(lower_ir(lw), ir_leaf_find("meta random"), 4, NULL);
		lower_need(lw, sel);
		sel = ir_scale(lower_ir(lw), sel, mod, offset);
	} else {
		sel = ir_leaf_stateful(lower_ir(lw), &leaf_inc, params,
				       lower_state(lw, &inc_state));
	}
	lower_set_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_NG_DREG, 0), sel);
}

static const struct expr_op numgen EXPR_OP_TABLE = {
	.name = "numgen",
	.lower = lower_numgen,
};
