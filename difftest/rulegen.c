/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of a random ruleset: tables, chains, rules, verdicts. What rules match is in
 * rulegen_match.c, maps of verdicts are in rulegen_map.c.
 *
 * Jumps only go to chains that were written before, so there are no loops, and never deeper than
 * nf_tables allows.
 */
#include "rulegen.h"

#include <stdio.h>

#include "rulegen_priv.h"

const char *const rulegen_devs[RULEGEN_DEVS] = {"d0", "d1", "eth0", "wg0"};

#define LONG_RUN   50

static const char *const families[] = {"ip", "ip6", "inet", "inet"};
static const char *const hooks[] = {"prerouting", "input", "forward", "output", "postrouting"};

static void put_verdict(struct rulegen *g, unsigned int n_below)
{
	static const char *const plain[] = {"accept", "drop", "return", "accept", "drop", ""};
	uint32_t k = rng_below(&g->rng, n_below ? 9 : ARRAY_SIZE(plain));

	if (k < ARRAY_SIZE(plain))
		fprintf(g->out, " %s", plain[k]);
	else
		fprintf(g->out, " %s c%u", k == 8 ? "goto" : "jump", rng_below(&g->rng, n_below));
}

static void put_statements(struct rulegen *g)
{
	if (rng_one_in(&g->rng, 2))
		fputs(" counter", g->out);
	if (rng_one_in(&g->rng, 40))
		fputs(" limit rate 1000000/second burst 5 packets", g->out);
	if (rng_one_in(&g->rng, 40))
		fprintf(g->out, " quota over %u bytes", 100 + rng_below(&g->rng, 20000));
	if (g->n_objects && rng_one_in(&g->rng, 3))
		rulegen_put_object(g);
	if (g->n_dynamic && rng_one_in(&g->rng, 4))
		rulegen_put_change(g);
	if (rng_one_in(&g->rng, 30))
		fputs(" counter name total", g->out);
	/* Leaves the chain to the interpreter, with what can run in front of it. */
	if (g->writes && rng_one_in(&g->rng, 12))
		rulegen_put_write(g);
}

static void put_rule(struct rulegen *g, unsigned int n_below)
{
	static const uint8_t how_many[] = {0, 1, 1, 1, 2, 2, 2, 3, 3, 4};
	uint32_t n = how_many[rng_below(&g->rng, ARRAY_SIZE(how_many))];

	g->l3 = g->l4 = 0;
	fputs("\t\t", g->out);
	if (rng_one_in(&g->rng, 12)) {
		if (rng_one_in(&g->rng, 3) || !rulegen_put_map_lookup(g))
			rulegen_put_vmap(g, n_below);
		fputc('\n', g->out);
		return;
	}
	/* A counter before a match counts misses too. */
	if (rng_one_in(&g->rng, 10))
		fputs("counter ", g->out);
	for (uint32_t i = 0; i < n; i++) {
		rulegen_put_match(g);
		fputc(' ', g->out);
	}
	if (n == 0 && !rng_one_in(&g->rng, 4)) {
		fputs("counter\n", g->out); /* decides nothing: what follows is not dead */
		return;
	}
	put_statements(g);
	if (n == 0)
		fputs(" counter", g->out);
	put_verdict(g, n_below);
	fputc('\n', g->out);
}

/* Rules of one kind that differ in their values: what the optimiser makes a dispatch of. */
struct run {
	const struct rulegen_field *f[3];
	uint32_t n, n_fields;
	bool final;  /* rules that all decide make longer look-ups */
	bool points; /* single values, and every rule asks for all fields: hashes */
};

static void pick_run(struct rulegen *g, struct run *run)
{
	run->n = 4 + rng_below(&g->rng, 12);
	run->n_fields = 1 + rng_below(&g->rng, 3);
	run->final = rng_one_in(&g->rng, 2);
	run->points = rng_one_in(&g->rng, 3);
	if (rng_one_in(&g->rng, 4)) {
		run->n += LONG_RUN + rng_below(&g->rng, 80);
		run->final |= rng_one_in(&g->rng, 2);
		if (rng_one_in(&g->rng, 2))
			run->n_fields = 1; /* intervals make trees */
		g->spread = rng_one_in(&g->rng, 2);
	}
	g->l3 = g->l4 = 0;
	for (uint32_t i = 0; i < run->n_fields; i++)
		run->f[i] = rulegen_pick_field(g, true);
}

