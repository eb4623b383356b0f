/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boxes, ranges in several fields, against a walk over all of them: built, changed in place, changed
 * while another thread looks up, and the programs' lookups against those in C.
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

struct boxes {
	struct classify_shape shape;
	uint32_t width;
	struct classify_elem *e; /* by index; lo NULL: not there */
	size_t n;
};

/* Few distinct borders, so that boxes touch, overlap and repeat; wildcards, points, ranges. */
static void draw_field(uint8_t *lo, uint8_t *hi, uint32_t width)
{
	uint8_t other[64];

	memset(lo, 0, width);
	memset(hi, 255, width);
	if (rnd() % 4 == 0)
		return;
	for (uint32_t i = 0; i < width; i++) {
		lo[i] = (uint8_t)(rnd() % 3 ? (rnd() % 2 ? 0 : 255) : rnd() % 7);
		other[i] = (uint8_t)(rnd() % 3 ? (rnd() % 2 ? 0 : 255) : rnd() % 7);
	}
	if (rnd() % 4 == 0)
		lo[width - 1] = (uint8_t)rnd();
	memcpy(hi, rnd() % 2 ? lo : other, width);
	if (memcmp(lo, hi, width) > 0) {
		memcpy(other, lo, width);
		memcpy(lo, hi, width);
		memcpy(hi, other, width);
	}
}

static void draw_box(const struct boxes *b, struct classify_elem *ret, uint32_t index)
{
	uint8_t *lo = malloc(2 * b->width), *hi = lo + b->width;

	for (uint32_t f = 0, at = 0; f < b->shape.n_fields; at += b->shape.width[f++])
		draw_field(lo + at, hi + at, b->shape.width[f]);
	*ret = (struct classify_elem){lo, hi, index};
}

static bool holds(const struct boxes *b, const struct classify_elem *e, const uint8_t *key)
{
	for (uint32_t f = 0, at = 0; f < b->shape.n_fields; at += b->shape.width[f++])
		if (memcmp(key + at, e->lo + at, b->shape.width[f]) < 0 ||
		    memcmp(key + at, e->hi + at, b->shape.width[f]) > 0)
			return false;
	return true;
}

static uint32_t first_box(const struct boxes *b, const uint8_t *key)
{
	for (uint32_t i = 0; i < b->shape.capacity; i++)
		if (b->e[i].lo && holds(b, &b->e[i], key))
			return i;
	return CLASSIFY_MISS;
}

/* Field by field from some box: its lo, hi, or one beside; now and then anything. */
static void box_key(const struct boxes *b, uint8_t *key)
{
	for (uint32_t f = 0, at = 0; f < b->shape.n_fields; at += b->shape.width[f++]) {
		const struct classify_elem *e = &b->e[rnd() % b->shape.capacity];
		struct model step = {.width = b->shape.width[f]};
		uint8_t none[64];

		draw_field(key + at, none, step.width);
		if (e->lo && rnd() % 8)
			model_step(&step, (rnd() % 2 ? e->lo : e->hi) + at, (int)(rnd() % 3) - 1,
				   key + at);
	}
}

static void boxes_init(struct boxes *b, uint32_t n_fields, size_t n, bool mutable)
{
	static const uint8_t some[] = {1, 2, 4, 4, 4, 2, 6, 8, 16};

	*b = (struct boxes){.n = n};
	b->shape = (struct classify_shape){
		.kind = CLASSIFY_BOXES,
		.n_fields = n_fields,
		.capacity = (uint32_t)(n + n / 2 + 1),
		.is_mutable = mutable,
		.packed = !mutable && rnd() % 4,
		.value_size = 4 * (uint32_t)(rnd() % 4),
	};
	for (uint32_t f = 0; f < n_fields; f++) {
		b->shape.width[f] = some[rnd() % ARRAY_SIZE(some)];
		b->width += b->shape.width[f];
	}
	b->e = calloc(b->shape.capacity, sizeof(*b->e));
	for (size_t i = 0; i < n; i++) {
		uint32_t index = (uint32_t)(rnd() % b->shape.capacity);

		while (b->e[index].lo)
			index = (index + 1) % b->shape.capacity;
		draw_box(b, &b->e[index], index);
	}
}

