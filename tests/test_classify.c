/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes and trees against brute force: built, changed in place, changed while another thread
 * looks up, and the programs' lookups against those in C.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "compiler/classify/classify.h"
#include "compiler/classify/layout.h"
#include "compiler/util.h"
#include "tests/classify_run.h"
#include "tests/classify_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void *build(const struct classify_shape *s, const struct model *m)
{
	struct classify_info info;
	void *blob = NULL;
	size_t size;

	assert_int_equal(classify_build(s, m->e, m->n, &blob, &size), 0);
	assert_int_equal(classify_info(blob, size, &info), 0);
	assert_int_equal(info.size, size);
	return blob;
}

static void check_key(const void *blob, const struct model *m, const uint8_t *key)
{
	uint32_t want = model_find(m, key), got = classify_find(blob, key);

	if (want == got)
		return;
	fprintf(stderr, "# width %u, %zu elements, key ", m->width, m->n);
	for (uint32_t i = 0; i < m->width; i++)
		fprintf(stderr, "%02x", key[i]);
	fprintf(stderr, ": %x instead of %x\n", got, want);
	fail();
}

/* Every border of every element (a sample of them), its neighbours, and random keys. */
static void check_all(const void *blob, const struct model *m, size_t sample)
{
	uint8_t key[64];

	for (size_t i = 0; i < m->n; i += 1 + (m->n > sample ? rnd() % (2 * m->n / sample) : 0)) {
		check_key(blob, m, m->e[i].lo);
		check_key(blob, m, m->e[i].hi);
		if (model_step(m, m->e[i].lo, -1, key))
			check_key(blob, m, key);
		if (model_step(m, m->e[i].lo, 1, key))
			check_key(blob, m, key);
		if (model_step(m, m->e[i].hi, -1, key))
			check_key(blob, m, key);
		if (model_step(m, m->e[i].hi, 1, key))
			check_key(blob, m, key);
	}
	for (size_t i = 0; i < sample; i++) {
		model_random_key(m, key);
		check_key(blob, m, key);
	}
	memset(key, 0, sizeof(key));
	check_key(blob, m, key);
	memset(key, 255, sizeof(key));
	check_key(blob, m, key);
}

static const uint32_t widths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 20, 24, 40, 63, 64};
static const size_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 40, 63, 64, 65, 100, 1000, 5000};

static struct classify_shape shape_of(enum classify_kind kind, const struct model *m, bool mutable)
{
	struct classify_shape s = {
		.kind = kind,
		.n_fields = 1,
		.capacity = (uint32_t)m->capacity,
		.value_size = 4,
		.is_mutable = mutable,
		.seed = rnd(),
	};

	s.width[0] = (uint8_t)m->width;
	return s;
}

static void built(enum classify_kind kind)
{
	for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
		for (size_t n = 0; n < ARRAY_SIZE(sizes); n++)
			for (int alphabet = 0; alphabet < 3; alphabet++) {
				struct model m;
				struct classify_shape s;
				void *blob;

				model_init(&m, widths[w], sizes[n], kind == CLASSIFY_TREE,
					   alphabet);
				s = shape_of(kind, &m, alphabet == 1);
				blob = build(&s, &m);
				check_all(blob, &m, 300);
				free(blob);
				model_fini(&m);
			}
}

static void test_hash(void **state)
{
	(void)state;
	built(CLASSIFY_HASH);
}

static void test_tree(void **state)
{
	(void)state;
	built(CLASSIFY_TREE);
}

static void test_whole_space(void **state)
{
	(void)state;
	for (uint32_t width = 1; width <= 64; width++) {
		uint8_t lo[64] = {}, hi[64], key[64] = {};
		struct classify_elem e = {lo, hi, 5};
		struct classify_shape s = {CLASSIFY_TREE, .capacity = 6, .is_mutable = true};
		void *blob;
		size_t size;

		memset(hi, 255, sizeof(hi));
		s.width[0] = (uint8_t)width;
		assert_int_equal(classify_build(&s, &e, 1, &blob, &size), 0);
		assert_int_equal(classify_find(blob, lo), 5);
		assert_int_equal(classify_find(blob, hi), 5);
		key[width / 2] = 7;
		assert_int_equal(classify_find(blob, key), 5);
		assert_int_equal(classify_insert(blob, &e), -EEXIST);
		assert_int_equal(classify_delete(blob, &e), 0);
		assert_int_equal(classify_delete(blob, &e), -ENOENT);
		assert_int_equal(classify_find(blob, key), CLASSIFY_MISS);
		classify_set_catch_all(blob, 3);
		assert_int_equal(classify_find(blob, key), 3);
		assert_int_equal(classify_insert(blob, &e), 0);
		assert_int_equal(classify_find(blob, hi), 5);
		free(blob);
	}
}

