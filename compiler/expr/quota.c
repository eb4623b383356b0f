/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota: bytes so far against a bound (nft_overquota()); the packet at hand counts in any case.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

enum { P_QUOTA, P_INVERT, N_PARAMS };

struct quota_state {
	uint64_t consumed;
};

static bool eval_quota(const struct ir_step *step, struct ir_env *env, void *state)
{
	const uint64_t *p = step->state->param;
	struct quota_state *s = state;

	s->consumed += env->len;
	return (s->consumed > p[P_QUOTA]) == (bool)p[P_INVERT];
}

static const struct ir_effect_op quota_op IR_EFFECT_TABLE = {
	.name = "quota",
	.helper = "quota",
	.state_size = sizeof(struct quota_state),
	.may_break = true,
	.n_params = N_PARAMS,
	.cost = 10,
	.eval = eval_quota,
};

static bool quota_init(struct lower *lw, struct ir_state *st, struct blob attrs)
{
	struct quota_state init = {.consumed = attr_uint(attrs, NFTA_QUOTA_CONSUMED, 0)};

	st->param[P_QUOTA] = attr_uint(attrs, NFTA_QUOTA_BYTES, 0);
	st->param[P_INVERT] = attr_uint(attrs, NFTA_QUOTA_FLAGS, 0) & NFT_QUOTA_F_INV;
	if (!st->init && init.consumed)
		st->init = arena_memdup(lower_ir(lw)->arena, &init, sizeof(init));
	return true;
}

static const struct expr_op quota EXPR_OP_TABLE = {
	.name = "quota",
	.state = &quota_op,
	.init = quota_init,
	.object_type = NFT_OBJECT_QUOTA,
};
