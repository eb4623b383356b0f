/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tail calls to parts of a program (split.h), and the map that they go through.
 */
#include <linux/netfilter.h>

#include "gen.h"

/*
 * Stands in for the map, whose size is known last.
 */
static LLVMValueRef parts_map(struct gen *g)
{
	if (!g->parts)
		g->parts = LLVMAddGlobal(g->mod, g->i8, "nb_parts_later");
	return g->parts;
}

/*
 * The helper's arguments in their registers; assembly, so that LLVM cannot merge two calls: with a
 * constant slot the JIT makes it a direct jump.
 */
static void tail_call(struct gen *g, LLVMValueRef map, uint32_t slot)
{
	/* Not constant: LLVM 17 and older want it so. */
	static char code[] = "r2 = $1 ll\n\tr3 = $2\n\tcall 12";
	static char regs[] =
		"={r1},i,i,0,~{r0},~{r2},~{r3},~{r4},~{r5},~{memory}";
	LLVMTypeRef args[3] = {g->ptr, g->i32, g->ptr};
	LLVMTypeRef type = LLVMFunctionType(g->ptr, args, 3, 0);
	LLVMValueRef fn = LLVMGetInlineAsm(type, code, sizeof(code) - 1, regs, sizeof(regs) - 1, 1, 0,
					   LLVMInlineAsmDialectATT, 0);
	LLVMValueRef in[3] = {map, gen_i32(g, slot), LLVMGetParam(g->f->fn, 0)};

	LLVMBuildCall2(g->b, type, fn, in, 3, "");
}

/*
 * Behind the call is who took the programs out of the map. What the other rules say is not known
 * then, so the packet is dropped; but where the interpreter has them, too, it is left to that.
 */
void gen_tail_call(struct gen *g, uint32_t slot)
{
	bool is_front = g->p->prog->bases[0]->is_front;

	tail_call(g, parts_map(g), slot);
	LLVMBuildRet(g->b, gen_i32(g, is_front ? NF_ACCEPT : NF_DROP));
}

void gen_parts(struct gen *g)
{
	LLVMValueRef map;

	if (!g->parts)
		return;
	map = gen_map_programs(g, "nb_parts", g->part_fns, g->n_parts);
	LLVMReplaceAllUsesWith(g->parts, map);
	LLVMDeleteGlobal(g->parts);
}
