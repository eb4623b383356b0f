/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One program: a function whose blocks are its chains' rules.
 *
 * No chain is a BPF function: jumps are branches, and a chain with several callers ends in a
 * dispatch over return ids (plan.h). So neither the call depth nor repeated verification of shared
 * chains is a matter.
 */
#include <errno.h>
#include <stdio.h>

#include "gen.h"

enum {
	FRAME_FIXED = 24, /* struct nb_frame of bpf/nb.h */
	STACK = 512,
	STACK_SPARE = 224, /* registers spilled, keys, and frames of functions that are called */
};

/* ---- ends of blocks ---- */

void gen_number_tree(struct gen *g, LLVMValueRef number, const uint32_t *numbers,
		     LLVMBasicBlockRef *targets, uint32_t n)
{
	LLVMBasicBlockRef left, right;

	if (n == 1) {
		gen_goto(g, targets[0]);
		return;
	}
	left = n / 2 == 1 ? targets[0] : gen_block(g, "");
	right = n - n / 2 == 1 ? targets[n / 2] : gen_block(g, "");
	LLVMBuildCondBr(g->b,
			LLVMBuildICmp(g->b, LLVMIntULT, number,
				      LLVMConstInt(LLVMTypeOf(number), numbers[n / 2], 0), ""),
			left, right);
	if (left != targets[0]) {
		gen_at(g, left);
		gen_number_tree(g, number, numbers, targets, n / 2);
	}
	if (right != targets[n / 2]) {
		gen_at(g, right);
		gen_number_tree(g, number, numbers + n / 2, targets + n / 2, n - n / 2);
	}
}

/* A part cannot branch out: it returns a number for what its caller is to do. */
static bool leave_part(struct gen *g, enum ir_verdict_code code, struct ir_chain *chain)
{
	struct gen_fn *f = g->f;
	struct ir_verdict v = {.code = code, .chain = chain};
	size_t i = 0;

	if (!f->is_part)
		return false;
	while (i < f->n_exits && (f->exits[i].code != code || f->exits[i].chain != chain))
		i++;
	if (i == f->n_exits)
		ARENA_PUSH(g->arena, f->exits, f->n_exits, v);
	LLVMBuildRet(g->b, gen_i32(g, (uint32_t)i + 1));
	return true;
}

/*
 * The numbers a dispatch goes by: 0 the running base chain, from 1 on return ids by level. Each has
 * 8 bytes of stack of its own, which the verifier tracks as a constant: so it follows each call back
 * to its caller and nowhere else. (If it did not know the number, it would see loops: from the end
 * of a chain back to an earlier call of it.)
 */
static LLVMValueRef number_at(struct gen *g, uint32_t slot)
{
	LLVMValueRef i = gen_i32(g, slot);

	if (!g->f->numbers)
		g->f->numbers = gen_alloca(g, LLVMArrayType(g->i64, 1 + g->p->plan->n_levels),
					   "numbers");
	return LLVMBuildInBoundsGEP2(g->b, g->i64, g->f->numbers, &i, 1, "");
}

static LLVMValueRef load_number(struct gen *g, uint32_t slot)
{
	LLVMValueRef v = LLVMBuildLoad2(g->b, g->i64, number_at(g, slot), "");

	LLVMSetVolatile(v, 1);
	return v;
}

static void store_number(struct gen *g, LLVMValueRef number, uint32_t slot)
{
	number = LLVMBuildZExt(g->b, number, g->i64, "");
	LLVMSetVolatile(LLVMBuildStore(g->b, number, number_at(g, slot)), 1);
}

static struct plan_chain *running(struct gen *g)
{
	return &g->p->plan->chains[g->p->chain];
}

