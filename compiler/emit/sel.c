/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Selectors: code that computes their values, in place or out of a slot.
 *
 * A kept value lives in the frame as 8-byte words, one per chunk. A chunk of up to 4 bytes is in the
 * second half of its word; the first half says whether the value is defined, and is written first,
 * which makes the whole word unknown data to the verifier. Chunks of 8 bytes are written in halves
 * for the same reason; if the value may be undefined, a word more says so.
 */
#include <errno.h>

#include "gen.h"

/* ---- slots ---- */

static bool defined_beside(uint32_t width) /* shares the word of the last chunk */
{
	return chunk_bytes(width, val_chunks(width) - 1) <= 4;
}

static bool uses_sentinel(const struct ir_sel *sel)
{
	return sel->partial && sel->width <= 3;
}

/* Offsets of kept values behind @base; returns the end. */
static uint32_t lay_out(struct gen *g, uint32_t at)
{
	struct plan *plan = g->p->plan;

	for (uint32_t c = 0; c < plan->n_chains; c++) {
		for (uint32_t k = 0; k < plan->chains[c].n_computes; k++) {
			const struct ir_sel *sel = plan->chains[c].computes[k].sel;
			struct gen_slot *slot = &g->p->slots[sel->id];

			for (uint32_t i = 0; i < val_chunks(sel->width); i++, at += 8)
				slot->value[i] = at + (chunk_bytes(sel->width, i) <= 4 ? 4 : 0);
			if (!sel->partial || uses_sentinel(sel)) {
				slot->defined = -1;
			} else if (defined_beside(sel->width)) {
				slot->defined = at - 8;
			} else {
				slot->defined = at + 4;
				at += 8;
			}
		}
	}
	return at;
}

uint32_t gen_slots_init(struct gen *g, uint32_t base)
{
	g->p->slots = arena_alloc(g->arena, MAX(g->ir->n_sels, 1u) * sizeof(*g->p->slots));
	g->p->cache = arena_alloc(g->arena, MAX(g->ir->n_sels, 1u) * sizeof(*g->p->cache));
	g->p->placing = arena_alloc(g->arena, MAX(g->ir->n_sels, 1u) * sizeof(*g->p->placing));
	return lay_out(g, base);
}

static struct val load_slot(struct gen *g, const struct ir_sel *sel)
{
	const struct gen_slot *slot = &g->p->slots[sel->id];
	struct val v = {.width = sel->width};

	for (uint32_t i = 0; i < val_chunks(sel->width); i++)
		v.chunk[i] = gen_frame_load(g, chunk_type(g, sel->width, i), slot->value[i]);
	if (uses_sentinel(sel))
		v.has_sentinel = true;
	else if (sel->partial)
		v.defined_at = slot->defined;
	return v;
}

static void store_half(struct gen *g, LLVMValueRef v, unsigned shift, uint32_t offset)
{
	if (shift)
		v = LLVMBuildLShr(g->b, v, gen_i64(g, shift), "");
	gen_frame_store(g, LLVMBuildTrunc(g->b, v, g->i32, ""), offset);
}

/* @v NULL: undefined. */
static void store_slot(struct gen *g, const struct ir_sel *sel, const struct val *v)
{
	const struct gen_slot *slot = &g->p->slots[sel->id];
	uint32_t last = val_chunks(sel->width) - 1;
	/* Zero would be remembered as such by the verifier; all ones is also the sentinel. */
	LLVMValueRef none = gen_i32(g, GEN_SENTINEL);

	if (slot->defined >= 0 && defined_beside(sel->width))
		gen_frame_store(g, gen_i32(g, v != NULL), slot->defined);
	for (uint32_t i = 0; i <= last; i++) {
		if (chunk_bytes(sel->width, i) <= 4) {
			gen_frame_store(g, v ? v->chunk[i] : none, slot->value[i]);
		} else {
			LLVMValueRef c = v ? v->chunk[i] : LLVMConstAllOnes(g->i64);

			store_half(g, c, 0, slot->value[i]);
			store_half(g, c, 32, slot->value[i] + 4);
		}
	}
	if (slot->defined >= 0 && !defined_beside(sel->width)) {
		gen_frame_store(g, none, slot->defined - 4);
		gen_frame_store(g, gen_i32(g, v ? 1 : 2), slot->defined);
	}
}

/* ---- computing ---- */

