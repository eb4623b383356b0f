/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a set is for the data path: code, or a structure of classify.h with a record per element.
 *
 *	form	sets				found by
 *	CODE	constant, of a few elements	a search tree of compares; the constants are in code
 *	HASH	single keys			classify.h, as the next two
 *	TREE	intervals			disjoint
 *	BOXES	concatenations of ranges	field by field
 *	DYNAMIC	what packets change		a map of the kernel's (dynamic.h)
 *
 * Sets whose elements may change, or expire, are never code. Records are u32 words: the verdict's
 * number (for chains of a template: the first of a range, and the chain's own record) or the data;
 * then, in maps to objects, which counter, or the state's place in the shared area, and where limits
 * or quotas differ which kind of them. So a program does not grow with its sets, but for the
 * verdicts and a few kinds.
 *
 * What elements keep themselves (ir_set.keeps) is in their records: a word that says which kind of
 * expressions, then, at a multiple of 8, struct ir_counter of a counter, 8 bytes of others. Packets
 * change it in place, all CPUs the same. A counter is what was counted here: the kernel's own element
 * has what was there before.
 *
 * Times of expiry are ns of CLOCK_MONOTONIC; the kernel's own are ticks (nft_set_elem_expired()), so
 * that the two may differ by a tick.
 */
#ifndef NFT_BPF_COMPILER_SET_TABLE_H
#define NFT_BPF_COMPILER_SET_TABLE_H

#include "classify/classify.h"
#include "ir.h"
#include "template.h"

#define SET_MAX_CODE	 64   /* elements of CODE */
#define SET_MAX_RANGES	 32768 /* each is code */
#define SET_MAX_SHAPES	 256   /* likewise */
#define SET_MAX_KINDS	 65536
#define SET_KINDS_IN_CODE 16

enum set_form {
	SET_FORM_CODE,
	SET_FORM_HASH,
	SET_FORM_TREE,
	SET_FORM_BOXES,
	SET_FORM_DYNAMIC,
};

struct set_kind {
	uint32_t number;
	const struct ir_elem *like;
};

struct set_table {
	enum set_form form;
	uint32_t data_words;		 /* of a record, before those of states */
	const struct ir_elem **verdicts; /* an element with each verdict */
	uint32_t *numbers;		 /* of these verdicts */
	uint32_t n_verdicts;
	/* Verdicts that are one piece of code: numbers from .first on. Ascending. */
	struct set_range {
		uint32_t first;
		const struct ir_elem *like;
	} *ranges;
	uint32_t n_ranges;
	const struct ir_elem **kinds; /* by number: an element with states of each kind */
	uint32_t n_kinds;	      /* 0: no element has states */
	struct ir_index *kind_index;  /* struct set_kind */
	/* set_states.c, for more than SET_KINDS_IN_CODE; else NULL. */
	uint64_t *rows; /* by kind: the shape, the parameters */
	uint32_t row_words;
	const struct ir_elem **shapes;
	uint32_t n_shapes;
	struct map_place rows_place; /* table_place.c */
	uint32_t kept_words;	      /* of a record, for states */
	void *blob;			 /* NULL: CODE; index: the element's place in set->elems */
	size_t blob_size;
	struct classify_info info;
	/* set_place.c: which set's map holds the blob, and where. */
	uint32_t map, map_offset;
	bool shares; /* others' are in there, too */
};

/*
 * The table of @set, made when it is not there yet; it lives as long as @ir. -EOPNOTSUPP: no form
 * for it, *ret_why (malloc'ed) says why; -ENOMEM.
 */
int set_table_get(struct ir *ir, struct ir_set *set, const struct set_table **ret, char **ret_why);
void set_table_free(struct ir_set *set);
/*
 * Takes over the blob of another table of the set, a malloc'ed copy of what a map has, if it says the
 * same as the set's own; then indexes are that one's. False: nothing was changed.
 */
bool set_table_adopt(struct ir_set *set, void *blob, size_t size);

/* set_place.c: gives each blob its place; until then each has a map of its own. */
void set_tables_place(struct ir *ir);
/*
 * Of the map that is called by the set with id @map: where its last blob begins, and the largest limit
 * of any; both together are in the map, so that the verifier need not know which blob is meant.
 */
void set_map_bounds(const struct ir *ir, uint32_t map, uint64_t *ret_last, uint64_t *ret_limit);
/* Its bytes. */
size_t set_map_size(const struct ir *ir, uint32_t map);

/* The form alone, which may turn out not to be possible. */
enum set_form set_table_form(const struct ir_set *set);
/* Sets that keep: where in a record the kind's word is, and the states; bytes. */
static inline uint32_t set_kind_at(uint32_t data_words)
{
	return 4 * data_words;
}
static inline uint32_t set_kept_at(uint32_t data_words)
{
	return 4 * ROUND_UP(data_words + 1, 2u);
}
/* The @i-th thing that elements of a kind keep; NULL: there is no more. */
const struct ir_state *set_table_state(const struct ir_set *set, const struct ir_elem *kind,
				       uint32_t i);
/* A kind's expressions as the model has them. */
const struct exprs *set_table_kind_exprs(const struct ir_set *set, const struct ir_elem *kind);
/* Words of a record. */
uint32_t set_table_words(const struct ir_set *set, const struct set_table *t);
/* "hash", "interval tree"…, for people. */
const char *set_form_name(enum set_form form);

#endif
