/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR as text: printed, read back, refused; and what the checker finds in what was read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter.h>

#include "ir_leaves.h"

static const char sample[] =
	"ir 1\n"
	"\n"
	"state #0 (test counter) init 0x01000000000000000200000000000000 "
	"at (inet filter input) rule 1 handle 5 name counter expr 2\n"
	"state #1 (test first 18446744073709551615) at (ip \"my \\22table\\22\") object quota-1\n"
	"state #2 (test counter)\n"
	"\n"
	"set \"inet filter:blocked\" width 4 size 65535 intervals mutable timeout {\n"
	"\t0x0a000000..0x0affffff\n"
	"\t0xc0a80001 expires 30000\n"
	"\t*\n"
	"}\n"
	"\n"
	"map marks width 2 data 4 {\n"
	"\t0x0016 : 0x00000001\n"
	"\t0x0050 : 0x00000002\n"
	"}\n"
	"\n"
	"vmap filter:__map0 width 8 fields 4 4 states 1 ranged intervals {\n"
	"\t0x0a00000000160000..0x0affffff00170000 : jump (v4 inet filter web) #2\n"
	"\t* : drop #0\n"
	"}\n"
	"\n"
	"chain v4 inet filter input base hook input priority -150 policy drop {\n"
	"\trule 1 handle 5 {\n"
	"\t\t0: guard eq (test load 9 1) 0x06\n"
	"\t\t1: guard not_in (test load 12 4) @\"inet filter:blocked\"\n"
	"\t\t2: effect test counter #0\n"
	"\t\t3: verdict accept\n"
	"\t}\n"
	"\trule 2 handle 6 never\n"
	"\trule 3 handle 7 {\n"
	"\t\t0: need %0=(test random)\n"
	"\t\t1: guard range (scale %0 10 2) 0x00000000..0x05000000\n"
	"\t\t2: effect test note 7 8 (xor (shl (test mark) 3) 0x01020304) %0\n"
	"\t\t3: vmap (concat (test load 12 4) (test load 22 2) 0x0000) @filter:__map0\n"
	"\t\t4: guard ne (map (test load 22 2) @marks) 0x00000001\n"
	"\t\t5: effect test first #1\n"
	"\t\t6: verdict goto web\n"
	"\t}\n"
	"}\n"
	"\n"
	"chain v4 inet filter web {\n"
	"\trule 1 handle 9 {\n"
	"\t\t0: guard not_range (bswap (slice (jhash (test load 0 20) 77) 0 2) 2) 0x0001..0x0002\n"
	"\t\t1: guard in (or (and (test load 0 4) (shr (test mark) 31)) (test mark)) "
	"@\"inet filter:blocked\"\n"
	"\t\t2: verdict continue\n"
	"\t\t3: verdict return\n"
	"\t}\n"
	"}\n"
	"\n"
	"chain v6 inet filter web undefined\n"
	"\n"
	"prog v4_input v4 hook input priority -150 {\n"
	"\t(v4 inet filter input)\n"
	"}\n";

static struct ir *parse(const char *text)
{
	struct ir *ir = NULL;
	struct diags ds;

	diags_init(&ds);
	if (ir_parse(text, strlen(text), "test", &ds, &ir))
		fail_msg("%s", list_entry(ds.list.next, struct diag, node)->text);
	diags_fini(&ds);
	return ir;
}

static void test_round_trip(void **state UNUSED)
{
	CLEANUP(ir_freep) struct ir *ir = parse(sample);
	AUTO_FREE char *again = ir_to_text(ir);
	AUTO_FREE char *why = ir_check(ir);

	assert_string_equal(again, sample);
	assert_null(why);
	assert_int_equal(ir->n_chains, 3);
	assert_int_equal(ir->n_counters, 2);
	assert_string_equal(ir->states[1]->at.table, "my \"table\"");
	assert_ptr_equal(ir->sets[2]->elems[0].verdict.chain, ir->chains[1]);
	assert_true(ir->sets[0]->elems[1].lo == ir->sets[0]->elems[1].hi);
	assert_ptr_equal(ir->progs[0].bases[0], ir->chains[0]);
}

static void test_names(void **state UNUSED)
{
	static const char *const names[] = {"9lives",	"",	"a b",	  "\"", "\\",
					    "\xc3\xa9", "0x00", "accept", "v4", "-",
					    "..",	"a..b", "//",	  "\n", "{"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(ir_freep) struct ir *ir = ir_new(), *back = NULL;
		AUTO_FREE char *text = NULL, *again = NULL;

		ir_chain_new(ir, NFPROTO_IPV4, NFPROTO_IPV4, names[i], names[i]);
		text = ir_to_text(ir);
		back = parse(text);
		again = ir_to_text(back);
		assert_string_equal(again, text);
		assert_string_equal(back->chains[0]->name, names[i]);
	}
}

