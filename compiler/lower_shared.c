/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State that decides must be one for all: a limit or a quota that the interpreter uses as well
 * would let pass twice as much, once there and once here. So a base chain that reaches such a state
 * stays with the interpreter when another one that reaches it does. Counters add up and need no
 * such care. The same goes for sets that packets change: there the elements are the state.
 */
#include <linux/netfilter.h>

#include "lower_priv.h"

struct shared {
	struct lower *lw;
	bool *interpreted; /* by ir_state->id */
	bool *sets;	   /* by ir_set->id */
};

/* What two sides want to use: a state or a set. */
struct common {
	const struct ir_state *state;
	const struct ir_set *set;
};

typedef bool (*on_state)(struct shared *sh, const struct ir_state *st);

static bool mark(struct shared *sh, const struct ir_state *st)
{
	sh->interpreted[st->id] = true;
	return false;
}

static bool is_marked(struct shared *sh, const struct ir_state *st)
{
	return sh->interpreted[st->id];
}

static bool decides(const struct ir_state *st)
{
	return st && st->op->may_break && !st->op->per_cpu;
}

/* The first state for which @fn is true, or NULL. */
static const struct ir_state *in_set(struct shared *sh, const struct ir_set *set, on_state fn)
{
	size_t i;
	uint32_t k;

	for (i = 0; set && set->n_states && i < set->n_elems; i++)
		for (k = 0; k < set->n_states && set->elems[i].states[k]; k++)
			if (decides(set->elems[i].states[k]) && fn(sh, set->elems[i].states[k]))
				return set->elems[i].states[k];
	return NULL;
}

static const struct ir_state *in_sel(struct shared *sh, const struct ir_sel *sel, on_state fn)
{
	const struct ir_state *st = sel->op == IR_MAP ? in_set(sh, sel->set, fn) : NULL;
	uint32_t i;

	if (sel->op == IR_LEAF && decides(sel->state) && fn(sh, sel->state))
		return sel->state;
	for (i = 0; !st && i < sel->n_args; i++)
		st = in_sel(sh, sel->args[i], fn);
	return st;
}

static const struct ir_state *in_chain(struct shared *sh, const struct ir_chain *c, on_state fn)
{
	const struct ir_state *found = NULL;
	uint32_t i, k;

	for (i = 0; !found && i < c->n_rules; i++) {
		for (k = 0; !found && k < c->rules[i].n_steps; k++) {
			const struct ir_step *s = &c->rules[i].steps[k];

			if (decides(s->state) && fn(sh, s->state))
				return s->state;
			found = in_set(sh, s->set, fn);
			if (!found && s->sel)
				found = in_sel(sh, s->sel, fn);
		}
	}
	return found;
}

/* The first of its sets that is marked; or marks them all, when that is what @fn does. */
static const struct ir_set *in_info(struct shared *sh, const struct lower_info *info, on_state fn)
{
	for (uint32_t i = 0; i < info->n_dynamic; i++) {
		uint32_t id = info->dynamic[i]->id;

		if (fn == mark)
			sh->sets[id] = true;
		else if (sh->sets[id])
			return info->dynamic[i];
	}
	return NULL;
}

static struct common reached(struct shared *sh, struct ir_chain *base, on_state fn)
{
	struct lower_info *first = lower_info(sh->lw, base), **todo = NULL;
	struct common found = {0};
	uint32_t n = 0, n_todo = 0, i;

	first->stamp = ++sh->lw->stamp;
	ARENA_PUSH(sh->lw->ir->arena, todo, n_todo, first);
	while (!found.state && !found.set && n < n_todo) {
		struct lower_info *info = todo[n++];

		found.state = in_chain(sh, info->chain, fn);
		found.set = in_info(sh, info, fn);
		for (i = 0; i < info->n_next; i++) {
			struct lower_info *next = lower_info(sh->lw, info->next[i]);

			if (next->stamp == sh->lw->stamp)
				continue;
			next->stamp = sh->lw->stamp;
			ARENA_PUSH(sh->lw->ir->arena, todo, n_todo, next);
		}
	}
	return found;
}

static struct common visit(struct shared *sh, const struct chain *base, on_state fn)
{
	struct common found = {0};
	const uint8_t *pf;

	if (base->hooknum >= NF_INET_NUMHOOKS)
		return found;
	for (pf = lower_pfs(base->table->family); *pf && !found.state && !found.set; pf++)
		found = reached(sh, lower_base(sh->lw, base, *pf), fn);
	return found;
}

static void block(struct lower *lw, struct lower_chain *lc, const struct common *c)
{
	if (c->set)
		lower_block_base(lw, lc, "set-shared",
				 "chains of the interpreter use set %s, which packets change",
				 c->set->origin->name);
	else
		lower_block_base(lw, lc, "state-shared",
				 "chains of the interpreter use the same %s%s%s", c->state->op->name,
				 c->state->object ? " " : "",
				 c->state->object ? c->state->object : "");
	lc->compiled = false;
}

bool lower_shared(struct lower *lw, struct lower_result *lr)
{
	struct shared sh = {.lw = lw};
	bool changed = true, any = false;
	uint32_t i;

	/* All chains first: that makes all states. */
	sh.interpreted = arena_alloc(lw->ir->arena, (lw->ir->n_states + 1) * sizeof(bool));
	sh.sets = arena_alloc(lw->ir->arena, (lw->ir->n_sets + 1) * sizeof(bool));
	for (i = 0; i < lr->n_chains; i++)
		if (!lr->chains[i].compiled && !lower_is_dormant(lr->chains[i].base))
			visit(&sh, lr->chains[i].base, mark);
	while (changed) {
		changed = false;
		for (i = 0; i < lr->n_chains; i++) {
			struct lower_chain *lc = &lr->chains[i];
			struct common c = {0};

			if (lc->compiled)
				c = visit(&sh, lc->base, is_marked);
			if (!c.state && !c.set)
				continue;
			block(lw, lc, &c);
			visit(&sh, lc->base, mark);
			changed = any = true;
		}
	}
	return any;
}
