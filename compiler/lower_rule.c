/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One rule, run symbolically: a register byte holds a byte of a selector instead of data.
 *
 * nf_tables fails where a load stands, the IR where its value is used. So every partial selector
 * that enters a register leaves an IR_NEED step, and at the rule's end those go whose selector is
 * evaluated anyway before anything that can be seen happens (a counter, a verdict…).
 */
#include <assert.h>
#include <linux/netfilter/nf_tables.h>

#include "lower_priv.h"

extern const struct expr_op __start_expr_ops[] __attribute__((weak, visibility("hidden")));
extern const struct expr_op __stop_expr_ops[] __attribute__((weak, visibility("hidden")));

const struct expr_op *expr_op_find(const char *name)
{
	const struct expr_op *op;

	for (op = __start_expr_ops; op < __stop_expr_ops; op++)
		if (strcmp(op->name, name) == 0)
			return op;
	return NULL;
}

const struct expr_op *expr_op_find_object(uint32_t object_type)
{
	const struct expr_op *op;

	for (op = __start_expr_ops; op < __stop_expr_ops; op++)
		if (op->object_type && op->object_type == object_type)
			return op;
	return NULL;
}

bool lower_is_front(const struct lower *lw)
{
	return lw->front;
}

struct ir *lower_ir(struct lower *lw)
{
	return lw->ir;
}

uint8_t lower_pf(const struct lower *lw)
{
	return lw->info->chain->pf;
}

uint8_t lower_family(const struct lower *lw)
{
	return lw->info->chain->family;
}

const struct rule *lower_rule(const struct lower *lw)
{
	return lw->rule;
}

const struct table *lower_table(const struct lower *lw)
{
	return lw->info->chain->origin->table;
}

const struct lower_options *lower_opt(const struct lower *lw)
{
	return lw->opt;
}

uint32_t lower_expr_index(const struct lower *lw)
{
	return lw->expr_index;
}

/* Strings of the IR and of the model: both live as long as the IR does. */
struct diag_place lower_place(const struct lower *lw)
{
	const struct ir_chain *c = lw->info->chain;

	return (struct diag_place){
		.family = c->family,
		.table = c->table,
		.chain = c->origin ? c->origin->name : c->name,
		.handle = lw->rule->handle,
		.rule = lw->out->index,
		.expr = lw->expr ? lw->expr->name : NULL,
	};
}

/* ---- registers ---- */

/* nft_parse_register(): the old numbers are 16 bytes each, the new ones 4, of the same 64. */
static bool reg_offset(uint32_t reg, uint32_t *ret)
{
	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		*ret = (reg - NFT_REG_1) * NFT_REG_SIZE;
	else if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15)
		*ret = (reg - NFT_REG32_00) * NFT_REG32_SIZE;
	else
		return false;
	return true;
}

struct ir_sel *lower_reg(struct lower *lw, uint32_t reg, uint32_t len)
{
	struct ir_sel *pieces[LOWER_REG_BYTES];
	uint32_t off, i, n = 0;

	if (!reg_offset(reg, &off) || !len || off + len > LOWER_REG_BYTES) {
		lower_block(lw, "register", "register %u with %u bytes does not exist", reg, len);
		return NULL;
	}
	for (i = 0; i < len;) {
		const struct lower_byte *b = &lw->regs[off + i];
		uint32_t run = 1;

		if (!b->sel) {
			/* After a blocker the registers are not to be trusted; one reason is
			 * enough. */
			if (!lw->info->n_blockers)
				lower_block(lw, "register", "register %u is read before written",
					    reg);
			return NULL;
		}
		while (i + run < len && b[run].sel == b->sel && b[run].at == b->at + run)
			run++;
		pieces[n++] = ir_slice(lw->ir, b->sel, b->at, run);
		i += run;
	}
	return ir_concat(lw->ir, pieces, n);
}

