/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: random lists of rules as text, such as the optimiser makes something of.
 */
#ifndef NFT_BPF_TESTS_IR_LISTS_H
#define NFT_BPF_TESTS_IR_LISTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir_families.h"

enum { MAX_RULES = 150 };

static int compare16(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static uint32_t put_set(struct writer *l, uint32_t width)
{
	uint8_t keys[6][16] = {{0}};
	uint32_t n = rnd(6);

	for (uint32_t i = 0; i < n; i++)
		make_bytes(keys[i], width);
	qsort(keys, n, 16, compare16);
	fprintf(l->sets_out, "set s%u width %u%s {\n", l->n_sets, width, rnd(8) ? "" : " mutable");
	for (uint32_t i = 0; i < n; i++) {
		if (i && memcmp(keys[i], keys[i - 1], 16) == 0)
			continue;
		put_bytes(l->sets_out, keys[i], width);
		fputc('\n', l->sets_out);
	}
	fputs(rnd(10) ? "}\n" : "*\n}\n", l->sets_out);
	return l->n_sets++;
}

static void put_guard(struct writer *l, const struct field *f)
{
	static const char *const kinds[] = {"eq", "eq",	       "eq", "eq",     "range", "range",
					    "ne", "not_range", "in", "not_in", "need"};
	const char *kind = kinds[rnd(l->n_kinds)];
	uint8_t b[16];

	if (strcmp(kind, "need") == 0) {
		fprintf(l->out, "0: need %s ", f->sel);
		return;
	}
	fprintf(l->out, "0: guard %s %s ", kind, f->sel);
	if (strstr(kind, "in")) {
		fprintf(l->out, "@s%u ", put_set(l, f->width));
	} else if (strstr(kind, "range")) {
		put_range(l->out, f->width);
	} else {
		make_bytes(b, f->width);
		put_bytes(l->out, b, f->width);
	}
	fputc(' ', l->out);
}

static void put_verdict(struct writer *l, bool may_jump)
{
	static const char *const verdicts[] = {"accept", "drop",   "drop",     "accept", "return",
					       "jump d", "goto d", "continue", "",	 "jump e"};
	const char *v = verdicts[rnd(may_jump ? 10 : 5)];

	if (*v)
		fprintf(l->out, "9: verdict %s ", v);
}

static void put_rule(struct writer *l, uint32_t index, bool may_jump, uint32_t decides)
{
	uint32_t n = l->plain ? l->n_palette : rnd(10) ? 1 + rnd(l->n_palette) : rnd(2);

	fprintf(l->out, "rule %u handle %u ", index, index);
	if (rnd(30) == 0) {
		fputs("never\n", l->out);
		return;
	}
	fputs("{ ", l->out);
	if (!l->plain && rnd(40) == 0)
		fprintf(l->out, "1: effect counter #%u ", l->n_states++);
	for (uint32_t i = 0; i < n; i++)
		put_guard(l, &fields[l->palette[l->n_palette > 1 && n < l->n_palette
							? rnd(l->n_palette)
							: i % l->n_palette]]);
	if (rnd(4))
		fprintf(l->out, "5: effect counter #%u ", l->n_states++);
	if (!l->plain && rnd(10) == 0)
		put_guard(l, &fields[rnd(ARRAY_SIZE(fields))]);
	if (rnd(10) == 0)
		fprintf(l->out, "5: effect counter #%u ", l->n_states++);
	if (l->plain || rnd(10) < decides)
		fprintf(l->out, "9: verdict %s ", rnd(2) ? "drop" : "accept");
	else
		put_verdict(l, may_jump);
	fputs("}\n", l->out);
}

static void put_chain(struct writer *l, const char *head, uint32_t n, bool may_jump)
{
	static const uint8_t n_kinds[] = {4, 6, 11};
	uint32_t decides = rnd(11), n_fields = rnd(3) ? 1 + rnd(2) : 1 + rnd(4);

	l->n_kinds = n_kinds[rnd(3)];
	l->plain = rnd(2);
	l->n_palette = n_fields;
	for (uint32_t i = 0; i < n_fields; i++)
		l->palette[i] = rnd(ARRAY_SIZE(fields));
	fprintf(l->out, "chain v4 ip t %s {\n", head);
	for (uint32_t i = 1; i <= n; i++)
		put_rule(l, i, may_jump, decides);
	fputs("}\n", l->out);
}

/* The text of a random ir, malloc'ed. */
static char *make_list(void)
{
	struct writer l = {0};
	char *text = NULL;
	size_t size;
	FILE *out;

	l.out = open_memstream(&l.text, &l.size);
	l.sets_out = open_memstream(&l.sets, &l.sets_size);
	put_chain(&l, "b base hook input priority 0 policy accept", rnd(MAX_RULES), true);
	put_chain(&l, "d", rnd(12), false);
	put_chain(&l, "e", rnd(3) ? rnd(40) : 0, false);
	if (rnd(2))
		put_families(&l);
	else
		fputs("chain v4 ip t families {\n}\n", l.out);
	fclose(l.out);
	fclose(l.sets_out);
	out = open_memstream(&text, &size);
	fputs("ir 1\n", out);
	for (uint32_t i = 0; i < l.n_states; i++)
		fprintf(out, "state #%u (counter)\n", i);
	/* Its rules come first. */
	fprintf(out,
		"%s%schain v4 ip t a base hook input priority 0 policy accept {\n"
		"rule 1 handle 1 { 0: verdict jump families }\n}\n"
		"prog p v4 hook input priority 0 { (v4 ip t a) (v4 ip t b) }\n",
		l.sets, l.text);
	fclose(out);
	free(l.text);
	free(l.sets);
	return text;
}

#endif
