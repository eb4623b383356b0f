/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named sets of a random ruleset, some of which may change, and what their elements keep: counters,
 * limits, quotas, a time to live, a comment. Nothing depends on the clock: elements stay for hours and
 * limits get no second token.
 */
#include "rulegen_priv.h"

enum { COUNTS = 1, OTHER = 2, EXPIRES = 4 };

/* What an element has beside what the set says. */
static void put_kept(struct rulegen *g, unsigned int keeps)
{
	if ((keeps & (COUNTS | OTHER)) == COUNTS && rng_one_in(&g->rng, 3))
		fprintf(g->out, " counter packets %u bytes %u", rng_below(&g->rng, 9),
			rng_below(&g->rng, 900));
	rulegen_put_options(g, keeps & EXPIRES);
}

void rulegen_put_options(struct rulegen *g, unsigned int expires)
{
	if (expires && rng_one_in(&g->rng, 2))
		fprintf(g->out, " timeout %uh%s", 3 + rng_below(&g->rng, 9),
			rng_one_in(&g->rng, 2) ? " expires 2h" : "");
	if (rng_one_in(&g->rng, 12))
		fputs(" comment \"as it is\"", g->out);
}

static unsigned int put_keeps(struct rulegen *g)
{
	unsigned int keeps = 0;

	if (rng_one_in(&g->rng, 3)) {
		keeps |= COUNTS;
		fputs("\t\tcounter\n", g->out);
	}
	if (rng_one_in(&g->rng, 8)) {
		keeps |= OTHER;
		fprintf(g->out, "\t\tlimit rate %s1/day burst %u packets\n",
			rng_one_in(&g->rng, 2) ? "over " : "", 1 + rng_below(&g->rng, 5));
	} else if (rng_one_in(&g->rng, 8)) {
		keeps |= OTHER;
		fprintf(g->out, "\t\tquota %s%u bytes\n", rng_one_in(&g->rng, 2) ? "over " : "",
			100 + rng_below(&g->rng, 900));
	}
	return keeps;
}

bool rulegen_put_flags(struct rulegen *g, bool intervals)
{
	const char *sep = "\t\tflags ";
	bool expires = rng_one_in(&g->rng, 5);

	if (!expires && rng_one_in(&g->rng, 2)) {
		fprintf(g->out, "%sconstant", sep);
		sep = ", ";
	}
	if (intervals) {
		fprintf(g->out, "%sinterval", sep);
		sep = ", ";
	}
	if (expires) {
		fprintf(g->out, "%stimeout", sep);
		sep = ", ";
	}
	if (*sep == ',')
		fputc('\n', g->out);
	if (expires && rng_one_in(&g->rng, 2))
		fputs("\t\ttimeout 5h\n", g->out);
	if (rng_one_in(&g->rng, 8))
		fputs("\t\tsize 100\n", g->out);
	return expires;
}

static void put_set(struct rulegen *g, uint32_t i)
{
	struct rulegen_key *key = &g->set_key[i];
	unsigned int keeps;
	bool merges;

	g->l3 = g->l4 = 0;
	rulegen_pick_key(g, key, rulegen_fields(g));
	fprintf(g->out, "\tset s%u {\n\t\t", i);
	if (!rng_one_in(&g->rng, 3) || !rulegen_put_types(g, key)) {
		fputs("typeof ", g->out);
		rulegen_put_fields(g, key);
	}
	fputc('\n', g->out);
	merges = key->intervals && key->n == 1 && key->f[0]->has_range && rng_one_in(&g->rng, 3);
	keeps = rulegen_put_flags(g, key->intervals) ? EXPIRES : 0;
	if (merges) /* elements that overlap, with nothing of their own */
		fputs("\t\tauto-merge\n", g->out);
	else
		keeps |= put_keeps(g);
	fputs("\t\telements = { ", g->out);
	if (merges) {
		rulegen_put_elements(g, key, rulegen_put_nothing, 0);
		fputs(", ", g->out);
		rulegen_put_elements(g, key, rulegen_put_nothing, 0);
	} else if (!rng_one_in(&g->rng, 3) || !rulegen_put_crossing(g, key, put_kept, keeps)) {
		rulegen_put_elements(g, key, put_kept, keeps);
	}
	if (!merges && rng_one_in(&g->rng, 8)) {
		fputs(", *", g->out);
		put_kept(g, keeps);
	}
	fputs(" }\n\t}\n", g->out);
}

void rulegen_put_nothing(struct rulegen *g, unsigned int arg)
{
	(void)g;
	(void)arg;
}

void rulegen_put_sets(struct rulegen *g)
{
	g->n_sets = g->of_sets ? 2 + rng_below(&g->rng, RULEGEN_SETS - 1) : rng_below(&g->rng, 4);
	for (uint32_t i = 0; i < g->n_sets; i++)
		put_set(g, i);
}

bool rulegen_put_set_lookup(struct rulegen *g)
{
	uint32_t k = rng_below(&g->rng, g->n_sets);
	const struct rulegen_key *key = &g->set_key[k];

	if (!rulegen_claim_key(g, key))
		return false;
	rulegen_put_fields(g, key);
	if (key->n == 1 && key->f[0]->kind == V_ADDR4 && rng_one_in(&g->rng, 6))
		fputs(rng_one_in(&g->rng, 2) ? " & 255.255.255.0" : " & 0.255.255.255", g->out);
	fprintf(g->out, " %s@s%u", rng_one_in(&g->rng, 4) ? "!= " : "", k);
	return true;
}
