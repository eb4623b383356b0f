/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys of code (compiler/emit/key.c): texts of IR are changed at random places, a byte of a constant,
 * a number, a word, a line less or twice; where both come to the same key their objects must be the
 * same but for the lines in line info. TEST_KEY_SEED, TEST_KEY_LISTS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <ctype.h>
#include <glob.h>

#include "compiler/opt/opt.h"
#include "ir_lists.h"
#include "key_code.h"

enum { CHANGES = 40, COMPILES = 3 /* of one list */ };

/* ---- changing a text ---- */

static const char *const words[][2] = {
	{"accept", "drop"}, {"drop", "return"},	      {"return", "accept"}, {" eq ", " ne "},
	{" ne ", " eq "},   {" range ", " not_range "}, {" in ", " not_in "}, {"jump", "goto"},
	{"goto", "jump"},   {"hook input", "hook output"},
};

/* A copy of @text in which @n bytes at @at became @with. */
static char *replace(const char *text, size_t at, size_t n, const char *with)
{
	char *new = NULL;

	assert_true(asprintf(&new, "%.*s%s%s", (int)at, text, with, text + at + n) > 0);
	return new;
}

static size_t any_place(const char *text, bool (*is)(const char *text, size_t i))
{
	size_t len = strlen(text), from = rnd((uint32_t)len);

	for (size_t i = 0; i < len; i++)
		if (is(text, (from + i) % len))
			return (from + i) % len;
	return len;
}

static bool is_hex_digit(const char *text, size_t i)
{
	size_t k = i;

	while (k && isxdigit((unsigned char)text[k - 1]))
		k--;
	return k >= 2 && k < i && text[k - 1] == 'x' && text[k - 2] == '0' &&
	       isxdigit((unsigned char)text[i]);
}

static bool is_number(const char *text, size_t i)
{
	return i && isdigit((unsigned char)text[i]) && text[i - 1] == ' ' &&
	       !isalnum((unsigned char)text[i + 1]);
}

static bool is_line(const char *text, size_t i)
{
	return text[i] == '\n' && text[i + 1];
}

static char *change_word(const char *text)
{
	uint32_t w = rnd(ARRAY_SIZE(words));
	const char *from = text + rnd((uint32_t)strlen(text)), *at = strstr(from, words[w][0]);

	return at ? replace(text, (size_t)(at - text), strlen(words[w][0]), words[w][1]) : NULL;
}

static char *change_line(const char *text)
{
	size_t at = any_place(text, is_line) + 1, end;
	char *line, *new;

	if (at >= strlen(text))
		return NULL;
	end = at + strcspn(text + at, "\n") + 1;
	if (rnd(2))
		return replace(text, at, end - at, "");
	line = strndup(text + at, end - at);
	new = replace(text, at, 0, line);
	free(line);
	return new;
}

/* NULL: not this time. */
static char *change(const char *text)
{
	char digit[2] = {"0123456789abcdef"[rnd(16)]};
	size_t at;

	switch (rnd(6)) {
	case 0:
		return change_word(text);
	case 1:
		return change_line(text);
	case 2:
		at = any_place(text, is_number);
		digit[0] = (char)('0' + rnd(10));
		break;
	default:
		at = any_place(text, is_hex_digit);
	}
	return text[at] ? replace(text, at, 1, digit) : NULL;
}

/* NULL: the text is no sound IR. */
static struct ir *parse(const char *text, uint64_t seed)
{
	const struct opt_options passes = {.seed = seed};
	struct ir *ir = NULL;
	struct diags ds;
	char *why;

	diags_init(&ds);
	if (ir_parse(text, strlen(text), "list", &ds, &ir))
		ir = NULL;
	diags_fini(&ds);
	why = ir ? ir_check(ir) : NULL;
	if (why) {
		ir_free(ir);
		ir = NULL;
	}
	free(why);
	if (ir)
		opt_run(ir, &passes);
	return ir;
}

static void assert_same_code(const struct emitted *a, const struct emitted *b, const char *before,
			     const char *after)
{
	const char *section = key_other_section(a, b);

	if (section)
		fail_msg("section \"%s\" of\n%s\nand of\n%s", section, before, after);
}

/* ---- tests ---- */

static struct {
	unsigned int same, others, refused, compared;
} counts;

static void try_change(const char *text, struct ir *ir, const void *key, size_t len,
		       struct emitted *e)
{
	char *changed = change(text);
	struct ir *other = changed ? parse(changed, rng | 1) : NULL;
	struct emitted o = {0};
	void *other_key = NULL;
	size_t other_len;

	if (other)
		other_key = emit_key(other, &key_options, &other_len);
	if (!other_key) {
		counts.refused++;
	} else if (other_len != len || memcmp(key, other_key, len) != 0) {
		counts.others++;
	} else {
		counts.same++;
		if (!e->object)
			key_compile(ir, &key_options, e);
		assert_int_equal(key_compile(other, &key_options, &o), e->object != NULL);
		if (e->object)
			assert_same_code(e, &o, text, changed);
		counts.compared += e->object != NULL;
		emitted_fini(&o);
	}
	free(other_key);
	if (other)
		ir_free(other);
	free(changed);
}

