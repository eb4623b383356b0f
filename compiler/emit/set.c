/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets: search trees in code for small constant ones, look-ups in maps for the others. Which, says
 * emit_set_form().
 */
#include <errno.h>

#include "gen.h"

enum { BPF_FUNC_map_lookup_elem = 1, LINEAR_MAX = 3 };

struct search {
	const struct ir_set *set;
	const struct val *key;
	const struct set_hit *hit;
};

static bool is_point(const struct ir_set *set, const struct ir_elem *e)
{
	return e->lo == e->hi || memcmp(e->lo, e->hi, set->width) == 0;
}

static LLVMBasicBlockRef hit_block(struct gen *g, const struct search *s, const struct ir_elem *e)
{
	LLVMBasicBlockRef here = gen_here(g), bb = gen_block(g, "hit");

	gen_at(g, bb);
	for (uint32_t i = 0; s->hit->broken && i < s->set->n_states; i++)
		gen_state_effect(g, e->states[i], s->hit->broken);
	s->hit->hit(g, s->hit->arg, e, NULL);
	gen_at(g, here);
	return bb;
}

/* ---- trees ---- */

static void test_one(struct gen *g, const struct search *s, const struct ir_elem *e, bool above_lo,
		     LLVMBasicBlockRef miss)
{
	LLVMBasicBlockRef hit = hit_block(g, s, e);

	if (above_lo && !is_point(s->set, e))
		val_less(g, s->key, e->hi, true, hit, miss);
	else
		val_range(g, s->key, e->lo, e->hi, hit, miss);
}

/* @above_lo: on this way the key is known not to be below the first element. */
static void search_tree(struct gen *g, const struct search *s, const struct ir_elem *elems,
			size_t n, bool above_lo, LLVMBasicBlockRef miss)
{
	LLVMBasicBlockRef left, right;

	if (n <= LINEAR_MAX) {
		for (size_t i = 0; i < n; i++) {
			LLVMBasicBlockRef next = i + 1 < n ? gen_block(g, "") : miss;

			test_one(g, s, &elems[i], above_lo && i == 0, next);
			gen_at(g, next);
		}
		return;
	}
	left = gen_block(g, "");
	right = gen_block(g, "");
	val_less(g, s->key, elems[n / 2].lo, false, left, right);
	gen_at(g, left);
	search_tree(g, s, elems, n / 2, above_lo, miss);
	gen_at(g, right);
	search_tree(g, s, elems + n / 2, n - n / 2, true, miss);
}

/* Concatenated ranges: field by field, element after element. */
static void search_fields(struct gen *g, const struct search *s, const struct ir_elem *elems,
			  size_t n, LLVMBasicBlockRef miss)
{
	for (size_t i = 0; i < n; i++) {
		LLVMBasicBlockRef next = i + 1 < n ? gen_block(g, "") : miss;
		LLVMBasicBlockRef hit = hit_block(g, s, &elems[i]);
		uint32_t at = 0;

		for (uint32_t f = 0; f < s->set->n_fields; f++) {
			uint32_t width = ROUND_UP(s->set->field_width[f], 4u);
			struct val field = val_slice(g, s->key, at, width);
			LLVMBasicBlockRef more =
				f + 1 < s->set->n_fields ? gen_block(g, "") : hit;

			val_range(g, &field, elems[i].lo + at, elems[i].hi + at, more, next);
			gen_at(g, more);
			at += width;
		}
		gen_at(g, next);
	}
}

static void search_inline(struct gen *g, const struct search *s, size_t n, LLVMBasicBlockRef miss)
{
	if (n == 0)
		gen_goto(g, miss);
	else if (s->set->ranged)
		search_fields(g, s, s->set->elems, n, miss);
	else
		search_tree(g, s, s->set->elems, n, false, miss);
}

/* ---- maps ---- */

