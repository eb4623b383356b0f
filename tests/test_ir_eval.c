/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR evaluated: chains as nft_do_chain() runs them, look-ups, states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <linux/netfilter.h>

#include "ir_leaves.h"

static const uint8_t packet[64] = {
	0x45, 0x00, 0x00, 0x40, 0x12, 0x34, 0x00, 0x00, 0x40, 0x06, 0xaa, 0xbb, 10, 1, 2, 3,
	192,  168,  0,	  1,	0x30, 0x39, 0x00, 0x16, 1,    2,    3,	  4,	5,  6, 7, 8,
};

/* One parsed ir with a packet and state to run it on. */
struct run {
	struct ir *ir;
	struct ir_env env;
	char trace[256]; /* "c.1+ c.2-": rules run, matched or not */
};

static void trace_rule(void *arg, const struct ir_rule *rule, bool matched)
{
	struct run *r = arg;
	size_t n = strlen(r->trace);

	snprintf(r->trace + n, sizeof(r->trace) - n, "%s%s.%u%c", n ? " " : "", rule->chain->name,
		 rule->index, matched ? '+' : '-');
}

static struct run run_new(const char *text)
{
	struct run r = {.env = {.pf = NFPROTO_IPV4, .data = packet, .len = sizeof(packet)}};
	AUTO_FREE char *why = NULL;
	struct diags ds;

	diags_init(&ds);
	if (ir_parse(text, strlen(text), "test", &ds, &r.ir))
		fail_msg("%s", list_entry(ds.list.next, struct diag, node)->text);
	diags_fini(&ds);
	why = ir_check(r.ir);
	if (why)
		fail_msg("%s", why);
	assert_int_equal(ir_env_init_state(&r.env, r.ir), 0);
	return r;
}

static void run_fini(struct run *r)
{
	ir_env_fini_state(&r->env);
	ir_free(r->ir);
}

static uint8_t run_once(struct run *r)
{
	r->env.on_rule = trace_rule;
	r->env.on_rule_arg = r;
	r->trace[0] = '\0';
	return ir_eval_chain(r->ir->chains[0], &r->env);
}

#define BASE(policy) "ir 1 chain v4 ip t b base hook input priority 0 policy " policy " { "
#define HIT	     "guard eq (test load 9 1) 0x06 "
#define MISS	     "guard eq (test load 9 1) 0x11 "

/* ---- chains ---- */

static void test_chains(void **state UNUSED)
{
	static const struct {
		const char *text, *trace;
		uint8_t verdict;
		uint32_t decided_by; /* rule's handle; 0: the policy */
	} cases[] = {
		{BASE("drop") "}", "", NF_DROP, 0},
		{BASE("accept") "}", "", NF_ACCEPT, 0},
		{BASE("drop") "rule 1 handle 7 { 0: " MISS "1: verdict drop }"
			      "rule 2 handle 8 { 0: " HIT "1: verdict accept }"
			      "rule 3 handle 9 { 0: verdict drop } }",
		 "b.1- b.2+", NF_ACCEPT, 8},
		/* Return from a base chain is its policy. */
		{BASE("drop") "rule 1 handle 7 { 0: verdict return } rule 2 handle 8 { 0: verdict "
			      "accept } }",
		 "b.1+", NF_DROP, 0},
		/* Continue goes on with the next step. */
		{BASE("accept") "rule 1 handle 7 { 0: verdict continue 1: verdict drop } }", "b.1+",
		 NF_DROP, 7},
		{BASE("accept") "rule 1 handle 7 { 0: verdict continue 1: " MISS
				"2: verdict drop } }",
		 "b.1-", NF_ACCEPT, 0},
		/* A rule that never matches is passed by. */
		{BASE("accept") "rule 1 handle 7 never rule 2 handle 8 { 0: verdict drop } }",
		 "b.1- b.2+", NF_DROP, 8},
		/* After a jump the next rule follows, not the next step. */
		{BASE("accept") "rule 1 handle 7 { 0: verdict jump c 1: verdict drop }"
				"rule 2 handle 8 { 0: " HIT "} }"
				"chain v4 ip t c { rule 1 handle 9 { 0: " MISS "} }",
		 "b.1+ c.1- b.2+", NF_ACCEPT, 0},
		{BASE("accept") "rule 1 handle 7 { 0: verdict jump c } rule 2 handle 8 { 0: "
				"verdict drop } }"
				"chain v4 ip t c { rule 1 handle 9 { 0: verdict return }"
				"rule 2 handle 10 { 0: verdict accept } }",
		 "b.1+ c.1+ b.2+", NF_DROP, 8},
		/* Goto does not come back, but to where its chain was jumped from. */
		{BASE("drop") "rule 1 handle 7 { 0: verdict goto c } rule 2 handle 8 { 0: verdict "
			      "accept } }"
			      "chain v4 ip t c { }",
		 "b.1+", NF_DROP, 0},
		{BASE("drop") "rule 1 handle 7 { 0: verdict jump c } rule 2 handle 8 { 0: verdict "
			      "accept } }"
			      "chain v4 ip t c { rule 1 handle 9 { 0: verdict goto d } "
			      "rule 2 handle 10 { 0: verdict drop } }"
			      "chain v4 ip t d { rule 1 handle 11 { 0: " HIT "} }",
		 "b.1+ c.1+ d.1+ b.2+", NF_ACCEPT, 8},
		/* A verdict inside ends it all. */
		{BASE("drop") "rule 1 handle 7 { 0: verdict jump c } rule 2 handle 8 { 0: verdict "
			      "drop } }"
			      "chain v4 ip t c { rule 1 handle 9 { 0: verdict accept } }",
		 "b.1+ c.1+", NF_ACCEPT, 9},
		/* What fails, fails for "not equal" too. */
		{BASE("accept") "rule 1 handle 7 { 0: guard ne (test load 63 2) 0x0000 1: verdict "
				"drop }"
				"rule 2 handle 8 { 0: need (test load 62 2) 1: need (test load 64 "
				"1) "
				"2: verdict drop } }",
		 "b.1- b.2-", NF_ACCEPT, 0},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run r = run_new(cases[i].text);

		assert_int_equal(run_once(&r), cases[i].verdict);
		assert_string_equal(r.trace, cases[i].trace);
		assert_int_equal(r.env.decided_by ? r.env.decided_by->handle : 0,
				 cases[i].decided_by);
		run_fini(&r);
	}
}

