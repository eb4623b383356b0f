/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rules behind a dispatch are the same but for their counters, and which chain of a template
 * they jump to.
 */
#include <errno.h>

#include "dispatch.h"
#include "ir_index.h"
#include "template.h"

static bool same_bytes(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	return a == b || (a && b && memcmp(a, b, n) == 0);
}

static bool same_step(const struct ir_step *a, const struct ir_step *b)
{
	uint32_t width = a->sel ? a->sel->width : 0;

	if (a->kind != b->kind || a->sel != b->sel || a->guard != b->guard || a->set != b->set ||
	    a->effect != b->effect || a->n_args != b->n_args ||
	    a->verdict.code != b->verdict.code ||
	    !template_same_target(a->verdict.chain, b->verdict.chain))
		return false;
	if (!dispatch_counter(a) && a->state != b->state)
		return false;
	for (uint32_t i = 0; i < a->n_args; i++)
		if (a->args[i] != b->args[i])
			return false;
	return same_bytes(a->lo, b->lo, width) && same_bytes(a->hi, b->hi, width) &&
	       memcmp(a->param, b->param, sizeof(a->param)) == 0;
}

static bool same_shape(const struct ir_rule *a, const struct ir_rule *b)
{
	if (a->n_steps != b->n_steps)
		return false;
	for (uint32_t i = 0; i < a->n_steps; i++)
		if (!same_step(&a->steps[i], &b->steps[i]))
			return false;
	return true;
}

static uint64_t shape_hash(const struct ir_rule *r)
{
	uint64_t h = ir_hash_u64(IR_HASH_INIT, r->n_steps);

	for (uint32_t i = 0; i < r->n_steps; i++) {
		const struct ir_step *s = &r->steps[i];

		h = ir_hash_u64(h, s->kind | (uint64_t)s->verdict.code << 8 |
					   (uint64_t)s->guard << 16);
		h = ir_hash_u64(h, (uintptr_t)s->sel);
		h = ir_hash_u64(h, s->verdict.chain ? (uintptr_t)template_model(s->verdict.chain) : 0);
		h = ir_hash_u64(h, (uintptr_t)s->set);
		if (!dispatch_counter(s))
			h = ir_hash_u64(h, (uintptr_t)s->state);
	}
	return h;
}

const struct ir_chain *dispatch_target(const struct ir_step *st)
{
	const struct ir_chain *c = st->kind == IR_VERDICT ? st->verdict.chain : NULL;

	return c && c->template && c->template->n_words ? c : NULL;
}

static uint32_t count_numbers(const struct ir_rule *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n_steps; i++)
		n += dispatch_counter(&r->steps[i]) || dispatch_target(&r->steps[i]);
	return n;
}

int dispatch_shapes(struct arena *a, const struct ir_dispatch *d, struct dispatch_table *t)
{
	struct ir_index known = {0};

	t->shape = arena_alloc(a, MAX(d->n_rules, 1u) * sizeof(*t->shape));
	for (uint32_t i = 0; i < d->n_rules; i++) {
		uint64_t h = shape_hash(&d->rules[i]);
		const struct ir_rule *r;
		size_t pos = 0;

		while ((r = ir_index_next(&known, h, &pos)))
			if (same_shape(r, &d->rules[i]))
				break;
		if (r) {
			t->shape[i] = t->shape[r - d->rules];
			continue;
		}
		t->shape[i] = t->n_shapes;
		t->n_numbers = MAX(t->n_numbers, count_numbers(&d->rules[i]));
		ir_index_add(&known, a, h, &d->rules[i]);
		ARENA_PUSH(a, t->shapes, t->n_shapes, i);
		if (t->n_shapes > DISPATCH_MAX_SHAPES || t->n_numbers > DISPATCH_MAX_NUMBERS)
			return -E2BIG;
	}
	return 0;
}

uint32_t dispatch_words(const struct dispatch_table *t)
{
	return (t->n_shapes > 1) + t->n_numbers;
}

void dispatch_record(const struct ir_dispatch *d, const struct dispatch_table *t, uint32_t rule,
		     uint32_t *ret)
{
	const struct ir_rule *r = &d->rules[rule];
	uint32_t n = 0;

	memset(ret, 0, dispatch_words(t) * sizeof(*ret));
	if (t->n_shapes > 1)
		ret[n++] = t->shape[rule];
	for (uint32_t i = 0; i < r->n_steps; i++) {
		const struct ir_state *st = dispatch_counter(&r->steps[i]);
		const struct ir_chain *target = dispatch_target(&r->steps[i]);

		if (st)
			ret[n++] = st->index;
		if (target)
			ret[n++] = target->record;
	}
}
