/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call graph of a program: order of its chains, where each returns, dominators.
 */
#include "plan.h"

struct builder {
	struct arena *a;
	const struct ir *ir;
	struct plan *plan;
	uint32_t room;
	/* By ir chain id, while walking: */
	enum { UNSEEN, OPEN, DONE } * state;
	const struct ir_chain **post; /* finished chains, callees first */
	uint32_t n_post;
	bool cycle;
};

/* ---- order: callers before callees ---- */

static void visit(struct builder *w, const struct ir_chain *c);

static void visit_verdict(struct builder *w, const struct ir_verdict *v)
{
	if (v->code == IR_JUMP || v->code == IR_GOTO)
		visit(w, v->chain);
}

static void visit_rule(struct builder *w, const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++) {
		const struct ir_step *st = &r->steps[s];

		if (st->kind == IR_VERDICT)
			visit_verdict(w, &st->verdict);
		for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++)
			visit_verdict(w, &st->set->elems[e].verdict);
	}
}

static void visit(struct builder *w, const struct ir_chain *c)
{
	if (w->state[c->id] == OPEN)
		w->cycle = true;
	if (w->state[c->id] != UNSEEN)
		return;
	w->state[c->id] = OPEN;
	for (uint32_t r = 0; r < c->n_rules; r++)
		for (uint32_t i = 0; i < ir_rule_parts(&c->rules[r]); i++)
			visit_rule(w, ir_rule_part(&c->rules[r], i));
	w->state[c->id] = DONE;
	w->post[w->n_post++] = c;
}

static void order_chains(struct builder *w, const struct ir_prog *prog)
{
	struct plan *plan = w->plan;

	w->state = arena_alloc(w->a, w->ir->n_chains * sizeof(*w->state));
	w->post = arena_alloc(w->a, w->ir->n_chains * sizeof(struct ir_chain *));
	for (uint32_t i = prog->n_bases; i > 0; i--)
		visit(w, prog->bases[i - 1]);
	plan->n_chains = w->n_post + 1;
	plan->chains = arena_alloc(w->a, plan->n_chains * sizeof(*plan->chains));
	plan->index = arena_alloc(w->a, MAX(w->ir->n_chains, 1u) * sizeof(uint32_t));
	memset(plan->index, 0xff, w->ir->n_chains * sizeof(uint32_t));
	for (uint32_t i = 0; i < w->n_post; i++) {
		const struct ir_chain *c = w->post[w->n_post - 1 - i];

		plan->chains[i + 1].chain = c;
		plan->index[c->id] = i + 1;
	}
}

/* ---- edges ---- */

static void add_edge(struct builder *w, struct plan_chain *pc, uint32_t rule,
		     const struct ir_verdict *v)
{
	struct plan_edge e = {.rule = rule, .is_jump = v->code == IR_JUMP};

	if (v->code != IR_JUMP && v->code != IR_GOTO)
		return;
	e.chain = w->plan->index[v->chain->id];
	ARENA_PUSH(w->a, pc->edges, pc->n_edges, e);
}

static void add_edges(struct builder *w, struct plan_chain *pc, uint32_t number,
		      const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++) {
		const struct ir_step *st = &r->steps[s];

		if (st->kind == IR_VERDICT)
			add_edge(w, pc, number, &st->verdict);
		for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++)
			add_edge(w, pc, number, &st->set->elems[e].verdict);
	}
}

static void find_edges(struct builder *w, const struct ir_prog *prog)
{
	struct plan_chain *root = &w->plan->chains[PLAN_ROOT];

	for (uint32_t i = 0; i < prog->n_bases; i++) {
		struct plan_edge e = {.rule = i,
				      .chain = w->plan->index[prog->bases[i]->id],
				      .is_jump = true};

		ARENA_PUSH(w->a, root->edges, root->n_edges, e);
	}
	for (uint32_t i = 1; i < w->plan->n_chains; i++) {
		struct plan_chain *pc = &w->plan->chains[i];
		const struct ir_chain *c = pc->chain;

		for (uint32_t r = 0; r < c->n_rules; r++)
			for (uint32_t k = 0; k < ir_rule_parts(&c->rules[r]); k++)
				add_edges(w, pc, r, ir_rule_part(&c->rules[r], k));
	}
}