LLVMValueRef gen_chunk_array(struct gen *g, const struct val *vals, uint32_t n)
{
	LLVMTypeRef type = LLVMArrayType(g->i64, GEN_MAX_CHUNKS * MAX(n, 1u));
	LLVMValueRef array = gen_alloca(g, type, "chunks");
	uint32_t at = 0;

	for (uint32_t k = 0; k < n; k++) {
		for (uint32_t i = 0; i < val_chunks(vals[k].width); i++) {
			LLVMValueRef to = gen_i32(g, at++);

			to = LLVMBuildInBoundsGEP2(g->b, g->i64, array, &to, 1, "");
			LLVMBuildStore(g->b, LLVMBuildZExt(g->b, vals[k].chunk[i], g->i64, ""), to);
		}
	}
	return array;
}

static struct val undefined(struct gen *g, uint32_t width)
{
	struct val v = {.width = width};

	for (uint32_t i = 0; i < val_chunks(width); i++)
		v.chunk[i] = LLVMConstNull(chunk_type(g, width, i));
	return v;
}

static struct val compute_leaf(struct gen *g, const struct ir_sel *sel, LLVMBasicBlockRef fail)
{
	const struct ir_leaf *leaf = sel->leaf;
	char *name = arena_printf(g->arena, "nb_%s", leaf->helper);
	LLVMValueRef fn = gen_function(g, name), array, ok;
	LLVMValueRef args[4 + IR_LEAF_PARAMS];
	struct val v;
	unsigned n_args = 3 + IR_LEAF_PARAMS;

	if (!fn) {
		gen_error(g, -ENOSYS, "helper-missing", "%s: no BPF helper %s", leaf->name, name);
		return undefined(g, sel->width);
	}
	/* Defined also where there is no value: the verifier sees a use before the test. */
	v = undefined(g, sel->width);
	array = gen_chunk_array(g, &v, 1);
	args[0] = g->f->pkt;
	args[1] = gen_i64(g, sel->width);
	for (uint32_t i = 0; i < IR_LEAF_PARAMS; i++)
		args[2 + i] = gen_i64(g, sel->param[i]);
	args[2 + IR_LEAF_PARAMS] = array;
	if (sel->state)
		args[n_args++] = gen_state_at(g, sel->state);
	ok = LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, args, n_args, "");
	if (leaf->partial) {
		ok = LLVMBuildICmp(g->b, LLVMIntNE, ok, LLVMConstNull(LLVMTypeOf(ok)), "");
		gen_require(g, ok, fail, false);
	}
	for (uint32_t i = 0; i < val_chunks(sel->width); i++) {
		LLVMValueRef at = gen_i32(g, i), c;

		at = LLVMBuildInBoundsGEP2(g->b, g->i64, array, &at, 1, "");
		c = LLVMBuildLoad2(g->b, g->i64, at, "");
		v.chunk[i] = chunk_cast(g, c, sel->width, i);
	}
	return v;
}

static struct val compute_bitwise(struct gen *g, const struct ir_sel *sel, const struct val *a)
{
	LLVMOpcode op = sel->op == IR_AND ? LLVMAnd : sel->op == IR_OR ? LLVMOr : LLVMXor;
	struct val v = {.width = sel->width};

	for (uint32_t i = 0; i < val_chunks(sel->width); i++)
		v.chunk[i] = LLVMBuildBinOp(g->b, op, a[0].chunk[i], a[1].chunk[i], "");
	return v;
}

/* A u32 in host order, as the register holds it, and back. */
static LLVMValueRef host_number(struct gen *g, LLVMValueRef chunk)
{
	return gen_bswap(g, LLVMBuildZExt(g->b, chunk, g->i64, ""), 4);
}

static struct val host_value(struct gen *g, LLVMValueRef number)
{
	struct val v = {.width = 4};

	v.chunk[0] = LLVMBuildTrunc(g->b, gen_bswap(g, number, 4), g->i32, "");
	return v;
}

/* reciprocal_scale(), plus an offset. */
static struct val compute_scale(struct gen *g, const struct ir_sel *sel, const struct val *a)
{
	LLVMValueRef n = host_number(g, a->chunk[0]);

	n = LLVMBuildMul(g->b, n, gen_i64(g, sel->n), "");
	n = LLVMBuildLShr(g->b, n, gen_i64(g, 32), "");
	return host_value(g, LLVMBuildAdd(g->b, n, gen_i64(g, sel->m), ""));
}

static struct val compute_jhash(struct gen *g, const struct ir_sel *sel, const struct val *a)
{
	LLVMValueRef fn = gen_function(g, "nb_jhash");
	LLVMValueRef args[3] = {gen_chunk_array(g, a, 1), gen_i32(g, a->width),
				gen_i32(g, sel->n)};

