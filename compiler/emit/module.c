/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From bitcode to object: the module starts as the helpers of compiler/bpf; when the programs have
 * been added, helpers that nobody calls are dropped, the rest is inlined, and BPF code comes out.
 *
 * The pipeline must begin with default<O0>: the passes that lower CO-RE accesses hang on it. It must
 * not be a higher one: merged and kept-alive values make the verifier's work explode. No early-cse
 * either: values would be kept alive across rules and spill. SROA comes twice, since only constants
 * found behind the first one tell which elements of the helpers' arrays are meant.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include "gen.h"

#define LOWER_AND_INLINE "default<O0>"
#define SIMPLIFY	 "function(sroa,sccp,instsimplify,sroa,sccp,instsimplify)"
#define CLEAN_UP	 "function(instsimplify,dse,adce),globaldce"

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *arg)
{
	struct gen *g = arg;
	LLVMDiagnosticSeverity severity = LLVMGetDiagInfoSeverity(info);
	char *text;

	if (severity != LLVMDSError && severity != LLVMDSWarning)
		return;
	text = LLVMGetDiagInfoDescription(info);
	if (severity == LLVMDSError)
		gen_error(g, -EINVAL, "llvm", "LLVM: %s", text);
	else
		diag_add(g->ds, DIAG_WARNING, "llvm", NULL, "LLVM: %s", text);
	LLVMDisposeMessage(text);
}

static int make_target(struct gen *g)
{
	const char *cpu = g->opt->cpu ? g->opt->cpu : "v3";
	LLVMTargetRef target;
	char *why = NULL;

	LLVMInitializeBPFTargetInfo();
	LLVMInitializeBPFTarget();
	LLVMInitializeBPFTargetMC();
	LLVMInitializeBPFAsmPrinter();
	LLVMInitializeBPFAsmParser();
	if (LLVMGetTargetFromTriple("bpfel", &target, &why)) {
		gen_error(g, -ENOTSUP, "llvm", "LLVM has no BPF target: %s", why);
		LLVMDisposeMessage(why);
		return -ENOTSUP;
	}
	g->tm = LLVMCreateTargetMachine(target, "bpfel", cpu, "", LLVMCodeGenLevelDefault,
					LLVMRelocDefault, LLVMCodeModelDefault);
	return 0;
}

static void set_target(struct gen *g)
{
	char *triple = LLVMGetTargetMachineTriple(g->tm);
	LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(g->tm);

	LLVMSetTarget(g->mod, triple);
	LLVMDisposeMessage(triple);
	LLVMSetModuleDataLayout(g->mod, layout);
	LLVMDisposeTargetData(layout);
}

int gen_init(struct gen *g)
{
	int err;

	g->ctx = LLVMContextCreate();
	LLVMContextSetDiagnosticHandler(g->ctx, on_diagnostic, g);
	err = make_target(g);
	if (!err)
		err = gen_helpers_init(g);
	if (err)
		return err;
	set_target(g);
	g->b = LLVMCreateBuilderInContext(g->ctx);
	g->i1 = LLVMInt1TypeInContext(g->ctx);
	g->i8 = LLVMInt8TypeInContext(g->ctx);
	g->i16 = LLVMInt16TypeInContext(g->ctx);
	g->i32 = LLVMInt32TypeInContext(g->ctx);
	g->i64 = LLVMInt64TypeInContext(g->ctx);
	g->ptr = LLVMPointerTypeInContext(g->ctx, 0);
	g->md_prof = LLVMGetMDKindIDInContext(g->ctx, "prof", 4);
	gen_debug_init(g);
	return 0;
}

void gen_fini(struct gen *g)
{
	if (g->di)
		LLVMDisposeDIBuilder(g->di);
	if (g->b)
		LLVMDisposeBuilder(g->b);
	gen_helpers_fini(g);
	if (g->mod)
		LLVMDisposeModule(g->mod);
	if (g->tm)
		LLVMDisposeTargetMachine(g->tm);
	LLVMContextDispose(g->ctx);
}

/* libbpf's helper_defs.h has helpers as variables with their number: calls need it as a constant. */
static void fix_helpers(struct gen *g)
{
	for (LLVMValueRef v = LLVMGetFirstGlobal(g->mod); v; v = LLVMGetNextGlobal(v)) {
		size_t len;
		const char *name = LLVMGetValueName2(v, &len);

		if (LLVMGetLinkage(v) == LLVMInternalLinkage && strncmp(name, "bpf_", 4) == 0)
			LLVMSetGlobalConstant(v, 1);
	}
}

static bool is_program(LLVMValueRef f)
{
	const char *section = LLVMGetSection(f);

	return !LLVMIsDeclaration(f) && section && *section;
}

/* By code: what the lists of "used" things were made of outlives them. */
static bool is_used(LLVMValueRef f)
{
	for (LLVMUseRef u = LLVMGetFirstUse(f); u; u = LLVMGetNextUse(u))
		if (LLVMIsAInstruction(LLVMGetUser(u)))
			return true;
	return false;
}

static bool is_function_of_its_own(LLVMValueRef f)
{
	unsigned kind = LLVMGetEnumAttributeKindForName("noinline", 8);

	return LLVMGetEnumAttributeAtIndex(f, LLVMAttributeFunctionIndex, kind) != NULL;
}

/*
 * "used" kept the helpers alive until here: what is not called goes (most of it was never read), the
 * rest will be inlined, but for functions of their own: hidden, which tells libbpf that they are static in BTF, too.
 */
