/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the IR as nft_do_chain() runs rules: first verdict wins, a step that fails goes on with the
 * next rule, and so does the rule after a jump that returned.
 */
#include <linux/netfilter.h>

#include "ir_eval_priv.h"
#include "template.h"

/* ---- rules ---- */

static const uint8_t *constant(const struct ir_step *s, const struct ir_env *env, uint32_t at,
			       const uint8_t *otherwise, uint8_t *buf)
{
	if (!at)
		return otherwise;
	template_get_const(env->record + at - 1, s->sel->width, buf);
	return buf;
}

/* Of the @i-th element of the step's set: its words, or NULL. */
static const uint32_t *elem_words(const struct ir_step *s, const struct ir_env *env, size_t i)
{
	const struct ir_params *p = s->params;

	return p && p->elems ? env->record + p->elems - 1 + i * p->elem_words : NULL;
}

/* The element that the key hits, by the record where that has the keys. */
static const struct ir_elem *look_up(const struct ir_step *s, struct ir_env *env,
				     const uint8_t *key)
{
	uint8_t lo[IR_MAX_WIDTH], hi[IR_MAX_WIDTH];
	const struct ir_elem *all = NULL;

	if (!s->params || !s->params->elem_hi)
		return ir_eval_lookup(s->set, env, key);
	for (size_t i = 0; i < s->set->n_elems; i++) {
		const uint32_t *words = elem_words(s, env, i);

		if (!s->set->elems[i].lo) {
			all = &s->set->elems[i];
			continue;
		}
		template_get_const(words, s->set->width, lo);
		template_get_const(words + s->params->elem_hi, s->set->width, hi);
		if (memcmp(key, lo, s->set->width) >= 0 && memcmp(key, hi, s->set->width) <= 0)
			return &s->set->elems[i];
	}
	return all;
}

static bool eval_hit(const struct ir_step *s, struct ir_env *env, const struct ir_elem *e)
{
	const uint32_t *words = elem_words(s, env, (size_t)(e - s->set->elems));
	uint32_t at = words ? s->params->elem_states : 0;

	return ir_eval_elem_states(s->set, e, env, at ? words + at - 1 : NULL);
}

static bool eval_guard(const struct ir_step *s, struct ir_env *env)
{
	uint8_t v[IR_MAX_WIDTH], lo_bytes[IR_MAX_WIDTH], hi_bytes[IR_MAX_WIDTH];
	const uint8_t *lo = s->lo, *hi = s->hi;
	uint32_t w = s->sel->width;
	const struct ir_elem *e;

	if (!ir_eval_sel(s->sel, env, v))
		return false;
	if (s->params) {
		lo = constant(s, env, s->params->lo, lo, lo_bytes);
		hi = constant(s, env, s->params->hi, hi, hi_bytes);
	}
	switch (s->guard) {
	case IR_EQ:
		return memcmp(v, lo, w) == 0;
	case IR_NE:
		return memcmp(v, lo, w) != 0;
	case IR_RANGE:
		return memcmp(v, lo, w) >= 0 && memcmp(v, hi, w) <= 0;
	case IR_NOT_RANGE:
		return memcmp(v, lo, w) < 0 || memcmp(v, hi, w) > 0;
	case IR_IN:
		e = look_up(s, env, v);
		return e && eval_hit(s, env, e);
	case IR_NOT_IN:
		/* nft_lookup_eval() of 6.17 and later; before, a hit in a set with a catch-all
		 * element held for "not in", too. */
		return !look_up(s, env, v);
	}
	return false;
}

/* The chain that a model's verdict means for a member: @like or another one of its template. */
static struct ir_chain *target(struct ir_chain *like, uint32_t record)
{
	return like->template ? like->template->members[record] : like;
}

static bool eval_vmap(const struct ir_step *s, struct ir_env *env, struct ir_verdict *verdict)
{
	uint8_t key[IR_MAX_WIDTH];
	const uint32_t *words;
	const struct ir_elem *e;

	if (!ir_eval_sel(s->sel, env, key))
		return false;
	e = look_up(s, env, key);
	if (!e || !eval_hit(s, env, e))
		return false;
	*verdict = e->verdict;
	words = elem_words(s, env, (size_t)(e - s->set->elems));
	if (words && s->params->elem_target && e->verdict.chain)
		verdict->chain = target(e->verdict.chain, words[s->params->elem_target - 1]);
	return true;
}

static bool eval_steps(const struct ir_rule *r, struct ir_env *env, struct ir_verdict *verdict);

static bool row_holds(const struct ir_dispatch *d, const struct ir_row *row, const uint8_t *values,
		      uint8_t defined)
{
	uint32_t at = 0, i;

	for (i = 0; i < d->n_fields; at += d->fields[i++]->width) {
		uint32_t width = d->fields[i]->width;

		if (row->any & 1u << i)
			continue;
		if (!(defined & 1u << i) || memcmp(values + at, row->lo + at, width) < 0 ||
		    memcmp(values + at, row->hi + at, width) > 0)
			return false;
	}
	return true;
}

