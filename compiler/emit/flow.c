/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways through chains: accept, drop, return, jump, goto, in a function that may be the program, a
 * part of a chain or a chain.
 */
#include "gen.h"

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

/*
 * The numbers that a dispatch goes by: 0 the running base chain, from 1 on by level the place behind
 * which to go on. Each has 8 bytes of stack of its own, which the verifier tracks as a constant: so
 * it follows each call back to its caller and nowhere else. (If it did not know the number, it would
 * see loops, from the end of a chain back to an earlier call of it.)
 */
static LLVMValueRef number_at(struct gen *g, uint32_t slot)
{
	LLVMValueRef i = gen_i32(g, slot);

	if (!g->f->numbers)
		g->f->numbers = gen_alloca(
			g, LLVMArrayType(g->i64, 1 + g->f->plan->n_levels), "numbers");
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
	LLVMSetVolatile(LLVMBuildStore(g->b, number, number_at(g, slot)), 1);
}

void gen_base_number(struct gen *g, uint32_t base)
{
	store_number(g, gen_i64(g, base + 1), 0);
}

/* Out of a function that is called: its caller does the rest. */
static bool leave(struct gen *g, enum ir_verdict_code code, const struct ir_chain *to)
{
	struct gen_fn *f = g->f;
	size_t i = 0;

	if (!f->is_callee)
		return false;
	while (i < f->n_exits && (f->exits[i].code != code || f->exits[i].chain != to))
		i++;
	if (i == f->n_exits) {
		struct ir_verdict v = {code, (struct ir_chain *)to};

		ARENA_PUSH(g->arena, f->exits, f->n_exits, v);
	}
	LLVMBuildRet(g->b, gen_i32(g, (uint32_t)i + 1));
	return true;
}

/* Which base chain is running is asked only where several lead to the running chain. */
void gen_accept(struct gen *g)
{
	const struct plan_chain *pc = &g->p->plan->chains[g->p->chain];
	uint32_t n = pc->last_base - pc->first_base + 1;
	uint32_t *numbers = arena_alloc(g->arena, n * sizeof(*numbers));

	if (leave(g, IR_ACCEPT, NULL))
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
	if (!leave(g, IR_DROP, NULL))
		gen_goto(g, g->p->drop);
}

void gen_tail(struct gen *g, const struct ir_chain *c)
{
	if (!leave(g, IR_GOTO, c))
		gen_tail_call(g, c->tail - 1);
}

/* ---- return ---- */

static uint32_t place_number(struct gen *g, struct plan_pos pos)
{
	return pos.chain == PLAN_NONE ? 0
				      : g->p->plan->chains[pos.chain].first_number + pos.rule;
}

/* A chain that is a function ends by returning; a part has to say that its chain does. */
static void leave_by_return(struct gen *g)
{
	if (!g->f->plan->run.is_part)
		LLVMBuildRet(g->b, gen_i32(g, 0));
	else
		leave(g, IR_RETURN, NULL);
}

static LLVMBasicBlockRef return_target(struct gen *g, struct plan_pos pos)
{
	LLVMBasicBlockRef here, bb;

	if (pos.chain == PLAN_NONE) {
		here = gen_here(g);
		bb = gen_block(g, "leave");
		gen_at(g, bb);
		leave_by_return(g);
		gen_at(g, here);
		return bb;
	}
	if (pos.chain != PLAN_ROOT)
		return gen_rule_block(g, pos.chain, pos.rule + 1);
	/* A base chain ends with its policy. */
	return g->p->prog->bases[pos.rule]->policy ? g->p->bases[pos.rule + 1] : g->p->drop;
}

void gen_return(struct gen *g)
{
	const struct plan_local *l = plan_fn_find(g->f->plan, g->p->chain);
	LLVMBasicBlockRef *targets;
	uint32_t *numbers;

	if (!l) { /* the function's run */
		leave_by_return(g);
		return;
	}
	targets = arena_alloc(g->arena, l->n_returns * sizeof(*targets));
	numbers = arena_alloc(g->arena, l->n_returns * sizeof(*numbers));
	for (uint32_t i = 0; i < l->n_returns; i++) {
		targets[i] = return_target(g, l->returns[i]);
		numbers[i] = place_number(g, l->returns[i]);
	}
	if (l->n_returns == 1)
		gen_goto(g, targets[0]);
	else
		gen_number_tree(g, load_number(g, 1 + l->level), numbers, targets, l->n_returns);
}

/* ---- jump and goto ---- */

/* Where the running chain returns to, or for a jump the place of the jump, for the callee. */
static LLVMValueRef callee_number(struct gen *g, bool is_jump)
{
	const struct plan_local *l = plan_fn_find(g->f->plan, g->p->chain);

	if (is_jump)
		return gen_i64(g, place_number(g, (struct plan_pos){g->p->chain, g->p->rule}));
	if (!l)
		return gen_i64(g, 0);
	return l->n_returns == 1 ? gen_i64(g, place_number(g, l->returns[0]))
				 : load_number(g, 1 + l->level);
}

static void call_function(struct gen *g, const struct gen_fn *f, bool is_jump)
{
	LLVMBasicBlockRef next;

	if (is_jump) {
		gen_call_function(g, f, gen_rule_block(g, g->p->chain, g->p->rule + 1));
		return;
	}
	next = gen_block(g, "returned");
	gen_call_function(g, f, next);
	gen_at(g, next);
	gen_return(g);
}

static void enter(struct gen *g, uint32_t to, bool is_jump)
{
	const struct plan_local *callee = plan_fn_find(g->f->plan, to);

	if (g->p->functions[to]) {
		call_function(g, g->p->functions[to], is_jump);
		return;
	}
	if (callee->n_returns > 1)
		store_number(g, callee_number(g, is_jump), 1 + callee->level);
	gen_goto(g, gen_rule_block(g, to, 0));
}

void gen_call(struct gen *g, const struct ir_chain *c, bool is_jump, LLVMValueRef record)
{
	uint32_t to = plan_number(g->p->plan, c), target = plan_target(g->p->plan, c);

	gen_record_pass(g, to, record ? record : gen_i32(g, c->record));
	if (target != to)
		gen_frame_store(g, gen_i32(g, g->p->plan->chains[to].member), g->p->member_at);
	enter(g, target, is_jump);
}

void gen_group(struct gen *g)
{
	const struct plan_chain *pc = &g->p->plan->chains[g->p->chain];
	LLVMBasicBlockRef *targets = arena_alloc(g->arena, pc->n_edges * sizeof(*targets));
	uint32_t *numbers = arena_alloc(g->arena, pc->n_edges * sizeof(*numbers));

	gen_place(g, g->p->chain, 0);
	for (uint32_t i = 0; i < pc->n_edges; i++) {
		numbers[i] = i;
		targets[i] = gen_block(g, "member");
	}
	gen_number_tree(g, gen_frame_load(g, g->i32, g->p->member_at), numbers, targets,
			pc->n_edges);
	for (uint32_t i = 0; i < pc->n_edges; i++) {
		gen_at(g, targets[i]);
		enter(g, pc->edges[i].chain, false);
	}
}
