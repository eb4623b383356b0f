/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State between packets, effects, and values of selectors.
 */
#include <errno.h>

#include "ir_apply.h"
#include "ir_eval_priv.h"
#include "template.h"

int ir_env_init_state(struct ir_env *env, const struct ir *ir)
{
	uint8_t *shared = calloc(1, MAX(ir_env_state_size(ir), 1u));
	struct ir_counter *counters = calloc(MAX(ir->n_counters, 1u), sizeof(*counters));
	uint32_t i;

	if (!shared || !counters) {
		free(shared);
		free(counters);
		return -ENOMEM;
	}
	for (i = 0; i < ir->n_states; i++) {
		const struct ir_state *st = ir->states[i];
		void *at = st->op->per_cpu ? (void *)&counters[st->index] : shared + st->index;

		if (st->in_elem)
			at = shared + ir->shared_state_size + st->index;
		if (st->init)
			memcpy(at, st->init, ir_state_init_size(st->op));
	}
	env->shared = shared;
	env->elems = shared + ir->shared_state_size;
	env->counters = counters;
	return 0;
}

void ir_env_fini_state(struct ir_env *env)
{
	free(env->shared);
	free(env->counters);
	env->shared = env->elems = NULL;
	env->counters = NULL;
}

/* ---- effects ---- */

uint32_t ir_eval_word(const struct ir_env *env, uint32_t at, uint32_t otherwise)
{
	return at ? env->record[at - 1] : otherwise;
}

/* @index: of the state; where it is, a template's record may say. */
static bool eval_effect_at(const struct ir_step *s, struct ir_env *env, uint32_t index)
{
	const struct ir_effect_op *op = s->effect;
	uint8_t value[IR_MAX_WIDTH];
	void *state = NULL;
	uint32_t i;

	for (i = 0; i < s->n_args; i++)
		if (!ir_eval_sel(s->args[i], env, value))
			return false;
	if (s->state && s->state->in_elem) {
		state = env->elems + index;
	} else if (op->per_cpu) {
		struct ir_counter *c = &env->counters[index];

		if (!op->eval) {
			c->packets++;
			c->bytes += env->len;
			return true;
		}
		state = c;
	} else if (s->state) {
		state = env->shared + index;
	}
	return op->eval ? op->eval(s, env, state) : true;
}

bool ir_eval_effect(const struct ir_step *s, struct ir_env *env)
{
	uint32_t index = s->state ? s->state->index : 0;

	return eval_effect_at(s, env, s->params ? ir_eval_word(env, s->params->state, index) : index);
}

/*
 * nft_set_elem_update_expr(): a hit runs the element's own expressions; one may end the rule.
 * @words: what a template's record says of the states, or NULL.
 */
bool ir_eval_elem_states(const struct ir_set *set, const struct ir_elem *e, struct ir_env *env,
			 const uint32_t *words)
{
	uint32_t i;

	for (i = 0; i < set->n_states && e->states[i]; i++) {
		struct ir_step s = {
			.kind = IR_EFFECT,
			.effect = e->states[i]->op,
			.state = e->states[i],
		};

		if (!eval_effect_at(&s, env, words ? words[i] : s.state->index))
			return false;
	}
	return true;
}

/* ---- selectors ---- */

static bool eval_map(const struct ir_sel *sel, struct ir_env *env, uint8_t *out)
{
	uint8_t key[IR_MAX_WIDTH];
	const struct ir_elem *e;

	if (!ir_eval_sel(sel->args[0], env, key))
		return false;
	e = ir_eval_lookup(sel->set, env, key);
	if (!e)
		return false;
	memcpy(out, e->data, sel->width);
	return ir_eval_elem_states(sel->set, e, env, NULL);
}

static bool eval_op(const struct ir_sel *sel, struct ir_env *env, uint8_t *out)
{
	uint8_t values[2 * IR_MAX_WIDTH]; /* two arguments, or as many as make one value */
	const uint8_t *args[IR_MAX_WIDTH];
	uint32_t at = 0, i;

	for (i = 0; i < sel->n_args; i++) {
		if (!ir_eval_sel(sel->args[i], env, values + at))
			return false;
		args[i] = values + at;
		at += sel->args[i]->width;
	}
	ir_apply(sel, args, out);
	return true;
}

static bool eval_node(const struct ir_sel *sel, struct ir_env *env, uint8_t *out)
{
	switch (sel->op) {
	case IR_CONST:
		memcpy(out, sel->bytes, sel->width);
		return true;
	case IR_LEAF:
		return sel->leaf->eval(sel, env, out);
	case IR_MAP:
		return eval_map(sel, env, out);
	case IR_FIRST_OPERATOR ... IR_LAST_OPERATOR:
		break;
	}
	return eval_op(sel, env, out);
}

bool ir_eval_sel(const struct ir_sel *sel, struct ir_env *env, uint8_t *out)
{
	struct ir_scratch *sc = env->scratch;
	bool has_value;
	uint32_t i;

	if (!sel->impure || !sc)
		return eval_node(sel, env, out);
	for (i = 0; i < sc->n; i++) {
		if (sc->impure[i].sel == sel) {
			memcpy(out, sc->impure[i].value, sel->width);
			return sc->impure[i].has_value;
		}
	}
	has_value = eval_node(sel, env, out);
	if (sc->n < IR_MAX_IMPURE) {
		i = sc->n++;
		sc->impure[i].sel = sel;
		sc->impure[i].has_value = has_value;
		if (has_value)
			memcpy(sc->impure[i].value, out, sel->width);
	}
	return has_value;
}
