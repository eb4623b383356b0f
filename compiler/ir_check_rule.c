/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The invariants of what a rule does: selectors, steps, and that an impure selector is asked for by
 * a step of its own before anything uses its value.
 */
#include "ir_check.h"

struct rule_checker {
	struct ir_checker *k;
	const struct ir_rule *rule;
	const struct ir_sel *impure[IR_MAX_IMPURE];
	uint32_t n_impure;
};

/* ---- selectors ---- */

static bool check_params(struct ir_checker *k, const struct ir_sel *s)
{
	const struct ir_leaf *l = s->leaf;
	uint32_t i;

	if (l->takes)
		return IR_HOLDS(k, l->takes(s), "leaf %s: what it does not take",
				l->name);
	for (i = 0; i < l->n_params; i++)
		if (!IR_HOLDS(k, s->param[i] <= UINT32_MAX, "leaf %s: parameter of over 32 bits",
			      l->name))
			return false;
	return true;
}

static bool check_leaf(struct ir_checker *k, const struct ir_sel *s)
{
	const struct ir_leaf *l = s->leaf;

	return IR_HOLDS(k, l, "a leaf without a kind") &&
	       IR_HOLDS(k, !l->width || l->width == s->width, "leaf %s of %u bytes", l->name,
			s->width) &&
	       IR_HOLDS(k, s->partial == l->partial && s->impure == l->impure,
			"leaf %s: partial or impure differs from its kind", l->name) &&
	       IR_HOLDS(k, !l->state || (s->state && s->state->op == l->state),
			"leaf %s: no state of its kind", l->name) &&
	       check_params(k, s);
}

static uint32_t sum_of_widths(const struct ir_sel *s)
{
	uint32_t sum = 0, i;

	for (i = 0; i < s->n_args; i++)
		sum += s->args[i]->width;
	return sum;
}

static bool check_map(struct ir_checker *k, const struct ir_sel *s)
{
	return IR_HOLDS(k, s->set && s->set->kind == IR_DATA_MAP, "map in no map") &&
	       IR_HOLDS(k, s->set->width == s->args[0]->width, "map %s: key of %u bytes",
			s->set->name, s->args[0]->width) &&
	       IR_HOLDS(k, s->width == s->set->data_width, "map %s: value of %u bytes",
			s->set->name, s->width) &&
	       IR_HOLDS(k, s->partial, "map that cannot fail");
}

static bool check_op(struct ir_checker *k, const struct ir_sel *s)
{
	uint32_t w = s->n_args ? s->args[0]->width : 0;

	switch (s->op) {
	case IR_CONST:
		return IR_HOLDS(k, s->bytes && !s->partial, "constant without a value");
	case IR_LEAF:
		return check_leaf(k, s);
	case IR_AND:
	case IR_OR:
	case IR_XOR:
		return IR_HOLDS(k, s->n_args == 2 && w == s->width && s->args[1]->width == w,
				"bit operation on different widths");
	case IR_SHL:
	case IR_SHR:
		return IR_HOLDS(k, s->n_args == 1 && w == s->width && s->n >= 1 && s->n <= 31,
				"shift by %u", s->n);
	case IR_BSWAP:
		return IR_HOLDS(k,
				s->n_args == 1 && w == s->width &&
					(s->n == 2 || s->n == 4 || s->n == 8) && w % s->n == 0,
				"bswap of %u bytes by %u", w, s->n);
	case IR_CONCAT:
		return IR_HOLDS(k, s->n_args >= 2 && sum_of_widths(s) == s->width,
				"concat of %u bytes", s->width);
	case IR_SLICE:
		return IR_HOLDS(k, s->n_args == 1 && s->width < w && s->n <= w - s->width,
				"slice outside of %u bytes", w);
	case IR_MAP:
		return check_map(k, s);
	case IR_SCALE:
		return IR_HOLDS(k, s->n_args == 1 && w == 4 && s->width == 4, "scale of %u bytes",
				w);
	case IR_JHASH:
		return IR_HOLDS(k, s->n_args == 1 && s->width == 4, "jhash");
	}
	return ir_violation(k, "operation %d", (int)s->op);
}

static bool is_needed(const struct rule_checker *rk, const struct ir_sel *s)
{
	uint32_t i;

	for (i = 0; i < rk->n_impure; i++)
		if (rk->impure[i] == s)
			return true;
	return false;
}

