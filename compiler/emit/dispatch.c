/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dispatch: fields into a key, the look-up, the record, and for each shape of rules its code.
 *
 * The record's numbers (which shape, which counters) come from the map's memory, or from the leaf of
 * a search in code; either way they meet as phis at the start of the shape's block.
 */
#include <errno.h>

#include "../dispatch.h"
#include "blob.h"
#include "gen.h"

struct look_up {
	const struct ir_dispatch *d;
	const struct dispatch_table *t;
	LLVMBasicBlockRef miss;
	struct shape {
		LLVMBasicBlockRef block;
		LLVMValueRef numbers[DISPATCH_MAX_NUMBERS]; /* phis */
		uint32_t n_numbers;
		bool is_counter[DISPATCH_MAX_NUMBERS];
	} *shapes;
};

/* ---- key ---- */

/* A field that may lack: a byte that says so, then the value, or zeros. */
static void gen_lacking(struct gen *g, const struct ir_sel *sel, struct val *ret)
{
	LLVMBasicBlockRef none = gen_block(g, "lacks"), join = gen_block(g, "field"), has;
	struct val v = gen_sel_now(g, sel, none);
	LLVMBasicBlockRef from[2];
	LLVMValueRef in[2];

	has = gen_here(g);
	gen_goto(g, join);
	gen_at(g, none);
	gen_goto(g, join);
	gen_at(g, join);
	from[0] = has;
	from[1] = none;
	ret[0] = (struct val){.width = 1};
	ret[0].chunk[0] = LLVMBuildPhi(g->b, g->i32, "");
	in[0] = gen_i32(g, 1);
	in[1] = gen_i32(g, 0);
	LLVMAddIncoming(ret[0].chunk[0], in, from, 2);
	ret[1] = (struct val){.width = sel->width};
	for (uint32_t i = 0; i < val_chunks(sel->width); i++) {
		ret[1].chunk[i] = LLVMBuildPhi(g->b, chunk_type(g, sel->width, i), "");
		in[0] = v.chunk[i];
		in[1] = LLVMConstNull(LLVMTypeOf(v.chunk[i]));
		LLVMAddIncoming(ret[1].chunk[i], in, from, 2);
	}
	/* What was computed on one way only must not be used again. */
	g->p->stamp++;
}

/* A field that may lack: the value, or the one that stands for none. */
static struct val gen_replaced(struct gen *g, const struct ir_sel *sel, uint32_t stand_in)
{
	LLVMBasicBlockRef none = gen_block(g, "lacks"), join = gen_block(g, "field"), from[2];
	struct val v = gen_sel_now(g, sel, none), ret = {.width = sel->width};
	LLVMTypeRef type = LLVMTypeOf(v.chunk[0]);
	LLVMValueRef in[2] = {v.chunk[0], LLVMConstInt(type, stand_in, 0)};

	from[0] = gen_here(g);
	from[1] = none;
	gen_goto(g, join);
	gen_at(g, none);
	gen_goto(g, join);
	gen_at(g, join);
	ret.chunk[0] = LLVMBuildPhi(g->b, type, "");
	LLVMAddIncoming(ret.chunk[0], in, from, 2);
	/* What was computed on one way only must not be used again. */
	g->p->stamp++;
	return ret;
}

/* Field @i with its leading byte, if it has one. */
static struct val gen_field(struct gen *g, const struct look_up *l, uint32_t i)
{
	struct val parts[2];

	if (l->t->replaced[i])
		return gen_replaced(g, l->d->fields[i], l->t->stand_in[i]);
	if (!l->t->lacks[i])
		return gen_sel_now(g, l->d->fields[i], l->miss);
	gen_lacking(g, l->d->fields[i], parts);
	return val_concat(g, parts, 2);
}

/* ---- look-ups in a blob ---- */

static struct val gen_key(struct gen *g, const struct look_up *l)
{
	struct val fields[IR_MAX_FIELDS];

	for (uint32_t i = 0; i < l->d->n_fields; i++)
		fields[i] = gen_field(g, l, i);
	return l->d->n_fields == 1 ? fields[0] : val_concat(g, fields, l->d->n_fields);
}

