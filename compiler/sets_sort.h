/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of a set in the order of their keys.
 */
#ifndef NFT_BPF_COMPILER_SETS_SORT_H
#define NFT_BPF_COMPILER_SETS_SORT_H

#include "ruleset.h"

struct sort_item {
	uint64_t start; /* the key's first bytes, as a number */
	const struct set_elem *elem;
};

void sort_item_init(struct sort_item *item, const struct set_elem *e, size_t width);
/* By key; at one key ends of intervals come first: the start behind it is the next interval. */
void sort_items(struct sort_item *items, size_t n, size_t width);

#endif
