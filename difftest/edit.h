/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset as it may have been before somebody changed one rule of it, or one element. */
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
/* edit_elem.c: the same for an element of a named set; -EINVAL: draw again. */
int edit_draw_elem(const char *text, struct rng *rng, struct edit *ret);
/* A command on elements of a named set of @text; NULL: draw again. nft may refuse it. */
char *edit_draw_change(const char *text, struct rng *rng);
void edit_fini(struct edit *e);

#endif