/* Where the tables of several are in one map; in an object of its own each is by itself. */
static void is_called(struct gen *g, const struct look_up *l, struct gen_share *ret)
{
	if (!g->opt->maps_elsewhere || !g->ir->calls_boxes)
		return;
	*ret = (struct gen_share){
		.map = gen_blob_tables_map(g, &l->t->place),
		.name = arena_printf(g->arena, "tables_%u", l->t->place.map),
		.at = l->t->place.offset,
	};
	tables_bounds(g->ir, l->t->place.map, &ret->last, &ret->limit);
}

static LLVMValueRef call_classify(struct gen *g, const struct look_up *l, LLVMValueRef blob)
{
	struct val fields[IR_MAX_FIELDS], key;
	struct gen_share share = {
		.map = blob,
		.name = arena_printf(g->arena, "dispatch_%u", l->d->id),
		.limit = (uint32_t)l->t->info.limit,
	};

	if (l->d->form == IR_FORM_BOXES) {
		for (uint32_t i = 0; i < l->d->n_fields; i++)
			fields[i] = gen_field(g, l, l->t->order[i]);
		is_called(g, l, &share);
		return gen_blob_find(g, blob, &share, &l->t->info, fields, l->d->n_fields);
	}
	key = gen_key(g, l);
	return gen_blob_find(g, blob, NULL, &l->t->info, &key, 1);
}

/* Ends the block: to the shape that the record names. */
static void follow_record(struct gen *g, const struct look_up *l, const LLVMValueRef *words)
{
	uint32_t n = l->t->n_shapes, first = n > 1;
	LLVMBasicBlockRef here = gen_here(g);
	LLVMBasicBlockRef *targets = arena_alloc(g->arena, n * sizeof(*targets));
	uint32_t *numbers = arena_alloc(g->arena, n * sizeof(*numbers));

	for (uint32_t i = 0; i < n; i++) {
		struct shape *s = &l->shapes[i];

		numbers[i] = i;
		targets[i] = s->n_numbers && n > 1 ? gen_block(g, "") : s->block;
	}
	if (n > 1)
		gen_number_tree(g, words[0], numbers, targets, n);
	else
		gen_goto(g, targets[0]);
	for (uint32_t i = 0; i < n; i++) {
		struct shape *s = &l->shapes[i];
		LLVMBasicBlockRef from = targets[i] == s->block ? here : targets[i];

		for (uint32_t k = 0; k < s->n_numbers; k++)
			LLVMAddIncoming(s->numbers[k], (LLVMValueRef *)&words[first + k], &from,
					1);
		if (targets[i] != s->block) {
			gen_at(g, targets[i]);
			gen_goto(g, s->block);
		}
	}
}

static void search_blob(struct gen *g, const struct look_up *l)
{
	const char *name = arena_printf(g->arena, "disp_%u", l->d->id);
	LLVMValueRef blob = gen_blob_table(g, name, l->t->blob, l->t->blob_size, &l->t->place);
	LLVMValueRef index = call_classify(g, l, blob), words[1 + DISPATCH_MAX_NUMBERS];
	uint32_t n = dispatch_words(l->t);

	/* A miss is above all of them; and the verifier sees what the index is for. */
	gen_require(g,
		    LLVMBuildICmp(g->b, LLVMIntULT, index, gen_i32(g, l->t->info.shape.capacity), ""),
		    l->miss, false);
	for (uint32_t i = 0; i < n; i++)
		words[i] = gen_blob_word(g, blob, &l->t->info, l->t->blob, index, i);
	follow_record(g, l, words);
}

/* ---- search trees in code ---- */

static LLVMBasicBlockRef leaf(struct gen *g, const struct look_up *l, const struct dispatch_piece *p)
{
	uint32_t words[1 + DISPATCH_MAX_NUMBERS], first = l->t->n_shapes > 1;
	LLVMBasicBlockRef here = gen_here(g), bb = gen_block(g, "row");
	struct shape *s = &l->shapes[l->t->shape[p->rule]];

	dispatch_record(l->d, l->t, p->rule, words);
	for (uint32_t k = 0; k < s->n_numbers; k++) {
		LLVMValueRef number = gen_i32(g, words[first + k]);

		LLVMAddIncoming(s->numbers[k], &number, &bb, 1);
	}
	gen_at(g, bb);
	gen_goto(g, s->block);
	gen_at(g, here);
	return bb;
}

