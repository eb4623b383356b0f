/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_BPF_DIFFTEST_RULEGEN_PRIV_H
#define NFT_BPF_DIFFTEST_RULEGEN_PRIV_H

#include <stdio.h>

#include "rulegen.h"

#define RULEGEN_DYNAMIC 3
#define RULEGEN_MAPS	4
#define RULEGEN_SETS	6
#define RULEGEN_FIELDS	5
#define RULEGEN_OBJECTS 3

enum value_kind {
	V_NUMBER, /* 0 … max */
	V_NAME,	  /* one of .names */
	V_ADDR4,
	V_ADDR6,
	V_MAC,
};

struct rulegen_field {
	const char *key, *type; /* as typeof and type name it; NULL: it has no name */
	enum value_kind kind;
	uint32_t max;
	const char *const *names;
	unsigned int in; /* IP, IP6, INET */
	bool is_key, has_range, has_mask;
};

enum { IP = 1, IP6 = 2, INET = 4, ALL = 7, V4 = IP | INET, V6 = IP6 | INET };

struct rulegen_key { /* fields, concatenated */
	const struct rulegen_field *f[RULEGEN_FIELDS];
	uint32_t n;
	bool intervals; /* elements may have ranges, or names that go on as they like */
};

struct rulegen_object { /* a map to objects */
	struct rulegen_key key;
	const char *kind;
};

struct rulegen_dynamic { /* a set that packets change */
	struct rulegen_key key; /* never of intervals */
	const struct rulegen_field *data; /* of a map; else NULL */
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
	bool of_sets; /* mostly look-ups */
	bool map_expires; /* the map being written */
	unsigned int n_sets;
	struct rulegen_key set_key[RULEGEN_SETS]; /* of the named sets */
	unsigned int n_maps;
	struct rulegen_key map_key[RULEGEN_MAPS];
	unsigned int n_objects;
	struct rulegen_object object[RULEGEN_OBJECTS];
	bool has_data; /* there is a map to marks, d0 */
	struct rulegen_key data_key;
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
/* May the rule being written ask for that as well? nft refuses matches that contradict each other. */
bool rulegen_claim(struct rulegen *g, const char *key);

/* ---- rulegen_match.c ---- */

void rulegen_put_match(struct rulegen *g);

/* ---- rulegen_key.c ---- */

/* How many fields a key should have at most. */
static inline uint32_t rulegen_fields(struct rulegen *g)
{
	return rng_one_in(&g->rng, 2) ? 1 : RULEGEN_FIELDS;
}
/* From 1 to @most fields that may be asked for in one rule, and claims them. */
void rulegen_pick_key(struct rulegen *g, struct rulegen_key *key, uint32_t most);
bool rulegen_claim_key(struct rulegen *g, const struct rulegen_key *key);
void rulegen_put_fields(struct rulegen *g, const struct rulegen_key *key); /* "a . b" */
/* "type …"; false: a field has no type with a name. */
bool rulegen_put_types(struct rulegen *g, const struct rulegen_key *key);
/* Behind an element's key. */
typedef void rulegen_after(struct rulegen *g, unsigned int arg);
void rulegen_put_elements(struct rulegen *g, const struct rulegen_key *key, rulegen_after *after,
			  unsigned int arg);
/* Elements that overlap; false: not with this key. */
bool rulegen_put_crossing(struct rulegen *g, const struct rulegen_key *key, rulegen_after *after,
			  unsigned int arg);

/* ---- rulegen_set.c ---- */

void rulegen_put_sets(struct rulegen *g);
/* A match; false: it has no place in the rule being written. */
bool rulegen_put_set_lookup(struct rulegen *g);
/* A named set's or map's; returns whether its elements may have times of their own. */
bool rulegen_put_flags(struct rulegen *g, bool intervals);
void rulegen_put_options(struct rulegen *g, unsigned int expires); /* an element's */
void rulegen_put_nothing(struct rulegen *g, unsigned int arg);

/* ---- rulegen_map.c ---- */

/* Verdicts may be jumps to chains c0 … @n_below - 1. */
void rulegen_put_vmap(struct rulegen *g, unsigned int n_below);
void rulegen_put_maps(struct rulegen *g, unsigned int n_chains);
/* A rule that asks a named map; false: not here. */
bool rulegen_put_map_lookup(struct rulegen *g);
void rulegen_put_family(struct rulegen *g, unsigned int n_below);
void rulegen_put_family_map(struct rulegen *g);

/* ---- rulegen_object.c ---- */

void rulegen_put_objects(struct rulegen *g);
/* A statement that asks a map to objects, which may find no place; one that writes. */
void rulegen_put_object(struct rulegen *g);
void rulegen_put_write(struct rulegen *g);

/* rulegen_dynamic.c: definitions, a statement, a match; the latter two may find no place. */
void rulegen_put_dynamic(struct rulegen *g);
void rulegen_put_change(struct rulegen *g);
bool rulegen_put_lookup(struct rulegen *g);

#endif
