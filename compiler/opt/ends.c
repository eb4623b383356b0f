/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether what comes behind a rule's guards, or behind a jump, always decides.
 */
#include "../dispatch.h"
#include "opt.h"

static bool verdict_ends(struct opt_ends *e, const struct ir_verdict *v);
static bool ends(struct opt_ends *e, const struct ir_rule *r, uint32_t from, bool leaves);

/* Nothing in it goes back to its caller, and some rule decides for whatever comes so far. */
static bool chain_ends(struct opt_ends *e, const struct ir_chain *c)
{
	bool decides = false;

	for (uint32_t r = 0; r < c->n_rules && !decides; r++) {
		const struct ir_rule *rule = &c->rules[r];

		for (uint32_t s = 0; s < rule->n_steps; s++) {
			const struct ir_step *st = &rule->steps[s];

			if (st->kind == IR_VMAP || st->kind == IR_DISPATCH)
				return false;
			if (st->kind == IR_VERDICT &&
			    (st->verdict.code == IR_RETURN ||
			     (st->verdict.code == IR_GOTO && !verdict_ends(e, &st->verdict))))
				return false;
		}
		decides = !rule->never && ends(e, rule, 0, false);
	}
	return decides;
}

static bool verdict_ends(struct opt_ends *e, const struct ir_verdict *v)
{
	uint8_t *known;

	switch (v->code) {
	case IR_ACCEPT:
	case IR_DROP:
		return true;
	case IR_CONTINUE:
	case IR_RETURN:
		return false;
	case IR_JUMP:
	case IR_GOTO:
		break;
	}
	known = &e->known[v->chain->id];
	if (!*known) {
		*known = OPT_RETURNS; /* for a cycle, which no packet meets */
		*known = chain_ends(e, v->chain) ? OPT_DECIDES : OPT_RETURNS;
	}
	return *known == OPT_DECIDES;
}

/*
 * A final verdict, and nothing before it that can fail. @leaves: return and goto are final, too:
 * they leave the rule's chain.
 */
static bool ends(struct opt_ends *e, const struct ir_rule *r, uint32_t from, bool leaves)
{
	for (uint32_t i = from; i < r->n_steps; i++) {
		const struct ir_step *s = &r->steps[i];

		if (s->kind == IR_VERDICT && s->verdict.code != IR_CONTINUE)
			return (leaves &&
				(s->verdict.code == IR_RETURN || s->verdict.code == IR_GOTO)) ||
			       verdict_ends(e, &s->verdict);
		if (s->kind == IR_VERDICT)
			continue;
		if (s->kind != IR_EFFECT || s->effect->may_break)
			return false;
		for (uint32_t k = 0; k < s->n_args; k++)
			if (sel_may_lack(s->args[k], r->chain->pf))
				return false;
	}
	return false;
}

bool opt_may_pass(struct opt_ends *e, const struct ir_rule *r, uint32_t from)
{
	return !ends(e, r, from, true);
}

void opt_ends_init(struct opt_ends *e, struct ir *ir)
{
	e->ir = ir;
	e->known = arena_alloc(ir->arena, MAX(ir->n_chains, 1u));
	/* While chains are as they came. */
	for (uint32_t i = 0; i < ir->n_chains; i++)
		verdict_ends(e, &(struct ir_verdict){.code = IR_JUMP, .chain = ir->chains[i]});
}
