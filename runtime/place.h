/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Priorities at which a program may hang without crossing another hook.
 */
#ifndef NFT_BPF_RUNTIME_PLACE_H
#define NFT_BPF_RUNTIME_PLACE_H

#include "../compiler/lower.h"

struct place_gap {
	int64_t low, high; /* both taken by others: low < place < high */
};
/* -EBUSY: some of its chains would have to be before, some behind an interpreted one. */
int place_gap(const struct lower_result *lr, const struct ir_prog *p, struct place_gap *ret);
/* The @k-th best place: the wanted one, those above it, those below. false: no more. */
bool place_candidate(const struct place_gap *gap, int32_t wanted, uint32_t k, int32_t *ret);

/* ---- iptables.c ---- */

/* Has legacy iptables a table there, or also rules in it? Whether before or behind is not known. */
bool iptables_is_at(uint8_t pf, int32_t priority);
bool iptables_has_rules_at(uint8_t pf, int32_t priority, uint8_t hook);

#endif
