/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overlapping intervals, of which the first wins, into disjoint ones: a sweep over all bounds with
 * the rows that hold there in a heap, lowest number first.
 */
#include "dispatch.h"

struct sweep {
	const struct dispatch_piece *rows;
	uint32_t width;
	uint32_t *heap; /* row numbers */
	uint32_t n_heap;
	struct arena *a;
	struct dispatch_piece *out;
	uint32_t n_out;
};

static int compare_bytes(const void *pa, const void *pb, void *arg)
{
	return memcmp(*(const uint8_t *const *)pa, *(const uint8_t *const *)pb,
		      ((const struct sweep *)arg)->width);
}

static int compare_rows(const void *pa, const void *pb, void *arg)
{
	const struct sweep *s = arg;

	return memcmp(s->rows[*(const uint32_t *)pa].lo, s->rows[*(const uint32_t *)pb].lo,
		      s->width);
}

static void push(struct sweep *s, uint32_t row)
{
	uint32_t i = s->n_heap++;

	for (; i && s->heap[(i - 1) / 2] > row; i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = row;
}

static void pop(struct sweep *s)
{
	uint32_t last = s->heap[--s->n_heap], i = 0, child;

	for (; (child = 2 * i + 1) < s->n_heap; i = child) {
		if (child + 1 < s->n_heap && s->heap[child + 1] < s->heap[child])
			child++;
		if (s->heap[child] >= last)
			break;
		s->heap[i] = s->heap[child];
	}
	s->heap[i] = last;
}

/* The next larger byte string; false: there is none. */
static bool step_up(uint8_t *bytes, uint32_t width)
{
	for (uint32_t i = width; i-- > 0;)
		if (++bytes[i])
			return true;
	return false;
}

/* @next: where the piece from @from on ends before; NULL: at the end of all keys. */
static void add_piece(struct sweep *s, const uint8_t *from, const uint8_t *next)
{
	uint32_t rule = s->rows[s->heap[0]].rule;
	struct dispatch_piece *last = s->n_out ? &s->out[s->n_out - 1] : NULL,
			      p = {from, NULL, rule};
	uint8_t *hi = arena_alloc(s->a, s->width), after[IR_MAX_WIDTH + IR_MAX_FIELDS];
	uint32_t i = s->width;

	memset(hi, 0xff, s->width);
	if (next) {
		memcpy(hi, next, s->width);
		while (i-- > 0 && hi[i]-- == 0)
			;
	}
	p.hi = hi;
	if (last && last->rule == rule) {
		memcpy(after, last->hi, s->width);
		if (step_up(after, s->width) && memcmp(after, from, s->width) == 0) {
			last->hi = hi;
			return;
		}
	}
	ARENA_PUSH(s->a, s->out, s->n_out, p);
}

/* Every place where something begins, or begins to be over, in order, each once. */
static uint32_t find_cuts(struct sweep *s, uint32_t n, const uint8_t ***ret)
{
	const uint8_t **cuts = arena_alloc(s->a, 2 * (size_t)n * sizeof(*cuts));
	uint32_t n_cuts = 0, n_out = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t *after = arena_memdup(s->a, s->rows[i].hi, s->width);

		cuts[n_cuts++] = s->rows[i].lo;
		if (step_up(after, s->width))
			cuts[n_cuts++] = after;
	}
	qsort_r(cuts, n_cuts, sizeof(*cuts), compare_bytes, s);
	for (uint32_t i = 0; i < n_cuts; i++)
		if (!n_out || memcmp(cuts[n_out - 1], cuts[i], s->width) != 0)
			cuts[n_out++] = cuts[i];
	*ret = cuts;
	return n_out;
}

void dispatch_sweep(struct arena *a, const struct dispatch_piece *rows, uint32_t n, uint32_t width,
		    struct dispatch_piece **ret, uint32_t *ret_n)
{
	struct sweep s = {.rows = rows, .width = width, .a = a};
	uint32_t *by_lo = arena_alloc(a, (n + 1) * sizeof(*by_lo)), n_cuts, next = 0;
	const uint8_t **cuts;

	s.heap = arena_alloc(a, (n + 1) * sizeof(*s.heap));
	for (uint32_t i = 0; i < n; i++)
		by_lo[i] = i;
	qsort_r(by_lo, n, sizeof(*by_lo), compare_rows, &s);
	n_cuts = find_cuts(&s, n, &cuts);
	for (uint32_t i = 0; i < n_cuts; i++) {
		while (next < n && memcmp(rows[by_lo[next]].lo, cuts[i], width) == 0)
			push(&s, by_lo[next++]);
		while (s.n_heap && memcmp(rows[s.heap[0]].hi, cuts[i], width) < 0)
			pop(&s);
		if (s.n_heap)
			add_piece(&s, cuts[i], i + 1 < n_cuts ? cuts[i + 1] : NULL);
	}
	*ret = s.out;
	*ret_n = s.n_out;
}
