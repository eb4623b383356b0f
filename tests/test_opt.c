/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The optimiser against the evaluator: random lists of rules, run before and after on random
 * packets, must decide alike by the same rule and leave the same state. And the tables that packets
 * are looked up in against the rows they were made of. TEST_OPT_SEED, TEST_OPT_LISTS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include <cmocka.h>
#include <linux/netfilter.h>

#include "compiler/dispatch.h"
#include "compiler/ir_eval.h"
#include "compiler/opt/opt.h"
#include "compiler/template.h"
#include "ir_lists.h"

enum { N_PACKETS = 200 };

static struct ir *parse(const char *text)
{
	struct diags ds;
	struct ir *ir;
	char *why;

	diags_init(&ds);
	if (ir_parse(text, strlen(text), "list", &ds, &ir))
		fail_msg("%s\n%s", list_entry(ds.list.next, struct diag, node)->text, text);
	diags_fini(&ds);
	why = ir_check(ir);
	if (why)
		fail_msg("%s\n%s", why, text);
	return ir;
}

/* ---- packets ---- */

static uint32_t make_packet(uint8_t *p)
{
	static const uint8_t protos[] = {6, 17, 1, 10};
	uint32_t len = rnd(6) ? 44 : 20 + rnd(24);

	make_bytes(p, 64);
	p[0] = 0x45;
	p[6] = p[7] = 0;
	p[9] = protos[rnd(4)];
	/* Right beside a constant. */
	if (rnd(3) == 0)
		p[12 + rnd(12)] += (uint8_t)(rnd(2) ? 1 : -1);
	return len;
}

struct side {
	struct ir *ir;
	struct ir_env env;
};

static uint64_t run(struct side *s, const uint8_t *packet, uint32_t len, uint32_t mark)
{
	uint8_t verdict;

	s->env.pf = NFPROTO_IPV4;
	s->env.hook = 1;
	s->env.data = packet;
	s->env.len = len;
	s->env.mark = mark;
	verdict = ir_eval_prog(&s->ir->progs[0], &s->env);
	return verdict | (s->env.decided_by ? s->env.decided_by->handle << 8 : 0) |
	       (uint64_t)(s->env.decided_by ? ir_rule_chain(s->env.decided_by)->id : 0) << 40;
}

/* ---- tables ---- */

static uint32_t rows_say(const struct ir_dispatch *d, const uint8_t *values, uint8_t defined)
{
	for (uint32_t i = 0; i < d->n_rows; i++) {
		bool holds = true;
		uint32_t at = 0;

		for (uint32_t f = 0; f < d->n_fields; at += d->fields[f++]->width)
			holds &=
				(d->rows[i].any & 1u << f) ||
				((defined & 1u << f) &&
				 memcmp(values + at, d->rows[i].lo + at, d->fields[f]->width) >=
					 0 &&
				 memcmp(values + at, d->rows[i].hi + at, d->fields[f]->width) <= 0);
		if (holds)
			return d->rows[i].rule;
	}
	return UINT32_MAX;
}

static uint32_t table_says(const struct ir_dispatch *d, const uint8_t *values, uint8_t defined)
{
	const struct dispatch_table *t = d->table;
	uint8_t key[IR_MAX_WIDTH + IR_MAX_FIELDS], *to = key;
	uint32_t at[IR_MAX_FIELDS] = {0}, i = 0;

	for (uint32_t f = 1; f < d->n_fields; f++)
		at[f] = at[f - 1] + d->fields[f - 1]->width;
	for (uint32_t k = 0; k < d->n_fields; k++) {
		uint32_t f = t->order[k], width = d->fields[f]->width;
		bool has = defined & 1u << f;

		if (t->lacks[f])
			*to++ = has;
		else if (!has && !t->replaced[f])
			return UINT32_MAX;
		memset(to, 0, width);
		if (has)
			memcpy(to, values + at[f], width);
		else if (t->replaced[f])
			to[0] = (uint8_t)(width == 1 ? t->stand_in[f] : t->stand_in[f] >> 8);
		if (!has && t->replaced[f] && width == 2)
			to[1] = (uint8_t)t->stand_in[f];
		to += width;
	}
	if (d->form != IR_FORM_CODE) {
		i = classify_find(t->blob, key);
		return i == CLASSIFY_MISS ? i : t->pieces[i].rule;
	}
	for (; i < t->n_pieces; i++)
		if (memcmp(key, t->pieces[i].lo, t->key_width) >= 0 &&
		    memcmp(key, t->pieces[i].hi, t->key_width) <= 0)
			return t->pieces[i].rule;
	return UINT32_MAX;
}