/* Chunks into memory as the register's bytes. */
static LLVMValueRef key_buffer(struct gen *g, const struct val *key)
{
	LLVMValueRef buf = gen_key_buffer(g);
	static const uint32_t sizes[] = {8, 4, 2, 1};

	for (uint32_t i = 0; i < val_chunks(key->width); i++) {
		uint32_t n = chunk_bytes(key->width, i), at = 8 * i;
		LLVMValueRef c = LLVMBuildZExt(g->b, key->chunk[i], g->i64, "");

		if (n < 8)
			c = LLVMBuildShl(g->b, c, gen_i64(g, 8 * (8 - n)), "");
		c = gen_bswap(g, c, 8);
		for (uint32_t k = 0; k < ARRAY_SIZE(sizes); k++) {
			LLVMTypeRef type = LLVMIntTypeInContext(g->ctx, 8 * sizes[k]);
			LLVMValueRef to = gen_i32(g, at);

			if (n < sizes[k])
				continue;
			to = LLVMBuildInBoundsGEP2(g->b, g->i8, buf, &to, 1, "");
			LLVMBuildStore(g->b, LLVMBuildTrunc(g->b, c, type, ""), to);
			n -= sizes[k];
			at += sizes[k];
			if (n)
				c = LLVMBuildLShr(g->b, c, gen_i64(g, 8 * sizes[k]), "");
		}
	}
	return buf;
}

/* @width bytes at @from as chunks. */
static struct val load_bytes(struct gen *g, LLVMValueRef from, uint32_t width)
{
	static const uint32_t sizes[] = {8, 4, 2, 1};
	struct val v = {.width = width};

	for (uint32_t i = 0; i < val_chunks(width); i++) {
		uint32_t n = chunk_bytes(width, i), at = 8 * i;
		LLVMValueRef all = NULL;

		for (uint32_t k = 0; k < ARRAY_SIZE(sizes); k++) {
			LLVMTypeRef type = LLVMIntTypeInContext(g->ctx, 8 * sizes[k]);
			LLVMValueRef p = gen_i32(g, at), c;

			if (n < sizes[k])
				continue;
			p = LLVMBuildInBoundsGEP2(g->b, g->i8, from, &p, 1, "");
			c = LLVMBuildLoad2(g->b, type, p, "");
			c = LLVMBuildZExt(g->b, c, g->i64, "");
			if (sizes[k] > 1)
				c = gen_bswap(g, c, sizes[k]);
			if (all) {
				all = LLVMBuildShl(g->b, all, gen_i64(g, 8 * sizes[k]), "");
				c = LLVMBuildOr(g->b, all, c, "");
			}
			all = c;
			n -= sizes[k];
			at += sizes[k];
		}
		v.chunk[i] = chunk_cast(g, all, width, i);
	}
	return v;
}

static LLVMValueRef set_map(struct gen *g, const struct ir_set *set, const struct emit_set_form *f)
{
	char *name = arena_printf(g->arena, "set_%u", set->id);

	if (!g->set_maps[set->id])
		g->set_maps[set->id] = gen_map(g, name, f->map_type, f->key_size, f->value_size,
					       f->max_entries, f->map_flags);
	return g->set_maps[set->id];
}

/* The verdict's number out of the map picks the hit. */
static void dispatch_verdict(struct gen *g, const struct search *s, LLVMValueRef value,
			     LLVMBasicBlockRef miss)
{
	uint32_t n;
	const struct ir_elem **distinct = emit_set_verdicts(s->set, g->arena, &n);
	LLVMBasicBlockRef *targets = arena_alloc(g->arena, (n + 1) * sizeof(*targets));
	uint32_t *numbers = arena_alloc(g->arena, (n + 1) * sizeof(*numbers));
	LLVMValueRef number = LLVMBuildLoad2(g->b, g->i32, value, "");

	if (!n) {
		gen_goto(g, miss);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		numbers[i] = i;
		targets[i] = hit_block(g, s, distinct[i]);
	}
	gen_number_tree(g, number, numbers, targets, n);
}