static void put_run(struct rulegen *g, unsigned int n_below)
{
	struct run run;

	pick_run(g, &run);
	for (uint32_t i = 0; i < run.n; i++) {
		fputs("\t\t", g->out);
		for (uint32_t k = 0; k < run.n_fields; k++) {
			if (k != i % run.n_fields && !run.points && rng_one_in(&g->rng, 4))
				continue; /* but not all of them: what is behind would be dead */
			rulegen_put_key(g, run.f[k]);
			/* In a long run all that comes behind would be dead. */
			fputs(!run.points && run.n < LONG_RUN && rng_one_in(&g->rng, 10) ? " != " : " ",
			      g->out);
			rulegen_put_value(g, run.f[k], !run.points);
			fputc(' ', g->out);
		}
		fputs("counter", g->out);
		if (run.final)
			fputs(rng_one_in(&g->rng, 2) ? " drop" : " accept", g->out);
		else
			put_verdict(g, n_below);
		fputc('\n', g->out);
	}
	g->spread = false;
}

static void put_rules(struct rulegen *g, unsigned int n_below)
{
	uint32_t n = 1 + rng_below(&g->rng, 8);

	for (uint32_t i = 0; i < n; i++) {
		put_rule(g, n_below);
		if (g->hook >= 0 && g->n_family && rng_one_in(&g->rng, 2 * n))
			rulegen_put_family_map(g);
	}
	if (rng_one_in(&g->rng, 4))
		put_run(g, n_below);
}

static void put_hook(struct rulegen *g)
{
	static const int prios[] = {0, 0, 0, -300, -150, -10, 10, 100, 225};
	uint32_t hook = rng_below(&g->rng, ARRAY_SIZE(hooks));

	g->hook = hook;
	fprintf(g->out, "\t\ttype filter hook %s priority %d; policy %s;\n", hooks[hook],
		prios[rng_below(&g->rng, ARRAY_SIZE(prios))],
		rng_one_in(&g->rng, 3) ? "drop" : "accept");
}

static void put_table(struct rulegen *g, unsigned int number)
{
	unsigned int n_plain = rng_below(&g->rng, 5), n_base = 1 + rng_below(&g->rng, 3);

	g->family = families[rng_below(&g->rng, ARRAY_SIZE(families))];
	fprintf(g->out, "table %s t%u {\n\tcounter total {\n\t}\n", g->family, number);
	rulegen_put_sets(g);
	rulegen_put_objects(g);
	rulegen_put_dynamic(g);
	rulegen_put_maps(g, n_plain);
	for (unsigned int i = 0; i < n_plain; i++) {
		g->hook = -1;
		fprintf(g->out, "\tchain c%u {\n", i);
		put_rules(g, i);
		fputs("\t}\n", g->out);
	}
	rulegen_put_family(g, n_plain);
	for (unsigned int i = 0; i < n_base; i++) {
		fprintf(g->out, "\tchain b%u {\n", i);
		put_hook(g);
		put_rules(g, n_plain);
		fputs("\t}\n", g->out);
	}
	fputs("}\n", g->out);
}

char *rulegen(uint64_t seed, unsigned int flags)
{
	struct rulegen g = {.rng = {.state = seed * 0x2545f4914f6cdd1du + 1}, .flags = flags};
	unsigned int n;
	char *text = NULL;
	size_t size;

	g.writes = rng_one_in(&g.rng, 4);
	g.of_sets = rng_one_in(&g.rng, 2);
	g.out = open_memstream(&text, &size);
	if (!g.out)
		return NULL;
	n = 1 + rng_one_in(&g.rng, 3);
	for (unsigned int i = 0; i < n; i++)
		put_table(&g, i);
	if (fclose(g.out)) {
		free(text);
		return NULL;
	}
	return text;
}
