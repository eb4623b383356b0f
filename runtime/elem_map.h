/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps of sets whose elements keep something: records by key, and which set a map is of. Shared by
 * the files elem_*.c.
 */
#ifndef NFT_BPF_RUNTIME_ELEM_MAP_H
#define NFT_BPF_RUNTIME_ELEM_MAP_H

#include "../compiler/classify/classify.h"
#include "elem_states.h"
#include "sets.h"

struct elem_map {
	const struct mf_set *mf;
	void *map, *blob; /* the blob is in the map, others may be in there, too */
	size_t size;
	struct classify_shape shape;
	uint32_t kind_at, kept_at; /* in a record */
};

/*
 * An anonymous set's map as the model shows it: when its rule is made anew, the kernel's elements get
 * that.
 */
struct elem_shown {
	struct elem_shown *next;
	uint32_t id; /* of the current generation */
	void *blob;
};
void elem_map_close(struct elem_map *em);
/* -ENOENT: no program used the set, so it has none. */
int elem_map_open(const struct runtime *rt, uint32_t gen, const struct mf_set *mf,
		  const struct set *s, bool writable, struct elem_map *ret);
/* Of the element whose first key it is; NULL: the catch-all. CLASSIFY_MISS: it is not in there. */
uint32_t elem_map_index(const struct elem_map *em, const uint8_t *key);
/* What it keeps; NULL: a number that the manifest does not know. */
const struct mf_kind *elem_map_kind(const struct elem_map *em, uint32_t index);
uint64_t *elem_map_words(const struct elem_map *em, uint32_t index);
uint32_t elem_kind_size(const struct mf_kind *k); /* bytes */
uint32_t elem_data_words(const struct set *s);
/* What an expression of that name keeps at @from, while packets change it. */
void elem_read_words(const uint64_t *from, const char *expr, uint64_t *ret);

struct elem_uses { /* of a generation: struct set_use by set id */
	struct set_use *array;
	uint32_t n;
	size_t size;
};

void elem_uses_close(struct elem_uses *u);
/* -ENOENT: there is none. */
int elem_uses_open(const struct runtime *rt, uint32_t gen, bool writable, struct elem_uses *ret);
/* Is @mf's map that of this very set? */
bool elem_uses_same(const struct elem_uses *u, const struct mf_set *mf, const struct set *s);
/* Its elements were made anew, with all that was in the map. */
bool elem_uses_given(const struct elem_uses *u, const struct mf_set *mf, uint32_t ruleset);
/* What a set is known by: its handle, or an anonymous one's rule's; 0: it has none yet. */
uint64_t elem_set_identity(const struct set *s, uint32_t *ret_expr);
bool elem_states_any(const struct manifest *m); /* is there such a set? */

#endif
