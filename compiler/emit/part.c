/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts: long runs of rules as BPF functions of their own.
 *
 * A part is a global function, which the verifier looks at once and by itself. It gets the context
 * and the frame, so slots and return ids are the program's; and returns what the program is to do:
 * go on behind the run, or a verdict.
 */
#include "gen.h"

static LLVMValueRef make_function(struct gen *g, struct gen_fn *f)
{
	char *name = arena_printf(g->arena, "%s_%u", g->p->prog->name, g->p->n_parts++);
	LLVMTypeRef types[2] = {g->ptr, g->ptr};

	f->is_part = true;
	f->fn = LLVMAddFunction(g->mod, name, LLVMFunctionType(g->i32, types, 2, 0));
	/* Weak: nothing is concluded from how it is called. */
	LLVMSetLinkage(f->fn, LLVMWeakAnyLinkage);
	gen_function_attributes(g, f->fn, true);
	f->subprogram = gen_debug_part(g, f->fn, name, g->p->di_frame);
	f->frame = LLVMGetParam(f->fn, 1);
	return f->fn;
}

static void gen_rules(struct gen *g, const struct plan_part *part)
{
	const struct ir_chain *c = g->p->plan->chains[g->p->chain].chain;
	LLVMMetadataRef scope = gen_debug_chain(g, g->f->subprogram, c);
	LLVMBasicBlockRef *rules = arena_alloc(g->arena, (part->n + 1) * sizeof(*rules));
	LLVMBasicBlockRef go_on, here;

	g->f->entry = gen_block(g, "entry");
	gen_at(g, g->f->entry);
	gen_debug_at(g, g->f->subprogram, 0);
	for (uint32_t i = 0; i <= part->n; i++)
		rules[i] = gen_block(g, i < part->n ? "rule" : "end");
	/* A pointer argument may be NULL for all the verifier knows. */
	here = gen_here(g);
	go_on = gen_block(g, "start");
	gen_at(g, here);
	gen_branch(g, LLVMBuildIsNull(g->b, g->f->frame, ""), rules[part->n], go_on, true);
	gen_at(g, go_on);
	gen_packet(g, false);
	gen_goto(g, rules[0]);
	for (uint32_t i = 0; i < part->n; i++) {
		gen_at(g, rules[i]);
		gen_numbered_rule(g, part->first + i, scope, rules[i + 1]);
	}
	gen_at(g, rules[part->n]);
	gen_debug_at(g, g->f->subprogram, 0);
	LLVMBuildRet(g->b, gen_i32(g, 0));
}

static void follow(struct gen *g, LLVMValueRef said, const struct gen_fn *part,
		   LLVMBasicBlockRef next)
{
	uint32_t n = (uint32_t)part->n_exits + 1;
	LLVMBasicBlockRef *targets = arena_alloc(g->arena, n * sizeof(*targets));
	uint32_t *numbers = arena_alloc(g->arena, n * sizeof(*numbers));

	targets[0] = next;
	for (uint32_t i = 1; i < n; i++) {
		numbers[i] = i;
		targets[i] = gen_block(g, "exit");
	}
	gen_number_tree(g, said, numbers, targets, n);
	for (uint32_t i = 1; i < n; i++) {
		gen_at(g, targets[i]);
		gen_verdict(g, &part->exits[i - 1]);
	}
}

void gen_part(struct gen *g, const struct plan_part *part, LLVMBasicBlockRef next)
{
	struct gen_fn *whole = g->f, f = {0};
	LLVMBasicBlockRef here = gen_here(g);
	LLVMMetadataRef location = LLVMGetCurrentDebugLocation2(g->b);
	LLVMValueRef fn = make_function(g, &f), said;
	LLVMValueRef args[2] = {LLVMGetParam(whole->fn, 0), whole->frame};

	g->f = &f;
	gen_rules(g, part);
	g->f = whole;
	gen_at(g, here);
	LLVMSetCurrentDebugLocation2(g->b, location);
	said = LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, args, 2, "");
	follow(g, said, &f, next);
}
