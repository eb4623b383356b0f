/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dispatch: fields into a key, the look-up, the record, and for each shape of rules its code.
 *
 * The record's numbers (which shape, which counters) come from the map's memory, or from the leaf of
 * a search tree in code; either way they meet as phis at the start of the shape's block.
 */
#include <errno.h>

#include "../dispatch.h"
#include "gen.h"

enum { LINEAR_MAX = 3 };

struct look_up {
	const struct ir_dispatch *d;
	const struct dispatch_table *t;
	LLVMBasicBlockRef miss;
	struct shape {
		LLVMBasicBlockRef block;
		LLVMValueRef counters[DISPATCH_MAX_COUNTERS]; /* phis */
		uint32_t n_counters;
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

/* Field @i with its leading byte, if it has one. */
static struct val gen_field(struct gen *g, const struct look_up *l, uint32_t i)
{
	struct val parts[2];

	if (!l->t->lacks[i])
		return gen_sel_now(g, l->d->fields[i], l->miss);
	gen_lacking(g, l->d->fields[i], parts);
	return val_concat(g, parts, 2);
}

/* Up to 64 bytes, one for all look-ups of a function. */
static LLVMValueRef key_memory(struct gen *g, LLVMTypeRef type, uint32_t i)
{
	LLVMValueRef at = gen_i32(g, i);

	return LLVMBuildInBoundsGEP2(g->b, type, gen_key_buffer(g), &at, 1, "");
}

static void store_chunks(struct gen *g, const struct val *v)
{
	for (uint32_t i = 0; i < val_chunks(v->width); i++)
		LLVMBuildStore(g->b, LLVMBuildZExt(g->b, v->chunk[i], g->i64, ""),
			       key_memory(g, g->i64, i));
}

/* ---- look-ups in a blob ---- */

static LLVMValueRef call(struct gen *g, const char *name, LLVMValueRef *args, uint32_t n)
{
	LLVMValueRef fn = gen_function(g, name);

	if (!fn) {
		gen_error(g, -ENOSYS, "helper-missing", "no BPF function %s", name);
		return gen_i32(g, CLASSIFY_MISS);
	}
	return LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, args, n, "");
}

/* The blob as a global, a map of its own: section .data.disp_ID. */
static LLVMValueRef blob_global(struct gen *g, const struct look_up *l)
{
	char *name = arena_printf(g->arena, "disp_%u", l->d->id);
	LLVMValueRef v = LLVMGetNamedGlobal(g->mod, name);
	LLVMTypeRef type = LLVMArrayType(g->i8, (unsigned)l->t->blob_size);

	if (v)
		return v;
	v = LLVMAddGlobal(g->mod, type, name);
	LLVMSetInitializer(v, LLVMConstStringInContext(g->ctx, l->t->blob,
						       (unsigned)l->t->blob_size, 1));
	LLVMSetSection(v, arena_printf(g->arena, ".data.%s", name));
	LLVMSetAlignment(v, 64);
	gen_debug_global(g, v, gen_debug_bytes(g, l->t->blob_size));
	return v;
}

/* The BPF functions' widths: 7 for 5 to 7 bytes, then multiples of 8. */
static uint32_t width_number(uint32_t width)
{
	return width < 8 ? 7 : ROUND_UP(width, 8u);
}

/* Boxes: each field as a number, then all of them. */
static LLVMValueRef call_boxes(struct gen *g, const struct look_up *l, LLVMValueRef blob)
{
	LLVMValueRef limit = gen_i64(g, l->t->info.limit), numbers[IR_MAX_FIELDS];
	LLVMValueRef args[4] = {blob, limit};
	struct val fields[IR_MAX_FIELDS];

	for (uint32_t i = 0; i < l->d->n_fields; i++)
		fields[i] = gen_field(g, l, i);
	for (uint32_t i = 0; i < l->d->n_fields; i++) {
		numbers[i] = fields[i].chunk[0];
		if (fields[i].width <= 4)
			continue;
		store_chunks(g, &fields[i]);
		args[2] = gen_i64(g, i);
		args[3] = key_memory(g, g->i64, 0);
		numbers[i] = call(g,
				  arena_printf(g->arena, "nb_classify_field%u",
					       width_number(fields[i].width)),
				  args, 4);
	}
	for (uint32_t i = 0; i < l->d->n_fields; i++)
		LLVMBuildStore(g->b, numbers[i], key_memory(g, g->i32, i));
	args[2] = key_memory(g, g->i32, 0);
	return call(g, l->t->info.function, args, 3);
}

static struct val gen_key(struct gen *g, const struct look_up *l)
{
	struct val fields[IR_MAX_FIELDS];

