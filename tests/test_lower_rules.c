/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lowering of what nft does not write, or not in this order: where a failing load leaves its mark,
 * registers, newer forms, malformed expressions, loops of chains, sets in any order.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "compiler/lower.h"
#include "tests/lower_build.h"

enum { NH = NFT_PAYLOAD_NETWORK_HEADER, TH = NFT_PAYLOAD_TRANSPORT_HEADER };

struct fixture {
	struct ruleset *rs;
	struct table *t;
	struct chain *c; /* base, input */
	struct nla_buf b;
	struct lower_options opt;
	struct lower_result lr;
	struct diags ds;
	char *text;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->rs = ruleset_new();
	f->t = table_new(f->rs, NFPROTO_IPV4, "t");
	f->c = base_add(f->t, "c", NF_INET_LOCAL_IN, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->lr.ir) {
		lower_result_fini(&f->lr);
		diags_fini(&f->ds);
	}
	ruleset_free(f->rs);
	free(f->text);
	free(f);
	return 0;
}

static void lower_it(struct fixture *f)
{
	diags_init(&f->ds);
	assert_int_equal(lower_ruleset(f->rs, &f->opt, &f->ds, &f->lr), 0);
	{
		AUTO_FREE char *violation = ir_check(f->lr.ir);

		if (violation)
			fail_msg("%s", violation);
	}
}

/* The steps of rule @index of the chain, one a line. */
static const char *steps_of(struct fixture *f, const char *chain, uint32_t index)
{
	const struct ir_chain *c = ir_chain_find(f->lr.ir, NFPROTO_IPV4, f->t->family, "t", chain);
	const struct ir_rule *r;
	size_t size;
	FILE *out;
	uint32_t i;

	assert_non_null(c);
	assert_true(index <= c->n_rules);
	r = &c->rules[index - 1];
	free(f->text);
	f->text = NULL;
	out = open_memstream(&f->text, &size);
	if (r->never)
		fputs("never", out);
	for (i = 0; i < r->n_steps; i++) {
		fprintf(out, "%s%u: ", i ? "\n" : "", r->steps[i].expr);
		ir_step_print(&r->steps[i], out);
	}
	fclose(out);
	return f->text;
}

static const char *only_blocker_of(const struct lower_result *lr, uint32_t chain)
{
	assert_false(lr->chains[chain].compiled);
	assert_int_equal(lr->chains[chain].n_blockers, 1);
	return lr->chains[chain].blockers[0]->code;
}

static const char *only_blocker(struct fixture *f)
{
	assert_int_equal(f->ds.count[DIAG_BLOCKER], 1);
	assert_int_equal(f->lr.ir->n_progs, 0);
	assert_int_equal(f->lr.ir->n_chains, 0);
	return only_blocker_of(&f->lr, 0);
}

/* ---- where loads fail ---- */

static void test_need_before_effect(void **state)
{
	struct fixture *f = *state;

	/* A counter between load and use counts only where the load succeeds. */
	put_payload(&f->b, TH, 2, 2, NFT_REG_1);
	put_counter(&f->b);
	put_cmp(&f->b, NFT_CMP_NEQ, NFT_REG_1, "\0\x50", 2);
	put_verdict(&f->b, NF_DROP, NULL);
	rule_add(f->c, &f->b);
	/* Used before the counter: no mark is needed. */
	put_payload(&f->b, TH, 2, 2, NFT_REG_1);
	put_payload(&f->b, NH, 12, 4, NFT_REG_2);
	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG_2, "\1\2\3\4", 4);
	put_cmp(&f->b, NFT_CMP_NEQ, NFT_REG_1, "\0\x50", 2);
	put_counter(&f->b);
	rule_add(f->c, &f->b);
	/* Never used. */
	put_payload(&f->b, TH, 0, 4, NFT_REG_1);
	put_verdict(&f->b, NF_ACCEPT, NULL);
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_string_equal(steps_of(f, "c", 1), "0: need (load th 2 2)\n"
						 "1: effect counter #0\n"
						 "2: guard ne (load th 2 2) 0x0050\n"
						 "3: verdict drop");
	assert_string_equal(steps_of(f, "c", 2), "2: guard eq (load nh 12 4) 0x01020304\n"
						 "3: guard ne (load th 2 2) 0x0050\n"
						 "4: effect counter #1");
	assert_string_equal(steps_of(f, "c", 3), "0: need (load th 0 4)\n1: verdict accept");
}

