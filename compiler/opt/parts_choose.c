/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether it pays to part a chain, and by which selector and values.
 *
 * Costs are what a packet pays that meets all rules, in about half nanoseconds: a compare for each
 * rule, and for runs what a look-up takes. Parts count alike, as nobody knows the traffic.
 */
#include "parts.h"

enum {
	LEAST_RULES = 5,
	MOST_RULES = 256, /* long lists are runs, mostly, and parts of them code */
	LEAST_RUN = 4,
	BOXES_RULES = 64, /* dispatch.c: from there on they may be one run whatever they ask for */
	BOXES_COST = 100,
	LEAST_ASKING = 2, /* rules, for a value */
	LEAST_GAIN = 6,
	GAIN_PART = 4,	 /* … and a quarter of the cost */
	MAX_GROWTH = 12, /* rules more, beside half as many again… */
	JUMP_WEIGHT = 4, /* … of which one that jumps counts for so many */
	MAX_SELS = 12,
	MAX_TRIED = 400, /* values of a selector that are looked into: time is linear */
};

/* Which packets: those with the value, or with none of the values; @sel NULL: all. */
struct view {
	const struct ir_sel *sel;
	const struct opt_cond *values;
	uint32_t n;
	bool is_rest;
};

struct sum {
	uint32_t cost, rules;
};

static const struct opt_cond *cond_on(const struct opt_rule *r, const struct ir_sel *sel)
{
	for (uint32_t i = 0; sel && i < r->n_conds; i++)
		if (r->conds[i].sel == sel)
			return &r->conds[i];
	return NULL;
}

static bool has_point(const struct opt_cond *c, const uint8_t *v)
{
	uint32_t lo = 0, hi = c->n_ranges;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (memcmp(c->ranges[mid].hi, v, c->sel->width) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n_ranges && memcmp(c->ranges[lo].lo, v, c->sel->width) <= 0;
}

static bool is_point(const struct opt_cond *c, uint32_t i)
{
	return memcmp(c->ranges[i].lo, c->ranges[i].hi, c->sel->width) == 0;
}

/* All it asks for are the values. */
static bool is_all_of(const struct opt_cond *c, const struct view *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->n; i++)
		n += has_point(c, v->values[i].ranges[0].lo);
	for (uint32_t i = 0; i < c->n_ranges; i++)
		if (!is_point(c, i))
			return false;
	return n == c->n_ranges;
}

static bool may_match(const struct opt_rule *r, const struct view *v)
{
	const struct opt_cond *c = cond_on(r, v->sel);

	if (r->never)
		return false;
	if (!c)
		return true;
	return v->is_rest ? !is_all_of(c, v) : has_point(c, v->values[0].ranges[0].lo);
}

/* ---- costs ---- */

static uint32_t cost_of_sel(const struct ir_sel *sel)
{
	return 1 + (sel->width + 7u) / 8;
}

static uint32_t cost_of_rule(const struct opt_rule *r, const struct ir_sel *without)
{
	uint32_t sum = 0, n = 0;

	for (uint32_t i = 0; i < r->n_conds; i++) {
		if (r->conds[i].sel == without)
			continue;
		sum += cost_of_sel(r->conds[i].sel);
		n++;
	}
	/* Mostly the first one fails. */
	return (n ? sum / n + (n > 1) : 0) + 2 * (r->n_guards < r->rule->n_steps && !n);
}

/* A chain that several rules jump to has to find out whereto it returns. */
static uint32_t weight_of(const struct opt_rule *r)
{
	const struct ir_rule *rule = r->rule;
	const struct ir_step *last = rule->n_steps ? &rule->steps[rule->n_steps - 1] : NULL;

	return r->may_pass && last && (last->verdict.chain || last->kind == IR_VMAP) ? JUMP_WEIGHT
										     : 1;
}

static uint32_t log2_of(uint32_t n)
{
	uint32_t bits = 0;

	while (n >>= 1)
		bits++;
	return bits;
}

static bool same_fields(const struct opt_rule *a, const struct opt_rule *b,
			const struct ir_sel *without)
{
	uint32_t n = b->n_conds - (cond_on(b, without) != NULL);

	for (uint32_t i = 0; i < a->n_conds; i++) {
		if (a->conds[i].sel == without)
			continue;
		if (!n || !cond_on(b, a->conds[i].sel))
			return false;
		n--;
	}
	return !n;
}

static uint32_t cost_of_stretch(uint32_t n, uint32_t sum)
{
	return n < LEAST_RUN ? sum : MIN(sum, 4 + 2 * log2_of(n));
}

static struct sum sum_up(const struct opt_chain *oc, uint32_t first, const struct view *v)
{
	const struct ir_sel *without = v->is_rest ? NULL : v->sel;
	const struct opt_rule *last = NULL;
	struct sum sum = {0};
	uint32_t n = 0, cost = 0, n_rules = 0;

