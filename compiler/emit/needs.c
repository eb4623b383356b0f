/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program's rules need to be there from its start: counters, the transport header.
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

static void state_needs(struct gen *g, const struct ir_effect_op *op, struct gen_prog *n)
{
	LLVMValueRef fn;

	n->counts |= op->per_cpu;
	fn = op->helper ? gen_function(g, arena_printf(g->arena, "nb_%s", op->helper)) : NULL;
	n->needs_transport |= fn && gen_reaches_transport(g, fn);
}

static void step_needs(struct gen *g, const struct ir_step *st, struct gen_prog *n)
{
	if (st->sel && !n->needs_transport)
		n->needs_transport = sel_needs_transport(g, st->sel);
	for (uint32_t i = 0; i < st->n_args && !n->needs_transport; i++)
		n->needs_transport = sel_needs_transport(g, st->args[i]);
	for (uint32_t i = 0; st->dispatch && i < st->dispatch->n_fields && !n->needs_transport; i++)
		n->needs_transport = sel_needs_transport(g, st->dispatch->fields[i]);
	n->needs_key |= st->dispatch || (st->set && set_needs_key(st->set));
	if (st->sel && !n->needs_key)
		n->needs_key = sel_needs_key(st->sel);
	for (uint32_t i = 0; i < st->n_args && !n->needs_key; i++)
		n->needs_key = sel_needs_key(st->args[i]);
	if (st->effect)
		state_needs(g, st->effect, n);
	if (st->set && st->set->n_elems && st->set->n_states) {
		for (uint32_t i = 0; i < st->set->n_states; i++)
			state_needs(g, st->set->elems[0].states[i]->op, n);
	}
}

static void rule_needs(struct gen *g, const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++)
		step_needs(g, &r->steps[s], g->p);
}

void gen_find_needs(struct gen *g)
{
	const struct plan *plan = g->p->plan;

	for (uint32_t i = 1; i < plan->n_chains; i++) {
		const struct ir_chain *c = plan->chains[i].chain;

		for (uint32_t r = 0; r < c->n_rules; r++)
			for (uint32_t k = 0; k < ir_rule_parts(&c->rules[r]); k++)
				rule_needs(g, ir_rule_part(&c->rules[r], k));
	}
}
