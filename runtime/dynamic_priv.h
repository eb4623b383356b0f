/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by dynamic.c, dynamic_shown.c, dynamic_give.c and dynamic_update.c.
 */
#ifndef NFT_BPF_RUNTIME_DYNAMIC_PRIV_H
#define NFT_BPF_RUNTIME_DYNAMIC_PRIV_H

#include "dynamic.h"
#include "priv.h"

struct dynamic_heads { /* the map "dynsets" */
	struct dyn_head *array;
	uint32_t n;
	size_t size;
};

void dynamic_heads_close(struct dynamic_heads *h);
int dynamic_heads_open(const struct runtime *rt, uint32_t gen, struct dynamic_heads *ret);
/* What the manifest knows by that name; NULL: nothing, as of @m NULL. */
const struct mf_dynamic *dynamic_named(const struct manifest *m, const struct set *s);
/* The very set that the map was made for? One whose load was killed is known by name alone. */
bool dynamic_is_of(const struct dynamic_heads *h, const struct mf_dynamic *d, const struct set *s);
/* A descriptor, or -errno. */
int dynamic_map(const struct runtime *rt, uint32_t gen, uint32_t id);

/* Elements of generation @gen into the model; @remembered: it is the model that a batch changes. */
int dynamic_overlay_of(struct runtime *rt, uint32_t gen, const struct manifest *m,
		       struct ruleset *rs, bool remembered);

#endif
