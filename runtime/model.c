/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live ruleset as its user wrote it: the kernel's, with what we took off its hooks put back on
 * them, in memory.
 *
 * Which tables are dormant because of us, and what a regular chain was before, is in the manifests.
 * Usually that is the current generation's. A load that was killed after its batch was committed
 * leaves a newer one, which knows better what the kernel's chains are meant to be: it counts if the
 * kernel's ruleset has moved on since it was written.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "../netlink/nfnl.h"
#include "counters.h"
#include "dynamic.h"
#include "elem_states.h"
#include "model.h"
#include "states.h"

void rt_state_fini(struct rt_state *s)
{
	manifest_free(s->current);
	manifest_free(s->pending);
	*s = (struct rt_state){ 0 };
}

static int read_one(const struct runtime *rt, uint32_t gen, struct diags *ds,
		    struct manifest **ret)
{
	int err = manifest_read(rt, gen, ds, ret);

	return err == -ENOENT ? 0 : err;
}

static int read_pending(const struct runtime *rt, uint32_t gen, uint32_t ruleset,
			struct diags *ds, struct rt_state *s)
{
	struct manifest CLEANUP(manifest_freep) *m = NULL;
	int err = read_one(rt, gen, ds, &m);

	if (err || !m || m->ruleset == ruleset)
		return err;
	manifest_free(s->pending);
	s->pending = TAKE_PTR(m);
	return 0;
}

int rt_state_read(const struct runtime *rt, uint32_t ruleset, struct diags *ds,
		  struct rt_state *ret)
{
	struct rt_state CLEANUP(rt_state_fini) s = { 0 };
	uint32_t AUTO_FREE *gens = NULL;
	uint32_t now = gen_current(rt);
	size_t n = 0;
	int err = gen_list(rt, &gens, &n);

	for (size_t i = 0; !err && i < n; i++) {
		if (gens[i] == now)
			err = read_one(rt, now, ds, &s.current);
		else if (gens[i] > now)
			err = read_pending(rt, gens[i], ruleset, ds, &s);
	}
	if (err)
		return err;
	*ret = s;
	s = (struct rt_state){ 0 };
	return 0;
}

/* As the kernel has it, before anything is put back. */
static int note_live(struct runtime *rt, const struct ruleset *rs)
{
	const struct table *t;
	const struct chain *c;
	size_t n = 0;

	list_for_each(t, &rs->tables, node)
		list_for_each(c, &t->chains, node)
			n += c->is_base;
	free(rt->live);
	rt->n_live = 0;
	rt->live = calloc(MAX(n, (size_t)1), sizeof(*rt->live));
	if (!rt->live)
		return -ENOMEM;
	list_for_each(t, &rs->tables, node)
		list_for_each(c, &t->chains, node)
			if (c->is_base && !(t->flags & NFT_TABLE_F_DORMANT))
				rt->live[rt->n_live++] =
					(struct live_hook){ t->family, c->hooknum, c->priority };
	return 0;
}

/* ---- putting back on hooks ---- */

static bool has_dormant(const struct manifest *m, const struct table *t)
{
	return m && manifest_has_table(m, t->family, t->name) && tables_is_same(m, t);
}

static bool we_made_dormant(const struct rt_state *s, const struct table *t)
{
	return has_dormant(s->current, t) || has_dormant(s->pending, t);
}

static const struct mf_chain *find(const struct manifest *m, const struct chain *c)
{
	return m && tables_is_same(m, c->table) ?
		       manifest_find_chain(m, c->table->family, c->table->name, c->name) :
		       NULL;
}

static int overlay_chain(const struct rt_state *s, struct chain *c)
{
	const struct mf_chain *now = find(s->current, c), *next = find(s->pending, c);
	const struct mf_chain *is = next ? next : now;

	if (c->is_base || !is || !((now && now->regular) || (next && next->regular)))
		return 0;
	free(c->type);
	c->type = strdup(is->st.type);
	if (!c->type)
		return -ENOMEM;
	c->is_base = true;
	c->flags |= 1; /* NFT_CHAIN_BASE */
	c->hooknum = is->st.hook;
	c->priority = is->st.priority;
	c->policy = is->st.policy;
	c->parked = true;
	return 0;
}

/* The order of registration at a hook is the user's, not that of our taking off and on. */
static void overlay_order(const struct rt_state *s, struct ruleset *rs)
{
	const struct manifest *m = s->pending ? s->pending : s->current;
	uint64_t next = m ? (uint64_t)m->n_chains + 1 : 0, last = 0;
	struct table *t;
	struct chain *c;

	if (!m)
		return;
	list_for_each(t, &rs->tables, node) {
		list_for_each(c, &t->chains, node) {
			const struct mf_chain *mf = find(m, c);

			c->seq = mf ? mf->rank : next + c->seq;
			last = MAX(last, c->seq);
		}
	}
	rs->next_seq = MAX(rs->next_seq, last + 1);
}

static int overlay(const struct rt_state *s, struct ruleset *rs)
{
	struct table *t;
	struct chain *c;
	int err = 0;

	list_for_each(t, &rs->tables, node) {
		t->remade = s->current && !tables_is_same(s->current, t);
		if ((t->flags & NFT_TABLE_F_DORMANT) && we_made_dormant(s, t)) {
			t->flags &= ~(uint32_t)NFT_TABLE_F_DORMANT;
			t->parked = true;
		}
		list_for_each(c, &t->chains, node)
			if (!err)
				err = overlay_chain(s, c);
	}
	overlay_order(s, rs);
	return err;
}

static int read_model(struct runtime *rt, const struct dump_options *opt, struct diags *ds,
		      struct ruleset **ret)
{
	struct ruleset CLEANUP(ruleset_freep) *rs = NULL;
	struct rt_state CLEANUP(rt_state_fini) s = { 0 };
	int err = dump_ruleset(opt, ds, &rs);

	if (err)
		return err;
	if (rt)
		err = note_live(rt, rs);
	if (!err && rt)
		err = rt_state_read(rt, rs->generation, ds, &s);
	if (!err && rt)
		err = overlay(&s, rs);
	if (!err && rt && s.current)
		err = counters_overlay(rt, s.current, rs, ds);
	if (!err && rt && s.current)
		err = states_overlay(rt, rs, ds);
	if (!err && rt && s.current)
		err = dynamic_overlay(rt, s.current, rs, ds);
	if (!err && rt && s.current && !opt->no_elements)
		err = elem_states_overlay(rt, s.current, rs, ds);
	if (err)
		return err;
	*ret = TAKE_PTR(rs);
	return 0;
}

int rt_model(struct runtime *rt, struct diags *ds, struct ruleset **ret)
{
	const struct dump_options all = { 0 };

	return read_model(rt, &all, ds, ret);
}

int rt_model_heads(struct runtime *rt, bool rules, struct diags *ds, struct ruleset **ret)
{
	const struct dump_options heads = { .no_elements = true, .no_rules = !rules };

	return read_model(rt, &heads, ds, ret);
}

int rt_model_terse(struct runtime *rt, struct diags *ds, struct ruleset **ret)
{
	const struct dump_options terse = { .terse = true };

	return read_model(rt, &terse, ds, ret);
}