/* Which base chain is running is asked only where several lead to the running chain. */
void gen_accept(struct gen *g)
{
	const struct plan_chain *pc = running(g);
	uint32_t n = pc->last_base - pc->first_base + 1;
	uint32_t *numbers = arena_alloc(g->arena, n * sizeof(*numbers));

	if (leave_part(g, IR_ACCEPT, NULL))
		return;
	if (n == 1) {
		gen_goto(g, g->p->bases[pc->first_base + 1]);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		numbers[i] = pc->first_base + i + 1;
	gen_number_tree(g, load_number(g, 0), numbers, &g->p->bases[pc->first_base + 1], n);
}

void gen_drop(struct gen *g)
{
	if (!leave_part(g, IR_DROP, NULL))
		gen_goto(g, g->p->drop);
}

static LLVMBasicBlockRef return_target(struct gen *g, uint32_t id)
{
	struct plan_pos pos = g->p->plan->returns[id];

	if (pos.chain != PLAN_ROOT)
		return g->p->chains[pos.chain].rules[pos.rule + 1];
	/* A base chain ends with its policy. */
	return g->p->prog->bases[pos.rule]->policy ? g->p->bases[pos.rule + 1] : g->p->drop;
}

void gen_return(struct gen *g)
{
	const struct plan_chain *pc = running(g);
	LLVMBasicBlockRef *targets = arena_alloc(g->arena, pc->n_returns * sizeof(*targets));

	if (leave_part(g, IR_RETURN, NULL))
		return;
	for (uint32_t i = 0; i < pc->n_returns; i++)
		targets[i] = return_target(g, pc->returns[i]);
	if (pc->n_returns == 1)
		gen_goto(g, targets[0]);
	else
		gen_number_tree(g, load_number(g, 1 + pc->level), pc->returns, targets,
				pc->n_returns);
}

static uint32_t jump_return_id(struct gen *g)
{
	const struct plan *plan = g->p->plan;
	uint32_t lo = 1, hi = plan->n_returns - 1;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		const struct plan_pos *pos = &plan->returns[mid];

		if (pos->chain < g->p->chain ||
		    (pos->chain == g->p->chain && pos->rule < g->p->rule))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void gen_call(struct gen *g, const struct ir_chain *c, bool is_jump)
{
	uint32_t to = g->p->plan->index[c->id];
	const struct plan_chain *pc = running(g), *callee = &g->p->plan->chains[to];
	LLVMValueRef id;

	/* Rules of parts do not jump. */
	if (leave_part(g, IR_GOTO, (struct ir_chain *)c))
		return;
	if (callee->n_returns > 1) {
		if (is_jump)
			id = gen_i32(g, jump_return_id(g));
		else if (pc->n_returns == 1)
			id = gen_i32(g, pc->returns[0]);
		else
			id = load_number(g, 1 + pc->level);
		store_number(g, id, 1 + callee->level);
	}
	gen_goto(g, g->p->chains[to].rules[0]);
}

/* ---- chains ---- */

/* Rule @r of the running chain. */
void gen_numbered_rule(struct gen *g, uint32_t r, LLVMMetadataRef scope, LLVMBasicBlockRef next)
{
	const struct ir_chain *c = g->p->plan->chains[g->p->chain].chain;

	g->p->rule = r;
	g->at.rule = c->rules[r].index;
	g->at.handle = c->rules[r].handle;
	gen_debug_at(g, scope, c->rules[r].index);
	gen_place(g, g->p->chain, r);
	gen_rule(g, &c->rules[r], next);
}

static void gen_chain(struct gen *g, uint32_t index)
{
	struct gen_chain *gc = &g->p->chains[index];
	const struct plan_chain *pc = &g->p->plan->chains[index];
	const struct ir_chain *c = pc->chain;
	uint32_t part = 0;

	g->p->chain = index;
	g->at = (struct diag_place){.family = c->family, .table = c->table, .chain = c->name};
	for (uint32_t r = 0; r < c->n_rules;) {
		gen_at(g, gc->rules[r]);
		if (part < pc->n_parts && pc->parts[part].first == r) {
			const struct plan_part *pp = &pc->parts[part++];

			gen_debug_at(g, gc->scope, c->rules[r].index);
			gen_part(g, pp, gc->rules[r + pp->n]);
			r += pp->n;
		} else {
			gen_numbered_rule(g, r, gc->scope, gc->rules[r + 1]);
			r++;
		}
	}
	g->p->rule = c->n_rules;
	gen_at(g, gc->rules[c->n_rules]);
	gen_debug_at(g, gc->scope, 0);
	gen_return(g);
}

static void make_blocks(struct gen *g)
{
	struct gen_prog *p = g->p;

	p->chains = arena_alloc(g->arena, p->plan->n_chains * sizeof(*p->chains));
	p->bases = arena_alloc(g->arena, (p->prog->n_bases + 1) * sizeof(*p->bases));
	for (uint32_t i = 0; i <= p->prog->n_bases; i++)
		p->bases[i] = gen_block(g, i < p->prog->n_bases ? "base" : "accept");
	for (uint32_t i = 1; i < p->plan->n_chains; i++) {
		const struct plan_chain *pc = &p->plan->chains[i];
		const struct ir_chain *c = pc->chain;
		struct gen_chain *gc = &p->chains[i];

		gc->scope = gen_debug_chain(g, g->f->subprogram, c);
		gc->rules = arena_alloc(g->arena, (c->n_rules + 1) * sizeof(*gc->rules));
		for (uint32_t r = 0, part = 0; r <= c->n_rules; r++) {
			gc->rules[r] = gen_block(g, "rule");
			/* Inside a part blocks are made when it is. */
			if (part < pc->n_parts && pc->parts[part].first == r)
				r += pc->parts[part++].n - 1;
		}
	}
	p->drop = gen_block(g, "drop");
}

static void gen_bases(struct gen *g)
{
	struct gen_prog *p = g->p;

	for (uint32_t i = 0; i < p->prog->n_bases; i++) {
		uint32_t to = p->plan->index[p->prog->bases[i]->id];

		gen_at(g, p->bases[i]);
		gen_debug_at(g, g->f->subprogram, 0);
		p->chain = PLAN_ROOT;
		p->rule = i;
		if (p->prog->n_bases > 1)
			store_number(g, gen_i32(g, i + 1), 0);
		gen_place(g, PLAN_ROOT, i);
		gen_goto(g, p->chains[to].rules[0]);
	}
	gen_at(g, p->bases[p->prog->n_bases]);
	gen_debug_at(g, g->f->subprogram, 0);
	LLVMBuildRet(g->b, gen_i32(g, 1));
	gen_at(g, p->drop);
	LLVMBuildRet(g->b, gen_i32(g, 0));
}

/* ---- what the program needs ---- */

static bool sel_needs_transport(struct gen *g, const struct ir_sel *sel)
{
	LLVMValueRef fn;

	for (uint32_t i = 0; i < sel->n_args; i++) {
		if (sel_needs_transport(g, sel->args[i]))
			return true;
	}
	if (sel->op != IR_LEAF)
		return false;
	fn = gen_function(g, arena_printf(g->arena, "nb_%s", sel->leaf->helper));
	return fn && gen_reaches_transport(g, fn);
}

static void state_needs(struct gen *g, const struct ir_effect_op *op, struct gen_prog *n)
{
	LLVMValueRef fn;

	n->counts |= op->per_cpu;
	fn = op->helper ? gen_function(g, arena_printf(g->arena, "nb_%s", op->helper)) : NULL;
	n->needs_transport |= fn && gen_reaches_transport(g, fn);
}

static void step_needs(struct gen *g, const struct ir_step *st, struct gen_prog *n)
{
	if (st->sel && !n->needs_transport)
		n->needs_transport = sel_needs_transport(g, st->sel);
	for (uint32_t i = 0; i < st->n_args && !n->needs_transport; i++)
		n->needs_transport = sel_needs_transport(g, st->args[i]);
	for (uint32_t i = 0; st->dispatch && i < st->dispatch->n_fields && !n->needs_transport; i++)
		n->needs_transport = sel_needs_transport(g, st->dispatch->fields[i]);
	if (st->effect)
		state_needs(g, st->effect, n);
	if (st->set && st->set->n_elems && st->set->n_states) {
		for (uint32_t i = 0; i < st->set->n_states; i++)
			state_needs(g, st->set->elems[0].states[i]->op, n);
	}
}

static void rule_needs(struct gen *g, const struct ir_rule *r)
{
	for (uint32_t s = 0; s < r->n_steps; s++)
		step_needs(g, &r->steps[s], g->p);
}

static void find_needs(struct gen *g)
{
	const struct plan *plan = g->p->plan;

	for (uint32_t i = 1; i < plan->n_chains; i++) {
		const struct ir_chain *c = plan->chains[i].chain;

		g->p->has_parts |= plan->chains[i].n_parts > 0;
		for (uint32_t r = 0; r < c->n_rules; r++)
			for (uint32_t k = 0; k < ir_rule_parts(&c->rules[r]); k++)
				rule_needs(g, ir_rule_part(&c->rules[r], k));
	}
}

/* ---- the function ---- */

static void add_attribute(struct gen *g, LLVMValueRef fn, const char *name)
{
	unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));

	LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
				LLVMCreateEnumAttribute(g->ctx, kind, 0));
}