static void test_refused(void **state)
{
	uint8_t lo[4] = {10, 0, 0, 0}, hi[4] = {10, 0, 0, 9}, in[4] = {10, 0, 0, 9};
	struct classify_elem e[2] = {{lo, hi, 0}, {in, in, 1}};
	struct classify_shape s = {CLASSIFY_TREE, .width = {4}, .capacity = 2};
	void *blob = NULL;
	size_t size = 0;

	(void)state;
	assert_int_equal(classify_build(&s, e, 2, &blob, &size), -EEXIST);
	e[1].index = 2;
	assert_int_equal(classify_build(&s, e, 2, &blob, &size), -EINVAL);
	e[0] = (struct classify_elem){hi, lo, 0};
	assert_int_equal(classify_build(&s, e, 1, &blob, &size), -EINVAL);
	s.kind = CLASSIFY_HASH;
	e[0] = e[1] = (struct classify_elem){lo, lo, 0};
	e[1].index = 1;
	assert_int_equal(classify_build(&s, e, 2, &blob, &size), -EEXIST);
	s.width[0] = 0;
	assert_int_equal(classify_build(&s, e, 1, &blob, &size), -EINVAL);
	s.width[0] = 65;
	assert_int_equal(classify_build(&s, e, 1, &blob, &size), -EINVAL);
	assert_null(blob);
}

/* ---- updates ---- */

static void change(void *blob, struct model *m, bool add)
{
	struct classify_elem e;
	int want, got;

	if (add ? !model_draw(m, &e) : !model_pick(m, &e))
		return;
	want = add && model_overlaps(m, &e) ? -EEXIST : 0;
	do {
		got = add ? classify_insert(blob, &e) : classify_delete(blob, &e);
		if (got == -EAGAIN)
			classify_settled(blob);
	} while (got == -EAGAIN);
	assert_int_equal(got, want);
	if (got)
		model_forget(m, &e);
	else if (add)
		model_add(m, &e);
	else
		model_remove(m, &e);
}

static void changed(enum classify_kind kind)
{
	for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
		for (int alphabet = 0; alphabet < 3; alphabet++) {
			struct classify_shape s;
			struct model m;
			void *blob;

			model_init(&m, widths[w], 300, kind == CLASSIFY_TREE, alphabet);
			s = shape_of(kind, &m, true);
			blob = build(&s, &m);
			for (int i = 0; i < 12000; i++) {
				/* grows for a while, then shrinks, and so on */
				change(blob, &m, rnd() % 100 < (i / 1500 % 2 ? 30 : 70));
				if (i % 500 == 499)
					check_all(blob, &m, 200);
			}
			while (m.n)
				change(blob, &m, false);
			check_all(blob, &m, 200);
			free(blob);
			model_fini(&m);
		}
}

static void test_hash_changes(void **state)
{
	(void)state;
	changed(CLASSIFY_HASH);
}

/* A table large enough for a filter in front of it. */
static void test_hash_filter(void **state)
{
	static const uint32_t w[] = {4, 8, 20};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		struct classify_shape s;
		struct model m;
		void *blob;

		model_init(&m, w[i], 30000, false, 0);
		s = shape_of(CLASSIFY_HASH, &m, true);
		blob = build(&s, &m);
		assert_int_not_equal(((struct cls_head *)blob)->filter, 0);
		for (size_t k = 0; k < m.n; k++)
			assert_int_equal(classify_find(blob, m.e[k].lo), m.e[k].index);
		for (int k = 0; k < 300; k++)
			change(blob, &m, k % 2);
		check_all(blob, &m, 300);
		free(blob);
		model_fini(&m);
	}
}

static void test_tree_changes(void **state)
{
	(void)state;
	changed(CLASSIFY_TREE);
}

