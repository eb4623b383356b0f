/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking chains off their hooks, and back on.
 *
 * A table whose base chains are all compiled is made dormant: its listing keeps the hooks, and an
 * ordinary nft -f over it works. In other tables the compiled base chains become regular ones.
 * Either way sets, objects and rules stay where they are, and rules with ct keep conntrack on.
 *
 * Chains come back in the order in which they were registered first, since that is the order of
 * chains of one priority.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "../netlink/nfnl.h"
#include "counters.h"
#include "dynamic.h"
#include "states.h"
#include "takeover.h"

/* ---- back on their hooks ---- */

/* Did our programs count in the rule, so that the kernel's own counter is behind the model's? */
static bool is_behind(const struct runtime *rt, const struct rule *r)
{
	for (uint32_t i = 0; i < r->exprs.n; i++) {
		const struct raw_counter *raw;
		struct packets_bytes now;

		if (strcmp(r->exprs.array[i].name, "quota") == 0 &&
		    states_quota_behind(rt, r, r->handle, i, r->exprs.array[i].attrs))
			return true;
		if (strcmp(r->exprs.array[i].name, "counter") != 0)
			continue;
		raw = raw_find(rt, r, r->handle, i);
		now = counter_get(r->exprs.array[i].attrs);
		if (raw && (raw->value.packets != now.packets || raw->value.bytes != now.bytes))
			return true;
	}
	return false;
}

static const char *set_of(const struct expr *e)
{
	if (strcmp(e->name, "dynset") == 0)
		return attr_str(e->attrs, NFTA_DYNSET_SET_NAME);
	return strcmp(e->name, "lookup") == 0 ? attr_str(e->attrs, NFTA_LOOKUP_SET) : NULL;
}

/* A meter's set, or an anonymous one, is its rule's: elements come with that alone. */
bool park_has_leaving_set(const struct chain *c, const struct ir *ir)
{
	const struct rule *r;

	list_for_each(r, &c->rules, node) {
		for (uint32_t i = 0; i < r->exprs.n; i++) {
			const char *name = set_of(&r->exprs.array[i]);
			const struct set *s = name ? table_find_set(c->table, name) : NULL;

			if (s && s->flags & NFT_SET_ANONYMOUS && dynamic_is_leaving(ir, s))
				return true;
		}
	}
	return false;
}

static void give_counts(const struct runtime *rt, const struct counted_keys *counted,
			const struct chain *c, struct batch_builder *bb)
{
	const struct rule *r;

	list_for_each(r, &c->rules, node)
		if (!counted_keys_have(counted, r) && is_behind(rt, r))
			batch_replace_rule(bb, r);
}

static void give_chain(const struct runtime *rt, const struct rt_plan *p,
		       const struct counted_keys *counted, struct chain *c,
		       struct batch_builder *bb)
{
	if (c->parked && !plan_compiles(p, c))
		return; /* it comes back as a whole */
	/* nf_tables_bind_set(): a rule with a meter is not replaced by one with the same meter. */
	if (park_has_leaving_set(c, p->lowered.ir) && !(c->flags & 4 /* NFT_CHAIN_BINDING */))
		batch_renew_objects(bb, NULL, 0, NULL, 0, &c, 1);
	else
		give_counts(rt, counted, c, bb);
}

static int compare_seq(const void *pa, const void *pb)
{
	const struct chain *a = *(struct chain *const *)pa, *b = *(struct chain *const *)pb;

	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Chains of all tables that have to come back by themselves, in their order. */
static int returning(const struct ruleset *rs, const struct rt_plan *p, struct chain ***ret,
		     size_t *ret_n)
{
	struct chain **chains = NULL, *c;
	size_t n = 0;
	const struct table *t;

	list_for_each(t, &rs->tables, node) {
		list_for_each(c, &t->chains, node) {
			struct chain **longer;

			if (!c->parked || plan_compiles(p, c))
				continue;
			longer = realloc(chains, (n + 1) * sizeof(*chains));
			if (!longer) {
				free(chains);
				return -ENOMEM;
			}
			chains = longer;
			chains[n++] = c;
		}
	}
	if (n)
		qsort(chains, n, sizeof(*chains), compare_seq);
	*ret = chains;
	*ret_n = n;
	return 0;
}

static uint64_t first_seq(const struct table *t)
{
	uint64_t seq = UINT64_MAX;
	const struct chain *c;

	list_for_each(c, &t->chains, node)
		if (c->is_base)
			seq = MIN(seq, c->seq);
	return seq;
}

/* Tables wake in the order of their first chains. */
static void wake_tables(struct ruleset *rs, const struct rt_plan *p, struct batch_builder *bb)
{
	struct table *t, *next;

	do {
		next = NULL;
		list_for_each(t, &rs->tables, node)
			if (t->parked && !(t->flags & NFT_TABLE_F_DORMANT) &&
			    !plan_wants_dormant(p, t) &&
			    (!next || first_seq(t) < first_seq(next)))
				next = t;
		if (next) {
			batch_set_dormant(bb, next, false);
			next->parked = false;
		}
	} while (next);
}

int park_wake(const struct runtime *rt, struct ruleset *rs, const struct rt_plan *p,
	      struct batch_builder *bb)
{
	struct chain **AUTO_FREE chains = NULL;
	struct counted_keys CLEANUP(counted_keys_fini) counted = { 0 };
	struct table *t;
	struct chain *c;
	size_t n = 0;
	int err = counted_keys_init(&counted, p->lowered.ir);

	if (!err)
		err = returning(rs, p, &chains, &n);
	if (err)
		return err;
	list_for_each(t, &rs->tables, node)
		list_for_each(c, &t->chains, node)
			give_chain(rt, p, &counted, c, bb);
	for (size_t i = 0; i < n; i++) {
		batch_rehang_chain(bb, chains[i], false); /* with the model's counts */
		chains[i]->parked = false;
	}
	wake_tables(rs, p, bb);
	return 0;
}

/* ---- off their hooks ---- */

int park_unhook(struct ruleset *rs, const struct rt_plan *p, struct batch_builder *bb)
{
	struct table *t;
	struct chain *c;

	list_for_each(t, &rs->tables, node) {
		if (t->flags & NFT_TABLE_F_DORMANT)
			continue;
		if (plan_wants_dormant(p, t)) {
			if (!t->parked)
				batch_set_dormant(bb, t, true);
			t->parked = true;
			continue;
		}
		list_for_each(c, &t->chains, node) {
			if (!c->is_base || c->parked || !plan_compiles(p, c))
				continue;
			batch_rehang_chain(bb, c, true);
			c->parked = true;
		}
	}
	return 0;
}
