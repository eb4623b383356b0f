/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program's rules need besides selectors: counters, room for keys, the transport header.
 */
#include "../set_table.h"
#include "gen.h"

/* Whether looking it up needs a key in memory. */
static bool set_needs_key(const struct ir_set *set)
{
	return set_table_form(set) != SET_FORM_CODE;
}

static bool sel_needs_key(const struct ir_sel *sel)
{
	for (uint32_t i = 0; i < sel->n_args; i++) {
		if (sel_needs_key(sel->args[i]))
			return true;
	}
	return sel->op == IR_MAP && set_needs_key(sel->set);
}

static bool sel_needs_transport(struct gen *g, const struct ir_sel *sel)
{
	LLVMValueRef fn;

	for (uint32_t i = 0; i < sel->n_args; i++) {
		if (sel_needs_transport(g, sel->args[i]))
			return true;
	}
	if (sel->op != IR_LEAF)
		return false;
	fn = gen_function(g, arena_printf(g->arena, "nb_%s", sel->leaf->helper));
	return fn && gen_reaches_transport(g, fn);
}

static void state_needs(struct gen *g, const struct ir_effect_op *op, bool in_elem,
			struct gen_prog *n)
{
	LLVMValueRef fn;

	n->rule_counts |= op->per_cpu && !in_elem;
	fn = op->helper ? gen_function(g, arena_printf(g->arena, "nb_%s", op->helper)) : NULL;
	n->rule_looks |= fn && gen_reaches_transport(g, fn);
}

/* Whether the step looks at the transport header; a state of it has been asked already. */
static bool step_needs_transport(struct gen *g, const struct ir_step *st)
{
	if (st->sel && sel_needs_transport(g, st->sel))
		return true;
	for (uint32_t i = 0; i < st->n_args; i++)
		if (sel_needs_transport(g, st->args[i]))
			return true;
	for (uint32_t i = 0; st->dispatch && i < st->dispatch->n_fields; i++)
		if (sel_needs_transport(g, st->dispatch->fields[i]))
			return true;
	return false;
}

static void step_needs(struct gen *g, const struct ir_step *st, struct gen_prog *n)
{
	if (!n->rule_looks)
		n->rule_looks = step_needs_transport(g, st);
	n->needs_key |= st->dispatch || (st->set && set_needs_key(st->set));
	if (st->sel && !n->needs_key)
		n->needs_key = sel_needs_key(st->sel);
	for (uint32_t i = 0; i < st->n_args && !n->needs_key; i++)
		n->needs_key = sel_needs_key(st->args[i]);
	if (st->effect)
		state_needs(g, st->effect, false, n);
	n->needs_key |= st->set && st->set->is_dynamic;
	if (st->set && st->set->n_elems && st->set->n_states) {
		for (uint32_t i = 0; i < st->set->n_states && st->set->elems[0].states[i]; i++)
			state_needs(g, st->set->elems[0].states[i]->op, st->set->keeps, n);
	}
}

static void rule_needs(struct gen *g, const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++)
		step_needs(g, &r->steps[s], g->p);
}

/* On every way to the rules that need it. */
static void join(const struct plan *plan, struct gen_need *n, struct plan_pos pos)
{
	n->pos = n->any ? plan_join(plan, n->pos, pos) : pos;
	n->any = true;
}

bool gen_at_start(struct plan_pos pos)
{
	return pos.chain == PLAN_ROOT && pos.rule == 0;
}

/* Once it is at the very start, or in front of the rule anyway, it stays. */
static bool is_there(const struct gen_need *n, uint32_t chain, uint32_t rule)
{
	return n->any && (gen_at_start(n->pos) || (n->pos.chain == chain && n->pos.rule <= rule));
}

void gen_find_needs(struct gen *g)
{
	struct gen_prog *p = g->p;
	const struct plan *plan = p->plan;

	for (uint32_t i = 1; i < plan->n_chains; i++) {
		const struct ir_chain *c = plan->chains[i].chain;

		for (uint32_t r = 0; c && r < c->n_rules; r++) {
			struct plan_pos pos = {i, r};

			p->rule_looks = is_there(&p->transport, i, r);
			p->rule_counts = false;
			for (uint32_t k = 0; k < ir_rule_parts(&c->rules[r]); k++)
				rule_needs(g, ir_rule_part(&c->rules[r], k));
			if (p->rule_looks)
				join(plan, &p->transport, pos);
			if (p->rule_counts)
				join(plan, &p->counters, pos);
		}
	}
	/* Functions get the CPU out of the frame, from wherever they are called. */
	if (plan->n_functions)
		p->counters.pos = (struct plan_pos){PLAN_ROOT, 0};
}