static void forget_all(struct model *m)
{
	struct classify_elem e;

	while (m->n && model_pick(m, &e))
		model_remove(m, &e);
}

/* Emptied at once, many times over: as good as new, without losing room. */
static void cleared(enum classify_kind kind)
{
	for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
		struct classify_info info;
		struct classify_shape s;
		struct model m;
		uint32_t left;
		void *blob;

		model_init(&m, widths[w], 200, kind == CLASSIFY_TREE, 0);
		s = shape_of(kind, &m, true);
		blob = build(&s, &m);
		for (int turn = 0; turn < 40; turn++) {
			for (int i = 0; i < 300; i++)
				change(blob, &m, rnd() % 100 < 80);
			check_all(blob, &m, 20);
			assert_int_equal(classify_clear(blob, &left), 0);
			forget_all(&m);
			check_all(blob, &m, 20);
			classify_cleared(blob, left);
			check_all(blob, &m, 20);
			assert_int_equal(classify_info(blob, ((struct cls_head *)blob)->size, &info), 0);
			assert_int_equal(((struct cls_head *)blob)->n_elems, 0);
		}
		free(blob);
		model_fini(&m);
	}
}

static void test_cleared(void **state)
{
	(void)state;
	cleared(CLASSIFY_HASH);
	cleared(CLASSIFY_TREE);
}

/* Every other element of a hash stays; the others' indexes are free, and no index is both. */
static void test_kept(void **state)
{
	(void)state;
	for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
		uint64_t kept[64] = {0};
		uint32_t spare[4096], n;
		struct classify_shape s;
		struct model m;
		size_t i = 0;
		void *blob;

		model_init(&m, widths[w], 1000, false, 0);
		s = shape_of(CLASSIFY_HASH, &m, true);
		assert_true(s.capacity <= 4096);
		blob = build(&s, &m);
		for (size_t k = 0; k < m.n; k += 2)
			kept[m.e[k].index / 64] |= 1ull << m.e[k].index % 64;
		assert_int_equal(classify_keep(blob, kept), 0);
		while (i < m.n) {
			struct classify_elem e = m.e[i];

			if (kept[e.index / 64] >> e.index % 64 & 1) {
				i++;
				continue;
			}
			assert_int_equal(classify_find(blob, e.lo), CLASSIFY_MISS);
			model_remove(&m, &e);
		}
		check_all(blob, &m, 1000);
		n = (uint32_t)classify_free_indexes(blob, spare, ARRAY_SIZE(spare));
		assert_int_equal(n, s.capacity - m.n);
		for (uint32_t k = 0; k < n; k++)
			assert_false(kept[spare[k] / 64] >> spare[k] % 64 & 1);
		free(blob);
		model_fini(&m);
	}
}

/* Values and expiry; the catch-all stands in, and expires too. */
static void test_values(void **state)
{
	struct classify_shape s = {CLASSIFY_HASH, .width = {4}, .capacity = 3, .value_size = 8,
				   .expires = true};
	uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 5};
	struct classify_elem e = {a, a, 1};
	uint64_t v = 0x1122334455667788;
	void *blob;
	size_t size;

	(void)state;
	assert_int_equal(classify_build(&s, &e, 1, &blob, &size), 0);
	classify_set_value(blob, 1, &v);
	assert_memory_equal(classify_value(blob, 1), &v, 8);
	classify_set_expires(blob, 1, 1000);
	assert_int_equal(classify_expires(blob, 1), 1000);
	assert_int_equal(classify_find_at(blob, a, 999), 1);
	assert_int_equal(classify_find_at(blob, a, 1000), CLASSIFY_MISS);
	classify_set_catch_all(blob, 2);
	assert_int_equal(classify_find_at(blob, a, 1000), 2);
	assert_int_equal(classify_find_at(blob, b, 0), 2);
	classify_set_expires(blob, 2, 500);
	assert_int_equal(classify_find_at(blob, a, 1000), CLASSIFY_MISS);
	assert_int_equal(classify_find_at(blob, b, 500), CLASSIFY_MISS);
	assert_int_equal(classify_find_at(blob, b, 499), 2);
	free(blob);
}

/* ---- one thread changes, another looks up what is not changed ---- */

struct race {
	void *blob;
	const struct model *fixed; /* these stay */
	volatile bool stop;
	volatile uint64_t turns;
	uint64_t lost;
};

