/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups in the structures of classify.h: the map, the key in memory, the call.
 */
#include <errno.h>

#include "../classify/layout.h"
#include "blob.h"

enum { BPF_FUNC_ktime_get_ns = 5 };

static LLVMValueRef add_global(struct gen *g, const char *name, const char *section,
			       const void *blob, size_t size)
{
	LLVMValueRef v = LLVMGetNamedGlobal(g->mod, name);
	LLVMTypeRef type;

	if (v)
		return v;
	if (!blob)
		size = 64;
	type = LLVMArrayType(g->i8, (unsigned)size);
	v = LLVMAddGlobal(g->mod, type, name);
	LLVMSetInitializer(v, blob ? LLVMConstStringInContext(g->ctx, blob, (unsigned)size, 1) :
				     LLVMConstNull(type));
	LLVMSetSection(v, arena_printf(g->arena, ".data.%s", section));
	LLVMSetAlignment(v, 64);
	gen_debug_global(g, v, gen_debug_bytes(g, size));
	return v;
}

LLVMValueRef gen_blob_global(struct gen *g, const char *name, const void *blob, size_t size)
{
	return add_global(g, name, name, blob, size);
}

LLVMValueRef gen_blob_tables_map(struct gen *g, const struct map_place *place)
{
	return gen_blob_global(g, arena_printf(g->arena, "tables_%u", place->map), NULL, 0);
}

LLVMValueRef gen_blob_table(struct gen *g, const char *name, const void *blob, size_t size,
			    const struct map_place *place)
{
	LLVMValueRef at = gen_i64(g, place->offset), map;

	if (!g->opt->maps_elsewhere)
		return add_global(g, name, "tables", blob, size);
	map = gen_blob_tables_map(g, place);
	return place->offset ? LLVMConstGEP2(g->i8, map, &at, 1) : map;
}

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

static LLVMValueRef call(struct gen *g, const char *name, LLVMValueRef *args, uint32_t n,
			 LLVMTypeRef type)
{
	LLVMValueRef fn = gen_function(g, name);

	if (!fn) {
		gen_error(g, -ENOSYS, "helper-missing", "no BPF function %s", name);
		return LLVMConstNull(type);
	}
	return LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, args, n, "");
}

/* A look-up: @args begin with the blob and its limit and end with the key. */
static LLVMValueRef call_lookup(struct gen *g, const struct gen_share *share, const char *name,
				LLVMValueRef *args, uint32_t n, uint32_t key_size)
{
	LLVMValueRef fn = gen_function(g, name);

	if (!share || !fn)
		return call(g, name, args, n, g->i32);
	fn = gen_shared_function(g, share, name, fn, n - 1, key_size);
	args[1] = gen_i64(g, share->at);
	return LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, args + 1, n - 1, "");
}

/* The BPF functions' widths: 7 for 5 to 7 bytes, then multiples of 8. */
static uint32_t width_number(uint32_t width)
{
	return width < 8 ? 7 : ROUND_UP(width, 8u);
}

/* Boxes: each field as a number, then all of them. */
static LLVMValueRef find_box(struct gen *g, LLVMValueRef blob, const struct gen_share *share,
			     const struct classify_info *info, const struct val *fields, uint32_t n)
{
	LLVMValueRef numbers[CLASSIFY_MAX_FIELDS];
	LLVMValueRef args[4] = {blob, gen_i64(g, info->limit)};
	struct gen_share with_form;

	if (share) { /* a function for records of one form, which is a constant in there */
		with_form = *share;
		with_form.name = arena_printf(g->arena, "%s_%x", share->name,
					      (uint32_t)(info->limit >> 32));
		with_form.limit |= info->limit >> 32 << 32;
		share = &with_form;
	}
	for (uint32_t i = 0; i < n; i++) {
		numbers[i] = fields[i].chunk[0];
		if (fields[i].width <= 4)
			continue;
		store_chunks(g, &fields[i]);
		args[2] = gen_i64(g, i);
		args[3] = key_memory(g, g->i64, 0);
		numbers[i] = call_lookup(g, share,
					 arena_printf(g->arena, "nb_classify_field%u",
						      width_number(fields[i].width)),
					 args, 4, ROUND_UP(fields[i].width, 8u));
		args[1] = gen_i64(g, info->limit);
	}
	for (uint32_t i = 0; i < n; i++)
		LLVMBuildStore(g->b, numbers[i], key_memory(g, g->i32, i));
	args[2] = key_memory(g, g->i32, 0);
	return call_lookup(g, share, info->function, args, 3, CLS_FIELDS * sizeof(uint32_t));
}

LLVMValueRef gen_blob_find(struct gen *g, LLVMValueRef blob, const struct gen_share *share,
			   const struct classify_info *info, const struct val *fields, uint32_t n)
{
	LLVMValueRef args[3] = {blob, gen_i64(g, info->limit)};

	if (info->shape.kind == CLASSIFY_BOXES)
		return find_box(g, blob, share, info, fields, n);
	store_chunks(g, &fields[0]);
	args[2] = key_memory(g, g->i64, 0);
	return call_lookup(g, share, info->function, args, 3, ROUND_UP(fields[0].width, 8u));
}

/* The clock is read, which takes its time, only where there is something to compare it with. */
LLVMValueRef gen_blob_live(struct gen *g, LLVMValueRef blob, const struct classify_info *info,
			   LLVMValueRef index)
{
	LLVMTypeRef clock_type = LLVMFunctionType(g->i64, NULL, 0, 0);
	LLVMValueRef clock = LLVMConstIntToPtr(gen_i64(g, BPF_FUNC_ktime_get_ns), g->ptr);
	LLVMBasicBlockRef expires = gen_block(g, "expires"), join = gen_block(g, "live"), from[2];
	LLVMValueRef args[4] = {blob, gen_i64(g, info->limit), index}, in[2], when, phi;

	when = call(g, "nb_classify_expires", args, 3, g->i64);
	from[0] = gen_here(g);
	in[0] = index;
	gen_branch(g, LLVMBuildICmp(g->b, LLVMIntNE, when, gen_i64(g, 0), ""), expires, join, false);
	gen_at(g, expires);
	args[3] = LLVMBuildCall2(g->b, clock_type, clock, NULL, 0, "now");
	in[1] = call(g, "nb_classify_live", args, 4, g->i32);
	from[1] = gen_here(g);
	gen_goto(g, join);
	gen_at(g, join);
	phi = LLVMBuildPhi(g->b, g->i32, "");
	LLVMAddIncoming(phi, in, from, 2);
	return phi;
}

LLVMValueRef gen_blob_value(struct gen *g, LLVMValueRef blob, const struct classify_info *info,
			    const void *like, LLVMValueRef index, uint32_t offset)
{
	const char *base = like;
	LLVMValueRef at;

	/* The offset that does not vary comes last: it ends up in the load. */
	at = LLVMBuildZExt(g->b, index, g->i64, "");
	at = LLVMBuildMul(g->b, at, gen_i64(g, info->value_step), "");
	blob = LLVMBuildGEP2(g->b, g->i8, blob, &at, 1, "");
	at = gen_i64(g, (uint64_t)((const char *)classify_value(base, 0) - base) + offset);
	return LLVMBuildGEP2(g->b, g->i8, blob, &at, 1, "");
}

LLVMValueRef gen_blob_word(struct gen *g, LLVMValueRef blob, const struct classify_info *info,
			   const void *like, LLVMValueRef index, uint32_t i)
{
	LLVMValueRef at = gen_blob_value(g, blob, info, like, index, 4 * i);

	return LLVMBuildLoad2(g->b, g->i32, at, "");
}
