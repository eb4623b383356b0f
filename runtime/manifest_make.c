/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new generation's manifest, from the plan that it carries out. Strings stay those of the plan and
 * its ruleset.
 */
#include <errno.h>
#include <time.h>

#include <linux/netfilter/nf_tables.h>

#include "config.h"
#include "../compiler/set_table.h"
#include "dynamic.h"
#include "elem_states.h"
#include "takeover.h"

bool plan_compiles(const struct rt_plan *p, const struct chain *c)
{
	for (uint32_t i = 0; i < p->lowered.n_chains; i++)
		if (p->lowered.chains[i].base == c)
			return p->lowered.chains[i].compiled;
	return false;
}

bool plan_wants_dormant(const struct rt_plan *p, const struct table *t)
{
	const struct chain *c;
	bool some = false;

	if (t->flags & NFT_TABLE_F_DORMANT)
		return false; /* its user's doing */
	list_for_each(c, &t->chains, node) {
		if (!c->is_base)
			continue;
		if (c->parked || !plan_compiles(p, c))
			return false;
		some = true;
	}
	return some;
}

static uint32_t rank_of(const struct rt_plan *p, const struct chain *c)
{
	uint32_t rank = 1;

	for (uint32_t i = 0; i < p->lowered.n_chains; i++)
		rank += p->lowered.chains[i].base->seq < c->seq;
	return rank;
}

static int make_reasons(const struct lower_chain *lc, struct rt_chain_status *st)
{
	st->reasons = calloc(MAX(lc->n_blockers, 1u), sizeof(*st->reasons));
	if (!st->reasons)
		return -ENOMEM;
	if (lc->compiled)
		return 0;
	for (; st->n_reasons < lc->n_blockers; st->n_reasons++) {
		const struct lower_blocker *b = lc->blockers[st->n_reasons];

		st->reasons[st->n_reasons] = (struct rt_reason){
			.code = b->code,
			.text = b->why,
			.chain = b->at.chain,
			.handle = b->at.handle,
			.rule = b->at.rule,
			.expr = b->at.expr,
		};
	}
	return 0;
}

/* The programs that the chain is part of. */
static void make_places(const struct rt_plan *p, const struct chain *c, struct rt_chain_status *st)
{
	for (uint32_t i = 0; i < p->n_places; i++) {
		const struct ir_prog *prog = p->places[i].prog;

		for (uint32_t k = 0; k < prog->n_bases; k++) {
			if (prog->bases[k]->origin != c)
				continue;
			if (prog->pf == NFPROTO_IPV4) {
				st->prog4 = prog->name;
				st->attached4 = p->places[i].priority;
			} else {
				st->prog6 = prog->name;
				st->attached6 = p->places[i].priority;
			}
		}
	}
	st->pf4 = st->prog4;
	st->pf6 = st->prog6;
}

static int make_chain(const struct rt_plan *p, const struct lower_chain *lc, struct mf_chain *mf)
{
	const struct chain *c = lc->base;

	mf->st = (struct rt_chain_status){
		.family = c->table->family,
		.table = c->table->name,
		.name = c->name,
		.type = c->type,
		.hook = c->hooknum,
		.priority = c->priority,
		.policy = c->policy,
		.compiled = lc->compiled,
		.front_first = lc->front.first,
		.front_last = lc->front.last,
		.front_drops = lc->front.n_drops,
	};
	mf->rank = rank_of(p, c);
	mf->regular = lc->compiled && !plan_wants_dormant(p, c->table);
	make_places(p, c, &mf->st);
	return make_reasons(lc, &mf->st);
}

static int make_tables(const struct rt_plan *p, const struct ruleset *rs, struct manifest *m)
{
	const struct table *t;
	uint32_t n = 0;

	list_for_each(t, &rs->tables, node)
		n++;
	m->tables = calloc(MAX(n, 1u), sizeof(*m->tables));
	if (!m->tables)
		return -ENOMEM;
	list_for_each(t, &rs->tables, node)
		if (plan_wants_dormant(p, t))
			m->tables[m->n_tables++] = (struct mf_table){ t->family, t->name };
	return 0;
}

static void make_progs(const struct rt_plan *p, struct manifest *m)
{
	for (uint32_t i = 0; i < p->n_places; i++) {
		const struct ir_prog *prog = p->places[i].prog;

		m->progs[m->n_progs++] = (struct rt_prog_status){
			.name = prog->name,
			.pf = prog->pf,
			.hook = prog->hook,
			.priority = prog->priority,
			.attached = p->places[i].priority,
		};
	}
}

static int make_verdicts(const struct set_table *t, struct mf_set *s)
{
	s->verdicts = calloc(MAX(t->n_verdicts, 1u), sizeof(*s->verdicts));
	if (!s->verdicts)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_verdicts; i++) {
		const struct ir_verdict *v = &t->verdicts[i]->verdict;

		s->verdicts[i].number = t->numbers[i];
		s->verdicts[i].code = v->code;
		s->verdicts[i].chain = v->chain ? v->chain->name : NULL;
	}
	s->n_verdicts = t->n_verdicts;
	return 0;
}

/* What elements of maps to objects keep is those objects'; new ones may name others. */
static int make_sets(const struct rt_plan *p, struct manifest *m)
{
	const struct ir *ir = p->lowered.ir;
	int err = 0;

	m->sets = calloc(MAX(ir->n_sets, 1u), sizeof(*m->sets));
	if (!m->sets)
		return -ENOMEM;
	for (uint32_t i = 0; !err && i < ir->n_sets; i++) {
		const struct ir_set *set = ir->sets[i];
		struct mf_set *s = &m->sets[m->n_sets];

		if (set->is_dynamic || !(set->is_mutable || set->keeps) || !set->origin || !set->table)
			continue;
		if (set->n_states && !set->keeps) {
			m->fixed_sets = true;
			continue;
		}
		s->family = set->origin->table->family;
		s->table = set->origin->table->name;
		s->name = set->origin->name;
		s->id = set->id;
		s->map = set->table->map;
		s->map_offset = set->table->map_offset;
		m->n_sets++;
		err = make_verdicts(set->table, s);
		if (!err && set->keeps)
			err = elem_states_make(ir, set, s);
	}
	return err;
}

int manifest_make(const struct rt_plan *p, const struct ruleset *rs, uint32_t ruleset,
		  struct manifest **ret)
{
	struct manifest CLEANUP(manifest_freep) *m = calloc(1, sizeof(*m));
	int err = m ? make_tables(p, rs, m) : -ENOMEM;

	if (err)
		return err;
	m->format = MANIFEST_FORMAT;
	m->version = PACKAGE_VERSION;
	m->time = (uint64_t)time(NULL);
	m->seed = p->seed;
	m->compiled = p->reused ? p->compiled : 0;
	m->ruleset = ruleset;
	m->chains = calloc(MAX(p->lowered.n_chains, 1u), sizeof(*m->chains));
	m->progs = calloc(MAX(p->n_places, 1u), sizeof(*m->progs));
	if (!m->chains || !m->progs)
		return -ENOMEM;
	for (uint32_t i = 0; !err && i < p->lowered.n_chains; i++)
		err = make_chain(p, &p->lowered.chains[i], &m->chains[m->n_chains++]);
	if (err)
		return err;
	make_progs(p, m);
	err = make_sets(p, m);
	if (!err)
		err = dynamic_make(p->lowered.ir, m);
	if (err)
		return err;
	*ret = TAKE_PTR(m);
	return 0;
}
