/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What counters of rules should stand at, by the evaluator: for the packets that each side saw.
 */
#include "evalcheck.h"

/* Has every packet that came to the chain been evaluated? A probe has to be right before it. */
static bool saw_all(const struct eval_check *ec, const struct ir_chain *c)
{
	for (uint32_t i = 0; i < ec->ir->n_progs; i++) {
		const struct ir_prog *p = &ec->ir->progs[i];
		const struct prog_check *pc = &ec->progs[i];
		const struct dt_hook *h = &ec->dt->hooks[dt_pf_index(p->pf)][p->hook];
		unsigned int pos = 0;

		if (!pc->reach[c->id])
			continue;
		while (pos < h->n && h->prio[pos] != p->priority)
			pos++;
		if (!pc->whole || pc->blind || pos == h->n || (h->has >> pos & 3) != 3)
			return false;
	}
	return true;
}

static bool is_at(const struct ir_state *st, const struct rule *r, uint32_t index, uint32_t expr)
{
	return st->expr == expr && st->at.rule == index && st->at.chain &&
	       st->at.family == r->chain->table->family && !st->object &&
	       strcmp(st->at.chain, r->chain->name) == 0 &&
	       strcmp(st->at.table, r->chain->table->name) == 0;
}

/* May packets come to the chain that the evaluator did not see: from a base chain left to nft? */
static bool is_shared(const struct eval_check *ec, const struct chain *c)
{
	const struct lower_result *l = &ec->dt->lowered;

	for (uint32_t i = 0; !c->is_base && i < l->n_chains; i++) {
		const struct table *t = l->chains[i].base->table;

		if (!l->chains[i].compiled && t->family == c->table->family &&
		    strcmp(t->name, c->table->name) == 0)
			return true;
	}
	return false;
}

/* The chain's copy for one family of packets is as good as the other. */
static bool chain_seen(const struct eval_check *ec, const struct rule *r, struct eval_counts *ret)
{
	bool found = false;

	if (is_shared(ec, r->chain))
		return false;
	for (uint32_t i = 0; i < ec->ir->n_chains; i++) {
		const struct ir_chain *c = ec->ir->chains[i];

		if (c->is_front || c->family != r->chain->table->family ||
		    strcmp(c->table, r->chain->table->name) != 0 ||
		    strcmp(c->name, r->chain->name) != 0)
			continue;
		found = true;
		if (!saw_all(ec, c))
			return false;
		for (uint32_t k = 0; k < ec->ir->n_progs; k++) {
			ret->timed |= ec->progs[k].reach[c->id] && ec->progs[k].timed;
			ret->left |= ec->progs[k].reach[c->id] && ec->progs[k].left;
		}
	}
	return found;
}

bool eval_check_counter(const struct eval_check *ec, const struct rule *r, uint32_t index,
			uint32_t expr, struct eval_counts *ret)
{
	struct eval_counts all = {0};

	if (!chain_seen(ec, r, &all))
		return false;
	for (uint32_t i = 0; i < ec->ir->n_states; i++) {
		const struct ir_state *st = ec->ir->states[i];
		const struct ir_counter *bpf, *plus, *minus;

		if (!st->op->per_cpu || strcmp(st->op->name, "counter") != 0 ||
		    !is_at(st, r, index, expr))
			continue;
		bpf = &ec->env[EVAL_BPF].counters[st->index];
		plus = &ec->env[EVAL_NFT_ALONE].counters[st->index];
		minus = &ec->env[EVAL_BPF_ALONE].counters[st->index];
		all.bpf = (struct dt_counts){bpf->packets, bpf->bytes};
		all.nft = (struct dt_counts){bpf->packets + plus->packets - minus->packets,
					     bpf->bytes + plus->bytes - minus->bytes};
		*ret = all;
		return true;
	}
	return false;
}
