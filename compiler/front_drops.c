/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rules of a front drop (lower_front.c), and of them those that many packets may come to.
 */
#include "lower_priv.h"

struct drops {
	struct lower *lw;
	uint32_t n;	  /* rules */
	uint32_t n_worth; /* of them, for which many packets may come */
};

static bool chain_drops(struct drops *d, const struct ir_chain *c);

bool front_vmap_drops(const struct ir_set *s)
{
	size_t i;

	for (i = 0; i < s->n_elems; i++)
		if (s->elems[i].verdict.code == IR_DROP)
			return true;
	return s->is_mutable;
}

static bool is_ct_state(const struct ir_sel *s)
{
	uint32_t i;

	if (s->op == IR_LEAF)
		return strcmp(s->leaf->name, "ct state") == 0;
	for (i = 0; i < s->n_args; i++)
		if (!is_ct_state(s->args[i]))
			return false;
	return true;
}

/*
 * Every packet that passes pays for the front. Nearly every chain drops invalid packets, of which there
 * are few: for these alone it is not made.
 */
bool front_is_about_ct_state(const struct ir_rule *r)
{
	bool some = false;
	uint32_t i;

	for (i = 0; i < r->n_steps; i++) {
		if (r->steps[i].sel && !is_ct_state(r->steps[i].sel))
			return false;
		some |= r->steps[i].sel != NULL;
	}
	return some;
}

static bool rule_drops(struct drops *d, const struct ir_rule *r)
{
	bool here = false, below = false;
	uint32_t i;

	for (i = 0; i < r->n_steps; i++) {
		const struct ir_step *s = &r->steps[i];

		if (s->kind == IR_VMAP)
			here |= front_vmap_drops(s->set);
		if (s->kind != IR_VERDICT)
			continue;
		here |= s->verdict.code == IR_DROP ||
			(s->verdict.chain && s->verdict.chain == d->lw->front->counting);
		if (!here && s->verdict.chain)
			below |= chain_drops(d, s->verdict.chain);
	}
	d->n += here;
	d->n_worth += here && !front_is_about_ct_state(r);
	return here || below;
}

/* All packets end here. */
static bool rule_is_final(const struct ir_rule *r)
{
	return r->n_steps && r->steps[0].kind == IR_VERDICT &&
	       (r->steps[0].verdict.code == IR_ACCEPT || r->steps[0].verdict.code == IR_DROP);
}

/* Chains seen before are not counted again. */
static bool chain_drops(struct drops *d, const struct ir_chain *c)
{
	struct lower_info *info = lower_info(d->lw, (struct ir_chain *)c);
	uint32_t i;

	if (info->stamp == d->lw->stamp)
		return info->drops;
	info->stamp = d->lw->stamp;
	info->drops = false;
	for (i = 0; i < c->n_rules; i++) {
		info->drops |= rule_drops(d, &c->rules[i]);
		if (rule_is_final(&c->rules[i]))
			break;
	}
	return info->drops;
}

void front_cut(struct lower *lw, struct ir_chain *base, struct lower_front *ret)
{
	struct drops d = {.lw = lw};
	uint32_t i;

	*ret = (struct lower_front){0};
	lw->stamp++;
	for (i = 0; i < base->n_rules; i++) {
		if (rule_drops(&d, &base->rules[i])) {
			ret->last = base->rules[i].index;
			ret->first = ret->first ? ret->first : ret->last;
		}
		if (rule_is_final(&base->rules[i]))
			break;
	}
	ret->n_drops = d.n_worth ? d.n : 0;
	base->n_rules = ret->last;
}
