/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What expressions keep: the state of one in a rule, of a named object, and of a set element's. An
 * expression that does nothing else says which and how it begins (expr_op.state, .init).
 */
#include "lower_priv.h"

/* A front can count, because counts add up; all other state is the interpreter's alone. */
static struct ir_state *state_get(struct lower *lw, const struct ir_effect_op *op, const void *key,
				  uint32_t expr)
{
	struct ir_state *st;

	if (!lw->front || (op->per_cpu && !op->may_break))
		return ir_state_get(lw->ir, op, key, expr);
	front_unknown(lw);
	st = ARENA_NEW(lw->ir->arena, struct ir_state);
	st->op = op;
	return st;
}

struct ir_state *lower_state(struct lower *lw, const struct ir_effect_op *op)
{
	struct ir_state *st = state_get(lw, op, lw->rule, lw->expr_index);

	st->at = lower_place(lw);
	st->at.expr = op->name;
	return st;
}

void lower_stateful(struct lower *lw, const struct expr_op *op, const struct expr *e)
{
	struct ir_state *st = lower_state(lw, op->state);

	if (op->init(lw, st, e->attrs))
		lower_effect(lw, op->state, st);
}

/* Where a state is that belongs to no rule. */
static struct diag_place table_place(const struct lower *lw, const struct ir_effect_op *op)
{
	return (struct diag_place){
		.family = lower_family(lw),
		.table = lw->info->chain->table,
		.expr = op->name,
	};
}

struct ir_state *lower_object_state(struct lower *lw, const struct expr_op *op,
				    const struct object *o)
{
	struct ir_state *st = state_get(lw, op->state, o, 0);

	st->at = table_place(lw, op->state);
	if (!st->object)
		st->object = arena_strdup(lw->ir->arena, o->name);
	return op->init(lw, st, o->attrs) ? st : NULL;
}

/* A front uses no set whose elements keep something. */
struct ir_state *lower_elem_state(struct lower *lw, const struct expr_op *op, const struct expr *e,
				  const void *key, uint32_t expr)
{
	struct ir_state *st = ir_state_get_elem(lw->ir, op->state, key, expr);

	st->at = table_place(lw, op->state);
	return op->init(lw, st, e->attrs) ? st : NULL;
}
