/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps of a rule. What constants decide is decided here.
 */
#include <assert.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "lower_priv.h"

static struct ir_step *step_new(struct lower *lw, enum ir_step_kind kind)
{
	struct ir_step s = {.kind = kind, .expr = lw->expr_index};
	struct ir_rule *r = lw->out;

	ARENA_PUSH(lw->ir->arena, r->steps, r->n_steps, s);
	return &r->steps[r->n_steps - 1];
}

/* The rule ends here, whatever the packet. */
static void cut(struct lower *lw)
{
	lw->done = lw->cut = true;
}

void lower_need(struct lower *lw, struct ir_sel *sel)
{
	if (lw->done || !sel || !(sel->partial || sel->impure))
		return;
	/* The interpreter draws another number, or counts on. */
	if (lw->front && sel->impure)
		front_unknown(lw);
	else
		step_new(lw, IR_NEED)->sel = sel;
}

static struct ir_step *guard_new(struct lower *lw, enum ir_guard guard, struct ir_sel *sel)
{
	struct ir_step *s = step_new(lw, IR_GUARD);

	s->guard = guard;
	s->sel = sel;
	return s;
}

/* Decided without the packet's value? True: it always or never holds (where @sel has a value). */
static bool guard_decide(enum ir_guard guard, const struct ir_sel *sel, const uint8_t *lo,
			 const uint8_t *hi, bool *ret_holds)
{
	bool inverse = guard == IR_NE || guard == IR_NOT_RANGE, inside;
	uint32_t i;

	if (sel->op == IR_CONST) {
		inside = memcmp(sel->bytes, lo, sel->width) >= 0 &&
			 memcmp(sel->bytes, hi, sel->width) <= 0;
	} else if (memcmp(lo, hi, sel->width) > 0) {
		inside = false;
	} else {
		for (i = 0; i < sel->width; i++)
			if (lo[i] != 0 || hi[i] != 0xff)
				return false;
		inside = true;
	}
	*ret_holds = inside != inverse;
	return true;
}

/* A range right behind a range of the same selector narrows it: nft writes two compares for one. */
static bool range_narrow(struct lower *lw, struct ir_sel *sel, const uint8_t *lo, const uint8_t *hi)
{
	struct ir_rule *r = lw->out;
	struct ir_step *s = r->n_steps ? &r->steps[r->n_steps - 1] : NULL;

	if (!s || s->kind != IR_GUARD || s->guard != IR_RANGE || s->sel != sel)
		return false;
	if (memcmp(lo, s->lo, sel->width) < 0)
		lo = s->lo;
	if (memcmp(hi, s->hi, sel->width) > 0)
		hi = s->hi;
	if (memcmp(lo, hi, sel->width) > 0) {
		cut(lw);
		return true;
	}
	s->lo = arena_memdup(lw->ir->arena, lo, sel->width);
	s->hi = arena_memdup(lw->ir->arena, hi, sel->width);
	if (memcmp(lo, hi, sel->width) == 0)
		s->guard = IR_EQ;
	return true;
}

void lower_guard(struct lower *lw, enum ir_guard guard, struct ir_sel *sel, const uint8_t *lo,
		 const uint8_t *hi)
{
	bool holds;
	struct ir_step *s;

	if (lw->done || !sel)
		return;
	if (guard == IR_EQ || guard == IR_NE)
		hi = lo;
	if (guard_decide(guard, sel, lo, hi, &holds)) {
		/* The load that made it stands before as an IR_NEED, if it can fail. */
		if (!holds)
			cut(lw);
		return;
	}
	if (guard == IR_RANGE && range_narrow(lw, sel, lo, hi))
		return;
	if (memcmp(lo, hi, sel->width) == 0)
		guard = guard == IR_EQ || guard == IR_RANGE ? IR_EQ : IR_NE;
	s = guard_new(lw, guard, sel);
	s->lo = arena_memdup(lw->ir->arena, lo, sel->width);
	s->hi = lo == hi ? s->lo : arena_memdup(lw->ir->arena, hi, sel->width);
}

static bool set_is_pure(const struct ir_set *set)
{
	return !set->is_mutable && !set->n_states && !set->has_timeout;
}

void lower_guard_set(struct lower *lw, enum ir_guard guard, struct ir_sel *sel, struct ir_set *set)
{
	struct ir_step *s;

	assert(guard == IR_IN || guard == IR_NOT_IN);
	if (lw->done || !sel || !set)
		return;
	if (sel->op == IR_CONST && set_is_pure(set)) {
		if (!lower_set_find(set, sel->bytes) == (guard == IR_IN))
			cut(lw);
		return;
	}
	s = guard_new(lw, guard, sel);
	s->set = set;
}

static void add_verdict(struct lower *lw, struct ir_verdict v)
{
	if (v.code == IR_CONTINUE)
		return;
	step_new(lw, IR_VERDICT)->verdict = v;
	lw->done = true;
}

void lower_vmap(struct lower *lw, struct ir_sel *sel, struct ir_set *set)
{
	const struct ir_elem *e;
	struct ir_step *s;

	if (lw->done || !sel || !set)
		return;
	if (sel->op == IR_CONST && set_is_pure(set)) {
		e = lower_set_find(set, sel->bytes);
		if (e)
			add_verdict(lw, e->verdict);
		else
			cut(lw);
		return;
	}
	s = step_new(lw, IR_VMAP);
	s->sel = sel;
	s->set = set;
}

bool lower_verdict_code(struct lower *lw, int32_t code, const char *chain, struct ir_verdict *ret)
{
	struct ir_verdict v = {0};

	switch (code) {
	case NFT_CONTINUE:
		v.code = IR_CONTINUE;
		break;
	case NF_ACCEPT:
		v.code = IR_ACCEPT;
		break;
	case NF_DROP:
		v.code = IR_DROP;
		break;
	case NFT_RETURN:
		v.code = IR_RETURN;
		break;
	case NFT_JUMP:
	case NFT_GOTO:
		if (!chain) {
			lower_block(lw, "verdict", "a jump without a chain");
			return false;
		}
		v.code = code == NFT_JUMP ? IR_JUMP : IR_GOTO;
		v.chain = lower_chain_ref(lw, chain);
		if (!v.chain)
			return false;
		break;
	default:
		lower_block(lw, (code & NF_VERDICT_MASK) == NF_QUEUE ? "expr-queue" : "verdict",
			    "verdict %d has no lowering", code);
		return false;
	}
	*ret = v;
	return true;
}

void lower_verdict(struct lower *lw, int32_t code, const char *chain)
{
	struct ir_verdict v;

	if (lw->done)
		return;
	if (code == NFT_BREAK)
		cut(lw);
	else if (lower_verdict_code(lw, code, chain, &v))
		add_verdict(lw, v);
}

struct ir_step *lower_effect(struct lower *lw, const struct ir_effect_op *op,
			     struct ir_state *state)
{
	struct ir_step *s;

	if (lw->front && (!op->per_cpu || op->may_break))
		front_unknown(lw); /* the step goes with what is behind it */
	s = step_new(lw, IR_EFFECT);
	s->effect = op;
	s->state = state;
	return s;
}
