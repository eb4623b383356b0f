/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values in the IR: selectors against a second computation of their own, and where the evaluator
 * sees the transport header.
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

/* ---- selectors ---- */

/*
 * Random selectors, made by the constructors, which fold, and computed beside them from the
 * definition of each operation: both must agree on the value and on whether there is one.
 */
struct twin {
	struct ir_sel *sel;
	bool has_value;
	uint8_t value[IR_MAX_WIDTH];
};

static struct twin random_twin(struct ir *ir, struct ir_env *env, uint32_t width, int depth);

static struct twin twin_leaf(struct ir *ir, struct ir_env *env, uint32_t width)
{
	struct twin t = {.has_value = true};
	uint64_t at = (uint64_t)rand() % (sizeof(packet) + 4 - width);
	uint32_t i;

	if (rand() % 3 == 0) {
		int kind = rand() % 3;

		for (i = 0; i < width; i++)
			t.value[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)rand();
		t.sel = ir_const(ir, t.value, width);
	} else if (width == 4 && rand() % 2) {
		t.sel = ir_leaf(ir, ir_leaf_find("test mark"), 4, NULL);
		memcpy(t.value, &env->mark, 4);
	} else {
		t.sel = ir_leaf(ir, ir_leaf_find("test load"), width, &at);
		t.has_value = at + width <= sizeof(packet);
		if (t.has_value)
			memcpy(t.value, packet + at, width);
	}
	return t;
}

static struct twin twin_binary(struct ir *ir, struct ir_env *env, uint32_t width, int depth)
{
	struct twin a = random_twin(ir, env, width, depth - 1), b, t = {0};
	int op = rand() % 3;
	uint32_t i;

	b = rand() % 6 ? random_twin(ir, env, width, depth - 1) : a;
	t.has_value = a.has_value && b.has_value;
	for (i = 0; i < width; i++)
		t.value[i] = op == 0   ? a.value[i] & b.value[i]
			     : op == 1 ? a.value[i] | b.value[i]
				       : a.value[i] ^ b.value[i];
	t.sel = ir_binary(ir, (enum ir_op[]){IR_AND, IR_OR, IR_XOR}[op], a.sel, b.sel);
	return t;
}

static struct twin twin_bswap(struct ir *ir, struct ir_env *env, uint32_t width, int depth)
{
	struct twin a = random_twin(ir, env, width, depth - 1), t = a;
	uint32_t unit = width % 8 == 0 && rand() % 2 ? 8 : width % 4 == 0 && rand() % 2 ? 4 : 2;
	uint32_t i, j;

	if (width % unit)
		return a;
	for (i = 0; i < width; i += unit)
		for (j = 0; j < unit; j++)
			t.value[i + j] = a.value[i + unit - 1 - j];
	t.sel = ir_bswap(ir, a.sel, unit);
	return t;
}

/* The words as one long number, most significant first, is what carries from word to word. */
static struct twin twin_shift(struct ir *ir, struct ir_env *env, uint32_t width, int depth)
{
	struct twin a = random_twin(ir, env, width, depth - 1), t = a;
	uint32_t words[IR_MAX_WIDTH / 4] = {0}, out[IR_MAX_WIDTH / 4] = {0};
	uint32_t bits = (uint32_t)rand() % 32, n = 8 * ROUND_UP(width, 4u), i;
	bool left = rand() % 2;

	memcpy(words, a.value, width);
	for (i = 0; i < n; i++) { /* bit i from the top */
		uint32_t from = left ? i + bits : i - bits;

		if (from < n && words[from / 32] >> (31 - from % 32) & 1)
			out[i / 32] |= 1u << (31 - i % 32);
	}
	memcpy(t.value, out, width);
	t.sel = ir_shift(ir, left ? IR_SHL : IR_SHR, a.sel, bits);
	return t;
}

static struct twin twin_concat(struct ir *ir, struct ir_env *env, uint32_t width, int depth)
{
	struct ir_sel *args[IR_MAX_WIDTH];
	struct twin t = {.has_value = true};
	uint32_t n = 0, at = 0;

	while (at < width) {
		uint32_t w = 1 + (uint32_t)rand() % (width - at);
		struct twin a = random_twin(ir, env, w, depth - 1);

		memcpy(t.value + at, a.value, w);
		t.has_value &= a.has_value;
		args[n++] = a.sel;
		at += w;
	}
	t.sel = ir_concat(ir, args, n);
	return t;
}

static struct twin twin_slice(struct ir *ir, struct ir_env *env, uint32_t width, int depth)
{
	uint32_t more = (uint32_t)rand() % (17 - width), first = (uint32_t)rand() % (more + 1);
	struct twin a = random_twin(ir, env, width + more, depth - 1), t = a;

	memcpy(t.value, a.value + first, width);
	t.sel = ir_slice(ir, a.sel, first, width);
	return t;
}

static struct twin random_twin(struct ir *ir, struct ir_env *env, uint32_t width, int depth)
{
	if (!depth)
		return twin_leaf(ir, env, width);
	switch (rand() % 6) {
	case 0:
		return twin_leaf(ir, env, width);
	case 1:
		return twin_binary(ir, env, width, depth);
	case 2:
		return twin_bswap(ir, env, width, depth);
	case 3:
		return twin_shift(ir, env, width, depth);
	case 4:
		return twin_concat(ir, env, width, depth);
	}
	return twin_slice(ir, env, width, depth);
}

