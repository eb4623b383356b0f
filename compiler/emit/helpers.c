/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helpers of compiler/bpf, which the module starts with: all are known by name, but only what is
 * asked for is read, with what it calls. Reading them all would take longer than all else together for
 * a small ruleset. What was not read is dropped with what nobody calls (module.c).
 */
#include <errno.h>

#include <llvm-c/BitReader.h>

#include "gen.h"

/* bitcode.S */
extern const char gen_bitcode[], gen_bitcode_end[];

int gen_helpers_init(struct gen *g)
{
	LLVMMemoryBufferRef buf = LLVMCreateMemoryBufferWithMemoryRange(
		gen_bitcode, (size_t)(gen_bitcode_end - gen_bitcode), "nb.bc", 0);

	if (LLVMGetBitcodeModuleInContext2(g->ctx, buf, &g->mod)) {
		LLVMDisposeMemoryBuffer(buf);
		gen_error(g, -EINVAL, "bitcode", "the embedded BPF helpers cannot be read");
		return -EINVAL;
	}
	g->reader = LLVMCreateFunctionPassManagerForModule(g->mod);
	return 0;
}

void gen_helpers_fini(struct gen *g)
{
	if (g->reader)
		LLVMDisposePassManager(g->reader);
}

/*
 * A pass manager of the old kind reads a function before its passes run; it has none. What is not read
 * yet is no declaration, and has no blocks.
 */
static void read_body(struct gen *g, LLVMValueRef fn)
{
	if (LLVMIsDeclaration(fn) || LLVMGetFirstBasicBlock(fn))
		return;
	LLVMRunFunctionPassManager(g->reader, fn);
	for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b)) {
		for (LLVMValueRef i = LLVMGetFirstInstruction(b); i;
		     i = LLVMGetNextInstruction(i)) {
			for (int k = 0; k < LLVMGetNumOperands(i); k++) {
				LLVMValueRef v = LLVMIsAFunction(LLVMGetOperand(i, (unsigned)k));

				if (v)
					read_body(g, v);
			}
		}
	}
}

LLVMValueRef gen_function(struct gen *g, const char *name)
{
	LLVMValueRef fn = LLVMGetNamedFunction(g->mod, name);

	if (!fn || LLVMIsDeclaration(fn))
		return NULL;
	read_body(g, fn);
	return fn;
}

/* Whether @fn is, or calls, @what; the helpers' call graph is a handful of calls deep. */
static bool reaches(LLVMValueRef what, LLVMValueRef fn, unsigned depth)
{
	for (LLVMUseRef u = LLVMGetFirstUse(what); u && depth; u = LLVMGetNextUse(u)) {
		LLVMValueRef user = LLVMGetUser(u), caller;

		if (!LLVMIsACallInst(user))
			continue;
		caller = LLVMGetBasicBlockParent(LLVMGetInstructionParent(user));
		if (caller == fn || reaches(caller, fn, depth - 1))
			return true;
	}
	return what == fn;
}

/* Asked for each rule, and programs are callers, too: said once for each helper. */
bool gen_reaches_transport(struct gen *g, LLVMValueRef fn)
{
	struct gen_reach r = {.fn = fn};

	for (size_t i = 0; i < g->n_reach; i++)
		if (g->reach[i].fn == fn)
			return g->reach[i].transport;
	r.transport = reaches(LLVMGetNamedFunction(g->mod, "nb_l4proto"), fn, 8) ||
		      reaches(LLVMGetNamedFunction(g->mod, "nb_th"), fn, 8);
	ARENA_PUSH(g->arena, g->reach, g->n_reach, r);
	return r.transport;
}
