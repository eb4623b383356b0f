/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets: search trees in code for small constant ones, look-ups in maps for the others. Which, says
 * set_table.h.
 */
#include <errno.h>

#include "../set_table.h"
#include "../template.h"
#include "blob.h"
#include "gen.h"
#include "split.h"

enum { LINEAR_MAX = 3 };

struct search {
	const struct ir_set *set;
	const struct val *key;
	const struct set_hit *hit;
};

static bool is_point(const struct ir_set *set, const struct ir_elem *e)
{
	return e->lo == e->hi || memcmp(e->lo, e->hi, set->width) == 0;
}

/* 1 + where a model's record has the words of @e. */
static uint32_t elem_at(const struct search *s, const struct ir_elem *e)
{
	const struct ir_params *p = s->hit->params;

	return p->elems + (uint32_t)(e - s->set->elems) * p->elem_words;
}

static LLVMBasicBlockRef hit_block(struct gen *g, const struct search *s, const struct ir_elem *e)
{
	LLVMBasicBlockRef here = gen_here(g), bb = gen_block(g, "hit");

	gen_at(g, bb);
	for (uint32_t i = 0; s->hit->broken && i < s->set->n_states; i++) {
		if (s->hit->params && s->hit->params->elem_states)
			gen_elem_state(g, s->hit, e->states[i],
				       gen_record_word(g, elem_at(s, e) +
								  s->hit->params->elem_states -
								  1 + i),
				       NULL);
		else
			gen_state_effect(g, e->states[i], s->hit->broken);
	}
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

/* Keys that only a record knows: one after the other. */
static void search_record(struct gen *g, const struct search *s, size_t n, LLVMBasicBlockRef miss)
{
	for (size_t i = 0; i < n; i++) {
		LLVMBasicBlockRef next = i + 1 < n ? gen_block(g, "") : miss;
		uint32_t at = elem_at(s, &s->set->elems[i]);
		LLVMBasicBlockRef hit = hit_block(g, s, &s->set->elems[i]);
		struct val lo = gen_record_const(g, at, s->set->width);
		struct val hi = gen_record_const(g, at + s->hit->params->elem_hi, s->set->width);

		val_between(g, s->key, &lo, &hi, hit, next);
		gen_at(g, next);
	}
}

static void search_inline(struct gen *g, const struct search *s, size_t n, LLVMBasicBlockRef miss)
{
	if (n == 0)
		gen_goto(g, miss);
	else if (s->hit->params && s->hit->params->elem_hi)
		search_record(g, s, n, miss);
	else if (s->set->ranged)
		search_fields(g, s, s->set->elems, n, miss);
	else
		search_tree(g, s, s->set->elems, n, false, miss);
}

/* ---- maps ---- */

struct val gen_load_bytes(struct gen *g, LLVMValueRef from, uint32_t width)
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

/* Both go on in the same other part of the program: what it finds out again need not be told here. */
static bool same_part(const struct search *s, const struct ir_elem *a, const struct ir_elem *b)
{
	struct ir_verdict va = split_verdict(s->hit->step, &a->verdict);
	struct ir_verdict vb = split_verdict(s->hit->step, &b->verdict);

	return va.chain && va.chain->tail && va.chain == vb.chain;
}

/* The verdict's number out of the record picks the hit. */
static void follow_verdict(struct gen *g, const struct search *s, const struct set_table *t,
			   LLVMValueRef number, LLVMBasicBlockRef miss)
{
	LLVMBasicBlockRef *targets = arena_alloc(g->arena, (t->n_ranges + 1) * sizeof(*targets));
	uint32_t *numbers = arena_alloc(g->arena, (t->n_ranges + 1) * sizeof(*numbers));
	LLVMBasicBlockRef here = gen_here(g);
	uint32_t n = 0;

	if (!t->n_ranges) {
		gen_goto(g, miss);
		return;
	}
	for (uint32_t i = 0; i < t->n_ranges; i++) {
		const struct ir_elem *like = t->ranges[i].like;
		struct val record = {.width = 4};

		if (i && same_part(s, like, t->ranges[i - 1].like))
			continue;
		numbers[n] = t->ranges[i].first;
		targets[n] = gen_block(g, "hit");
		gen_at(g, targets[n]);
		record.chunk[0] = LLVMBuildSub(g->b, number, gen_i32(g, numbers[n]), "");
		s->hit->hit(g, s->hit->arg, like,
			    like->verdict.chain && like->verdict.chain->template ? &record : NULL);
		n++;
	}
	gen_at(g, here);
	gen_number_tree(g, number, numbers, targets, n);
}

static const char *map_name(struct gen *g, const struct ir_set *set, const struct set_table *t)
{
	return arena_printf(g->arena, "set_%u", g->opt->maps_elsewhere ? t->map : set->id);
}

static LLVMValueRef map_of(struct gen *g, const struct ir_set *set, const struct set_table *t)
{
	return gen_blob_global(g, map_name(g, set, t), g->opt->maps_elsewhere ? NULL : t->blob,
			       t->blob_size);
}

/* False: the look-up is in line. */
static bool is_called(struct gen *g, const struct ir_set *set, const struct set_table *t,
		      struct gen_share *ret)
{
	bool shares = g->opt->maps_elsewhere && t->shares;
	bool many = t->form == SET_FORM_BOXES ? g->ir->calls_boxes : g->ir->calls_others;

	if (!shares && !many)
		return false;
	*ret = (struct gen_share){
		.map = map_of(g, set, t),
		.name = map_name(g, set, t),
		.limit = t->info.limit,
	};
	if (!shares)
		return true;
	ret->at = t->map_offset;
	set_map_bounds(g->ir, t->map, &ret->last, &ret->limit);
	return true;
}

static LLVMValueRef find_in_blob(struct gen *g, const struct search *s, const struct set_table *t,
				 LLVMValueRef blob)
{
	struct gen_share share, *shared = is_called(g, s->set, t, &share) ? &share : NULL;
	struct val fields[CLASSIFY_MAX_FIELDS];
	uint32_t at = 0;

	if (t->form != SET_FORM_BOXES)
		return gen_blob_find(g, blob, shared, &t->info, s->key, 1);
	for (uint32_t i = 0; i < s->set->n_fields; at += s->set->field_width[i++])
		fields[i] = val_slice(g, s->key, at, s->set->field_width[i]);
	return gen_blob_find(g, blob, shared, &t->info, fields, s->set->n_fields);
}

static LLVMValueRef require_index(struct gen *g, const struct set_table *t, LLVMValueRef index,
				  LLVMBasicBlockRef miss)
{
	LLVMValueRef end = gen_i32(g, t->info.shape.capacity);

	gen_require(g, LLVMBuildICmp(g->b, LLVMIntULT, index, end, ""), miss, false);
	return index;
}

static LLVMValueRef blob_of(struct gen *g, const struct ir_set *set, const struct set_table *t)
{
	LLVMValueRef map = map_of(g, set, t), at = gen_i64(g, t->map_offset);

	return g->opt->maps_elsewhere && t->map_offset ? LLVMConstGEP2(g->i8, map, &at, 1) : map;
}

static void search_blob(struct gen *g, const struct search *s, const struct set_table *t,
			LLVMBasicBlockRef miss)
{
	LLVMValueRef blob = blob_of(g, s->set, t);
	LLVMValueRef index = require_index(g, t, find_in_blob(g, s, t, blob), miss);
	struct val data;

	if (s->set->has_timeout)
		index = require_index(g, t, gen_blob_live(g, blob, &t->info, index), miss);
	if (s->hit->broken && t->n_kinds)
		gen_elem_states(g, s->set, t, s->hit, blob, index);
	switch (s->set->kind) {
	case IR_SET:
		s->hit->hit(g, s->hit->arg, NULL, NULL);
		break;
	case IR_DATA_MAP:
		data = gen_load_bytes(g, gen_blob_value(g, blob, &t->info, t->blob, index, 0),
				  s->set->data_width);
		s->hit->hit(g, s->hit->arg, NULL, &data);
		break;
	case IR_VERDICT_MAP:
		follow_verdict(g, s, t, gen_blob_word(g, blob, &t->info, t->blob, index, 0), miss);
		break;
	}
}

/* ---- all sets ---- */

static void search_code(struct gen *g, const struct search *s)
{
	LLVMBasicBlockRef miss = s->hit->miss;
	size_t n = s->set->n_elems;

	if (n && !s->set->elems[n - 1].lo)
		miss = hit_block(g, s, &s->set->elems[--n]);
	search_inline(g, s, n, miss);
}

void gen_lookup(struct gen *g, const struct ir_set *set, const struct val *key,
		const struct set_hit *h)
{
	struct search s = {set, key, h};
	const struct set_table *t;
	char *why = NULL;
	int err = set_table_get((struct ir *)g->ir, (struct ir_set *)set, &t, &why);

	if (err) {
		gen_error(g, err, "set-form", "set %s: %s", set->name, why ? why : strerror(-err));
		free(why);
		gen_goto(g, h->miss);
	} else if (t->form == SET_FORM_CODE) {
		search_code(g, &s);
	} else if (t->form == SET_FORM_DYNAMIC) {
		gen_dynamic_find(g, set, key, h);
	} else {
		search_blob(g, &s, t, h->miss);
	}
}

static void go_to_block(struct gen *g, void *arg, const struct ir_elem *e, const struct val *data)
{
	(void)e;
	(void)data;
	gen_goto(g, arg);
}

void gen_in_set(struct gen *g, const struct ir_set *set, const struct val *key,
		const struct ir_params *params, LLVMBasicBlockRef hit, LLVMBasicBlockRef miss,
		LLVMBasicBlockRef broken)
{
	struct set_hit h = {go_to_block, hit, miss, broken, params, NULL};

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
	struct set_hit h = {join_data, &j, miss, miss, NULL, NULL};
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
