/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding a packet for a rule: solve what leads to it, build, ask the evaluator; where another rule
 * took the packet, wish that one guard of it did not hold, and again.
 */
#include "gen.h"

#include <errno.h>
#include <netinet/in.h>
#include <linux/netfilter.h>

#define ATTEMPTS 10
#define REPAIRS	 24
#define STUCK	 6

static void on_rule(void *arg, const struct ir_rule *rule, bool matched)
{
	struct gen *g = arg;

	if (!matched)
		return;
	if (g->n_trace == g->trace_size) {
		g->trace_size = g->trace_size ? g->trace_size * 2 : 64;
		g->trace = reallocarray(g->trace, g->trace_size, sizeof(*g->trace));
		if (!g->trace)
			abort();
	}
	g->trace[g->n_trace++] = rule;
}

static enum flow any_flow(uint8_t hook)
{
	enum flow f = FLOW_INPUT;

	while (f + 1 < N_FLOWS && !flow_has_hook(f, hook))
		f++;
	return f;
}

static void add_targets(struct gen *g, const struct ir_prog *prog)
{
	graph_reach(g->graph, prog);
	for (uint32_t c = 0; c < g->ir->n_chains; c++) {
		const struct ir_chain *chain = g->ir->chains[c];

		if (!g->graph->nodes[chain->id].reached)
			continue;
		for (uint32_t i = 0; i < chain->n_rules; i++) {
			struct gen_target t = {.prog = prog, .rule = &chain->rules[i],
					       .flow = any_flow(prog->hook)};

			if (!chain->rules[i].never)
				ARENA_PUSH(g->arena, g->targets, g->n_targets, t);
		}
	}
}

struct gen *gen_new(const struct lab *lab, const struct ir *ir, uint64_t seed)
{
	struct gen *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->lab = lab;
	g->ir = ir;
	g->rng.state = seed;
	g->arena = arena_new();
	g->graph = graph_new(ir);
	list_init(&g->packets);
	if (ir_env_init_state(&g->env, ir)) {
		gen_free(g);
		return NULL;
	}
	g->state = arena_memdup(g->arena, g->env.shared, ir_env_state_size(ir));
	g->env.on_rule = on_rule;
	g->env.on_rule_arg = g;
	for (uint32_t i = 0; i < ir->n_progs; i++)
		add_targets(g, &ir->progs[i]);
	return g;
}

void gen_free(struct gen *g)
{
	if (!g)
		return;
	packets_free(&g->packets);
	ir_env_fini_state(&g->env);
	graph_free(g->graph);
	arena_free(g->arena);
	free(g->trace);
	free(g);
}

void gen_add(struct gen *g, struct packet *p)
{
	list_append(&g->packets, &p->node);
	g->n_packets++;
}

/* ---- asking the evaluator ---- */

/* The packet's way up to the target's program. True: it matched the target. */
static bool evaluate(struct gen *g, const struct packet *p, const struct gen_target *t,
		     enum flow flow)
{
	memcpy(g->env.shared, g->state, ir_env_state_size(g->ir));
	g->n_trace = 0;
	for (const int8_t *h = flow_hooks[flow]; *h >= 0; h++) {
		flow_predict(g->lab, p, (uint8_t)*h, g->buf, &g->env);
		for (uint32_t i = 0; i < g->ir->n_progs; i++) {
			const struct ir_prog *prog = &g->ir->progs[i];
			uint8_t verdict;

			if (prog->pf != p->pf || prog->hook != *h)
				continue;
			verdict = ir_eval_prog(prog, &g->env);
			if (prog == t->prog) {
				for (size_t k = 0; k < g->n_trace; k++)
					if (g->trace[k] == t->rule)
						return true;
				return false;
			}
			if (verdict == NF_DROP)
				return false;
		}
	}
	return false;
}

/* ---- what has to hold ---- */

struct wishes {
	struct wish w[GEN_WISHES];
	uint32_t n, n_path; /* the first n_path lead to the rule and match it */
};

static void add_wish(struct wishes *ws, struct wish w)
{
	if (ws->n < GEN_WISHES)
		ws->w[ws->n++] = w;
}

bool gen_is_wish(const struct ir_step *s)
{
	return s->kind == IR_NEED || s->kind == IR_GUARD || s->kind == IR_VMAP;
}

static void wish_rule(struct wishes *ws, const struct ir_rule *r, uint32_t n_steps,
		      const struct ir_elem *last)
{
	for (uint32_t i = 0; i < n_steps; i++) {
		struct wish w = wish_of_step(&r->steps[i]);

		if (!gen_is_wish(&r->steps[i]))
			continue;
		if (i == n_steps - 1)
			w.elem = last;
		add_wish(ws, w);
	}
}

static bool wish_path(struct gen *g, struct wishes *ws, const struct gen_target *t)
{
	struct graph_edge path[IR_MAX_DEPTH];
	int n = graph_path(g->graph, t->prog, t->rule->chain, &g->rng, path, IR_MAX_DEPTH);

	ws->n = 0;
	for (int i = 0; i < n; i++)
		wish_rule(ws, path[i].rule, path[i].step + 1, path[i].elem);
	wish_rule(ws, t->rule, t->rule->n_steps, NULL);
	ws->n_path = ws->n;
	return n >= 0;
}

/* A guard of @r that shall not hold. */
static bool wish_away(struct gen *g, struct wishes *ws, const struct ir_rule *r)
{
	uint32_t start = rng_below(&g->rng, r->n_steps);

	for (uint32_t i = 0; i < r->n_steps; i++) {
		const struct ir_step *s = &r->steps[(start + i) % r->n_steps];
		struct wish w = wish_of_step(s);

		if (s->kind != IR_GUARD && s->kind != IR_VMAP)
			continue;
		add_wish(ws, wish_negated(&w));
		return true;
	}
	return false;
}