/* ---- returns ---- */

static void add_return(struct arena *a, struct plan_chain *pc, uint32_t id)
{
	uint32_t at = 0;

	/* Mostly in ascending order already. */
	if (pc->n_returns && pc->returns[pc->n_returns - 1] < id) {
		at = pc->n_returns;
	} else {
		while (at < pc->n_returns && pc->returns[at] < id)
			at++;
		if (at < pc->n_returns && pc->returns[at] == id)
			return;
	}
	ARENA_PUSH(a, pc->returns, pc->n_returns, id);
	memmove(&pc->returns[at + 1], &pc->returns[at],
		(pc->n_returns - 1 - at) * sizeof(*pc->returns));
	pc->returns[at] = id;
}

/* One id for all jumps of a rule: they all come back to the next one. Ids start at 1. */
static void find_returns(struct builder *w)
{
	struct plan *plan = w->plan;
	struct plan_pos none = {PLAN_NONE, PLAN_NONE};

	ARENA_PUSH(w->a, plan->returns, plan->n_returns, none);
	for (uint32_t i = 0; i < plan->n_chains; i++) {
		struct plan_chain *pc = &plan->chains[i];
		uint32_t rule = PLAN_NONE;

		for (uint32_t k = 0; k < pc->n_edges; k++) {
			const struct plan_edge *e = &pc->edges[k];
			struct plan_chain *to = &plan->chains[e->chain];

			if (!e->is_jump) {
				for (uint32_t r = 0; r < pc->n_returns; r++)
					add_return(w->a, to, pc->returns[r]);
				continue;
			}
			if (e->rule != rule) {
				struct plan_pos pos = {i, e->rule};

				ARENA_PUSH(w->a, plan->returns, plan->n_returns, pos);
				rule = e->rule;
			}
			add_return(w->a, to, plan->n_returns - 1);
		}
	}
}

static void find_levels(struct plan *plan)
{
	for (uint32_t i = 1; i < plan->n_chains; i++)
		plan->chains[i].first_base = PLAN_NONE;
	for (uint32_t i = 0; i < plan->n_chains; i++) {
		const struct plan_chain *pc = &plan->chains[i];
		uint32_t below = pc->level + (pc->n_returns > 1);

		plan->n_levels = MAX(plan->n_levels, below);
		for (uint32_t k = 0; k < pc->n_edges; k++) {
			struct plan_chain *to = &plan->chains[pc->edges[k].chain];
			bool is_base = i == PLAN_ROOT;
			uint32_t first = is_base ? pc->edges[k].rule : pc->first_base;
			uint32_t last = is_base ? pc->edges[k].rule : pc->last_base;

			to->level = MAX(to->level, below);
			to->first_base = MIN(to->first_base, first);
			to->last_base = MAX(to->last_base, last);
		}
	}
}

/* ---- parts ---- */

static bool comes_back(const struct ir_verdict *v)
{
	return v->code == IR_JUMP;
}

static bool part_jumps(const struct ir_rule *rule)
{
	for (uint32_t s = 0; s < rule->n_steps; s++) {
		const struct ir_step *st = &rule->steps[s];

		if (st->kind == IR_VERDICT && comes_back(&st->verdict))
			return true;
		for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++) {
			if (comes_back(&st->set->elems[e].verdict))
				return true;
		}
	}
	return false;
}

static bool rule_jumps(const struct ir_rule *rule)
{
	for (uint32_t i = 0; i < ir_rule_parts(rule); i++)
		if (part_jumps(ir_rule_part(rule, i)))
			return true;
	return false;
}

static void cut_run(struct arena *a, struct plan_chain *pc, uint32_t first, uint32_t end)
{
	uint32_t n_parts = (end - first + PLAN_PART_MAX - 1) / PLAN_PART_MAX;

	if (end - first < PLAN_PART_MIN)
		return;
	for (uint32_t i = 0; i < n_parts; i++) {
		struct plan_part part = {.first = first, .n = (end - first) / (n_parts - i)};

		ARENA_PUSH(a, pc->parts, pc->n_parts, part);
		first += part.n;
	}
}

