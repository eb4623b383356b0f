/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What random rules match: fields with values; masks, ranges, sets, concatenations, odd bits of
 * headers, and oddities written out.
 */
#include "rulegen_priv.h"

static const char *const states[] = {"new", "established", "related", "invalid", "untracked", NULL};

static const char *maybe_not(struct rulegen *g)
{
	return rng_one_in(&g->rng, 4) ? "!= " : "";
}

/* An anonymous set; overlapping intervals are refused, so with ranges there is only one element. */
static void put_set(struct rulegen *g, const struct rulegen_field *f)
{
	uint32_t n = 1 + rng_below(&g->rng, 7);
	char v[64];

	fprintf(g->out, "%s{ ", maybe_not(g));
	if (f->has_range && rng_one_in(&g->rng, 4)) {
		rulegen_range_value(g, f, v, sizeof(v));
		fprintf(g->out, "%s }", v);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		rulegen_value(g, f, v, sizeof(v));
		fprintf(g->out, "%s%s", i ? ", " : "", v);
	}
	fputs(" }", g->out);
}

/* A set of a concatenation, or of intervals. */
static void put_key_set(struct rulegen *g)
{
	struct rulegen_key key;

	rulegen_pick_key(g, &key, rulegen_fields(g));
	rulegen_put_fields(g, &key);
	fprintf(g->out, " %s{ ", maybe_not(g));
	rulegen_put_elements(g, &key, rulegen_put_nothing, 0);
	fputs(" }", g->out);
}

static void put_mask(struct rulegen *g, const struct rulegen_field *f)
{
	uint32_t mask = rulegen_number(g, f->max) | 1u << rng_below(&g->rng, f->max > 65535 ? 32 : 8);

	fprintf(g->out, "%s & 0x%x %s 0x%x", f->key, mask, rng_one_in(&g->rng, 3) ? "!=" : "==",
		rulegen_number(g, f->max) & mask);
}

static const struct {
	const char *text;
	unsigned int in;
} odd[] = {
	{"tcp flags & (syn | ack) == syn", ALL},
	{"tcp flags & (fin | syn | rst | psh | ack | urg) == 0x0", ALL},
	{"tcp flags syn", ALL},
	{"tcp flags != syn", ALL},
	{"tcp flags { syn, ack, syn | ack }", ALL},
	{"tcp option sack-perm exists", ALL},
	{"tcp option timestamp missing", ALL},
	{"tcp option window count 7", ALL},
	{"ip option ra exists", V4},
	{"ip option rr missing", V4},
	{"exthdr hbh exists", V6},
	{"exthdr frag missing", V6},
	{"exthdr dst exists", V6},
	{"meta nfproto ipv4", INET},
	{"meta nfproto ipv6", INET},
	{"meta protocol ip", INET},
	{"iifname \"eth*\"", ALL},
	{"oifname \"d*\"", ALL},
	{"iifname != \"d*\"", ALL},
	{"iifname \"\"", 0},
	{"iiftype ether", ALL},
	{"oiftype loopback", ALL},
	{"meta iifgroup 0", ALL},
	{"ip saddr & 0.0.3.1 == 0.0.1.1", V4},
	{"ip6 saddr & ::f == ::2", V6},
	{"ct status assured", ALL},
	{"ct direction reply", ALL},
	{"ct original proto-dst 80", 0},
	{"ct original ip saddr 10.0.1.1", V4},
	{"meta mark >= 0x100", ALL},
	{"meta mark > 0x100", ALL},
	{"meta mark or 0x3 == 0x53", ALL},
	{"meta mark xor 0x3 != 0x52", ALL},
	{"meta mark < 80", ALL},
	{"meta length > 100", ALL},
	{"ip ttl < 64", V4},
	{"th dport >= 1024", ALL},
	{"th sport != 53", ALL},
	{"meta cpu 0", ALL},
	{"ip frag-off & 0x1fff != 0", V4},
	{"ip frag-off & 0x2000 == 0x2000", V4},
};

static void put_odd(struct rulegen *g)
{
	for (;;) {
		uint32_t k = rng_below(&g->rng, ARRAY_SIZE(odd));

		if ((odd[k].in & rulegen_family_bit(g)) && rulegen_claim(g, odd[k].text)) {
			fputs(odd[k].text, g->out);
			return;
		}
	}
}

static void put_state(struct rulegen *g)
{
	uint32_t n = 1 + rng_below(&g->rng, 3), first = rng_below(&g->rng, 5);

	fprintf(g->out, "ct state %s", maybe_not(g));
	for (uint32_t i = 0; i < n; i++)
		fprintf(g->out, "%s%s", i ? "," : "", states[(first + i) % 5]);
}

void rulegen_put_match(struct rulegen *g)
{
	struct rulegen saved = *g;
	const struct rulegen_field *f = rulegen_pick_field(g, false);
	uint32_t way = rng_below(&g->rng, 16);

	if (g->of_sets && rng_one_in(&g->rng, 2))
		way = rng_one_in(&g->rng, 3) ? 2 : 6;

	/* Those that pick fields of their own forget this one. */
	if (way <= 4 || (way == 6 && g->n_sets) || (way == 7 && g->n_dynamic)) {
		g->l3 = saved.l3;
		g->l4 = saved.l4;
	}
	switch (way) {
	case 0:
		put_odd(g);
		return;
	case 1:
		put_state(g);
		return;
	case 2:
		put_key_set(g);
		return;
	case 3:
	case 4:
		f = rulegen_pick_field(g, true);
		rulegen_put_key(g, f);
		fputc(' ', g->out);
		put_set(g, f);
		return;
	case 5:
		if (f->has_mask) {
			put_mask(g, f);
			return;
		}
		break;
	case 6:
		if (g->n_sets) {
			if (!rulegen_put_set_lookup(g))
				put_odd(g);
			return;
		}
		break;
	case 7:
		if (g->n_dynamic) {
			if (!rulegen_put_lookup(g))
				put_odd(g);
			return;
		}
		break;
	}
	fprintf(g->out, "%s %s", f->key, maybe_not(g));
	rulegen_put_value(g, f, true);
	if (f->has_range && rng_one_in(&g->rng, 6)) { /* and once more */
		fprintf(g->out, " %s %s", f->key, maybe_not(g));
		rulegen_put_value(g, f, true);
	}
}
