/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of rules that may pass a packet on, and whether a later rule meets one (overlap.c). */
#ifndef NFT_BPF_COMPILER_OPT_OVERLAP_H
#define NFT_BPF_COMPILER_OPT_OVERLAP_H

#include "../ir_index.h"

struct opt_overlap {
	struct arena *a;
	const struct ir_dispatch *d; /* whose fields the rows have */
	struct ir_index index;	     /* points */
	struct ir_row *points, *boxes;
	size_t n_points, n_boxes;
	uint64_t compares;
};
void opt_overlap_init(struct opt_overlap *o, struct arena *a, const struct ir_dispatch *d);
/* Whether one of @rows may hold together with one that was added; true too when it takes too long.
 */
bool opt_overlap_meets(struct opt_overlap *o, const struct ir_row *rows, uint32_t n);
void opt_overlap_add(struct opt_overlap *o, const struct ir_row *rows, uint32_t n);

#endif
