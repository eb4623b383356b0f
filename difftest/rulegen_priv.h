/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_BPF_DIFFTEST_RULEGEN_PRIV_H
#define NFT_BPF_DIFFTEST_RULEGEN_PRIV_H

#include <stdio.h>

#include "rulegen.h"

struct rulegen {
	struct rng rng;
	FILE *out;
	unsigned int flags;
	const char *family;
	int l3;	  /* what the rule being written implies: 4, 6 */
	char l4;
	int hook; /* of the chain being written; -1: any may come */
	bool writes; /* some rules do what only the interpreter can */
	bool spread; /* values lie far apart */
	unsigned int n_sets;
	const struct rulegen_field *set_field[4]; /* of the named constant sets */
};

struct rulegen_field;

/* A field of this family that has ordered values; @is_key: fit for sets and maps. */
const struct rulegen_field *rulegen_pick_field(struct rulegen *g, bool is_key);
void rulegen_put_key(struct rulegen *g, const struct rulegen_field *f);
void rulegen_value(struct rulegen *g, const struct rulegen_field *f, char *out, size_t size);

/* A value, or where it may be a range, now and then. */
void rulegen_put_value(struct rulegen *g, const struct rulegen_field *f, bool may_range);
void rulegen_put_match(struct rulegen *g);
void rulegen_put_sets(struct rulegen *g);

#endif
