/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guards: compares of a value with constants. The way on is the match; the mismatch, which goes to
 * the next rule, is what falls through in the end.
 */
#include "../template.h"
#include "gen.h"

static LLVMValueRef wide(struct gen *g, LLVMValueRef v)
{
	return LLVMBuildZExt(g->b, v, g->i64, "");
}

/* One compare, whatever the width: several chunks as an OR of XORs. */
static LLVMValueRef equal(struct gen *g, const struct val *v, const struct val *w)
{
	LLVMValueRef all = NULL;

	if (val_chunks(v->width) == 1)
		return LLVMBuildICmp(g->b, LLVMIntEQ, v->chunk[0], w->chunk[0], "");
	for (uint32_t i = 0; i < val_chunks(v->width); i++) {
		LLVMValueRef d = LLVMBuildXor(g->b, v->chunk[i], w->chunk[i], "");

		all = all ? LLVMBuildOr(g->b, all, wide(g, d), "") : wide(g, d);
	}
	return LLVMBuildICmp(g->b, LLVMIntEQ, all, gen_i64(g, 0), "");
}

static void less(struct gen *g, const struct val *v, const struct val *w, bool or_equal,
		 LLVMBasicBlockRef yes, LLVMBasicBlockRef no)
{
	uint32_t last = val_chunks(v->width) - 1;

	for (uint32_t i = 0; i < last; i++) {
		LLVMValueRef c = w->chunk[i];
		LLVMBasicBlockRef not_less = gen_block(g, ""), same = gen_block(g, "");

		LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntULT, v->chunk[i], c, ""), yes,
				not_less);
		gen_at(g, not_less);
		LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntEQ, v->chunk[i], c, ""), same, no);
		gen_at(g, same);
	}
	LLVMBuildCondBr(g->b,
			LLVMBuildICmp(g->b, or_equal ? LLVMIntULE : LLVMIntULT, v->chunk[last],
				      w->chunk[last], ""),
			yes, no);
}

void val_less(struct gen *g, const struct val *v, const uint8_t *bytes, bool or_equal,
	      LLVMBasicBlockRef yes, LLVMBasicBlockRef no)
{
	struct val w = val_const(g, bytes, v->width);

	less(g, v, &w, or_equal, yes, no);
}

void val_between(struct gen *g, const struct val *v, const struct val *lo, const struct val *hi,
		 LLVMBasicBlockRef yes, LLVMBasicBlockRef no)
{
	LLVMBasicBlockRef upper;
	LLVMValueRef d, size;

	if (val_chunks(v->width) == 1) {
		d = LLVMBuildSub(g->b, v->chunk[0], lo->chunk[0], "");
		size = LLVMBuildSub(g->b, hi->chunk[0], lo->chunk[0], "");
		gen_branch(g, LLVMBuildICmp(g->b, LLVMIntULE, d, size, ""), yes, no, true);
		return;
	}
	upper = gen_block(g, "upper");
	less(g, v, lo, false, no, upper);
	gen_at(g, upper);
	less(g, v, hi, true, yes, no);
}

static bool all_bytes(const uint8_t *bytes, uint32_t n, uint8_t value)
{
	for (uint32_t i = 0; i < n; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* lo <= v <= hi of one chunk: one compare of the distance from lo. */
static LLVMValueRef in_range(struct gen *g, const struct val *v, const uint8_t *lo,
			     const uint8_t *hi)
{
	uint64_t from = bytes_chunk(lo, v->width, 0), to = bytes_chunk(hi, v->width, 0);
	LLVMTypeRef type = chunk_type(g, v->width, 0);
	LLVMValueRef d = v->chunk[0];

	if (from)
		d = LLVMBuildSub(g->b, d, LLVMConstInt(type, from, 0), "");
	return LLVMBuildICmp(g->b, LLVMIntULE, d, LLVMConstInt(type, to - from, 0), "");
}

void val_range(struct gen *g, const struct val *v, const uint8_t *lo, const uint8_t *hi,
	       LLVMBasicBlockRef yes, LLVMBasicBlockRef no)
{
	LLVMBasicBlockRef upper;
	struct val w;

	if (memcmp(lo, hi, v->width) > 0) {
		gen_goto(g, no);
		return;
	}
	if (memcmp(lo, hi, v->width) == 0) {
		w = val_const(g, lo, v->width);
		gen_branch(g, equal(g, v, &w), yes, no, true);
		return;
	}
	if (val_chunks(v->width) == 1) {
		gen_branch(g, in_range(g, v, lo, hi), yes, no, true);
		return;
	}
	upper = gen_block(g, "upper");
	if (all_bytes(lo, v->width, 0))
		gen_goto(g, upper);
	else
		val_less(g, v, lo, false, no, upper);
	gen_at(g, upper);
	if (all_bytes(hi, v->width, 0xff))
		gen_goto(g, yes);
	else
		val_less(g, v, hi, true, yes, no);
}

/* A guard's constant: the step's, or what the record has. */
static struct val operand(struct gen *g, const struct ir_step *st, const uint8_t *bytes, uint32_t at)
{
	return at ? gen_record_const(g, at, st->sel->width) : val_const(g, bytes, st->sel->width);
}

static void guard_equal(struct gen *g, const struct ir_step *st, const struct val *v,
			LLVMBasicBlockRef yes, LLVMBasicBlockRef no, bool rare)
{
	struct val w = operand(g, st, st->lo, st->params ? st->params->lo : 0);

	gen_branch(g, equal(g, v, &w), yes, no, rare);
}

static void guard_range(struct gen *g, const struct ir_step *st, const struct val *v,
			LLVMBasicBlockRef yes, LLVMBasicBlockRef no)
{
	struct val lo, hi;

	if (!st->params || memcmp(st->lo, st->hi, v->width) > 0) {
		val_range(g, v, st->lo, st->hi, yes, no);
		return;
	}
	lo = operand(g, st, st->lo, st->params->lo);
	hi = operand(g, st, st->hi, st->params->hi);
	val_between(g, v, &lo, &hi, yes, no);
}

void gen_guard(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	struct val *v = gen_sel(g, st->sel, fail);
	LLVMBasicBlockRef go_on = gen_block(g, "");

	switch (st->guard) {
	case IR_EQ:
		guard_equal(g, st, v, go_on, fail, true);
		break;
	case IR_RANGE:
		guard_range(g, st, v, go_on, fail);
		break;
	case IR_IN:
		/* What there is instead of no value may be in the set, and would count there. */
		if (ir_set_notes_hits(st->set))
			gen_need(g, v, fail);
		gen_in_set(g, st->set, v, st->params, go_on, fail, fail);
		break;
	case IR_NE:
		gen_need(g, v, fail);
		guard_equal(g, st, v, fail, go_on, true);
		break;
	case IR_NOT_RANGE:
		gen_need(g, v, fail);
		guard_range(g, st, v, fail, go_on);
		break;
	case IR_NOT_IN:
		gen_need(g, v, fail);
		/* nft_lookup_eval(): a hit ends the rule before the element's expressions. */
		gen_in_set(g, st->set, v, st->params, fail, go_on, NULL);
		break;
	}
	gen_at(g, go_on);
	/* Tested only now that it matched; the sentinel is equal to nothing and in no range. */
	if (st->guard == IR_EQ || st->guard == IR_RANGE)
		v->has_sentinel = false;
	gen_need(g, v, fail);
}
