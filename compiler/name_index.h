/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names to objects in constant time: the hash table below the ruleset model's find functions.
 *
 * A key is (kind, number, name); what a kind means is its user's matter. Keys are not copied: a
 * name must stay where it is for as long as it is in the index.
 */
#ifndef NFT_BPF_COMPILER_NAME_INDEX_H
#define NFT_BPF_COMPILER_NAME_INDEX_H

#include "util.h"

struct name_key {
	uint32_t kind;
	uint32_t number;
	const char *name; /* never NULL; "" where only the number counts */
};

struct name_index;

struct name_index *name_index_new(void);
void name_index_free(struct name_index *ix);
/* The object, or NULL. With several of one key: any. */
void *name_index_find(const struct name_index *ix, struct name_key key);
int name_index_add(struct name_index *ix, struct name_key key, void *object);
/* Removes the entry of this very object; nothing if it is not there. */
void name_index_remove(struct name_index *ix, struct name_key key, const void *object);

#endif
