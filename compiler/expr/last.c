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

static void last_init(struct ir_state *st, struct blob attrs)
{
	if (attr_uint(attrs, NFTA_LAST_SET, 0))
		st->param[0] = attr_uint(attrs, NFTA_LAST_MSECS, 0) + 1;
}

static void lower_last(struct lower *lw, const struct expr *e)
{
	struct ir_state *st = lower_state(lw, &last_op);

	last_init(st, e->attrs);
	lower_effect(lw, &last_op, st);
}

static struct ir_state *lower_last_elem(struct lower *lw, const struct expr *e, const void *key,
					uint32_t expr)
{
	struct ir_state *st = lower_elem_state(lw, &last_op, key, expr);
	struct last_state init = {.ns = lower_ir(lw)->read_ns};
	uint64_t ago = attr_uint(e->attrs, NFTA_LAST_MSECS, 0) * 1000000;

	if (!st->init && attr_uint(e->attrs, NFTA_LAST_SET, 0) && init.ns > ago) {
		init.ns -= ago;
		st->init = arena_memdup(lower_ir(lw)->arena, &init, sizeof(init));
	}
	return st;
}

static const struct expr_op last EXPR_OP_TABLE = {
	.name = "last",
	.lower = lower_last,
	.lower_elem = lower_last_elem,
};
