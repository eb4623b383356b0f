/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_BPF_DIFFTEST_RULEGEN_PRIV_H
#define NFT_BPF_DIFFTEST_RULEGEN_PRIV_H

#include <stdio.h>

#include "rulegen.h"

#define RULEGEN_DYNAMIC 3
#define RULEGEN_MAPS	2
#define RULEGEN_POINTS	6

enum value_kind {
	V_NUMBER, /* 0 … max */
	V_NAME,	  /* one of .names */
	V_ADDR4,
	V_ADDR6,
	V_MAC,
};

struct rulegen_field {
	const char *key;
	enum value_kind kind;
	uint32_t max;
	const char *const *names;
	unsigned int in; /* IP, IP6, INET */
	bool is_key, has_range, has_mask;
};

enum { IP = 1, IP6 = 2, INET = 4, ALL = 7, V4 = IP | INET, V6 = IP6 | INET };

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
	unsigned int n_maps;
	const struct rulegen_field *map_field[RULEGEN_MAPS];
	unsigned int n_family; /* chains f0, f1… */
	unsigned int n_dynamic;
	struct rulegen_dynamic dynamic[RULEGEN_DYNAMIC];
};

/* ---- rulegen_field.c ---- */

unsigned int rulegen_family_bit(const struct rulegen *g); /* IP, IP6 or INET */
/* A field of this family that has ordered values; @is_key: fit for sets and maps. */
const struct rulegen_field *rulegen_pick_field(struct rulegen *g, bool is_key);
void rulegen_put_key(struct rulegen *g, const struct rulegen_field *f);
void rulegen_value(struct rulegen *g, const struct rulegen_field *f, char *out, size_t size);

/* A value, or where it may be a range, now and then. */
void rulegen_put_value(struct rulegen *g, const struct rulegen_field *f, bool may_range);
/* "low-high" or a prefix. */
void rulegen_range_value(struct rulegen *g, const struct rulegen_field *f, char *out, size_t size);
/* From a few neighbouring values, the ends, or anywhere. */
uint32_t rulegen_number(struct rulegen *g, uint32_t max);
bool rulegen_is_name(const struct rulegen_field *f);
/* May the rule being written ask for that as well? nft refuses matches that contradict each other. */
bool rulegen_claim(struct rulegen *g, const char *key);

/* ---- rulegen_match.c ---- */

void rulegen_put_match(struct rulegen *g);

/* ---- rulegen_set.c ---- */

void rulegen_put_sets(struct rulegen *g);
/* Behind an element's key. */
typedef void rulegen_after(struct rulegen *g, unsigned int arg);
/* @n of them, at most RULEGEN_POINTS; fewer where one is drawn again. */
void rulegen_put_points(struct rulegen *g, const struct rulegen_field *f, uint32_t n,
			rulegen_after *after, unsigned int arg);
void rulegen_put_elements(struct rulegen *g, const struct rulegen_field *f, bool intervals,
			  rulegen_after *after, unsigned int arg);

/* ---- rulegen_map.c ---- */

/* Verdicts may be jumps to chains c0 … @n_below - 1. */
void rulegen_put_vmap(struct rulegen *g, unsigned int n_below);
void rulegen_put_maps(struct rulegen *g, unsigned int n_chains);
/* A rule that asks a named map; false: not here. */
bool rulegen_put_map_lookup(struct rulegen *g);
void rulegen_put_family(struct rulegen *g, unsigned int n_below);
void rulegen_put_family_map(struct rulegen *g);

/* rulegen_dynamic.c: definitions, a statement, a match; the latter two may find no place. */
void rulegen_put_dynamic(struct rulegen *g);
void rulegen_put_change(struct rulegen *g);
bool rulegen_put_lookup(struct rulegen *g);

#endif
