/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making selectors: simplify, then hash-cons.
 *
 * Two things bind every simplification. It must not lose that a selector can fail: an argument that
 * is dropped must not be partial (x and 0 is 0 only where x always has a value). And it must be
 * stable: built again from its printed form, a selector comes out the same; so arguments are never
 * reordered by identity, only constants go last.
 */
#include <assert.h>
#include <linux/netfilter.h>

#include "ir_apply.h"
#include "ir_index.h"

static bool is_const(const struct ir_sel *s)
{
	return s->op == IR_CONST;
}

static bool is_filled(const struct ir_sel *s, uint8_t with)
{
	uint32_t i;

	for (i = 0; i < s->width; i++)
		if (s->bytes[i] != with)
			return false;
	return true;
}

static struct ir_sel *const_filled(struct ir *ir, uint32_t width, uint8_t with)
{
	uint8_t bytes[IR_MAX_WIDTH];

	memset(bytes, with, sizeof(bytes));
	return ir_const(ir, bytes, width);
}

/* ---- hash-consing ---- */

static uint64_t sel_hash(const struct ir_sel *s)
{
	uint64_t h = ir_hash_u64(IR_HASH_INIT, s->op | (uint64_t)s->width << 8);
	uint32_t i;

	for (i = 0; i < s->n_args; i++)
		h = ir_hash_u64(h, s->args[i]->id);
	switch (s->op) {
	case IR_CONST:
		return ir_hash(h, s->bytes, s->width);
	case IR_LEAF:
		h = ir_hash_u64(h, (uintptr_t)s->leaf);
		return ir_hash(h, s->param, sizeof(s->param));
	case IR_MAP:
		return ir_hash_u64(h, s->set->id);
	case IR_FIRST_OPERATOR ... IR_LAST_OPERATOR:
		break;
	}
	return ir_hash_u64(h, s->n | (uint64_t)s->m << 32);
}

bool ir_nodes_equal(const struct ir_sel *a, const struct ir_sel *b)
{
	if (a->op != b->op || a->width != b->width || a->n_args != b->n_args ||
	    a->impure != b->impure)
		return false;
	switch (a->op) {
	case IR_CONST:
		return memcmp(a->bytes, b->bytes, a->width) == 0;
	case IR_LEAF:
		return a->leaf == b->leaf && a->state == b->state &&
		       memcmp(a->param, b->param, sizeof(a->param)) == 0;
	case IR_MAP:
		return a->set == b->set;
	case IR_FIRST_OPERATOR ... IR_LAST_OPERATOR:
		break;
	}
	return a->n == b->n && a->m == b->m;
}

static bool sel_equal(const struct ir_sel *a, const struct ir_sel *b)
{
	return ir_nodes_equal(a, b) &&
	       (!a->n_args || memcmp(a->args, b->args, a->n_args * sizeof(*a->args)) == 0);
}

/* Copies what @want points to into the arena and makes it a selector of the ir. */
static struct ir_sel *sel_intern(struct ir *ir, const struct ir_sel *want)
{
	struct ir_sel *s = arena_memdup(ir->arena, want, sizeof(*want));
	uint32_t i;

	if (s->op == IR_CONST)
		s->bytes = arena_memdup(ir->arena, s->bytes, s->width);
	s->args = s->n_args ? arena_memdup(ir->arena, s->args, s->n_args * sizeof(*s->args)) : NULL;
	s->id = ir->n_sels++;
	s->size = 1;
	for (i = 0; i < s->n_args; i++) {
		s->partial |= s->args[i]->partial;
		s->size = MIN(s->size, UINT32_MAX / 2) + MIN(s->args[i]->size, UINT32_MAX / 2);
	}
	return s;
}

static struct ir_sel *sel_cons(struct ir *ir, const struct ir_sel *want)
{
	uint64_t h = sel_hash(want);
	struct ir_sel *s;
	size_t pos = 0;

	assert(want->width >= 1 && want->width <= IR_MAX_WIDTH);
	if (want->impure)
		return sel_intern(ir, want);
	while ((s = ir_index_next(&ir->tables->sels, h, &pos)))
		if (sel_equal(s, want))
			return s;
	s = sel_intern(ir, want);
	ir_index_add(&ir->tables->sels, ir->arena, h, s);
	return s;
}

