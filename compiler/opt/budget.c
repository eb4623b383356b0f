/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much code the rules behind a dispatch lead to. A dispatch cannot be cut (emit/plan_cut.c),
 * and neither LLVM nor the verifier nor a branch's reach has room for everything: a run ends where
 * the chains that it jumps to have become too large.
 */
#include "../template.h"
#include "opt.h"

enum {
	MAX_CODE = 5000, /* BPF instructions, about */
	STEP_CODE = 10,
};

static void add_rule(struct opt_budget *b, const struct ir_rule *r);

static void add_chain(struct opt_budget *b, const struct ir_chain *c)
{
	c = template_model(c);
	if (b->seen[c->id] == b->run)
		return;
	b->seen[c->id] = b->run;
	for (uint32_t r = 0; r < c->n_rules && b->code <= MAX_CODE; r++) {
		const struct ir_rule *rule = &c->rules[r];

		/* Rules behind a dispatch share their code, mostly. */
		b->code += STEP_CODE;
		for (uint32_t i = 0; i < ir_rule_parts(rule) && b->code <= MAX_CODE; i++)
			add_rule(b, ir_rule_part(rule, i));
	}
}

static void add_targets(struct opt_budget *b, const struct ir_step *st)
{
	if (st->kind == IR_VERDICT && st->verdict.chain)
		add_chain(b, st->verdict.chain);
	for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++)
		if (st->set->elems[e].verdict.chain)
			add_chain(b, st->set->elems[e].verdict.chain);
}

static void add_rule(struct opt_budget *b, const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++) {
		b->code += STEP_CODE;
		add_targets(b, &r->steps[s]);
	}
}

void opt_budget_init(struct opt_budget *b, const struct ir *ir)
{
	b->seen = arena_alloc(ir->arena, MAX(ir->n_chains, 1u) * sizeof(*b->seen));
	b->run = 0;
}

void opt_budget_begin(struct opt_budget *b)
{
	b->run++;
	b->code = 0;
}

bool opt_budget_take(struct opt_budget *b, const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++)
		add_targets(b, &r->steps[s]);
	return b->code <= MAX_CODE;
}