static void test_always_and_never(void **state)
{
	struct fixture *f = *state;
	const uint8_t v4 = NFPROTO_IPV4, v6 = NFPROTO_IPV6;

	/* A compare that always holds still needs the bytes. */
	put_payload(&f->b, NH, 30, 1, NFT_REG_1);
	put_cmp(&f->b, NFT_CMP_GTE, NFT_REG_1, "\0", 1);
	put_verdict(&f->b, NF_DROP, NULL);
	rule_add(f->c, &f->b);
	/* What stands before a compare that never holds stays, if it can be seen. */
	put_counter(&f->b);
	put_payload(&f->b, NH, 30, 1, NFT_REG_1);
	put_cmp(&f->b, NFT_CMP_LT, NFT_REG_1, "\0", 1);
	put_verdict(&f->b, NF_DROP, NULL);
	rule_add(f->c, &f->b);
	put_meta(&f->b, NFT_META_NFPROTO, NFT_REG_1);
	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG_1, &v6, 1);
	expr_end(&f->b, expr_begin(&f->b, "reject")); /* not reached */
	rule_add(f->c, &f->b);
	put_meta(&f->b, NFT_META_NFPROTO, NFT_REG_1);
	put_cmp(&f->b, NFT_CMP_NEQ, NFT_REG_1, &v6, 1);
	put_cmp(&f->b, NFT_CMP_LTE, NFT_REG_1, &v4, 1);
	put_verdict(&f->b, NFT_CONTINUE, NULL);
	put_verdict(&f->b, NFT_BREAK, NULL);
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_string_equal(steps_of(f, "c", 1), "0: need (load nh 30 1)\n2: verdict drop");
	assert_string_equal(steps_of(f, "c", 2), "0: effect counter #0");
	assert_string_equal(steps_of(f, "c", 3), "never");
	assert_string_equal(steps_of(f, "c", 4), "never");
}

/* ---- registers ---- */

static void test_registers(void **state)
{
	struct fixture *f = *state;

	/* Old and new numbers are the same bytes; a store fills up its word. */
	put_payload(&f->b, NH, 12, 8, NFT_REG_2);
	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG32_05, "\1\2\3\4", 4);
	put_payload(&f->b, NH, 9, 1, NFT_REG32_04);
	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG32_04, "\6\0\0\0\1\2", 6);
	rule_add(f->c, &f->b);
	put_value(&f->b, NFT_REG_1, "\1\2\3", 3);
	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG_1, "\1\2\3\0", 4);
	put_verdict(&f->b, NF_DROP, NULL);
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_string_equal(
		steps_of(f, "c", 1),
		"1: guard eq (slice (load nh 12 8) 4 4) 0x01020304\n"
		"3: guard eq (concat (load nh 9 1) 0x000000 (slice (load nh 12 8) 4 2)) "
		"0x060000000102");
	assert_string_equal(steps_of(f, "c", 2), "2: verdict drop");
}

static void test_register_unwritten(void **state)
{
	struct fixture *f = *state;

	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG_1, "\1", 1);
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_string_equal(only_blocker(f), "register");
}

static void test_register_beyond(void **state)
{
	struct fixture *f = *state;

	put_payload(&f->b, NH, 0, 20, NFT_REG_4);
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_string_equal(only_blocker(f), "register");
}

/* ---- forms newer than nft 1.0.6 ---- */

static void test_bitwise_two(void **state)
{
	struct fixture *f = *state;
	enum { AND = 3, OR = 4, XOR = 5, SREG2 = 8 };
	struct expr_nest n;

	put_payload(&f->b, NH, 12, 4, NFT_REG32_00);
	put_payload(&f->b, NH, 16, 4, NFT_REG32_01);
	n = expr_begin(&f->b, "bitwise");
	nla_put_u32(&f->b, NFTA_BITWISE_SREG, NFT_REG32_00);
	nla_put_u32(&f->b, SREG2, NFT_REG32_01);
	nla_put_u32(&f->b, NFTA_BITWISE_DREG, NFT_REG32_02);
	nla_put_u32(&f->b, NFTA_BITWISE_LEN, 4);
	nla_put_u32(&f->b, NFTA_BITWISE_OP, XOR);
	expr_end(&f->b, n);
	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG32_02, "\0\0\0\0", 4);
	rule_add(f->c, &f->b);
	put_payload(&f->b, NH, 2, 2, NFT_REG32_00);
	n = expr_begin(&f->b, "bitwise");
	nla_put_u32(&f->b, NFTA_BITWISE_SREG, NFT_REG32_00);
	nla_put_u32(&f->b, NFTA_BITWISE_DREG, NFT_REG32_02);
	nla_put_u32(&f->b, NFTA_BITWISE_LEN, 2);
	nla_put_u32(&f->b, NFTA_BITWISE_OP, AND);
	nla_put_data(&f->b, NFTA_BITWISE_DATA, "\x0f\xf0", 2);
	expr_end(&f->b, n);
	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG32_02, "\0\x10", 2);
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_string_equal(steps_of(f, "c", 1),
			    "3: guard eq (xor (load nh 12 4) (load nh 16 4)) 0x00000000");
	assert_string_equal(
		steps_of(f, "c", 2),
		"2: guard eq (slice (and (concat (load nh 2 2) 0x0000) 0x0ff00000) 0 2) "
		"0x0010");
}