/* Separators and comments are nobody's business. */
static void test_layout(void **state UNUSED)
{
	CLEANUP(ir_freep)
	struct ir *ir = parse(
		"ir 1 // a comment\nchain v4 ip t c{rule 1 handle 2{0:verdict accept;}}//end");

	assert_int_equal(ir->chains[0]->rules[0].steps[0].verdict.code, IR_ACCEPT);
}

#define RULE(steps)                                                                  \
	"ir 1\nset s width 4 {\n}\nmap m width 4 data 4 {\n}\nvmap v width 4 {\n}\n" \
	"state #0 (test counter)\nchain v4 ip t c {\nrule 1 handle 2 {\n0: " steps "}}"

static void test_syntax_errors(void **state UNUSED)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"", "test:1:1: expected \"ir\""},
		{"ir 2", "test:1:5: version 2 of the text form is not known"},
		{"ir 1\n  rule", "test:2:3: expected state, set, map, vmap, chain or prog"},
		{"ir 99999999999999999999", "test:1:4: number too large"},
		{"ir 1 chain v5", "test:1:12: expected v4 or v6"},
		{"ir 1 chain v4 arp t c", "test:1:15: expected ip, ip6 or inet"},
		{"ir 1 chain v4 ip t c {", "test:1:23: expected \"rule\""},
		{"ir 1 chain v4 ip t c {} chain v4 ip t c {}", "test:1:41: a second chain \"c\""},
		{"ir 1 chain v4 ip \"t", "test:1:18: bad or endless string"},
		{"ir 1 chain v4 ip \"\\00\"", "test:1:18: bad or endless string"},
		{"ir 1 state #1", "test:1:14: states are numbered in order"},
		{"ir 1 state #0 (nothing)", "test:1:23: no effect is called \"nothing\""},
		{"ir 1 state #0 (test counter) init 0x01",
		 "test:1:35: constant of 1 bytes where 16 are needed"},
		{"ir 1 set s width 65", "test:1:18: number too large"},
		{"ir 1 set s width 0", "width 0"},
		{"ir 1 set s width 2 { 0x01 }", "constant of 1 bytes where 2 are needed"},
		{"ir 1 set s width 2 { 0x010 }", "a constant is 0x and two hex digits"},
		{"ir 1 set s width 1 {} set s width 1 {}", "a second set \"s\""},
		{"ir 1 vmap v width 1 { * : jump c }", "expected \"(\" and the path of a chain"},
		{"ir 1 vmap v width 1 { * : jump (v4 ip t c) }", "a chain is referred to"},
		{"ir 1 ^", "test:1:6: unexpected character"},
		{RULE("guard eq (nothing 1) 0x01"), "no leaf is called \"nothing\""},
		{RULE("guard eq (test load 1 0) 0x01"), "width 0"},
		{RULE("guard eq (test load 1 65) 0x01"), "number too large"},
		{RULE("guard eq (test load -1 4) 0x01"), "expected a number"},
		{RULE("guard eq (and (test mark) 0x01) 0x01"), "and of 4 and 1 bytes"},
		{RULE("guard eq (bswap (test mark) 8) 0x01"), "bswap of 4 bytes by 8"},
		{RULE("guard eq (bswap (test mark) 0) 0x01"), "bswap of 4 bytes by 0"},
		{RULE("guard eq (shl (test mark) 32) 0x01"), "shift by 32"},
		{RULE("guard eq (slice (test mark) 2 3) 0x01"), "slice outside of 4 bytes"},
		{RULE("guard eq (slice (test mark) 2 0) 0x01"), "slice outside of 4 bytes"},
		{RULE("guard eq (scale 0x01 2 3) 0x01"), "scale of 1 bytes"},
		{RULE("guard eq (map (test mark) @s) 0x01"), "not a map with keys of 4 bytes"},
		{RULE("guard eq (map 0x01 @m) 0x01"), "not a map with keys of 1 bytes"},
		{RULE("guard eq (concat (test load 0 64) 0x01) 0x01"), "more than 64 bytes"},
		{RULE("guard eq () 0x01"), "expected an operation or a leaf"},
		{RULE("guard eq %1=(test random) 0x01"), "no selector %1 yet"},
		{RULE("guard eq %0=(test mark) 0x01"), "only impure selectors have a label"},
		{RULE("guard eq %0 0x01"), "expected \"=\""},
		{RULE("guard in (test mark) @x"), "no set is called \"x\""},
		{RULE("guard range (test mark) 0x00000001 0x00000002"), "expected \"..\""},
		{RULE("guard like (test mark) 0x01"), "expected a guard"},
		{RULE("effect test counter #1"), "no state #1"},
		{RULE("effect test note 1"), "expected a number"},
		{RULE("verdict maybe"), "expected a verdict"},
		{RULE("verdict jump x"), "a chain is referred to that is not there"},
		{RULE("think"), "expected a step"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ir *ir = (void *)1;
		struct diags ds;

		diags_init(&ds);
		assert_int_equal(ir_parse(bad[i].text, strlen(bad[i].text), "test", &ds, &ir),
				 -EINVAL);
		assert_ptr_equal(ir, (void *)1);
		assert_int_equal(ds.count[DIAG_ERROR], 1);
		if (!strstr(list_entry(ds.list.next, struct diag, node)->text, bad[i].error))
			fail_msg("%s\nfor %s", list_entry(ds.list.next, struct diag, node)->text,
				 bad[i].text);
		diags_fini(&ds);
	}
}

