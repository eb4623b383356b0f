/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The graph of jumps. Chains may form cycles that no packet enters; walks are bounded.
 */
#include "graph.h"

static void add_edge(struct graph *g, const struct ir_verdict *v, const struct ir_rule *r,
		     uint32_t step, const struct ir_elem *elem)
{
	struct graph_edge e = {.rule = r, .step = step, .elem = elem};
	struct graph_node *n;

	if ((v->code != IR_JUMP && v->code != IR_GOTO) || !v->chain)
		return;
	n = &g->nodes[v->chain->id];
	ARENA_PUSH(g->arena, n->in, n->n_in, e);
}

static void add_rule(struct graph *g, const struct ir_rule *r)
{
	for (uint32_t i = 0; i < r->n_steps; i++) {
		const struct ir_step *s = &r->steps[i];

		if (s->kind == IR_VERDICT)
			add_edge(g, &s->verdict, r, i, NULL);
		if (s->kind != IR_VMAP)
			continue;
		for (size_t k = 0; k < s->set->n_elems; k++)
			add_edge(g, &s->set->elems[k].verdict, r, i, &s->set->elems[k]);
	}
}

struct graph *graph_new(const struct ir *ir)
{
	struct arena *a = arena_new();
	struct graph *g = ARENA_NEW(a, struct graph);

	g->arena = a;
	g->ir = ir;
	g->nodes = arena_alloc(a, sizeof(*g->nodes) * (ir->n_chains + 1u));
	for (uint32_t i = 0; i < ir->n_chains; i++) {
		const struct ir_chain *c = ir->chains[i];

		g->nodes[c->id].chain = c;
		for (uint32_t k = 0; k < c->n_rules; k++)
			add_rule(g, &c->rules[k]);
	}
	return g;
}

void graph_free(struct graph *g)
{
	if (g)
		arena_free(g->arena);
}

static void reach(struct graph *g, const struct ir_chain *c);

static void reach_verdict(struct graph *g, const struct ir_verdict *v)
{
	if ((v->code == IR_JUMP || v->code == IR_GOTO) && v->chain)
		reach(g, v->chain);
}

static void reach(struct graph *g, const struct ir_chain *c)
{
	struct graph_node *n = &g->nodes[c->id];

	if (n->reached)
		return;
	n->reached = true;
	for (uint32_t i = 0; i < c->n_rules; i++)
		for (uint32_t k = 0; k < c->rules[i].n_steps; k++) {
			const struct ir_step *s = &c->rules[i].steps[k];

			if (s->kind == IR_VERDICT)
				reach_verdict(g, &s->verdict);
			if (s->kind == IR_VMAP)
				for (size_t e = 0; e < s->set->n_elems; e++)
					reach_verdict(g, &s->set->elems[e].verdict);
		}
}

void graph_reach(struct graph *g, const struct ir_prog *prog)
{
	if (g->reached_from == prog)
		return;
	g->reached_from = prog;
	for (uint32_t i = 0; i < g->ir->n_chains; i++)
		g->nodes[i].reached = false;
	for (uint32_t i = 0; i < prog->n_bases; i++)
		reach(g, prog->bases[i]);
}

static bool is_base_of(const struct ir_prog *prog, const struct ir_chain *c)
{
	for (uint32_t i = 0; i < prog->n_bases; i++)
		if (prog->bases[i] == c)
			return true;
	return false;
}

static const struct graph_edge *random_edge(const struct graph *g, const struct ir_chain *c,
					    struct rng *rng)
{
	const struct graph_node *n = &g->nodes[c->id];
	uint32_t start = rng_below(rng, (uint32_t)n->n_in);

	for (size_t i = 0; i < n->n_in; i++) {
		const struct graph_edge *e = &n->in[(start + i) % n->n_in];

		if (g->nodes[e->rule->chain->id].reached)
			return e;
	}
	return NULL;
}

int graph_path(const struct graph *g, const struct ir_prog *prog, const struct ir_chain *chain,
	       struct rng *rng, struct graph_edge *path, int max)
{
	for (int tries = 0; tries < 8; tries++) {
		const struct ir_chain *c = chain;
		int n = 0;

		while (!is_base_of(prog, c) && n < max) {
			const struct graph_edge *e = random_edge(g, c, rng);

			if (!e)
				return -1;
			path[n++] = *e;
			c = e->rule->chain;
		}
		if (!is_base_of(prog, c))
			continue;
		for (int i = 0; i < n / 2; i++) {
			struct graph_edge e = path[i];

			path[i] = path[n - 1 - i];
			path[n - 1 - i] = e;
		}
		return n;
	}
	return -1;
}
