/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups by global functions, one for a map and each kind of look-up, which is told where in the map
 * the blob begins (set_place.c, table_place.c). The verifier goes through it once, not once for every set
 * and place where one is looked up (calls.c).
 */
#include "blob.h"

enum { MAX_ARGS = 3 };

static LLVMValueRef add_function(struct gen *g, const char *name, uint32_t n, uint32_t key_size)
{
	LLVMTypeRef types[MAX_ARGS] = {g->i64, g->i64, g->i64};
	LLVMValueRef fn;

	types[n - 1] = g->ptr;
	fn = LLVMAddFunction(g->mod, name, LLVMFunctionType(g->i32, types, n, 0));
	/* Weak: nothing is concluded from how it is called, or from what it does. */
	LLVMSetLinkage(fn, LLVMWeakAnyLinkage);
	gen_function_attributes(g, fn, true);
	gen_debug_lookup(g, fn, name, n, key_size);
	return fn;
}

/* @at, or 0 if it is none of the blobs': the verifier knows then that it is in the map. */
static LLVMValueRef blob_at(struct gen *g, const struct gen_share *s, LLVMValueRef at)
{
	LLVMValueRef known = LLVMBuildICmp(g->b, LLVMIntULE, at, gen_i64(g, s->last), "");

	at = LLVMBuildSelect(g->b, known, at, gen_i64(g, 0), "");
	return LLVMBuildGEP2(g->b, g->i8, s->map, &at, 1, "");
}

static void fill(struct gen *g, const struct gen_share *s, LLVMValueRef fn, LLVMValueRef target,
		 uint32_t n)
{
	LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(g->ctx, fn, "entry");
	LLVMBasicBlockRef null = LLVMAppendBasicBlockInContext(g->ctx, fn, "null");
	LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(g->ctx, fn, "start");
	LLVMValueRef args[MAX_ARGS + 1] = {NULL, gen_i64(g, s->limit)}, key, found;
	unsigned inlined = LLVMGetEnumAttributeKindForName("alwaysinline", 12);

	gen_at(g, entry);
	gen_debug_at(g, LLVMGetSubprogram(fn), 0);
	/* A pointer argument may be NULL for all the verifier knows. */
	key = LLVMGetParam(fn, n - 1);
	LLVMBuildCondBr(g->b, LLVMBuildIsNull(g->b, key, ""), null, start);
	gen_at(g, null);
	LLVMBuildRet(g->b, gen_i32(g, CLASSIFY_MISS));
	gen_at(g, start);
	args[0] = blob_at(g, s, LLVMGetParam(fn, 0));
	for (uint32_t i = 1; i < n; i++)
		args[i + 1] = LLVMGetParam(fn, i);
	found = LLVMBuildCall2(g->b, LLVMGlobalGetValueType(target), target, args, n + 1, "");
	LLVMAddCallSiteAttribute(found, LLVMAttributeFunctionIndex,
				 LLVMCreateEnumAttribute(g->ctx, inlined, 0));
	LLVMBuildRet(g->b, found);
}

LLVMValueRef gen_shared_function(struct gen *g, const struct gen_share *s, const char *what,
				 LLVMValueRef target, uint32_t n, uint32_t key_size)
{
	const char *name = arena_printf(g->arena, "nb_shared_%s_%s", s->name, what);
	LLVMValueRef fn = LLVMGetNamedFunction(g->mod, name);
	LLVMMetadataRef location;
	LLVMBasicBlockRef here;

	if (fn)
		return fn;
	here = gen_here(g);
	location = LLVMGetCurrentDebugLocation2(g->b);
	fn = add_function(g, name, n, key_size);
	fill(g, s, fn, target, n);
	gen_at(g, here);
	LLVMSetCurrentDebugLocation2(g->b, location);
	return fn;
}
