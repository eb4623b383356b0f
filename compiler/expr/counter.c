/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counter: packets and bytes (skb->len), of a rule, a named object or a set element.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

static bool eval_counter(const struct ir_step *step, struct ir_env *env, void *state)
{
	struct ir_counter *c = state;

	(void)step;
	c->packets++;
	c->bytes += env->len;
	return true;
}

static const struct ir_effect_op counter_op IR_EFFECT_TABLE = {
	.name = "counter",
	.state_size = sizeof(struct ir_counter),
	.per_cpu = true,
	.cost = 2,
	.eval = eval_counter,
};

static bool counter_init(struct lower *lw, struct ir_state *st, struct blob attrs)
{
	struct ir_counter init = {
		.packets = attr_uint(attrs, NFTA_COUNTER_PACKETS, 0),
		.bytes = attr_uint(attrs, NFTA_COUNTER_BYTES, 0),
	};

	if (!st->init && (init.packets || init.bytes))
		st->init = arena_memdup(lower_ir(lw)->arena, &init, sizeof(init));
	return true;
}

static const struct expr_op counter EXPR_OP_TABLE = {
	.name = "counter",
	.state = &counter_op,
	.init = counter_init,
	.object_type = NFT_OBJECT_COUNTER,
};
