/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One rule: its steps in order; a step that does not hold goes to the next rule.
 */
#include "../dispatch.h"
#include "../template.h"
#include "gen.h"
#include "split.h"

void gen_verdict(struct gen *g, const struct ir_verdict *v, LLVMValueRef record)
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
		gen_call(g, v->chain, true, record);
		break;
	case IR_GOTO:
		gen_call(g, v->chain, false, record);
		break;
	}
}

/* The blocks that the elements of a verdict map lead to, one for each verdict. */
struct vmap {
	const struct ir_step *step;
	LLVMBasicBlockRef go_on; /* for "continue" */
	struct vmap_target {
		struct ir_verdict verdict;
		LLVMBasicBlockRef block;
	} *targets;
	size_t n;
};

/* Of a model: which chain the element means, says the record. */
static LLVMValueRef elem_target(struct gen *g, const struct ir_step *st, const struct ir_elem *e)
{
	const struct ir_params *p = st->params;
	uint32_t i = (uint32_t)(e - st->set->elems);

	if (!p || !p->elem_target || !e->verdict.chain)
		return NULL;
	return gen_record_word(g, p->elems + i * p->elem_words + p->elem_target - 1);
}

static void to_verdict(struct gen *g, void *arg, const struct ir_elem *e, const struct val *data)
{
	struct vmap *m = arg;
	struct vmap_target t = {.verdict = split_verdict(m->step, &e->verdict)};
	LLVMBasicBlockRef here = gen_here(g);

	for (size_t i = 0; !m->step->params && i < m->n && !t.block; i++) {
		if (m->targets[i].verdict.code == t.verdict.code &&
		    m->targets[i].verdict.chain == t.verdict.chain)
			t.block = m->targets[i].block;
	}
	if (!t.block && t.verdict.code == IR_CONTINUE)
		t.block = m->go_on;
	if (!t.block) {
		t.block = gen_block(g, "verdict");
		gen_at(g, t.block);
		gen_verdict(g, &t.verdict,
			    data ? data->chunk[0] : elem_target(g, m->step, e));
		gen_at(g, here);
		ARENA_PUSH(g->arena, m->targets, m->n, t);
	}
	gen_goto(g, t.block);
}

static void gen_vmap(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	struct vmap m = {.step = st, .go_on = gen_block(g, "")};
	struct val *key = gen_sel(g, st->sel, fail);
	struct set_hit h = {to_verdict, &m, fail, fail, st->params, st};

	gen_need(g, key, fail);
	gen_lookup(g, st->set, key, &h);
	gen_at(g, m.go_on);
}

/* The record that the step's verdict jumps with; NULL: its chain's own. */
static LLVMValueRef target_record(struct gen *g, const struct ir_step *st)
{
	if (g->p->numbers && dispatch_target(st))
		return LLVMBuildTrunc(g->b, *g->p->numbers++, g->i32, "");
	return st->params && st->params->target ? gen_record_word(g, st->params->target) : NULL;
}

/* False: the rule ends here. */
static bool gen_step(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	if (st->params)
		gen_record_begin(g);
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
		gen_verdict(g, &st->verdict, target_record(g, st));
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
	g->p->record = NULL;
	for (uint32_t i = 0; i < rule->n_steps; i++) {
		if (!gen_step(g, &rule->steps[i], next))
			return;
	}
	gen_goto(g, next);
}
