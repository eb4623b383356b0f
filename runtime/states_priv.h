/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A generation's map of states, which only the files of states.h look into.
 */
#ifndef NFT_BPF_RUNTIME_STATES_PRIV_H
#define NFT_BPF_RUNTIME_STATES_PRIV_H

#include "states.h"

/* An entry of the map "states". */
struct kept {
	uint64_t table;	   /* tables_hash() */
	uint64_t chain;	   /* the same with the chain's, or the object's, name */
	uint64_t handle;   /* of the rule; 0: not known, or an object */
	uint64_t base;	   /* the predecessor's word when this one was made */
	uint32_t position; /* of the rule in its chain; 0: an object */
	uint32_t expr;
	uint32_t offset; /* in the map "state" */
	uint32_t fresh;	 /* made by the batch: takes nothing over */
	char op[16];
};

struct states { /* of one generation, mapped */
	uint8_t *words;
	struct kept *kept;
	struct kept **by_rule; /* sorted by table, handle, expression; objects by chain */
	uint32_t n;
	size_t words_size, kept_size;
};

/* -ENOENT without an error when the generation keeps nothing. */
int states_open(const struct runtime *rt, uint32_t gen, struct diags *ds, struct states *ret);
void states_close(struct states *s);
/* The entry of @key's table, handle (or, of an object, chain), expression and op; NULL. */
const struct kept *states_find(const struct states *s, const struct kept *key);
uint64_t *states_word(const struct states *s, const struct kept *k);
/* The word of a named object; 0 is where it begins. */
void states_reset_object(const struct states *s, const struct object *o);
/* Of a chain or object, from tables_hash() of its table. */
uint64_t states_hash_name(uint64_t hash, const char *name);

#endif
