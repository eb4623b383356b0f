/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookup structures: built and changed as the bytes say, looked up in beside a walk over all
 * elements. The bytes are choices: a shape, elements, then changes.
 */
#include <errno.h>

#include "compiler/classify/classify.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "classify";

enum { MAX_WIDTH = 128, CAPACITY = 200, MAX_CHANGES = 64 };

struct slot { /* by index */
	bool used;
	bool resting; /* taken out, no grace period since */
	uint64_t expires;
	uint8_t lo[MAX_WIDTH], hi[MAX_WIDTH];
};

struct sets {
	struct fuzz_in in;
	struct classify_shape shape;
	uint32_t width;
	struct slot *slots;
	uint32_t catch_all;
	void *blob;
};

/* ---- the oracle ---- */

FUZZ_QUIET static bool field_holds(const struct slot *s, uint32_t at, uint32_t width, const uint8_t *key)
{
	return fuzz_compare(key + at, s->lo + at, width) >= 0 &&
	       fuzz_compare(key + at, s->hi + at, width) <= 0;
}

FUZZ_QUIET static bool slot_holds(const struct sets *x, const struct slot *s, const uint8_t *key)
{
	for (uint32_t f = 0, at = 0; f < x->shape.n_fields; at += x->shape.width[f++])
		if (!field_holds(s, at, x->shape.width[f], key))
			return false;
	return true;
}

FUZZ_QUIET static uint32_t linear_find(const struct sets *x, const uint8_t *key)
{
	for (uint32_t i = 0; i < x->shape.capacity; i++)
		if (x->slots[i].used && slot_holds(x, &x->slots[i], key))
			return i;
	return x->catch_all;
}

static bool is_over(const struct sets *x, uint32_t index, uint64_t now)
{
	uint64_t at = x->shape.expires ? x->slots[index].expires : 0;

	return at && at <= now;
}

static uint32_t linear_find_at(const struct sets *x, const uint8_t *key, uint64_t now)
{
	uint32_t i = linear_find(x, key);

	if (i != CLASSIFY_MISS && i != x->catch_all && is_over(x, i, now))
		i = x->catch_all;
	return i != CLASSIFY_MISS && is_over(x, i, now) ? CLASSIFY_MISS : i;
}

/* Does it share a key with one that is there, other than itself? Of sets that must be disjoint. */
FUZZ_QUIET static bool collides(const struct sets *x, const struct slot *s)
{
	for (uint32_t i = 0; i < x->shape.capacity; i++) {
		const struct slot *o = &x->slots[i];

		if (o->used && o != s && fuzz_compare(o->lo, s->hi, x->width) <= 0 &&
		    fuzz_compare(s->lo, o->hi, x->width) <= 0)
			return true;
	}
	return false;
}

static void check_key(const struct sets *x, const uint8_t *key)
{
	uint32_t got = classify_find(x->blob, key), want = linear_find(x, key);

	FUZZ_HOLDS(got == want, "%u instead of %u", got, want);
	if (!x->shape.expires)
		return;
	for (uint64_t now = 0; now < 4; now++) {
		got = classify_find_at(x->blob, key, now);
		want = linear_find_at(x, key, now);
		FUZZ_HOLDS(got == want, "at %u: %u instead of %u", (unsigned int)now, got, want);
	}
}

/* One beside, in field @at. */
FUZZ_QUIET static bool step(uint8_t *key, uint32_t at, uint32_t width, int by)
{
	for (uint32_t i = at + width; i-- > at;) {
		key[i] = (uint8_t)(key[i] + by);
		if (key[i] != (by > 0 ? 0 : 255))
			return true;
	}
	return false;
}

static void check_slot(const struct sets *x, const struct slot *s)
{
	uint8_t key[MAX_WIDTH];

	check_key(x, s->lo);
	check_key(x, s->hi);
	for (uint32_t f = 0, at = 0; f < x->shape.n_fields; at += x->shape.width[f++])
		for (int k = 0; k < 4; k++) {
			memcpy(key, k & 1 ? s->hi : s->lo, x->width);
			if (step(key, at, x->shape.width[f], k & 2 ? 1 : -1))
				check_key(x, key);
		}
}

