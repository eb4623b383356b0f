/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset as it may have been before somebody changed one rule of it. */
#ifndef NFT_BPF_DIFFTEST_EDIT_H
#define NFT_BPF_DIFFTEST_EDIT_H

#include "rng.h"

struct edit {
	char *before; /* what is loaded first */
	char *change; /* what makes the ruleset of it */
};

/*
 * @text is a file for nft. Where its rules are numbered as they stand there (@is_plain), a rule may
 * be added, too; else all is loaded anew. nft may refuse ->before. -ENOENT: no rule was found.
 */
int edit_draw(const char *text, bool is_plain, struct rng *rng, struct edit *ret);
void edit_fini(struct edit *e);

#endif
