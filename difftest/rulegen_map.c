/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdict maps of a random ruleset: written out where they are asked, and named ones, some of which may
 * change, of points and of intervals. And families: chains of the same rules with other values, as tools
 * make one for each service, which a map leads to.
 *
 * Named maps may lead to any chain that is no base chain, so only base chains ask them.
 */
#include "rulegen_priv.h"

enum { FAMILY_MOST = 20, FAMILY_RULES = 3 };

static void put_verdict(struct rulegen *g, unsigned int n_below)
{
	static const char *const plain[] = {"drop", "accept", "drop", "accept", "return", "continue"};
	uint32_t k = rng_below(&g->rng, n_below ? 2 * ARRAY_SIZE(plain) : ARRAY_SIZE(plain));

	if (k < ARRAY_SIZE(plain))
		fprintf(g->out, " : %s", plain[k]);
	else
		fprintf(g->out, " : %s c%u", rng_one_in(&g->rng, 3) ? "goto" : "jump",
			rng_below(&g->rng, n_below));
}

/* One key, a verdict for each of some values. */
void rulegen_put_vmap(struct rulegen *g, unsigned int n_below)
{
	struct rulegen_key key;

	rulegen_pick_key(g, &key, rulegen_fields(g));
	rulegen_put_fields(g, &key);
	fputs(" vmap { ", g->out);
	rulegen_put_elements(g, &key, put_verdict, n_below);
	if (rng_one_in(&g->rng, 6)) {
		fputs(", *", g->out);
		put_verdict(g, n_below);
	}
	fputs(" }", g->out);
}

/* ---- named ones ---- */

static void put_elem(struct rulegen *g, unsigned int n_below)
{
	rulegen_put_options(g, g->map_expires);
	put_verdict(g, n_below);
}

static void put_map(struct rulegen *g, uint32_t i, unsigned int n_chains)
{
	struct rulegen_key *key = &g->map_key[i];

	g->l3 = g->l4 = 0;
	rulegen_pick_key(g, key, rulegen_fields(g));
	fprintf(g->out, "\tmap v%u {\n\t\t", i);
	if (!rng_one_in(&g->rng, 3) || !rulegen_put_types(g, key)) {
		fputs("typeof ", g->out);
		rulegen_put_fields(g, key);
	}
	fputs(" : verdict\n", g->out);
	g->map_expires = rulegen_put_flags(g, key->intervals);
	if (rng_one_in(&g->rng, 3))
		fputs("\t\tcounter\n", g->out);
	fputs("\t\telements = { ", g->out);
	if (!rng_one_in(&g->rng, 3) || !rulegen_put_crossing(g, key, put_elem, n_chains))
		rulegen_put_elements(g, key, put_elem, n_chains);
	if (rng_one_in(&g->rng, 6)) {
		fputs(", *", g->out);
		put_elem(g, n_chains);
	}
	fputs(" }\n\t}\n", g->out);
}

void rulegen_put_maps(struct rulegen *g, unsigned int n_chains)
{
	g->n_maps = rng_below(&g->rng, g->of_sets ? 1 + RULEGEN_MAPS : 3);
	for (uint32_t i = 0; i < g->n_maps; i++)
		put_map(g, i, n_chains);
}

bool rulegen_put_map_lookup(struct rulegen *g)
{
	uint32_t i = rng_below(&g->rng, g->n_maps);

	if (g->hook < 0 || !g->n_maps || !rulegen_claim_key(g, &g->map_key[i]))
		return false;
	rulegen_put_fields(g, &g->map_key[i]);
	fprintf(g->out, " vmap @v%u", i);
	return true;
}

/* ---- families ---- */

void rulegen_put_family(struct rulegen *g, unsigned int n_below)
{
	const struct rulegen_field *f[FAMILY_RULES];
	const char *verdict[FAMILY_RULES] = {" accept", " drop", ""};
	uint32_t n_rules = 1 + rng_below(&g->rng, FAMILY_RULES);

	g->n_family = rng_one_in(&g->rng, 5) ? 2 + rng_below(&g->rng, FAMILY_MOST) : 0;
	if (!g->n_family)
		return;
	for (uint32_t r = 0; r < n_rules; r++) {
		g->l3 = g->l4 = 0;
		f[r] = rulegen_pick_field(g, true);
		if (rng_one_in(&g->rng, 4))
			verdict[r] = rng_one_in(&g->rng, 2) ? " return" : " continue";
	}
	g->hook = -1;
	for (uint32_t i = 0; i < g->n_family; i++) {
		fprintf(g->out, "\tchain f%u {\n", i);
		for (uint32_t r = 0; r < n_rules; r++) {
			fputs("\t\t", g->out);
			rulegen_put_key(g, f[r]);
			fputs(r == 1 ? " != " : " ", g->out);
			rulegen_put_value(g, f[r], false);
			fprintf(g->out, " counter%s\n", verdict[r]);
		}
		if (n_below)
			fprintf(g->out, "\t\tjump c%u\n", i % n_below);
		fputs("\t}\n", g->out);
	}
}

/* The rule that leads to them. */
void rulegen_put_family_map(struct rulegen *g)
{
	uint32_t first = rng_below(&g->rng, 3) * 60000;

	fputs("\t\tth dport vmap { ", g->out);
	for (uint32_t i = 0; i < g->n_family; i++)
		fprintf(g->out, "%s%u : %s f%u", i ? ", " : "", (first + 20 + i) % 65536,
			i % 5 ? "jump" : "goto", i);
	fputs(" }\n", g->out);
}