static void check_all(const struct sets *x)
{
	for (uint32_t i = 0; i < x->shape.capacity; i++)
		if (x->slots[i].used)
			check_slot(x, &x->slots[i]);
}

/* ---- choices ---- */

/* All alike, some byte of its own, a border of a slot, or whatever the bytes are. */
static void take_field(struct sets *x, uint8_t *to, uint32_t at, uint32_t width)
{
	const struct slot *s;
	uint8_t how = fuzz_byte(&x->in);

	switch (how & 3) {
	case 0:
		memset(to + at, how & 4 ? 255 : 0, width);
		break;
	case 1:
		memset(to + at, how & 4 ? 255 : 0, width);
		to[at + (how >> 3) % width] = fuzz_byte(&x->in);
		break;
	case 2:
		s = &x->slots[fuzz_below(&x->in, MIN(x->shape.capacity, 256))];
		memmove(to + at, (how & 4 ? s->lo : s->hi) + at, width);
		if (how & 8)
			step(to, at, width, how & 16 ? 1 : -1);
		break;
	default:
		for (uint32_t i = 0; i < width; i++)
			to[at + i] = fuzz_byte(&x->in);
	}
}

/* HASH has single keys. */
static void take_slot(struct sets *x, struct slot *s)
{
	for (uint32_t f = 0, at = 0; f < x->shape.n_fields; at += x->shape.width[f++]) {
		uint32_t width = x->shape.width[f];

		take_field(x, s->lo, at, width);
		memcpy(s->hi + at, s->lo + at, width);
		if (x->shape.kind == CLASSIFY_HASH)
			continue;
		take_field(x, s->hi, at, width);
		if (fuzz_compare(s->lo + at, s->hi + at, width) > 0)
			memcpy(s->hi + at, s->lo + at, width);
	}
}

/* Elements at equal distances, which fill several levels of a tree. */
static void take_many(struct sets *x)
{
	uint32_t n = fuzz_below(&x->in, CAPACITY - 40), width = MIN(x->shape.width[0], 4u);
	uint64_t end = 1ull << 8 * width, dist = 1 + fuzz_below(&x->in, 1u << 20) % (end - 1);
	uint64_t len = x->shape.kind == CLASSIFY_HASH ? 0 : fuzz_byte(&x->in) % dist;
	uint64_t v = fuzz_u32(&x->in) % end;

	for (uint32_t i = 0; i < n && v + len < end; i++, v += dist) {
		struct slot *s = &x->slots[i];

		memset(s->hi, x->shape.kind == CLASSIFY_BOXES ? 255 : 0, x->width);
		memset(s->hi + width, 0, x->shape.width[0] - width);
		for (uint32_t k = 0; k < width; k++) {
			s->lo[k] = (uint8_t)(v >> 8 * (width - 1 - k));
			s->hi[k] = (uint8_t)((v + len) >> 8 * (width - 1 - k));
		}
		s->used = true;
	}
}

static void take_shape(struct sets *x)
{
	struct classify_shape *s = &x->shape;
	uint8_t how = fuzz_byte(&x->in);

	s->kind = (enum classify_kind)(CLASSIFY_HASH + how % 3);
	s->n_fields = s->kind == CLASSIFY_BOXES ? 1 + fuzz_below(&x->in, CLASSIFY_MAX_FIELDS) : 1;
	s->is_mutable = how & 0x10;
	s->expires = how & 0x20;
	s->value_size = how & 0x40 ? 4 : 0;
	s->capacity = how & 0x80 ? CAPACITY : 1 + fuzz_below(&x->in, 40);
	s->seed = fuzz_byte(&x->in);
	for (uint32_t f = 0; f < s->n_fields; f++) {
		s->width[f] = (uint8_t)(1 + fuzz_below(&x->in, s->n_fields > 1 ? 16 : 64));
		x->width += s->width[f];
	}
}

/* ---- built and changed ---- */