/* First match over the rows; the rule it leads to has the last word. */
static bool eval_dispatch(const struct ir_step *s, struct ir_env *env, struct ir_verdict *verdict)
{
	const struct ir_dispatch *d = s->dispatch;
	uint8_t values[IR_MAX_WIDTH], defined = 0;
	uint32_t at = 0, i;
	bool matched;

	for (i = 0; i < d->n_fields; at += d->fields[i++]->width)
		if (ir_eval_sel(d->fields[i], env, values + at))
			defined |= (uint8_t)(1u << i);
	for (i = 0; i < d->n_rows; i++)
		if (row_holds(d, &d->rows[i], values, defined))
			break;
	if (i == d->n_rows)
		return false;
	env->dispatched_to = &d->rules[d->rows[i].rule];
	matched = eval_steps(env->dispatched_to, env, verdict);
	if (env->on_rule)
		env->on_rule(env->on_rule_arg, env->dispatched_to, matched);
	return matched;
}

/* false: the step does not hold, and the rule ends. */
static bool eval_step(const struct ir_step *s, struct ir_env *env, struct ir_verdict *verdict)
{
	uint8_t value[IR_MAX_WIDTH];

	switch (s->kind) {
	case IR_NEED:
		return ir_eval_sel(s->sel, env, value);
	case IR_GUARD:
		return eval_guard(s, env);
	case IR_EFFECT:
		return ir_eval_effect(s, env);
	case IR_VERDICT:
		*verdict = s->verdict;
		if (s->params && s->params->target)
			verdict->chain = target(s->verdict.chain,
						ir_eval_word(env, s->params->target, 0));
		return true;
	case IR_VMAP:
		return eval_vmap(s, env, verdict);
	case IR_DISPATCH:
		return eval_dispatch(s, env, verdict);
	}
	return false;
}

static bool eval_steps(const struct ir_rule *r, struct ir_env *env, struct ir_verdict *verdict)
{
	uint32_t i;

	for (i = 0; i < r->n_steps && verdict->code == IR_CONTINUE; i++)
		if (!eval_step(&r->steps[i], env, verdict))
			return false;
	return !r->never;
}

/*
 * Rule @i of @c, or of the model that stands for it. @ret_by: the rule that gave the verdict, which
 * may stand behind a dispatch.
 */
static struct ir_verdict eval_rule(const struct ir_chain *c, uint32_t i, struct ir_env *env,
				   const struct ir_rule **ret_by)
{
	const struct ir_rule *r = &c->rules[i];
	struct ir_verdict verdict = {.code = IR_CONTINUE};
	struct ir_scratch scratch;
	bool matched;

	scratch.n = 0;
	env->scratch = &scratch;
	env->dispatched_to = NULL;
	env->record = c->template ? template_record(c) : NULL;
	matched = eval_steps(&template_model(c)->rules[i], env, &verdict);
	env->scratch = NULL;
	*ret_by = env->dispatched_to ? env->dispatched_to : r;
	if (env->on_rule && ir_rule_parts(r) == 1)
		env->on_rule(env->on_rule_arg, r, matched);
	return verdict;
}

/* ---- chains ---- */

/* Where an evaluation is: the rule to run next. */
struct place {
	const struct ir_chain *chain;
	uint32_t rule;
};

/* Up to the first verdict of a rule, or "return" at the end of the chain. */
static struct ir_verdict eval_rules(struct place *at, struct ir_env *env)
{
	struct ir_verdict v;

	while (at->rule < at->chain->n_rules) {
		const struct ir_rule *by;

		v = eval_rule(at->chain, at->rule++, env, &by);
		if (v.code == IR_ACCEPT || v.code == IR_DROP)
			env->decided_by = by;
		if (v.code != IR_CONTINUE)
			return v;
	}
	return (struct ir_verdict){.code = IR_RETURN};
}

uint8_t ir_eval_chain(const struct ir_chain *base, struct ir_env *env)
{
	struct place stack[IR_MAX_DEPTH], at = {base, 0};
	uint32_t depth = 0;

	env->decided_by = NULL;
	for (;;) {
		struct ir_verdict v = eval_rules(&at, env);

		switch (v.code) {
		case IR_ACCEPT:
			return NF_ACCEPT;
		case IR_DROP:
			return NF_DROP;
		case IR_JUMP:
			if (depth == IR_MAX_DEPTH)
				return NF_DROP; /* as WARN_ON_ONCE() there */
			stack[depth++] = at;
			at = (struct place){v.chain, 0};
			break;
		case IR_GOTO:
			at = (struct place){v.chain, 0};
			break;
		case IR_RETURN:
		case IR_CONTINUE:
			if (!depth)
				return base->policy;
			at = stack[--depth];
			break;
		}
	}
}

uint8_t ir_eval_prog(const struct ir_prog *prog, struct ir_env *env)
{
	uint32_t i;

	env->decided_by = NULL;
	for (i = 0; i < prog->n_bases; i++)
		if (ir_eval_chain(prog->bases[i], env) == NF_DROP)
			return NF_DROP;
	return NF_ACCEPT;
}