/* An operation: computed here where all arguments are constants. */
static struct ir_sel *sel_apply(struct ir *ir, const struct ir_sel *want)
{
	const uint8_t *args[IR_MAX_WIDTH];
	uint8_t out[IR_MAX_WIDTH];
	uint32_t i;

	for (i = 0; i < want->n_args; i++) {
		if (!is_const(want->args[i]))
			return sel_cons(ir, want);
		args[i] = want->args[i]->bytes;
	}
	ir_apply(want, args, out);
	return ir_const(ir, out, want->width);
}

/* ---- constructors ---- */

struct ir_sel *ir_const(struct ir *ir, const void *bytes, uint32_t width)
{
	return sel_cons(ir,
			&(struct ir_sel){.op = IR_CONST, .width = (uint16_t)width, .bytes = bytes});
}

struct ir_sel *ir_leaf(struct ir *ir, const struct ir_leaf *leaf, uint32_t width,
		       const uint64_t *params)
{
	struct ir_sel want = {
		.op = IR_LEAF,
		.width = (uint16_t)width,
		.partial = leaf->partial,
		.impure = leaf->impure,
		.leaf = leaf,
	};

	assert(!leaf->width || leaf->width == width);
	assert(leaf->n_params <= IR_LEAF_PARAMS);
	if (leaf->n_params)
		memcpy(want.param, params, leaf->n_params * sizeof(*params));
	return sel_cons(ir, &want);
}

struct ir_sel *ir_leaf_stateful(struct ir *ir, const struct ir_leaf *leaf, const uint64_t *params,
				struct ir_state *state)
{
	struct ir_sel *s = ir_leaf(ir, leaf, leaf->width, params);

	assert(leaf->impure && leaf->state == state->op);
	s->state = state; /* its own: what is impure is not shared */
	return s;
}

/*
 * What (@a @op @c) with a constant of one repeated byte is without computing it, or NULL: the
 * neutral element gives @a, the absorbing one itself.
 */
static struct ir_sel *binary_trivial(enum ir_op op, struct ir_sel *a, struct ir_sel *c)
{
	if (is_filled(c, op == IR_AND ? 0xff : 0))
		return a;
	if (op != IR_XOR && !a->partial && is_filled(c, op == IR_AND ? 0 : 0xff))
		return c;
	return NULL;
}

struct ir_sel *ir_binary(struct ir *ir, enum ir_op op, struct ir_sel *a, struct ir_sel *b)
{
	struct ir_sel *args[2] = {a, b}, *s;

	assert(op == IR_AND || op == IR_OR || op == IR_XOR);
	assert(a->width == b->width);
	if (a == b && op != IR_XOR)
		return a;
	if (a == b && !a->partial)
		return const_filled(ir, a->width, 0);
	if (is_const(a) && !is_const(b)) {
		args[0] = b;
		args[1] = a;
	}
	if (is_const(args[1]) && !is_const(args[0])) {
		s = binary_trivial(op, args[0], args[1]);
		if (s)
			return s;
		/* (x op c) op d: the constants meet. */
		if (args[0]->op == op && is_const(args[0]->args[1]))
			return ir_binary(ir, op, args[0]->args[0],
					 ir_binary(ir, op, args[0]->args[1], args[1]));
	}
	return sel_apply(ir,
			 &(struct ir_sel){.op = op, .width = a->width, .n_args = 2, .args = args});
}

struct ir_sel *ir_shift(struct ir *ir, enum ir_op op, struct ir_sel *a, uint32_t bits)
{
	assert(op == IR_SHL || op == IR_SHR);
	assert(bits < 32);
	if (!bits)
		return a;
	return sel_apply(
		ir,
		&(struct ir_sel){.op = op, .width = a->width, .n_args = 1, .args = &a, .n = bits});
}

struct ir_sel *ir_bswap(struct ir *ir, struct ir_sel *a, uint32_t unit)
{
	assert((unit == 2 || unit == 4 || unit == 8) && a->width % unit == 0);
	if (a->op == IR_BSWAP && a->n == unit)
		return a->args[0];
	return sel_apply(
		ir, &(struct ir_sel){
			    .op = IR_BSWAP, .width = a->width, .n_args = 1, .args = &a, .n = unit});
}

/* Two neighbours of a concatenation as one selector, or NULL: constants, slices that adjoin. */
static struct ir_sel *concat_join(struct ir *ir, struct ir_sel *a, struct ir_sel *b)
{
	struct ir_sel *args[2] = {a, b};

