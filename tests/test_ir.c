/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR as it is made: constructors and what they fold, containers, registries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <linux/netfilter.h>

#include "compiler/ir_names.h"
#include "ir_leaves.h"

/* ---- constructors ---- */

static struct ir_sel *load(struct ir *ir, uint64_t at, uint32_t width)
{
	return ir_leaf(ir, ir_leaf_find("test load"), width, &at);
}

static struct ir_sel *mark(struct ir *ir)
{
	return ir_leaf(ir, ir_leaf_find("test mark"), 4, NULL);
}

/* The selector as printed must be @want. */
static void expect(const struct ir_sel *sel, const char *want)
{
	AUTO_FREE char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	ir_sel_print(sel, f);
	fclose(f);
	assert_string_equal(text, want);
}

static void test_cons(void **state UNUSED)
{
	CLEANUP(ir_freep) struct ir *ir = ir_new();
	struct ir_sel *a = load(ir, 0, 4), *b = mark(ir), *random;

	assert_ptr_equal(a, load(ir, 0, 4));
	assert_ptr_not_equal(a, load(ir, 0, 2));
	assert_ptr_not_equal(a, load(ir, 1, 4));
	assert_ptr_equal(ir_binary(ir, IR_OR, a, b), ir_binary(ir, IR_OR, a, b));
	assert_ptr_not_equal(ir_binary(ir, IR_OR, a, b), ir_binary(ir, IR_AND, a, b));
	assert_ptr_equal(ir_const(ir, "\1\2", 2), ir_const(ir, "\1\2", 2));
	assert_ptr_not_equal(ir_shift(ir, IR_SHL, a, 1), ir_shift(ir, IR_SHL, a, 2));
	random = ir_leaf(ir, ir_leaf_find("test random"), 4, NULL);
	assert_ptr_not_equal(random, ir_leaf(ir, ir_leaf_find("test random"), 4, NULL));
	assert_ptr_equal(ir_scale(ir, random, 10, 0), ir_scale(ir, random, 10, 0));
	assert_true(a->partial && !b->partial && ir_binary(ir, IR_OR, b, a)->partial);
	assert_true(random->impure && !ir_scale(ir, random, 10, 0)->impure);
	assert_int_equal(ir_binary(ir, IR_OR, a, b)->size, 3);
}

static void test_fold_binary(void **state UNUSED)
{
	CLEANUP(ir_freep) struct ir *ir = ir_new();
	struct ir_sel *zero = ir_const(ir, "\0\0\0\0", 4),
		      *ones = ir_const(ir, "\377\377\377\377", 4);
	struct ir_sel *a = ir_const(ir, "\1\2\3\4", 4), *b = ir_const(ir, "\377\0\377\0", 4);
	struct ir_sel *p = load(ir, 0, 4), *m = mark(ir);

	expect(ir_binary(ir, IR_AND, a, b), "0x01000300");
	expect(ir_binary(ir, IR_OR, a, b), "0xff02ff04");
	expect(ir_binary(ir, IR_XOR, a, b), "0xfe02fc04");
	assert_ptr_equal(ir_binary(ir, IR_AND, p, ones), p);
	assert_ptr_equal(ir_binary(ir, IR_AND, ones, p), p);
	assert_ptr_equal(ir_binary(ir, IR_OR, p, zero), p);
	assert_ptr_equal(ir_binary(ir, IR_XOR, zero, p), p);
	assert_ptr_equal(ir_binary(ir, IR_AND, p, p), p);
	assert_ptr_equal(ir_binary(ir, IR_OR, p, p), p);
	/* What can fail stays. */
	expect(ir_binary(ir, IR_AND, p, zero), "(and (test load 0 4) 0x00000000)");
	expect(ir_binary(ir, IR_OR, ones, p), "(or (test load 0 4) 0xffffffff)");
	expect(ir_binary(ir, IR_XOR, p, p), "(xor (test load 0 4) (test load 0 4))");
	assert_ptr_equal(ir_binary(ir, IR_AND, m, zero), zero);
	assert_ptr_equal(ir_binary(ir, IR_OR, m, ones), ones);
	assert_ptr_equal(ir_binary(ir, IR_XOR, m, m), zero);
	expect(ir_binary(ir, IR_AND, ir_binary(ir, IR_AND, p, a), b),
	       "(and (test load 0 4) 0x01000300)");
	expect(ir_binary(ir, IR_XOR, b, ir_binary(ir, IR_XOR, a, p)),
	       "(xor (test load 0 4) 0xfe02fc04)");
	assert_ptr_equal(ir_binary(ir, IR_XOR, ir_binary(ir, IR_XOR, p, a), a), p);
}

