/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers, branches, and values as chunks.
 */
#include "gen.h"

LLVMValueRef gen_i32(struct gen *g, uint32_t v)
{
	return LLVMConstInt(g->i32, v, 0);
}

LLVMValueRef gen_i64(struct gen *g, uint64_t v)
{
	return LLVMConstInt(g->i64, v, 0);
}

/* ---- blocks ---- */

LLVMBasicBlockRef gen_block(struct gen *g, const char *name)
{
	return LLVMAppendBasicBlockInContext(g->ctx, g->f->fn, name);
}

LLVMBasicBlockRef gen_here(struct gen *g)
{
	return LLVMGetInsertBlock(g->b);
}

void gen_at(struct gen *g, LLVMBasicBlockRef bb)
{
	LLVMPositionBuilderAtEnd(g->b, bb);
}

void gen_goto(struct gen *g, LLVMBasicBlockRef bb)
{
	LLVMBuildBr(g->b, bb);
}

static LLVMMetadataRef number(struct gen *g, uint32_t v)
{
	return LLVMValueAsMetadata(gen_i32(g, v));
}

/* The weights decide the layout: what is likely falls through. */
void gen_branch(struct gen *g, LLVMValueRef cond, LLVMBasicBlockRef then, LLVMBasicBlockRef other,
		bool rare)
{
	LLVMValueRef br = LLVMBuildCondBr(g->b, cond, then, other);
	LLVMMetadataRef md[3] = {LLVMMDStringInContext2(g->ctx, "branch_weights", 14),
				 number(g, rare ? 1 : 64), number(g, rare ? 64 : 1)};

	LLVMSetMetadata(br, g->md_prof,
			LLVMMetadataAsValue(g->ctx, LLVMMDNodeInContext2(g->ctx, md, 3)));
}

void gen_require(struct gen *g, LLVMValueRef cond, LLVMBasicBlockRef fail, bool rare)
{
	LLVMBasicBlockRef go_on = gen_block(g, "");

	gen_branch(g, cond, go_on, fail, rare);
	gen_at(g, go_on);
}

LLVMValueRef gen_alloca(struct gen *g, LLVMTypeRef type, const char *name)
{
	LLVMBasicBlockRef here = gen_here(g);
	LLVMMetadataRef location = LLVMGetCurrentDebugLocation2(g->b);
	LLVMValueRef first = LLVMGetFirstInstruction(g->f->entry), slot;

	if (first)
		LLVMPositionBuilderBefore(g->b, first);
	else
		gen_at(g, g->f->entry);
	slot = LLVMBuildAlloca(g->b, type, name);
	LLVMSetAlignment(slot, 8);
	gen_at(g, here);
	/* The builder has taken over that of the instruction it stood at. */
	LLVMSetCurrentDebugLocation2(g->b, location);
	return slot;
}

/* ---- the frame: stack that the verifier takes for unknown data ---- */

static LLVMValueRef frame_at(struct gen *g, uint32_t offset)
{
	LLVMValueRef i = gen_i32(g, offset);

	return LLVMBuildInBoundsGEP2(g->b, g->i8, g->f->frame, &i, 1, "");
}

LLVMValueRef gen_frame_load(struct gen *g, LLVMTypeRef type, uint32_t offset)
{
	LLVMValueRef v = LLVMBuildLoad2(g->b, type, frame_at(g, offset), "");

	LLVMSetVolatile(v, 1);
	return v;
}

void gen_frame_store(struct gen *g, LLVMValueRef v, uint32_t offset)
{
	LLVMSetVolatile(LLVMBuildStore(g->b, v, frame_at(g, offset)), 1);
}

/* In the frame where functions share it. */
LLVMValueRef gen_key_buffer(struct gen *g)
{
	if (g->p->key_at)
		return frame_at(g, g->p->key_at);
	if (!g->f->key)
		g->f->key = gen_alloca(g, LLVMArrayType(g->i8, IR_MAX_WIDTH), "key");
	return g->f->key;
}

/* ---- chunks ---- */

LLVMTypeRef chunk_type(struct gen *g, uint32_t width, uint32_t i)
{
	return chunk_bytes(width, i) <= 4 ? g->i32 : g->i64;
}

uint64_t bytes_chunk(const uint8_t *bytes, uint32_t width, uint32_t i)
{
	uint64_t v = 0;

	for (uint32_t k = 0; k < chunk_bytes(width, i); k++)
		v = v << 8 | bytes[8 * i + k];
	return v;
}

static LLVMValueRef chunk_const(struct gen *g, const uint8_t *bytes, uint32_t width, uint32_t i)
{
	return LLVMConstInt(chunk_type(g, width, i), bytes_chunk(bytes, width, i), 0);
}

/* A number of any size as chunk @i of a value of @width. */
LLVMValueRef chunk_cast(struct gen *g, LLVMValueRef v, uint32_t width, uint32_t i)
{
	return LLVMBuildIntCast2(g->b, v, chunk_type(g, width, i), 0, "");
}

