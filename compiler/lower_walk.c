/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk from a base chain through all chains it reaches: lowering each once per pf, and finding
 * out what keeps the base chain with the interpreter.
 *
 * A ruleset may hold loops of chains that no base chain reaches; those are never looked at. One
 * that is reached cannot be loaded (nft_chain_validate()), but may stand in a file that no kernel
 * has seen: it ends the walk.
 */
#include <linux/netfilter.h>

#include "lower_priv.h"

struct lower_info *lower_info(struct lower *lw, struct ir_chain *c)
{
	while (lw->n_infos <= c->id) {
		struct lower_info *info = ARENA_NEW(lw->ir->arena, struct lower_info);

		info->chain = lw->ir->chains[lw->n_infos];
		ARENA_PUSH(lw->ir->arena, lw->infos, lw->n_infos, info);
	}
	return lw->infos[c->id];
}

struct ir_chain *lower_chain_get(struct lower *lw, const struct chain *chain, uint8_t pf)
{
	const char *name = lw->front ? front_chain_name(lw, chain) : chain->name;
	uint8_t family = chain->table->family;
	struct ir_chain *c;

	c = ir_chain_find(lw->ir, pf, family, chain->table->name, name);
	if (c)
		return c;
	c = ir_chain_new(lw->ir, pf, family, chain->table->name, name);
	c->origin = chain;
	c->is_front = lw->front != NULL;
	if (chain->is_base && !(lw->front && lw->front->pass == FRONT_COUNT)) {
		c->is_base = true;
		c->policy = lw->front ? NF_ACCEPT : (uint8_t)chain->policy;
		c->hook = (uint8_t)chain->hooknum;
		c->priority = chain->priority;
	}
	return c;
}

void lower_enter(struct lower *lw, struct ir_chain *c)
{
	struct lower_info *info = lower_info(lw, c);

	if (info->entered_from == lw->info)
		return;
	info->entered_from = lw->info;
	ARENA_PUSH(lw->ir->arena, lw->info->next, lw->info->n_next, c);
}

struct ir_chain *lower_chain_ref(struct lower *lw, const char *name)
{
	const struct chain *chain = table_find_chain(lower_table(lw), name);
	struct ir_chain *c;

	if (!chain) {
		lower_block(lw, "chain-missing", "there is no chain %s", name);
		return NULL;
	}
	if (chain->is_base) { /* nft_verdict_init() */
		lower_block(lw, "expr-malformed", "chain %s is a base chain", name);
		return NULL;
	}
	c = lower_chain_get(lw, chain, lower_pf(lw));
	lower_enter(lw, c);
	return c;
}

struct ir_chain *lower_base(struct lower *lw, const struct chain *base, uint8_t pf)
{
	struct ir_chain *c = lower_chain_get(lw, base, pf);

	/* Whatever was made before is lowered already; references add chains at the end. */
	lower_pending(lw, c->id);
	return c;
}

void lower_pending(struct lower *lw, uint32_t from)
{
	uint32_t i;

	for (i = from; i < lw->ir->n_chains; i++)
		if (!lw->ir->chains[i]->lowered)
			lower_chain_rules(lw, lower_info(lw, lw->ir->chains[i]));
}

/* ---- what a base chain meets ---- */

static uint32_t height(struct lower *lw, struct lower_info *info, uint32_t level)
{
	uint32_t h = 0, i;

	if (info->height)
		return info->height;
	if (info->on_path || level > IR_MAX_DEPTH)
		return IR_MAX_DEPTH + 1;
	info->on_path = true;
	for (i = 0; i < info->n_next; i++) {
		h = MAX(h, height(lw, lower_info(lw, info->next[i]), level + 1));
		if (h > IR_MAX_DEPTH)
			break;
	}
	info->on_path = false;
	/* What was found out near the limit is not the chain's own height. */
	if (h < IR_MAX_DEPTH)
		info->height = h + 1;
	return h + 1;
}

uint32_t lower_height(struct lower *lw, struct ir_chain *c)
{
	return height(lw, lower_info(lw, c), 1);
}

static void collect(struct lower *lw, struct lower_info *first, struct lower_chain *lc)
{
	uint32_t n = 0, n_todo = 0, hook = first->chain->hook, i;
	struct lower_info **todo = NULL;

	lw->stamp++;
	first->stamp = lw->stamp;
	ARENA_PUSH(lw->ir->arena, todo, n_todo, first);
	while (n < n_todo) {
		struct lower_info *info = todo[n++];

		for (i = 0; i < info->n_blockers; i++)
			if (info->blockers[i]->hooks & 1u << hook)
				lower_blocker_add(lw, lc, info->blockers[i]);
		for (i = 0; i < info->n_next; i++) {
			struct lower_info *next = lower_info(lw, info->next[i]);

			if (next->stamp == lw->stamp)
				continue;
			next->stamp = lw->stamp;
			ARENA_PUSH(lw->ir->arena, todo, n_todo, next);
		}
	}
}

void lower_collect(struct lower *lw, struct ir_chain *base, struct lower_chain *lc)
{
	struct lower_info *first = lower_info(lw, base);

	if (lower_height(lw, base) > IR_MAX_DEPTH)
		lower_block_base(lw, lc, "chain-depth",
				 "chains go in a loop or deeper than %d levels", IR_MAX_DEPTH);
	collect(lw, first, lc);
}
