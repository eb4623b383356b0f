/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The optimiser: lists of rules written as the bytes say, evaluated before and after each pass on
 * packets out of the same bytes. What rules look at and compare with comes from few values, so that
 * runs of rules become dispatches and packets get somewhere.
 */
#include "tests/fuzz/equal.h"

const char fuzz_name[] = "opt";

enum { N_CHAINS = 4, MAX_SETS = 24, MAX_ELEMS = 8, MAX_WIDTH = 16, MAX_STATES = 400 };

static const struct field {
	const char *sel;
	uint8_t width;
} fields[] = {
	{"(load nh 12 4)", 4},
	{"(load nh 16 4)", 4},
	{"(load nh 12 1)", 1},
	{"(load nh 12 3)", 3},
	{"(load nh 8 16)", 16},
	{"(load nh 9 1)", 1},
	{"(load nh 6 1)", 1},
	{"(load th 0 2)", 2},
	{"(load th 2 2)", 2},
	{"(load th 0 4)", 4},
	{"(load th 2 1)", 1},
	{"(load ll 6 6)", 6},
	{"(meta l4proto)", 1},
	{"(meta mark)", 4},
	{"(meta oif)", 4},
	{"(meta iif)", 4},
	{"(meta iifname)", 16},
	{"(meta iiftype)", 2},
	{"(ct state)", 4},
	{"(ct mark)", 4},
	{"(and (load nh 12 4) 0xfffff000)", 4},
	{"(and (load nh 16 4) 0xff00ff00)", 4},
	{"(and (load th 2 2) 0xfff0)", 2},
	{"(and (load th 13 1) 0x12)", 1},
	{"(and (ct state) 0x06000000)", 4},
	{"(shr (meta mark) 3)", 4},
	{"(bswap (load th 2 2) 2)", 2},
	{"(xor (meta mark) 0x01000000)", 4},
	{"(concat (load nh 16 4) (load th 2 2))", 6},
	{"(concat (meta l4proto) (load th 2 2))", 3},
	{"(concat (load nh 12 4) (load nh 16 4))", 8},
	{"(slice (load nh 12 4) 1 2)", 2},
	{"(jhash (load nh 12 8) 5)", 4},
	{"(scale (jhash (load nh 12 4) 1) 4 1)", 4},
};

/* The text: sets stand before chains, states before sets, and rules need both. */
struct writer {
	struct fuzz_in *in;
	FILE *sets, *rules;
	char *sets_text, *rules_text;
	size_t sets_size, rules_size;
	uint32_t n_sets, n_states, chain;
	uint8_t palette[4], n_palette;
};

static void take_bytes(struct fuzz_in *in, uint8_t *b, uint32_t width)
{
	uint8_t how = fuzz_byte(in);

	memset(b, how & 1 ? 255 : 0, width);
	if (how & 2)
		for (uint32_t i = 0; i < width; i++)
			b[i] = fuzz_byte(in);
	else
		b[how & 4 ? 0 : width - 1] = how >> 3;
}

static void put_bytes(FILE *f, const uint8_t *b, uint32_t width)
{
	fputs("0x", f);
	for (uint32_t i = 0; i < width; i++)
		fprintf(f, "%02x", b[i]);
}

static uint32_t put_state(struct writer *w)
{
	return MIN(w->n_states++, MAX_STATES - 1u);
}

/* Jumps go to later chains only. */
static void put_verdict(struct writer *w, FILE *f, bool in_map)
{
	static const char *const ends[] = {"accept", "drop", "return", "continue"};
	uint8_t how = fuzz_byte(w->in);
	uint32_t to = w->chain + 1 + (how >> 3) % N_CHAINS;

	if ((how & 6) == 6 && to < N_CHAINS)
		fprintf(f, in_map ? "%s (v4 ip t c%u)" : "%s c%u", how & 1 ? "jump" : "goto", to);
	else
		fputs(ends[how & 3], f);
}

/* ---- sets ---- */

struct elem {
	uint8_t lo[MAX_WIDTH], hi[MAX_WIDTH];
};

static int by_lo(const void *a, const void *b)
{
	return memcmp(a, b, MAX_WIDTH);
}

