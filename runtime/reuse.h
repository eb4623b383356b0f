/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object of a generation, kept for loads that come to the same code.
 */
#ifndef NFT_BPF_RUNTIME_REUSE_H
#define NFT_BPF_RUNTIME_REUSE_H

#include "priv.h"

/* The running generation's object (malloc'ed), if it was made for this key; when, in unix time. */
bool reuse_find(const struct runtime *rt, const void *key, size_t len, struct emitted *ret,
		uint64_t *ret_compiled);
/* Pins what the plan was loaded from with @gen; no matter if it fails. */
void reuse_keep(struct runtime *rt, uint32_t gen, const struct rt_plan *p);

#endif
