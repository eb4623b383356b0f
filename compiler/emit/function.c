/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of a program: chains and long runs of rules that are verified by themselves, once.
 *
 * A function gets the context and the frame, so slots are the program's; and returns what its caller
 * is to do: go on, or a verdict.
 */
#include "gen.h"

static void add_attribute(struct gen *g, LLVMValueRef fn, const char *name)
{
	unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));

	LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
				LLVMCreateEnumAttribute(g->ctx, kind, 0));
}

/*
 * Without nounwind LLVM makes an .eh_frame, which libbpf complains of. Inlined helpers' lines give
 * way to their caller's: what the verifier says is then about a rule.
 */
void gen_function_attributes(struct gen *g, LLVMValueRef fn, bool no_inline)
{
	static const char lines[] = "no-inline-line-tables";

	LLVMAddAttributeAtIndex(
		fn, LLVMAttributeFunctionIndex,
		LLVMCreateStringAttribute(g->ctx, lines, sizeof(lines) - 1, "", 0));
	add_attribute(g, fn, "nounwind");
	if (no_inline)
		add_attribute(g, fn, "noinline");
}

static struct gen_fn *make_function(struct gen *g, struct plan_run run)
{
	char *name = arena_printf(g->arena, "%s_%u", g->p->prog->name, g->p->n_functions++);
	LLVMTypeRef types[2] = {g->ptr, g->ptr};
	struct gen_fn *f = ARENA_NEW(g->arena, struct gen_fn);

	f->plan = plan_fn_new(g->arena, g->p->plan, run);
	f->is_callee = true;
	f->fn = LLVMAddFunction(g->mod, name, LLVMFunctionType(g->i32, types, 2, 0));
	/* Weak: nothing is concluded from how it is called. */
	LLVMSetLinkage(f->fn, LLVMWeakAnyLinkage);
	gen_function_attributes(g, f->fn, true);
	f->subprogram = gen_debug_part(g, f->fn, name, g->p->di_frame);
	f->frame = LLVMGetParam(f->fn, 1);
	return f;
}

static void gen_body(struct gen *g)
{
	LLVMBasicBlockRef null, start;

	g->f->entry = gen_block(g, "entry");
	gen_at(g, g->f->entry);
	gen_debug_at(g, g->f->subprogram, 0);
	/* A pointer argument may be NULL for all the verifier knows. */
	null = gen_block(g, "null");
	start = gen_block(g, "start");
	gen_branch(g, LLVMBuildIsNull(g->b, g->f->frame, ""), null, start, true);
	gen_at(g, null);
	LLVMBuildRet(g->b, gen_i32(g, 0));
	gen_at(g, start);
	gen_packet(g, false);
	gen_make_blocks(g);
	gen_goto(g, g->f->own.rules[0]);
	gen_run(g);
	LLVMBuildRet(g->b, gen_i32(g, 0));
}

/* Emits a function, wherever the builder stands, and comes back there. */
static struct gen_fn *gen_function_of(struct gen *g, struct plan_run run)
{
	struct gen_fn *caller = g->f, *f = make_function(g, run);
	LLVMBasicBlockRef here = gen_here(g);
	LLVMMetadataRef location = LLVMGetCurrentDebugLocation2(g->b);
	struct diag_place at = g->at;
	uint32_t chain = g->p->chain, rule = g->p->rule;

	g->f = f;
	gen_body(g);
	g->f = caller;
	g->p->chain = chain;
	g->p->rule = rule;
	g->at = at;
	gen_at(g, here);
	LLVMSetCurrentDebugLocation2(g->b, location);
	return f;
}

void gen_chain_functions(struct gen *g)
{
	const struct plan *plan = g->p->plan;

	g->p->functions = arena_alloc(g->arena, plan->n_chains * sizeof(*g->p->functions));
	for (uint32_t i = plan->n_chains; i-- > 1 && !g->error;) {
		struct plan_run all = {i, 0, plan->chains[i].n_rules, false};

		if (plan->chains[i].is_function)
			g->p->functions[i] = gen_function_of(g, all);
	}
}

void gen_call_function(struct gen *g, const struct gen_fn *f, LLVMBasicBlockRef next)
{
	uint32_t n = (uint32_t)f->n_exits + 1;
	LLVMBasicBlockRef *targets = arena_alloc(g->arena, n * sizeof(*targets));
	uint32_t *numbers = arena_alloc(g->arena, n * sizeof(*numbers));
	LLVMValueRef args[2] = {LLVMGetParam(g->f->fn, 0), g->f->frame}, said;

	said = LLVMBuildCall2(g->b, LLVMGlobalGetValueType(f->fn), f->fn, args, 2, "");
	targets[0] = next;
	for (uint32_t i = 1; i < n; i++) {
		numbers[i] = i;
		targets[i] = gen_block(g, "exit");
	}
	gen_number_tree(g, said, numbers, targets, n);
	for (uint32_t i = 1; i < n; i++) {
		const struct ir_verdict *v = &f->exits[i - 1];

		gen_at(g, targets[i]);
		if (v->chain)
			gen_tail(g, v->chain);
		else
			gen_verdict(g, v, NULL);
	}
}

void gen_part(struct gen *g, const struct plan_run *part, LLVMBasicBlockRef next)
{
	gen_call_function(g, gen_function_of(g, *part), next);
}
