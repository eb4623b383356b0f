/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dynset: packets add, update and delete elements of a set (nft_dynset_eval()). What there is of an
 * element, and where, says dynamic.h.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../dynamic.h"
#include "../lower_priv.h"

enum { P_OP, P_TIMEOUT, P_INTERVAL, P_INVERT, P_FLAGS, N_PARAMS };
enum { OP_DELETE = 2 /* NFT_DYNSET_OP_DELETE */ };

#define GC_INTERVAL_MS 1000 /* nft_set_gc_interval(): a second */

/* Sets that change are no matter of the evaluator's: its ruleset stands still. */
static bool eval_dynset(const struct ir_step *step UNUSED, struct ir_env *env UNUSED,
			void *state UNUSED)
{
	return false;
}

static const struct ir_effect_op dynset_op IR_EFFECT_TABLE = {
	.name = "dynset",
	.may_break = true,
	.n_params = N_PARAMS,
	.max_args = 2,
	.cost = 80,
	.eval = eval_dynset,
};

/* nf_msecs_to_jiffies64(): whole ticks. */
static uint64_t timeout_ns(const struct lower *lw, uint64_t ms)
{
	uint32_t tick = lower_opt(lw)->jiffy_ms;

	return (tick ? ms - ms % tick : ms) * 1000000;
}

static void set_params(struct lower *lw, const struct expr *e, const struct set *s,
		       struct ir_step *step)
{
	uint64_t own = attr_uint(e->attrs, NFTA_DYNSET_TIMEOUT, 0), *p = step->param;
	bool expires = s->flags & NFT_SET_TIMEOUT;

	p[P_OP] = attr_uint(e->attrs, NFTA_DYNSET_OP, 0);
	p[P_TIMEOUT] = expires ? timeout_ns(lw, own ? own : s->timeout) : 0;
	p[P_INTERVAL] = expires ? (s->gc_interval ? s->gc_interval : GC_INTERVAL_MS) * 1000000ull : 0;
	p[P_INVERT] = attr_uint(e->attrs, NFTA_DYNSET_FLAGS, 0) & NFT_DYNSET_F_INV;
	p[P_FLAGS] = lower_dynset_exprs(lw, e).n || s->exprs.n ? DYN_HAS_STATE : 0;
}

static void lower_dynset(struct lower *lw, const struct expr *e)
{
	const struct set *s = lower_find_set(lw, e, NFTA_DYNSET_SET_NAME, NFTA_DYNSET_SET_ID);
	struct ir_set *set = s ? lower_set(lw, s) : NULL;
	struct ir_sel *key, *data = NULL;
	struct ir_step *step;

	if (!set)
		return;
	if (!set->is_dynamic) {
		lower_block(lw, "set-dynamic", "rules add elements to set %s", s->name);
		return;
	}
	key = lower_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_DYNSET_SREG_KEY, 0), set->width);
	if (key && set->kind == IR_DATA_MAP) {
		data = lower_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_DYNSET_SREG_DATA, 0),
				 set->data_width);
		if (!data)
			return;
	}
	if (!key)
		return;
	step = lower_effect(lw, &dynset_op, NULL);
	step->set = set;
	set_params(lw, e, s, step);
	ARENA_PUSH(lower_ir(lw)->arena, step->args, step->n_args, key);
	if (data && step->param[P_OP] != OP_DELETE)
		ARENA_PUSH(lower_ir(lw)->arena, step->args, step->n_args, data);
}

static const struct expr_op dynset EXPR_OP_TABLE = {
	.name = "dynset",
	.lower = lower_dynset,
};
