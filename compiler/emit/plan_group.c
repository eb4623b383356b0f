/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Groups: chains that a rule leads to, more than fits where it stands, share functions.
 *
 * A rule cannot be cut, so what it leads to has to go elsewhere. Members of a group are of one
 * level, the longest way from the program to them, so no member leads to another one and groups
 * call each other only downwards; and nest no deeper than calls may.
 */
#include "../template.h"
#include "plan.h"

struct grouper {
	struct arena *a;
	const struct plan *plan;
	bool *is_member;  /* by plan number, as the next ones */
	uint32_t *level;
	uint32_t *nested; /* groups called below it, one in the other */
	struct plan_groups *groups;
};

static void find_levels(struct grouper *w)
{
	for (uint32_t i = 0; i < w->plan->n_chains; i++) {
		const struct plan_chain *pc = &w->plan->chains[i];

		for (uint32_t k = 0; k < pc->n_edges; k++) {
			uint32_t *to = &w->level[pc->edges[k].chain];

			*to = MAX(*to, w->level[i] + 1);
		}
	}
}

/* The chains that rules lead to which are too large. */
static void find_wanted(struct grouper *w)
{
	for (uint32_t i = 0; i < w->plan->n_chains; i++) {
		const struct plan_chain *pc = &w->plan->chains[i];
		uint32_t first = 0, k = 0;
		uint64_t size = 0;

		for (; k < pc->n_edges; k++) {
			if (pc->edges[k].rule != pc->edges[first].rule) {
				first = k;
				size = 0;
			}
			if (!w->plan->chains[pc->edges[k].chain].is_function)
				size += w->plan->chains[pc->edges[k].chain].size;
			if (size <= PLAN_PART_SIZE || i == PLAN_ROOT)
				continue;
			for (uint32_t j = first; j <= k; j++)
				w->is_member[pc->edges[j].chain] = true;
		}
	}
}

/* Callees first: no chain is a member where calls would nest too deep. */
static void find_members(struct grouper *w)
{
	for (uint32_t i = w->plan->n_chains; i-- > 1;) {
		const struct plan_chain *pc = &w->plan->chains[i];

		for (uint32_t k = 0; k < pc->n_edges; k++) {
			uint32_t to = pc->edges[k].chain;

			w->nested[i] = MAX(w->nested[i], w->nested[to] + w->is_member[to]);
		}
		if (pc->is_function || pc->calls + w->nested[i] + 1 > PLAN_MAX_CALLS)
			w->is_member[i] = false;
	}
}

static struct plan_group *next_group(struct grouper *w)
{
	struct plan_group none = {0};

	ARENA_PUSH(w->a, w->groups->groups, w->groups->n, none);
	return &w->groups->groups[w->groups->n - 1];
}

static void fill_level(struct grouper *w, uint32_t level)
{
	struct plan_group *g = NULL;
	uint64_t size = 0;

	for (uint32_t i = 1; i < w->plan->n_chains; i++) {
		const struct plan_chain *pc = &w->plan->chains[i];

		if (!w->is_member[i] || w->level[i] != level)
			continue;
		if (!g || size + pc->size > PLAN_PART_SIZE) {
			g = next_group(w);
			size = 0;
		}
		size += pc->size;
		w->groups->of[pc->chain->id] = w->groups->n - 1;
		ARENA_PUSH(w->a, g->members, g->n, pc->chain);
	}
}

struct plan_groups *plan_group(struct arena *a, const struct ir *ir, const struct plan *plan)
{
	struct grouper w = {.a = a, .plan = plan};
	uint32_t deepest = 0;

	w.is_member = arena_alloc(a, plan->n_chains * sizeof(*w.is_member));
	w.level = arena_alloc(a, plan->n_chains * sizeof(*w.level));
	w.nested = arena_alloc(a, plan->n_chains * sizeof(*w.nested));
	w.groups = ARENA_NEW(a, struct plan_groups);
	w.groups->of = arena_alloc(a, MAX(ir->n_chains, 1u) * sizeof(*w.groups->of));
	memset(w.groups->of, 0xff, ir->n_chains * sizeof(*w.groups->of));
	find_levels(&w);
	find_wanted(&w);
	find_members(&w);
	for (uint32_t i = 0; i < plan->n_chains; i++)
		deepest = MAX(deepest, w.level[i]);
	for (uint32_t level = 1; level <= deepest; level++)
		fill_level(&w, level);
	return w.groups->n ? w.groups : NULL;
}
