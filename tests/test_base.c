/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What everything stands on: the arena, attributes, diagnostics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "compiler/arena.h"
#include "compiler/attr.h"
#include "compiler/diag.h"

static void test_arena(void **state UNUSED)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	uint32_t *numbers = NULL;
	size_t n = 0, i, j, used;

	for (i = 0; i < 300; i++) {
		size_t size = i * i;
		uint8_t *p = arena_alloc(a, size);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (j = 0; j < size; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xaa, size);
	}
	used = arena_used(a);
	arena_alloc(a, 100);
	assert_int_equal(arena_used(a), used + 100);

	for (i = 0; i < 10000; i++)
		ARENA_PUSH(a, numbers, n, (uint32_t)i);
	assert_int_equal(n, 10000);
	for (i = 0; i < n; i++)
		assert_int_equal(numbers[i], i);
	assert_string_equal(arena_printf(a, "%s %d", "rule", 7), "rule 7");
	assert_string_equal(arena_strdup(a, ""), "");
}

/* u8 1 = 0x11, be16 2 = 0x2222, be32 3, be64 4, string 5, nested 6 { NFTA_DATA_VALUE ab cd ef } */
static const uint8_t attrs[] = {
	5,    0,    1,
	0,    0x11, 0,
	0,    0,    6,
	0,    2,    0,
	0x22, 0x23, 0,
	0,    8,    0,
	3,    0,    0x33,
	0x34, 0x35, 0x36,
	12,   0,    4,
	0,    1,    2,
	3,    4,    5,
	6,    7,    8,
	6,    0,    5,
	0,    'a',  0,
	0,    0,    12,
	0,    6,    0x80,
	7,    0,    NFTA_DATA_VALUE,
	0,    0xab, 0xcd,
	0xef, 0,    6,
	0,    7,    0,
	'a',  'b',  0,
	0,    7,    0,
	8,    0,    1,
	2,    3, /* the last one without its padding */
};

static void test_attr(void **state UNUSED)
{
	struct blob all = {attrs, sizeof(attrs)}, v;
	uint32_t pos = 0, n = 0;
	uint16_t type;

	assert_int_equal(attr_uint(all, 1, 0), 0x11);
	assert_int_equal(attr_uint(all, 2, 0), 0x2223);
	assert_int_equal(attr_uint(all, 3, 0), 0x33343536);
	assert_int_equal(attr_uint(all, 4, 0), 0x0102030405060708);
	assert_int_equal(attr_uint(all, 8, 99), 99); /* 3 bytes */
	assert_int_equal(attr_uint(all, 9, 99), 99);
	assert_string_equal(attr_str(all, 5), "a");
	assert_null(attr_str(all, 7)); /* no end */
	assert_null(attr_str(all, 9));
	assert_true(attr_data(all, 6, &v));
	assert_int_equal(v.len, 3);
	assert_memory_equal(v.data, "\xab\xcd\xef", 3);
	assert_false(attr_data(all, 3, &v)); /* not nested */
	while (attr_next(all, &pos, &type, &v))
		assert_int_equal(type, ++n);
	assert_int_equal(n, 8);
	assert_false(attr_find((struct blob){NULL, 0}, 1, &v));
}

/* Cut anywhere, or with any length in any place, no walk leaves the bytes. */
static void test_attr_malformed(void **state UNUSED)
{
	uint32_t len, at, pos;
	uint16_t type;
	struct blob v;

	for (len = 0; len < sizeof(attrs); len++) {
		for (at = 0; at < MAX(len, 1u); at++) {
			AUTO_FREE uint8_t *copy = malloc(len + 1);
			struct blob b = {copy, len};
			uint32_t seen = 0;

			memcpy(copy, attrs, len);
			copy[at] = (uint8_t)(len * 7);
			for (pos = 0; attr_next(b, &pos, &type, &v); seen++) {
				assert_true((const uint8_t *)v.data >= copy);
				assert_true((const uint8_t *)v.data + v.len <= copy + len);
			}
			assert_true(seen <= len / 4);
			attr_uint(b, 4, 0);
			attr_str(b, 5);
			attr_data(b, 6, &v);
		}
	}
}

static void test_diag(void **state UNUSED)
{
	static const struct {
		struct diag_place at;
		const char *text;
	} cases[] = {
		{{.family = NFPROTO_INET,
		  .table = "filter",
		  .chain = "input",
		  .handle = 12,
		  .rule = 3,
		  .expr = "limit"},
		 "inet filter input: rule handle 12: limit: has no lowering yet"},
		{{.family = NFPROTO_IPV6, .table = "t", .chain = "c", .rule = 3},
		 "ip6 t c: rule 3: has no lowering yet"},
		{{.family = NFPROTO_BRIDGE, .table = "t"}, "bridge t: has no lowering yet"},
		{{0}, "has no lowering yet"},
	};
	struct diags ds;
	struct diag *d;
	size_t i = 0;

	diags_init(&ds);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		diag_add(&ds, DIAG_BLOCKER, "code", &cases[i].at, "has no %s yet", "lowering");
	diag_add(&ds, DIAG_ERROR, "code", NULL, "last");
	assert_int_equal(ds.count[DIAG_BLOCKER], ARRAY_SIZE(cases));
	assert_int_equal(ds.count[DIAG_ERROR], 1);
	i = 0;
	list_for_each (d, &ds.list, node) {
		AUTO_FREE char *text = diag_format(d);

		assert_string_equal(text, i < ARRAY_SIZE(cases) ? cases[i].text : "last");
		i++;
	}
	diags_fini(&ds);
	assert_true(list_is_empty(&ds.list));
	assert_int_equal(ds.count[DIAG_BLOCKER], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_attr),
		cmocka_unit_test(test_attr_malformed),
		cmocka_unit_test(test_diag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
