/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a dispatch (ir.h) is for the data path: keys instead of rows, records instead of rules.
 *
 * Keys. The fields' values one after the other. A field that may have no value, and that some row
 * does not ask for, has a byte more in front: 1, or 0 and zeros when there is no value. Boxes do
 * without it where a value of at most 2 bytes is named by no row: that one stands for none, since the
 * rows that hold it are those that do not ask. Their fields have an order of their own, wide ones first.
 *
 *	form	rows				found by
 *	CODE	points but in the last field	compares, above a few a search tree of them
 *	HASH	points				classify.h, as the next two
 *	TREE	as CODE				disjoint intervals
 *	BOXES	any				the first of the boxes that hold the key
 *
 * Records. Rules that differ in nothing but their counters, and in which chain of a template
 * (template.h) they jump to, share code, a "shape". So what a look-up gives is a record of u32 words:
 * the shape's number (when there are several), then in the order of its steps the number of each
 * counter of it, and of the chain. A program grows with the number of shapes, not
 * with that of rules.
 */
#ifndef NFT_BPF_COMPILER_DISPATCH_H
#define NFT_BPF_COMPILER_DISPATCH_H

#include "classify/classify.h"
#include "ir.h"
#include "template.h"

#define DISPATCH_MAX_CODE     32   /* pieces of CODE */
#define DISPATCH_LINEAR	      12   /* of them in a row, below a tree */
#define DISPATCH_MAX_SHAPES   8192 /* each is code */
#define DISPATCH_MAX_NUMBERS  15   /* of one rule: counters, a chain */

struct dispatch_piece {
	const uint8_t *lo, *hi; /* table->key_width bytes; hi == lo: a point */
	uint32_t rule;
};

struct dispatch_table {
	bool lacks[IR_MAX_FIELDS];    /* has the byte in front */
	bool replaced[IR_MAX_FIELDS]; /* none is stand_in instead */
	uint16_t stand_in[IR_MAX_FIELDS];
	uint8_t order[IR_MAX_FIELDS]; /* of the fields in a key */
	uint32_t key_width;
	/* CODE, TREE: disjoint, ascending; HASH: distinct; BOXES: the rows. By classify's index. */
	struct dispatch_piece *pieces;
	uint32_t n_pieces;
	uint32_t *shape;  /* by rule */
	uint32_t *shapes; /* a rule of each */
	uint32_t n_shapes;
	uint32_t n_numbers; /* most that a shape has */
	struct map_place place; /* of the blob; table_place.c */
	void *blob;	     /* NULL: CODE */
	size_t blob_size;
	struct classify_info info;
};

/* Can @sel be without a value where @pf's packets are? Network headers are whole in all hooks. */
bool sel_may_lack(const struct ir_sel *sel, uint8_t pf);

/*
 * The table of @d, made when it is not there yet. 0; -EINVAL: its form cannot have such rows;
 * -E2BIG: too many shapes or pieces, or boxes that overlap too much.
 */
int dispatch_table_get(struct ir *ir, struct ir_dispatch *d, const struct dispatch_table **ret);

/* About what a look-up costs a packet, ns (classify_info.cost_ns). */
uint32_t dispatch_cost(const struct ir_dispatch *d, const struct dispatch_table *t);

/* The record of @rule: words into @ret, of dispatch_words() each. */
uint32_t dispatch_words(const struct dispatch_table *t);
void dispatch_record(const struct ir_dispatch *d, const struct dispatch_table *t, uint32_t rule,
		     uint32_t *ret);

/* ---- table_place.c ---- */

struct table_bytes {
	const void *bytes;
	size_t len, room; /* behind @len there are zeros */
	bool is_called;	  /* looked up by a function that others in the map share */
	struct map_place *place;
};
/* Makes what is missing of all dispatches' tables, and gives these and records of templates places. */
int tables_place(struct ir *ir);
/* Calls @fn for each of them until it fails. */
int tables_each(const struct ir *ir, int (*fn)(void *arg, const struct table_bytes *t), void *arg);
/* What is called in map @map: where the last one begins, and the largest limit, both together in the map. */
void tables_bounds(const struct ir *ir, uint32_t map, uint64_t *ret_last, uint64_t *ret_limit);

/* ---- dispatch_shape.c ---- */

/* Fills .shape, .shapes, .n_shapes, .n_numbers. -E2BIG: more than the limits above. */
int dispatch_shapes(struct arena *a, const struct ir_dispatch *d, struct dispatch_table *t);
/* The chain whose record @st jumps with, or NULL. */
const struct ir_chain *dispatch_target(const struct ir_step *st);
/* The counter that @st counts in, or NULL. */
static inline const struct ir_state *dispatch_counter(const struct ir_step *st)
{
	return st->kind == IR_EFFECT && st->effect->per_cpu ? st->state : NULL;
}

/* ---- dispatch_sweep.c ---- */

/* Rows of one field, the first that holds wins: disjoint intervals in ascending order. */
void dispatch_sweep(struct arena *a, const struct dispatch_piece *rows, uint32_t n, uint32_t width,
		    struct dispatch_piece **ret, uint32_t *ret_n);

#endif
