/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One program: its own function, with the frame and the packet as rules see it.
 */
#include <errno.h>
#include <stdlib.h>

#include "gen.h"
#include "split.h"

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

static LLVMValueRef gen_one(struct gen *g, const struct ir_prog *prog, struct plan *plan)
{
	struct plan_run all = {PLAN_ROOT, 0, prog->n_bases, false};
	struct gen_prog p = {.prog = prog, .plan = plan};
	struct gen_fn f = {.plan = plan_fn_new(g->arena, plan, all)};

	g->p = &p;
	g->f = &f;
	gen_program(g);
	return f.fn;
}

static bool too_large(const struct plan *plan)
{
	return plan->size > PLAN_MAX_SIZE || plan->total > PLAN_MAX_TOTAL;
}

/* The size above which a program is split: for tests, any. */
static uint32_t split_size(void)
{
	const char *text = getenv("NFT_BPF_SPLIT");

	return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

/* The plans of its parts; NULL: one of them is still too large. */
static struct plan **plan_parts(struct gen *g, const struct split *s)
{
	struct plan **plans = arena_alloc(g->arena, s->n_progs * sizeof(*plans));

	for (uint32_t i = 0; i < s->n_progs; i++) {
		plans[i] = plan_new(g->arena, g->ir, &s->progs[i]);
		if (!plans[i] || too_large(plans[i]))
			return NULL;
	}
	return plans;
}

/* About the chains of a program, each as a whole. */
static void refuse(struct gen *g, const struct ir_prog *prog, const char *code, const char *why)
{
	for (uint32_t i = 0; i < prog->n_bases; i++) {
		const struct ir_chain *c = prog->bases[i];

		g->at = (struct diag_place){.family = c->family, .table = c->table, .chain = c->name};
		gen_error(g, -E2BIG, code, "program %s: %s", prog->name, why);
	}
	g->at = (struct diag_place){0};
}

/* Adds to what LLVM gets of all programs; false: too much. */
static bool take_total(struct gen *g, uint64_t size)
{
	if (g->total + size > GEN_MAX_TOTAL)
		return false;
	g->total += size;
	return true;
}

/* NULL: done; else why not. */
static const char *gen_split(struct gen *g, const struct ir_prog *prog, uint32_t size)
{
	uint32_t n_parts = g->n_parts;
	struct split *s = split_prog(g->arena, g->ir, prog, size, &n_parts);
	struct plan **plans = s->n_calls <= SPLIT_MAX_CALLS ? plan_parts(g, s) : NULL;

	if (s->n_calls > SPLIT_MAX_CALLS)
		return arena_printf(g->arena,
				    "about %llu instructions, with %u tail calls one after the other",
				    (unsigned long long)s->total, s->n_calls);
	if (!plans)
		return arena_printf(g->arena, "about %llu instructions, in pieces that are too large",
				    (unsigned long long)s->total);
	if (!take_total(g, s->total))
		return arena_printf(g->arena, "about %llu instructions",
				    (unsigned long long)s->total);
	diag_add(g->ds, DIAG_NOTE, "parts", NULL,
		 "program %s: about %llu instructions, in %u parts, at most %u tail calls for a packet",
		 prog->name, (unsigned long long)s->total, s->n_progs, s->n_calls);
	for (uint32_t i = 0; i < s->n_progs && !g->error; i++) {
		LLVMValueRef fn = gen_one(g, &s->progs[i], plans[i]);

		if (i)
			ARENA_PUSH(g->arena, g->part_fns, g->n_parts, fn);
	}
	return NULL;
}

void gen_prog(struct gen *g, const struct ir_prog *prog)
{
	struct plan *plan = plan_new(g->arena, g->ir, prog);
	uint32_t forced = split_size();
	const char *why = NULL;

	g->at = (struct diag_place){0};
	if (!plan) {
		refuse(g, prog, "cycle", "its chains form a cycle");
		return;
	}
	if (forced && plan->total > forced && !gen_split(g, prog, forced))
		return;
	if (too_large(plan))
		why = gen_split(g, prog, SPLIT_PART);
	else if (take_total(g, plan->total))
		gen_one(g, prog, plan);
	else
		why = arena_printf(g->arena, "about %llu instructions, with other programs'",
				   (unsigned long long)(plan->total + g->total));
	if (why)
		refuse(g, prog, "too-large", why);
}
