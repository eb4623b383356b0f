/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug info, which becomes BTF: types of maps and globals, signatures of programs, and for each
 * instruction the rule it belongs to: file "FAMILY TABLE CHAIN", line = the rule's index. So what
 * the verifier says about an instruction can be told as being about a rule.
 */
#include <stdio.h>

#include <linux/bpf.h>

#include "gen.h"

enum { DW_ATE_SIGNED = 5, DW_ATE_UNSIGNED = 7 };

static LLVMMetadataRef basic(struct gen *g, const char *name, unsigned bits, unsigned encoding)
{
	return LLVMDIBuilderCreateBasicType(g->di, name, strlen(name), bits, encoding,
					    LLVMDIFlagZero);
}

static LLVMMetadataRef pointer_to(struct gen *g, LLVMMetadataRef type)
{
	return LLVMDIBuilderCreatePointerType(g->di, type, 64, 64, 0, "", 0);
}

static LLVMMetadataRef array_of(struct gen *g, LLVMMetadataRef type, unsigned bits, uint64_t n)
{
	LLVMMetadataRef range = LLVMDIBuilderGetOrCreateSubrange(g->di, 0, (int64_t)n);

	return LLVMDIBuilderCreateArrayType(g->di, bits * n, bits, type, &range, 1);
}

void gen_debug_init(struct gen *g)
{
	g->di = LLVMCreateDIBuilder(g->mod);
	g->file = LLVMDIBuilderCreateFile(g->di, "ruleset", 7, "", 0);
	g->cu = LLVMDIBuilderCreateCompileUnit(g->di, LLVMDWARFSourceLanguageC11, g->file,
					       "nft-bpf", 7, 0, "", 0, 0, "", 0,
					       LLVMDWARFEmissionFull, 0, 0, 0, "", 0, "", 0);
	g->di_int = basic(g, "int", 32, DW_ATE_SIGNED);
	g->di_u8 = basic(g, "unsigned char", 8, DW_ATE_UNSIGNED);
	g->di_u32 = basic(g, "unsigned int", 32, DW_ATE_UNSIGNED);
	g->di_u64 = basic(g, "unsigned long long", 64, DW_ATE_UNSIGNED);
}

/* The verifier knows a context by its type's name. */
static LLVMMetadataRef context(struct gen *g)
{
	static const char *const names[] = {"state", "skb"};
	LLVMMetadataRef members[2];

	for (unsigned i = 0; i < 2; i++)
		members[i] = LLVMDIBuilderCreateMemberType(
			g->di, g->file, names[i], strlen(names[i]), g->file, 0, 64, 64, 64 * i,
			LLVMDIFlagZero, pointer_to(g, NULL));
	return pointer_to(g, LLVMDIBuilderCreateStructType(g->di, g->file, "bpf_nf_ctx", 10,
							   g->file, 0, 128, 64, LLVMDIFlagZero,
							   NULL, members, 2, 0, NULL, "", 0));
}

static LLVMMetadataRef function(struct gen *g, LLVMValueRef fn, const char *name,
				LLVMMetadataRef *types, const char *const *args, unsigned n_args)
{
	LLVMMetadataRef proto = LLVMDIBuilderCreateSubroutineType(g->di, g->file, types, n_args + 1,
								  LLVMDIFlagZero);
	LLVMMetadataRef sp = LLVMDIBuilderCreateFunction(g->di, g->file, name, strlen(name), "", 0,
							 g->file, 0, proto, 0, 1, 0,
							 LLVMDIFlagPrototyped, 0);

	/* Without a name for each argument the kernel refuses all of the BTF. */
	for (unsigned i = 0; i < n_args; i++)
		LLVMDIBuilderCreateParameterVariable(g->di, sp, args[i], strlen(args[i]), i + 1,
						     g->file, 0, types[i + 1], 1, LLVMDIFlagZero);
	LLVMSetSubprogram(fn, sp);
	return sp;
}

/* int name(struct bpf_nf_ctx *ctx) */
LLVMMetadataRef gen_debug_prog(struct gen *g, LLVMValueRef fn, const char *name)
{
	static const char *const args[] = {"ctx"};
	LLVMMetadataRef types[2] = {g->di_int, context(g)};

	return function(g, fn, name, types, args, 1);
}

/* The verifier lets a part read and write as much of its second argument as this type has. */
LLVMMetadataRef gen_debug_frame(struct gen *g, const char *name, uint32_t size)
{
	LLVMMetadataRef words = array_of(g, g->di_u64, 64, size / 8);
	LLVMMetadataRef member = LLVMDIBuilderCreateMemberType(
		g->di, g->file, "words", 5, g->file, 0, size * 8, 64, 0, LLVMDIFlagZero, words);

	return LLVMDIBuilderCreateStructType(g->di, g->file, name, strlen(name), g->file, 0,
					     size * 8, 64, LLVMDIFlagZero, NULL, &member, 1, 0,
					     NULL, "", 0);
}

LLVMMetadataRef gen_debug_part(struct gen *g, LLVMValueRef fn, const char *name,
			       LLVMMetadataRef frame)
{
	static const char *const args[] = {"ctx", "frame"};
	LLVMMetadataRef types[3] = {g->di_int, context(g), pointer_to(g, frame)};

	return function(g, fn, name, types, args, 2);
}