/* Sorted and disjoint. */
static uint32_t take_elems(struct fuzz_in *in, uint32_t width, bool intervals, struct elem *e)
{
	uint32_t want = fuzz_below(in, MAX_ELEMS), n = 0;

	memset(e, 0, MAX_ELEMS * sizeof(*e));
	for (uint32_t i = 0; i < want; i++) {
		take_bytes(in, e[i].lo, width);
		memcpy(e[i].hi, e[i].lo, width);
		if (intervals)
			take_bytes(in, e[i].hi, width);
		if (memcmp(e[i].lo, e[i].hi, width) > 0)
			memcpy(e[i].hi, e[i].lo, width);
	}
	qsort(e, want, sizeof(*e), by_lo);
	for (uint32_t i = 0; i < want; i++)
		if (!n || memcmp(e[n - 1].hi, e[i].lo, width) < 0)
			e[n++] = e[i];
	return n;
}

static void put_value(struct writer *w, const char *kind, uint8_t data)
{
	uint8_t b[MAX_WIDTH];

	if (*kind == 'v') {
		fputs(" : ", w->sets);
		put_verdict(w, w->sets, true);
	} else if (*kind == 'm') {
		take_bytes(w->in, b, data);
		fputs(" : ", w->sets);
		put_bytes(w->sets, b, data);
	}
}

/* Returns its number. Every set is of its own rule: verdicts of a map know where they stand. */
static uint32_t put_set(struct writer *w, const char *kind, uint32_t width, uint8_t data)
{
	struct elem e[MAX_ELEMS];
	uint8_t how = fuzz_byte(w->in);
	uint32_t n = take_elems(w->in, width, how & 1, e);
	bool counts = (how & 0x70) == 0x40 && *kind != 'm';
	bool intervals = false;

	for (uint32_t i = 0; i < n; i++)
		intervals |= memcmp(e[i].lo, e[i].hi, width) != 0;
	fprintf(w->sets, "%s s%u width %u", kind, w->n_sets, width);
	if (*kind == 'm')
		fprintf(w->sets, " data %u", data);
	fprintf(w->sets, "%s%s%s {\n", counts ? " states 1" : "", intervals ? " intervals" : "",
		how & 2 ? " mutable" : "");
	for (uint32_t i = 0; i <= n; i++) {
		if (i == n && !(how & 8))
			break;
		if (i == n)
			fputc('*', w->sets);
		else
			put_bytes(w->sets, e[i].lo, width);
		if (i < n && memcmp(e[i].lo, e[i].hi, width) != 0) {
			fputs("..", w->sets);
			put_bytes(w->sets, e[i].hi, width);
		}
		put_value(w, kind, data);
		if (counts)
			fprintf(w->sets, " #%u", put_state(w));
		fputc('\n', w->sets);
	}
	fputs("}\n", w->sets);
	return w->n_sets++;
}

/* ---- rules ---- */

static void put_guard(struct writer *w, uint32_t at, const char *sel, uint32_t width)
{
	static const char *const kinds[] = {"eq", "eq", "eq", "range", "in", "ne", "not_in",
					    "not_range"};
	const char *kind = kinds[fuzz_byte(w->in) & 7];
	uint8_t lo[MAX_WIDTH], hi[MAX_WIDTH];

	if (strstr(kind, "in") && w->n_sets < MAX_SETS) {
		fprintf(w->rules, "%u: guard %s %s @s%u ", at, kind, sel,
			put_set(w, "set", width, 0));
		return;
	}
	if (strstr(kind, "in"))
		kind = "eq";
	fprintf(w->rules, "%u: guard %s %s ", at, kind, sel);
	take_bytes(w->in, lo, width);
	put_bytes(w->rules, lo, width);
	if (strstr(kind, "range")) {
		take_bytes(w->in, hi, width);
		if (memcmp(lo, hi, width) > 0)
			memcpy(hi, lo, width);
		fputs("..", w->rules);
		put_bytes(w->rules, hi, width);
	}
	fputc(' ', w->rules);
}

/* Mostly one of the chain's own few. */
static const struct field *take_field(struct writer *w, uint8_t how)
{
	if ((how & 7) == 7)
		return &fields[fuzz_below(w->in, ARRAY_SIZE(fields))];
	return &fields[w->palette[(how & 7) % w->n_palette]];
}

