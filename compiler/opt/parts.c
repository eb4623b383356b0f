/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts: rules that ask for different things are parted by one thing that many of them ask for.
 *
 * Needs: conditions with facts used; comes before runs become dispatches.
 * Keeps: everything. Rules are there several times, once in each part where they may match.
 *
 *	iifname "lan" tcp dport 22 accept		iifname "lan" goto PART 1
 *	iifname "wan" tcp dport 443 accept		iifname "wan" goto PART 2
 *	iifname "lan" udp dport 53 accept		icmp type echo-request accept
 *	icmp type echo-request accept
 *	iifname "wan" udp dport 51820 accept	1:	tcp dport 22 accept
 *							udp dport 53 accept
 *							icmp type echo-request accept
 *
 * A packet then meets the rules that its value is asked for by, and those that do not ask. A part is
 * a chain and has all rules to the end of the chain that it is of, so what returns from the one
 * returns from the other. It is parted again, or becomes a run, where that pays (parts_choose.c).
 */
#include "../ir_index.h"
#include "parts.h"

/* A way of so many chains may lead through parts, and parts of parts: within IR_MAX_DEPTH. */
enum { DEEP_TWICE = 5, DEEP_ONCE = 8 };

/* ---- ways ---- */

static uint8_t longest_way(const struct ir_chain *c, uint8_t *known);

static uint8_t longest_of(const struct ir_rule *r, uint8_t *known)
{
	uint8_t most = 0;

	for (uint32_t s = 0; s < r->n_steps; s++) {
		const struct ir_step *st = &r->steps[s];

		if (st->verdict.chain)
			most = MAX(most, longest_way(st->verdict.chain, known));
		for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems; e++)
			if (st->set->elems[e].verdict.chain)
				most = MAX(most, longest_way(st->set->elems[e].verdict.chain,
							     known));
	}
	return most;
}

static uint8_t longest_way(const struct ir_chain *c, uint8_t *known)
{
	uint8_t most = 0;

	if (known[c->id])
		return known[c->id];
	known[c->id] = IR_MAX_DEPTH; /* for a cycle, which no packet meets */
	for (uint32_t r = 0; r < c->n_rules; r++)
		for (uint32_t i = 0; i < ir_rule_parts(&c->rules[r]); i++)
			most = MAX(most, longest_of(ir_rule_part(&c->rules[r], i), known));
	known[c->id] = MIN(most + 1, IR_MAX_DEPTH);
	return known[c->id];
}

static uint32_t times_to_part(const struct ir *ir)
{
	uint8_t *known = arena_alloc(ir->arena, MAX(ir->n_chains, 1u)), most = 0;

	for (uint32_t p = 0; p < ir->n_progs; p++)
		for (uint32_t i = 0; i < ir->progs[p].n_bases; i++)
			most = MAX(most, longest_way(ir->progs[p].bases[i], known));
	return most <= DEEP_TWICE ? 2 : most <= DEEP_ONCE ? 1 : 0;
}

/* ---- parts ---- */

static const char *part_name(struct ir *ir, const struct ir_chain *of)
{
	char *name;

	/* Nobody's chain: nft's names have no spaces. */
	do {
		name = arena_printf(ir->arena, "%s part %u", of->name, ++ir->n_parts);
	} while (ir_chain_find(ir, of->pf, of->family, of->table, name));
	return name;
}

/* The rules that are left go to the beginning. */
static void pack(struct opt_chain *oc)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < oc->chain->n_rules; i++) {
		if (oc->rules[i].never)
			continue;
		oc->chain->rules[n] = oc->chain->rules[i];
		oc->rules[n] = oc->rules[i];
		oc->rules[n].rule = &oc->chain->rules[n];
		n++;
	}
	oc->chain->n_rules = n;
}