static void test_deep_nesting(void **state UNUSED)
{
	AUTO_FREE char *text = malloc(1000000 + sizeof(RULE("need ")));
	struct diags ds;
	struct ir *ir;
	size_t n;
	int i;

	n = (size_t)sprintf(text, "%s", RULE("need ")) - 2;
	for (i = 0; i < 100000; i++)
		n += (size_t)sprintf(text + n, "(and ");
	diags_init(&ds);
	assert_int_equal(ir_parse(text, n, "test", &ds, &ir), -EINVAL);
	assert_non_null(strstr(list_entry(ds.list.next, struct diag, node)->text, "too deeply"));
	diags_fini(&ds);
}

/* The example of doc/ir.md is one. */
static void test_manual(void **state UNUSED)
{
	const char *top = getenv("top_srcdir");
	AUTO_FREE char *path = NULL, *text = calloc(1, 65536), *printed = NULL, *why = NULL;
	CLEANUP(ir_freep) struct ir *ir = NULL;
	char *begin, *end;
	FILE *f;

	assert_true(asprintf(&path, "%s/doc/ir.md", top ? top : ".") > 0);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_in_range(fread(text, 1, 65535, f), 1, 65534);
	fclose(f);
	begin = strstr(text, "```\n") + 4;
	end = strstr(begin, "```");
	*end = '\0';
	ir = parse(begin);
	why = ir_check(ir);
	assert_null(why);
	printed = ir_to_text(ir);
	assert_string_equal(printed, begin);
}

/* ---- checker ---- */

static void test_violations(void **state UNUSED)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{RULE("guard in (test load 0 2) @s"),
		 "chain ip t c: rule 1: key of 2 bytes for set s"},
		{RULE("vmap (test mark) @s"), "set s has no verdicts"},
		{RULE("effect test counter"), "test counter without a state"},
		{RULE("effect test first #0"), "test first with another's state"},
		{RULE("effect test note 1 2 (test mark) (test mark) (test mark)"),
		 "test note of 3 arguments"},
		{RULE("guard eq (test random) 0x01020304"), "impure selector without a need"},
		{RULE("need (scale (test random) 3 0)"), "impure selector without a need"},
		{RULE("verdict jump c2}} chain v4 ip t c2 undefined //"), "which is not lowered"},
		{RULE("verdict jump c2}} chain v4 ip t c2 base hook input priority 0 policy drop "
		      "{//") "\n}",
		 "jump to base chain c2"},
		{RULE("verdict jump (v6 inet t d)}} chain v6 inet t d {//") "\n}",
		 "another table or protocol"},
		{RULE("verdict accept} rule 3 handle 4 never rule 2 handle 3 never //") "\n}",
		 "rule 2: out of order"},
		{"ir 1 chain v6 ip t c {}", "its table's packets are others"},
		{"ir 1 set s width 1 { 0x02 0x01 }", "set s: element 2: not behind"},
		{"ir 1 set s width 1 { 0x02 0x02 }", "set s: element 2: not behind"},
		{"ir 1 set s width 1 intervals { 0x02..0x05 0x05 }",
		 "set s: element 2: not behind"},
		{"ir 1 set s width 1 { 0x02..0x03 }", "a range in a set of points"},
		{"ir 1 set s width 1 intervals { 0x03..0x02 }", "bounds out of order"},
		{"ir 1 set s width 1 { * 0x01 }", "the catch-all element is not the last"},
		{"ir 1 set s width 8 fields 4 5 {}", "fields of 12 bytes"},
		{"ir 1 set s width 8 ranged {}", "ranged without fields"},
		{"ir 1 set s width 8 fields 4 4 ranged intervals {"
		 "0x0000000100000002..0x0000000200000001}",
		 "bounds out of order"},
		{"ir 1 prog abcdefghijklmnop v4 hook input priority 0 {}", "not an identifier"},
		{"ir 1 prog p v4 hook input priority 0 {}", "program p: no chains"},
		{"ir 1 prog p v4 hook input priority 0 {(v4 ip t c)} chain v4 ip t c "
		 "base hook output priority 0 policy drop {}",
		 "chain c is not for it"},
		{"ir 1 prog p v4 hook input priority 0 {(v4 ip t b)} "
		 "chain v4 ip t b base hook input priority 0 policy drop { rule 1 handle 1 { 0: "
		 "verdict jump c } }"
		 "chain v4 ip t c { rule 1 handle 1 { 0: verdict goto c } }",
		 "jumps nest deeper"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(ir_freep) struct ir *ir = parse(bad[i].text);
		AUTO_FREE char *why = ir_check(ir);

		if (!why || !strstr(why, bad[i].why))
			fail_msg("%s\nfor %s", why ? why : "no violation", bad[i].text);
	}
}