static void test_range(void **state)
{
	struct fixture *f = *state;
	struct expr_nest n;
	uint32_t op;

	for (op = NFT_RANGE_EQ; op <= NFT_RANGE_NEQ; op++) {
		put_payload(&f->b, NH, 8, 1, NFT_REG_1);
		n = expr_begin(&f->b, "range");
		nla_put_u32(&f->b, NFTA_RANGE_SREG, NFT_REG_1);
		nla_put_u32(&f->b, NFTA_RANGE_OP, op);
		nla_put_data(&f->b, NFTA_RANGE_FROM_DATA, "\x20", 1);
		nla_put_data(&f->b, NFTA_RANGE_TO_DATA, "\x10", 1); /* empty */
		expr_end(&f->b, n);
		put_verdict(&f->b, NF_DROP, NULL);
		rule_add(f->c, &f->b);
	}
	lower_it(f);
	assert_string_equal(steps_of(f, "c", 1), "never");
	assert_string_equal(steps_of(f, "c", 2), "0: need (load nh 8 1)\n2: verdict drop");
}

static void test_data_map(void **state)
{
	struct fixture *f = *state;
	struct set *s = set_add(f->t, "m", NFT_SET_MAP | NFT_SET_CONSTANT, 2, 0, 4);

	set_elem_get(s, (const uint8_t *)"\0\x16", NULL, 0, true)->data =
		memcpy(malloc(4), "\1\0\0\0", 4);
	set_elem_get(s, NULL, NULL, NFT_SET_ELEM_CATCHALL, true)->data =
		memcpy(malloc(4), "\2\0\0\0", 4);
	put_payload(&f->b, TH, 2, 2, NFT_REG_1);
	put_lookup(&f->b, "m", NFT_REG_1, NFT_REG_1, 0);
	put_counter(&f->b);
	put_cmp(&f->b, NFT_CMP_EQ, NFT_REG_1, "\1\0\0\0", 4);
	rule_add(f->c, &f->b);
	lower_it(f);
	/* A miss ends the rule before the counter. */
	assert_string_equal(steps_of(f, "c", 1),
			    "1: need (map (load th 2 2) @ip:t:m)\n"
			    "2: effect counter #0\n"
			    "3: guard eq (map (load th 2 2) @ip:t:m) 0x01000000");
	assert_int_equal(f->lr.ir->sets[0]->n_elems, 2);
	assert_null(f->lr.ir->sets[0]->elems[1].lo);
}

/* ---- bad input ---- */

static void test_malformed(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"immediate", "payload", "cmp",    "range",
					    "bitwise",	 "exthdr",  "lookup", "hash"};
	size_t i;

	/* Without any attribute: each is a blocker, none a crash. */
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		expr_end(&f->b, expr_begin(&f->b, names[i]));
		rule_add(f->c, &f->b);
	}
	expr_end(&f->b, expr_begin(&f->b, "no_such_thing"));
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_false(f->lr.chains[0].compiled);
	assert_int_equal(f->lr.chains[0].n_blockers, ARRAY_SIZE(names) + 1);
	assert_string_equal(f->lr.chains[0].blockers[ARRAY_SIZE(names)]->code, "expr-unknown");
	assert_int_equal(f->lr.chains[0].blockers[ARRAY_SIZE(names)]->at.rule, 9);
	assert_string_equal(f->lr.chains[0].blockers[ARRAY_SIZE(names)]->at.expr, "no_such_thing");
}

