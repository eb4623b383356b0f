/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dead rules: those that no packet reaches, and guards that a hook decides.
 *
 * Needs: the conditions of the chain's rules.
 * Keeps: everything; a dead rule becomes one that never matches, so it is still there to be told
 * of.
 *
 * A rule is dead behind one that always decides for what the later one asks for. Devices: there is
 * no output device before routing and none for input that comes from here (nf_hook_state of the
 * hooks); nft_meta_get_eval() then gives index 0 and an empty name.
 */
#include <linux/netfilter.h>

#include "../dispatch.h"
#include "opt.h"

enum {
	MAX_WALLS = 64, /* rules that later ones are compared with… */
	MAX_POINTS =
		16 /* …and of these with nothing but constants: long lists of them are common */
};

/* ---- what hooks know ---- */

static void reach(const struct ir_chain *c, uint8_t hook, uint8_t *hooks);

static void reach_from(const struct ir_rule *r, uint8_t hook, uint8_t *hooks)
{
	for (uint32_t s = 0; s < r->n_steps; s++) {
		const struct ir_step *st = &r->steps[s];

		if (st->kind == IR_VERDICT && st->verdict.chain)
			reach(st->verdict.chain, hook, hooks);
		for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++)
			if (st->set->elems[e].verdict.chain)
				reach(st->set->elems[e].verdict.chain, hook, hooks);
	}
}

static void reach(const struct ir_chain *c, uint8_t hook, uint8_t *hooks)
{
	if (hooks[c->id] & 1u << hook)
		return;
	hooks[c->id] |= (uint8_t)(1u << hook);
	for (uint32_t r = 0; r < c->n_rules; r++)
		for (uint32_t i = 0; i < ir_rule_parts(&c->rules[r]); i++)
			reach_from(ir_rule_part(&c->rules[r], i), hook, hooks);
}

uint8_t *opt_hooks(struct ir *ir)
{
	uint8_t *hooks = arena_alloc(ir->arena, MAX(ir->n_chains, 1u));

	for (uint32_t p = 0; p < ir->n_progs; p++)
		for (uint32_t i = 0; i < ir->progs[p].n_bases; i++)
			reach(ir->progs[p].bases[i], ir->progs[p].hook, hooks);
	return hooks;
}

/* Is the selector all zeros in all of these hooks? */
static bool is_zero(const struct ir_sel *sel, uint8_t hooks)
{
	const uint8_t no_out = 1u << NF_INET_PRE_ROUTING | 1u << NF_INET_LOCAL_IN;
	const char *name = sel->op == IR_LEAF ? sel->leaf->name : "";

	if (strcmp(name, "meta oif") == 0 || strcmp(name, "meta oifname") == 0)
		return hooks && !(hooks & ~no_out);
	if (strcmp(name, "meta iif") == 0 || strcmp(name, "meta iifname") == 0)
		return hooks == 1u << NF_INET_LOCAL_OUT;
	return false;
}

static bool holds_zero(const struct opt_cond *c)
{
	for (uint32_t b = 0; b < c->sel->width; b++)
		if (!c->n_ranges || c->ranges[0].lo[b])
			return false;
	return c->n_ranges > 0;
}

/* ---- rules before rules ---- */

static bool is_within(const struct opt_cond *c, const struct opt_cond *wide)
{
	return opt_ranges_within(c->ranges, c->n_ranges, wide->ranges, wide->n_ranges,
				 c->sel->width);
}

/* Whatever meets @r meets @wall; both have their conditions in order of the selectors' numbers. */
static bool covers(const struct opt_rule *wall, const struct opt_rule *r)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < wall->n_conds; i++) {
		while (k < r->n_conds && r->conds[k].sel->id < wall->conds[i].sel->id)
			k++;
		if (k == r->n_conds || r->conds[k].sel != wall->conds[i].sel ||
		    !is_within(&r->conds[k], &wall->conds[i]))
			return false;
	}
	return true;
}

static bool is_point(const struct opt_rule *r)
{
	for (uint32_t i = 0; i < r->n_conds; i++)
		if (r->conds[i].n_ranges != 1 ||
		    memcmp(r->conds[i].ranges[0].lo, r->conds[i].ranges[0].hi,
			   r->conds[i].sel->width) != 0)
			return false;
	return true;
}

void opt_kill_rule(struct opt_chain *oc, uint32_t i)
{
	struct ir_rule *r = &oc->chain->rules[i];

	r->never = true;
	r->steps = NULL;
	r->n_steps = 0;
	oc->rules[i] = (struct opt_rule){.rule = r, .never = true, .may_pass = true};
}

void opt_drop_guard(struct opt_chain *oc, uint32_t i, uint32_t k)
{
	struct ir_rule *r = &oc->chain->rules[i];
	struct opt_rule *o = &oc->rules[i];
	uint32_t step = o->conds[k].step;

	oc->chain->n_known++;
	r->steps = arena_memdup(oc->ir->arena, r->steps, r->n_steps * sizeof(*r->steps));
	memmove(&r->steps[step], &r->steps[step + 1], (r->n_steps - step - 1) * sizeof(*r->steps));
	r->n_steps--;
	o->n_guards--;
	o->n_conds--;
	memmove(&o->conds[k], &o->conds[k + 1], (o->n_conds - k) * sizeof(*o->conds));
	for (uint32_t j = 0; j < o->n_conds; j++)
		if (o->conds[j].step != OPT_SEVERAL && o->conds[j].step > step)
			o->conds[j].step--;
}

static void use_hook(struct opt_chain *oc, uint32_t i, uint8_t hooks)
{
	struct opt_rule *o = &oc->rules[i];

	for (uint32_t k = 0; k < o->n_conds; k++) {
		if (!is_zero(o->conds[k].sel, hooks))
			continue;
		if (!holds_zero(&o->conds[k])) {
			opt_kill_rule(oc, i);
			return;
		}
		if (o->conds[k].step != OPT_SEVERAL)
			opt_drop_guard(oc, i, k--);
	}
}

void opt_dead(struct opt_chain *oc, uint8_t hooks)
{
	const struct opt_rule *walls[MAX_WALLS];
	uint32_t n_walls = 0, k;

	for (uint32_t i = 0; i < oc->chain->n_rules; i++) {
		struct opt_rule *o = &oc->rules[i];

		if (o->never && !oc->chain->rules[i].never)
			opt_kill_rule(oc, i);
		use_hook(oc, i, hooks);
		for (k = 0; k < n_walls && !o->never; k++)
			if (covers(walls[k], o))
				opt_kill_rule(oc, i);
		if (o->never || o->may_pass || n_walls == MAX_WALLS ||
		    (n_walls >= MAX_POINTS && is_point(o) && o->n_conds))
			continue;
		walls[n_walls++] = o;
	}
}
