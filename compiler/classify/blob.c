/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blob around a structure: its head, the arrays over the index, and the lines that nodes are
 * made of. Lines are handed out one after the other; what is freed goes into one chain per size.
 */
#include <errno.h>

#include "blob.h"

#define RETIRE_SLOTS 4096 /* of a mutable blob */

void cls_key_chunks(const uint8_t *key, uint32_t width, uint64_t *ret)
{
	for (uint32_t i = 0; i < cls_chunks(width); i++) {
		uint64_t v = 0;

		for (uint32_t j = 0; j < cls_chunk_width(width, i); j++)
			v = v << 8 | key[8 * i + j];
		ret[i] = v;
	}
}

bool cls_key_next(const uint64_t *key, uint32_t width, uint64_t *ret)
{
	uint32_t c = cls_chunks(width);

	memcpy(ret, key, c * sizeof(*key));
	while (c--) {
		if (ret[c] != cls_chunk_max(width, c)) {
			ret[c]++;
			return true;
		}
		ret[c] = 0;
	}
	return false; /* there is none */
}

bool cls_key_before(const uint64_t *key, uint32_t width, uint64_t *ret)
{
	uint32_t c = cls_chunks(width);

	memcpy(ret, key, c * sizeof(*key));
	while (c--) {
		if (ret[c]) {
			ret[c]--;
			return true;
		}
		ret[c] = cls_chunk_max(width, c);
	}
	return false;
}

/* ---- room ---- */

/* Doubles the memory as long as it is ours; @end: bytes that must fit. */
static bool reserve(struct cls_blob *b, uint64_t end)
{
	uint64_t have = (uint64_t)b->head->end_line * CLS_LINE, want = MAX(2 * have, end);
	struct cls_head *h;

	if (end <= have)
		return true;
	if (b->fixed || end > CLASSIFY_MAX_BYTES - CLS_TAIL)
		return false;
	want = ROUND_UP(MIN(want, CLASSIFY_MAX_BYTES - CLS_TAIL), CLS_LINE);
	h = aligned_alloc(CLS_LINE, want);
	if (!h)
		return false;
	memcpy(h, b->head, have);
	memset((char *)h + have, 0, want - have);
	free(b->head);
	b->head = h;
	h->end_line = (uint32_t)(want / CLS_LINE);
	return true;
}

uint32_t cls_grow(struct cls_blob *b, uint64_t bytes)
{
	uint64_t at = (uint64_t)b->head->next_line * CLS_LINE;

	bytes = ROUND_UP(bytes, CLS_LINE);
	if (bytes > CLASSIFY_MAX_BYTES || !reserve(b, at + bytes))
		return 0;
	b->head->next_line += (uint32_t)(bytes / CLS_LINE);
	return (uint32_t)at;
}

uint32_t cls_take(struct cls_blob *b, bool page)
{
	uint32_t *chain = page ? &b->head->free_page : &b->head->free_line, line = *chain;

	if (!line && !page && b->head->free_page) { /* a page makes nine lines */
		line = cls_take(b, true);
		for (uint32_t i = 1; i < CLS_PAGE_LINES; i++)
			cls_drop(b->head, (line + i) | CLS_ONE_LINE);
		return line;
	}
	if (line) {
		*chain = *(uint32_t *)cls_at(b->head, (uint64_t)line * CLS_LINE);
		return line;
	}
	return cls_grow(b, page ? CLS_PAGE_LINES * CLS_LINE : CLS_LINE) / CLS_LINE;
}

void cls_drop(struct cls_head *h, uint32_t ref)
{
	uint32_t *chain = ref & CLS_ONE_LINE ? &h->free_line : &h->free_page;
	uint32_t line = ref & CLS_NODE;

	*(uint32_t *)cls_at(h, (uint64_t)line * CLS_LINE) = *chain;
	*chain = line;
}

bool cls_can_retire(const struct cls_head *h, uint32_t n)
{
	return h->n_retired + n <= h->max_retired;
}

void cls_retire(struct cls_head *h, uint32_t ref)
{
	uint32_t *retired = cls_at(h, h->retired);

	retired[h->n_retired++] = ref;
}

void classify_settled(void *blob)
{
	struct cls_head *h = blob;
	uint32_t *retired = cls_at(h, h->retired);

	while (h->n_retired)
		cls_drop(h, retired[--h->n_retired]);
}

/* ---- building ---- */

static bool shape_ok(const struct classify_shape *s)
{
	if (s->kind < CLASSIFY_HASH || s->kind > CLASSIFY_BOXES)
		return false;
	if (s->kind == CLASSIFY_BOXES ? !s->n_fields || s->n_fields > CLASSIFY_MAX_FIELDS
				      : s->n_fields > 1)
		return false;
	for (uint32_t i = 0; i < MAX(s->n_fields, 1u); i++)
		if (!s->width[i] || s->width[i] > CLASSIFY_MAX_WIDTH)
			return false;
	if (s->packed && (s->is_mutable || s->kind != CLASSIFY_BOXES))
		return false;
	return s->capacity <= CLASSIFY_MAX_INDEX + 1 && s->value_size % 4 == 0;
}