static bool check_node(struct rule_checker *rk, const struct ir_sel *s)
{
	bool partial = s->op == IR_LEAF || s->op == IR_MAP ? s->partial : false;
	uint32_t i;

	if (!IR_HOLDS(rk->k, s->width >= 1 && s->width <= IR_MAX_WIDTH, "width %u", s->width) ||
	    !IR_HOLDS(rk->k, s->id < rk->k->ir->n_sels, "selector id %u", s->id) ||
	    !IR_HOLDS(rk->k, !s->impure || is_needed(rk, s), "impure selector without a need"))
		return false;
	for (i = 0; i < s->n_args; i++) {
		if (!check_node(rk, s->args[i]))
			return false;
		partial |= s->args[i]->partial;
	}
	return IR_HOLDS(rk->k, s->partial == partial, "partial is wrong") && check_op(rk->k, s);
}

static bool check_sel(struct rule_checker *rk, const struct ir_sel *s)
{
	return IR_HOLDS(rk->k, s, "no selector") &&
	       IR_HOLDS(rk->k, s->size <= IR_MAX_SIZE, "selector of %u nodes", s->size) &&
	       check_node(rk, s);
}

/* ---- steps ---- */

static bool check_need(struct rule_checker *rk, const struct ir_step *s)
{
	if (s->sel && s->sel->impure && !is_needed(rk, s->sel)) {
		if (!IR_HOLDS(rk->k, rk->n_impure < IR_MAX_IMPURE, "too many impure selectors"))
			return false;
		rk->impure[rk->n_impure++] = s->sel;
	}
	return check_sel(rk, s->sel);
}

static bool check_set_key(struct ir_checker *k, const struct ir_step *s)
{
	return IR_HOLDS(k, s->set, "no set") &&
	       IR_HOLDS(k, s->set->width == s->sel->width, "key of %u bytes for set %s",
			s->sel->width, s->set->name);
}

static bool check_guard(struct rule_checker *rk, const struct ir_step *s)
{
	if (!check_sel(rk, s->sel))
		return false;
	switch (s->guard) {
	case IR_EQ:
	case IR_NE:
		return IR_HOLDS(rk->k, s->lo, "guard without a constant");
	case IR_RANGE:
	case IR_NOT_RANGE:
		return IR_HOLDS(rk->k, s->lo && s->hi, "guard without a range");
	case IR_IN:
	case IR_NOT_IN:
		return check_set_key(rk->k, s);
	}
	return ir_violation(rk->k, "guard %d", (int)s->guard);
}

static bool check_effect(struct rule_checker *rk, const struct ir_step *s)
{
	const struct ir_effect_op *op = s->effect;
	uint32_t i;

	if (!IR_HOLDS(rk->k, op, "effect without a kind") ||
	    !IR_HOLDS(rk->k, !s->state || s->state->op == op, "%s with another's state",
		      op->name) ||
	    !IR_HOLDS(rk->k, s->state || !(op->per_cpu || op->state_size), "%s without a state",
		      op->name) ||
	    !IR_HOLDS(rk->k, s->n_args <= op->max_args, "%s of %u arguments", op->name, s->n_args))
		return false;
	for (i = 0; s->state && i < IR_EFFECT_PARAMS; i++)
		if (!IR_HOLDS(rk->k, !s->param[i], "%s: parameters beside a state", op->name))
			return false;
	for (i = 0; i < s->n_args; i++)
		if (!check_sel(rk, s->args[i]))
			return false;
	return true;
}

static bool check_target(struct rule_checker *rk, const struct ir_verdict *v)
{
	const struct ir_chain *c = rk->rule->chain, *to = v->chain;

	return ir_check_verdict(rk->k, v) &&
	       IR_HOLDS(rk->k,
			!to || (to->pf == c->pf && to->family == c->family &&
				strcmp(to->table, c->table) == 0),
			"jump to chain %s of another table or protocol", to ? to->name : "");
}

static bool check_vmap(struct rule_checker *rk, const struct ir_step *s)
{
	size_t i;

	if (!check_sel(rk, s->sel) || !check_set_key(rk->k, s) ||
	    !IR_HOLDS(rk->k, s->set->kind == IR_VERDICT_MAP, "set %s has no verdicts",
		      s->set->name))
		return false;
	for (i = 0; i < s->set->n_elems; i++)
		if (!check_target(rk, &s->set->elems[i].verdict))
			return false;
	return true;
}

static bool has_impure(const struct ir_sel *s)
{
	uint32_t i;

	for (i = 0; i < s->n_args; i++)
		if (has_impure(s->args[i]))
			return true;
	return s->impure;
}