static void test_missing(void **state)
{
	struct fixture *f = *state;

	put_verdict(&f->b, NFT_JUMP, "nowhere");
	rule_add(f->c, &f->b);
	put_payload(&f->b, NH, 12, 4, NFT_REG_1);
	put_lookup(&f->b, "none", NFT_REG_1, NO_REG, 0);
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_int_equal(f->lr.chains[0].n_blockers, 2);
	assert_string_equal(f->lr.chains[0].blockers[0]->code, "chain-missing");
	assert_string_equal(f->lr.chains[0].blockers[1]->code, "set-missing");
}

/* ---- chains ---- */

static void test_loop_unreached(void **state)
{
	struct fixture *f = *state;

	put_verdict(&f->b, NFT_GOTO, "b");
	rule_add(chain_new(f->t, "a"), &f->b);
	put_verdict(&f->b, NFT_GOTO, "a");
	rule_add(chain_new(f->t, "b"), &f->b);
	lower_it(f);
	assert_true(f->lr.chains[0].compiled);
	assert_int_equal(f->lr.ir->n_chains, 1);
}

static void test_loop_reached(void **state)
{
	struct fixture *f = *state;

	put_verdict(&f->b, NFT_GOTO, "b");
	rule_add(chain_new(f->t, "a"), &f->b);
	put_verdict(&f->b, NFT_GOTO, "a");
	rule_add(chain_new(f->t, "b"), &f->b);
	put_verdict(&f->b, NFT_JUMP, "a");
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_string_equal(only_blocker(f), "chain-depth");
}

/* @n chains below the base chain, each jumping to the next. */
static void make_ladder(struct fixture *f, int n)
{
	struct chain *c = f->c;
	char name[16];
	int i;

	for (i = 1; i <= n; i++) {
		struct chain *next;

		snprintf(name, sizeof(name), "l%d", i);
		next = chain_new(f->t, name);
		put_verdict(&f->b, NFT_JUMP, name);
		rule_add(c, &f->b);
		c = next;
	}
}

static void test_depth(void **state)
{
	struct fixture *f = *state;

	make_ladder(f, 15);
	lower_it(f);
	assert_true(f->lr.chains[0].compiled);
	assert_int_equal(f->lr.ir->n_chains, 16);
}

static void test_too_deep(void **state)
{
	struct fixture *f = *state;

	make_ladder(f, 16);
	lower_it(f);
	assert_string_equal(only_blocker(f), "chain-depth");
}

/* A chain two base chains share keeps both with the interpreter and is told once. */
static void test_shared_blocker(void **state)
{
	struct fixture *f = *state;
	struct chain *two = base_add(f->t, "two", NF_INET_FORWARD, 0);
	struct chain *three = base_add(f->t, "three", NF_INET_FORWARD, 0);

	expr_end(&f->b, expr_begin(&f->b, "reject"));
	rule_add(chain_new(f->t, "shared"), &f->b);
	put_verdict(&f->b, NFT_JUMP, "shared");
	rule_add(f->c, &f->b);
	put_verdict(&f->b, NFT_JUMP, "shared");
	rule_add(two, &f->b);
	put_counter(&f->b);
	rule_add(three, &f->b);
	lower_it(f);
	assert_int_equal(f->ds.count[DIAG_BLOCKER], 1);
	assert_string_equal(only_blocker_of(&f->lr, 0), "expr-reject");
	assert_string_equal(only_blocker_of(&f->lr, 1), "expr-reject");
	assert_true(f->lr.chains[2].compiled);
	assert_true(f->lr.chains[1].mixed && f->lr.chains[2].mixed);
	assert_int_equal(f->lr.ir->n_chains, 1);
}

static void test_drop_chain(void **state)
{
	struct fixture *f = *state;

	base_add(f->t, "two", NF_INET_LOCAL_IN, 0);
	put_counter(&f->b);
	rule_add(f->c, &f->b);
	lower_it(f);
	assert_int_equal(f->lr.ir->progs[0].n_bases, 2);
	/* Registered last runs first. */
	assert_string_equal(f->lr.ir->progs[0].bases[0]->name, "two");
	lower_drop_chain(&f->lr, &f->opt, f->c, "verifier", "too complex", &f->ds);
	assert_false(f->lr.chains[0].compiled);
	assert_true(f->lr.chains[0].mixed);
	assert_int_equal(f->lr.ir->progs[0].n_bases, 1);
	assert_int_equal(f->lr.ir->n_counters, 0);
	assert_int_equal(f->ds.count[DIAG_BLOCKER], 1);
}

