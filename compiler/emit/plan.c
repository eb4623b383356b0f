/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The call graph of a program: order of its chains, edges, dominators.
 */
#include "../template.h"
#include "plan.h"
#include "split.h"

struct builder {
	struct arena *a;
	const struct ir *ir;
	struct plan *plan;
	/* By ir chain id, while walking: */
	enum { UNSEEN, OPEN, DONE } * state, *group_state;
	const struct plan_groups *groups; /* NULL: none */
	/* Finished chains, callees first; NULL: the group. */
	struct node {
		const struct ir_chain *chain;
		uint32_t group;
	} *post;
	uint32_t n_post;
	bool cycle;
	/* By plan number of the callee, times 2, + is_jump: caller and rule of its last edge. */
	uint64_t *last_edge;
};

typedef void (*verdict_fn)(struct builder *w, void *arg, uint32_t rule, const struct ir_verdict *v);

/* Every verdict a rule may give, also behind a dispatch. */
static void each_verdict(struct builder *w, const struct ir_chain *c, uint32_t r, verdict_fn fn,
			 void *arg)
{
	for (uint32_t i = 0; i < ir_rule_parts(&c->rules[r]); i++) {
		const struct ir_rule *rule = ir_rule_part(&c->rules[r], i);

		for (uint32_t s = 0; s < rule->n_steps; s++) {
			const struct ir_step *st = &rule->steps[s];

			if (st->kind == IR_VERDICT)
				fn(w, arg, r, &st->verdict);
			for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++) {
				struct ir_verdict v = split_verdict(st, &st->set->elems[e].verdict);

				fn(w, arg, r, &v);
			}
		}
	}
}

/* ---- order: callers before callees ---- */

static void visit(struct builder *w, const struct ir_chain *c);

static void visit_group(struct builder *w, uint32_t group)
{
	const struct plan_group *g = &w->groups->groups[group];

	if (w->group_state[group] == OPEN)
		w->cycle = true;
	if (w->group_state[group] != UNSEEN)
		return;
	w->group_state[group] = OPEN;
	for (uint32_t i = 0; i < g->n; i++)
		visit(w, g->members[i]);
	w->group_state[group] = DONE;
	w->post[w->n_post++] = (struct node){NULL, group};
}

static void visit_verdict(struct builder *w, void *arg, uint32_t rule, const struct ir_verdict *v)
{
	const struct ir_chain *c = v->chain ? template_model(v->chain) : NULL;

	(void)arg;
	(void)rule;
	if (v->code != IR_JUMP && v->code != IR_GOTO)
		return;
	if (w->groups && w->groups->of[c->id] != PLAN_NONE)
		visit_group(w, w->groups->of[c->id]);
	else
		visit(w, c);
}

static void visit(struct builder *w, const struct ir_chain *c)
{
	if (w->state[c->id] == OPEN)
		w->cycle = true;
	if (w->state[c->id] != UNSEEN)
		return;
	w->state[c->id] = OPEN;
	for (uint32_t r = 0; r < c->n_rules; r++)
		each_verdict(w, c, r, visit_verdict, NULL);
	w->state[c->id] = DONE;
	w->post[w->n_post++] = (struct node){c, PLAN_NONE};
}

static void order_chains(struct builder *w, const struct ir_prog *prog)
{
	struct plan *plan = w->plan;

	uint32_t n_groups = w->groups ? w->groups->n : 0;

	w->state = arena_alloc(w->a, w->ir->n_chains * sizeof(*w->state));
	w->group_state = arena_alloc(w->a, MAX(n_groups, 1u) * sizeof(*w->group_state));
	w->post = arena_alloc(w->a, (w->ir->n_chains + n_groups) * sizeof(*w->post));
	plan->groups = arena_alloc(w->a, MAX(n_groups, 1u) * sizeof(*plan->groups));
	for (uint32_t i = prog->n_bases; i > 0; i--)
		visit(w, prog->bases[i - 1]);
	plan->n_chains = w->n_post + 1;
	plan->chains = arena_alloc(w->a, plan->n_chains * sizeof(*plan->chains));
	plan->chains[PLAN_ROOT].n_rules = prog->n_bases;
	plan->index = arena_alloc(w->a, MAX(w->ir->n_chains, 1u) * sizeof(uint32_t));
	memset(plan->index, 0xff, w->ir->n_chains * sizeof(uint32_t));
	for (uint32_t i = 0; i < w->n_post; i++) {
		const struct node *node = &w->post[w->n_post - 1 - i];
		struct plan_chain *pc = &plan->chains[i + 1];

		pc->chain = node->chain;
		pc->is_group = !node->chain;
		pc->n_rules = node->chain ? node->chain->n_rules : 1;
		pc->group = PLAN_NONE;
		if (node->chain)
			plan->index[node->chain->id] = i + 1;
		else
			plan->groups[node->group] = i + 1;
	}
}

/* ---- edges ---- */