/*
 * Few pieces are compared one after the other: a key that is none of them falls through them all,
 * where a tree's branches would go either way, and be mispredicted, with every other key.
 *
 * @above_lo: on this way the key is known not to be below the first piece.
 */
static void search_code(struct gen *g, const struct look_up *l, const struct val *key,
			const struct dispatch_piece *p, uint32_t n, bool above_lo)
{
	LLVMBasicBlockRef left, right;

	if (n <= DISPATCH_LINEAR) {
		for (uint32_t i = 0; i < n; i++) {
			LLVMBasicBlockRef next = i + 1 < n ? gen_block(g, "") : l->miss;
			LLVMBasicBlockRef hit = leaf(g, l, &p[i]);

			if (above_lo && i == 0 && memcmp(p[i].lo, p[i].hi, key->width) != 0)
				val_less(g, key, p[i].hi, true, hit, next);
			else
				val_range(g, key, p[i].lo, p[i].hi, hit, next);
			gen_at(g, next);
		}
		return;
	}
	left = gen_block(g, "");
	right = gen_block(g, "");
	val_less(g, key, p[n / 2].lo, false, left, right);
	gen_at(g, left);
	search_code(g, l, key, p, n / 2, above_lo);
	gen_at(g, right);
	search_code(g, l, key, p + n / 2, n - n / 2, true);
}

/* ---- shapes ---- */

static void make_shapes(struct gen *g, struct look_up *l)
{
	LLVMBasicBlockRef here = gen_here(g);

	l->shapes = arena_alloc(g->arena, l->t->n_shapes * sizeof(*l->shapes));
	for (uint32_t i = 0; i < l->t->n_shapes; i++) {
		const struct ir_rule *r = &l->d->rules[l->t->shapes[i]];
		struct shape *s = &l->shapes[i];

		s->block = gen_block(g, "shape");
		gen_at(g, s->block);
		for (uint32_t k = 0; k < r->n_steps; k++)
			if (dispatch_counter(&r->steps[k]) || dispatch_target(&r->steps[k])) {
				s->is_counter[s->n_numbers] = dispatch_counter(&r->steps[k]);
				s->numbers[s->n_numbers++] = LLVMBuildPhi(g->b, g->i32, "");
			}
	}
	gen_at(g, here);
}

static void gen_shape(struct gen *g, const struct look_up *l, uint32_t i)
{
	struct shape *s = &l->shapes[i];

	gen_at(g, s->block);
	for (uint32_t k = 0; k < s->n_numbers; k++) {
		/* For the verifier; it always is. */
		if (s->is_counter[k])
			gen_require(g,
				    LLVMBuildICmp(g->b, LLVMIntULT, s->numbers[k],
						  gen_i32(g, emit_counter_room(g->ir)), ""),
				    l->miss, false);
		s->numbers[k] = LLVMBuildZExt(g->b, s->numbers[k], g->i64, "");
	}
	g->p->numbers = s->numbers;
	gen_rule(g, &l->d->rules[l->t->shapes[i]], l->miss);
	g->p->numbers = NULL;
}

void gen_dispatch(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef next)
{
	struct look_up l = {.d = st->dispatch, .miss = next};
	struct val key;
	int err = dispatch_table_get((struct ir *)g->ir, st->dispatch, &l.t);

	if (err) {
		gen_error(g, err, "dispatch", "a dispatch cannot have the form it was given");
		gen_goto(g, next);
		return;
	}
	if (!l.t->n_pieces) {
		gen_goto(g, next);
		return;
	}
	make_shapes(g, &l);
	if (l.d->form == IR_FORM_CODE) {
		key = gen_key(g, &l);
		search_code(g, &l, &key, l.t->pieces, l.t->n_pieces, false);
	} else {
		search_blob(g, &l);
	}
	for (uint32_t i = 0; i < l.t->n_shapes; i++)
		gen_shape(g, &l, i);
}