static void boxes_fini(struct boxes *b)
{
	for (uint32_t i = 0; i < b->shape.capacity; i++)
		free((uint8_t *)b->e[i].lo);
	free(b->e);
}

static void *boxes_build(const struct boxes *b, int *ret_err)
{
	struct classify_elem *list = malloc(b->shape.capacity * sizeof(*list));
	void *blob = NULL;
	size_t n = 0, size;

	for (uint32_t i = 0; i < b->shape.capacity; i++)
		if (b->e[i].lo)
			list[n++] = b->e[i];
	*ret_err = classify_build(&b->shape, list, n, &blob, &size);
	free(list);
	return blob;
}

static void check_box_keys(const struct boxes *b, const void *blob, int n)
{
	uint8_t key[64 * CLASSIFY_MAX_FIELDS];

	while (n--) {
		box_key(b, key);
		assert_int_equal(classify_find(blob, key), first_box(b, key));
	}
}

/* Values are read as they were written, and are not in the way of anything. */
static void check_values(const struct boxes *b, void *blob)
{
	uint32_t words[3];

	for (uint32_t i = 0; i < b->shape.capacity; i++) {
		for (uint32_t k = 0; k < 3; k++)
			words[k] = i * 3 + k;
		classify_set_value(blob, i, words);
	}
	check_box_keys(b, blob, 100);
	for (uint32_t i = 0; i < b->shape.capacity; i++) {
		for (uint32_t k = 0; k < 3; k++)
			words[k] = i * 3 + k;
		assert_memory_equal(classify_value(blob, i), words, b->shape.value_size);
	}
}

static void test_boxes(void **state)
{
	static const size_t some[] = {0, 1, 2, 3, 10, 50, 200, 700};
	int err, built_n = 0, refused = 0;

	(void)state;
	for (int round = 0; round < 12; round++)
		for (uint32_t f = 1; f <= CLASSIFY_MAX_FIELDS; f++)
			for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
				struct boxes b;
				void *blob;

				boxes_init(&b, f, some[i], round % 2);
				blob = boxes_build(&b, &err);
				if (err) {
					assert_int_equal(err, -E2BIG);
					refused++;
				} else {
					check_box_keys(&b, blob, 400);
					check_values(&b, blob);
					built_n++;
				}
				free(blob);
				boxes_fini(&b);
			}
	fprintf(stderr, "# %d built, %d refused as too entangled\n", built_n, refused);
	assert_true(refused < built_n / 10);
}

static void change_box(struct boxes *b, void **blob)
{
	uint32_t i = (uint32_t)(rnd() % b->shape.capacity);
	struct classify_elem *e = &b->e[i], other;
	int err;

	if (e->lo) {
		assert_int_equal(classify_insert(*blob, e), -EEXIST);
		assert_int_equal(classify_delete(*blob, e), 0);
		assert_int_equal(classify_delete(*blob, e), -ENOENT);
		free((uint8_t *)e->lo);
		*e = (struct classify_elem){};
		return;
	}
	draw_box(b, &other, i);
	err = classify_insert(*blob, &other);
	*e = other;
	if (err == -ENOSPC) { /* full, or a wide field knows the border not */
		free(*blob);
		*blob = boxes_build(b, &err);
	}
	assert_int_equal(err, 0);
}

static void clear_boxes(struct boxes *b, void *blob)
{
	uint32_t left;

	assert_int_equal(classify_clear(blob, &left), 0);
	for (uint32_t i = 0; i < b->shape.capacity; i++) {
		free((uint8_t *)b->e[i].lo);
		b->e[i] = (struct classify_elem){};
	}
	check_box_keys(b, blob, 40);
	classify_cleared(blob, left);
}

static void test_boxes_changes(void **state)
{
	(void)state;
	for (uint32_t f = 1; f <= CLASSIFY_MAX_FIELDS; f++) {
		struct boxes b;
		void *blob;
		int err;

		boxes_init(&b, f, 30, true);
		blob = boxes_build(&b, &err);
		assert_int_equal(err, 0);
		for (int i = 0; i < 600; i++) {
			change_box(&b, &blob);
			check_box_keys(&b, blob, 40);
			if (i % 200 == 100)
				clear_boxes(&b, blob);
		}
		free(blob);
		boxes_fini(&b);
	}
}

/* ---- one thread changes, another looks up what is not changed ---- */