static void test_table_flags(void **state)
{
	struct fixture *f = *state;
	struct table *owned = table_new(f->rs, NFPROTO_IPV6, "owned");

	f->t->flags = NFT_TABLE_F_DORMANT;
	owned->flags = 2; /* NFT_TABLE_F_OWNER */
	base_add(owned, "in", NF_INET_LOCAL_IN, INT32_MIN);
	base_add(table_new(f->rs, NFPROTO_INET, "dev"), "ingress", 5, 0);
	lower_it(f);
	assert_int_equal(f->ds.count[DIAG_NOTE], 1);
	assert_string_equal(f->lr.chains[0].blockers[0]->code, "table-dormant");
	assert_int_equal(f->lr.chains[1].n_blockers, 2);
	assert_string_equal(f->lr.chains[1].blockers[0]->code, "chain-priority");
	assert_string_equal(f->lr.chains[1].blockers[1]->code, "table-owner");
	assert_string_equal(f->lr.chains[2].blockers[0]->code, "hook-ingress");
	assert_int_equal(f->lr.ir->n_progs, 0);
}

/* ---- sets ---- */

static void lookup_rule(struct fixture *f, const char *set)
{
	put_payload(&f->b, TH, 2, 2, NFT_REG_1);
	put_lookup(&f->b, set, NFT_REG_1, NO_REG, 0);
	rule_add(f->c, &f->b);
}

static void assert_elem(const struct ir_set *s, size_t i, const char *lo, const char *hi)
{
	assert_true(i < s->n_elems);
	assert_memory_equal(s->elems[i].lo, lo, 2);
	assert_memory_equal(s->elems[i].hi, hi, 2);
	assert_true((s->elems[i].lo == s->elems[i].hi) == (memcmp(lo, hi, 2) == 0));
}

static void add(struct set *s, const char *key, uint32_t flags)
{
	assert_non_null(set_elem_get(s, (const uint8_t *)key, NULL, flags, true));
}

static void test_intervals(void **state)
{
	struct fixture *f = *state;
	struct set *s = set_add(f->t, "s", NFT_SET_INTERVAL | NFT_SET_CONSTANT, 2, 0, 0);
	const struct ir_set *out;

	/* As rbtree dumps come: descending; an end and a start at one key; open at the top. */
	add(s, "\xff\0", 0);
	add(s, "\1\0", NFT_SET_ELEM_INTERVAL_END);
	add(s, "\0\x50", 0);
	add(s, "\0\x50", NFT_SET_ELEM_INTERVAL_END);
	add(s, "\0\x10", 0);
	add(s, "\0\x07", NFT_SET_ELEM_INTERVAL_END);
	add(s, "\0\x06", 0);
	add(s, "\0\0", NFT_SET_ELEM_INTERVAL_END); /* filler */
	lookup_rule(f, "s");
	lower_it(f);
	out = f->lr.ir->sets[0];
	assert_int_equal(out->n_elems, 4);
	assert_true(out->intervals);
	assert_elem(out, 0, "\0\x06", "\0\x06");
	assert_elem(out, 1, "\0\x10", "\0\x4f");
	assert_elem(out, 2, "\0\x50", "\0\xff");
	assert_elem(out, 3, "\xff\0", "\xff\xff");
}

/* Starts without an end between: the greatest key not above decides. */
static void test_intervals_adjacent(void **state)
{
	struct fixture *f = *state;
	struct set *s = set_add(f->t, "s", NFT_SET_INTERVAL | NFT_SET_CONSTANT, 2, 0, 0);

	add(s, "\0\0", 0);
	add(s, "\x80\0", 0);
	lookup_rule(f, "s");
	lower_it(f);
	assert_int_equal(f->lr.ir->sets[0]->n_elems, 2);
	assert_elem(f->lr.ir->sets[0], 0, "\0\0", "\x7f\xff");
	assert_elem(f->lr.ir->sets[0], 1, "\x80\0", "\xff\xff");
}

