/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR as a container: chains, programs, sets and states, each found again by what names it, and
 * the registries of leaves and effects, which the linker collects from compiler/expr.
 */
#include "ir.h"

#include "ir_index.h"
#include "set_table.h"

/*
 * Weak: a program without any expression (a unit test) has no such section. Hidden: the compiler's
 * own table, also where this code is part of a shared object.
 */
#define SECTION_BOUND __attribute__((weak, visibility("hidden")))
extern const struct ir_leaf __start_ir_leaves[] SECTION_BOUND;
extern const struct ir_leaf __stop_ir_leaves[] SECTION_BOUND;
extern const struct ir_effect_op __start_ir_effects[] SECTION_BOUND;
extern const struct ir_effect_op __stop_ir_effects[] SECTION_BOUND;

const struct ir_leaf *ir_leaf_find(const char *name)
{
	const struct ir_leaf *l;

	for (l = __start_ir_leaves; l < __stop_ir_leaves; l++)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

const struct ir_effect_op *ir_effect_find(const char *name)
{
	const struct ir_effect_op *op;

	for (op = __start_ir_effects; op < __stop_ir_effects; op++)
		if (strcmp(op->name, name) == 0)
			return op;
	return NULL;
}

static void index_put(struct ir_index *x, uint64_t hash, void *item)
{
	size_t i = hash & (x->room - 1);

	while (x->slots[i].item)
		i = (i + 1) & (x->room - 1);
	x->slots[i] = (struct ir_index_slot){hash, item};
}

/* At most half full, so that candidates are few. The old table stays with the arena. */
void ir_index_add(struct ir_index *x, struct arena *a, uint64_t hash, void *item)
{
	if (2 * (x->n + 1) > x->room) {
		struct ir_index old = *x;
		size_t i;

		x->room = MAX(2 * old.room, (size_t)64);
		x->slots = arena_alloc(a, x->room * sizeof(*x->slots));
		for (i = 0; i < old.room; i++)
			if (old.slots[i].item)
				index_put(x, old.slots[i].hash, old.slots[i].item);
	}
	index_put(x, hash, item);
	x->n++;
}

struct ir *ir_new(void)
{
	struct arena *a = arena_new();
	struct ir *ir = ARENA_NEW(a, struct ir);

	ir->arena = a;
	ir->tables = ARENA_NEW(a, struct ir_tables);
	return ir;
}

void ir_free(struct ir *ir)
{
	if (!ir)
		return;
	for (uint32_t i = 0; i < ir->n_sets; i++)
		set_table_free(ir->sets[i]);
	arena_free(ir->arena); /* the ir is in it */
}

void ir_freep(struct ir **ir)
{
	ir_free(*ir);
}

/* ---- chains and programs ---- */

static uint64_t chain_hash(uint8_t pf, uint8_t family, const char *table, const char *name)
{
	uint64_t h = ir_hash_u64(IR_HASH_INIT, pf | (uint64_t)family << 8);

	h = ir_hash(h, table, strlen(table) + 1);
	return ir_hash(h, name, strlen(name));
}

struct ir_chain *ir_chain_find(const struct ir *ir, uint8_t pf, uint8_t family, const char *table,
			       const char *name)
{
	uint64_t h = chain_hash(pf, family, table, name);
	struct ir_chain *c;
	size_t pos = 0;

	while ((c = ir_index_next(&ir->tables->chains, h, &pos)))
		if (c->pf == pf && c->family == family && strcmp(c->name, name) == 0 &&
		    strcmp(c->table, table) == 0)
			return c;
	return NULL;
}

struct ir_chain *ir_chain_new(struct ir *ir, uint8_t pf, uint8_t family, const char *table,
			      const char *name)
{
	struct ir_chain *c = ARENA_NEW(ir->arena, struct ir_chain);

	c->id = ir->n_chains;
	c->pf = pf;
	c->family = family;
	c->table = arena_strdup(ir->arena, table);
	c->name = arena_strdup(ir->arena, name);
	ARENA_PUSH(ir->arena, ir->chains, ir->n_chains, c);
	ir_index_add(&ir->tables->chains, ir->arena, chain_hash(pf, family, table, name), c);
	return c;
}

struct ir_prog *ir_prog_new(struct ir *ir)
{
	ARENA_PUSH(ir->arena, ir->progs, ir->n_progs, (struct ir_prog){0});
	return &ir->progs[ir->n_progs - 1];
}

struct ir_dispatch *ir_dispatch_new(struct ir *ir)
{
	struct ir_dispatch *d = ARENA_NEW(ir->arena, struct ir_dispatch);

	d->id = ir->n_dispatches++;
	return d;
}

/* ---- sets ---- */

struct ir_set *ir_set_find(const struct ir *ir, const char *name)
{
	uint64_t h = ir_hash(IR_HASH_INIT, name, strlen(name));
	struct ir_set *s;
	size_t pos = 0;

	while ((s = ir_index_next(&ir->tables->sets, h, &pos)))
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

struct ir_set *ir_set_new(struct ir *ir, const char *name)
{
	struct ir_set *s = ARENA_NEW(ir->arena, struct ir_set);

	s->id = ir->n_sets;
	s->name = arena_strdup(ir->arena, name);
	ARENA_PUSH(ir->arena, ir->sets, ir->n_sets, s);
	ir_index_add(&ir->tables->sets, ir->arena, ir_hash(IR_HASH_INIT, name, strlen(name)), s);
	return s;
}

/* ---- states ---- */

static void place_state(struct ir *ir, struct ir_state *st)
{
	uint32_t *area = st->in_elem ? &ir->elem_state_size : &ir->shared_state_size;

	if (st->op->per_cpu && !st->in_elem) {
		st->index = ir->n_counters++;
		return;
	}
	st->index = *area;
	*area += ROUND_UP(ir_state_init_size(st->op), 8u);
}

static struct ir_state *state_get(struct ir *ir, const struct ir_effect_op *op, const void *key,
				  uint32_t expr, bool in_elem)
{
	uint64_t h = ir_hash_u64(ir_hash_u64(IR_HASH_INIT, (uintptr_t)key), expr);
	struct ir_state *st;
	size_t pos = 0;

	while ((st = ir_index_next(&ir->tables->states, h, &pos)))
		if (st->key == key && st->expr == expr && st->op == op)
			return st;

	st = ARENA_NEW(ir->arena, struct ir_state);
	st->id = ir->n_states;
	st->op = op;
	st->key = key;
	st->expr = expr;
	st->in_elem = in_elem;
	place_state(ir, st);
	ARENA_PUSH(ir->arena, ir->states, ir->n_states, st);
	ir_index_add(&ir->tables->states, ir->arena, h, st);
	return st;
}

struct ir_state *ir_state_get(struct ir *ir, const struct ir_effect_op *op, const void *key,
			      uint32_t expr)
{
	return state_get(ir, op, key, expr, false);
}

struct ir_state *ir_state_get_elem(struct ir *ir, const struct ir_effect_op *op, const void *key,
				   uint32_t expr)
{
	return state_get(ir, op, key, expr, true);
}