static void find_parts(struct builder *w)
{
	uint64_t total = 0;

	for (uint32_t i = 1; i < w->plan->n_chains; i++)
		total += w->plan->chains[i].chain->n_rules;
	if (total <= PLAN_PART_MAX)
		return;
	for (uint32_t i = 1; i < w->plan->n_chains; i++) {
		struct plan_chain *pc = &w->plan->chains[i];
		uint32_t first = 0;

		for (uint32_t r = 0; r < pc->chain->n_rules; r++) {
			if (!rule_jumps(&pc->chain->rules[r]))
				continue;
			cut_run(w->a, pc, first, r);
			first = r + 1;
		}
		cut_run(w->a, pc, first, pc->chain->n_rules);
	}
}

/* ---- dominators ---- */

static uint32_t common_dominator(const struct plan *plan, uint32_t a, uint32_t b)
{
	while (a != b) {
		if (plan->chains[a].depth >= plan->chains[b].depth)
			a = plan->chains[a].idom;
		else
			b = plan->chains[b].idom;
	}
	return a;
}

/* The first rule of @from that leads to each chain which @from dominates at once. */
static void find_first_rules(struct plan *plan, uint32_t from, uint32_t *seen, uint32_t *stack)
{
	const struct plan_chain *pc = &plan->chains[from];

	for (uint32_t k = 0; k < pc->n_edges; k++) {
		uint32_t n = 0;

		if (seen[pc->edges[k].chain] != from + 1) {
			seen[pc->edges[k].chain] = from + 1;
			stack[n++] = pc->edges[k].chain;
		}
		while (n > 0) {
			struct plan_chain *c = &plan->chains[stack[--n]];

			if (c->idom == from)
				c->idom_rule = pc->edges[k].rule;
			for (uint32_t j = 0; j < c->n_edges; j++) {
				uint32_t to = c->edges[j].chain;

				if (seen[to] == from + 1)
					continue;
				seen[to] = from + 1;
				stack[n++] = to;
			}
		}
	}
}

static void find_dominators(struct builder *w)
{
	struct plan *plan = w->plan;
	uint32_t *seen = arena_alloc(w->a, plan->n_chains * sizeof(*seen));
	uint32_t *stack = arena_alloc(w->a, plan->n_chains * sizeof(*stack));
	bool *leads = arena_alloc(w->a, plan->n_chains * sizeof(*leads));

	for (uint32_t i = 1; i < plan->n_chains; i++)
		plan->chains[i].idom = PLAN_NONE;
	/* Callers come first, so a chain's dominator is known when its turn comes. */
	for (uint32_t i = 0; i < plan->n_chains; i++) {
		struct plan_chain *pc = &plan->chains[i];

		if (i != PLAN_ROOT) {
			pc->depth = plan->chains[pc->idom].depth + 1;
			leads[pc->idom] = true;
		}
		for (uint32_t k = 0; k < pc->n_edges; k++) {
			struct plan_chain *to = &plan->chains[pc->edges[k].chain];

			to->idom = to->idom == PLAN_NONE ? i : common_dominator(plan, to->idom, i);
		}
	}
	for (uint32_t i = 0; i < plan->n_chains; i++) {
		if (leads[i])
			find_first_rules(plan, i, seen, stack);
	}
}

struct plan_pos plan_join(const struct plan *plan, struct plan_pos a, struct plan_pos b)
{
	while (a.chain != b.chain) {
		struct plan_pos *deeper =
			plan->chains[a.chain].depth >= plan->chains[b.chain].depth ? &a : &b;

		deeper->rule = plan->chains[deeper->chain].idom_rule;
		deeper->chain = plan->chains[deeper->chain].idom;
	}
	a.rule = MIN(a.rule, b.rule);
	return a;
}

struct plan *plan_new(struct arena *a, const struct ir *ir, const struct ir_prog *prog)
{
	struct builder w = {.a = a, .ir = ir, .plan = ARENA_NEW(a, struct plan)};

	order_chains(&w, prog);
	if (w.cycle)
		return NULL;
	find_edges(&w, prog);
	find_returns(&w);
	find_levels(w.plan);
	find_dominators(&w);
	find_parts(&w);
	return w.plan;
}