static struct opt_chain make_part(struct opt_ends *e, const struct opt_chain *from,
				  const struct parts_cut *cut, const struct opt_cond *value)
{
	struct ir *ir = from->ir;
	const struct ir_chain *of = from->chain;
	struct ir_chain *c =
		ir_chain_new(ir, of->pf, of->family, of->table, part_name(ir, of));
	struct opt_chain oc = {.ir = ir, .chain = c, .budget = from->budget};

	c->origin = of->origin;
	c->part_of = of->part_of ? of->part_of : of;
	c->is_front = of->is_front;
	c->lowered = true;
	c->n_rules = of->n_rules - cut->first;
	c->rules = arena_memdup(ir->arena, of->rules + cut->first,
				MAX(c->n_rules, 1u) * sizeof(*c->rules));
	for (uint32_t i = 0; i < c->n_rules; i++)
		c->rules[i].chain = c;
	opt_read(e, &oc);
	opt_facts_given(&oc, 0, value, true);
	pack(&oc);
	return oc;
}

static struct ir_rule lead(struct ir *ir, struct ir_rule *before, const struct opt_cond *value,
			   struct ir_chain *part)
{
	struct ir_rule r = *before;
	struct ir_step steps[2] = {
		{.kind = IR_GUARD, .guard = IR_EQ, .sel = value->sel, .lo = value->ranges[0].lo,
		 .hi = value->ranges[0].lo},
		{.kind = IR_VERDICT, .verdict = {IR_GOTO, part}},
	};

	r.never = false;
	r.steps = arena_memdup(ir->arena, steps, sizeof(steps));
	r.n_steps = ARRAY_SIZE(steps);
	return r;
}

/* The rules that lead to the parts stand before those that are left. */
static void insert(struct opt_ends *e, struct opt_chain *oc, uint32_t first,
		   const struct ir_rule *leads, uint32_t n)
{
	struct ir_chain *c = oc->chain;
	struct ir_rule *rules = arena_alloc(oc->ir->arena, (c->n_rules + n) * sizeof(*rules));

	memcpy(rules, c->rules, first * sizeof(*rules));
	memcpy(rules + first, leads, n * sizeof(*rules));
	memcpy(rules + first + n, c->rules + first, (c->n_rules - first) * sizeof(*rules));
	c->rules = rules;
	c->n_rules += n;
	opt_read(e, oc);
}

static const struct ir_parted *describe(const struct opt_chain *oc, const struct parts_cut *cut)
{
	struct ir_parted *s = ARENA_NEW(oc->ir->arena, struct ir_parted);

	s->sel = cut->values[0].sel;
	s->first = oc->chain->rules[cut->first].index;
	s->last = oc->chain->rules[oc->chain->n_rules - 1].index;
	s->n_values = cut->n;
	s->before_ns = cut->before / 2;
	s->after_ns = (cut->after + 1) / 2;
	return s;
}

static void part_chain(struct opt_ends *e, struct opt_chain *oc, uint32_t times,
		       struct opt_list *made)
{
	struct ir_rule leads[PARTS_MAX_VALUES];
	struct parts_cut cut;

	if (!times || !parts_choose(oc, &cut))
		return;
	oc->chain->parted = describe(oc, &cut);
	for (uint32_t i = 0; i < cut.n; i++) {
		struct opt_chain part = make_part(e, oc, &cut, &cut.values[i]);

		leads[i] = lead(oc->ir, &oc->chain->rules[cut.first], &cut.values[i], part.chain);
		part_chain(e, &part, times - 1, made);
		ARENA_PUSH(oc->ir->arena, made->chains, made->n, part);
	}
	for (uint32_t i = 0; i < cut.n; i++)
		opt_facts_given(oc, cut.first, &cut.values[i], false);
	insert(e, oc, cut.first, leads, cut.n);
}

void opt_parts(struct opt_ends *e, struct opt_chain *chains, uint32_t n, struct opt_list *ret)
{
	uint32_t times = times_to_part(e->ir);

	for (uint32_t i = 0; i < n; i++)
		if (chains[i].chain->lowered && !chains[i].chain->template)
			part_chain(e, &chains[i], times, ret);
}
