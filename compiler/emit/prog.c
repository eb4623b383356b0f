/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One program: its own function, with the frame and the packet as rules see it.
 */
#include <errno.h>

#include "gen.h"

enum {
	FRAME_FIXED = 16, /* struct nb_frame of bpf/nb.h */
	STACK = 512,
	STACK_SPARE = 224, /* registers spilled, keys, and frames of helpers that are called */
	STACK_CALL = 96,   /* the same of a function of the program */
};

static void make_function(struct gen *g)
{
	struct gen_prog *p = g->p;
	LLVMTypeRef type = LLVMFunctionType(g->i32, &g->ptr, 1, 0);

	g->f->fn = LLVMAddFunction(g->mod, p->prog->name, type);
	LLVMSetSection(g->f->fn, arena_printf(g->arena, "netfilter/%s", p->prog->name));
	gen_function_attributes(g, g->f->fn, false);
	g->f->subprogram = gen_debug_prog(g, g->f->fn, p->prog->name);
	g->f->entry = gen_block(g, "entry");
	gen_at(g, g->f->entry);
	gen_debug_at(g, g->f->subprogram, 0);
}

static void lay_out_frame(struct gen *g)
{
	struct gen_prog *p = g->p;
	uint32_t at = FRAME_FIXED, used;

	if (p->counters.any) {
		p->len_at = at;
		p->cpu_at = at + 4;
		at += 8;
	}
	if (p->plan->n_functions && p->needs_key) {
		p->key_at = at;
		at += IR_MAX_WIDTH;
	}
	p->member_at = at;
	if (p->plan->n_functions)
		at += 8;
	p->records_at = at;
	at += ROUND_UP(4 * p->plan->n_record_levels, 8u);
	used = at + STACK_SPARE + STACK_CALL * p->plan->call_depth +
	       8 * (1 + g->f->plan->n_levels);
	plan_place(g->arena, g->ir, p->plan, used < STACK ? STACK - used : 0);
	p->frame_size = gen_slots_init(g, at);
	if (p->plan->n_functions)
		p->di_frame = gen_debug_frame(
			g, arena_printf(g->arena, "%s_frame", p->prog->name), p->frame_size);
}

/* Its address leaves LLVM's sight, so that loads and stores stay what they are. */
static void make_frame(struct gen *g)
{
	LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(g->ctx), &g->ptr, 1, 0);
	LLVMValueRef seen = LLVMGetInlineAsm(type, "", 0, "r", 1, 1, 0,
					     LLVMInlineAsmDialectATT, 0);

	lay_out_frame(g);
	g->f->frame = gen_alloca(g, LLVMArrayType(g->i8, g->p->frame_size), "frame");
	LLVMBuildCall2(g->b, type, seen, &g->f->frame, 1, "");
}

void gen_transport(struct gen *g)
{
	LLVMValueRef fn = gen_function(g, "nb_transport_init");

	if (!fn) {
		gen_error(g, -EINVAL, "bitcode", "the embedded BPF helpers lack nb_transport_init");
		return;
	}
	LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, &g->f->pkt, 1, "");
}

void gen_packet(struct gen *g, bool is_new)
{
	LLVMTypeRef type = LLVMGetTypeByName2(g->ctx, "struct.nb_pkt");
	LLVMValueRef init = gen_function(g, "nb_pkt_init");
	LLVMValueRef args[4];

	if (!type || !init) {
		gen_error(g, -EINVAL, "bitcode", "the embedded BPF helpers lack nb_pkt_init");
		return;
	}
	g->f->pkt = gen_alloca(g, type, "pkt");
	args[0] = g->f->pkt;
	args[1] = g->f->frame;
	args[2] = LLVMGetParam(g->f->fn, 0);
	args[3] = LLVMConstInt(g->i8, g->p->prog->pf, 0);
	LLVMBuildCall2(g->b, LLVMGlobalGetValueType(init), init, args, 4, "");
	if (!g->p->counters.any)
		return;
	g->f->counters = gen_alloca(g, g->ptr, "counters");
	if (!is_new || gen_at_start(g->p->counters.pos))
		gen_counters_init(g, is_new);
}

static void gen_bases(struct gen *g)
{
	struct gen_prog *p = g->p;

	for (uint32_t i = 0; i < p->prog->n_bases; i++) {
		gen_at(g, p->bases[i]);
		gen_debug_at(g, g->f->subprogram, 0);
		p->chain = PLAN_ROOT;
		p->rule = i;
		if (p->prog->n_bases > 1)
			gen_base_number(g, i);
		gen_place(g, PLAN_ROOT, i);
		gen_goto(g, gen_rule_block(g, plan_number(p->plan, p->prog->bases[i]), 0));
	}
	gen_at(g, p->bases[p->prog->n_bases]);
	gen_debug_at(g, g->f->subprogram, 0);
	LLVMBuildRet(g->b, gen_i32(g, 1));
	gen_at(g, p->drop);
	LLVMBuildRet(g->b, gen_i32(g, 0));
}

static void gen_program(struct gen *g)
{
	struct gen_prog *p = g->p;

	gen_find_needs(g);
	make_function(g);
	make_frame(g);
	gen_packet(g, true);
	gen_chain_functions(g);
	p->bases = arena_alloc(g->arena, (p->prog->n_bases + 1) * sizeof(*p->bases));
	for (uint32_t i = 0; i <= p->prog->n_bases; i++)
		p->bases[i] = gen_block(g, i < p->prog->n_bases ? "base" : "accept");
	p->drop = gen_block(g, "drop");
	gen_make_blocks(g);
	gen_goto(g, p->bases[0]);
	gen_run(g);
	gen_bases(g);
}

void gen_prog(struct gen *g, const struct ir_prog *prog)
{
	struct gen_prog p = {.prog = prog};
	struct gen_fn f = {0};
	struct plan_run all = {PLAN_ROOT, 0, prog->n_bases, false};

	g->p = &p;
	g->f = &f;
	g->at = (struct diag_place){0};
	p.plan = plan_new(g->arena, g->ir, prog);
	if (!p.plan) {
		gen_error(g, -ELOOP, "cycle", "program %s: its chains form a cycle", prog->name);
		return;
	}
	if (p.plan->size > PLAN_MAX_SIZE) {
		gen_error(g, -E2BIG, "too-large", "program %s: about %u instructions in one piece",
			  prog->name, p.plan->size);
		return;
	}
	if (p.plan->total > PLAN_MAX_TOTAL) {
		gen_error(g, -E2BIG, "too-large", "program %s: about %llu instructions", prog->name,
			  (unsigned long long)p.plan->total);
		return;
	}
	f.plan = plan_fn_new(g->arena, p.plan, all);
	gen_program(g);
}
