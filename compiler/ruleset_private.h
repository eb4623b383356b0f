/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ruleset.c and ruleset_set.c share: the kinds of names in a table's index.
 */
#ifndef NFT_BPF_COMPILER_RULESET_PRIVATE_H
#define NFT_BPF_COMPILER_RULESET_PRIVATE_H

#include "name_index.h"
#include "ruleset.h"

enum key_kind {
	KEY_TABLE,  /* number: family */
	KEY_CHAIN,
	KEY_CHAIN_ID,
	KEY_SET,
	KEY_SET_ID,
	KEY_OBJECT, /* number: type */
	KEY_FLOWTABLE,
};

/* struct table's index. */
struct table_index {
	struct name_index *names; /* NULL while the table is being freed */
	uint32_t last_chain;	  /* number of the last anonymous chain */
	uint32_t next_set, next_map; /* no smaller number of an anonymous set is free */
};
#define table_names(t) (((struct table_index *)(t)->index)->names)

#endif
