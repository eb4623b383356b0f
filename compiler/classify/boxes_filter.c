/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filtered lists: a few boxes that need not be divided any further, since seven bits of two fields
 * tell most of them apart. One line instead of a page over the next field, and of what is below it.
 *
 * Which fields, and which bits of them, is tried out: those that leave the fewest pairs of boxes
 * that one key could pass together, and of these the ones with the narrowest bounds. That takes its
 * time, and is done when the tree is the one that stays.
 */
#include <errno.h>

#include "boxes.h"

#define LANE 127u

struct bounds {
	uint32_t field, shift;
	uint8_t lo[CLS_FILTERED], hi[CLS_FILTERED];
};

/* The bits from @shift on, where they are bounds: where bits above them are the same. */
static void take_bits(const struct cls_boxes *x, const uint32_t *list, uint32_t n,
		      struct bounds *b)
{
	for (uint32_t i = 0; i < n; i++) {
		struct cls_range r = cls_box(x, list[i])[b->field];
		uint32_t lo = r.lo >> b->shift, hi = MIN(r.hi, x->max[b->field]) >> b->shift;

		b->lo[i] = (uint8_t)(lo & LANE);
		b->hi[i] = (uint8_t)(hi & LANE);
		if (lo / (LANE + 1) != hi / (LANE + 1)) {
			b->lo[i] = 0;
			b->hi[i] = LANE;
		}
	}
}

static bool meet(const struct bounds *b, uint32_t i, uint32_t k)
{
	return b->lo[i] <= b->hi[k] && b->lo[k] <= b->hi[i];
}

/* What @b leaves to be compared when @with (which may be NULL) has its say, too. */
static uint32_t left_over(const struct bounds *with, const struct bounds *b, uint32_t n)
{
	uint32_t pairs = 0, wide = 0;

	for (uint32_t i = 0; i < n; i++) {
		wide += b->hi[i] - b->lo[i] + 1u;
		for (uint32_t k = 0; k < i; k++)
			pairs += meet(b, i, k) && (!with || meet(with, i, k));
	}
	return pairs << 16 | wide;
}

/* How far the bits that are not the same in all bounds reach above a lane's. */
static uint32_t top_shift(const struct cls_boxes *x, const uint32_t *list, uint32_t n, uint32_t f)
{
	uint32_t max = x->max[f], first = cls_box(x, list[0])[f].lo, differ = 0, shift = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct cls_range r = cls_box(x, list[i])[f];

		differ |= (r.lo ^ first) | (MIN(r.hi, max) ^ first);
	}
	while (differ >> shift > LANE)
		shift++;
	return shift;
}

static void choose(const struct cls_boxes *x, const uint32_t *list, uint32_t n,
		   const struct bounds *with, struct bounds *ret)
{
	uint32_t least = UINT32_MAX;
	struct bounds b;

	for (b.field = 0; b.field < x->fields; b.field++) {
		uint32_t top = top_shift(x, list, n, b.field);

		/* Bits further down tell apart what has the same ones above. */
		for (uint32_t down = 0; down <= MIN(top, 12u); down += 4) {
			uint32_t left;

			b.shift = top - down;
			take_bits(x, list, n, &b);
			left = left_over(with, &b, n);
			if (left >= least)
				continue;
			least = left;
			*ret = b;
		}
	}
}

static void fill_line(const struct cls_boxes *x, struct cls_filtered *l)
{
	uint32_t n = l->field[1], list[CLS_FILTERED];
	struct bounds b[2];

	memcpy(list, l->index, sizeof(list));
	choose(x, list, n, NULL, &b[0]);
	choose(x, list, n, &b[0], &b[1]);
	for (uint32_t k = 0; k < 2; k++) {
		l->field[k] = (uint8_t)(b[k].field | (k ? 0 : l->field[0]));
		l->shift[k] = (uint8_t)b[k].shift;
		l->lo[k] = 0;
		l->hi[k] = (LANE + 1) * CLS_LANES;
		for (uint32_t i = 0; i < 8; i++) {
			l->lo[k] |= (uint64_t)(i < n ? b[k].lo[i] : LANE) << 8 * i;
			l->hi[k] |= (uint64_t)(i < n ? b[k].hi[i] : 0) << 8 * i;
		}
	}
	for (uint32_t i = 0; i < CLS_FILTERED; i++)
		l->index[i] = x->index[list[MIN(i, n - 1)]];
}

void cls_filtered_fill(struct cls_boxes *x)
{
	for (size_t i = 0; i < x->n_filtered; i++)
		fill_line(x, cls_at(x->b->head, (uint64_t)x->filtered[i] * CLS_LINE));
	x->n_filtered = 0;
}

static int note_line(struct cls_boxes *x, uint32_t line)
{
	if (x->n_filtered == x->max_filtered) {
		size_t max = MAX(2 * x->max_filtered, 1024u);
		uint32_t *more = realloc(x->filtered, max * sizeof(*more));

		if (!more)
			return -ENOMEM;
		x->filtered = more;
		x->max_filtered = max;
	}
	x->filtered[x->n_filtered++] = line;
	return 0;
}

/* For now: places of boxes, and how many. */
int cls_filtered_write(struct cls_boxes *x, const uint32_t *list, uint32_t n, uint32_t *ret_ref)
{
	uint32_t lines = (n + CLS_FILTERED - 1) / CLS_FILTERED;
	uint32_t at = cls_grow(x->b, lines * sizeof(struct cls_filtered));
	struct cls_filtered *l;

	if (!at)
		return -E2BIG;
	l = cls_at(x->b->head, at);
	for (uint32_t i = 0; i < lines; i++) {
		uint32_t from = n * i / lines, to = n * (i + 1) / lines;
		int err = note_line(x, at / CLS_LINE + i);

		if (err)
			return err;
		memcpy(l[i].index, list + from, (to - from) * sizeof(*list));
		l[i].field[0] = i + 1 < lines ? CLS_FILTER_MORE : 0;
		l[i].field[1] = (uint8_t)(to - from);
	}
	*ret_ref = CLS_FILTER_END | at / CLS_LINE;
	return 0;
}
