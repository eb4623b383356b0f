/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: random rules as text, and families of chains that have the same shape.
 */
#ifndef NFT_BPF_TESTS_IR_FAMILIES_H
#define NFT_BPF_TESTS_IR_FAMILIES_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "compiler/util.h"

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 20) % n;
}

/* What rules look at; the first bytes of constants come from few values, so that rules overlap. */
static const struct field {
	const char *sel;
	uint8_t width;
} fields[] = {
	{"(load nh 12 4)", 4},
	{"(load nh 12 3)", 3},
	{"(load nh 12 1)", 1},
	{"(and (load nh 12 4) 0xfffff000)", 4},
	{"(load nh 16 4)", 4},
	{"(meta l4proto)", 1},
	{"(load th 0 2)", 2},
	{"(load th 2 2)", 2},
	{"(and (load th 13 1) 0x12)", 1},
	{"(meta mark)", 4},
	{"(concat (load nh 16 4) (load th 2 2))", 6},
	{"(load nh 40 2)", 2},
	{"(load th 0 1)", 1},
	{"(meta oif)", 4},
	{"(meta iifname)", 16},
	{"(load nh 9 1)", 1},
	{"(load th 0 4)", 4},
	{"(and (load th 2 2) 0xfff0)", 2},
	{"(and (load nh 16 4) 0xff00ff00)", 4},
};

struct writer {
	FILE *out;
	char *text;
	size_t size;
	uint32_t n_states, n_sets;
	char *sets;
	size_t sets_size;
	FILE *sets_out;
	uint32_t palette[4], n_palette; /* the fields this chain uses */
	uint32_t n_kinds;		/* how many kinds of guards */
	bool plain;			/* rules decide and have no second thoughts */
};

static uint8_t small_byte(void)
{
	static const uint8_t bytes[] = {0, 1, 6, 10, 17, 22, 80, 192, 254, 255};

	return rnd(8) ? bytes[rnd(sizeof(bytes))] : (uint8_t)rnd(256);
}

static void put_bytes(FILE *f, const uint8_t *b, uint32_t n)
{
	fputs("0x", f);
	for (uint32_t i = 0; i < n; i++)
		fprintf(f, "%02x", b[i]);
}

static void make_bytes(uint8_t *b, uint32_t n)
{
	bool zero = rnd(6) == 0; /* what a device has that is not there */

	for (uint32_t i = 0; i < n; i++)
		b[i] = zero ? 0 : small_byte();
}

static void put_range(FILE *f, uint32_t width)
{
	uint8_t lo[16], hi[16];

	make_bytes(lo, width);
	make_bytes(hi, width);
	if (rnd(2))
		memcpy(hi, lo, width - 1);
	if (memcmp(lo, hi, width) > 0 && rnd(20)) {
		put_bytes(f, hi, width);
		fputs("..", f);
		put_bytes(f, lo, width);
		return;
	}
	put_bytes(f, lo, width);
	fputs("..", f);
	put_bytes(f, hi, width);
}

/* ---- families: chains of the same shape ---- */

enum { MAX_FAMILY = 12, FAMILY_RULES = 4 };

/* What all members' rules have in common. */
struct kind {
	bool never, counts;
	uint32_t n_guards;
	struct {
		const struct field *field;
		const char *kind;
		uint32_t n_elems;
	} guards[2];
	const char *verdict; /* "jump" and "goto" need a target; "vmap" some; "" none */
	uint32_t n_elems;    /* of the map */
	uint8_t keys[6][16]; /* all members' */
	bool own_keys, elems_count;
};

static void draw_kind(struct kind *k, bool may_jump)
{
	static const char *const guards[] = {"eq", "ne", "range", "not_range", "in", "not_in"};
	static const char *const verdicts[] = {"accept", "drop", "return", "", "",
					       "jump",	 "goto", "vmap",   "vmap"};

	memset(k, 0, sizeof(*k));
	k->never = rnd(12) == 0;
	k->counts = rnd(2);
	k->n_guards = rnd(3);
	for (uint32_t i = 0; i < k->n_guards; i++) {
		k->guards[i].field = &fields[rnd(ARRAY_SIZE(fields))];
		k->guards[i].kind = guards[rnd(ARRAY_SIZE(guards))];
		k->guards[i].n_elems = rnd(4);
	}
	k->verdict = verdicts[rnd(may_jump ? ARRAY_SIZE(verdicts) : 5)];
	k->n_elems = 1 + rnd(5);
	k->own_keys = rnd(2);
	k->elems_count = rnd(3) == 0;
	for (uint32_t i = 0; i < k->n_elems; i++)
		k->keys[i][0] = (uint8_t)(40 * i + rnd(40));
}