	if (!fn) {
		gen_error(g, -ENOSYS, "helper-missing", "jhash: no BPF helper nb_jhash");
		return undefined(g, sel->width);
	}
	return host_value(g, LLVMBuildZExt(g->b,
					   LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn,
							  args, 3, ""),
					   g->i64, ""));
}

static struct val compute(struct gen *g, const struct ir_sel *sel, LLVMBasicBlockRef fail)
{
	struct val *a = arena_alloc(g->arena, (sel->n_args + 1) * sizeof(*a));

	for (uint32_t i = 0; i < sel->n_args; i++)
		a[i] = gen_sel_now(g, sel->args[i], fail);
	switch (sel->op) {
	case IR_CONST:
		return val_const(g, sel->bytes, sel->width);
	case IR_LEAF:
		return compute_leaf(g, sel, fail);
	case IR_AND:
	case IR_OR:
	case IR_XOR:
		return compute_bitwise(g, sel, a);
	case IR_SHL:
	case IR_SHR:
		return val_shift(g, a, sel->op, sel->n);
	case IR_BSWAP:
		return val_bswap(g, a, sel->n);
	case IR_CONCAT:
		return val_concat(g, a, sel->n_args);
	case IR_SLICE:
		return val_slice(g, a, sel->n, sel->width);
	case IR_MAP:
		return gen_map_data(g, sel->set, a, fail);
	case IR_SCALE:
		return compute_scale(g, sel, a);
	case IR_JHASH:
		return compute_jhash(g, sel, a);
	}
	return undefined(g, sel->width);
}

/* ---- use ---- */

static struct val *cached(struct gen *g, const struct ir_sel *sel)
{
	struct rule_value *rv = &g->p->cache[sel->id];

	return rv->stamp == g->p->stamp ? &rv->val : NULL;
}

static struct val *cache(struct gen *g, const struct ir_sel *sel, struct val v)
{
	struct rule_value *rv = &g->p->cache[sel->id];

	rv->stamp = g->p->stamp;
	rv->val = v;
	return &rv->val;
}

struct val *gen_sel(struct gen *g, const struct ir_sel *sel, LLVMBasicBlockRef fail)
{
	struct val *v = cached(g, sel);

	if (v)
		return v;
	if (g->p->plan->kept[sel->id] && !g->p->placing[sel->id])
		return cache(g, sel, load_slot(g, sel));
	return cache(g, sel, compute(g, sel, fail));
}

void gen_need(struct gen *g, struct val *v, LLVMBasicBlockRef fail)
{
	LLVMValueRef ok = NULL;

	if (v->has_sentinel)
		ok = LLVMBuildICmp(g->b, LLVMIntNE, v->chunk[0], gen_i32(g, GEN_SENTINEL), "");
	else if (v->defined_at)
		ok = LLVMBuildICmp(g->b, LLVMIntEQ, gen_frame_load(g, g->i32, v->defined_at),
				   gen_i32(g, 1), "");
	if (ok)
		gen_require(g, ok, fail, false);
	v->has_sentinel = false;
	v->defined_at = 0;
}

struct val gen_sel_now(struct gen *g, const struct ir_sel *sel, LLVMBasicBlockRef fail)
{
	struct val *v = gen_sel(g, sel, fail);

	gen_need(g, v, fail);
	return *v;
}

/* ---- places ---- */

static void place_one(struct gen *g, const struct ir_sel *sel)
{
	LLVMBasicBlockRef go_on = gen_block(g, "placed");
	LLVMBasicBlockRef none = sel->partial ? gen_block(g, "undefined") : go_on;
	struct val v;

	g->p->stamp++;
	g->p->placing[sel->id] = true;
	v = gen_sel_now(g, sel, none);
	g->p->placing[sel->id] = false;
	store_slot(g, sel, &v);
	gen_goto(g, go_on);
	if (sel->partial) {
		gen_at(g, none);
		store_slot(g, sel, NULL);
		gen_goto(g, go_on);
	}
	gen_at(g, go_on);
	g->p->stamp++;
}

void gen_place(struct gen *g, uint32_t chain, uint32_t rule)
{
	const struct plan_chain *pc = &g->p->plan->chains[chain];
	const struct gen_prog *p = g->p;
	uint32_t lo = 0, hi = pc->n_computes;

	if (p->transport.any && p->transport.pos.chain == chain && p->transport.pos.rule == rule)
		gen_transport(g);
	if (p->counters.any && !gen_at_start(p->counters.pos) &&
	    p->counters.pos.chain == chain && p->counters.pos.rule == rule)
		gen_counters_init(g, true);
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (pc->computes[mid].rule < rule)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < pc->n_computes && pc->computes[lo].rule == rule; lo++)
		place_one(g, pc->computes[lo].sel);
}