/* Bytes @first … @first + @n - 1 (@n up to 8) as an i64. */
static LLVMValueRef val_bytes(struct gen *g, const struct val *v, uint32_t first, uint32_t n)
{
	LLVMValueRef all = NULL;

	while (n > 0) {
		uint32_t i = first / 8, in = first % 8, have = chunk_bytes(v->width, i);
		uint32_t take = MIN(n, have - in), below = have - in - take;
		LLVMValueRef c = LLVMBuildZExt(g->b, v->chunk[i], g->i64, "");

		if (below)
			c = LLVMBuildLShr(g->b, c, gen_i64(g, 8 * below), "");
		if (in)
			c = LLVMBuildAnd(g->b, c, gen_i64(g, (1ull << (8 * take)) - 1), "");
		if (all) {
			all = LLVMBuildShl(g->b, all, gen_i64(g, 8 * take), "");
			c = LLVMBuildOr(g->b, all, c, "");
		}
		all = c;
		first += take;
		n -= take;
	}
	return all;
}

struct val val_const(struct gen *g, const uint8_t *bytes, uint32_t width)
{
	struct val v = {.width = width};

	for (uint32_t i = 0; i < val_chunks(width); i++)
		v.chunk[i] = chunk_const(g, bytes, width, i);
	return v;
}

struct val val_slice(struct gen *g, const struct val *v, uint32_t first, uint32_t width)
{
	struct val r = {.width = width};

	for (uint32_t i = 0; i < val_chunks(width); i++) {
		r.chunk[i] = val_bytes(g, v, first + 8 * i, chunk_bytes(width, i));
		r.chunk[i] = chunk_cast(g, r.chunk[i], width, i);
	}
	return r;
}

struct val val_concat(struct gen *g, const struct val *parts, uint32_t n)
{
	struct val r = {0};
	uint32_t part = 0, in = 0;

	for (uint32_t k = 0; k < n; k++)
		r.width += parts[k].width;
	for (uint32_t i = 0; i < val_chunks(r.width); i++) {
		LLVMValueRef all = gen_i64(g, 0);
		uint32_t want = chunk_bytes(r.width, i);

		while (want > 0) {
			uint32_t take = MIN(want, parts[part].width - in);

			if (take < 8)
				all = LLVMBuildShl(g->b, all, gen_i64(g, 8 * take), "");
			else
				all = gen_i64(g, 0);
			all = LLVMBuildOr(g->b, all, val_bytes(g, &parts[part], in, take), "");
			want -= take;
			in += take;
			if (in == parts[part].width) {
				part++;
				in = 0;
			}
		}
		r.chunk[i] = chunk_cast(g, all, r.width, i);
	}
	return r;
}

/* The low @bytes bytes of an i64 reversed. */
LLVMValueRef gen_bswap(struct gen *g, LLVMValueRef v, uint32_t bytes)
{
	unsigned id = LLVMLookupIntrinsicID("llvm.bswap", 10);
	LLVMTypeRef type = bytes == 2 ? g->i16 : bytes == 4 ? g->i32 : g->i64;
	LLVMValueRef fn = LLVMGetIntrinsicDeclaration(g->mod, id, &type, 1);

	v = LLVMBuildTrunc(g->b, v, type, "");
	v = LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, &v, 1, "");
	return LLVMBuildZExt(g->b, v, g->i64, "");
}

/* Bytes reversed in each unit; units do not cross chunks. */
struct val val_bswap(struct gen *g, const struct val *v, uint32_t unit)
{
	struct val r = {.width = v->width};

	for (uint32_t i = 0; i < val_chunks(v->width); i++) {
		LLVMValueRef all = gen_i64(g, 0);

		for (uint32_t at = 0; at < chunk_bytes(v->width, i); at += unit) {
			LLVMValueRef u = val_bytes(g, v, 8 * i + at, unit);

			if (unit < 8)
				all = LLVMBuildShl(g->b, all, gen_i64(g, 8 * unit), "");
			all = LLVMBuildOr(g->b, all, gen_bswap(g, u, unit), "");
		}
		r.chunk[i] = chunk_cast(g, all, v->width, i);
	}
	return r;
}

/*
 * nft_bitwise_eval_lshift(), …_rshift(): over the register's 32-bit words in host order, the carry
 * going from the last word to the first (left) or the other way.
 */
struct val val_shift(struct gen *g, const struct val *v, enum ir_op op, uint32_t bits)
{
	uint32_t n = (v->width + 3) / 4;
	struct val words[IR_MAX_WIDTH / 4], all;
	LLVMValueRef carry = gen_i64(g, 0);

	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = op == IR_SHL ? n - 1 - k : k;
		uint32_t have = MIN(v->width - 4 * i, 4u);
		LLVMValueRef w = val_bytes(g, v, 4 * i, have), out;

		/* Bytes of the register behind the value are zero. */
		w = LLVMBuildShl(g->b, w, gen_i64(g, 8 * (4 - have)), "");
		w = gen_bswap(g, w, 4);
		if (op == IR_SHL) {
			out = LLVMBuildOr(g->b, LLVMBuildShl(g->b, w, gen_i64(g, bits), ""), carry,
					  "");
			carry = LLVMBuildLShr(g->b, w, gen_i64(g, 32 - bits), "");
		} else {
			out = LLVMBuildOr(g->b, LLVMBuildLShr(g->b, w, gen_i64(g, bits), ""), carry,
					  "");
			carry = LLVMBuildShl(g->b, w, gen_i64(g, 32 - bits), "");
		}
		words[i].width = 4;
		words[i].chunk[0] = LLVMBuildTrunc(g->b, gen_bswap(g, out, 4), g->i32, "");
	}
	all = val_concat(g, words, n);
	return val_slice(g, &all, 0, v->width);
}