/* Distinct keys, ascending; the first byte tells them apart. */
static void put_family_set(struct writer *l, const struct kind *k, uint32_t width, uint32_t n,
			   const char *target, uint32_t n_targets)
{
	fprintf(l->sets_out, "%s s%u width %u%s {\n", target ? "vmap" : "set", l->n_sets, width,
		k->elems_count ? " states 1" : "");
	for (uint32_t i = 0; i < n; i++) {
		uint8_t key[16] = {0};

		make_bytes(key, width);
		key[0] = (uint8_t)(40 * i + rnd(40));
		put_bytes(l->sets_out, target && !k->own_keys ? k->keys[i] : key, width);
		if (target)
			fprintf(l->sets_out, " : %s %s%u", i % 2 ? "jump (v4 ip t" : "goto (v4 ip t",
				target, rnd(n_targets));
		fputs(target ? ")" : "", l->sets_out);
		if (k->elems_count)
			fprintf(l->sets_out, " #%u", l->n_states++);
		fputc('\n', l->sets_out);
	}
	fputs("}\n", l->sets_out);
	l->n_sets++;
}

static void put_kind_guard(struct writer *l, const struct kind *k, uint32_t i)
{
	const struct field *f = k->guards[i].field;
	uint8_t b[16];

	fprintf(l->out, "0: guard %s %s ", k->guards[i].kind, f->sel);
	if (strstr(k->guards[i].kind, "in")) {
		put_family_set(l, k, f->width, k->guards[i].n_elems, NULL, 0);
		fprintf(l->out, "@s%u ", l->n_sets - 1);
	} else if (strstr(k->guards[i].kind, "range")) {
		put_range(l->out, f->width);
	} else {
		make_bytes(b, f->width);
		put_bytes(l->out, b, f->width);
	}
	fputc(' ', l->out);
}

static void put_member_rule(struct writer *l, const struct kind *k, uint32_t index,
			    const char *target, uint32_t n_targets)
{
	fprintf(l->out, "rule %u handle %u ", index, index);
	if (k->never) {
		fputs("never\n", l->out);
		return;
	}
	fputs("{ ", l->out);
	for (uint32_t i = 0; i < k->n_guards; i++)
		put_kind_guard(l, k, i);
	if (k->counts)
		fprintf(l->out, "5: effect counter #%u ", l->n_states++);
	if (strcmp(k->verdict, "vmap") == 0) {
		put_family_set(l, k, 1, k->n_elems, target, n_targets);
		fprintf(l->out, "8: vmap (load th 1 1) @s%u ", l->n_sets - 1);
	} else if (*k->verdict) {
		fprintf(l->out, "9: verdict %s", k->verdict);
		if (*k->verdict == 'j' || *k->verdict == 'g')
			fprintf(l->out, " %s%u", target, rnd(n_targets));
		fputc(' ', l->out);
	}
	fputs("}\n", l->out);
}

/* Chains NAME0 … of @n, which may jump to TARGET0 …; callees are put first. */
static void put_family(struct writer *l, const char *name, uint32_t n, const char *target,
		       uint32_t n_targets)
{
	struct kind kinds[FAMILY_RULES];
	uint32_t n_rules = rnd(FAMILY_RULES + 1);

	for (uint32_t i = 0; i < n_rules; i++)
		draw_kind(&kinds[i], n_targets);
	for (uint32_t i = 0; i < n; i++) {
		fprintf(l->out, "chain v4 ip t %s%u {\n", name, i);
		for (uint32_t r = 0; r < n_rules; r++)
			put_member_rule(l, &kinds[r], r + 1, target, n_targets);
		fputs("}\n", l->out);
	}
}

/* A base chain that leads to two families, by a map and by rules. */
static void put_families(struct writer *l)
{
	uint32_t n = 1 + rnd(MAX_FAMILY), m = 1 + rnd(MAX_FAMILY), n_rules = rnd(MAX_FAMILY + 1);
	bool is_mutable = rnd(2);

	put_family(l, "g", m, NULL, 0);
	put_family(l, "f", n, "g", m);
	fprintf(l->sets_out, "vmap families width 1%s {\n", is_mutable ? " mutable" : "");
	for (uint32_t i = 0; i < 256; i += 1 + rnd(9))
		fprintf(l->sets_out, "0x%02x : %s (v4 ip t %c%u)\n", i, rnd(2) ? "jump" : "goto",
			i % 3 ? 'f' : 'g', rnd(i % 3 ? n : m));
	fputs("}\n", l->sets_out);
	fputs("chain v4 ip t families {\n", l->out);
	for (uint32_t i = 1; i <= n_rules; i++)
		fprintf(l->out,
			"rule %u handle %u { 0: guard eq (load nh 15 1) 0x%02x 9: verdict %s f%u }\n",
			i, i, small_byte(), rnd(2) ? "jump" : "goto", rnd(n));
	fprintf(l->out, "rule %u handle %u { 1: vmap (load nh 19 1) @families }\n}\n", n_rules + 1,
		n_rules + 1);
}

#endif