static uint64_t scramble(uint64_t x) /* splitmix64's finish */
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static int start(struct cls_blob *b, const struct classify_shape *s)
{
	uint64_t lines = ROUND_UP(sizeof(struct cls_head), CLS_LINE) / CLS_LINE;
	struct cls_head *h = aligned_alloc(CLS_LINE, lines * CLS_LINE);

	if (!h)
		return -ENOMEM;
	memset(h, 0, lines * CLS_LINE);
	*h = (struct cls_head){
		.magic = CLS_MAGIC,
		.kind = s->kind,
		.root = CLS_NONE,
		.catch_all = CLS_NONE,
		.seed = scramble(s->seed ^ 0x9e3779b97f4a7c15ull),
		.multiplier = scramble(s->seed + 0x9e3779b97f4a7c15ull) | 1,
		.value_size = s->value_size,
		.value_step = s->value_size,
		.capacity = s->capacity,
		.n_fields = MAX(s->n_fields, 1u),
		.next_line = (uint32_t)lines,
		.end_line = (uint32_t)lines,
		.flags = (s->is_mutable ? CLS_MUTABLE : 0) | (s->expires ? CLS_EXPIRES : 0),
	};
	memcpy(h->width, s->width, sizeof(h->width));
	b->head = h;
	return 0;
}

/* The arrays over the index. */
static int add_arrays(struct cls_blob *b, const struct classify_shape *s)
{
	uint32_t at;

	if (s->value_size && !s->packed) { /* packed: boxes.c */
		at = cls_grow(b, (uint64_t)s->value_size * s->capacity + CLS_LINE);
		if (!at)
			return -E2BIG;
		b->head->values = at;
	}
	if (s->expires) {
		at = cls_grow(b, (uint64_t)sizeof(uint64_t) * s->capacity + CLS_LINE);
		if (!at)
			return -E2BIG;
		b->head->expires = at;
	}
	if (s->is_mutable && s->kind != CLASSIFY_HASH) {
		at = cls_grow(b, RETIRE_SLOTS * sizeof(uint32_t));
		if (!at)
			return -E2BIG;
		b->head->retired = at;
		b->head->max_retired = RETIRE_SLOTS;
	}
	return 0;
}

static int fill(struct cls_blob *b, const struct classify_shape *s,
		const struct classify_elem *elems, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (elems[i].index >= s->capacity)
			return -EINVAL;
	b->first_node = b->head->next_line;
	switch (s->kind) {
	case CLASSIFY_HASH:
		return cls_hash_build(b, s, elems, n);
	case CLASSIFY_TREE:
		return cls_tree_build(b, s, elems, n);
	case CLASSIFY_BOXES:
		return cls_boxes_build(b, s, elems, n);
	}
	return -EINVAL;
}

/* Cuts off what is not used, leaves room for updates, adds the tail that lookups may touch. */
static int finish(struct cls_blob *b)
{
	struct cls_head *h = b->head;
	uint64_t used = (uint64_t)h->next_line * CLS_LINE, size;

	if (h->flags & CLS_MUTABLE && h->kind != CLASSIFY_HASH) {
		/* Elements still to come take as much as those that are in, at least half a line
		 * each. */
		uint64_t left = h->capacity - h->n_elems;
		uint64_t nodes = used - (uint64_t)b->first_node * CLS_LINE;
		uint64_t each = h->n_elems ? nodes / h->n_elems : 0;
		uint64_t most = h->kind == CLASSIFY_BOXES ? CLS_LINE : 1024u;

		used += left * MAX(MIN(each, most), CLS_LINE / 2u) + nodes / 4;
		used += 64 * CLS_PAGE_LINES * CLS_LINE;
	}
	/* Some room, so that programs made for one size serve a little more or less of it. */
	size = with_room(used, 16 * CLS_LINE) + CLS_TAIL;
	if (size > CLASSIFY_MAX_BYTES)
		return -E2BIG;
	h = aligned_alloc(CLS_LINE, size);
	if (!h)
		return -ENOMEM;
	memcpy(h, b->head, (uint64_t)b->head->next_line * CLS_LINE);
	memset((char *)h + (uint64_t)b->head->next_line * CLS_LINE, 0,
	       size - (uint64_t)b->head->next_line * CLS_LINE);
	h->size = (uint32_t)size;
	h->end_line = (uint32_t)((size - CLS_TAIL) / CLS_LINE);
	free(b->head);
	b->head = h;
	return 0;
}

int classify_build(const struct classify_shape *shape, const struct classify_elem *elems, size_t n,
		   void **ret_blob, size_t *ret_size)
{
	struct cls_blob b = {};
	int err;

	if (!shape_ok(shape) || n > shape->capacity)
		return -EINVAL;
	err = start(&b, shape);
	if (!err)
		err = add_arrays(&b, shape);
	if (!err)
		err = fill(&b, shape, elems, n);
	if (!err)
		err = finish(&b);
	if (err) {
		free(b.head);
		return err;
	}
	*ret_blob = b.head;
	*ret_size = b.head->size;
	return 0;
}