void lower_set_reg(struct lower *lw, uint32_t reg, struct ir_sel *sel)
{
	uint32_t off, i, end;

	if (!sel)
		return;
	if (!reg_offset(reg, &off) || off + sel->width > LOWER_REG_BYTES) {
		lower_block(lw, "register", "register %u with %u bytes does not exist", reg,
			    sel->width);
		return;
	}
	if (sel->size > IR_MAX_SIZE) {
		lower_block(lw, "expr-size", "the rule computes too much from too much");
		return;
	}
	for (i = 0; i < sel->width; i++)
		lw->regs[off + i] = (struct lower_byte){sel, i};
	end = ROUND_UP(sel->width, (uint32_t)NFT_REG32_SIZE);
	if (i < end) {
		struct ir_sel *pad = ir_const(lw->ir, "\0\0\0", end - i);
		uint32_t first = i;

		for (; i < end; i++)
			lw->regs[off + i] = (struct lower_byte){pad, i - first};
	}
	if (sel->partial || sel->impure)
		lower_need(lw, sel);
}

/* ---- a rule and a chain ---- */

/* Can what this step does be seen, other than by the rule ending? */
static bool step_is_effect(const struct ir_step *s)
{
	switch (s->kind) {
	case IR_NEED:
		return s->sel->impure;
	case IR_GUARD:
		return s->set && ir_set_notes_hits(s->set);
	case IR_EFFECT:
	case IR_VERDICT:
	case IR_VMAP:
	case IR_DISPATCH:
		return true;
	}
	return true;
}

static bool sel_contains(const struct ir_sel *s, const struct ir_sel *part)
{
	uint32_t i;

	if (s == part)
		return true;
	for (i = 0; i < s->n_args; i++)
		if (sel_contains(s->args[i], part))
			return true;
	return false;
}

static bool step_evaluates(const struct ir_step *s, const struct ir_sel *part)
{
	uint32_t i;

	if (s->sel && sel_contains(s->sel, part))
		return true;
	for (i = 0; i < s->n_args; i++)
		if (sel_contains(s->args[i], part))
			return true;
	return false;
}

/* Does something before, or after without an effect between, evaluate what step @at needs? */
static bool need_is_idle(const struct ir_rule *r, uint32_t at)
{
	const struct ir_sel *sel = r->steps[at].sel;
	uint32_t i;

	if (sel->impure)
		return false;
	for (i = 0; i < at; i++)
		if (step_evaluates(&r->steps[i], sel))
			return true;
	for (i = at + 1; i < r->n_steps; i++) {
		if (step_evaluates(&r->steps[i], sel))
			return true;
		if (step_is_effect(&r->steps[i]))
			return false;
	}
	return false;
}

static void rule_finish(struct lower *lw)
{
	struct ir_rule *r = lw->out;
	uint32_t i, n;

	if (lw->front)
		front_finish_rule(lw);
	if (lw->cut) {
		while (r->n_steps && !step_is_effect(&r->steps[r->n_steps - 1]))
			r->n_steps--;
		r->never = !r->n_steps;
	}
	for (i = 0; i < r->n_steps;) {
		if (r->steps[i].kind != IR_NEED || !need_is_idle(r, i)) {
			i++;
			continue;
		}
		n = --r->n_steps - i;
		memmove(&r->steps[i], &r->steps[i + 1], n * sizeof(*r->steps));
	}
}

static void lower_one_rule(struct lower *lw, const struct rule *rule)
{
	const struct expr_op *op;
	uint32_t i;

	lw->rule = rule;
	lw->done = lw->cut = lw->unknown = false;
	memset(lw->regs, 0, sizeof(lw->regs));
	for (i = 0; i < rule->exprs.n && !lw->done; i++) {
		lw->expr = &rule->exprs.array[i];
		lw->expr_index = i;
		lw->expr_steps = lw->out->n_steps;
		op = expr_op_find(lw->expr->name);
		if (op && op->state)
			lower_stateful(lw, op, lw->expr);
		else if (op)
			op->lower(lw, lw->expr);
		else
			lower_block_unknown(lw, lw->expr);
	}
	rule_finish(lw);
}

void lower_chain_rules(struct lower *lw, struct lower_info *info)
{
	struct ir_chain *c = info->chain;
	const struct rule *rule;
	uint32_t n = 0;

	c->rules = arena_alloc(lw->ir->arena, c->origin->n_rules * sizeof(*c->rules));
	lw->info = info;
	list_for_each (rule, &c->origin->rules, node) {
		lw->out = &c->rules[n++];
		*lw->out = (struct ir_rule){
			.chain = c,
			.index = n,
			.handle = rule->handle,
			.origin = rule,
		};
		lower_one_rule(lw, rule);
	}
	assert(n == c->origin->n_rules);
	c->n_rules = n;
	c->lowered = true;
}
