/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts of a set as numbers: those that are one piece of code are a range of them.
 */
#include "ir_index.h"
#include "set_table_priv.h"
#include "template.h"

bool set_table_same_verdict(const struct ir_verdict *a, const struct ir_verdict *b)
{
	return a->code == b->code && a->chain == b->chain;
}

static uint64_t hash_verdict(const struct ir_verdict *v)
{
	return ir_hash_u64(ir_hash_u64(IR_HASH_INIT, v->code), (uintptr_t)v->chain);
}

/* The range of @e's verdict, made when it is new; false: too many. */
static bool find_range(struct ir *ir, struct set_table *t, struct ir_index *known,
		       const struct ir_elem *e, uint32_t *next, uint32_t *ret_first)
{
	const struct ir_chain *c = e->verdict.chain;
	const struct ir_chain *model = c ? template_model(c) : NULL;
	uint64_t h = ir_hash_u64(ir_hash_u64(IR_HASH_INIT, e->verdict.code), (uintptr_t)model);
	struct set_range r = {.first = *next, .like = e};
	size_t pos = 0;
	uintptr_t i;

	while ((i = (uintptr_t)ir_index_next(known, h, &pos))) {
		const struct ir_verdict *v = &t->ranges[i - 1].like->verdict;

		if (v->code == e->verdict.code && template_same_target(v->chain, c))
			break;
	}
	if (!i && t->n_ranges == SET_MAX_RANGES)
		return false;
	if (!i) {
		*next += c && c->template ? c->template->n : 1;
		ARENA_PUSH(ir->arena, t->ranges, t->n_ranges, r);
		i = t->n_ranges;
		ir_index_add(known, ir->arena, h, (void *)i);
	}
	*ret_first = t->ranges[i - 1].first;
	return true;
}

bool set_table_number_verdicts(struct ir *ir, const struct ir_set *set, struct set_table *t,
			    uint32_t *numbers)
{
	struct ir_index index = {0}, ranges = {0};
	uint32_t next = 0, n;

	for (size_t i = 0; i < set->n_elems; i++) {
		const struct ir_elem *e = &set->elems[i];
		uint64_t h = hash_verdict(&e->verdict);
		const struct ir_elem *known;
		size_t pos = 0;

		while ((known = ir_index_next(&index, h, &pos)))
			if (set_table_same_verdict(&known->verdict, &e->verdict))
				break;
		if (known) {
			numbers[i] = numbers[known - set->elems];
			continue;
		}
		if (!find_range(ir, t, &ranges, e, &next, &numbers[i]))
			return false;
		if (e->verdict.chain && e->verdict.chain->template)
			numbers[i] += e->verdict.chain->record;
		n = t->n_verdicts;
		ARENA_PUSH(ir->arena, t->numbers, n, numbers[i]);
		ARENA_PUSH(ir->arena, t->verdicts, t->n_verdicts, e);
		ir_index_add(&index, ir->arena, h, (void *)e);
	}
	return true;
}