/* The rule that kept the packet from the target, or one that led to that rule. */
static bool wish_repair(struct gen *g, struct wishes *ws, const struct gen_target *t)
{
	for (size_t i = g->n_trace; i-- > 0;) {
		const struct ir_rule *r = g->trace[i];
		bool ends = false;

		for (uint32_t k = 0; k < r->n_steps; k++)
			ends |= r->steps[k].kind == IR_VERDICT || r->steps[k].kind == IR_VMAP;
		if (!ends || r == t->rule)
			continue;
		if (wish_away(g, ws, r))
			return true;
	}
	return false;
}

/* ---- finding ---- */

static enum flow random_flow(struct gen *g, uint8_t hook)
{
	uint32_t start = rng_below(&g->rng, N_FLOWS);

	for (uint32_t i = 0; i < N_FLOWS; i++)
		if (flow_has_hook((start + i) % N_FLOWS, hook))
			return (start + i) % N_FLOWS;
	return FLOW_INPUT;
}

struct packet *gen_try(struct gen *g, const struct gen_target *t, const struct wish *wishes,
		       uint32_t n_wishes, enum flow flow)
{
	struct draft d;

	draft_init(&d, t->prog->pf);
	for (uint32_t i = 0; i < n_wishes; i++)
		if (!draft_solve(&d, &wishes[i], &g->rng))
			return NULL;
	return build_packet(g->lab, &d, flow, t->prog->hook, &g->rng);
}

static void describe(struct packet *p, const struct gen_target *t, const char *how)
{
	const struct ir_chain *c = t->rule->chain;

	packet_set_origin(p, "%s %s %s %s rule %u", how, family_name(c->family), c->table, c->name,
			  t->rule->index);
}

static void keep(struct gen *g, struct gen_target *t, const struct wishes *ws, enum flow flow)
{
	t->hit = true;
	t->wishes = arena_memdup(g->arena, ws->w, ws->n * sizeof(*ws->w));
	t->n_wishes = ws->n;
	t->flow = flow;
}

/* From one way to the rule: what stands between is wished away, one thing at a time. */
static bool find_on_path(struct gen *g, struct gen_target *t, struct wishes *ws)
{
	int stuck = 0; /* how often there was no packet at all for the way alone */

	for (int i = 0; i < REPAIRS && stuck < STUCK; i++) {
		enum flow flow = random_flow(g, t->prog->hook);
		struct packet *p = gen_try(g, t, ws->w, ws->n, flow);

		if (!p) {
			stuck += ws->n == ws->n_path;
			if (ws->n > ws->n_path && rng_one_in(&g->rng, 3))
				ws->n = ws->n_path;
			continue;
		}
		if (evaluate(g, p, t, flow)) {
			describe(p, t, "for");
			keep(g, t, ws, flow);
			gen_add(g, p);
			return true;
		}
		packet_free(p);
		wish_repair(g, ws, t);
	}
	return false;
}

static bool find(struct gen *g, struct gen_target *t)
{
	struct wishes ws;

	graph_reach(g->graph, t->prog);
	for (int i = 0; i < ATTEMPTS; i++)
		if (wish_path(g, &ws, t) && find_on_path(g, t, &ws))
			return true;
	return false;
}

/* Some wishes of some rules together, whatever comes of it. */
static void add_mixture(struct gen *g)
{
	struct gen_target *t = &g->targets[rng_below(&g->rng, (uint32_t)g->n_targets)];
	struct packet *p;
	struct draft d;

	draft_init(&d, t->prog->pf);
	for (int i = 0; i < 4; i++) {
		const struct ir_rule *r = g->targets[rng_below(&g->rng, (uint32_t)g->n_targets)].rule;

		for (uint32_t k = 0; k < r->n_steps && r->chain->pf == t->prog->pf; k++) {
			struct wish w = wish_of_step(&r->steps[k]);

			if (gen_is_wish(&r->steps[k]) && !rng_one_in(&g->rng, 4))
				draft_solve(&d, &w, &g->rng);
		}
	}
	p = build_packet(g->lab, &d, random_flow(g, t->prog->hook), t->prog->hook, &g->rng);
	if (!p)
		return;
	packet_set_origin(p, "mixture of rules");
	gen_add(g, p);
}

/* A packet that no rule has a say in, for policies and for chains that were not lowered. */
static void add_plain(struct gen *g, size_t i)
{
	enum flow flow = (enum flow)(i / 2 % N_FLOWS);
	struct packet *p, *m = NULL;
	struct draft d;

	draft_init(&d, i % 2 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	p = build_packet(g->lab, &d, flow, (uint8_t)flow_hooks[flow][0], &g->rng);
	if (!p)
		return;
	packet_set_origin(p, "plain");
	if (rng_one_in(&g->rng, 2))
		m = mutate_packet(p, &g->rng);
	if (m)
		packet_free(p);
	gen_add(g, m ? m : p);
}

#define PLAIN_PACKETS 32

int gen_run(struct gen *g, size_t n)
{
	size_t idle = 0;

	for (size_t i = 0; i < g->n_targets; i++)
		find(g, &g->targets[i]);
	for (size_t i = 0; i < (g->n_targets ? PLAIN_PACKETS : n); i++)
		add_plain(g, i);
	for (size_t i = 0; g->n_targets && g->n_packets < n && idle < 1000; i++) {
		size_t before = g->n_packets;

		if (i % 8 == 7)
			add_mixture(g);
		else
			vary_target(g, &g->targets[i % g->n_targets]);
		idle = g->n_packets == before ? idle + 1 : 0;
	}
	gen_talks(g, g->n_packets);
	return 0;
}
