/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What generations say together: the one that decides, and one whose load was killed after its
 * batch was committed.
 */
#ifndef NFT_BPF_RUNTIME_MODEL_H
#define NFT_BPF_RUNTIME_MODEL_H

#include "manifest.h"

struct rt_state {
	struct manifest *current; /* of the generation that decides; NULL: nothing does */
	struct manifest *pending; /* its batch is in the kernel, its programs do not decide yet */
};
/* @ruleset: the kernel's ruleset generation now. */
int rt_state_read(const struct runtime *rt, uint32_t ruleset, struct diags *ds,
		  struct rt_state *ret);
void rt_state_fini(struct rt_state *s);

#endif
