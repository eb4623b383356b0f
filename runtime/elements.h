/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of named sets, changed in place: what the parts of it share.
 */
#ifndef NFT_BPF_RUNTIME_ELEMENTS_H
#define NFT_BPF_RUNTIME_ELEMENTS_H

#include "../compiler/classify/classify.h"
#include "../compiler/ruleset.h"
#include "manifest.h"
#include "sets.h"

struct batch;

/* ---- element_batch.c ---- */

struct elem_batch {
	struct ruleset *sets; /* heads, with what was read of them */
	bool adds, deletes, excl;
	const struct set **flushed;
	size_t n_flushed;
};
void elem_batch_fini(struct elem_batch *eb);
/* Whether it is about elements alone, and of which kind; -EOPNOTSUPP: of more. */
int elem_batch_look(struct elem_batch *eb, const struct batch *b);
/* What it adds, or what it deletes (@type is a message's), in place of what was read before. */
int elem_batch_read(struct elem_batch *eb, const struct batch *b, int type, struct diags *ds);
bool elem_batch_flushes(const struct elem_batch *eb, const struct set *s);
struct set *elem_batch_set(const struct elem_batch *eb, uint8_t family, const char *table,
			   const char *name);

/* ---- element_spans.c ---- */

struct span {
	const uint8_t *lo, *hi; /* inclusive */
	const struct set_elem *elem;
};

/* Whether ends of intervals are elements of their own. */
bool is_paired(const struct set *s);
/* What a batch says of a set, in the arena; intervals in order. -EOPNOTSUPP: catch-all elements. */
int make_spans(struct arena *a, const struct set *s, struct span **ret, size_t *ret_n);

/* ---- element_map.c ---- */

/* One set in one map. */
struct target {
	const struct mf_set *mf;
	const struct set *set;
	void *map, *blob; /* the blob is in the map, which others may be in, too */
	size_t size, use_size;
	struct set_use *use, *all_use;
	struct classify_shape shape;
	uint32_t *spare, n_spare; /* indexes to be taken before all others; n_spare are left */
	bool settled; /* packets that read by freed indexes are gone */
	bool mixed; /* the batch adds and deletes: what is there may be meant to be made anew */
};

int target_open(const struct runtime *rt, uint32_t gen, const struct mf_set *mf, struct target *t);
void target_fini(struct target *t);
/* -ENOSPC, -ENOENT (a verdict that programs do not know), …: the map has no place for it. */
int target_add(struct target *t, const struct span *sp);
int target_delete(struct target *t, const struct span *sp);
/*
 * Nothing but these is in the set from now on. What was in it and will be is all the time; what is
 * new comes before what is old goes.
 */
int target_replace(struct target *t, const struct span *spans, size_t n);
/* Whether the map is such that it can, and has room. */
bool target_can_replace(const struct target *t, const struct span *spans, size_t n);

#endif