static void put_step(struct writer *w, uint32_t at)
{
	uint8_t how = fuzz_byte(w->in), data = 1 + (how & 3);
	const struct field *f = take_field(w, how);
	char sel[96];

	switch (how >> 3) {
	case 0:
		fprintf(w->rules, "%u: need %s ", at, f->sel);
		break;
	case 1:
		fprintf(w->rules, "%u: effect counter #%u ", at, put_state(w));
		break;
	case 2:
		if (w->n_sets < MAX_SETS)
			fprintf(w->rules, "%u: vmap %s @s%u ", at, f->sel,
				put_set(w, "vmap", f->width, 0));
		break;
	case 3:
		if (w->n_sets >= MAX_SETS)
			break;
		snprintf(sel, sizeof(sel), "(map %s @s%u)", f->sel,
			 put_set(w, "map", f->width, data));
		put_guard(w, at, sel, data);
		break;
	default:
		put_guard(w, at, f->sel, f->width);
	}
}

static void put_rule(struct writer *w, uint32_t index)
{
	uint8_t how = fuzz_byte(w->in);

	fprintf(w->rules, "rule %u handle %u ", index, index + 100);
	if (how == 0xff) {
		fputs("never\n", w->rules);
		return;
	}
	fputs("{ ", w->rules);
	for (uint32_t i = 0; i < (how & 3u); i++)
		put_step(w, i);
	if (how & 4)
		fprintf(w->rules, "5: effect counter #%u ", put_state(w));
	if ((how & 0x38) == 0x38)
		put_step(w, 6);
	if (how & 0x40) {
		fputs("9: verdict ", w->rules);
		put_verdict(w, w->rules, false);
	}
	fputs(" }\n", w->rules);
}

static void put_chain(struct writer *w, uint8_t how)
{
	uint32_t n = fuzz_below(w->in, w->chain < 2 ? 48 : 12);

	w->n_palette = 1 + (how >> 3 & 3);
	for (uint32_t i = 0; i < w->n_palette; i++)
		w->palette[i] = (uint8_t)fuzz_below(w->in, ARRAY_SIZE(fields));
	fprintf(w->rules, "chain v4 ip t c%u", w->chain);
	if (w->chain == 0)
		fprintf(w->rules, " base hook %s priority 0 policy %s",
			how & 1 ? "input" : "postrouting", how & 2 ? "drop" : "accept");
	fputs(" {\n", w->rules);
	for (uint32_t i = 1; i <= n && w->in->left; i++)
		put_rule(w, i);
	fputs("}\n", w->rules);
}

static char *write_ir(struct fuzz_in *in, size_t *ret_size)
{
	struct writer w = {.in = in};
	uint8_t how = fuzz_byte(in);
	char *text = NULL;
	FILE *out;

	w.sets = open_memstream(&w.sets_text, &w.sets_size);
	w.rules = open_memstream(&w.rules_text, &w.rules_size);
	for (w.chain = 0; w.chain < N_CHAINS; w.chain++)
		put_chain(&w, w.chain ? fuzz_byte(in) : how);
	fclose(w.sets);
	fclose(w.rules);
	out = open_memstream(&text, ret_size);
	fputs("ir 1\n", out);
	for (uint32_t i = 0; i < MIN(w.n_states, (uint32_t)MAX_STATES); i++)
		fprintf(out, "state #%u (counter)\n", i);
	fprintf(out, "%s%sprog p v4 hook %s priority 0 {\n(v4 ip t c0)\n}\n", w.sets_text,
		w.rules_text, how & 1 ? "input" : "postrouting");
	fclose(out);
	free(w.sets_text);
	free(w.rules_text);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What is behind two thirds is for packets, so that there are some whatever the rules took. */
	struct fuzz_in in = {data, size - size / 3}, packets = {data + in.left, size / 3};
	size_t len;
	AUTO_FREE char *text = write_ir(&in, &len);

	for (int stage = 0; stage < EQUAL_STAGES; stage++) {
		struct ir *before = equal_parse(text, len), *after = equal_parse(text, len);
		char *why;

		FUZZ_HOLDS(before, "not an IR:\n%s", text);
		why = ir_check(before);
		FUZZ_HOLDS(!why, "%s:\n%s", why, text);
		equal_optimise(after, stage);
		why = ir_check(after);
		FUZZ_HOLDS(!why, "%s:\n%s", why, text);
		equal_check_text(after);
		equal_check(before, after, packets, stage == EQUAL_ALL ? "optimised" : "without the dead");
		ir_free(before);
		ir_free(after);
	}
	return 0;
}