static void drop_unused(struct gen *g)
{
	static const char *const keep[] = {"llvm.compiler.used", "llvm.used"};
	bool again = true;

	for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
		LLVMValueRef list = LLVMGetNamedGlobal(g->mod, keep[i]);

		if (list)
			LLVMDeleteGlobal(list);
	}
	while (again) {
		LLVMValueRef next;

		again = false;
		for (LLVMValueRef f = LLVMGetFirstFunction(g->mod); f; f = next) {
			next = LLVMGetNextFunction(f);
			if (is_used(f) || is_program(f))
				continue;
			LLVMDeleteFunction(f);
			again = true;
		}
	}
	for (LLVMValueRef f = LLVMGetFirstFunction(g->mod); f; f = LLVMGetNextFunction(f)) {
		assert(LLVMIsDeclaration(f) || LLVMGetFirstBasicBlock(f)); /* read (helpers.c) */
		if (!LLVMIsDeclaration(f) && LLVMGetVisibility(f) == LLVMHiddenVisibility &&
		    !is_function_of_its_own(f)) {
			LLVMSetVisibility(f, LLVMDefaultVisibility);
			LLVMSetLinkage(f, LLVMInternalLinkage);
		}
	}
}

/*
 * What is not defined on some way becomes zero: such values are copied and spilled all the same, and
 * the verifier refuses to read a register that was never written.
 */
static void define_all(struct gen *g)
{
	for (LLVMValueRef f = LLVMGetFirstFunction(g->mod); f; f = LLVMGetNextFunction(f)) {
		for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b;
		     b = LLVMGetNextBasicBlock(b)) {
			for (LLVMValueRef i = LLVMGetFirstInstruction(b); i;
			     i = LLVMGetNextInstruction(i)) {
				for (int k = 0; k < LLVMGetNumOperands(i); k++) {
					LLVMValueRef v = LLVMGetOperand(i, (unsigned)k);

					if (LLVMIsUndef(v) || LLVMIsPoison(v))
						LLVMSetOperand(i, (unsigned)k,
							       LLVMConstNull(LLVMTypeOf(v)));
				}
			}
		}
	}
}

static int run_passes(struct gen *g, const char *passes)
{
	LLVMPassBuilderOptionsRef opt = LLVMCreatePassBuilderOptions();
	LLVMErrorRef err = LLVMRunPasses(g->mod, passes, g->tm, opt);

	LLVMDisposePassBuilderOptions(opt);
	if (err) {
		char *text = LLVMGetErrorMessage(err);

		gen_error(g, -EINVAL, "llvm", "LLVM: %s", text);
		LLVMDisposeErrorMessage(text);
		return -EINVAL;
	}
	return 0;
}

static int optimise(struct gen *g)
{
	int err = run_passes(g, LOWER_AND_INLINE);

	if (!err)
		err = run_passes(g, SIMPLIFY);
	if (err)
		return err;
	define_all(g);
	return run_passes(g, CLEAN_UP);
}

static int emit_file(struct gen *g, LLVMCodeGenFileType type, void **ret, size_t *ret_size)
{
	LLVMMemoryBufferRef buf;
	char *why = NULL;
	char *copy;
	size_t size;

	if (LLVMTargetMachineEmitToMemoryBuffer(g->tm, g->mod, type, &why, &buf)) {
		gen_error(g, -EINVAL, "llvm", "LLVM: %s", why);
		LLVMDisposeMessage(why);
		return -EINVAL;
	}
	size = LLVMGetBufferSize(buf);
	copy = malloc(size + 1);
	if (copy) {
		memcpy(copy, LLVMGetBufferStart(buf), size);
		copy[size] = '\0';
		*ret = copy;
		*ret_size = size;
	}
	LLVMDisposeMemoryBuffer(buf);
	return copy ? 0 : -ENOMEM;
}

static int emit_assembly(struct gen *g, struct emitted *ret)
{
	/* Emission changes the module: a copy for the text. */
	LLVMModuleRef whole = g->mod;
	size_t size;
	int err;

	g->mod = LLVMCloneModule(whole);
	err = emit_file(g, LLVMAssemblyFile, (void **)&ret->assembly, &size);
	LLVMDisposeModule(g->mod);
	g->mod = whole;
	return err;
}

int gen_finish(struct gen *g, struct emitted *ret)
{
	char *why = NULL;
	int err;

	LLVMDIBuilderFinalize(g->di);
	fix_helpers(g);
	drop_unused(g);
	if (LLVMVerifyModule(g->mod, LLVMReturnStatusAction, &why))
		gen_error(g, -EINVAL, "llvm", "the generated module is malformed: %s", why);
	LLVMDisposeMessage(why);
	if (getenv("NFT_BPF_EMIT_RAW"))
		LLVMPrintModuleToFile(g->mod, getenv("NFT_BPF_EMIT_RAW"), NULL);
	if (g->error)
		return g->error;
	err = optimise(g);
	if (!err && g->opt->want_llvm) {
		char *text = LLVMPrintModuleToString(g->mod);

		ret->llvm = strdup(text);
		LLVMDisposeMessage(text);
	}
	if (!err && g->opt->want_asm)
		err = emit_assembly(g, ret);
	if (!err)
		err = emit_file(g, LLVMObjectFile, &ret->object, &ret->size);
	return err ? err : g->error;
}
