/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which chains and runs of rules become BPF functions of their own.
 *
 * Sizes are estimates, in BPF instructions; what counts is that they grow as the code does. Callees
 * are decided before their callers.
 */
#include "../set_table.h"
#include "plan.h"

enum {
	PART_LEAST = 1000,	/* not worth a call */
	RECHECK_MAX = 20000,	/* of a chain, over all ways to it, before it becomes a function */
	CALL_SIZE = 20,
	EDGE_SIZE = 5,
	MAX_FUNCTIONS = 200,	/* the kernel allows 256 */
};

struct cutter {
	struct arena *a;
	struct plan *plan;
	uint32_t part_size;
	struct estimate {
		uint64_t size;	 /* of its code where it stands, with what it branches to */
		uint64_t checks; /* what the verifier looks at each time it comes here */
		uint32_t depth;	 /* of calls */
		uint32_t n_ways; /* edges to it */
	} *of;
	uint32_t *seen; /* chains counted for a run; by stamp */
	uint32_t stamp;
};

/* ---- sizes ---- */

static uint32_t set_size(const struct ir_set *set, uint32_t per_elem)
{
	if (set_table_form(set) != SET_FORM_CODE)
		return 30 + 15 * set->n_states;
	return (uint32_t)set->n_elems *
	       (per_elem + 3 * ((set->width + 7u) / 8) * (set->ranged ? set->n_fields : 1) +
		10 * set->n_states);
}

static uint32_t sel_size(const struct ir_sel *sel)
{
	uint32_t size = sel->op == IR_MAP ? set_size(sel->set, 2) : sel->op == IR_JHASH ? 80 : 4;

	if (sel->op == IR_LEAF)
		size = 8 * ((sel->width + 7u) / 8);
	for (uint32_t i = 0; i < sel->n_args; i++)
		size += sel_size(sel->args[i]);
	return size;
}

static uint32_t step_size(const struct ir_step *st)
{
	uint32_t size = st->sel ? sel_size(st->sel) : 0;

	for (uint32_t i = 0; i < st->n_args; i++)
		size += sel_size(st->args[i]);
	switch (st->kind) {
	case IR_NEED:
		return size + 2;
	case IR_GUARD:
		return size + 4 + (st->set ? set_size(st->set, 1) : 0);
	case IR_EFFECT:
		return size + (st->effect->per_cpu ? 8 : st->set ? 200 : 60);
	case IR_VERDICT:
		return size + 3;
	case IR_VMAP:
		return size + set_size(st->set, 4);
	case IR_DISPATCH:
		return 150 + (st->dispatch->form == IR_FORM_CODE ? 8 * st->dispatch->n_rows : 0);
	}
	return size;
}

uint32_t plan_rule_size(const struct ir_rule *rule)
{
	/* Rules behind a dispatch share their code. */
	uint32_t size = 0, shapes = MIN(ir_rule_parts(rule), 64u);

	for (uint32_t i = 0; i < shapes; i++) {
		const struct ir_rule *part = ir_rule_part(rule, i);

		for (uint32_t s = 0; s < part->n_steps; s++)
			size += step_size(&part->steps[s]);
	}
	return size;
}

/* ---- runs ---- */

struct run_sum {
	uint64_t size, checks;
	uint32_t depth;
};

/* Adds rule @r, whose edges begin at *edge. A callee's code is there once for the whole run. */
static void add_rule(struct cutter *w, const struct plan_chain *pc, uint32_t r, uint32_t *edge,
		     struct run_sum *sum)
{
	uint32_t own = pc->chain ? plan_rule_size(&pc->chain->rules[r]) : 10;

	sum->size += own;
	sum->checks += own;
	for (; *edge < pc->n_edges && pc->edges[*edge].rule == r; ++*edge) {
		uint32_t to = pc->edges[*edge].chain;
		const struct estimate *e = &w->of[to];

		sum->size += EDGE_SIZE;
		sum->checks += EDGE_SIZE;
		if (w->plan->chains[to].is_function) {
			sum->size += CALL_SIZE;
			sum->checks += CALL_SIZE;
			sum->depth = MAX(sum->depth, e->depth + 1);
			continue;
		}
		if (w->seen[to] != w->stamp)
			sum->size += e->size;
		w->seen[to] = w->stamp;
		sum->checks += e->checks;
		sum->depth = MAX(sum->depth, e->depth);
	}
}

