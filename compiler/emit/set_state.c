/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What elements of a set in a map keep, or stand for: counted, taken from, used up, as the element's
 * kind says (set_states.c).
 */
#include "../set_table.h"
#include "blob.h"
#include "gen.h"

struct elem {
	const struct ir_set *set;
	const struct set_table *t;
	const struct set_hit *hit;
	LLVMValueRef blob, index;
	LLVMValueRef row; /* of its kind's parameters; NULL: they are code */
};

/* What an element keeps: @word, out of a record, says where. One shape for all elements of a set. */
void gen_elem_state(struct gen *g, const struct set_hit *hit, const struct ir_state *like,
		    LLVMValueRef word, const LLVMValueRef *params)
{
	const struct ir_step step = {.kind = IR_EFFECT, .effect = like->op, .state = (void *)like};
	const LLVMValueRef *saved = g->p->numbers;

	if (like->op->per_cpu) {
		/* For the verifier; it always is. */
		gen_require(g,
			    LLVMBuildICmp(g->b, LLVMIntULT, word, gen_i32(g, emit_counter_room(g->ir)), ""),
			    hit->miss, false);
		word = LLVMBuildZExt(g->b, word, g->i64, "");
		g->p->numbers = &word;
		gen_effect(g, &step, hit->broken);
		g->p->numbers = saved;
		return;
	}
	gen_require(g,
		    LLVMBuildICmp(g->b, LLVMIntULE, word,
				  gen_i32(g, g->ir->shared_state_size - like->op->state_size), ""),
		    hit->miss, false);
	/* For the verifier, too: states are 8 bytes, which it wants aligned for what is atomic. */
	word = LLVMBuildZExt(g->b, LLVMBuildAnd(g->b, word, gen_i32(g, ~7u), ""), g->i64, "");
	gen_state_effect_at(g, like, LLVMBuildGEP2(g->b, g->i8, g->state, &word, 1, ""), params,
			    hit->broken);
}

static LLVMValueRef row_word(struct gen *g, const struct elem *e, uint32_t i)
{
	LLVMValueRef at = gen_i64(g, i * sizeof(uint64_t));

	return LLVMBuildLoad2(g->b, g->i64, LLVMBuildGEP2(g->b, g->i8, e->row, &at, 1, ""), "");
}

/* The parameters of the @i-th state out of the row, into @ret; NULL: there is no row. */
static const LLVMValueRef *row_params(struct gen *g, const struct elem *e, uint32_t i,
				      LLVMValueRef *ret)
{
	for (uint32_t k = 0; e->row && k < IR_EFFECT_PARAMS; k++)
		ret[k] = row_word(g, e, 1 + i * IR_EFFECT_PARAMS + k);
	return e->row ? ret : NULL;
}

static LLVMValueRef record_word(struct gen *g, const struct elem *e, uint32_t i)
{
	return gen_blob_word(g, e->blob, &e->t->info, e->t->blob, e->index, i);
}

/* What stands in the program's areas; the record says where. */
static void run_states(struct gen *g, const struct elem *e, const struct ir_elem *like)
{
	LLVMValueRef params[IR_EFFECT_PARAMS];

	for (uint32_t i = 0; i < e->set->n_states; i++)
		gen_elem_state(g, e->hit, like->states[i],
			       record_word(g, e, e->t->data_words + i),
			       row_params(g, e, i, params));
}

/* What elements keep themselves, in the record. */
static void run_kept(struct gen *g, const struct elem *e, const struct ir_elem *like)
{
	uint32_t at = set_kept_at(e->t->data_words);
	LLVMValueRef params[IR_EFFECT_PARAMS];
	const struct ir_state *st;

	for (uint32_t i = 0; (st = set_table_state(e->set, like, i)); i++) {
		gen_kept_state(g, st,
			       gen_blob_value(g, e->blob, &e->t->info, e->t->blob, e->index, at),
			       row_params(g, e, i, params), e->hit->broken);
		at += ROUND_UP(ir_state_init_size(st->op), 8u);
	}
}

static void run_like(struct gen *g, const struct elem *e, const struct ir_elem *like)
{
	if (e->set->keeps)
		run_kept(g, e, like);
	else
		run_states(g, e, like);
}

/* The one of @likes that @number says. */
static void run_one_of(struct gen *g, const struct elem *e, LLVMValueRef number,
		       const struct ir_elem **likes, uint32_t n)
{
	LLVMBasicBlockRef *targets = arena_alloc(g->arena, n * sizeof(*targets));
	uint32_t *numbers = arena_alloc(g->arena, n * sizeof(*numbers));
	LLVMBasicBlockRef done = gen_block(g, "counted");

	for (uint32_t i = 0; i < n; i++) {
		numbers[i] = i;
		targets[i] = gen_block(g, "kind");
	}
	gen_number_tree(g, number, numbers, targets, n);
	for (uint32_t i = 0; i < n; i++) {
		gen_at(g, targets[i]);
		run_like(g, e, likes[i]);
		gen_goto(g, done);
	}
	gen_at(g, done);
}

/* Many kinds: one piece of code for all that differ in numbers alone, which are in the kind's row. */
static void run_row(struct gen *g, struct elem *e, LLVMValueRef kind)
{
	const struct set_table *t = e->t;
	size_t row = t->row_words * sizeof(uint64_t);
	LLVMValueRef at;

	/* For the verifier; it always is. */
	gen_require(g, LLVMBuildICmp(g->b, LLVMIntULT, kind, gen_i32(g, t->n_kinds), ""), e->hit->miss,
		    false);
	at = LLVMBuildMul(g->b, LLVMBuildZExt(g->b, kind, g->i64, ""), gen_i64(g, row), "");
	e->row = gen_blob_table(g, arena_printf(g->arena, "kinds_%u", e->set->id), t->rows,
				t->n_kinds * row, &t->rows_place);
	e->row = LLVMBuildGEP2(g->b, g->i8, e->row, &at, 1, "");
	if (t->n_shapes == 1)
		run_like(g, e, t->shapes[0]);
	else
		run_one_of(g, e, LLVMBuildTrunc(g->b, row_word(g, e, 0), g->i32, ""), t->shapes,
			   t->n_shapes);
}

void gen_elem_states(struct gen *g, const struct ir_set *set, const struct set_table *t,
		     const struct set_hit *hit, LLVMValueRef blob, LLVMValueRef index)
{
	struct elem e = {set, t, hit, blob, index, NULL};
	LLVMValueRef kind;

	if (t->n_kinds == 1) {
		run_like(g, &e, t->kinds[0]);
		return;
	}
	kind = record_word(g, &e, t->data_words + (set->keeps ? 0 : set->n_states));
	if (t->rows)
		run_row(g, &e, kind);
	else
		run_one_of(g, &e, kind, t->kinds, t->n_kinds);
}
