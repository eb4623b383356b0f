/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of random sets and maps, and named sets: of points and of intervals, some of which count or
 * have quotas.
 */
#include "rulegen_priv.h"

/* Disjoint, single values among them; from 0 on, now and then. */
static void put_intervals(struct rulegen *g, const struct rulegen_field *f,
			      rulegen_after *after, unsigned int arg)
{
	uint32_t n = 1 + rng_below(&g->rng, 6), lo = rng_below(&g->rng, 3) * rng_below(&g->rng, 15);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t hi = lo + rng_below(&g->rng, 3) * rng_below(&g->rng, 20);

		fputs(i ? ", " : "", g->out);
		if (f->kind == V_ADDR4)
			fprintf(g->out, hi > lo ? "10.0.1.%u-10.0.1.%u" : "10.0.1.%u", lo, hi);
		else if (f->kind == V_ADDR6)
			fprintf(g->out, hi > lo ? "2001:db8::%x-2001:db8::%x" : "2001:db8::%x", lo, hi);
		else
			fprintf(g->out, hi > lo ? "%u-%u" : "%u", lo, hi);
		after(g, arg);
		/* Neighbours that touch are as good as others. */
		lo = hi + 1 + rng_below(&g->rng, 2) * rng_below(&g->rng, 12);
		if (lo > 200 || (f->kind == V_NUMBER && lo + 40 > f->max))
			break;
	}
}

static void put_last_interval(struct rulegen *g, const struct rulegen_field *f)
{
	bool is_point = rng_one_in(&g->rng, 2);

	if (f->kind == V_ADDR4)
		fputs(is_point ? "255.255.255.255" : "224.0.0.0-255.255.255.255", g->out);
	else if (f->kind == V_ADDR6)
		fputs(is_point ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "ff00::/8", g->out);
	else if (is_point)
		fprintf(g->out, "%u", f->max);
	else
		fprintf(g->out, "%u-%u", f->max - f->max / 8, f->max);
}

void rulegen_put_points(struct rulegen *g, const struct rulegen_field *f, uint32_t n,
			rulegen_after *after, unsigned int arg)
{
	char v[RULEGEN_POINTS][64];

	for (uint32_t k = 0; k < n; k++) {
		bool again = false;

		rulegen_value(g, f, v[k], sizeof(v[k]));
		for (uint32_t i = 0; i < k; i++)
			again |= strcmp(v[i], v[k]) == 0;
		if (again)
			continue;
		fprintf(g->out, "%s%s", k ? ", " : "", v[k]);
		after(g, arg);
	}
}

void rulegen_put_elements(struct rulegen *g, const struct rulegen_field *f, bool intervals,
			  rulegen_after *after, unsigned int arg)
{
	if (!intervals) {
		rulegen_put_points(g, f, 1 + rng_below(&g->rng, 5), after, arg);
		return;
	}
	put_intervals(g, f, after, arg);
	if (rng_one_in(&g->rng, 3) && f->max != 300) { /* lengths: as long as no packet is */
		fputs(", ", g->out);
		put_last_interval(g, f);
		after(g, arg);
	}
	if (rng_one_in(&g->rng, 6)) {
		fputs(", *", g->out);
		after(g, arg);
	}
}

/* What an element keeps beside what the set says: @counts, counters. */
static void put_kept(struct rulegen *g, unsigned int counts)
{
	if (counts && rng_one_in(&g->rng, 3))
		fprintf(g->out, " counter packets %u bytes %u", rng_below(&g->rng, 9),
			rng_below(&g->rng, 900));
}

static bool put_keeps(struct rulegen *g)
{
	bool counts = rng_one_in(&g->rng, 3);

	if (counts)
		fputs("\t\tcounter\n", g->out);
	else if (!(g->flags & RULEGEN_NO_QUOTA) && rng_one_in(&g->rng, 8))
		fprintf(g->out, "\t\tquota %s%u bytes\n", rng_one_in(&g->rng, 2) ? "over " : "",
			100 + rng_below(&g->rng, 900));
	return counts;
}

/* Named sets, some of which may change. */
void rulegen_put_sets(struct rulegen *g)
{
	static const char *const flags[][2] = {{"", "\t\tflags constant\n"},
					       {"\t\tflags interval\n",
						"\t\tflags constant, interval\n"}};

	g->n_sets = rng_below(&g->rng, 4);
	for (uint32_t i = 0; i < g->n_sets; i++) {
		const struct rulegen_field *f;
		bool intervals, counts;

		do {
			g->l3 = g->l4 = 0;
			f = rulegen_pick_field(g, true);
		} while (rulegen_is_name(f));
		intervals = f->has_range && f->max != 255 && rng_one_in(&g->rng, 2);
		g->set_field[i] = f;
		fprintf(g->out, "\tset s%u {\n\t\ttypeof %s\n%s", i, f->key,
			flags[intervals][rng_one_in(&g->rng, 2)]);
		counts = put_keeps(g);
		fputs("\t\telements = { ", g->out);
		rulegen_put_elements(g, f, intervals, put_kept, counts);
		fputs(" }\n\t}\n", g->out);
	}
}
