/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The invariants of the IR, as ir.h states them. Tests run this after each pass; what it lets
 * through can be printed, evaluated and compiled.
 */
#include "ir_check.h"

#include <linux/netfilter.h>
#include <stdarg.h>

bool ir_violation(struct ir_checker *k, const char *fmt, ...)
{
	AUTO_FREE char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	if (!k->why && asprintf(&k->why, "%s: %s", k->where, what ? what : fmt) < 0)
		abort(); /* a violation must not pass for none */
	return false;
}

#define WHERE(k, ...) ((void)snprintf((k)->where, sizeof((k)->where), __VA_ARGS__))

static bool known_chain(const struct ir *ir, const struct ir_chain *c)
{
	return c->id < ir->n_chains && ir->chains[c->id] == c;
}

bool ir_check_verdict(struct ir_checker *k, const struct ir_verdict *v)
{
	switch (v->code) {
	case IR_CONTINUE:
	case IR_ACCEPT:
	case IR_DROP:
	case IR_RETURN:
		return IR_HOLDS(k, !v->chain, "verdict %d with a chain", (int)v->code);
	case IR_JUMP:
	case IR_GOTO:
		return IR_HOLDS(k, v->chain && known_chain(k->ir, v->chain), "jump to nowhere") &&
		       IR_HOLDS(k, v->chain->lowered, "jump to chain %s, which is not lowered",
				v->chain->name) &&
		       IR_HOLDS(k, !v->chain->is_base, "jump to base chain %s", v->chain->name);
	}
	return ir_violation(k, "verdict %d", (int)v->code);
}

/* ---- states ---- */

static bool check_states(struct ir_checker *k)
{
	uint32_t counters = 0, shared = 0, elems = 0, i;

	for (i = 0; i < k->ir->n_states; i++) {
		const struct ir_state *st = k->ir->states[i];
		uint32_t *next = st->in_elem ? &elems : st->op && st->op->per_cpu ? &counters : &shared;

		WHERE(k, "state #%u", i);
		if (!IR_HOLDS(k, st->id == i, "its id is %u", st->id) ||
		    !IR_HOLDS(k, st->op, "no kind") ||
		    !IR_HOLDS(k, st->index == *next, "its index is %u", st->index))
			return false;
		*next += next == &counters ? 1 : ROUND_UP(ir_state_init_size(st->op), 8u);
	}
	WHERE(k, "states");
	return IR_HOLDS(k, k->ir->n_counters == counters, "%u of %u counters", counters,
			k->ir->n_counters) &&
	       IR_HOLDS(k, k->ir->shared_state_size == shared, "%u of %u bytes", shared,
			k->ir->shared_state_size) &&
	       IR_HOLDS(k, k->ir->elem_state_size == elems, "%u of %u bytes", elems,
			k->ir->elem_state_size);
}

/* ---- sets ---- */

static bool check_fields(struct ir_checker *k, const struct ir_set *s)
{
	uint32_t sum = 0, i;

	if (!IR_HOLDS(k, s->n_fields >= 1 && s->n_fields <= IR_MAX_WIDTH, "%u fields", s->n_fields))
		return false;
	if (s->n_fields == 1)
		return IR_HOLDS(k, !s->ranged, "ranged without fields");
	for (i = 0; i < s->n_fields; i++)
		sum += ROUND_UP(s->field_width[i], 4u);
	return IR_HOLDS(k, sum == s->width, "fields of %u bytes", sum);
}

/* Bounds in order: field by field, or as one string. */
static bool in_order(const struct ir_set *s, const struct ir_elem *e)
{
	uint32_t at = 0, i;

	if (!s->ranged)
		return memcmp(e->lo, e->hi, s->width) <= 0;
	for (i = 0; i < s->n_fields; i++) {
		uint32_t n = ROUND_UP(s->field_width[i], 4u);

		if (memcmp(e->lo + at, e->hi + at, n) > 0)
			return false;
		at += n;
	}
	return true;
}

