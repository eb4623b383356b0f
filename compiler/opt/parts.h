/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to part a chain by (parts_choose.c), for parts.c. */
#ifndef NFT_BPF_COMPILER_OPT_PARTS_H
#define NFT_BPF_COMPILER_OPT_PARTS_H

#include "opt.h"

#define PARTS_MAX_VALUES 8

struct parts_cut {
	uint32_t first; /* rule */
	uint32_t n;
	uint32_t before, after; /* cost, in half nanoseconds */
	struct opt_cond values[PARTS_MAX_VALUES]; /* of one selector; a point each */
};

/* false: it does not pay. */
bool parts_choose(const struct opt_chain *oc, struct parts_cut *ret);

#endif
