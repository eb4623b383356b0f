/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lowering of rules that nft does not write, or not in this order: where a failing load leaves its mark,
 * registers, newer forms, malformed expressions.
 */
#include "tests/lower_fixture.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
