/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a packet enters and leaves, its mark, sender and connection, as a draft wants them.
 */
#ifndef NFT_BPF_DIFFTEST_BUILD_ENV_H
#define NFT_BPF_DIFFTEST_BUILD_ENV_H

#include "draft.h"
#include "flow.h"

/* false: not on this way, or not with these devices. */
bool build_env(const struct lab *lab, const struct draft *d, enum flow flow, uint8_t hook,
	       struct rng *rng, struct packet *p);

#endif