	for (uint32_t i = first; i < oc->chain->n_rules; i++) {
		const struct opt_rule *r = &oc->rules[i];

		if (!may_match(r, v))
			continue;
		sum.rules += weight_of(r);
		n_rules++;
		if (!last || !same_fields(last, r, without)) {
			sum.cost += cost_of_stretch(n, cost);
			n = cost = 0;
		}
		last = r;
		n++;
		cost += cost_of_rule(r, without);
		if (!r->may_pass && !(r->n_conds - (cond_on(r, without) != NULL)))
			break; /* those behind it are dead */
	}
	sum.cost += cost_of_stretch(n, cost);
	if (n_rules >= BOXES_RULES)
		sum.cost = MIN(sum.cost, (uint32_t)BOXES_COST);
	return sum;
}

/* ---- candidates ---- */

static uint32_t n_asking(const struct opt_chain *oc, const struct ir_sel *sel, const uint8_t *value)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < oc->chain->n_rules; i++) {
		const struct opt_cond *c = cond_on(&oc->rules[i], sel);

		n += c && !oc->rules[i].never && has_point(c, value);
	}
	return n;
}

static bool has_value(const struct parts_cut *cut, const uint8_t *value, uint32_t width)
{
	for (uint32_t i = 0; i < cut->n; i++)
		if (memcmp(cut->values[i].ranges[0].lo, value, width) == 0)
			return true;
	return false;
}

/* The values that several rules ask for. */
static void find_values(const struct opt_chain *oc, struct ir_sel *sel, struct parts_cut *ret)
{
	uint32_t tried = 0;

	ret->n = 0;
	ret->first = oc->chain->n_rules;
	for (uint32_t i = 0; i < oc->chain->n_rules; i++) {
		const struct opt_cond *c = cond_on(&oc->rules[i], sel);

		for (uint32_t k = 0; c && !oc->rules[i].never && k < c->n_ranges; k++) {
			if (ret->n == PARTS_MAX_VALUES || !is_point(c, k) ||
			    has_value(ret, c->ranges[k].lo, sel->width) || tried++ >= MAX_TRIED ||
			    n_asking(oc, sel, c->ranges[k].lo) < LEAST_ASKING)
				continue;
			ret->values[ret->n++] =
				(struct opt_cond){.sel = sel, .ranges = &c->ranges[k], .n_ranges = 1};
			ret->first = MIN(ret->first, i);
		}
	}
}

/* What is gained for a packet, in the mean over the parts; 0: too little, or too many rules. */
static uint32_t gain_of(const struct opt_chain *oc, struct parts_cut *cut)
{
	struct sum whole = sum_up(oc, cut->first, &(struct view){0}), rest, part;
	struct view v = {cut->values[0].sel, cut->values, cut->n, true};
	uint32_t heads = cost_of_stretch(cut->n, cut->n * cost_of_sel(v.sel));
	uint32_t cost, rules;

	rest = sum_up(oc, cut->first, &v);
	cost = rest.cost;
	rules = rest.rules;
	for (uint32_t i = 0; i < cut->n; i++) {
		part = sum_up(oc, cut->first, &(struct view){v.sel, &cut->values[i], 1, false});
		cost += part.cost;
		rules += part.rules;
	}
	cost = heads + cost / (cut->n + 1);
	cut->before = whole.cost;
	cut->after = cost;
	if (rules > whole.rules + whole.rules / 2 + MAX_GROWTH || cost + LEAST_GAIN > whole.cost ||
	    (whole.cost - cost) * GAIN_PART < whole.cost)
		return 0;
	return whole.cost - cost;
}

static uint32_t list_sels(const struct opt_chain *oc, struct ir_sel **ret)
{
	uint32_t n = 0, k;

	for (uint32_t i = 0; i < oc->chain->n_rules; i++) {
		for (uint32_t j = 0; j < oc->rules[i].n_conds && !oc->rules[i].never; j++) {
			struct ir_sel *sel = oc->rules[i].conds[j].sel;

			for (k = 0; k < n && ret[k] != sel; k++)
				;
			if (k == n && n < MAX_SELS)
				ret[n++] = sel;
		}
	}
	return n;
}

bool parts_choose(const struct opt_chain *oc, struct parts_cut *ret)
{
	struct ir_sel *sels[MAX_SELS];
	uint32_t best = 0, n;

	if (oc->chain->n_rules < LEAST_RULES || oc->chain->n_rules > MOST_RULES)
		return false;
	n = list_sels(oc, sels);
	for (uint32_t i = 0; i < n; i++) {
		struct parts_cut cut;
		uint32_t gain;

		find_values(oc, sels[i], &cut);
		gain = cut.n ? gain_of(oc, &cut) : 0;
		if (gain <= best)
			continue;
		best = gain;
		*ret = cut;
	}
	return best > 0;
}