	if (is_const(a) && is_const(b))
		return sel_apply(ir, &(struct ir_sel){.op = IR_CONCAT,
						      .width = a->width + b->width,
						      .n_args = 2,
						      .args = args});
	if (a->op == IR_SLICE && b->op == IR_SLICE && a->args[0] == b->args[0] &&
	    a->n + a->width == b->n)
		return ir_slice(ir, a->args[0], a->n, a->width + b->width);
	return NULL;
}

/* Appends @s to the @n pieces: a concatenation piece by piece, joined with its neighbour. */
static uint32_t concat_add(struct ir *ir, struct ir_sel **pieces, uint32_t n, struct ir_sel *s)
{
	struct ir_sel *joined;
	uint32_t i;

	if (s->op == IR_CONCAT) {
		for (i = 0; i < s->n_args; i++)
			n = concat_add(ir, pieces, n, s->args[i]);
		return n;
	}
	joined = n ? concat_join(ir, pieces[n - 1], s) : NULL;
	if (joined)
		return concat_add(ir, pieces, n - 1, joined);
	pieces[n] = s;
	return n + 1;
}

struct ir_sel *ir_concat(struct ir *ir, struct ir_sel **args, uint32_t n)
{
	struct ir_sel *pieces[IR_MAX_WIDTH]; /* each has a byte at least */
	uint32_t width = 0, n_pieces = 0, i;

	for (i = 0; i < n; i++) {
		width += args[i]->width;
		assert(width <= IR_MAX_WIDTH);
		n_pieces = concat_add(ir, pieces, n_pieces, args[i]);
	}
	assert(n_pieces);
	if (n_pieces == 1)
		return pieces[0];
	return sel_cons(ir, &(struct ir_sel){.op = IR_CONCAT,
					     .width = (uint16_t)width,
					     .n_args = n_pieces,
					     .args = pieces});
}

/* The pieces of @cat that a slice needs, or NULL where one that it does not need can fail. */
static struct ir_sel *slice_concat(struct ir *ir, struct ir_sel *cat, uint32_t first,
				   uint32_t width)
{
	struct ir_sel *pieces[IR_MAX_WIDTH];
	uint32_t n = 0, at = 0, i;

	for (i = 0; i < cat->n_args; at += cat->args[i++]->width) {
		struct ir_sel *p = cat->args[i];
		uint32_t lo = MAX(first, at), hi = MIN(first + width, at + p->width);

		if (lo < hi)
			pieces[n++] = ir_slice(ir, p, lo - at, hi - lo);
		else if (p->partial)
			return NULL;
	}
	return ir_concat(ir, pieces, n);
}

struct ir_sel *ir_slice(struct ir *ir, struct ir_sel *a, uint32_t first, uint32_t width)
{
	struct ir_sel *s;

	assert(width >= 1 && first < a->width && width <= a->width - first);
	if (width == a->width)
		return a;
	if (a->op == IR_SLICE)
		return ir_slice(ir, a->args[0], a->n + first, width);
	s = a->op == IR_CONCAT ? slice_concat(ir, a, first, width) : NULL;
	if (s)
		return s;
	return sel_apply(ir, &(struct ir_sel){.op = IR_SLICE,
					      .width = (uint16_t)width,
					      .n_args = 1,
					      .args = &a,
					      .n = first});
}

/* A look-up that updates the element's state is impure, one that reads is not. */
struct ir_sel *ir_map(struct ir *ir, struct ir_sel *key, struct ir_set *set)
{
	assert(set->kind == IR_DATA_MAP && set->width == key->width);
	return sel_cons(ir, &(struct ir_sel){.op = IR_MAP,
					     .width = set->data_width,
					     .partial = true,
					     .impure = set->n_states > 0 || set->is_dynamic,
					     .n_args = 1,
					     .args = &key,
					     .set = set});
}

struct ir_sel *ir_scale(struct ir *ir, struct ir_sel *a, uint32_t mod, uint32_t offset)
{
	assert(a->width == 4);
	return sel_apply(ir, &(struct ir_sel){.op = IR_SCALE,
					      .width = 4,
					      .n_args = 1,
					      .args = &a,
					      .n = mod,
					      .m = offset});
}

struct ir_sel *ir_jhash(struct ir *ir, struct ir_sel *a, uint32_t seed)
{
	return sel_apply(
		ir,
		&(struct ir_sel){.op = IR_JHASH, .width = 4, .n_args = 1, .args = &a, .n = seed});
}
