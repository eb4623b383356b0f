/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The body of a function: a run of rules and the chains they branch to, as lists of blocks.
 */
#include "gen.h"

static void make_blocks(struct gen *g, struct gen_chain *gc, const struct plan_chain *pc,
			const struct plan_run *run, bool with_parts)
{
	uint32_t part = 0;

	gc->scope = pc->chain ? gen_debug_chain(g, g->f->subprogram, pc->chain) : g->f->subprogram;
	gc->rules = arena_alloc(g->arena, (run->n + 1) * sizeof(*gc->rules));
	for (uint32_t i = 0; i <= run->n; i++) {
		gc->rules[i] = gen_block(g, "rule");
		/* Inside a part blocks are made when it is. */
		if (with_parts && part < pc->n_parts && pc->parts[part].first == i)
			i += pc->parts[part++].n - 1;
	}
}

void gen_make_blocks(struct gen *g)
{
	const struct plan_fn *fn = g->f->plan;
	const struct plan_chain *chains = g->p->plan->chains;

	if (fn->run.chain != PLAN_ROOT)
		make_blocks(g, &g->f->own, &chains[fn->run.chain], &fn->run, !fn->run.is_part);
	g->f->chains = arena_alloc(g->arena, fn->n_chains * sizeof(*g->f->chains));
	for (uint32_t i = 0; i < fn->n_chains; i++) {
		uint32_t number = fn->chains[i].chain;
		struct plan_run all = {number, 0, chains[number].n_rules, false};

		make_blocks(g, &g->f->chains[i], &chains[number], &all, true);
	}
}

LLVMBasicBlockRef gen_rule_block(struct gen *g, uint32_t chain, uint32_t rule)
{
	const struct plan_fn *fn = g->f->plan;

	if (chain == fn->run.chain)
		return g->f->own.rules[rule - fn->run.first];
	return g->f->chains[plan_fn_find(fn, chain) - fn->chains].rules[rule];
}

/* Rule @r of the running chain, with what is computed at its start. */
static void gen_numbered_rule(struct gen *g, uint32_t r, LLVMMetadataRef scope,
			      LLVMBasicBlockRef next)
{
	const struct ir_chain *c = g->p->plan->chains[g->p->chain].chain;

	g->p->rule = r;
	g->at.rule = c->rules[r].index;
	g->at.handle = c->rules[r].handle;
	gen_debug_at(g, scope, c->rules[r].index);
	gen_place(g, g->p->chain, r);
	gen_rule(g, &c->rules[r], next);
}

static void gen_rules(struct gen *g, const struct gen_chain *gc, const struct plan_run *run,
		      bool with_parts)
{
	const struct plan_chain *pc = &g->p->plan->chains[run->chain];
	const struct ir_chain *c = pc->chain;
	uint32_t part = 0;

	g->p->chain = run->chain;
	g->p->rule = 0;
	if (pc->is_group) {
		gen_at(g, gc->rules[0]);
		gen_debug_at(g, gc->scope, 0);
		gen_group(g);
		gen_at(g, gc->rules[1]);
		return;
	}
	g->at = (struct diag_place){.family = c->family, .table = c->table, .chain = c->name};
	for (uint32_t i = 0; i < run->n;) {
		uint32_t r = run->first + i;

		gen_at(g, gc->rules[i]);
		if (with_parts && part < pc->n_parts && pc->parts[part].first == r) {
			const struct plan_run *p = &pc->parts[part++];

			gen_debug_at(g, gc->scope, c->rules[r].index);
			gen_part(g, p, gc->rules[i + p->n]);
			i += p->n;
		} else {
			gen_numbered_rule(g, r, gc->scope, gc->rules[i + 1]);
			i++;
		}
	}
	gen_at(g, gc->rules[run->n]);
	gen_debug_at(g, gc->scope, 0);
}

static void end_chain(struct gen *g)
{
	const struct ir_chain *c = g->p->plan->chains[g->p->chain].chain;

	if (c && c->tail)
		gen_tail(g, c);
	else
		gen_return(g);
}

void gen_run(struct gen *g)
{
	const struct plan_fn *fn = g->f->plan;

	for (uint32_t i = 0; i < fn->n_chains && !g->error; i++) {
		uint32_t number = fn->chains[i].chain;
		struct plan_run all = {number, 0, g->p->plan->chains[number].n_rules, false};

		gen_rules(g, &g->f->chains[i], &all, true);
		end_chain(g);
	}
	if (fn->run.chain != PLAN_ROOT)
		gen_rules(g, &g->f->own, &fn->run, !fn->run.is_part);
}