static void test_fold_rest(void **state UNUSED)
{
	CLEANUP(ir_freep) struct ir *ir = ir_new();
	struct ir_sel *c = ir_const(ir, "\1\2\3\4\5\6\7\10", 8), *p = load(ir, 0, 8), *m = mark(ir);
	struct ir_sel *four[4] = {p, c, m, ir_const(ir, "\11", 1)};
	struct ir_sel *cc[2] = {c, c}, *cat, *halves[2];

	expect(ir_bswap(ir, c, 2), "0x0201040306050807");
	expect(ir_bswap(ir, c, 4), "0x0403020108070605");
	expect(ir_bswap(ir, c, 8), "0x0807060504030201");
	assert_ptr_equal(ir_bswap(ir, ir_bswap(ir, p, 4), 4), p);
	expect(ir_bswap(ir, ir_bswap(ir, p, 4), 8), "(bswap (bswap (test load 0 8) 4) 8)");
	assert_ptr_equal(ir_shift(ir, IR_SHL, p, 0), p);
	assert_ptr_equal(ir_concat(ir, &p, 1), p);
	expect(ir_concat(ir, cc, 2), "0x01020304050607080102030405060708");
	assert_ptr_equal(ir_slice(ir, p, 0, 8), p);
	expect(ir_slice(ir, c, 2, 3), "0x030405");
	expect(ir_slice(ir, ir_slice(ir, p, 2, 5), 1, 2), "(slice (test load 0 8) 3 2)");
	cat = ir_concat(ir, four, 4);
	/* Pieces are picked, but not where one that can fail would go. */
	expect(ir_slice(ir, cat, 0, 9), "(concat (test load 0 8) 0x01)");
	expect(ir_slice(ir, cat, 4, 6), "(concat (slice (test load 0 8) 4 4) 0x0102)");
	expect(ir_slice(ir, cat, 18, 3),
	       "(slice (concat (test load 0 8) 0x0102030405060708 (test mark) 0x09) 18 3)");
	expect(ir_slice(ir, ir_concat(ir, four + 1, 3), 7, 2),
	       "(concat 0x08 (slice (test mark) 0 1))");
	/* Put together again, what was cut is whole. */
	halves[0] = ir_slice(ir, p, 0, 3);
	halves[1] = ir_slice(ir, p, 3, 5);
	assert_ptr_equal(ir_concat(ir, halves, 2), p);
	halves[0] = ir_slice(ir, p, 2, 3);
	halves[1] = ir_slice(ir, p, 5, 2);
	expect(ir_concat(ir, halves, 2), "(slice (test load 0 8) 2 5)");
	halves[1] = ir_slice(ir, p, 3, 2);
	expect(ir_concat(ir, halves, 2),
	       "(concat (slice (test load 0 8) 2 3) (slice (test load 0 8) 3 2))");
	halves[0] = ir_slice(ir, p, 0, 3);
	halves[1] = cat;
	expect(ir_concat(ir, halves, 2), "(concat (slice (test load 0 8) 0 3) (test load 0 8) "
					 "0x0102030405060708 (test mark) 0x09)");
}

