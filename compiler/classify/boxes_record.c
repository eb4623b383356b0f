/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of boxes: each one's ranges, by its index.
 *
 * Lists of rules have them packed: what a packet's look-up costs in a long list is above all how many
 * lines of the cache all packets' look-ups share, and the records are a third of those. Five fields with
 * their value are half a line instead of a whole one and a bit of another.
 */
#include <errno.h>

#include "boxes.h"

#define SHORT_WIDTH 2 /* bytes of a field for which ranges of 16 bits are enough */

/* How many bytes of a record are ranges. */
static uint32_t choose_form(const struct classify_shape *s, struct cls_head *h)
{
	uint32_t wide = s->n_fields, shift = CLS_BOX_SHIFT(wide), bytes;

	while (s->packed && wide && s->width[wide - 1] <= SHORT_WIDTH)
		wide--;
	bytes = wide * (uint32_t)sizeof(struct cls_range) +
		(s->n_fields - wide) * (uint32_t)sizeof(struct cls_short_range);
	if (s->packed) {
		for (shift = 2; bytes > 1u << shift; shift++)
			;
		h->form = (uint32_t)(CLS_FORM(wide, shift) >> 32);
	}
	h->key_size = 1u << shift;
	return bytes;
}

/* Where packed records have no room for values. */
static int add_values(struct cls_blob *b, uint32_t capacity)
{
	uint32_t at = cls_grow(b, (uint64_t)b->head->value_size * capacity + CLS_LINE);

	if (!at)
		return -E2BIG;
	b->head->values = at;
	return 0;
}

static void write_record(const struct cls_boxes *x, uint32_t i)
{
	const struct cls_range *from = cls_box(x, i);
	struct cls_range *to = cls_record(x->b->head, x->index[i]);
	uint64_t form = (uint64_t)x->b->head->form << 32;
	uint32_t wide = form ? CLS_FORM_WIDE(form) : x->fields;
	struct cls_short_range *rest = (struct cls_short_range *)(to + wide);

	memcpy(to, from, wide * sizeof(*to));
	for (uint32_t f = wide; f < x->fields; f++)
		*rest++ = (struct cls_short_range){(uint16_t)from[f].lo, (uint16_t)from[f].hi};
}

int cls_boxes_records(struct cls_boxes *x, const struct classify_shape *s)
{
	uint32_t bytes = choose_form(s, x->b->head), size = x->b->head->key_size;
	uint32_t at = cls_grow(x->b, (uint64_t)size * s->capacity + CLS_LINE);
	int err = 0;

	if (!at)
		return -E2BIG;
	x->b->head->keys = at;
	if (s->packed && bytes + s->value_size <= size) {
		x->b->head->values = at + bytes;
		x->b->head->value_step = size;
	} else if (s->packed && s->value_size) {
		err = add_values(x->b, s->capacity);
	}
	/* Packed ones that are not there are named nowhere, and never will be. */
	for (uint32_t i = 0; i < s->capacity && !s->packed; i++)
		*cls_record(x->b->head, i) = (struct cls_range){1, 0};
	for (uint32_t i = 0; i < x->n; i++)
		write_record(x, i);
	return err;
}
