/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A part as a program: its run as a base chain, or as a chain that a base chain of one rule jumps to,
 * where it returns to another part.
 */
#include "split_parts.h"

static struct ir_rule *push_rules(struct splitter *w, struct ir_chain *c, const struct ir_rule *from,
				  uint32_t n)
{
	struct ir_rule *rules = arena_alloc(w->a, (c->n_rules + n) * sizeof(*rules));

	if (c->n_rules)
		memcpy(rules, c->rules, c->n_rules * sizeof(*rules));
	if (n)
		memcpy(rules + c->n_rules, from, n * sizeof(*rules));
	c->rules = rules;
	c->n_rules += n;
	return &rules[c->n_rules - n];
}

/* A rule that goes there, whatever comes. */
static void push_goto(struct splitter *w, struct ir_chain *c, struct ir_chain *to, bool is_jump)
{
	struct ir_step *st = ARENA_NEW(w->a, struct ir_step);
	struct ir_rule rule = {.chain = c, .steps = st, .n_steps = 1};

	st->kind = IR_VERDICT;
	st->verdict = (struct ir_verdict){is_jump ? IR_JUMP : IR_GOTO, to};
	if (c->n_rules)
		rule.index = c->rules[c->n_rules - 1].index;
	push_rules(w, c, &rule, 1);
}

/* The last rule, with what it leads to in other parts. */
static void route(struct splitter *w, const struct part *p, struct ir_rule *rule)
{
	struct ir_step *steps = arena_alloc(w->a, rule->n_steps * sizeof(*steps));

	memcpy(steps, rule->steps, rule->n_steps * sizeof(*steps));
	steps[p->step].route = p->route;
	if (p->out)
		steps[p->step].verdict = (struct ir_verdict){IR_GOTO, p->out->tail};
	rule->steps = steps;
	if (p->is_group) {
		rule->steps += p->step;
		rule->n_steps -= p->step;
	}
}

static struct ir_chain *build_run(struct splitter *w, const struct part *p)
{
	const struct frame *f = p->frame;
	struct ir_chain *c = split_chain(w, f->chain);
	struct ir_rule *rules = push_rules(w, c, f->chain->rules + p->first, p->end - p->first);

	if (p->out || p->route)
		route(w, p, &rules[p->end - p->first - 1]);
	if (p->end < f->n)
		push_goto(w, c, split_at(f, p->end)->tail, false);
	return c;
}

/* A base chain in whose place another part runs. */
static void push_base(struct splitter *w, struct ir_prog *prog, const struct part *to)
{
	struct ir_chain *base = split_chain(w, w->prog->bases[0]);

	push_goto(w, base, to->tail, false);
	ARENA_PUSH(w->a, prog->bases, prog->n_bases, base);
}

static void build_chain(struct splitter *w, const struct part *p, struct ir_prog *prog)
{
	const struct part *after = split_after(p->frame);
	struct ir_chain *run = build_run(w, p), *base = run;
	const struct frame *f = p->frame;

	while (f->up->up)
		f = f->up;
	if (after) {
		base = split_chain(w, run);
		push_goto(w, base, run, true);
		push_goto(w, base, after->tail, false);
	}
	base->is_base = true;
	base->policy = w->prog->bases[f->rule]->policy;
	ARENA_PUSH(w->a, prog->bases, prog->n_bases, base);
	if (f->rule + 1 < f->up->n)
		push_base(w, prog, f->up->starts[f->rule + 1]);
}

void split_build(struct splitter *w, const struct part *p, struct ir_prog *ret)
{
	struct ir_prog prog = *w->prog;

	prog.bases = NULL;
	prog.n_bases = 0;
	if (p->frame->chain) {
		build_chain(w, p, &prog);
	} else {
		for (uint32_t i = p->first; i < p->end; i++)
			ARENA_PUSH(w->a, prog.bases, prog.n_bases, w->prog->bases[i]);
		if (p->end < p->frame->n)
			push_base(w, &prog, p->frame->starts[p->end]);
	}
	*ret = prog;
}