static void *reader(void *arg)
{
	struct race *r = arg;

	while (!r->stop) {
		for (size_t i = 0; i < r->fixed->n; i++)
			if (classify_find(r->blob, r->fixed->e[i].lo) != r->fixed->e[i].index ||
			    classify_find(r->blob, r->fixed->e[i].hi) != r->fixed->e[i].index)
				r->lost++;
		r->turns++;
	}
	return NULL;
}

static void raced(enum classify_kind kind, uint32_t width)
{
	struct race r = {};
	struct classify_shape s;
	struct model all, fixed;
	pthread_t thread;
	uint64_t seen;

	model_init(&all, width, 2000, kind == CLASSIFY_TREE, 1);
	s = shape_of(kind, &all, true);
	r.blob = build(&s, &all);
	fixed = all; /* the elements of now; change() below must not take them out */
	fixed.n = all.n / 2;
	fixed.e = malloc(fixed.n * sizeof(*fixed.e));
	memcpy(fixed.e, all.e, fixed.n * sizeof(*fixed.e));
	all.keep = fixed.n;
	r.fixed = &fixed;
	assert_int_equal(pthread_create(&thread, NULL, reader, &r), 0);
	for (int round = 0; round < 150; round++) {
		for (int i = 0; i < 200; i++)
			change(r.blob, &all, rnd() % 2);
		seen = r.turns; /* a grace period: the reader has begun and ended a turn */
		while (r.turns < seen + 2)
			usleep(10);
		classify_settled(r.blob);
	}
	r.stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(r.lost, 0);
	assert_true(r.turns > 100);
	check_all(r.blob, &all, 300);
	free(fixed.e);
	free(r.blob);
	model_fini(&all);
}

static void test_races(void **state)
{
	static const uint32_t some[] = {2, 4, 6, 8, 16, 24, 40};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		raced(CLASSIFY_HASH, some[i]);
		raced(CLASSIFY_TREE, some[i]);
	}
}

/* ---- the programs ---- */

static void run_programs(enum classify_kind kind, uint32_t width, size_t n)
{
	size_t n_keys = 8192;
	uint8_t *keys = malloc(n_keys * 64);
	uint32_t *got;
	struct classify_shape s;
	struct model m;
	void *blob;

	model_init(&m, width, n, kind == CLASSIFY_TREE, (int)(rnd() % 3));
	s = shape_of(kind, &m, false);
	blob = build(&s, &m);
	for (size_t i = 0; i < n_keys; i++) {
		uint8_t *key = keys + i * 64;
		const struct classify_elem *e = &m.e[m.n ? rnd() % m.n : 0];

		model_random_key(&m, key);
		if (m.n && i % 4)
			model_step(&m, rnd() % 2 ? e->lo : e->hi, (int)(rnd() % 3) - 1, key);
	}
	got = classify_run(blob, keys, n_keys, NULL);
	assert_non_null(got);
	for (size_t i = 0; i < n_keys; i++)
		if (got[i] != classify_find(blob, keys + i * 64)) {
			fprintf(stderr, "# kind %d width %u n %zu: key %zu: %x instead of %x\n",
				kind, width, n, i, got[i], classify_find(blob, keys + i * 64));
			fail();
		}
	free(got);
	free(blob);
	free(keys);
	model_fini(&m);
}

static void test_programs(void **state)
{
	static const uint32_t w[] = {1, 2, 4, 6, 7, 8, 12, 16, 20, 24, 40, 64};

	(void)state;
	if (!classify_run_possible())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		for (size_t n = 1; n <= 10000; n *= 100) {
			run_programs(CLASSIFY_HASH, w[i], n);
			run_programs(CLASSIFY_TREE, w[i], n);
		}
	run_programs(CLASSIFY_HASH, 4, 30000);
	run_programs(CLASSIFY_HASH, 20, 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),	    cmocka_unit_test(test_tree),
		cmocka_unit_test(test_whole_space), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_values),	    cmocka_unit_test(test_hash_changes),
		cmocka_unit_test(test_hash_filter), cmocka_unit_test(test_tree_changes),
		cmocka_unit_test(test_cleared),	    cmocka_unit_test(test_kept),
		cmocka_unit_test(test_races),	    cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