/*
 * Those with the lowest indexes stay, so what comes and goes above them cannot take their
 * keys away.
 */
#define STAY 60

struct box_race {
	void *blob;
	uint8_t keys[500][64 * CLASSIFY_MAX_FIELDS];
	uint32_t want[500], n;
	volatile bool stop;
	volatile uint64_t turns;
	uint64_t lost;
};

static void *box_reader(void *arg)
{
	struct box_race *r = arg;

	while (!r->stop) {
		for (uint32_t i = 0; i < r->n; i++)
			if (classify_find(r->blob, r->keys[i]) != r->want[i])
				r->lost++;
		r->turns++;
	}
	return NULL;
}

static void wait_turn(const struct box_race *r)
{
	uint64_t seen = r->turns;

	while (r->turns < seen + 2)
		usleep(10);
}

static void test_boxes_race(void **state)
{
	static struct box_race r;
	struct boxes b;
	pthread_t thread;
	int err, done = 0;

	(void)state;
	boxes_init(&b, 4, 150, true);
	r.blob = boxes_build(&b, &err);
	assert_int_equal(err, 0);
	for (int i = 0; i < 100000 && r.n < ARRAY_SIZE(r.want); i++) {
		box_key(&b, r.keys[r.n]);
		r.want[r.n] = first_box(&b, r.keys[r.n]);
		r.n += r.want[r.n] < STAY;
	}
	assert_int_equal(r.n, ARRAY_SIZE(r.want));
	assert_int_equal(pthread_create(&thread, NULL, box_reader, &r), 0);
	for (int round = 0; round < 300; round++) {
		for (uint32_t i = STAY; i < b.shape.capacity; i++) {
			if (rnd() % 4)
				continue;
			if (round % 2 && b.e[i].lo) {
				assert_int_equal(classify_delete(r.blob, &b.e[i]), 0);
				free((uint8_t *)b.e[i].lo);
				b.e[i] = (struct classify_elem){};
			} else if (round % 2 == 0 && !b.e[i].lo) {
				draw_box(&b, &b.e[i], i);
				if (classify_insert(r.blob, &b.e[i])) { /* full */
					free((uint8_t *)b.e[i].lo);
					b.e[i] = (struct classify_elem){};
				} else {
					done++;
				}
			}
		}
		wait_turn(&r);
	}
	r.stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(r.lost, 0);
	assert_true(done > 100); /* how many fit depends on what was drawn: TEST_SEED */
	check_box_keys(&b, r.blob, 500);
	free(r.blob);
	boxes_fini(&b);
}

/* ---- the programs ---- */

static uint32_t chunks_of(const struct classify_shape *s)
{
	uint32_t n = 0;

	for (uint32_t f = 0; f < s->n_fields; f++)
		n += (s->width[f] + 7u) / 8;
	return n;
}

static void run_boxes(uint32_t fields, size_t n)
{
	size_t n_keys = 4096;
	uint8_t *keys = calloc(n_keys, 64);
	struct boxes b;
	uint32_t *got;
	void *blob;
	int err;

	boxes_init(&b, fields, n, false);
	while (chunks_of(&b.shape) > 8) { /* what a run takes */
		boxes_fini(&b);
		boxes_init(&b, fields, n, false);
	}
	blob = boxes_build(&b, &err);
	if (!err) {
		for (size_t i = 0; i < n_keys; i++)
			box_key(&b, keys + 64 * i);
		got = classify_run(blob, keys, n_keys, NULL);
		assert_non_null(got);
		for (size_t i = 0; i < n_keys; i++)
			assert_int_equal(got[i], classify_find(blob, keys + 64 * i));
		free(got);
	}
	free(blob);
	free(keys);
	boxes_fini(&b);
}

static void test_boxes_programs(void **state)
{
	(void)state;
	if (!classify_run_possible())
		skip();
	for (uint32_t f = 1; f <= CLASSIFY_MAX_FIELDS; f++) {
		run_boxes(f, 3);
		run_boxes(f, 60);
		run_boxes(f, 700);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boxes),
		cmocka_unit_test(test_boxes_changes),
		cmocka_unit_test(test_boxes_race),
		cmocka_unit_test(test_boxes_programs),
	};

	return cmocka_run_group_tests_name("boxes", tests, NULL, NULL);
}
