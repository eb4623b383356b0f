/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Idle: chains and rules of which nothing comes.
 *
 * Needs: conditions; chains that are no templates and no dispatches yet.
 * Keeps: everything. A rule of which nothing can be seen becomes one that never matches.
 *
 * Tools make chains for what might be put into them (firewalld: some twenty for each packet). Nothing
 * comes of a chain whose rules only ask and return; then a jump to it is none, and a goto returns. A
 * rule that only asks is idle, too, and one that returns where nothing follows. Code for jumps is
 * short but where several rules jump to one chain, which has to find out whereto it returns.
 */
#include "opt.h"

enum { OPEN = 1, IDLE, BUSY };

struct pass {
	struct opt_ends *ends;
	uint8_t *known; /* by chain id; 0: not yet */
};

static bool chain_is_idle(struct pass *p, const struct ir_chain *c);

static bool verdict_is_idle(struct pass *p, const struct ir_verdict *v)
{
	switch (v->code) {
	case IR_CONTINUE:
	case IR_RETURN:
		return true;
	case IR_ACCEPT:
	case IR_DROP:
		return false;
	case IR_JUMP:
	case IR_GOTO:
		return chain_is_idle(p, v->chain);
	}
	return false;
}

static bool step_is_idle(struct pass *p, const struct ir_step *s)
{
	switch (s->kind) {
	case IR_NEED:
		return !s->sel->impure;
	case IR_GUARD:
		/* A hit counts in the element. */
		return !s->set || !ir_set_notes_hits(s->set);
	case IR_VERDICT:
		return verdict_is_idle(p, &s->verdict);
	case IR_EFFECT:
	case IR_VMAP:
	case IR_DISPATCH:
		return false;
	}
	return false;
}

static bool rule_is_idle(struct pass *p, const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++)
		if (!step_is_idle(p, &r->steps[s]))
			return false;
	return true;
}

static bool chain_is_idle(struct pass *p, const struct ir_chain *c)
{
	uint32_t r = 0;

	if (p->known[c->id])
		return p->known[c->id] == IDLE;
	p->known[c->id] = OPEN; /* for a cycle, which no packet meets */
	while (r < c->n_rules && rule_is_idle(p, &c->rules[r]))
		r++;
	p->known[c->id] = c->lowered && r == c->n_rules ? IDLE : BUSY;
	return p->known[c->id] == IDLE;
}

/* Takes out jumps of which nothing comes. */
static void cut_jump(struct pass *p, struct opt_chain *oc, uint32_t i)
{
	struct ir_rule *r = &oc->chain->rules[i];
	struct ir_verdict *v;
	uint32_t s = 0;

	while (s < r->n_steps && !r->steps[s].verdict.chain)
		s++;
	if (s == r->n_steps || !verdict_is_idle(p, &r->steps[s].verdict))
		return;
	r->steps = arena_memdup(oc->ir->arena, r->steps, r->n_steps * sizeof(*r->steps));
	v = &r->steps[s].verdict;
	r->n_steps = v->code == IR_JUMP ? s : s + 1;
	*v = (struct ir_verdict){.code = IR_RETURN};
	opt_conds(p->ends, r, &oc->rules[i]);
}

static bool returns(const struct ir_rule *r)
{
	return r->n_steps && r->steps[r->n_steps - 1].kind == IR_VERDICT &&
	       r->steps[r->n_steps - 1].verdict.code == IR_RETURN;
}

static void run_chain(struct pass *p, struct opt_chain *oc)
{
	bool is_last = true;

	for (uint32_t i = oc->chain->n_rules; i-- > 0;) {
		if (oc->rules[i].never)
			continue;
		cut_jump(p, oc, i);
		if (!rule_is_idle(p, oc->rules[i].rule))
			is_last = false;
		else if (is_last || !returns(oc->rules[i].rule))
			opt_kill_rule(oc, i);
	}
}

void opt_idle(struct opt_ends *e, struct opt_chain *chains)
{
	struct pass p = {
		.ends = e,
		.known = arena_alloc(e->ir->arena, MAX(e->ir->n_chains, 1u)),
	};

	for (uint32_t i = 0; i < e->ir->n_chains; i++)
		if (chains[i].chain->lowered)
			run_chain(&p, &chains[i]);
}