static bool check_key(struct ir_checker *k, const struct ir_set *s, size_t i)
{
	const struct ir_elem *e = &s->elems[i], *before = i ? e - 1 : NULL;

	if (!e->lo)
		return IR_HOLDS(k, !e->hi && i + 1 == s->n_elems,
				"the catch-all element is not the last");
	return IR_HOLDS(k, e->hi, "no upper bound") &&
	       IR_HOLDS(k, e->lo == e->hi || s->intervals, "a range in a set of points") &&
	       IR_HOLDS(k, in_order(s, e), "bounds out of order") &&
	       IR_HOLDS(k, s->ranged || !before || memcmp(before->hi, e->lo, s->width) < 0,
			"not behind the one before it");
}

static bool check_elem(struct ir_checker *k, const struct ir_set *s, size_t i)
{
	const struct ir_elem *e = &s->elems[i];
	uint32_t j;

	WHERE(k, "set %s: element %zu", s->name, i + 1);
	if (!check_key(k, s, i) || !IR_HOLDS(k, s->kind != IR_DATA_MAP || e->data, "no data") ||
	    !IR_HOLDS(k, !s->n_states || e->states, "no states"))
		return false;
	for (j = 0; j < s->n_states && (e->states[j] || !s->keeps); j++)
		if (!IR_HOLDS(k, e->states[j] && e->states[j]->id < k->ir->n_states,
			      "state %u is none of the ir", j) ||
		    !IR_HOLDS(k, e->states[j]->in_elem == s->keeps, "state %u is %s own", j,
			      s->keeps ? "not its" : "its"))
			return false;
	return s->kind != IR_VERDICT_MAP || ir_check_verdict(k, &e->verdict);
}

static bool check_set(struct ir_checker *k, const struct ir_set *s, uint32_t id)
{
	size_t i;

	WHERE(k, "set %s", s->name ? s->name : "?");
	if (!IR_HOLDS(k, s->id == id, "its id is %u", s->id) ||
	    !IR_HOLDS(k, s->name && ir_set_find(k->ir, s->name) == s, "its name is taken") ||
	    !IR_HOLDS(k, s->width >= 1 && s->width <= IR_MAX_WIDTH, "width %u", s->width) ||
	    !IR_HOLDS(k,
		      s->kind != IR_DATA_MAP ||
			      (s->data_width >= 1 && s->data_width <= IR_MAX_WIDTH),
		      "data of %u bytes", s->data_width) ||
	    /* So that whoever asks for the one has asked for the other. */
	    !IR_HOLDS(k, !s->is_dynamic || s->is_mutable, "packets change it, nobody else may") ||
	    !check_fields(k, s))
		return false;
	for (i = 0; i < s->n_elems; i++)
		if (!check_elem(k, s, i))
			return false;
	return true;
}

/* ---- chains ---- */

static bool check_chain_head(struct ir_checker *k, const struct ir_chain *c)
{
	bool fits = c->family == NFPROTO_INET || c->family == c->pf;

	return IR_HOLDS(k, c->pf == NFPROTO_IPV4 || c->pf == NFPROTO_IPV6, "protocol %u", c->pf) &&
	       IR_HOLDS(k, fits, "its table's packets are others") &&
	       IR_HOLDS(k, ir_chain_find(k->ir, c->pf, c->family, c->table, c->name) == c,
			"a second one of that name") &&
	       IR_HOLDS(k, c->lowered || !c->n_rules, "rules, though not lowered") &&
	       IR_HOLDS(k, !c->is_base || c->hook <= NF_INET_POST_ROUTING, "hook %u", c->hook) &&
	       IR_HOLDS(k, !c->is_base || c->policy == NF_ACCEPT || c->policy == NF_DROP,
			"policy %u", c->policy);
}

static bool check_chain(struct ir_checker *k, const struct ir_chain *c, uint32_t id)
{
	uint32_t i;

	WHERE(k, "chain %s %s %s", family_name(c->family), c->table, c->name);
	if (!IR_HOLDS(k, c->id == id, "its id is %u", c->id) || !check_chain_head(k, c))
		return false;
	for (i = 0; i < c->n_rules; i++) {
		const struct ir_rule *r = &c->rules[i];

		WHERE(k, "chain %s %s %s: rule %u", family_name(c->family), c->table, c->name,
		      r->index);
		if (!IR_HOLDS(k, r->chain == c, "it belongs to another chain") ||
		    !IR_HOLDS(k, r->index && r->index >= (i ? r[-1].index : 0),
			      "out of order") ||
		    !ir_check_rule(k, r))
			return false;
	}
	return true;
}