static int build(struct sets *x)
{
	AUTO_FREE struct classify_elem *list = malloc(CAPACITY * sizeof(*list));
	struct classify_info info;
	bool clash = false;
	size_t n = 0, size;
	int err;

	for (uint32_t i = 0; i < x->shape.capacity; i++) {
		const struct slot *s = &x->slots[i];

		if (!s->used)
			continue;
		list[n++] = (struct classify_elem){s->lo, s->hi, i};
		clash |= x->shape.kind != CLASSIFY_BOXES && collides(x, s);
	}
	err = classify_build(&x->shape, list, n, &x->blob, &size);
	if (x->shape.kind == CLASSIFY_BOXES && err == -E2BIG)
		return err;
	FUZZ_HOLDS(err == (clash ? -EEXIST : 0), "build says %d", err);
	if (err)
		return err;
	err = classify_info(x->blob, size, &info);
	FUZZ_HOLDS(err == 0 && info.size == size, "info says %d", err);
	return 0;
}

static int until_settled(struct sets *x, int (*change)(void *, const struct classify_elem *),
			 const struct classify_elem *e)
{
	int err = change(x->blob, e);

	if (err != -EAGAIN)
		return err;
	classify_settled(x->blob);
	err = change(x->blob, e);
	FUZZ_HOLDS(err != -EAGAIN, "settled, and still not");
	return err;
}

static void insert(struct sets *x, uint32_t index)
{
	struct slot *s = &x->slots[index];
	struct classify_elem e = {s->lo, s->hi, index};
	int err;

	if (s->resting)
		return;
	take_slot(x, s);
	s->expires = 0;
	if (x->shape.expires)
		classify_set_expires(x->blob, index, 0);
	err = until_settled(x, classify_insert, &e);
	if (x->shape.kind != CLASSIFY_BOXES)
		FUZZ_HOLDS(err == (collides(x, s) ? -EEXIST : 0), "insert says %d", err);
	else
		FUZZ_HOLDS(err == 0 || err == -ENOSPC, "insert says %d", err);
	s->used = err == 0;
	check_slot(x, s);
}

static void delete(struct sets *x, uint32_t index)
{
	struct slot *s = &x->slots[index];
	struct classify_elem e = {s->lo, s->hi, index};
	int err = until_settled(x, classify_delete, &e);

	if (x->shape.kind == CLASSIFY_BOXES && err == -ENOSPC)
		return;
	FUZZ_HOLDS(err == 0, "delete says %d", err);
	s->used = false;
	s->resting = true;
	check_slot(x, s);
}

static void change(struct sets *x)
{
	uint8_t what = fuzz_byte(&x->in);
	uint32_t index = fuzz_below(&x->in, x->shape.capacity);
	struct slot *s = &x->slots[index];

	switch (what & 7) {
	case 0:
		classify_settled(x->blob);
		for (uint32_t i = 0; i < x->shape.capacity; i++)
			x->slots[i].resting = false;
		break;
	case 1:
		x->catch_all = what & 0x80 || s->used ? CLASSIFY_MISS : index;
		classify_set_catch_all(x->blob, x->catch_all);
		break;
	case 2:
		s->expires = what >> 3 & 3;
		if (x->shape.expires)
			classify_set_expires(x->blob, index, s->expires);
		break;
	default:
		if (index == x->catch_all)
			break;
		if (s->used)
			delete(x, index);
		else
			insert(x, index);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sets x = {.in = {data, size}, .catch_all = CLASSIFY_MISS};
	bool many;

	x.slots = calloc(CAPACITY, sizeof(*x.slots));
	if (!x.slots)
		return 0;
	take_shape(&x);
	many = x.shape.capacity == CAPACITY;
	if (many)
		take_many(&x);
	for (uint32_t n = fuzz_below(&x.in, 32), i = 0; i < n && x.in.left; i++) {
		struct slot *s = &x.slots[many ? CAPACITY - 1 - i : i % x.shape.capacity];

		take_slot(&x, s);
		s->used = true;
	}
	if (build(&x) == 0) {
		check_all(&x);
		for (int i = 0; i < MAX_CHANGES && x.in.left && x.shape.is_mutable; i++)
			change(&x);
		check_all(&x);
	}
	free(x.blob);
	free(x.slots);
	return 0;
}