/* Without nounwind LLVM makes an .eh_frame, which libbpf complains of. */
void gen_function_attributes(struct gen *g, LLVMValueRef fn, bool no_inline)
{
	add_attribute(g, fn, "nounwind");
	if (no_inline)
		add_attribute(g, fn, "noinline");
}

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

	if (p->has_parts) {
		p->cpu_at = at + 4;
		at += 8;
	}
	used = at + STACK_SPARE + 8 * (1 + p->plan->n_levels);
	plan_place(g->arena, g->ir, p->plan, used < STACK ? STACK - used : 0);
	p->frame_size = gen_slots_init(g, at);
	if (p->has_parts)
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

void gen_packet(struct gen *g, bool is_new)
{
	LLVMTypeRef type = LLVMGetTypeByName2(g->ctx, "struct.nb_pkt");
	LLVMValueRef init = gen_function(g, is_new ? "nb_pkt_init" : "nb_pkt_again");
	LLVMValueRef transport = gen_function(g, "nb_transport_init");
	LLVMValueRef args[4];

	if (!type || !init || !transport) {
		gen_error(g, -EINVAL, "bitcode", "the embedded BPF helpers lack nb_pkt_init");
		return;
	}
	g->f->pkt = gen_alloca(g, type, "pkt");
	args[0] = g->f->pkt;
	args[1] = g->f->frame;
	args[2] = LLVMGetParam(g->f->fn, 0);
	args[3] = LLVMConstInt(g->i8, g->p->prog->pf, 0);
	LLVMBuildCall2(g->b, LLVMGlobalGetValueType(init), init, args, 4, "");
	if (is_new && g->p->needs_transport)
		LLVMBuildCall2(g->b, LLVMGlobalGetValueType(transport), transport, &g->f->pkt, 1,
			       "");
	if (g->p->counts)
		gen_counters_init(g, is_new);
}

void gen_prog(struct gen *g, const struct ir_prog *prog)
{
	struct gen_prog p = {.prog = prog};
	struct gen_fn f = {0};

	g->p = &p;
	g->f = &f;
	g->at = (struct diag_place){0};
	p.plan = plan_new(g->arena, g->ir, prog);
	if (!p.plan) {
		gen_error(g, -ELOOP, "cycle", "program %s: its chains form a cycle", prog->name);
		return;
	}
	find_needs(g);
	make_function(g);
	make_frame(g);
	gen_packet(g, true);
	make_blocks(g);
	gen_goto(g, p.bases[0]);
	for (uint32_t i = 1; i < p.plan->n_chains && !g->error; i++)
		gen_chain(g, i);
	gen_bases(g);
}