static void test_guards(void **state UNUSED)
{
	static const struct {
		const char *guard;
		bool holds;
	} cases[] = {
		{"eq (test load 22 2) 0x0016", true},
		{"eq (test load 22 2) 0x0017", false},
		{"ne (test load 22 2) 0x0016", false},
		{"ne (test load 22 2) 0x0017", true},
		{"range (test load 22 2) 0x0016..0x0016", true},
		{"range (test load 22 2) 0x0017..0x0020", false},
		{"range (test load 22 2) 0x0010..0x0015", false},
		{"not_range (test load 22 2) 0x0016..0x0016", false},
		{"not_range (test load 22 2) 0x0017..0x0020", true},
		{"not_range (test load 22 2) 0x0010..0x0015", true},
		{"not_range (test load 63 2) 0x0010..0x0015", false},
		{"in (test load 22 2) @s", true},
		{"not_in (test load 22 2) @s", false},
		{"in (test load 20 2) @s", false},
		{"not_in (test load 20 2) @s", true},
		{"not_in (test load 63 2) @s", false},
		{"in (test load 20 2) @all", true},
		{"not_in (test load 20 2) @all", false},
		{"not_in (test load 22 2) @all", false},
		{"eq (map (test load 22 2) @m) 0xaa", true},
		{"eq (map (test load 20 2) @m) 0xbb", true},
		{"ne (map (test load 20 2) @n) 0x00", false}, /* a miss fails */
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *text = NULL;
		struct run r;

		assert_true(asprintf(&text,
				     "ir 1 set s width 2 { 0x0016 } set all width 2 { 0x0016 * }"
				     "map m width 2 data 1 { 0x0016 : 0xaa * : 0xbb }"
				     "map n width 2 data 1 { 0x0016 : 0xaa }"
				     "chain v4 ip t b base hook input priority 0 policy accept {"
				     "rule 1 handle 1 { 0: guard %s 1: verdict drop } }",
				     cases[i].guard) > 0);
		r = run_new(text);
		if ((run_once(&r) == NF_DROP) != cases[i].holds)
			fail_msg("%s", cases[i].guard);
		run_fini(&r);
	}
}

static void test_vmap(void **state UNUSED)
{
	static const struct {
		const char *elems, *trace;
		uint8_t verdict;
	} cases[] = {
		{"0x0016 : accept", "b.1+", NF_ACCEPT},
		{"0x0016 : continue", "b.1+", NF_DROP}, /* the step behind it drops */
		{"0x0015 : accept", "b.1- b.2-", NF_ACCEPT},
		{"0x0015 : drop * : return", "b.1+", NF_ACCEPT},
		{"0x0016 : jump (v4 ip t c)", "b.1+ c.1+ b.2-", NF_ACCEPT},
		{"0x0016 : goto (v4 ip t c)", "b.1+ c.1+", NF_ACCEPT},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *text = NULL;
		struct run r;

		assert_true(
			asprintf(&text,
				 "ir 1 vmap v width 2 { %s }"
				 "chain v4 ip t b base hook input priority 0 policy accept {"
				 "rule 1 handle 1 { 0: vmap (test load 22 2) @v 1: verdict drop }"
				 "rule 2 handle 2 { 0: " MISS "} }"
				 "chain v4 ip t c { rule 1 handle 3 { 0: " HIT "} }",
				 cases[i].elems) > 0);
		r = run_new(text);
		assert_int_equal(run_once(&r), cases[i].verdict);
		assert_string_equal(r.trace, cases[i].trace);
		run_fini(&r);
	}
}