/* ---- depth ---- */

/*
 * nft_chain_validate(): from a base chain no path of jumps and gotos is longer than the stack, so
 * there is no cycle either. @level_seen: per chain, the deepest level it was found good at, from 1.
 */
static bool check_depth(struct ir_checker *k, const struct ir_chain *c, uint8_t level,
			uint8_t *level_seen);

static bool check_depth_to(struct ir_checker *k, const struct ir_verdict *v, uint8_t level,
			   uint8_t *level_seen)
{
	return !v->chain || check_depth(k, v->chain, level + 1, level_seen);
}

static bool check_depth_of(struct ir_checker *k, const struct ir_rule *r, uint8_t level,
			   uint8_t *level_seen)
{
	uint32_t j;
	size_t e;

	for (j = 0; j < r->n_steps; j++) {
		const struct ir_step *s = &r->steps[j];

		if (s->kind == IR_VERDICT && !check_depth_to(k, &s->verdict, level, level_seen))
			return false;
		for (e = 0; s->kind == IR_VMAP && e < s->set->n_elems; e++)
			if (!check_depth_to(k, &s->set->elems[e].verdict, level, level_seen))
				return false;
	}
	return true;
}

static bool check_depth(struct ir_checker *k, const struct ir_chain *c, uint8_t level,
			uint8_t *level_seen)
{
	uint32_t i, j;

	if (!IR_HOLDS(k, level <= IR_MAX_DEPTH, "jumps nest deeper than %d", IR_MAX_DEPTH))
		return false;
	if (level_seen[c->id] >= level)
		return true;
	for (i = 0; i < c->n_rules; i++)
		for (j = 0; j < ir_rule_parts(&c->rules[i]); j++)
			if (!check_depth_of(k, ir_rule_part(&c->rules[i], j), level, level_seen))
				return false;
	level_seen[c->id] = level;
	return true;
}

/* ---- programs ---- */

static bool is_identifier(const char *s)
{
	return s && *s && strlen(s) <= 15 && !(*s >= '0' && *s <= '9') &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
		       strlen(s);
}

static bool check_prog(struct ir_checker *k, const struct ir_prog *p, uint8_t *level_seen)
{
	const struct ir_prog *other;
	uint32_t i;

	WHERE(k, "program %s", p->name ? p->name : "?");
	if (!IR_HOLDS(k, is_identifier(p->name), "not an identifier of 1 to 15 characters") ||
	    !IR_HOLDS(k, p->n_bases, "no chains"))
		return false;
	for (other = k->ir->progs; other < p; other++)
		if (!IR_HOLDS(k, strcmp(other->name, p->name) != 0, "a second one of that name"))
			return false;
	for (i = 0; i < p->n_bases; i++) {
		const struct ir_chain *c = p->bases[i];

		if (!IR_HOLDS(k,
			      known_chain(k->ir, c) && c->is_base && c->lowered && c->pf == p->pf &&
				      c->hook == p->hook && c->priority == p->priority,
			      "chain %s is not for it", c->name) ||
		    !check_depth(k, c, 1, level_seen))
			return false;
	}
	return true;
}

static bool check_all(struct ir_checker *k)
{
	const struct ir *ir = k->ir;
	AUTO_FREE uint8_t *level_seen = calloc(ir->n_chains + 1, 1);
	uint32_t i;

	if (!level_seen)
		abort();
	if (!check_states(k))
		return false;
	for (i = 0; i < ir->n_sets; i++)
		if (!check_set(k, ir->sets[i], i))
			return false;
	for (i = 0; i < ir->n_chains; i++)
		if (!check_chain(k, ir->chains[i], i))
			return false;
	for (i = 0; i < ir->n_progs; i++)
		if (!check_prog(k, &ir->progs[i], level_seen))
			return false;
	return true;
}

char *ir_check(const struct ir *ir)
{
	struct ir_checker k = {.ir = ir};

	return check_all(&k) ? NULL : k.why;
}