static uint32_t used[IR_FORM_BOXES + 1]; /* lists with a dispatch of that form */

static void check_dispatch(struct side *s, const struct ir_dispatch *d)
{
	uint8_t values[IR_MAX_WIDTH], defined = 0;
	uint32_t at = 0;

	for (uint32_t f = 0; f < d->n_fields; at += d->fields[f++]->width)
		if (ir_eval_sel(d->fields[f], &s->env, values + at))
			defined |= (uint8_t)(1u << f);
	assert_int_equal(table_says(d, values, defined), rows_say(d, values, defined));
}

static void check_tables(struct side *s, bool count)
{
	for (uint32_t c = 0; c < s->ir->n_chains; c++) {
		const struct ir_chain *chain = s->ir->chains[c];

		for (uint32_t r = 0; r < chain->n_rules; r++) {
			const struct ir_rule *rule = &chain->rules[r];

			if (!ir_rule_is_dispatch(rule))
				continue;
			check_dispatch(s, rule->steps[rule->n_steps - 1].dispatch);
			used[rule->steps[rule->n_steps - 1].dispatch->form] += count;
		}
	}
}

/* ---- the tests ---- */

static void compare(const char *text, struct side *a, struct side *b)
{
	for (uint32_t i = 0; i < N_PACKETS; i++) {
		uint32_t mark = rnd(3) ? 0 : 0x01000000u * small_byte();
		uint8_t packet[64];
		uint32_t len = make_packet(packet);

		if (run(a, packet, len, mark) != run(b, packet, len, mark)) {
			AUTO_FREE char *after = ir_to_text(b->ir);

			fail_msg("packet %u is decided otherwise:\n%s\n--- after:\n%s", i, text,
				 after);
		}
		check_tables(b, i == 0);
	}
	if (memcmp(a->env.counters, b->env.counters,
		   a->ir->n_counters * sizeof(*a->env.counters)) != 0) {
		AUTO_FREE char *after = ir_to_text(b->ir);

		fail_msg("counters differ:\n%s\n--- after:\n%s", text, after);
	}
}

static uint32_t n_templates, n_records;

static uint32_t has_records(const struct ir *ir)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ir->n_templates; i++)
		n += ir->templates[i]->n_words && ir->templates[i]->n > 1;
	return n;
}

