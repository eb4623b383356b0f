/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sorting elements, a million of them as well: keys are all over the memory and comparing them would
 * wait for it, so their first bytes are kept beside the pointer and sorted by, a digit at a time from
 * the lowest one up. Only keys that agree in these are compared, and few do unless keys are wide.
 */
#include <endian.h>
#include <linux/netfilter/nf_tables.h>

#include "sets_sort.h"

#define DIGIT	    8 /* bits */
#define N_DIGITS    (64 / DIGIT)
#define RADIX	    (1u << DIGIT)
#define FEW	    512 /* comparing is faster */

void sort_item_init(struct sort_item *item, const struct set_elem *e, size_t width)
{
	uint64_t v = 0;

	memcpy(&v, e->key, MIN(width, sizeof(v)));
	*item = (struct sort_item){be64toh(v), e};
}

static int compare(const void *pa, const void *pb, void *width)
{
	const struct sort_item *a = pa, *b = pb;
	int d;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	d = memcmp(a->elem->key, b->elem->key, *(const size_t *)width);
	return d ? d : (int)(b->elem->flags & NFT_SET_ELEM_INTERVAL_END) -
			       (int)(a->elem->flags & NFT_SET_ELEM_INTERVAL_END);
}

static unsigned int digit_of(const struct sort_item *item, unsigned int digit)
{
	return item->start >> (digit * DIGIT) & (RADIX - 1);
}

/* Where each value of a digit begins. False: all items have the same one. */
static bool find_places(const uint32_t *count, size_t n, size_t *places)
{
	size_t at = 0;

	for (unsigned int v = 0; v < RADIX; v++) {
		if (count[v] == n)
			return false;
		places[v] = at;
		at += count[v];
	}
	return true;
}

/* By .start alone; @other: as much room again. */
static void sort_by_start(struct sort_item *items, size_t n, struct sort_item *other)
{
	struct sort_item *from = items, *to = other, *swap;
	uint32_t count[N_DIGITS][RADIX] = {{0}};
	size_t places[RADIX], i;

	for (i = 0; i < n; i++)
		for (unsigned int d = 0; d < N_DIGITS; d++)
			count[d][digit_of(&items[i], d)]++;
	for (unsigned int d = 0; d < N_DIGITS; d++) {
		if (!find_places(count[d], n, places))
			continue;
		for (i = 0; i < n; i++)
			to[places[digit_of(&from[i], d)]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(*items));
}

/* Items of one start are next to each other; now they too are in order. */
static void sort_equal_starts(struct sort_item *items, size_t n, size_t width)
{
	size_t from, to;

	for (from = 0; from < n; from = to) {
		for (to = from + 1; to < n && items[to].start == items[from].start; to++)
			;
		if (to - from > 1)
			qsort_r(&items[from], to - from, sizeof(*items), compare, &width);
	}
}

static bool is_sorted(const struct sort_item *items, size_t n, size_t width)
{
	for (size_t i = 1; i < n; i++)
		if (compare(&items[i - 1], &items[i], &width) > 0)
			return false;
	return true;
}

void sort_items(struct sort_item *items, size_t n, size_t width)
{
	AUTO_FREE struct sort_item *other = NULL;

	if (is_sorted(items, n, width))
		return;
	if (n > FEW && n <= UINT32_MAX)
		other = malloc(n * sizeof(*other));
	if (!other) {
		qsort_r(items, n, sizeof(*items), compare, &width);
		return;
	}
	sort_by_start(items, n, other);
	sort_equal_starts(items, n, width);
}
