/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the programs of a plan hang: a root that is there, or one at a free priority (place.h).
 */
#include <errno.h>

#include "place.h"
#include "planning.h"

uint32_t plan_verdict(const struct ir_prog *p)
{
	for (uint32_t i = 0; i < p->n_bases; i++)
		if (p->bases[i]->policy == NF_DROP)
			return NF_DROP;
	return NF_ACCEPT;
}

/* Roots that are there are used again where they may be; the nearest one. */
static struct root *reusable(struct runtime *rt, const struct ir_prog *p,
			     const struct place_gap *gap)
{
	struct root *best = NULL;

	for (size_t i = 0; i < rt->n_roots; i++) {
		struct root *r = &rt->roots[i];

		if (r->used || r->pf != p->pf || r->hook != p->hook || r->slots < 0 ||
		    r->verdicts < 0 || r->priority <= gap->low || r->priority >= gap->high)
			continue;
		if (!best || labs((long)r->priority - p->priority) <
				     labs((long)best->priority - p->priority))
			best = r;
	}
	return best;
}

/*
 * Is it a chain that has the place, be it one that is about to go? All else there is somebody else's
 * hook, of which nothing is known but that it is not to be crossed.
 */
static bool is_chains(const struct runtime *rt, const struct ir_prog *p, int32_t at)
{
	for (size_t i = 0; i < rt->n_live; i++) {
		const struct live_hook *h = &rt->live[i];

		if (h->hook == p->hook && h->priority == at &&
		    (h->family == p->pf || h->family == NFPROTO_INET))
			return true;
	}
	return false;
}

/* The places of one side, the nearest first. */
static int attach_beside(struct planning *pl, const struct ir_prog *p, const struct place_gap *gap,
			 bool above, struct diags *why, struct root **ret)
{
	int err = -EBUSY;
	int32_t at;

	for (uint32_t k = 0; err == -EBUSY && place_candidate(gap, p->priority, k, &at); k++) {
		if ((at >= p->priority) != above)
			continue;
		err = root_get(pl->rt, p->pf, p->hook, at, plan_verdict(p), why, ret);
		if (err == -EBUSY && !is_chains(pl->rt, p, at))
			break;
	}
	return err;
}

static int attach_at(struct planning *pl, const struct ir_prog *p, const struct place_gap *gap,
		     struct diags *why, int32_t *ret)
{
	struct root *r = reusable(pl->rt, p, gap);
	int err = -EBUSY;

	if (r)
		err = root_get(pl->rt, p->pf, p->hook, r->priority, plan_verdict(p), why, &r);
	if (err == -EBUSY)
		err = attach_beside(pl, p, gap, true, why, &r);
	if (err == -EBUSY)
		err = attach_beside(pl, p, gap, false, why, &r);
	if (err)
		return err;
	r->used = true;
	*ret = r->priority;
	return 0;
}

/* Before or behind an empty table makes no difference; right before a chain has to be just there. */
static bool iptables_is_in_the_way(const struct ir_prog *p)
{
	return p->bases[0]->is_front ? iptables_is_at(p->pf, p->priority) :
				       iptables_has_rules_at(p->pf, p->priority, p->hook);
}

/* -EBUSY: @ret_reason says why. */
static int place_one(struct planning *pl, const struct ir_prog *p, const struct rt_place *before,
		     struct diags *why, const char **ret_reason, int32_t *ret)
{
	struct place_gap gap;
	int err = place_gap(&pl->plan.lowered, p, &gap);

	*ret_reason = "no priority is free that keeps its place among the other hooks";
	if (!err && iptables_is_in_the_way(p)) {
		*ret_reason = "legacy iptables has rules at its priority, and which of the two runs "
			      "first is not known";
		err = -EBUSY;
	}
	if (err)
		return err;
	if (before && before->prog->pf == p->pf && before->prog->hook == p->hook)
		gap.low = MAX(gap.low, before->priority);
	if (pl->attach)
		return attach_at(pl, p, &gap, why, ret);
	return place_candidate(&gap, p->priority, 0, ret) ? 0 : -EBUSY;
}

static int place_each(struct planning *pl, struct diags *why)
{
	const struct ir *ir = pl->plan.lowered.ir;
	struct rt_place *places = pl->plan.places;
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_progs; i++) {
		const struct ir_prog *p = &ir->progs[i];
		const char *reason;

		places[i].prog = p;
		err = place_one(pl, p, i ? &places[i - 1] : NULL, why, &reason,
				&places[i].priority);
		if (err == -EBUSY)
			/* The last to run: those before it may then share the place. */
			planning_drop(pl, p->bases[p->n_bases - 1]->origin, "priority-taken", reason);
		else if (err)
			planning_drop_all(pl, "load-failed", diags_first_error(why));
	}
	return err ? 1 : 0;
}

int planning_place(struct planning *pl)
{
	uint32_t n = pl->plan.lowered.ir->n_progs;
	struct rt_place *places = calloc(MAX(n, 1u), sizeof(*places));
	struct diags why;
	int ret;

	if (!places)
		return -ENOMEM;
	free(pl->plan.places);
	pl->plan.places = places;
	pl->plan.n_places = n;
	for (size_t i = 0; i < pl->rt->n_roots; i++)
		pl->rt->roots[i].used = false;
	diags_init(&why);
	ret = place_each(pl, &why);
	diags_fini(&why);
	return ret;
}