static void add_edge(struct builder *w, void *arg, uint32_t rule, const struct ir_verdict *v)
{
	struct plan_chain *pc = arg;
	struct plan_edge e = {.rule = rule, .is_jump = v->code == IR_JUMP};
	uint64_t stamp, *last;

	if (v->code != IR_JUMP && v->code != IR_GOTO)
		return;
	e.chain = plan_target(w->plan, v->chain);
	/* The elements of a verdict map: one edge for all that say the same. */
	last = &w->last_edge[2 * (size_t)e.chain + e.is_jump];
	stamp = ((uint64_t)(pc - w->plan->chains) << 32 | rule) + 1;
	if (*last == stamp)
		return;
	*last = stamp;
	ARENA_PUSH(w->a, pc->edges, pc->n_edges, e);
}

/* Before edges of other chains: these ask for the members' group. */
static void find_members(struct builder *w)
{
	for (uint32_t g = 0; w->groups && g < w->groups->n; g++) {
		uint32_t number = w->plan->groups[g];
		struct plan_chain *pc = &w->plan->chains[number];

		for (uint32_t i = 0; number && i < w->groups->groups[g].n; i++) {
			const struct ir_chain *c = w->groups->groups[g].members[i];
			struct plan_edge e = {.chain = plan_number(w->plan, c)};

			w->plan->chains[e.chain].group = number;
			w->plan->chains[e.chain].member = i;
			ARENA_PUSH(w->a, pc->edges, pc->n_edges, e);
		}
	}
}

static void find_edges(struct builder *w, const struct ir_prog *prog)
{
	struct plan_chain *root = &w->plan->chains[PLAN_ROOT];

	w->last_edge = arena_alloc(w->a, 2 * (size_t)w->plan->n_chains * sizeof(*w->last_edge));
	find_members(w);
	for (uint32_t i = 0; i < prog->n_bases; i++) {
		struct plan_edge e = {.rule = i,
				      .chain = w->plan->index[prog->bases[i]->id],
				      .is_jump = true};

		ARENA_PUSH(w->a, root->edges, root->n_edges, e);
	}
	for (uint32_t i = 1; i < w->plan->n_chains; i++) {
		struct plan_chain *pc = &w->plan->chains[i];

		for (uint32_t r = 0; pc->chain && r < pc->n_rules; r++)
			each_verdict(w, pc->chain, r, add_edge, pc);
	}
}

/* Chains of templates that call each other need a number each at the same time. */
static void find_record_levels(struct plan *plan)
{
	for (uint32_t i = 1; i < plan->n_chains; i++) {
		struct plan_chain *pc = &plan->chains[i];
		uint32_t below;

		pc->has_record = pc->chain && pc->chain->template && pc->chain->template->n_words;
		below = pc->record_level + pc->has_record;
		plan->n_record_levels = MAX(plan->n_record_levels, below);
		for (uint32_t k = 0; k < pc->n_edges; k++) {
			struct plan_chain *to = &plan->chains[pc->edges[k].chain];

			to->record_level = MAX(to->record_level, below);
		}
	}
}

static void number_rules(struct plan *plan)
{
	uint32_t next = 1;

	for (uint32_t i = 0; i < plan->n_chains; i++) {
		plan->chains[i].first_number = next;
		next += plan->chains[i].n_rules;
	}
}

static void find_bases(struct plan *plan)
{
	for (uint32_t i = 1; i < plan->n_chains; i++)
		plan->chains[i].first_base = PLAN_NONE;
	for (uint32_t i = 0; i < plan->n_chains; i++) {
		const struct plan_chain *pc = &plan->chains[i];

		for (uint32_t k = 0; k < pc->n_edges; k++) {
			struct plan_chain *to = &plan->chains[pc->edges[k].chain];
			uint32_t first = i == PLAN_ROOT ? pc->edges[k].rule : pc->first_base;
			uint32_t last = i == PLAN_ROOT ? pc->edges[k].rule : pc->last_base;

			to->first_base = MIN(to->first_base, first);
			to->last_base = MAX(to->last_base, last);
		}
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

uint32_t plan_number(const struct plan *plan, const struct ir_chain *c)
{
	return plan->index[template_model(c)->id];
}

uint32_t plan_target(const struct plan *plan, const struct ir_chain *c)
{
	uint32_t number = plan_number(plan, c), group = plan->chains[number].group;

	return group == PLAN_NONE ? number : group;
}

static struct plan *build(struct arena *a, const struct ir *ir, const struct ir_prog *prog,
			  const struct plan_groups *groups)
{
	struct builder w = {.a = a, .ir = ir, .plan = ARENA_NEW(a, struct plan), .groups = groups};

	order_chains(&w, prog);
	if (w.cycle)
		return NULL;
	find_edges(&w, prog);
	find_record_levels(w.plan);
	number_rules(w.plan);
	find_bases(w.plan);
	find_dominators(&w);
	plan_cut(a, w.plan);
	return w.plan;
}

struct plan *plan_new(struct arena *a, const struct ir *ir, const struct ir_prog *prog)
{
	struct plan *plan = build(a, ir, prog, NULL), *grouped = NULL;
	struct plan_groups *groups;

	if (!plan || plan->size <= PLAN_MAX_SIZE)
		return plan;
	groups = plan_group(a, ir, plan);
	if (groups)
		grouped = build(a, ir, prog, groups);
	return grouped ? grouped : plan;
}
