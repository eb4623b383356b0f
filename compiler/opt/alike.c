/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether two chains have the same shape (template.h). Chains that they jump to have been grouped
 * before.
 */
#include "../ir_index.h"
#include "../set_table.h"
#include "../template.h"
#include "opt.h"

/* Impure selectors that stand for each other in two rules. */
struct pairs {
	uint32_t n;
	const struct ir_sel *a[IR_MAX_IMPURE], *b[IR_MAX_IMPURE];
};

static bool are_paired(struct pairs *p, const struct ir_sel *a, const struct ir_sel *b)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->a[i] == a || p->b[i] == b)
			return p->a[i] == a && p->b[i] == b;
	if (p->n == IR_MAX_IMPURE)
		return false;
	p->a[p->n] = a;
	p->b[p->n++] = b;
	return true;
}

static bool has_impure(const struct ir_sel *s)
{
	if (s->impure)
		return true;
	for (uint32_t i = 0; i < s->n_args; i++)
		if (has_impure(s->args[i]))
			return true;
	return false;
}

static bool sels_alike(struct pairs *p, const struct ir_sel *a, const struct ir_sel *b)
{
	if (!a || !b || !has_impure(a))
		return a == b;
	if (!ir_nodes_equal(a, b) || (a->impure && !are_paired(p, a, b)))
		return false;
	for (uint32_t i = 0; i < a->n_args; i++)
		if (!sels_alike(p, a->args[i], b->args[i]))
			return false;
	return true;
}

/* ---- sets ---- */

bool opt_same_keys(const struct ir_set *a, const struct ir_set *b)
{
	for (size_t i = 0; a != b && i < a->n_elems; i++) {
		const struct ir_elem *x = &a->elems[i], *y = &b->elems[i];

		if (!x->lo != !y->lo || (x->lo && (memcmp(x->lo, y->lo, a->width) != 0 ||
						   memcmp(x->hi, y->hi, a->width) != 0)))
			return false;
	}
	return true;
}

static bool states_alike(const struct ir_state *a, const struct ir_state *b)
{
	return a == b ||
	       (a && b && a->op == b->op && memcmp(a->param, b->param, sizeof(a->param)) == 0);
}

static bool verdicts_alike(const struct ir_verdict *a, const struct ir_verdict *b)
{
	return a->code == b->code && template_same_target(a->chain, b->chain);
}

static bool elems_alike(const struct ir_set *a, const struct ir_set *b, size_t i)
{
	const struct ir_elem *x = &a->elems[i], *y = &b->elems[i];

	for (uint32_t k = 0; k < a->n_states; k++)
		if (!states_alike(x->states[k], y->states[k]))
			return false;
	return !x->lo == !y->lo && verdicts_alike(&x->verdict, &y->verdict);
}

static bool sets_alike(const struct ir_set *a, const struct ir_set *b)
{
	if (!a || !b || a == b)
		return a == b;
	if (set_table_form(a) != SET_FORM_CODE || set_table_form(b) != SET_FORM_CODE ||
	    a->kind == IR_DATA_MAP || a->kind != b->kind || a->width != b->width || a->ranged ||
	    b->ranged || a->n_elems != b->n_elems || a->n_states != b->n_states ||
	    a->n_elems > TEMPLATE_MAX_ELEMS)
		return false;
	for (size_t i = 0; i < a->n_elems; i++)
		if (!elems_alike(a, b, i))
			return false;
	return a->n_elems <= TEMPLATE_MAX_KEYS || opt_same_keys(a, b);
}

/* ---- rules ---- */

static bool is_empty_range(const struct ir_step *s)
{
	return s->hi && memcmp(s->lo, s->hi, s->sel->width) > 0;
}

static bool steps_alike(struct pairs *p, const struct ir_step *a, const struct ir_step *b)
{
	if (a->kind != b->kind || a->kind == IR_DISPATCH || a->guard != b->guard ||
	    a->effect != b->effect || a->n_args != b->n_args ||
	    memcmp(a->param, b->param, sizeof(a->param)) != 0)
		return false;
	for (uint32_t i = 0; i < a->n_args; i++)
		if (!sels_alike(p, a->args[i], b->args[i]))
			return false;
	return sels_alike(p, a->sel, b->sel) && states_alike(a->state, b->state) &&
	       sets_alike(a->set, b->set) && verdicts_alike(&a->verdict, &b->verdict) &&
	       is_empty_range(a) == is_empty_range(b);
}

static bool rules_alike(const struct ir_rule *a, const struct ir_rule *b)
{
	struct pairs p = {.n = 0};

	if (a->never != b->never || a->n_steps != b->n_steps)
		return false;
	for (uint32_t s = 0; s < a->n_steps; s++)
		if (!steps_alike(&p, &a->steps[s], &b->steps[s]))
			return false;
	return true;
}

bool opt_alike(const struct ir_chain *a, const struct ir_chain *b)
{
	if (a->pf != b->pf || a->n_rules != b->n_rules)
		return false;
	for (uint32_t r = 0; r < a->n_rules; r++)
		if (!rules_alike(&a->rules[r], &b->rules[r]))
			return false;
	return true;
}

/* ---- hash: equal for what is alike ---- */

static uint64_t hash_verdict(uint64_t h, const struct ir_verdict *v)
{
	const struct ir_chain *c = v->chain ? template_model(v->chain) : NULL;

	return ir_hash_u64(ir_hash_u64(h, v->code), (uintptr_t)c);
}

static uint64_t hash_set(uint64_t h, const struct ir_set *set)
{
	if (set_table_form(set) != SET_FORM_CODE)
		return ir_hash_u64(h, (uintptr_t)set);
	h = ir_hash_u64(h, set->n_elems);
	for (size_t i = 0; i < set->n_elems; i++)
		h = hash_verdict(h, &set->elems[i].verdict);
	return h;
}

static uint64_t hash_step(uint64_t h, const struct ir_step *s)
{
	h = ir_hash_u64(h, s->kind | (uint64_t)s->guard << 8 | (uint64_t)s->n_args << 16);
	h = ir_hash_u64(h, (uintptr_t)s->effect);
	if (s->sel)
		h = ir_hash_u64(h, has_impure(s->sel) ? s->sel->size : s->sel->id + 1000u);
	h = hash_verdict(h, &s->verdict);
	return s->set ? hash_set(h, s->set) : h;
}

uint64_t opt_hash_shape(const struct ir_chain *c)
{
	uint64_t h = ir_hash_u64(IR_HASH_INIT, c->pf | (uint64_t)c->n_rules << 8);

	for (uint32_t r = 0; r < c->n_rules; r++) {
		h = ir_hash_u64(h, c->rules[r].never | (uint64_t)c->rules[r].n_steps << 1);
		for (uint32_t s = 0; s < c->rules[r].n_steps; s++)
			h = hash_step(h, &c->rules[r].steps[s]);
	}
	return h;
}
