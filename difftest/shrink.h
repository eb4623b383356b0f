/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cutting a ruleset and packets that show a difference down to what is needed to show it.
 */
#ifndef NFT_BPF_DIFFTEST_SHRINK_H
#define NFT_BPF_DIFFTEST_SHRINK_H

#include "packet.h"

struct shrink {
	/* Does this still show it? */
	bool (*fails)(void *arg, const char *text, struct list *packets);
	void *arg;
	double until;	     /* CLOCK_MONOTONIC: stop with what there is then */
	char *text;	     /* in and out, malloc'ed; one rule a line */
	struct list packets; /* in and out */
	size_t tries;
};

void shrink_run(struct shrink *s);

#endif
