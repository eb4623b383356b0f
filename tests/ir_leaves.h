/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaves and effects for tests of the IR alone: small, with every property that one can have.
 */
#ifndef NFT_BPF_TESTS_IR_LEAVES_H
#define NFT_BPF_TESTS_IR_LEAVES_H

#include "compiler/ir_eval.h"

/* Bytes of the packet from an offset on. */
static bool eval_load(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	if (sel->param[0] > env->len || sel->width > env->len - sel->param[0])
		return false;
	memcpy(out, env->data + sel->param[0], sel->width);
	return true;
}

static bool eval_mark(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	memcpy(out, &env->mark, sel->width);
	return true;
}

static bool eval_random(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	uint32_t v = env->random(env->random_arg);

	memcpy(out, &v, sel->width);
	return true;
}

/* Lets state.param[0] packets through. */
static bool eval_first(const struct ir_step *step, struct ir_env *env UNUSED, void *state)
{
	uint64_t n;

	memcpy(&n, state, sizeof(n));
	n++;
	memcpy(state, &n, sizeof(n));
	return n <= step->state->param[0];
}

static const struct ir_leaf leaf_load IR_LEAF_TABLE UNUSED = {
	.name = "test load",
	.helper = "test_load",
	.n_params = 1,
	.partial = true,
	.cost = 1,
	.eval = eval_load,
};
static const struct ir_leaf leaf_mark IR_LEAF_TABLE UNUSED = {
	.name = "test mark",
	.helper = "test_mark",
	.width = 4,
	.cost = 1,
	.eval = eval_mark,
};
static const struct ir_leaf leaf_random IR_LEAF_TABLE UNUSED = {
	.name = "test random",
	.helper = "test_random",
	.width = 4,
	.impure = true,
	.cost = 1,
	.eval = eval_random,
};
static const struct ir_effect_op effect_counter IR_EFFECT_TABLE UNUSED = {
	.name = "test counter",
	.per_cpu = true,
};
static const struct ir_effect_op effect_first IR_EFFECT_TABLE UNUSED = {
	.name = "test first",
	.helper = "test_first",
	.state_size = 12,
	.may_break = true,
	.n_params = 1,
	.eval = eval_first,
};
static const struct ir_effect_op effect_note IR_EFFECT_TABLE UNUSED = {
	.name = "test note",
	.helper = "test_note",
	.n_params = 2,
	.max_args = 2,
};

#endif