static void one_list(void)
{
	AUTO_FREE char *text = make_list();
	struct side a = {.ir = parse(text)}, b = {.ir = parse(text)};
	AUTO_FREE char *why = NULL, *printed = NULL, *again = NULL;
	struct ir *copy;

	opt_run(b.ir, &(struct opt_options){.seed = rng, .least_alike = 1 + rnd(4)});
	n_templates += b.ir->n_templates;
	n_records += has_records(b.ir);
	why = ir_check(b.ir);
	if (why)
		fail_msg("%s\n%s", why, text);
	ir_env_init_state(&a.env, a.ir);
	ir_env_init_state(&b.env, b.ir);
	compare(text, &a, &b);
	printed = ir_to_text(b.ir);
	copy = parse(printed);
	again = ir_to_text(copy);
	assert_string_equal(printed, again);
	ir_env_fini_state(&a.env);
	ir_env_fini_state(&b.env);
	ir_free(copy);
	ir_free(a.ir);
	ir_free(b.ir);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

static void test_random_lists(void **state UNUSED)
{
	uint64_t seed = setting("TEST_OPT_SEED", 1), n = setting("TEST_OPT_LISTS", 3000);

	for (uint64_t i = 0; i < n; i++) {
		rng = (seed + i) * 0x9e3779b97f4a7c15ull | 1;
		one_list();
	}
	for (int f = IR_FORM_CODE; f <= IR_FORM_BOXES; f++)
		print_message("form %d: %u\n", f, used[f]);
	print_message("templates: %u, with records %u\n", n_templates, n_records);
	assert_true(n_records);
	assert_true(used[IR_FORM_CODE] && used[IR_FORM_HASH] && used[IR_FORM_TREE]);
}

/* ---- rules of which each leads to more code than a run may hold ---- */

static char *make_large(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs("ir 1\nchain v4 ip t d {\n", out);
	for (unsigned int i = 1; i <= 400; i++)
		fprintf(out, "rule %u handle %u { 0: guard eq (meta l4proto) 0x%02x 1: verdict drop }\n"
			"rule %u handle %u { 1: verdict continue }\n", 2 * i - 1, 2 * i - 1, i & 255,
			2 * i, 2 * i);
	fputs("}\nchain v4 ip t b base hook input priority 0 policy accept {\n", out);
	for (unsigned int i = 1; i <= 6; i++)
		fprintf(out, "rule %u handle %u { 0: guard eq (meta mark) 0x0%u000000 1: verdict jump d }\n",
			i, i, i);
	fputs("}\nprog p v4 hook input priority 0 { (v4 ip t b) }\n", out);
	fclose(out);
	return text;
}

static void test_large_targets(void **state UNUSED)
{
	AUTO_FREE char *text = make_large();
	struct side a = {.ir = parse(text)}, b = {.ir = parse(text)};

	/* It once tried again for ever. Of the processor's time, which others cannot take. */
	setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = 60}, NULL);
	opt_run(b.ir, &(struct opt_options){0});
	setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL);
	ir_env_init_state(&a.env, a.ir);
	ir_env_init_state(&b.env, b.ir);
	compare(text, &a, &b);
	ir_env_fini_state(&a.env);
	ir_env_fini_state(&b.env);
	ir_free(a.ir);
	ir_free(b.ir);
}

/* ---- golden texts: testdata/opt/NAME.ir becomes NAME.opt; UPDATE_GOLDEN=1 writes it anew ---- */

static char *golden_path(const char *name, const char *ext)
{
	const char *top = getenv("top_srcdir");
	char *path;

	assert_true(asprintf(&path, "%s/testdata/opt/%s.%s", top ? top : ".", name, ext) > 0);
	return path;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!f || getdelim(&text, &size, '\0', f) < 0)
		fail_msg("%s cannot be read", path);
	fclose(f);
	return text;
}

static void test_golden(void **state)
{
	const char *name = *state;
	AUTO_FREE char *from = golden_path(name, "ir"), *to = golden_path(name, "opt");
	AUTO_FREE char *text = read_file(from), *got = NULL, *want = NULL, *why = NULL;
	struct ir *ir = parse(text);

	opt_run(ir, &(struct opt_options){0});
	why = ir_check(ir);
	if (why)
		fail_msg("%s", why);
	got = ir_to_text(ir);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *f = fopen(to, "w");

		assert_non_null(f);
		fputs(got, f);
		fclose(f);
	}
	want = read_file(to);
	assert_string_equal(got, want);
	/* What is optimised stays as it is. */
	opt_run(ir, &(struct opt_options){0});
	free(got);
	got = ir_to_text(ir);
	assert_string_equal(got, want);
	ir_free(ir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_golden, (void *)"runs"),
		cmocka_unit_test_prestate(test_golden, (void *)"known"),
		cmocka_unit_test_prestate(test_golden, (void *)"parts"),
		cmocka_unit_test(test_random_lists),
		cmocka_unit_test(test_large_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
