/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains that go back to the interpreter: those that have no place, that were not compiled, or that
 * the verifier refused.
 */
#include <stdio.h>

#include "planning.h"

void planning_drop(struct planning *pl, const struct chain *base, const char *code, const char *why)
{
	lower_drop_chain(&pl->plan.lowered, &pl->opt.lower, base, code, why, pl->ds);
}

static bool has_program(const struct lower_chain *lc)
{
	return lc->compiled || lc->front.n_drops;
}

static void drop_all(struct rt_plan *p, const struct lower_options *opt, const char *code,
		     const char *why, struct diags *ds)
{
	for (uint32_t i = 0; i < p->lowered.n_chains; i++)
		if (has_program(&p->lowered.chains[i]))
			lower_drop_chain(&p->lowered, opt, p->lowered.chains[i].base, code, why,
					 ds);
}

void planning_drop_all(struct planning *pl, const char *code, const char *why)
{
	drop_all(&pl->plan, &pl->opt.lower, code, why, pl->ds);
}

void plan_drop_all(struct rt_plan *p, const struct lower_options *opt, const char *code,
		   const struct diags *why, struct diags *ds)
{
	drop_all(p, opt, code, diags_first_error(why), ds);
	p->n_places = 0;
}

/* @chain NULL: it is not known which. */
static const struct chain *base_at(const struct ir_prog *p, uint8_t family, const char *table,
				   const char *chain)
{
	for (uint32_t i = 0; chain && i < p->n_bases; i++) {
		const struct ir_chain *c = p->bases[i];

		if (c->family == family && strcmp(c->table, table) == 0 && strcmp(c->name, chain) == 0)
			return c->origin;
	}
	return NULL;
}

/* The chain that @d, an error of the backend's, is about as a whole; NULL: it is about more. */
static const struct chain *named_base(const struct ir *ir, const struct diag *d)
{
	const struct chain *base = NULL;

	for (uint32_t i = 0; i < ir->n_progs && !base && !d->at.rule; i++)
		base = base_at(&ir->progs[i], d->at.family, d->at.table, d->at.chain);
	return base;
}

void planning_drop_uncompiled(struct planning *pl, const struct diags *why)
{
	const struct chain **bases = calloc(why->count[DIAG_ERROR] + 1, sizeof(*bases));
	const struct diag *d;
	size_t n = 0;

	/* Dropping makes the programs anew. */
	list_for_each(d, &why->list, node)
		if (bases && d->level == DIAG_ERROR &&
		    !(bases[n++] = named_base(pl->plan.lowered.ir, d)))
			break;
	if (!n || !bases[n - 1]) {
		planning_drop_all(pl, "compile-failed", diags_first_error(why));
		free(bases);
		return;
	}
	n = 0;
	list_for_each(d, &why->list, node)
		if (d->level == DIAG_ERROR)
			planning_drop(pl, bases[n++], "compile-failed", d->text);
	free(bases);
}

void planning_drop_refused(struct planning *pl, const struct object_refusal *r)
{
	const struct chain *base = base_at(r->prog, r->family, r->table, r->chain);
	const struct chain **bases;
	uint32_t n = r->prog->n_bases;
	char AUTO_FREE *why = NULL;

	if (asprintf(&why, "%s%s%s%s%sthe kernel's verifier refused program %s: %s",
		     r->chain ? "at rule " : "", r->chain ? r->table : "", r->chain ? " " : "",
		     r->chain ? r->chain : "", r->chain ? ": " : "", r->prog->name, r->why) < 0)
		why = NULL;
	if (base) {
		planning_drop(pl, base, "verifier", why ? why : r->why);
		return;
	}
	bases = calloc(n, sizeof(*bases)); /* dropping rebuilds the programs */
	for (uint32_t i = 0; bases && i < n; i++)
		bases[i] = r->prog->bases[i]->origin;
	for (uint32_t i = 0; bases && i < n; i++)
		planning_drop(pl, bases[i], "verifier", why ? why : r->why);
	if (!bases)
		planning_drop_all(pl, "verifier", "out of memory");
	free(bases);
}
