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

static void counter_init(struct lower *lw, struct ir_state *st, struct blob attrs)
{
	struct ir_counter init = {
		.packets = attr_uint(attrs, NFTA_COUNTER_PACKETS, 0),
		.bytes = attr_uint(attrs, NFTA_COUNTER_BYTES, 0),
	};

	if (!st->init && (init.packets || init.bytes))
		st->init = arena_memdup(lower_ir(lw)->arena, &init, sizeof(init));
}

static void lower_counter(struct lower *lw, const struct expr *e)
{
	struct ir_state *st = lower_state(lw, &counter_op);

	counter_init(lw, st, e->attrs);
	lower_effect(lw, &counter_op, st);
}

static struct ir_state *lower_counter_object(struct lower *lw, const struct object *o)
{
	struct ir_state *st = lower_object_state(lw, &counter_op, o);

	counter_init(lw, st, o->attrs);
	return st;
}

static struct ir_state *lower_counter_elem(struct lower *lw, const struct expr *e, const void *key,
					   uint32_t expr)
{
	struct ir_state *st = lower_elem_state(lw, &counter_op, key, expr);

	counter_init(lw, st, e->attrs);
	return st;
}

static const struct expr_op counter EXPR_OP_TABLE = {
	.name = "counter",
	.lower = lower_counter,
	.object_type = NFT_OBJECT_COUNTER,
	.lower_object = lower_counter_object,
	.lower_elem = lower_counter_elem,
};
