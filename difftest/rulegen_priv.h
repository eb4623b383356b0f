/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_BPF_DIFFTEST_RULEGEN_PRIV_H
#define NFT_BPF_DIFFTEST_RULEGEN_PRIV_H

#include <stdio.h>

#include "rulegen.h"

#define RULEGEN_DYNAMIC 3

struct rulegen_field;

struct rulegen_dynamic { /* a set that packets change */
	const struct rulegen_field *field;
	unsigned int keeps;
	bool shrinks, expires;
};

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
	unsigned int n_dynamic;
	struct rulegen_dynamic dynamic[RULEGEN_DYNAMIC];
};

/* A field of this family that has ordered values; @is_key: fit for sets and maps. */
const struct rulegen_field *rulegen_pick_field(struct rulegen *g, bool is_key);
void rulegen_put_key(struct rulegen *g, const struct rulegen_field *f);
void rulegen_value(struct rulegen *g, const struct rulegen_field *f, char *out, size_t size);

/* A value, or where it may be a range, now and then. */
void rulegen_put_value(struct rulegen *g, const struct rulegen_field *f, bool may_range);
void rulegen_put_match(struct rulegen *g);
void rulegen_put_sets(struct rulegen *g);
bool rulegen_is_name(const struct rulegen_field *f);
/* May the rule being written ask for it as well? */
bool rulegen_claim(struct rulegen *g, const struct rulegen_field *f);

/* rulegen_dynamic.c: definitions, a statement, a match; the latter two may find no place. */
void rulegen_put_dynamic(struct rulegen *g);
void rulegen_put_change(struct rulegen *g);
bool rulegen_put_lookup(struct rulegen *g);

#endif