static void test_random_selectors(void **state UNUSED)
{
	struct ir_env env = {.pf = NFPROTO_IPV4, .data = packet, .len = sizeof(packet)};
	uint32_t n_failing = 0;
	int i;

	srand(1);
	env.mark = 0x12345678;
	for (i = 0; i < 50000; i++) {
		CLEANUP(ir_freep) struct ir *ir = ir_new();
		uint32_t width = 1 + (uint32_t)rand() % 16;
		struct twin t = random_twin(ir, &env, width, 5);
		uint8_t out[IR_MAX_WIDTH];

		assert_int_equal(t.sel->width, width);
		assert_int_equal(ir_eval_sel(t.sel, &env, out), t.has_value);
		if (t.has_value)
			assert_memory_equal(out, t.value, width);
		else
			assert_true(t.sel->partial);
		n_failing += !t.has_value;
	}
	assert_in_range(n_failing, 1000, 49000); /* both kinds were seen */
}

/* ---- transport header ---- */

static struct ir_transport transport(uint8_t pf, const uint8_t *data, uint32_t len)
{
	struct ir_env env = {.pf = pf, .len = len};
	/* Just so long: a read behind its end is seen. */
	AUTO_FREE uint8_t *copy = malloc(len + 1);
	struct ir_transport t;

	memcpy(copy, data, len);
	env.data = copy;
	t = ir_packet_transport(&env);
	return t;
}

#define ASSERT_TRANSPORT(t, proto, at, frag)               \
	do {                                               \
		assert_true((t).l4proto_known);            \
		assert_int_equal((t).l4proto, (proto));    \
		assert_int_equal((t).offset, (at));        \
		assert_int_equal((t).frag_offset, (frag)); \
	} while (0)

static void test_transport_v4(void **state UNUSED)
{
	uint8_t p[64];
	struct ir_transport t;

	memcpy(p, packet, sizeof(p));
	t = transport(NFPROTO_IPV4, p, sizeof(p));
	ASSERT_TRANSPORT(t, 6, 20, 0);
	p[0] = 0x4f;
	p[6] = 0x20; /* more fragments: the first one */
	t = transport(NFPROTO_IPV4, p, 20);
	ASSERT_TRANSPORT(t, 6, 60, 0);
	p[6] = 0x3f;
	p[7] = 0xff;
	t = transport(NFPROTO_IPV4, p, 20);
	ASSERT_TRANSPORT(t, 6, 60, 0x1fff);
	assert_false(transport(NFPROTO_IPV4, p, 19).l4proto_known);
}

/* An IPv6 packet: the fixed header names @next, @ext follows. */
static struct ir_transport transport_v6(uint8_t next, const char *ext, uint32_t len)
{
	uint8_t p[256] = {0x60};

	p[6] = next;
	memcpy(p + 40, ext, len);
	return transport(NFPROTO_IPV6, p, 40 + len);
}

static void test_transport_v6(void **state UNUSED)
{
	static const char hop_dest[] = "\74\0......"
				       "\6\1..............";

	ASSERT_TRANSPORT(transport_v6(6, "", 0), 6, 40, 0);
	ASSERT_TRANSPORT(transport_v6(59, "", 0), 59, 40, 0);
	ASSERT_TRANSPORT(transport_v6(50, "", 0), 50, 40, 0);
	ASSERT_TRANSPORT(transport_v6(0, hop_dest, 24), 6, 64, 0);
	/* A header's length is believed, where it ends is not looked at. */
	ASSERT_TRANSPORT(transport_v6(0, hop_dest, 10), 6, 64, 0);
	assert_false(transport_v6(0, hop_dest, 9).l4proto_known);
	assert_false(transport_v6(0, hop_dest, 1).l4proto_known);
	assert_false(transport_v6(0, hop_dest, 0).l4proto_known);
	/* Authentication ends the walk; of a routing header 4 bytes must be there. */
	ASSERT_TRANSPORT(transport_v6(51, "\6\0", 2), 51, 40, 0);
	assert_false(transport_v6(51, "\6", 1).l4proto_known);
	ASSERT_TRANSPORT(transport_v6(43, "\21\0..", 4), 17, 48, 0);
	assert_false(transport_v6(43, "\21\0..", 3).l4proto_known);
	/* First fragment, later ones, later ones of a further extension header. */
	ASSERT_TRANSPORT(transport_v6(44, "\21\377\0\1....", 8), 17, 48, 0);
	ASSERT_TRANSPORT(transport_v6(44, "\21\0\0\10", 4), 17, 40, 1);
	ASSERT_TRANSPORT(transport_v6(44, "\73\0\377\371", 4), 59, 40, 0x1fff);
	assert_false(transport_v6(44, "\74\0\0\10....", 8).l4proto_known);
	assert_false(transport_v6(44, "\21\0\0", 3).l4proto_known);
	ASSERT_TRANSPORT(transport_v6(0,
				      "\54\0......"
				      "\6\0\1\0....",
				      16),
			 6, 48, 32);
	assert_false(transport(NFPROTO_IPV6, packet, 39).l4proto_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_selectors),
		cmocka_unit_test(test_transport_v4),
		cmocka_unit_test(test_transport_v6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
