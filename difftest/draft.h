/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet that is being thought up: which bits of it, and of its surroundings, are settled.
 *
 * The solver turns guards into settled bits: a guard on a selector becomes a wish for a value, and
 * the wish is pushed down through the selector's operations to the leaves. What stays open is
 * filled in when the packet is built.
 */
#ifndef NFT_BPF_DIFFTEST_DRAFT_H
#define NFT_BPF_DIFFTEST_DRAFT_H

#include "../compiler/ir.h"
#include "rng.h"

enum draft_area_kind {
	AREA_NH, /* bytes from the network header */
	AREA_TH, /* from the transport header */
	AREA_LL, /* the link layer header */
	AREA_LEAF,
};

#define DRAFT_AREA_BYTES 160
#define DRAFT_AREAS	 20

struct draft_area {
	enum draft_area_kind kind;
	const struct ir_sel *sel; /* AREA_LEAF: the leaf */
	uint32_t used;		  /* bytes that must be there */
	uint8_t val[DRAFT_AREA_BYTES], mask[DRAFT_AREA_BYTES];
};

struct draft {
	uint8_t pf;
	struct draft_area area[DRAFT_AREAS]; /* the first three are NH, TH, LL */
	unsigned int n_areas;
	bool ct_original; /* it goes in its connection's first direction */
};

void draft_init(struct draft *d, uint8_t pf);

/* The area a leaf reads, and where in it; NULL: no room. */
struct draft_area *draft_area_of(struct draft *d, const struct ir_sel *leaf, uint32_t *ret_off);
/* Settles a leaf's bits; false: others are settled already. */
bool draft_settle(struct draft *d, const struct ir_sel *leaf, const uint8_t *val,
		  const uint8_t *mask);

/* The area of the leaf called @name, or NULL when nothing was asked of it. */
const struct draft_area *draft_leaf(const struct draft *d, const char *name);
/* A leaf's settled value as a host integer of at most 8 bytes (register bytes in host order). */
bool draft_leaf_u32(const struct draft *d, const char *name, uint32_t *ret_val, uint32_t *ret_mask);
/* Is byte @off of this area settled in all its bits? */
bool draft_byte(const struct draft_area *a, uint32_t off, uint8_t *ret);

/* One thing that must hold. */
struct wish {
	const struct ir_sel *sel;
	enum { WISH_VALUE, WISH_GUARD } kind; /* VALUE: the selector must have one */
	enum ir_guard guard;
	const uint8_t *lo, *hi;
	const struct ir_set *set;
	const struct ir_elem *elem; /* IR_IN: this element; NULL: any */
};
/* The wish that a guard, need or verdict map step holds. */
struct wish wish_of_step(const struct ir_step *step);
struct wish wish_negated(const struct wish *w);
/* Is @v (sel->width bytes) what a guard wish asks for? */
bool wish_holds(const struct wish *w, const uint8_t *v);

/* Settles bits so that @w holds whatever the open bits become; false: not found, @d as before. */
bool draft_solve(struct draft *d, const struct wish *w, struct rng *rng);

/* ---- bigint.c: byte strings as big-endian numbers ---- */

bool bytes_add(uint8_t *v, uint32_t n, int delta); /* in place; false: wrapped */
void bytes_between(uint8_t *out, const uint8_t *lo, const uint8_t *hi, uint32_t n,
		   struct rng *rng);

/* The element that holds this key, or NULL. */
const struct ir_elem *set_find(const struct ir_set *set, const uint8_t *key);

#endif
