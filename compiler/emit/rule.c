/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One rule: its steps in order; a step that does not hold goes to the next rule.
 */
#include "gen.h"

void gen_verdict(struct gen *g, const struct ir_verdict *v)
{
	switch (v->code) {
	case IR_CONTINUE: /* the caller goes on */
		break;
	case IR_ACCEPT:
		gen_accept(g);
		break;
	case IR_DROP:
		gen_drop(g);
		break;
	case IR_RETURN:
		gen_return(g);
		break;
	case IR_JUMP:
		gen_call(g, v->chain, true);
		break;
	case IR_GOTO:
		gen_call(g, v->chain, false);
		break;
	}
}

/* The blocks that the elements of a verdict map lead to, one for each verdict. */
struct vmap {
	LLVMBasicBlockRef go_on; /* for "continue" */
	struct vmap_target {
		struct ir_verdict verdict;
		LLVMBasicBlockRef block;
	} *targets;
	size_t n;
};

static void to_verdict(struct gen *g, void *arg, const struct ir_elem *e, const struct val *data)
{
	struct vmap *m = arg;
	struct vmap_target t = {.verdict = e->verdict};
	LLVMBasicBlockRef here = gen_here(g);

	(void)data;
	for (size_t i = 0; i < m->n && !t.block; i++) {
		if (m->targets[i].verdict.code == t.verdict.code &&
		    m->targets[i].verdict.chain == t.verdict.chain)
			t.block = m->targets[i].block;
	}
	if (!t.block && t.verdict.code == IR_CONTINUE)
		t.block = m->go_on;
	if (!t.block) {
		t.block = gen_block(g, "verdict");
		gen_at(g, t.block);
		gen_verdict(g, &t.verdict);
		gen_at(g, here);
		ARENA_PUSH(g->arena, m->targets, m->n, t);
	}
	gen_goto(g, t.block);
}

static void gen_vmap(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	struct vmap m = {.go_on = gen_block(g, "")};
	struct val *key = gen_sel(g, st->sel, fail);
	struct set_hit h = {to_verdict, &m, fail, fail};

	gen_need(g, key, fail);
	gen_lookup(g, st->set, key, &h);
	gen_at(g, m.go_on);
}

/* False: the rule ends here. */
static bool gen_step(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	switch (st->kind) {
	case IR_NEED:
		gen_need(g, gen_sel(g, st->sel, fail), fail);
		return true;
	case IR_GUARD:
		gen_guard(g, st, fail);
		return true;
	case IR_EFFECT:
		gen_effect(g, st, fail);
		return true;
	case IR_VERDICT:
		gen_verdict(g, &st->verdict);
		return st->verdict.code == IR_CONTINUE;
	case IR_VMAP:
		gen_vmap(g, st, fail);
		return true;
	case IR_DISPATCH:
		gen_dispatch(g, st, fail);
		return false;
	}
	return true;
}

void gen_rule(struct gen *g, const struct ir_rule *rule, LLVMBasicBlockRef next)
{
	g->p->stamp++;
	for (uint32_t i = 0; i < rule->n_steps; i++) {
		if (!gen_step(g, &rule->steps[i], next))
			return;
	}
	gen_goto(g, next);
}
