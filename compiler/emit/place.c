/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where selectors are computed.
 *
 * One that several rules look at is computed once, at the start of the first rule from which all of
 * them can be reached (the place that lies on every way), and kept on the stack. What one rule uses
 * is computed there. Cheap arithmetic over kept values (a mask, a slice) is done again at each use.
 */
#include "plan.h"

struct use {
	const struct ir_sel *sel;
	uint32_t n;
	struct plan_pos pos; /* on every way to all uses */
	struct plan_pos last;
};

struct placer {
	struct arena *a;
	struct plan *plan;
	struct use *uses; /* by selector id */
};

static void add_uses(struct placer *w, const struct ir_sel *sel, struct plan_pos pos, uint32_t n)
{
	struct use *u = &w->uses[sel->id];

	/* Within a rule a value is computed once anyway. */
	if (u->n && u->last.chain == pos.chain && u->last.rule == pos.rule && n == 1)
		return;
	u->sel = sel;
	u->pos = u->n ? plan_join(w->plan, u->pos, pos) : pos;
	u->last = pos;
	u->n += n;
}

static void find_uses_of(struct placer *w, const struct ir_rule *r, struct plan_pos pos)
{
	for (uint32_t s = 0; s < r->n_steps; s++) {
		const struct ir_step *st = &r->steps[s];

		if (st->sel)
			add_uses(w, st->sel, pos, 1);
		for (uint32_t k = 0; k < st->n_args; k++)
			add_uses(w, st->args[k], pos, 1);
		for (uint32_t k = 0; st->dispatch && k < st->dispatch->n_fields; k++)
			add_uses(w, st->dispatch->fields[k], pos, 1);
	}
}

static void find_uses(struct placer *w)
{
	for (uint32_t i = 1; i < w->plan->n_chains; i++) {
		const struct ir_chain *c = w->plan->chains[i].chain;

		for (uint32_t r = 0; c && r < c->n_rules; r++) {
			struct plan_pos pos = {i, r};

			for (uint32_t k = 0; k < ir_rule_parts(&c->rules[r]); k++)
				find_uses_of(w, ir_rule_part(&c->rules[r], k), pos);
		}
	}
}

static bool worth_keeping(const struct ir_sel *sel)
{
	switch (sel->op) {
	case IR_LEAF:
	case IR_MAP:
	case IR_JHASH:
		return !sel->impure;
	case IR_CONST:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_SHL:
	case IR_SHR:
	case IR_BSWAP:
	case IR_CONCAT:
	case IR_SLICE:
	case IR_SCALE:
		return false;
	}
	return false;
}

static uint64_t benefit(const struct use *u)
{
	uint32_t cost = u->sel->op == IR_LEAF ? MAX(u->sel->leaf->cost, 1) : 20;

	return (uint64_t)(u->n - 1) * cost;
}

static int by_benefit(const void *pa, const void *pb)
{
	const struct use *a = *(struct use *const *)pa, *b = *(struct use *const *)pb;
	uint64_t ba = benefit(a), bb = benefit(b);

	if (ba != bb)
		return ba < bb ? 1 : -1;
	return a->sel->id < b->sel->id ? -1 : 1;
}

/* Stack a kept selector needs. */
static uint32_t slot_bytes(const struct ir_sel *sel)
{
	uint32_t tail = sel->width % 8;

	/* "defined" shares the 8 bytes of a chunk of up to 4; see gen_slots_init(). */
	return ROUND_UP(sel->width, 8) + (sel->partial && !(tail >= 1 && tail <= 4) ? 8 : 0);
}

/* What does not fit stays to be computed at each use: the place of its arguments is right for that. */
static void cut_to_budget(struct placer *w, struct use **kept, uint32_t n, uint32_t max_bytes)
{
	uint32_t bytes = 0;

	if (n)
		qsort(kept, n, sizeof(*kept), by_benefit);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t more = slot_bytes(kept[i]->sel);

		if (bytes + more > max_bytes)
			w->plan->kept[kept[i]->sel->id] = false;
		else
			bytes += more;
	}
}

static int by_rule(const void *pa, const void *pb)
{
	const struct plan_compute *a = pa, *b = pb;

	if (a->rule != b->rule)
		return a->rule < b->rule ? -1 : 1;
	return a->sel->id < b->sel->id ? -1 : 1;
}

static void list_computes(struct placer *w, uint32_t n_sels)
{
	for (uint32_t id = 0; id < n_sels; id++) {
		const struct use *u = &w->uses[id];
		struct plan_compute c = {u->pos.rule, u->sel};
		struct plan_chain *pc;

		if (!w->plan->kept[id])
			continue;
		pc = &w->plan->chains[u->pos.chain];
		ARENA_PUSH(w->a, pc->computes, pc->n_computes, c);
	}
	for (uint32_t i = 0; i < w->plan->n_chains; i++) {
		struct plan_chain *pc = &w->plan->chains[i];

		if (pc->n_computes)
			qsort(pc->computes, pc->n_computes, sizeof(*pc->computes), by_rule);
	}
}

void plan_place(struct arena *a, const struct ir *ir, struct plan *plan, uint32_t max_slot_bytes)
{
	struct placer w = {.a = a, .plan = plan};
	struct use **kept = NULL;
	size_t n_kept = 0;

	w.uses = arena_alloc(a, MAX(ir->n_sels, 1u) * sizeof(*w.uses));
	plan->kept = arena_alloc(a, MAX(ir->n_sels, 1u) * sizeof(*plan->kept));
	find_uses(&w);
	/* Arguments are older than what is made of them: users first. */
	for (uint32_t id = ir->n_sels; id-- > 0;) {
		struct use *u = &w.uses[id];

		if (!u->n)
			continue;
		plan->kept[id] = u->n > 1 && worth_keeping(u->sel);
		if (plan->kept[id])
			ARENA_PUSH(a, kept, n_kept, u);
		for (uint32_t k = 0; k < u->sel->n_args; k++)
			add_uses(&w, u->sel->args[k], u->pos, plan->kept[id] ? 1 : u->n);
	}
	cut_to_budget(&w, kept, n_kept, max_slot_bytes);
	list_computes(&w, ir->n_sels);
}