static void try_text(const char *text, unsigned int changes, unsigned int compiles)
{
	struct ir *ir = parse(text, 1);
	unsigned int before = counts.compared;
	struct emitted e = {0};
	size_t len;
	void *key;

	if (!ir)
		return; /* not sound */
	key = emit_key(ir, &key_options, &len);
	/* Sets of a kind that has no form: no code either. */
	for (unsigned int i = 0; key && i < changes && counts.compared - before < compiles; i++)
		try_change(text, ir, key, len, &e);
	emitted_fini(&e);
	free(key);
	ir_free(ir);
}

static uint32_t number(const char *name, uint32_t otherwise)
{
	const char *s = getenv(name);

	return s ? (uint32_t)strtoul(s, NULL, 0) : otherwise;
}

/* Lists of which much is in maps. */
static void test_random_lists(void **state)
{
	uint32_t seed = number("TEST_KEY_SEED", 1), lists = number("TEST_KEY_LISTS", 12);

	(void)state;
	for (uint32_t i = 0; i < lists; i++) {
		char *text;

		rng = (seed + i) * 0x9e3779b97f4a7c15ull + 1;
		text = make_list();
		try_text(text, CHANGES, COMPILES);
		free(text);
	}
	print_message("of %u changes %u did not change the key\n",
		      counts.same + counts.others + counts.refused, counts.same);
	assert_true(counts.compared >= lists / 2);
}

static void try_file(const char *path, unsigned int changes, unsigned int compiles)
{
	char *text = NULL, *begin;
	size_t room = 0;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	begin = getdelim(&text, &room, '\0', f) > 0 ? strstr(text, "ir 1\n") : NULL;
	if (begin)
		try_text(begin, changes, compiles);
	fclose(f);
	free(text);
}

/* Rules of all kinds, of which most is code. */
static void test_all_kinds(void **state)
{
	static const char *const kinds[] = {"lower/*.ir", "opt/*.ir", "fuzz/ir_text/*"};
	static const unsigned int changes[] = {8 * CHANGES, CHANGES, CHANGES / 2};
	const char *top = getenv("top_srcdir");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		glob_t files;
		char *path;

		assert_true(asprintf(&path, "%s/testdata/%s", top ? top : ".", kinds[i]) > 0);
		assert_int_equal(glob(path, 0, NULL, &files), 0);
		for (size_t k = 0; k < files.gl_pathc; k++)
			try_file(files.gl_pathv[k], changes[i], i ? 1 : COMPILES);
		globfree(&files);
		free(path);
	}
	print_message("%u compared\n", counts.compared);
}

/* One rule more, less or another one, in a long run: the same code. */
static char *long_list(uint32_t n, uint32_t other, bool counts_them)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	fputs("ir 1\n", f);
	for (uint32_t i = 0; counts_them && i < n; i++)
		fprintf(f, "state #%u (counter)\n", i);
	fputs("chain v4 ip t a base hook input priority 0 policy accept {\n", f);
	for (uint32_t i = 0; i < n; i++) {
		fprintf(f, "rule %u handle %u { 0: guard eq (load nh 12 4) 0x%08x ", i + 1, i + 1,
			i == n / 2 ? other : i * 2654435761u);
		if (counts_them)
			fprintf(f, "1: effect counter #%u ", i);
		fprintf(f, "2: verdict %s }\n", i % 3 ? "accept" : "drop");
	}
	fputs("}\nprog p v4 hook input priority 0 { (v4 ip t a) }\n", f);
	fclose(f);
	return text;
}

static void assert_same_key(const char *a, const char *b, bool expected)
{
	struct ir *x = parse(a, 1), *y = parse(b, 2);
	size_t n, m;
	void *k = emit_key(x, &key_options, &n), *l = emit_key(y, &key_options, &m);

	assert_non_null(k);
	assert_non_null(l);
	assert_int_equal(n == m && memcmp(k, l, n) == 0, expected);
	free(k);
	free(l);
	ir_free(x);
	ir_free(y);
}

static void test_one_rule(void **state)
{
	static const uint32_t sizes[] = {100, 1000, 10000};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		uint32_t n = sizes[i / 2];
		char *list = long_list(n, 1, i & 1), *other = long_list(n, 2, i & 1),
		     *less = long_list(n - 1, 1, i & 1);

		assert_same_key(list, list, true);
		assert_same_key(list, other, true);
		assert_same_key(list, less, true);
		free(less);
		less = long_list(n / 2, 1, i & 1);
		assert_same_key(list, less, false);
		free(list);
		free(other);
		free(less);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_rule),
		cmocka_unit_test(test_random_lists),
		cmocka_unit_test(test_all_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
