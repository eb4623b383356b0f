/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * last: when a rule matched last (nft_last_eval()). The state is the time in ns of CLOCK_MONOTONIC,
 * 0: not since the program runs; then the parameter tells how many ms ago it was when the ruleset
 * was read, plus one, and 0 that it never was. An element's is the time from the start: what differs
 * among elements is state, not code.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

#ifndef NFTA_LAST_MAX
enum { NFTA_LAST_SET = 1, NFTA_LAST_MSECS = 2 };
#endif

struct last_state {
	uint64_t ns;
};

static bool eval_last(const struct ir_step *step UNUSED, struct ir_env *env, void *state)
{
	struct last_state *s = state;

	s->ns = env->now_ns;
	return true;
}

static const struct ir_effect_op last_op IR_EFFECT_TABLE = {
	.name = "last",
	.helper = "last",
	.state_size = sizeof(struct last_state),
	.n_params = 1,
	.cost = 45,
	.eval = eval_last,
};

static bool last_init(struct lower *lw, struct ir_state *st, struct blob attrs)
{
	uint64_t ms = attr_uint(attrs, NFTA_LAST_MSECS, 0), ago = ms * 1000000;
	struct last_state init = {.ns = lower_ir(lw)->read_ns};

	if (!attr_uint(attrs, NFTA_LAST_SET, 0))
		return true;
	if (!st->in_elem) {
		st->param[0] = ms + 1;
	} else if (!st->init && init.ns > ago) {
		init.ns -= ago;
		st->init = arena_memdup(lower_ir(lw)->arena, &init, sizeof(init));
	}
	return true;
}

static const struct expr_op last EXPR_OP_TABLE = {
	.name = "last",
	.state = &last_op,
	.init = last_init,
};