static void test_prog(void **state UNUSED)
{
	struct run r = run_new(
		"ir 1 state #0 (test counter) state #1 (test counter)"
		"chain v4 ip t a base hook input priority 0 policy accept {"
		"rule 1 handle 1 { 0: effect test counter #0 1: guard eq (test mark) 0x00000000 "
		"2: verdict accept } rule 2 handle 2 { 0: verdict drop } }"
		"chain v4 ip t b base hook input priority 0 policy drop {"
		"rule 1 handle 3 { 0: effect test counter #1 } }"
		"prog p v4 hook input priority 0 { (v4 ip t a) (v4 ip t b) }");

	/* Accept is this chain's: the next one runs. A drop is final. */
	assert_int_equal(ir_eval_prog(r.ir->progs, &r.env), NF_DROP);
	assert_int_equal(r.env.counters[1].packets, 1);
	r.env.mark = 1;
	assert_int_equal(ir_eval_prog(r.ir->progs, &r.env), NF_DROP);
	assert_int_equal(r.env.decided_by->handle, 2);
	assert_int_equal(r.env.counters[0].packets, 2);
	assert_int_equal(r.env.counters[1].packets, 1);
	run_fini(&r);
}

/* ---- states ---- */

static void test_states(void **state UNUSED)
{
	struct run r = run_new(
		"ir 1 state #0 (test first 2)"
		"state #1 (test counter) init 0x0a000000000000006400000000000000 "
		"state #2 (test first 3) init 0x010000000000000000000000 "
		"chain v4 ip t b base hook input priority 0 policy accept {"
		"rule 1 handle 1 { 0: effect test counter #1 1: effect test first #0 "
		"2: effect test note 1 2 (test load 0 4) 3: effect test first #2 4: verdict drop }"
		"rule 2 handle 2 { 0: effect test note 1 2 (test load 64 1) 1: verdict drop } }");

	assert_int_equal(run_once(&r), NF_DROP);
	assert_int_equal(run_once(&r), NF_DROP);
	assert_int_equal(run_once(&r), NF_ACCEPT); /* #0 is used up */
	assert_string_equal(r.trace, "b.1- b.2-");
	assert_int_equal(r.env.counters[0].packets, 13);
	assert_int_equal(r.env.counters[0].bytes, 100 + 3 * sizeof(packet));
	run_fini(&r);
}

/* An element's states run on a hit, in any of the three look-ups; one may end the rule. */
static void test_elem_states(void **state UNUSED)
{
	struct run r = run_new(
		"ir 1 state #0 (test counter) state #1 (test first 1) state #2 (test counter)"
		"state #3 (test counter) state #4 (test counter)"
		"set s width 2 states 2 { 0x0016 #0 #1 }"
		"vmap v width 2 states 1 { 0x0015 : drop #2 0x0016 : continue #3 }"
		"map m width 2 data 1 states 1 { 0x0016 : 0x01 #4 }"
		"chain v4 ip t b base hook input priority 0 policy drop {"
		"rule 1 handle 1 { 0: guard not_in (test load 22 2) @s }"
		"rule 2 handle 2 { 0: need %0=(map (test load 22 2) @m) 1: guard eq %0 0x01 "
		"2: guard ne %0 0x02 3: vmap (test load 22 2) @v 4: guard in (test load 22 2) @s "
		"5: verdict accept } }");

	assert_int_equal(run_once(&r), NF_ACCEPT);
	assert_int_equal(run_once(&r), NF_DROP);
	assert_int_equal(r.env.counters[r.ir->states[0]->index].packets, 2);
	assert_int_equal(r.env.counters[r.ir->states[2]->index].packets, 0);
	assert_int_equal(r.env.counters[r.ir->states[3]->index].packets, 2);
	assert_int_equal(r.env.counters[r.ir->states[4]->index].packets, 2); /* once per rule */
	run_fini(&r);
}

static uint32_t count_up(void *arg)
{
	return ++*(uint32_t *)arg << 28;
}

