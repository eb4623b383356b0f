/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a draft to a packet: every open bit gets a value that makes the packet a sound one.
 */
#ifndef NFT_BPF_DIFFTEST_BUILD_H
#define NFT_BPF_DIFFTEST_BUILD_H

#include "draft.h"
#include "flow.h"

/* NULL when the draft's wishes cannot be met by a packet that goes this way and is seen at @hook. */
struct packet *build_packet(const struct lab *lab, const struct draft *d, enum flow flow,
			    uint8_t hook, struct rng *rng);

#endif