	for (uint32_t i = 0; i < l->d->n_fields; i++)
		fields[i] = gen_field(g, l, i);
	return l->d->n_fields == 1 ? fields[0] : val_concat(g, fields, l->d->n_fields);
}

static LLVMValueRef call_classify(struct gen *g, const struct look_up *l, LLVMValueRef blob)
{
	LLVMValueRef args[3] = {blob, gen_i64(g, l->t->info.limit)};
	struct val key;

	if (l->d->form == IR_FORM_BOXES)
		return call_boxes(g, l, blob);
	key = gen_key(g, l);
	store_chunks(g, &key);
	args[2] = key_memory(g, g->i64, 0);
	return call(g, l->t->info.function, args, 3);
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
		targets[i] = s->n_counters && n > 1 ? gen_block(g, "") : s->block;
	}
	if (n > 1)
		gen_number_tree(g, words[0], numbers, targets, n);
	else
		gen_goto(g, targets[0]);
	for (uint32_t i = 0; i < n; i++) {
		struct shape *s = &l->shapes[i];
		LLVMBasicBlockRef from = targets[i] == s->block ? here : targets[i];

		for (uint32_t k = 0; k < s->n_counters; k++)
			LLVMAddIncoming(s->counters[k], (LLVMValueRef *)&words[first + k], &from,
					1);
		if (targets[i] != s->block) {
			gen_at(g, targets[i]);
			gen_goto(g, s->block);
		}
	}
}

static void search_blob(struct gen *g, const struct look_up *l)
{
	LLVMValueRef blob = blob_global(g, l), index = call_classify(g, l, blob), at;
	LLVMValueRef words[1 + DISPATCH_MAX_COUNTERS];
	const char *base = l->t->blob;
	uint32_t n = dispatch_words(l->t);

	/* A miss is above all of them; and the verifier sees what the index is for. */
	gen_require(g,
		    LLVMBuildICmp(g->b, LLVMIntULT, index, gen_i32(g, MAX(l->t->n_pieces, 1u)), ""),
		    l->miss, false);
	if (n) {
		at = LLVMBuildZExt(g->b, index, g->i64, "");
		at = LLVMBuildMul(g->b, at, gen_i64(g, 4 * n), "");
		blob = LLVMBuildInBoundsGEP2(g->b, g->i8, blob, &at, 1, "");
	}
	for (uint32_t i = 0; i < n; i++) {
		at = gen_i64(g, (uint64_t)((const char *)classify_value(base, 0) - base) + 4 * i);
		at = LLVMBuildInBoundsGEP2(g->b, g->i8, blob, &at, 1, "");
		words[i] = LLVMBuildLoad2(g->b, g->i32, at, "");
	}
	follow_record(g, l, words);
}

/* ---- search trees in code ---- */

static LLVMBasicBlockRef leaf(struct gen *g, const struct look_up *l, const struct dispatch_piece *p)
{
	uint32_t words[1 + DISPATCH_MAX_COUNTERS], first = l->t->n_shapes > 1;
	LLVMBasicBlockRef here = gen_here(g), bb = gen_block(g, "row");
	struct shape *s = &l->shapes[l->t->shape[p->rule]];

	dispatch_record(l->d, l->t, p->rule, words);
	for (uint32_t k = 0; k < s->n_counters; k++) {
		LLVMValueRef number = gen_i32(g, words[first + k]);

		LLVMAddIncoming(s->counters[k], &number, &bb, 1);
	}
	gen_at(g, bb);
	gen_goto(g, s->block);
	gen_at(g, here);
	return bb;
}

/* @above_lo: on this way the key is known not to be below the first piece. */
static void search_code(struct gen *g, const struct look_up *l, const struct val *key,
			const struct dispatch_piece *p, uint32_t n, bool above_lo)
{
	LLVMBasicBlockRef left, right;

	if (n <= LINEAR_MAX) {
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
			if (dispatch_counter(&r->steps[k]))
				s->counters[s->n_counters++] = LLVMBuildPhi(g->b, g->i32, "");
	}
	gen_at(g, here);
}

static void gen_shape(struct gen *g, const struct look_up *l, uint32_t i)
{
	struct shape *s = &l->shapes[i];

	gen_at(g, s->block);
	for (uint32_t k = 0; k < s->n_counters; k++) {
		/* For the verifier; it always is. */
		gen_require(g,
			    LLVMBuildICmp(g->b, LLVMIntULT, s->counters[k],
					  gen_i32(g, g->ir->n_counters), ""),
			    l->miss, false);
		s->counters[k] = LLVMBuildZExt(g->b, s->counters[k], g->i64, "");
	}
	g->p->counters = s->counters;
	gen_rule(g, &l->d->rules[l->t->shapes[i]], l->miss);
	g->p->counters = NULL;
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
