/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function of a program: the chains its rules branch to, and where each returns.
 */
#include "plan.h"

struct builder {
	struct arena *a;
	const struct plan *plan;
	struct plan_fn *fn;
	bool *seen; /* by chain */
	uint32_t *list;
	uint32_t n;
};

/* Whether rule @r of a chain that is in the function is code of a part. */
static bool in_part(const struct plan_chain *pc, uint32_t r)
{
	for (uint32_t i = 0; i < pc->n_parts; i++) {
		if (r >= pc->parts[i].first && r < pc->parts[i].first + pc->parts[i].n)
			return true;
	}
	return false;
}

/* A part's own run is all its own; of other chains, parts are left out. */
static bool is_branch(const struct builder *w, uint32_t chain, const struct plan_edge *e)
{
	const struct plan_run *run = &w->fn->run;
	const struct plan_chain *pc = &w->plan->chains[chain];

	if (w->plan->chains[e->chain].is_function)
		return false;
	if (chain == run->chain && run->is_part)
		return e->rule >= run->first && e->rule < run->first + run->n;
	return !in_part(pc, e->rule);
}

static void collect(struct builder *w, uint32_t chain)
{
	const struct plan_chain *pc = &w->plan->chains[chain];

	for (uint32_t k = 0; k < pc->n_edges; k++) {
		uint32_t to = pc->edges[k].chain;

		if (w->seen[to] || !is_branch(w, chain, &pc->edges[k]))
			continue;
		w->seen[to] = true;
		w->list[w->n++] = to;
		collect(w, to);
	}
}

static int by_number(const void *pa, const void *pb)
{
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	return a < b ? -1 : a > b;
}

static void add_return(struct arena *a, struct plan_local *l, struct plan_pos pos)
{
	uint64_t key = pos.chain == PLAN_NONE ? 0 : (uint64_t)(pos.chain + 1) << 32 | pos.rule;
	uint32_t at = l->n_returns;

	while (at > 0) {
		const struct plan_pos *p = &l->returns[at - 1];
		uint64_t other =
			p->chain == PLAN_NONE ? 0 : (uint64_t)(p->chain + 1) << 32 | p->rule;

		if (other == key)
			return;
		if (other < key)
			break;
		at--;
	}
	ARENA_PUSH(a, l->returns, l->n_returns, pos);
	memmove(&l->returns[at + 1], &l->returns[at], (l->n_returns - 1 - at) * sizeof(pos));
	l->returns[at] = pos;
}

static void follow_edges(struct builder *w, uint32_t chain, const struct plan_local *from)
{
	const struct plan_chain *pc = &w->plan->chains[chain];
	uint32_t below = from->level + (from->n_returns > 1);

	w->fn->n_levels = MAX(w->fn->n_levels, below);
	for (uint32_t k = 0; k < pc->n_edges; k++) {
		const struct plan_edge *e = &pc->edges[k];
		struct plan_local *to;

		if (!is_branch(w, chain, e))
			continue;
		to = (struct plan_local *)plan_fn_find(w->fn, e->chain);
		to->level = MAX(to->level, below);
		if (e->is_jump)
			add_return(w->a, to, (struct plan_pos){chain, e->rule});
		for (uint32_t i = 0; !e->is_jump && i < from->n_returns; i++)
			add_return(w->a, to, from->returns[i]);
	}
}

struct plan_fn *plan_fn_new(struct arena *a, const struct plan *plan, struct plan_run run)
{
	struct builder w = {.a = a, .plan = plan, .fn = ARENA_NEW(a, struct plan_fn)};
	struct plan_pos caller = {PLAN_NONE, 0};
	struct plan_local own = {.chain = run.chain, .returns = &caller, .n_returns = 1};

	w.fn->run = run;
	w.seen = calloc(plan->n_chains, sizeof(*w.seen));
	w.list = calloc(plan->n_chains, sizeof(*w.list));
	if (!w.seen || !w.list)
		abort(); /* as an arena */
	collect(&w, run.chain);
	qsort(w.list, w.n, sizeof(*w.list), by_number);
	w.fn->n_chains = w.n;
	w.fn->chains = arena_alloc(a, w.n * sizeof(*w.fn->chains));
	for (uint32_t i = 0; i < w.n; i++)
		w.fn->chains[i].chain = w.list[i];
	follow_edges(&w, run.chain, &own);
	for (uint32_t i = 0; i < w.n; i++)
		follow_edges(&w, w.list[i], &w.fn->chains[i]);
	free(w.seen);
	free(w.list);
	return w.fn;
}

const struct plan_local *plan_fn_find(const struct plan_fn *fn, uint32_t chain)
{
	uint32_t lo = 0, hi = fn->n_chains;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (fn->chains[mid].chain < chain)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < fn->n_chains && fn->chains[lo].chain == chain ? &fn->chains[lo] : NULL;
}