/* One value per rule run, a new one in the next rule. */
static void test_impure(void **state UNUSED)
{
	struct run r = run_new(
		"ir 1 chain v4 ip t b base hook input priority 0 policy accept {"
		"rule 1 handle 1 { 0: need %0=(test random) 1: need %1=(test random) "
		"2: guard eq (scale %0 16 0) 0x01000000 3: guard eq (scale %1 16 0) 0x02000000 "
		"4: guard eq (xor %0 %0) 0x00000000 5: guard ne (xor %0 %1) 0x00000000 }"
		"rule 2 handle 2 { 0: need %0=(test random) 1: guard eq (scale %0 16 0) 0x03000000 "
		"2: verdict drop } }");
	uint32_t n = 0;

	r.env.random = count_up;
	r.env.random_arg = &n;
	assert_int_equal(run_once(&r), NF_DROP);
	assert_string_equal(r.trace, "b.1+ b.2+");
	assert_int_equal(n, 3);
	run_fini(&r);
}

/* ---- sets ---- */

/* Index of the element that @key hits, or -1. */
static int hit(const struct run *r, const char *set, const char *key)
{
	const struct ir_set *s = ir_set_find(r->ir, set);
	const struct ir_elem *e = ir_eval_lookup(s, &r->env, (const uint8_t *)key);

	return e ? (int)(e - s->elems) : -1;
}

static void test_lookup(void **state UNUSED)
{
	struct run r = run_new("ir 1 set empty width 1 {} set all width 1 { * }"
			       "set p width 2 { 0x0001 0x0003 0x8000 0xffff }"
			       "set i width 1 intervals { 0x00..0x01 0x05 0x10..0x1f * }"
			       "set r width 12 fields 4 2 4 ranged intervals {"
			       "0x0a0000000016000000000001..0x0affffff0017000000000002 "
			       "0x0a0000000050000000000000..0x0a00000000500000ffffffff }");

	assert_int_equal(hit(&r, "empty", "\0"), -1);
	assert_int_equal(hit(&r, "all", "x"), 0);
	assert_int_equal(hit(&r, "p", "\0\0"), -1);
	assert_int_equal(hit(&r, "p", "\0\1"), 0);
	assert_int_equal(hit(&r, "p", "\0\2"), -1);
	assert_int_equal(hit(&r, "p", "\0\3"), 1);
	assert_int_equal(hit(&r, "p", "\200\0"), 2);
	assert_int_equal(hit(&r, "p", "\377\376"), -1);
	assert_int_equal(hit(&r, "p", "\377\377"), 3);
	assert_int_equal(hit(&r, "i", "\1"), 0);
	assert_int_equal(hit(&r, "i", "\2"), 3);
	assert_int_equal(hit(&r, "i", "\5"), 1);
	assert_int_equal(hit(&r, "i", "\20"), 2);
	assert_int_equal(hit(&r, "i", "\37"), 2);
	assert_int_equal(hit(&r, "i", "\40"), 3);
	/* Each field for itself: as one string, the second key would lie in between. */
	assert_int_equal(hit(&r, "r", "\12\1\2\3\0\27\0\0\0\0\0\1"), 0);
	assert_int_equal(hit(&r, "r", "\12\1\2\3\0\27\0\0\0\0\0\3"), -1);
	assert_int_equal(hit(&r, "r", "\12\1\2\3\0\30\0\0\0\0\0\1"), -1);
	assert_int_equal(hit(&r, "r", "\13\1\2\3\0\27\0\0\0\0\0\1"), -1);
	assert_int_equal(hit(&r, "r", "\12\0\0\0\0\120\0\0\7\7\7\7"), 1);
	run_fini(&r);
}

static void test_expiry(void **state UNUSED)
{
	struct run r = run_new("ir 1 set s width 1 timeout { 0x01 expires 10 0x02 * expires 20 }"
			       "set r width 8 fields 4 4 ranged intervals timeout {"
			       "0x0000000000000000..0x0000000100000001 expires 10 "
			       "0x0000000000000000..0x0000000200000002 }");

	r.env.read_ns = 5000000;
	r.env.now_ns = 5000000 + 9999999;
	assert_int_equal(hit(&r, "s", "\1"), 0);
	assert_int_equal(hit(&r, "r", "\0\0\0\0\0\0\0\1"), 0);
	r.env.now_ns++;
	assert_int_equal(hit(&r, "s", "\1"), 2); /* the catch-all is next */
	assert_int_equal(hit(&r, "s", "\2"), 1);
	assert_int_equal(hit(&r, "r", "\0\0\0\0\0\0\0\1"), 1);
	r.env.now_ns += 10000000;
	assert_int_equal(hit(&r, "s", "\1"), -1);
	assert_int_equal(hit(&r, "s", "\2"), 1);
	run_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains), cmocka_unit_test(test_guards),
		cmocka_unit_test(test_vmap),   cmocka_unit_test(test_prog),
		cmocka_unit_test(test_states), cmocka_unit_test(test_elem_states),
		cmocka_unit_test(test_impure), cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_expiry),

	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
