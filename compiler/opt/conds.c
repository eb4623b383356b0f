/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guards at the start of a rule as conditions: per selector, the ranges its value must lie in.
 *
 * Only what is pure is read, and only up to the first step that does something or may change; so
 * the order of guards does not matter, nor which of them fails. A mask that is a prefix gives a
 * range of what is masked, an equal concatenation conditions on its parts.
 */
#include "../dispatch.h"
#include "opt.h"

struct reader {
	struct ir *ir;
	uint8_t pf;
	struct opt_rule *out;
	uint32_t step;
	bool several; /* the step is more than one condition */
};

/* ---- masks ---- */

/* Ones, then zeros. */
static bool is_prefix(const struct ir_sel *mask)
{
	bool ended = false;

	for (uint32_t i = 0; i < mask->width; i++) {
		uint8_t m = mask->bytes[i], inverse = (uint8_t)~m;

		if ((ended && m) || (inverse & (inverse + 1)))
			return false;
		ended |= m != 0xff;
	}
	return true;
}

static bool is_prefix_mask(const struct ir_sel *s)
{
	return s->op == IR_AND && s->args[1]->op == IR_CONST && s->args[0]->op != IR_CONST &&
	       is_prefix(s->args[1]);
}

/* Values whose masked part lies in the ranges. */
static void unmask(struct ir *ir, const struct ir_sel *mask, struct opt_ranges *r)
{
	uint32_t n = 0, width = mask->width;

	for (uint32_t i = 0; i < r->n; i++) {
		uint8_t *lo = arena_memdup(ir->arena, r->r[i].lo, width);
		uint8_t *hi = arena_memdup(ir->arena, r->r[i].hi, width);
		const uint8_t *from = lo;
		bool odd = false;

		for (uint32_t b = 0; b < width; b++) {
			odd |= (lo[b] & ~mask->bytes[b]) != 0;
			hi[b] |= (uint8_t)~mask->bytes[b];
		}
		/* Between two masked values: the next one up. */
		for (uint32_t b = 0; b < width && odd; b++)
			lo[b] |= (uint8_t)~mask->bytes[b];
		if (odd && !opt_neighbour(ir, lo, width, true, &from))
			continue;
		if (memcmp(from, hi, width) <= 0)
			r->r[n++] = (struct opt_range){from, hi};
	}
	r->n = n;
}

/* Values that begin with one in the ranges. */
static void widen(struct ir *ir, struct opt_ranges *r, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < r->n && from < to; i++) {
		uint8_t *lo = arena_alloc(ir->arena, to), *hi = arena_alloc(ir->arena, to);

		memset(hi, 0xff, to);
		memcpy(lo, r->r[i].lo, from);
		memcpy(hi, r->r[i].hi, from);
		r->r[i] = (struct opt_range){lo, hi};
	}
}

/* ---- guards ---- */

static bool is_pure(const struct ir_sel *s)
{
	if (s->impure)
		return false;
	if (s->op == IR_MAP && (s->set->is_mutable || s->set->has_timeout))
		return false;
	for (uint32_t i = 0; i < s->n_args; i++)
		if (!is_pure(s->args[i]))
			return false;
	return true;
}

static bool set_ranges(const struct ir_set *set, uint32_t width, struct ir *ir, struct opt_ranges *ret)
{
	ret->n = 0;
	if (set->is_mutable || set->has_timeout || ir_set_notes_hits(set) || set->ranged ||
	    set->n_elems > OPT_MAX_RANGES)
		return false;
	for (size_t i = 0; i < set->n_elems; i++) {
		const struct ir_elem *e = &set->elems[i];

		if (e->expires)
			return false;
		if (!e->lo) {
			ret->r[0] =
				(struct opt_range){opt_bytes(ir, width, 0), opt_bytes(ir, width, 0xff)};
			ret->n = 1;
			return true;
		}
		ret->r[ret->n++] = (struct opt_range){e->lo, e->hi};
	}
	return true;
}

/* The values that equality, a range or a set has, whether asked for or excluded. */
static bool named_ranges(struct reader *rd, const struct ir_step *st, struct opt_ranges *ret)
{
	ret->n = 1;
	switch (st->guard) {
	case IR_EQ:
	case IR_NE:
		ret->r[0] = (struct opt_range){st->lo, st->lo};
		return true;
	case IR_RANGE:
	case IR_NOT_RANGE:
		ret->r[0] = (struct opt_range){st->lo, st->hi};
		ret->n = memcmp(st->lo, st->hi, st->sel->width) <= 0;
		return true;
	case IR_IN:
	case IR_NOT_IN:
		return set_ranges(st->set, st->sel->width, rd->ir, ret);
	}
	return false;
}

/* The values that the guard lets through. */
static bool guard_ranges(struct reader *rd, const struct ir_step *st, struct opt_ranges *ret)
{
	struct opt_ranges out;

	if (st->guard == IR_EQ || st->guard == IR_RANGE || st->guard == IR_IN)
		return named_ranges(rd, st, ret);
	return named_ranges(rd, st, &out) && opt_ranges_not(rd->ir, &out, st->sel->width, ret);
}

static bool is_full(const struct opt_ranges *r, uint32_t width)
{
	for (uint32_t b = 0; b < width; b++)
		if (r->n != 1 || r->r[0].lo[b] || r->r[0].hi[b] != 0xff)
			return false;
	return true;
}

static struct opt_cond *cond_of(struct reader *rd, struct ir_sel *sel)
{
	struct opt_rule *o = rd->out;
	struct opt_cond c = {.sel = sel, .step = rd->several ? OPT_SEVERAL : rd->step};
	uint32_t i = o->n_conds;

