/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rules some packet matched, by the evaluator's word.
 */
#include <stdio.h>

#include "difftest.h"
#include "evalcheck.h"

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

/* What was lowered for a program that was given up is in the IR, and runs nowhere. */
static bool is_run(const struct eval_check *ec, const struct ir_chain *c)
{
	for (uint32_t i = 0; i < ec->ir->n_progs; i++)
		if (ec->progs[i].reach[c->id])
			return true;
	return false;
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

		if (!is_run(ec, c))
			continue;
		/* The copies in front of interpreted chains have rules of nobody's. */
		for (uint32_t j = 0; j < c->n_rules && !(c->is_front && !c->rules[j].origin); j++)
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
