/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The third opinion: the IR's evaluator, given exactly what a probe saw before a chain.
 *
 * It has no say where a chain of that priority is not compiled, and where rules read what no probe
 * tells.
 */
#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <time.h>

#include "difftest.h"
#include "draft.h"
#include "evalcheck.h"
#include "flow.h"

#define HOUR_MS 3600000u /* longer than any test */

static const char *const timed_leaves[] = {"meta time",   "meta hour",	   "meta day",
					   "meta random", "numgen random", "ct expiration"};
/* Of those that begin with "meta ". */
static const char *const blind_leaves[] = {"meta cgroup", "meta rtclassid", "meta random",
					   "meta sdif"};
static const char *const known_leaves[] = {
	"load nh", "load th",  "load ll",   "ct state",	   "ct mark",	 "ct status", "ct direction",
	"ct addr", "ct addr4", "ct addr6", "ct l3proto", "ct protocol", "ct port",   "ct zone",
};

static bool is_in(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

static void look_at_sel(struct prog_check *pc, const struct ir_sel *s)
{
	if (!s)
		return;
	if (s->op == IR_LEAF) {
		const char *name = s->leaf->name;

		pc->blind |= is_in(name, blind_leaves, ARRAY_SIZE(blind_leaves)) ||
			     (strncmp(name, "meta ", 5) != 0 && strncmp(name, "exthdr ", 7) != 0 &&
			      !is_in(name, known_leaves, ARRAY_SIZE(known_leaves)));
	}
	for (uint32_t i = 0; i < s->n_args; i++)
		look_at_sel(pc, s->args[i]);
}

static void look_at_rule(struct prog_check *pc, const struct ir_rule *r)
{
	for (uint32_t i = 0; i < r->n_steps; i++) {
		const struct ir_step *s = &r->steps[i];

		pc->blind |= s->set && s->set->is_dynamic; /* the evaluator's stand still */
		look_at_sel(pc, s->sel);
		for (uint32_t a = 0; a < s->n_args; a++)
			look_at_sel(pc, s->args[a]);
	}
}

static void look_at_chain(struct prog_check *pc, const struct ir_chain *c, bool *seen)
{
	if (seen[c->id])
		return;
	seen[c->id] = true;
	for (uint32_t i = 0; i < c->n_rules; i++) {
		const struct ir_rule *r = &c->rules[i];

		look_at_rule(pc, r);
		for (uint32_t k = 0; k < r->n_steps; k++) {
			const struct ir_step *s = &r->steps[k];

			if (s->kind == IR_VERDICT && s->verdict.chain)
				look_at_chain(pc, s->verdict.chain, seen);
			for (size_t e = 0; s->kind == IR_VMAP && e < s->set->n_elems; e++)
				if (s->set->elems[e].verdict.chain)
					look_at_chain(pc, s->set->elems[e].verdict.chain, seen);
		}
	}
}

static bool is_here(const struct chain *c, const struct ir_prog *p)
{
	uint8_t family = c->table->family;

	return c->is_base && c->hooknum == p->hook && dt_runs_at(c) == p->priority &&
	       (family == p->pf || family == NFPROTO_INET);
}

/* What runs in front of an interpreted chain has the last word on no packet that it accepts. */
static bool is_front(const struct ir_prog *p)
{
	return p->bases[0]->is_front;
}

static bool is_whole(const struct difftest *dt, const struct ir_prog *p)
{
	uint32_t n = 0;
	struct table *t;
	struct chain *c;

	if (is_front(p))
		return false;
	list_for_each(t, &dt->model->tables, node)
		list_for_each(c, &t->chains, node)
			n += is_here(c, p);
	return n == p->n_bases;
}

static bool is_base(const struct ir_prog *p, const struct chain *c)
{
	for (uint32_t i = 0; i < p->n_bases; i++)
		if (p->bases[i]->family == c->table->family &&
		    strcmp(p->bases[i]->table, c->table->name) == 0 &&
		    strcmp(p->bases[i]->name, c->name) == 0)
			return true;
	return false;
}

static bool is_left(const struct difftest *dt, const struct ir_prog *p)
{
	for (uint32_t i = 0; i < dt->lowered.n_chains; i++)
		if (dt->left[i] && is_base(p, dt->lowered.chains[i].base))
			return true;
	return false;
}

/* Does a test end before the limit gives another token? compiler/expr/limit.c: cost, -, rate. */
static bool is_slow(const struct ir_state *limit)
{
	return limit->param[2] == 0 && limit->param[0] > 3600 * 1000000000ull;
}

/* Before the last packet has been sent? */
static bool may_expire(const struct ir_set *s)
{
	if (s->is_dynamic && s->has_timeout && s->origin && s->origin->timeout < HOUR_MS)
		return true;
	for (size_t i = 0; i < s->n_elems; i++)
		if (s->elems[i].expires && s->elems[i].expires < HOUR_MS)
			return true;
	return false;
}

/* Elements with limits of their own decide by the clock; what a named limit does, its rule shows. */
static bool is_timed_set(const struct ir_set *s)
{
	for (size_t i = 0; i < s->n_elems && s->n_states; i++)
		for (uint32_t k = 0; k < s->n_states && s->elems[i].states[k]; k++)
			if (strcmp(s->elems[i].states[k]->op->name, "limit") == 0 &&
			    !is_slow(s->elems[i].states[k]))
				return true;
	return s->has_timeout && may_expire(s);
}

static int find_timed_sets(struct eval_check *ec)
{
	ec->is_timed = calloc(ec->ir->n_sets + 1u, sizeof(*ec->is_timed));
	for (uint32_t i = 0; ec->is_timed && i < ec->ir->n_sets; i++)
		ec->is_timed[ec->ir->sets[i]->id] = is_timed_set(ec->ir->sets[i]);
	return ec->is_timed ? 0 : -ENOMEM;
}

struct eval_check *eval_check_new(struct difftest *dt)
{
	const struct ir *ir = dt->lowered.ir;
	struct eval_check *ec = calloc(1, sizeof(*ec));
	struct timespec now;

	if (!ec)
		return NULL;
	ec->ir = ir;
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (unsigned int i = 0; i < N_EVALS; i++) {
		if (ir_env_init_state(&ec->env[i], ir) || (i == 0 && find_timed_sets(ec))) {
			eval_check_free(ec);
			return NULL;
		}
		ec->env[i].read_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	}
	/* What is alone is counted from nothing. */
	for (unsigned int i = EVAL_NFT_ALONE; i < N_EVALS; i++)
		memset(ec->env[i].counters, 0, ir->n_counters * sizeof(*ec->env[i].counters));
	ec->dt = dt;
	ec->progs = calloc(ir->n_progs + 1u, sizeof(*ec->progs));
	ec->hits = calloc(ir->n_chains + 1u, sizeof(*ec->hits));
	for (uint32_t i = 0; ec->hits && i < ir->n_chains; i++)
		ec->hits[ir->chains[i]->id] = calloc(ir->chains[i]->n_rules + 1u, sizeof(uint32_t));
	for (uint32_t i = 0; ec->progs && i < ir->n_progs; i++) {
		struct prog_check *pc = &ec->progs[i];

		pc->reach = calloc(ir->n_chains + 1u, sizeof(*pc->reach));
		pc->whole = is_whole(dt, &ir->progs[i]);
		pc->left = is_left(dt, &ir->progs[i]);
		pc->blind = dt->changes_sets; /* the evaluator's stand still */
		for (uint32_t b = 0; pc->reach && b < ir->progs[i].n_bases; b++)
			look_at_chain(pc, ir->progs[i].bases[b], pc->reach);
	}
	return ec;
}

void eval_check_free(struct eval_check *ec)
{
	if (!ec)
		return;
	for (uint32_t i = 0; ec->hits && i < ec->ir->n_chains; i++)
		free(ec->hits[ec->ir->chains[i]->id]);
	free(ec->hits);
	for (uint32_t i = 0; ec->progs && i < ec->ir->n_progs; i++)
		free(ec->progs[i].reach);
	free(ec->progs);
	free(ec->is_timed);
	for (unsigned int i = 0; i < N_EVALS; i++)
		ir_env_fini_state(&ec->env[i]);
	free(ec);
}

static const struct ir_prog *find_prog(const struct eval_check *ec, uint8_t pf, uint8_t hook,
				       int32_t prio)
{
	const struct ir_prog *front = NULL;

	for (uint32_t i = 0; i < ec->ir->n_progs; i++) {
		const struct ir_prog *p = &ec->ir->progs[i];

		if (p->pf != pf || p->hook != hook || p->priority != prio)
			continue;
		if (!is_front(p))
			return p;
		front = p;
	}
	return front;
}

bool eval_check_has(const struct eval_check *ec, const struct probe_event *ev, int32_t prio)
{
	return find_prog(ec, ev->pf, ev->hook, prio) != NULL;
}

bool eval_check_is_left(const struct eval_check *ec, const struct probe_event *ev, int32_t prio)
{
	const struct ir_prog *p = find_prog(ec, ev->pf, ev->hook, prio);

	return p && ec->progs[p - ec->ir->progs].left;
}

static bool is_timed_sel(const struct ir_sel *s)
{
	if (s->op == IR_LEAF && is_in(s->leaf->name, timed_leaves, ARRAY_SIZE(timed_leaves)))
		return true;
	for (uint32_t i = 0; i < s->n_args; i++)
		if (is_timed_sel(s->args[i]))
			return true;
	return false;
}

static bool is_timed_step(const struct eval_check *ec, const struct ir_step *s)
{
	if (s->kind == IR_EFFECT)
		return strcmp(s->effect->name, "limit") == 0 && !is_slow(s->state);
	return (s->sel && is_timed_sel(s->sel)) || (s->set && ec->is_timed[s->set->id]);
}

/* Asking twice would give another answer. */
static bool is_impure(const struct ir_sel *s)
{
	for (uint32_t i = 0; i < s->n_args; i++)
		if (is_impure(s->args[i]))
			return true;
	return s->impure;
}

/* Does the packet at hand get past this step? */
static bool passes(struct eval_check *ec, const struct ir_step *s)
{
	struct wish w = wish_of_step(s);
	uint8_t v[IR_MAX_WIDTH];

	if ((s->kind != IR_GUARD && s->kind != IR_NEED) || is_impure(s->sel))
		return true;
	if (!ir_eval_sel(s->sel, ec->now, v))
		return false;
	return s->kind == IR_NEED || wish_holds(&w, v);
}

static void look_for_time(struct eval_check *ec, const struct ir_rule *r)
{
	for (uint32_t i = 0; i < r->n_steps && !ec->timed; i++) {
		if (is_timed_step(ec, &r->steps[i]))
			ec->timed = true;
		else if (!passes(ec, &r->steps[i]))
			return;
	}
}

static void on_rule(void *arg, const struct ir_rule *rule, bool matched)
{
	struct eval_check *ec = arg;

	if (matched && ec->now == &ec->env[EVAL_BPF])
		ec->hits[rule->chain->id][rule - rule->chain->rules]++;
	look_for_time(ec, rule);
}

int eval_check_verdict(struct eval_check *ec, enum dt_eval which, const struct probe_event *ev,
		       int32_t prio, const struct packet *p, const struct ir_rule **ret_by,
		       bool *ret_timed)
{
	const struct ir_prog *prog = find_prog(ec, ev->pf, ev->hook, prio);
	struct prog_check *pc;
	uint8_t verdict;

	if (!prog)
		return -1;
	pc = &ec->progs[prog - ec->ir->progs];
	ec->now = &ec->env[which];
	if (which != EVAL_BPF) /* quotas and the like stand where they stand for BPF */
		memcpy(ec->now->shared, ec->env[EVAL_BPF].shared, ir_env_state_size(ec->ir));
	flow_from_event(ec->dt->lab, ev, p, ec->buf, ec->now);
	ec->now->on_rule = on_rule;
	ec->now->on_rule_arg = ec;
	ec->timed = false;
	verdict = ir_eval_prog(prog, ec->now);
	*ret_timed = ec->timed;
	pc->timed |= ec->timed;
	*ret_by = ec->now->decided_by;
	return pc->whole && !pc->blind ? verdict == NF_ACCEPT : -1;
}