static struct run_sum sum_run(struct cutter *w, const struct plan_chain *pc, uint32_t first,
			      uint32_t n)
{
	struct run_sum sum = {0};
	uint32_t edge = 0;

	w->stamp++;
	while (edge < pc->n_edges && pc->edges[edge].rule < first)
		edge++;
	for (uint32_t r = first; r < first + n; r++)
		add_rule(w, pc, r, &edge, &sum);
	return sum;
}

static void end_part(struct cutter *w, struct plan_chain *pc, uint32_t first, uint32_t end,
		     const struct run_sum *sum, struct run_sum *whole)
{
	struct plan_run part = {(uint32_t)(pc - w->plan->chains), first, end - first, true};

	if (first == end)
		return;
	/* A part that is all of the chain would only move it. */
	if (sum->size < PART_LEAST || sum->depth + 1 > PLAN_MAX_CALLS || part.n == pc->n_rules) {
		whole->size += sum->size;
		whole->checks += sum->checks;
		whole->depth = MAX(whole->depth, sum->depth);
		return;
	}
	ARENA_PUSH(w->a, pc->parts, pc->n_parts, part);
	w->plan->n_functions++;
	w->plan->total += sum->size;
	w->plan->size = MAX(w->plan->size, (uint32_t)MIN(sum->size, UINT32_MAX));
	whole->size += CALL_SIZE;
	whole->checks += CALL_SIZE;
	whole->depth = MAX(whole->depth, sum->depth + 1);
}

/* Cuts a chain that is too large into parts; what is left of it where it stands. */
static struct run_sum cut_chain(struct cutter *w, struct plan_chain *pc)
{
	struct run_sum whole = {0}, part = {0};
	uint32_t first = 0, edge = 0;

	w->stamp++;
	for (uint32_t r = 0; r < pc->n_rules; r++) {
		struct run_sum more = part;
		uint32_t at = edge;

		add_rule(w, pc, r, &at, &more);
		if (r > first && more.size > w->part_size) {
			end_part(w, pc, first, r, &part, &whole);
			w->stamp++;
			first = r;
			part = (struct run_sum){0};
			at = edge;
			add_rule(w, pc, r, &at, &part);
		} else {
			part = more;
		}
		edge = at;
	}
	end_part(w, pc, first, pc->n_rules, &part, &whole);
	return whole;
}

static void estimate_chain(struct cutter *w, uint32_t i)
{
	struct plan_chain *pc = &w->plan->chains[i];
	struct run_sum sum = sum_run(w, pc, 0, pc->n_rules);
	struct estimate *e = &w->of[i];

	pc->parts = NULL;
	pc->n_parts = 0;
	pc->is_function = false;
	if (i != PLAN_ROOT && !pc->is_group && sum.size > w->part_size)
		sum = cut_chain(w, pc);
	e->size = sum.size;
	e->checks = sum.checks;
	e->depth = sum.depth;
	pc->size = e->size;
	pc->calls = e->depth;
	if (pc->is_group ||
	    (i != PLAN_ROOT && e->n_ways > 1 && e->checks > PART_LEAST / 2 &&
	    e->checks * e->n_ways > RECHECK_MAX && e->depth + 1 <= PLAN_MAX_CALLS)) {
		pc->is_function = true;
		w->plan->n_functions++;
		w->plan->total += e->size;
		w->plan->size = MAX(w->plan->size, (uint32_t)MIN(e->size, UINT32_MAX));
	}
}

void plan_cut(struct arena *a, struct plan *plan)
{
	struct cutter w = {.a = a, .plan = plan, .part_size = PLAN_PART_SIZE};

	w.of = arena_alloc(a, plan->n_chains * sizeof(*w.of));
	w.seen = arena_alloc(a, plan->n_chains * sizeof(*w.seen));
	for (uint32_t i = 0; i < plan->n_chains; i++) {
		for (uint32_t k = 0; k < plan->chains[i].n_edges; k++)
			w.of[plan->chains[i].edges[k].chain].n_ways++;
	}
	for (;; w.part_size *= 2) {
		plan->n_functions = 0;
		plan->size = 0;
		plan->total = 0;
		for (uint32_t i = plan->n_chains; i-- > 0;)
			estimate_chain(&w, i);
		if (plan->n_functions <= MAX_FUNCTIONS || w.part_size > 2 * PLAN_PART_SIZE)
			break;
	}
	plan->size = MAX(plan->size, (uint32_t)MIN(w.of[PLAN_ROOT].size, UINT32_MAX));
	plan->total += w.of[PLAN_ROOT].size;
	plan->call_depth = w.of[PLAN_ROOT].depth;
}