static void search_hash(struct gen *g, const struct search *s, const struct emit_set_form *f,
			LLVMBasicBlockRef miss)
{
	LLVMTypeRef args_type[2] = {g->ptr, g->ptr};
	LLVMTypeRef type = LLVMFunctionType(g->ptr, args_type, 2, 0);
	LLVMValueRef helper =
		LLVMConstIntToPtr(gen_i64(g, BPF_FUNC_map_lookup_elem), g->ptr);
	LLVMValueRef args[2] = {set_map(g, s->set, f), key_buffer(g, s->key)};
	LLVMValueRef found = LLVMBuildCall2(g->b, type, helper, args, 2, "");
	struct val data;

	gen_require(g, LLVMBuildIsNotNull(g->b, found, ""), miss, false);
	switch (s->set->kind) {
	case IR_SET:
		s->hit->hit(g, s->hit->arg, NULL, NULL);
		break;
	case IR_DATA_MAP:
		data = load_bytes(g, found, s->set->data_width);
		s->hit->hit(g, s->hit->arg, NULL, &data);
		break;
	case IR_VERDICT_MAP:
		dispatch_verdict(g, s, found, miss);
		break;
	}
}

/* ---- all sets ---- */

void gen_lookup(struct gen *g, const struct ir_set *set, const struct val *key,
		const struct set_hit *h)
{
	struct search s = {set, key, h};
	struct emit_set_form form;
	LLVMBasicBlockRef miss = h->miss;
	size_t n = set->n_elems;
	char *why = NULL;

	if (emit_set_form(set, &form, &why)) {
		gen_error(g, -EOPNOTSUPP, "set-form", "set %s: %s", set->name, why);
		free(why);
		gen_goto(g, miss);
		return;
	}
	if (n && !set->elems[n - 1].lo)
		miss = hit_block(g, &s, &set->elems[--n]);
	switch (form.kind) {
	case EMIT_SET_INLINE:
		search_inline(g, &s, n, miss);
		break;
	case EMIT_SET_HASH:
		search_hash(g, &s, &form, miss);
		break;
	}
}

static void go_to_block(struct gen *g, void *arg, const struct ir_elem *e, const struct val *data)
{
	(void)e;
	(void)data;
	gen_goto(g, arg);
}

void gen_in_set(struct gen *g, const struct ir_set *set, const struct val *key,
		LLVMBasicBlockRef hit, LLVMBasicBlockRef miss, LLVMBasicBlockRef broken)
{
	struct set_hit h = {go_to_block, hit, miss, broken};

	gen_lookup(g, set, key, &h);
}

struct join {
	LLVMBasicBlockRef block;
	uint32_t width;
	LLVMValueRef phi[GEN_MAX_CHUNKS];
};

static void join_data(struct gen *g, void *arg, const struct ir_elem *e, const struct val *data)
{
	struct join *j = arg;
	LLVMBasicBlockRef here;

	gen_goto(g, j->block);
	here = gen_here(g);
	for (uint32_t i = 0; i < val_chunks(j->width); i++) {
		struct val v = data ? *data : val_const(g, e->data, j->width);

		LLVMAddIncoming(j->phi[i], &v.chunk[i], &here, 1);
	}
}

struct val gen_map_data(struct gen *g, const struct ir_set *set, const struct val *key,
			LLVMBasicBlockRef miss)
{
	struct join j = {.block = gen_block(g, "data"), .width = set->data_width};
	struct set_hit h = {join_data, &j, miss, miss};
	struct val v = {.width = set->data_width};
	LLVMBasicBlockRef here = gen_here(g);

	gen_at(g, j.block);
	for (uint32_t i = 0; i < val_chunks(v.width); i++)
		v.chunk[i] = j.phi[i] = LLVMBuildPhi(g->b, chunk_type(g, v.width, i), "");
	gen_at(g, here);
	gen_lookup(g, set, key, &h);
	gen_at(g, j.block);
	return v;
}