/* A chain of @n jumps from a base chain. */
static struct ir *nested(int n)
{
	AUTO_FREE char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int i;

	fputs("ir 1 prog p v4 hook input priority 0 { (v4 ip t c0) }"
	      "chain v4 ip t c0 base hook input priority 0 policy drop",
	      f);
	for (i = 0; i < n; i++)
		fprintf(f, " { rule 1 handle 1 { 0: verdict jump c%d } } chain v4 ip t c%d", i + 1,
			i + 1);
	fputs(" { }", f);
	fclose(f);
	return parse(text);
}

static void test_depth(void **state UNUSED)
{
	CLEANUP(ir_freep) struct ir *fits = nested(15), *not = nested(16);
	AUTO_FREE char *why = ir_check(fits), *why_not = ir_check(not );

	assert_null(why);
	assert_non_null(why_not);
}

/* ---- bad input ---- */

static uint32_t any_number(void *arg UNUSED)
{
	return (uint32_t)rand();
}

/* Any text: refused with one error, or read; then it prints stably, and what is sound runs. */
static void try_text(const char *text, size_t len)
{
	CLEANUP(ir_freep) struct ir *ir = NULL, *back = NULL;
	AUTO_FREE char *one = NULL, *two = NULL, *why = NULL;
	struct ir_env env = {.pf = NFPROTO_IPV4, .data = (const uint8_t *)sample, .len = 100};
	struct diags ds;
	uint32_t i;

	diags_init(&ds);
	if (ir_parse(text, len, "test", &ds, &ir)) {
		assert_int_equal(ds.count[DIAG_ERROR], 1);
		diags_fini(&ds);
		return;
	}
	diags_fini(&ds);
	one = ir_to_text(ir);
	back = parse(one);
	two = ir_to_text(back);
	assert_string_equal(one, two);
	why = ir_check(ir);
	if (why)
		return;
	env.random = any_number;
	assert_int_equal(ir_env_init_state(&env, ir), 0);
	for (i = 0; i < ir->n_progs; i++)
		ir_eval_prog(&ir->progs[i], &env);
	ir_env_fini_state(&env);
}

static void test_truncated(void **state UNUSED)
{
	size_t len = strlen(sample), n;

	for (n = 0; n <= len; n++) {
		/* A copy of just this length: reading past its end is seen. */
		AUTO_FREE char *copy = malloc(n + 1);

		memcpy(copy, sample, n);
		try_text(copy, n);
	}
}

/* Bytes changed, and tokens put where others were. */
static void test_mutated(void **state UNUSED)
{
	static const char *const tokens[] = {"0",
					     "1",
					     "65",
					     "0x00",
					     "{",
					     "}",
					     "(",
					     ")",
					     "%0",
					     "%1=",
					     "#0",
					     "@marks",
					     "(test random)",
					     "(test mark)",
					     "..",
					     "never",
					     "undefined",
					     "jump",
					     "accept",
					     "*",
					     "\"",
					     "99999999999",
					     "-1",
					     "0x",
					     "slice",
					     "concat",
					     "web"};
	size_t len = strlen(sample);
	int i, j;

	srand(1);
	for (i = 0; i < 20000; i++) {
		AUTO_FREE char *copy = malloc(len + 64);
		size_t n = len;

		memcpy(copy, sample, len);
		for (j = rand() % 3; j >= 0; j--) {
			const char *t = tokens[(size_t)rand() % ARRAY_SIZE(tokens)];
			size_t at = (size_t)rand() % n, cut = (size_t)rand() % 8;

			cut = MIN(cut, n - at);

			if (rand() % 2) {
				copy[at] = (char)(rand() % 128);
			} else if (strlen(t) + n - cut <= len + 64) {
				memmove(copy + at + strlen(t), copy + at + cut, n - at - cut);
				memcpy(copy + at, t, strlen(t));
				n += strlen(t) - cut;
			}
		}
		try_text(copy, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_names),
		cmocka_unit_test(test_layout),	      cmocka_unit_test(test_manual),
		cmocka_unit_test(test_syntax_errors), cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_violations),    cmocka_unit_test(test_depth),
		cmocka_unit_test(test_truncated),     cmocka_unit_test(test_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
