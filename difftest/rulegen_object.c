/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named objects of a random ruleset and maps to them, and maps to data, which only the interpreter has a
 * use for: it writes marks from them.
 */
#include "rulegen_priv.h"

enum { OBJECTS = 2 };

static const char *const kinds[] = {"counter", "counter", "limit", "quota"};

static void put_objects(struct rulegen *g)
{
	for (unsigned int i = 0; i < OBJECTS; i++) {
		fprintf(g->out, "\tcounter counter%u {\n\t\tpackets %u bytes %u\n\t}\n", i, 3 * i, 200 * i);
		fprintf(g->out, "\tlimit limit%u {\n\t\trate %s1/day burst %u packets\n\t}\n", i,
			i ? "over " : "", 1 + rng_below(&g->rng, 9));
		fprintf(g->out, "\tquota quota%u {\n\t\t%s%u bytes\n\t}\n", i, i ? "over " : "",
			100 + rng_below(&g->rng, 9000));
	}
}

static void put_object(struct rulegen *g, unsigned int kind)
{
	rulegen_put_options(g, g->map_expires);
	fprintf(g->out, " : \"%s%u\"", kinds[kind], rng_below(&g->rng, OBJECTS));
}

static void put_number(struct rulegen *g, unsigned int arg)
{
	(void)arg;
	rulegen_put_options(g, g->map_expires);
	fprintf(g->out, " : %u", rng_below(&g->rng, 4));
}

static void put_map_elements(struct rulegen *g, const struct rulegen_key *key, rulegen_after *after,
			     unsigned int arg)
{
	g->map_expires = rulegen_put_flags(g, key->intervals);
	fputs("\t\telements = { ", g->out);
	rulegen_put_elements(g, key, after, arg);
	if (rng_one_in(&g->rng, 4)) {
		fputs(", *", g->out);
		after(g, arg);
	}
	fputs(" }\n\t}\n", g->out);
}

static void put_object_map(struct rulegen *g, uint32_t i)
{
	uint32_t kind = rng_below(&g->rng, ARRAY_SIZE(kinds));
	struct rulegen_object *o = &g->object[i];

	o->kind = kinds[kind];
	fprintf(g->out, "\tmap o%u {\n\t\t", i);
	do {
		g->l3 = g->l4 = 0;
		rulegen_pick_key(g, &o->key, rulegen_fields(g));
	} while (!rulegen_put_types(g, &o->key));
	fprintf(g->out, " : %s\n", o->kind);
	put_map_elements(g, &o->key, put_object, kind);
}

void rulegen_put_objects(struct rulegen *g)
{
	g->n_objects = g->of_sets ? rng_below(&g->rng, 1 + RULEGEN_OBJECTS) : 0;
	if (g->n_objects)
		put_objects(g);
	for (uint32_t i = 0; i < g->n_objects; i++)
		put_object_map(g, i);
	g->has_data = g->of_sets && g->writes;
	if (!g->has_data)
		return;
	g->l3 = g->l4 = 0;
	rulegen_pick_key(g, &g->data_key, rulegen_fields(g));
	fputs("\tmap d0 {\n\t\ttypeof ", g->out);
	rulegen_put_fields(g, &g->data_key);
	fputs(" : meta mark\n", g->out);
	put_map_elements(g, &g->data_key, put_number, 0);
}

void rulegen_put_object(struct rulegen *g)
{
	const struct rulegen_object *o = &g->object[rng_below(&g->rng, g->n_objects)];

	if (!rulegen_claim_key(g, &o->key))
		return;
	fprintf(g->out, " %s name ", o->kind);
	rulegen_put_fields(g, &o->key);
	fprintf(g->out, " map @o%u", (unsigned int)(o - g->object));
}

void rulegen_put_write(struct rulegen *g)
{
	if (!g->has_data || !rulegen_claim_key(g, &g->data_key)) {
		fprintf(g->out, " meta mark set %u", rng_below(&g->rng, 4));
		return;
	}
	fprintf(g->out, " %s mark set ", rng_one_in(&g->rng, 3) ? "ct" : "meta");
	rulegen_put_fields(g, &g->data_key);
	fputs(" map @d0", g->out);
}
