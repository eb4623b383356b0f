/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets and maps of a random ruleset that its packets change. Nothing in them depends on the clock: elements
 * stay for hours, limits get no second token, and only sets that never get full lose elements, since
 * the kernel takes its time to make room.
 */
#include "rulegen_priv.h"

enum { NOTHING, SET_COUNTS, RULE_COUNTS, LIMITS, N_KEEPS };

static void put_set(struct rulegen *g, uint32_t i)
{
	struct rulegen_dynamic *d = &g->dynamic[i];

	g->l3 = g->l4 = 0;
	rulegen_pick_key(g, &d->key, rng_one_in(&g->rng, 2) ? 1 : RULEGEN_FIELDS);
	d->keeps = rng_below(&g->rng, N_KEEPS);
	d->shrinks = rng_one_in(&g->rng, 3);
	/* nft 1.0.6 dies of some with more fields. */
	d->data = rng_one_in(&g->rng, 3) && d->key.n == 1 ? rulegen_pick_field(g, true) : NULL;
	if (d->data && d->data->kind == V_NAME) /* such names are also words */
		d->data = NULL;
	fprintf(g->out, "\t%s y%u {\n\t\ttypeof ", d->data ? "map" : "set", i);
	rulegen_put_fields(g, &d->key);
	if (d->data)
		fprintf(g->out, " : %s", d->data->key);
	fputc('\n', g->out);
	if (!d->shrinks && rng_one_in(&g->rng, 2))
		fprintf(g->out, "\t\tsize %u\n", 1 + rng_below(&g->rng, 6));
	d->expires = rng_one_in(&g->rng, 2);
	fprintf(g->out, "\t\tflags dynamic%s\n", d->expires ? ", timeout" : "");
	if (d->expires && rng_one_in(&g->rng, 2))
		fputs("\t\ttimeout 2h\n", g->out);
	if (d->keeps == SET_COUNTS)
		fputs("\t\tcounter\n", g->out);
	fputs("\t}\n", g->out);
}

void rulegen_put_dynamic(struct rulegen *g)
{
	g->n_dynamic = 0;
	if (!(g->flags & RULEGEN_NO_DYNSET) && rng_one_in(&g->rng, 3))
		g->n_dynamic = 1 + rng_below(&g->rng, RULEGEN_DYNAMIC);
	for (uint32_t i = 0; i < g->n_dynamic; i++)
		put_set(g, i);
}

/* What an element maps to: a value, or what the packet has there. */
static void put_data(struct rulegen *g, const struct rulegen_field *f)
{
	char v[64];

	rulegen_value(g, f, v, sizeof(v));
	fprintf(g->out, " : %s", rng_one_in(&g->rng, 2) && rulegen_claim(g, f->key) ? f->key : v);
}

void rulegen_put_change(struct rulegen *g)
{
	const uint32_t i = rng_below(&g->rng, g->n_dynamic);
	const struct rulegen_dynamic *d = &g->dynamic[i];
	const char *how = rng_one_in(&g->rng, 2) ? "add" : "update";

	if (!rulegen_claim_key(g, &d->key))
		return;
	if (d->shrinks && rng_one_in(&g->rng, 3))
		how = "delete";
	fprintf(g->out, " %s @y%u { ", how, i);
	rulegen_put_fields(g, &d->key);
	/* An update of one that has no time of its own, in a set without one, ends it at once. */
	if (d->expires && *how != 'd')
		fputs(" timeout 1h", g->out);
	if (d->keeps == RULE_COUNTS && *how != 'd')
		fputs(" counter", g->out);
	if (d->keeps == LIMITS && *how != 'd')
		fputs(" limit rate over 1/day burst 2 packets", g->out);
	if (d->data)
		put_data(g, d->data);
	fputs(" }", g->out);
}

bool rulegen_put_lookup(struct rulegen *g)
{
	const uint32_t i = rng_below(&g->rng, g->n_dynamic);

	if (!rulegen_claim_key(g, &g->dynamic[i].key))
		return false;
	rulegen_put_fields(g, &g->dynamic[i].key);
	fprintf(g->out, " %s@y%u", rng_one_in(&g->rng, 4) ? "!= " : "", i);
	return true;
}