void gen_debug_lookup(struct gen *g, LLVMValueRef fn, const char *name, uint32_t n,
		      uint32_t key_size)
{
	static const char *const args[] = {"at", "field", "key"};
	const char *type = arena_printf(g->arena, "nb_key%u", key_size);
	LLVMMetadataRef types[4] = {g->di_int, g->di_u64, g->di_u64};
	const char *names[3] = {args[0], args[1], args[2]};

	types[n] = pointer_to(g, gen_debug_frame(g, type, key_size));
	names[n - 1] = args[2];
	function(g, fn, name, types, names, n);
}

LLVMMetadataRef gen_debug_chain(struct gen *g, LLVMMetadataRef subprogram,
				const struct ir_chain *c)
{
	char *name = arena_printf(g->arena, "%s %s %s", family_name(c->family), c->table, c->name);
	LLVMMetadataRef file = LLVMDIBuilderCreateFile(g->di, name, strlen(name), "", 0);

	return LLVMDIBuilderCreateLexicalBlockFile(g->di, subprogram, file, 0);
}

void gen_debug_at(struct gen *g, LLVMMetadataRef scope, unsigned line)
{
	LLVMSetCurrentDebugLocation2(
		g->b, LLVMDIBuilderCreateDebugLocation(g->ctx, line, 0, scope, NULL));
}

LLVMMetadataRef gen_debug_bytes(struct gen *g, uint64_t n)
{
	return array_of(g, g->di_u8, 8, n);
}

void gen_debug_global(struct gen *g, LLVMValueRef global, LLVMMetadataRef type)
{
	size_t len;
	const char *name = LLVMGetValueName2(global, &len);
	LLVMMetadataRef expr = LLVMDIBuilderCreateExpression(g->di, NULL, 0);

	LLVMGlobalSetMetadata(global, LLVMGetMDKindIDInContext(g->ctx, "dbg", 3),
			      LLVMDIBuilderCreateGlobalVariableExpression(
				      g->di, g->cu, name, len, "", 0, g->file, 0, type, 0, expr,
				      NULL, 0));
}

/* A member "T (*name)[n]" of a map definition: its value is n. */
static LLVMMetadataRef map_number(struct gen *g, const char *name, unsigned index, uint32_t n)
{
	LLVMMetadataRef type = pointer_to(g, array_of(g, g->di_int, 32, n));

	return LLVMDIBuilderCreateMemberType(g->di, g->file, name, strlen(name), g->file, 0, 64, 64,
					     index * 64, LLVMDIFlagZero, type);
}

/*
 * A map definition as libbpf reads it: a global of pointers in .maps, its debug type
 * struct { int (*type)[T]; int (*max_entries)[N]; int (*key_size)[K]; int (*value_size)[V]; … }.
 */
static LLVMValueRef map_global(struct gen *g, const char *name, LLVMValueRef init,
			       LLVMMetadataRef *members, unsigned n, unsigned bits)
{
	LLVMValueRef map = LLVMAddGlobal(g->mod, LLVMTypeOf(init), name);
	LLVMMetadataRef st = LLVMDIBuilderCreateStructType(
		g->di, g->file, "", 0, g->file, 0, bits, 64, LLVMDIFlagZero, NULL, members, n, 0,
		NULL, "", 0);

	LLVMSetInitializer(map, init);
	LLVMSetSection(map, ".maps");
	LLVMSetAlignment(map, 8);
	gen_debug_global(g, map, st);
	return map;
}

LLVMValueRef gen_map(struct gen *g, const char *name, uint32_t type, uint32_t key_size,
		     uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	LLVMMetadataRef members[5] = {
		map_number(g, "type", 0, type), map_number(g, "max_entries", 1, max_entries),
		map_number(g, "key_size", 2, key_size), map_number(g, "value_size", 3, value_size),
		flags ? map_number(g, "map_flags", 4, flags) : NULL};
	unsigned n = flags ? 5 : 4;

	return map_global(g, name, LLVMConstNull(LLVMArrayType(g->ptr, n)), members, n, n * 64);
}

/* { … ; int (*values[])(void *) } */
LLVMValueRef gen_map_programs(struct gen *g, const char *name, LLVMValueRef *fns, uint32_t n)
{
	LLVMMetadataRef types[2] = {g->di_int, pointer_to(g, NULL)};
	LLVMMetadataRef fn = LLVMDIBuilderCreateSubroutineType(g->di, g->file, types, 2,
							       LLVMDIFlagZero);
	LLVMMetadataRef members[5] = {
		map_number(g, "type", 0, BPF_MAP_TYPE_PROG_ARRAY),
		map_number(g, "max_entries", 1, n), map_number(g, "key_size", 2, 4),
		map_number(g, "value_size", 3, 4),
		LLVMDIBuilderCreateMemberType(g->di, g->file, "values", 6, g->file, 0, 0, 64, 4 * 64,
					      LLVMDIFlagZero, array_of(g, pointer_to(g, fn), 64, 0))};
	LLVMValueRef init[2] = {LLVMConstNull(LLVMArrayType(g->ptr, 4)),
				LLVMConstArray(g->ptr, fns, n)};

	return map_global(g, name, LLVMConstStructInContext(g->ctx, init, 2, 0), members, 5, 5 * 64);
}