static bool check_row_field(struct ir_checker *k, const struct ir_row *row, uint32_t i, uint32_t at,
			    uint32_t width)
{
	uint32_t b;

	if (!IR_HOLDS(k, memcmp(row->lo + at, row->hi + at, width) <= 0, "bounds out of order"))
		return false;
	for (b = at; b < at + width && row->any & 1u << i; b++)
		if (!IR_HOLDS(k, !row->lo[b] && row->hi[b] == 0xff, "bounds of any value"))
			return false;
	return true;
}

static bool check_row(struct ir_checker *k, const struct ir_dispatch *d, uint32_t n)
{
	const struct ir_row *row = &d->rows[n];
	uint32_t at = 0, i;

	if (!IR_HOLDS(k, row->rule < d->n_rules && (!n || row->rule >= row[-1].rule),
		      "row %u leads to rule %u", n, row->rule) ||
	    !IR_HOLDS(k, row->lo && row->hi, "row %u has no bounds", n) ||
	    !IR_HOLDS(k, !(row->any >> d->n_fields), "row %u: more fields than there are", n))
		return false;
	for (i = 0; i < d->n_fields; at += d->fields[i++]->width)
		if (!check_row_field(k, row, i, at, d->fields[i]->width))
			return false;
	return true;
}

static bool check_tail(struct rule_checker *rk, const struct ir_dispatch *d, uint32_t i)
{
	const struct ir_rule *r = &d->rules[i];
	uint32_t j;

	if (!IR_HOLDS(rk->k, r->chain == rk->rule->chain, "its rules are another chain's") ||
	    !IR_HOLDS(rk->k, !r->never, "a rule that never matches") ||
	    !IR_HOLDS(rk->k, r->index >= (i ? r[-1].index : rk->rule->index), "out of order"))
		return false;
	for (j = 0; j < r->n_steps; j++)
		if (!IR_HOLDS(rk->k, r->steps[j].kind != IR_DISPATCH, "a dispatch in a dispatch"))
			return false;
	return ir_check_rule(rk->k, r);
}

static bool check_dispatch(struct rule_checker *rk, const struct ir_step *s)
{
	const struct ir_dispatch *d = s->dispatch;
	uint32_t width = 0, i;

	if (!IR_HOLDS(rk->k, d, "no dispatch") ||
	    !IR_HOLDS(rk->k, s == &rk->rule->steps[rk->rule->n_steps - 1], "steps behind it") ||
	    !IR_HOLDS(rk->k, d->id < rk->k->ir->n_dispatches, "dispatch %u", d->id) ||
	    !IR_HOLDS(rk->k, d->n_fields >= 1 && d->n_fields <= IR_MAX_FIELDS, "%u fields",
		      d->n_fields))
		return false;
	for (i = 0; i < d->n_fields; width += d->fields[i++]->width)
		if (!check_sel(rk, d->fields[i]) ||
		    !IR_HOLDS(rk->k, !has_impure(d->fields[i]), "an impure field"))
			return false;
	if (!IR_HOLDS(rk->k, width == d->width && width <= IR_MAX_WIDTH, "fields of %u bytes",
		      width))
		return false;
	for (i = 0; i < d->n_rows; i++)
		if (!check_row(rk->k, d, i))
			return false;
	for (i = 0; i < d->n_rules; i++)
		if (!check_tail(rk, d, i))
			return false;
	return true;
}

static bool check_step(struct rule_checker *rk, const struct ir_step *s)
{
	switch (s->kind) {
	case IR_NEED:
		return check_need(rk, s);
	case IR_GUARD:
		return check_guard(rk, s);
	case IR_EFFECT:
		return check_effect(rk, s);
	case IR_VERDICT:
		return check_target(rk, &s->verdict);
	case IR_VMAP:
		return check_vmap(rk, s);
	case IR_DISPATCH:
		return check_dispatch(rk, s);
	}
	return ir_violation(rk->k, "step kind %d", (int)s->kind);
}

bool ir_check_rule(struct ir_checker *k, const struct ir_rule *r)
{
	struct rule_checker rk = {.k = k, .rule = r};
	uint32_t i;

	if (!IR_HOLDS(k, !r->never || !r->n_steps, "steps, though it never matches"))
		return false;
	for (i = 0; i < r->n_steps; i++)
		if (!check_step(&rk, &r->steps[i]))
			return false;
	return true;
}
