/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lowering of chains and sets that nft does not write: loops and depths of chains, tables' flags, sets in
 * any order.
 */
#include "tests/lower_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