	for (uint32_t k = 0; k < o->n_conds; k++)
		if (o->conds[k].sel == sel)
			return &o->conds[k];
	ARENA_PUSH(rd->ir->arena, o->conds, o->n_conds, c);
	for (; i && o->conds[i - 1].sel->id > sel->id; i--)
		o->conds[i] = o->conds[i - 1];
	o->conds[i] = c;
	return &o->conds[i];
}

/* Adds "@sel in @r"; false: it cannot be said. */
static bool add_cond(struct reader *rd, struct ir_sel *sel, struct opt_ranges *r)
{
	struct opt_cond *c;
	struct ir_sel *whole;

	if (is_prefix_mask(sel)) {
		unmask(rd->ir, sel->args[1], r);
		return add_cond(rd, sel->args[0], r);
	}
	whole = opt_whole_field(rd->ir, sel, rd->pf);
	if (whole != sel) {
		widen(rd->ir, r, sel->width, whole->width);
		return add_cond(rd, whole, r);
	}
	if (is_full(r, sel->width) && !sel_may_lack(sel, rd->pf))
		return true;
	c = cond_of(rd, sel);
	if (c->ranges) {
		struct opt_ranges both;

		if (!opt_ranges_and(c->ranges, c->n_ranges, r, sel->width, &both))
			return false;
		*r = both;
		c->step = OPT_SEVERAL;
	}
	c->ranges = arena_memdup(rd->ir->arena, r->r, MAX(r->n, 1u) * sizeof(*r->r));
	c->n_ranges = r->n;
	rd->out->never |= r->n == 0;
	return true;
}

/* Several parts equal to a constant: each part is. */
static bool add_parts(struct reader *rd, struct ir_sel **parts, uint32_t n, const uint8_t *bytes)
{
	for (uint32_t i = 0; i < n; bytes += parts[i++]->width) {
		struct opt_ranges r;

		if (parts[i]->op == IR_CONST) {
			rd->out->never |= memcmp(parts[i]->bytes, bytes, parts[i]->width) != 0;
			continue;
		}
		r.n = 1;
		r.r[0] = (struct opt_range){bytes, bytes};
		rd->several = true;
		if (!add_cond(rd, parts[i], &r))
			return false;
	}
	return true;
}

static bool read_step(struct reader *rd, const struct ir_step *st)
{
	struct ir_sel *parts[IR_MAX_FIELDS];
	struct opt_ranges r;
	uint32_t n;

	rd->several = false;
	if (st->kind == IR_NEED && is_pure(st->sel)) {
		r.n = 1;
		r.r[0] = (struct opt_range){opt_bytes(rd->ir, st->sel->width, 0),
					    opt_bytes(rd->ir, st->sel->width, 0xff)};
		return add_cond(rd, st->sel, &r);
	}
	if (st->kind != IR_GUARD || !is_pure(st->sel) || st->sel->op == IR_CONST)
		return false;
	if (st->guard == IR_EQ && st->sel->op == IR_CONCAT)
		return add_parts(rd, st->sel->args, st->sel->n_args, st->lo);
	n = st->guard == IR_EQ ? opt_split_fields(rd->ir, st->sel, rd->pf, parts) : 0;
	if (n)
		return add_parts(rd, parts, n, st->lo);
	return guard_ranges(rd, st, &r) && add_cond(rd, st->sel, &r);
}

bool opt_read_value(struct ir *ir, uint8_t pf, struct ir_sel *sel, const uint8_t *lo,
		    const uint8_t *hi, struct opt_rule *ret)
{
	struct reader rd = {.ir = ir, .pf = pf, .out = ret};
	struct ir_step st = {.kind = IR_GUARD,
			     .guard = memcmp(lo, hi, sel->width) == 0 ? IR_EQ : IR_RANGE,
			     .sel = sel,
			     .lo = lo,
			     .hi = hi};

	*ret = (struct opt_rule){0};
	return read_step(&rd, &st);
}

void opt_conds(struct opt_ends *e, const struct ir_rule *rule, struct opt_rule *ret)
{
	struct reader rd = {.ir = e->ir, .pf = rule->chain->pf, .out = ret};

	*ret = (struct opt_rule){.rule = rule, .never = rule->never, .may_pass = true};
	if (ir_rule_is_dispatch(rule))
		return;
	for (; rd.step < rule->n_steps; rd.step++)
		if (!read_step(&rd, &rule->steps[rd.step]))
			break;
	ret->n_guards = rd.step;
	ret->may_pass = opt_may_pass(e, rule, rd.step);
}

void opt_read(struct opt_ends *e, struct opt_chain *oc)
{
	oc->rules = arena_alloc(oc->ir->arena, MAX(oc->chain->n_rules, 1u) * sizeof(*oc->rules));
	for (uint32_t i = 0; i < oc->chain->n_rules; i++)
		opt_conds(e, &oc->chain->rules[i], &oc->rules[i]);
}

bool opt_same_cond(const struct opt_cond *a, const struct opt_cond *b)
{
	if (a->sel != b->sel || a->n_ranges != b->n_ranges)
		return false;
	for (uint32_t i = 0; i < a->n_ranges; i++)
		if (memcmp(a->ranges[i].lo, b->ranges[i].lo, a->sel->width) != 0 ||
		    memcmp(a->ranges[i].hi, b->ranges[i].hi, a->sel->width) != 0)
			return false;
	return true;
}