/* Vectors from the public descriptions: lookup3's own, and words shifted by hand. */
static void test_fold_values(void **state UNUSED)
{
	static const char four[] = "Four score and seven years ago";
	CLEANUP(ir_freep) struct ir *ir = ir_new();
	struct ir_sel *text = ir_const(ir, four, 30);
	uint32_t words[2] = {0x80000001u, 0xc0000003u}, v;
	struct ir_sel *w = ir_const(ir, words, 8);

	memcpy(&v, ir_jhash(ir, text, 0)->bytes, 4);
	assert_int_equal(v, 0x17770551);
	memcpy(&v, ir_jhash(ir, text, 1)->bytes, 4);
	assert_int_equal(v, 0xcd628161);
	memcpy(words, ir_shift(ir, IR_SHL, w, 2)->bytes, 8);
	assert_int_equal(words[0], 0x00000007);
	assert_int_equal(words[1], 0x0000000c);
	memcpy(words, ir_shift(ir, IR_SHR, w, 4)->bytes, 8);
	assert_int_equal(words[0], 0x08000000);
	assert_int_equal(words[1], 0x1c000000);
	v = 0x80000000u;
	memcpy(&v, ir_scale(ir, ir_const(ir, &v, 4), 10, 3)->bytes, 4);
	assert_int_equal(v, 8);
}

/* ---- containers ---- */

static void test_containers(void **state UNUSED)
{
	CLEANUP(ir_freep) struct ir *ir = ir_new();
	const struct ir_effect_op *counter = ir_effect_find("test counter");
	const struct ir_effect_op *first = ir_effect_find("test first");
	struct ir_chain *c = ir_chain_new(ir, NFPROTO_IPV4, NFPROTO_INET, "t", "c");
	struct ir_state *st;
	char name[16];
	int i;

	assert_ptr_equal(ir_chain_find(ir, NFPROTO_IPV4, NFPROTO_INET, "t", "c"), c);
	assert_null(ir_chain_find(ir, NFPROTO_IPV6, NFPROTO_INET, "t", "c"));
	assert_null(ir_chain_find(ir, NFPROTO_IPV4, NFPROTO_IPV4, "t", "c"));
	assert_null(ir_leaf_find("test nothing"));
	assert_null(ir_effect_find("test nothing"));
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		ir_set_new(ir, name);
	}
	assert_int_equal(ir_set_find(ir, "s777")->id, 777);
	assert_null(ir_set_find(ir, "s1000"));

	st = ir_state_get(ir, counter, name, 1);
	assert_ptr_equal(st, ir_state_get(ir, counter, name, 1));
	assert_int_equal(ir_state_get(ir, counter, name, 2)->index, 1);
	assert_int_equal(ir_state_get(ir, first, name, 1)->index, 0);
	assert_int_equal(ir_state_get(ir, first, name, 2)->index, 16);
	assert_int_equal(ir->n_counters, 2);
	assert_int_equal(ir->shared_state_size, 32);
	assert_int_equal(ir->n_states, 4);
}

extern const struct ir_leaf __start_ir_leaves[], __stop_ir_leaves[];
extern const struct ir_effect_op __start_ir_effects[], __stop_ir_effects[];

/* A name must be read back: plain words with single blanks, the first one no operation's. */
static void check_name(const char *name)
{
	const char *p = name;

	assert_true(strlen(name) < 100);
	assert_int_equal(ir_name_find(ir_op_names, ARRAY_SIZE(ir_op_names), name), -1);
	do {
		p += *p == ' ';
		assert_true(ir_is_word_start(*p));
		while (ir_is_word_char(*p))
			p++;
	} while (*p == ' ');
	assert_int_equal(*p, '\0');
}

static void test_registry(void **state UNUSED)
{
	const struct ir_effect_op *op;
	const struct ir_leaf *l;

	for (l = __start_ir_leaves; l < __stop_ir_leaves; l++) {
		check_name(l->name);
		assert_ptr_equal(ir_leaf_find(l->name), l);
		assert_true(l->helper && l->eval && l->width <= IR_MAX_WIDTH);
		assert_true(l->n_params <= IR_LEAF_PARAMS);
	}
	for (op = __start_ir_effects; op < __stop_ir_effects; op++) {
		check_name(op->name);
		assert_ptr_equal(ir_effect_find(op->name), op);
		assert_true(op->n_params <= IR_EFFECT_PARAMS);
		assert_true(op->per_cpu || op->helper || op->may_break);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cons),	   cmocka_unit_test(test_fold_binary),
		cmocka_unit_test(test_fold_rest),  cmocka_unit_test(test_fold_values),
		cmocka_unit_test(test_containers), cmocka_unit_test(test_registry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
