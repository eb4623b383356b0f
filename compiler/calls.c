/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Are look-ups calls of functions, or in line? The verifier goes through what is in line at each place,
 * through a function once (emit/shared.c): boxes are 43,000 of its 1,000,000 instructions, other
 * look-ups 1,300. A call is some two ns. So a few are in line, and where there are more all are calls.
 */
#include "calls.h"

#include "dispatch.h"
#include "set_table.h"
#include "template.h"

enum { INLINE_BOXES = 4, INLINE_OTHERS = 200 };

struct places {
	uint32_t boxes, others;
};

static void count_set(struct places *n, const struct ir_set *s)
{
	enum set_form form = set_table_form(s);

	n->boxes += form == SET_FORM_BOXES;
	n->others += form == SET_FORM_HASH || form == SET_FORM_TREE;
}

static void count_sel(struct places *n, const struct ir_sel *s)
{
	if (s->op == IR_MAP)
		count_set(n, s->set);
	for (uint32_t i = 0; i < s->n_args; i++)
		count_sel(n, s->args[i]);
}

static void count_dispatch(struct places *n, const struct ir_dispatch *d)
{
	n->boxes += d->form == IR_FORM_BOXES;
	n->others += d->form == IR_FORM_HASH || d->form == IR_FORM_TREE;
	for (uint32_t i = 0; i < d->n_fields; i++)
		count_sel(n, d->fields[i]);
}

static void count_step(struct places *n, const struct ir_step *st)
{
	if (st->sel)
		count_sel(n, st->sel);
	if (st->kind != IR_EFFECT && st->set)
		count_set(n, st->set);
	if (st->kind == IR_DISPATCH)
		count_dispatch(n, st->dispatch);
	for (uint32_t i = 0; i < st->n_args; i++)
		count_sel(n, st->args[i]);
}

void calls_decide(struct ir *ir)
{
	struct places n = {0};

	for (uint32_t i = 0; i < ir->n_chains; i++) {
		const struct ir_chain *c = ir->chains[i];

		for (uint32_t r = 0; template_model(c) == c && r < c->n_rules; r++)
			for (uint32_t p = 0; p < ir_rule_parts(&c->rules[r]); p++) {
				const struct ir_rule *rule = ir_rule_part(&c->rules[r], p);

				for (uint32_t s = 0; s < rule->n_steps; s++)
					count_step(&n, &rule->steps[s]);
			}
	}
	ir->calls_boxes = n.boxes > INLINE_BOXES;
	ir->calls_others = n.others > INLINE_OTHERS;
}
