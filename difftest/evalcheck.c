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

#include "difftest.h"
#include "flow.h"

struct prog_check {
	bool whole; /* every base chain of that place is in the program */
	bool blind; /* it reads what probes do not tell */
	bool timed;
};

struct eval_check {
	struct difftest *dt;
	const struct ir *ir;
	struct prog_check *progs;
	struct ir_env env;
	uint32_t **hits; /* by chain id, rule */
	uint8_t buf[65536 + 64];
};

static const char *const timed_leaves[] = {"meta time", "meta hour", "meta day", "meta random",
					   "numgen inc", "numgen random", "ct expiration",
					   "ct bytes", "ct packets", "ct avgpkt"};
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

		pc->timed |= is_in(name, timed_leaves, ARRAY_SIZE(timed_leaves));
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

		look_at_sel(pc, s->sel);
		for (uint32_t a = 0; a < s->n_args; a++)
			look_at_sel(pc, s->args[a]);
		if (s->kind == IR_EFFECT && s->effect->may_break)
			pc->timed = true;
		if (s->set && s->set->n_states)
			pc->timed = true;
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

	return c->is_base && c->hooknum == p->hook && c->priority == p->priority &&
	       (family == p->pf || family == NFPROTO_INET);
}

static bool is_whole(const struct difftest *dt, const struct ir_prog *p)
{
	uint32_t n = 0;
	struct table *t;
	struct chain *c;

	list_for_each(t, &dt->model->tables, node)
		list_for_each(c, &t->chains, node)
			n += is_here(c, p);
	return n == p->n_bases;
}

struct eval_check *eval_check_new(struct difftest *dt)
{
	const struct ir *ir = dt->lowered.ir;
	struct eval_check *ec = calloc(1, sizeof(*ec));
	bool *seen = calloc(ir->n_chains + 1u, sizeof(*seen));

	if (!ec || !seen || ir_env_init_state(&ec->env, ir)) {
		free(ec);
		free(seen);
		return NULL;
	}
	ec->dt = dt;
	ec->ir = ir;
	ec->progs = calloc(ir->n_progs + 1u, sizeof(*ec->progs));
	ec->hits = calloc(ir->n_chains + 1u, sizeof(*ec->hits));
	for (uint32_t i = 0; ec->hits && i < ir->n_chains; i++)
		ec->hits[ir->chains[i]->id] = calloc(ir->chains[i]->n_rules + 1u, sizeof(uint32_t));
	for (uint32_t i = 0; ec->progs && i < ir->n_progs; i++) {
		memset(seen, 0, ir->n_chains + 1u);
		ec->progs[i].whole = is_whole(dt, &ir->progs[i]);
		for (uint32_t b = 0; b < ir->progs[i].n_bases; b++)
			look_at_chain(&ec->progs[i], ir->progs[i].bases[b], seen);
	}
	free(seen);
	return ec;
}

void eval_check_free(struct eval_check *ec)
{
	if (!ec)
		return;
	for (uint32_t i = 0; ec->hits && i < ec->ir->n_chains; i++)
		free(ec->hits[ec->ir->chains[i]->id]);
	free(ec->hits);
	free(ec->progs);
	ir_env_fini_state(&ec->env);
	free(ec);
}

static const struct ir_prog *find_prog(const struct eval_check *ec, uint8_t pf, uint8_t hook,
				       int32_t prio)
{
	for (uint32_t i = 0; i < ec->ir->n_progs; i++) {
		const struct ir_prog *p = &ec->ir->progs[i];

		if (p->pf == pf && p->hook == hook && p->priority == prio)
			return p;
	}
	return NULL;
}

static void on_rule(void *arg, const struct ir_rule *rule, bool matched)
{
	struct eval_check *ec = arg;

	if (matched)
		ec->hits[rule->chain->id][rule - rule->chain->rules]++;
}

int eval_check_verdict(struct eval_check *ec, const struct probe_event *ev, int32_t prio,
		       const struct packet *p, const struct ir_rule **ret_by)
{
	const struct ir_prog *prog = find_prog(ec, ev->pf, ev->hook, prio);
	uint8_t verdict;

	if (!prog)
		return -1;
	flow_from_event(ec->dt->lab, ev, p, ec->buf, &ec->env);
	ec->env.on_rule = on_rule;
	ec->env.on_rule_arg = ec;
	verdict = ir_eval_prog(prog, &ec->env);
	*ret_by = ec->env.decided_by;
	if (!ec->progs[prog - ec->ir->progs].whole || ec->progs[prog - ec->ir->progs].blind)
		return -1;
	return verdict == NF_ACCEPT;
}

bool eval_check_is_timed(const struct eval_check *ec, uint8_t pf, uint8_t hook, int32_t prio)
{
	const struct ir_prog *prog = find_prog(ec, pf, hook, prio);

	return prog && ec->progs[prog - ec->ir->progs].timed;
}

/* ---- coverage ---- */

struct seen_rule {
	const struct rule *origin;
	const struct ir_rule *rule;
	uint32_t hits;
	bool can; /* match, in one of its copies */
};

static int by_origin(const void *a, const void *b)
{
	const struct seen_rule *x = a, *y = b;

	return x->origin < y->origin ? -1 : x->origin > y->origin;
}

static int by_place(const void *a, const void *b)
{
	const struct ir_rule *x = ((const struct seen_rule *)a)->rule;
	const struct ir_rule *y = ((const struct seen_rule *)b)->rule;
	int d = (x->chain->id > y->chain->id) - (x->chain->id < y->chain->id);

	return d ? d : (x->index > y->index) - (x->index < y->index);
}

static void name_missed(struct dt_result *r, const struct ir_rule *rule)
{
	char **missed = reallocarray(r->missed, r->n_missed + 1, sizeof(*missed));
	const struct ir_chain *c = rule->chain;

	if (!missed)
		return;
	r->missed = missed;
	if (asprintf(&missed[r->n_missed], "%s %s %s rule %u (handle %llu)", family_name(c->family),
		     c->table, c->name, rule->index, (unsigned long long)rule->handle) >= 0)
		r->n_missed++;
}

/* Copies of a rule (one a family of packets) count as one. */
void eval_check_coverage(const struct eval_check *ec, struct dt_result *r)
{
	struct seen_rule *all;
	size_t n = 0, k = 0;

	for (uint32_t i = 0; i < ec->ir->n_chains; i++)
		n += ec->ir->chains[i]->n_rules;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return;
	n = 0;
	for (uint32_t i = 0; i < ec->ir->n_chains; i++) {
		const struct ir_chain *c = ec->ir->chains[i];

		for (uint32_t j = 0; j < c->n_rules; j++)
			all[n++] = (struct seen_rule){c->rules[j].origin, &c->rules[j],
						      ec->hits[c->id][j], !c->rules[j].never};
	}
	qsort(all, n, sizeof(*all), by_origin);
	for (size_t i = 0; i < n; i++) {
		if (k && all[k - 1].origin == all[i].origin && all[i].origin) {
			all[k - 1].hits += all[i].hits;
			all[k - 1].can |= all[i].can;
		} else {
			all[k++] = all[i];
		}
	}
	qsort(all, k, sizeof(*all), by_place);
	for (size_t i = 0; i < k; i++) {
		r->n_rules++;
		r->n_rules_hit += all[i].hits != 0;
		r->n_rules_never += !all[i].can;
		if (!all[i].hits && all[i].can)
			name_missed(r, all[i].rule);
	}
	free(all);
}