static void test_set_kinds(void **state)
{
	struct fixture *f = *state;
	struct set *dynamic = set_add(f->t, "d", NFT_SET_EVAL, 2, 0, 0);
	struct expr_nest n;

	set_add(f->t, "named", 0, 2, 0, 0);
	set_add(f->t, "objects", NFT_SET_OBJECT | NFT_SET_CONSTANT, 2, 0, 0)->obj_type =
		NFT_OBJECT_COUNTER;
	set_add(f->t, "unread", NFT_SET_CONSTANT, 2, 0, 0)->elems_known = false;
	/* A rule anywhere makes it dynamic. */
	n = expr_begin(&f->b, "dynset");
	nla_put(&f->b, NFTA_DYNSET_SET_NAME, dynamic->name, strlen(dynamic->name) + 1);
	expr_end(&f->b, n);
	rule_add(chain_new(f->t, "elsewhere"), &f->b);
	lookup_rule(f, "d");
	lookup_rule(f, "named");
	lookup_rule(f, "objects");
	lookup_rule(f, "unread");
	lower_it(f);
	assert_int_equal(f->lr.chains[0].n_blockers, 4);
	assert_string_equal(f->lr.chains[0].blockers[0]->code, "set-dynamic");
	assert_string_equal(f->lr.chains[0].blockers[1]->code, "set-named");
	assert_string_equal(f->lr.chains[0].blockers[2]->code, "set-objects");
	assert_string_equal(f->lr.chains[0].blockers[3]->code, "set-elements");
}

static void test_set_timeouts(void **state)
{
	struct fixture *f = *state;
	struct set *s = set_add(f->t, "s", NFT_SET_TIMEOUT, 2, 0, 0);
	struct ir_set *out;

	f->opt.named_sets = true;
	s->timeout = 5000;
	add(s, "\0\1", 0);
	set_elem_get(s, (const uint8_t *)"\0\2", NULL, 0, true)->expiration = 70;
	set_elem_get(s, (const uint8_t *)"\0\3", NULL, 0, true)->timeout = UINT64_MAX;
	lookup_rule(f, "s");
	lower_it(f);
	out = f->lr.ir->sets[0];
	assert_true(out->has_timeout && out->is_mutable);
	assert_int_equal(out->elems[0].expires, 5000);
	assert_int_equal(out->elems[1].expires, 70);
	assert_int_equal(out->elems[2].expires, 0);
}

/* Verdict maps of inet tables: a copy per family, and what they jump to is lowered. */
static void test_verdict_map(void **state)
{
	struct fixture *f = *state;
	struct table *t = table_new(f->rs, NFPROTO_INET, "i");
	struct chain *c = base_add(t, "c", NF_INET_FORWARD, 0);
	struct set *s = set_add(t, "v", NFT_SET_MAP | NFT_SET_CONSTANT, 2, NFT_DATA_VERDICT, 0);
	struct set_elem *e;
	uint32_t i;

	chain_new(t, "target");
	e = set_elem_get(s, (const uint8_t *)"\0\1", NULL, 0, true);
	e->verdict = (struct verdict){NFT_JUMP, strdup("target")};
	e = set_elem_get(s, (const uint8_t *)"\0\2", NULL, 0, true);
	e->verdict.code = NF_DROP;
	put_payload(&f->b, TH, 2, 2, NFT_REG_1);
	put_lookup(&f->b, "v", NFT_REG_1, NFT_REG_VERDICT, 0);
	rule_add(c, &f->b);
	lower_it(f);
	assert_true(f->lr.chains[1].compiled);
	assert_int_equal(f->lr.ir->n_sets, 2);
	for (i = 0; i < 2; i++) {
		const struct ir_verdict *v = &f->lr.ir->sets[i]->elems[0].verdict;

		assert_int_equal(v->code, IR_JUMP);
		assert_true(v->chain->lowered);
		assert_int_equal(v->chain->pf, i ? NFPROTO_IPV6 : NFPROTO_IPV4);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_need_before_effect),
		TEST(test_always_and_never),
		TEST(test_registers),
		TEST(test_register_unwritten),
		TEST(test_register_beyond),
		TEST(test_bitwise_two),
		TEST(test_range),
		TEST(test_data_map),
		TEST(test_malformed),
		TEST(test_missing),
		TEST(test_loop_unreached),
		TEST(test_loop_reached),
		TEST(test_depth),
		TEST(test_too_deep),
		TEST(test_shared_blocker),
		TEST(test_drop_chain),
		TEST(test_table_flags),
		TEST(test_intervals),
		TEST(test_intervals_adjacent),
		TEST(test_set_kinds),
		TEST(test_set_timeouts),
		TEST(test_verdict_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
