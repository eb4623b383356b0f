/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Solving one wish: candidates for the selector's value are pushed down to the leaves until one of
 * them contradicts nothing that is settled already.
 */
#include "draft.h"

#define TRIES 24

void draft_init(struct draft *d, uint8_t pf)
{
	*d = (struct draft){.pf = pf, .n_areas = 3};
	d->area[0].kind = AREA_NH;
	d->area[1].kind = AREA_TH;
	d->area[2].kind = AREA_LL;
}

const struct draft_area *draft_leaf(const struct draft *d, const char *name)
{
	for (unsigned int i = AREA_LEAF; i < d->n_areas; i++)
		if (strcmp(d->area[i].sel->leaf->name, name) == 0)
			return &d->area[i];
	return NULL;
}

bool draft_leaf_u32(const struct draft *d, const char *name, uint32_t *ret_val, uint32_t *ret_mask)
{
	const struct draft_area *a = draft_leaf(d, name);

	if (!a || a->sel->width != 4)
		return false;
	memcpy(ret_val, a->val, 4);
	memcpy(ret_mask, a->mask, 4);
	return true;
}

bool draft_byte(const struct draft_area *a, uint32_t off, uint8_t *ret)
{
	if (off >= DRAFT_AREA_BYTES || a->mask[off] != 0xff)
		return false;
	*ret = a->val[off];
	return true;
}

/* ---- leaves ---- */

static bool same_leaf(const struct ir_sel *a, const struct ir_sel *b)
{
	return a->leaf == b->leaf && a->width == b->width &&
	       memcmp(a->param, b->param, sizeof(a->param)) == 0;
}

/* The area a leaf reads, and where in it; NULL: no room. */
static struct draft_area *area_of(struct draft *d, const struct ir_sel *leaf, uint32_t *ret_off)
{
	static const char *const load[] = {"load nh", "load th", "load ll"};

	for (unsigned int i = 0; i < ARRAY_SIZE(load); i++)
		if (strcmp(leaf->leaf->name, load[i]) == 0) {
			*ret_off = (uint32_t)leaf->param[0];
			return *ret_off + leaf->width <= DRAFT_AREA_BYTES ? &d->area[i] : NULL;
		}
	*ret_off = 0;
	for (unsigned int i = AREA_LEAF; i < d->n_areas; i++)
		if (same_leaf(d->area[i].sel, leaf))
			return &d->area[i];
	if (d->n_areas == DRAFT_AREAS)
		return NULL;
	d->area[d->n_areas] = (struct draft_area){.kind = AREA_LEAF, .sel = leaf};
	return &d->area[d->n_areas++];
}

static bool settle_leaf(struct draft *d, const struct ir_sel *leaf, const uint8_t *val,
			const uint8_t *mask)
{
	uint32_t off;
	struct draft_area *a = area_of(d, leaf, &off);

	if (!a)
		return false;
	for (uint32_t i = 0; i < leaf->width; i++)
		if ((a->val[off + i] ^ val[i]) & a->mask[off + i] & mask[i])
			return false;
	for (uint32_t i = 0; i < leaf->width; i++) {
		a->val[off + i] |= val[i] & mask[i];
		a->mask[off + i] |= mask[i];
	}
	a->used = MAX(a->used, off + leaf->width);
	return true;
}

/* ---- pushing a value down ---- */

static bool push(struct draft *d, const struct ir_sel *s, const uint8_t *val, const uint8_t *mask,
		 struct rng *rng);

static uint32_t word(const uint8_t *v, uint32_t width, uint32_t i)
{
	uint8_t w[4] = {0};
	uint32_t x;

	memcpy(w, v + 4 * i, MIN(4u, width - 4 * i));
	memcpy(&x, w, 4);
	return x;
}

static void put_word(uint8_t *v, uint32_t width, uint32_t i, uint32_t x)
{
	memcpy(v + 4 * i, &x, MIN(4u, width - 4 * i));
}

/* Over native words, the first being the highest, as nft_bitwise_eval_lshift() has it. */
static void shift(uint8_t *out, const uint8_t *in, uint32_t width, uint32_t bits, bool left)
{
	uint32_t n = (width + 3) / 4, carry = 0;

	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = left ? n - 1 - k : k, x = word(in, width, i);

		put_word(out, width, i, left ? x << bits | carry : x >> bits | carry);
		carry = left ? x >> (32 - bits) : x << (32 - bits);
	}
}

/* Result @val under @mask of a shift by s->n: what went in is the opposite shift of it. */
static bool push_shift(struct draft *d, const struct ir_sel *s, const uint8_t *val,
		       const uint8_t *mask, struct rng *rng)
{
	uint8_t v[IR_MAX_WIDTH], m[IR_MAX_WIDTH], back[IR_MAX_WIDTH] = {0}, ones[IR_MAX_WIDTH];
	bool left = s->op == IR_SHL;
	uint32_t w = s->width;

	for (uint32_t i = 0; i < w; i++)
		back[i] = val[i] & mask[i];
	shift(v, back, w, s->n, !left);
	shift(m, mask, w, s->n, !left);
	/* Bits that are shifted in are zero: the wish must not ask for more. */
	memset(ones, 0xff, w);
	shift(back, ones, w, s->n, left);
	for (uint32_t i = 0; i < w; i++)
		if (val[i] & mask[i] & ~back[i])
			return false;
	return push(d, s->args[0], v, m, rng);
}

static bool push_bits(struct draft *d, const struct ir_sel *s, const uint8_t *val,
		      const uint8_t *mask, struct rng *rng)
{
	const struct ir_sel *c = s->args[1], *x = s->args[0];
	uint8_t v[IR_MAX_WIDTH], m[IR_MAX_WIDTH];

	if (c->op != IR_CONST) {
		const struct ir_sel *swap = c;

		c = x;
		x = swap;
	}
	if (c->op != IR_CONST)
		return false;
	for (uint32_t i = 0; i < s->width; i++) {
		uint8_t k = c->bytes[i];

		v[i] = val[i];
		m[i] = mask[i];
		if (s->op == IR_XOR)
			v[i] ^= k;
		else if (s->op == IR_AND && (val[i] & mask[i] & ~k))
			return false;
		else if (s->op == IR_OR && (~val[i] & mask[i] & k))
			return false;
		if (s->op == IR_AND)
			m[i] &= k;
		if (s->op == IR_OR)
			m[i] &= (uint8_t)~k;
	}
	return push(d, x, v, m, rng);
}

static bool push_bswap(struct draft *d, const struct ir_sel *s, const uint8_t *val,
		       const uint8_t *mask, struct rng *rng)
{
	uint8_t v[IR_MAX_WIDTH], m[IR_MAX_WIDTH];

	for (uint32_t i = 0; i < s->width; i++) {
		uint32_t j = i / s->n * s->n + (s->n - 1 - i % s->n);

		if (j >= s->width)
			return false;
		v[j] = val[i];
		m[j] = mask[i];
	}
	return push(d, s->args[0], v, m, rng);
}

static bool push_concat(struct draft *d, const struct ir_sel *s, const uint8_t *val,
			const uint8_t *mask, struct rng *rng)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < s->n_args; i++) {
		if (!push(d, s->args[i], val + at, mask + at, rng))
			return false;
		at += s->args[i]->width;
	}
	return true;
}

static bool push_slice(struct draft *d, const struct ir_sel *s, const uint8_t *val,
		       const uint8_t *mask, struct rng *rng)
{
	uint8_t v[IR_MAX_WIDTH] = {0}, m[IR_MAX_WIDTH] = {0};

	memcpy(v + s->n, val, s->width);
	memcpy(m + s->n, mask, s->width);
	return push(d, s->args[0], v, m, rng);
}

static void pick_key(uint8_t *key, const struct ir_set *set, const struct ir_elem *e,
		     struct rng *rng)
{
	uint32_t at = 0;

	if (!e->lo) {
		rng_bytes(rng, key, set->width);
		return;
	}
	if (!set->ranged) {
		bytes_between(key, e->lo, e->hi, set->width, rng);
		return;
	}
	for (uint32_t f = 0; f < set->n_fields; f++) {
		bytes_between(key + at, e->lo + at, e->hi + at, set->field_width[f], rng);
		at += set->field_width[f];
	}
}

/* A key of some element for which @ok holds, from a random place on. */
static bool push_some_elem(struct draft *d, const struct ir_sel *key_sel, const struct ir_set *set,
			   bool (*ok)(const struct ir_set *set, const struct ir_elem *e,
				      const void *arg),
			   const void *arg, struct rng *rng)
{
	size_t start = rng_below(rng, (uint32_t)set->n_elems), tried = 0;
	uint8_t key[IR_MAX_WIDTH], all[IR_MAX_WIDTH];

	memset(all, 0xff, sizeof(all));
	for (size_t i = 0; i < set->n_elems && tried < 4096; i++) {
		const struct ir_elem *e = &set->elems[(start + i) % set->n_elems];
		struct draft old;

		if (!ok(set, e, arg))
			continue;
		tried++;
		pick_key(key, set, e, rng);
		if (!e->lo && set_find(set, key) != e)
			continue;
		old = *d;
		if (push(d, key_sel, key, all, rng))
			return true;
		*d = old;
	}
	return false;
}

struct data_wish {
	const uint8_t *val, *mask;
};

static bool has_data(const struct ir_set *set, const struct ir_elem *e, const void *arg)
{
	const struct data_wish *w = arg;

	if (!e->data)
		return false;
	for (uint32_t i = 0; i < set->data_width; i++)
		if ((e->data[i] ^ w->val[i]) & w->mask[i])
			return false;
	return true;
}

static bool push(struct draft *d, const struct ir_sel *s, const uint8_t *val, const uint8_t *mask,
		 struct rng *rng)
{
	struct data_wish dw = {val, mask};

	switch (s->op) {
	case IR_CONST:
		for (uint32_t i = 0; i < s->width; i++)
			if ((s->bytes[i] ^ val[i]) & mask[i])
				return false;
		return true;
	case IR_LEAF:
		return settle_leaf(d, s, val, mask);
	case IR_AND:
	case IR_OR:
	case IR_XOR:
		return push_bits(d, s, val, mask, rng);
	case IR_SHL:
	case IR_SHR:
		return push_shift(d, s, val, mask, rng);
	case IR_BSWAP:
		return push_bswap(d, s, val, mask, rng);
	case IR_CONCAT:
		return push_concat(d, s, val, mask, rng);
	case IR_SLICE:
		return push_slice(d, s, val, mask, rng);
	case IR_MAP:
		return push_some_elem(d, s->args[0], s->set, has_data, &dw, rng);
	case IR_SCALE:
	case IR_JHASH:
		return true; /* luck: the caller checks what came of it */
	}
	return false;
}

/* ---- candidates ---- */

/* Bits of @s that can be one at all, as far as constant masks tell. */
static void live_bits(const struct ir_sel *s, uint8_t *out)
{
	uint8_t a[IR_MAX_WIDTH];
	uint32_t at = 0;

	memset(out, 0xff, s->width);
	if (s->op == IR_AND && s->args[1]->op == IR_CONST) {
		live_bits(s->args[0], a);
		for (uint32_t i = 0; i < s->width; i++)
			out[i] = a[i] & s->args[1]->bytes[i];
	} else if (s->op == IR_CONST) {
		memcpy(out, s->bytes, s->width);
	} else if (s->op == IR_CONCAT) {
		for (uint32_t i = 0; i < s->n_args; i++) {
			live_bits(s->args[i], out + at);
			at += s->args[i]->width;
		}
	} else if (s->op == IR_SHL || s->op == IR_SHR) {
		live_bits(s->args[0], a);
		shift(out, a, s->width, s->n, s->op == IR_SHL);
	}
}

/* What is settled of @s already, where it is a leaf or near one. */
static void known_bits(struct draft *d, const struct ir_sel *s, uint8_t *val, uint8_t *mask)
{
	uint32_t off, at = 0;

	memset(mask, 0, s->width);
	memset(val, 0, s->width);
	if (s->op == IR_LEAF) {
		struct draft_area *a = area_of(d, s, &off);

		if (!a)
			return;
		memcpy(val, a->val + off, s->width);
		memcpy(mask, a->mask + off, s->width);
	} else if (s->op == IR_AND && s->args[1]->op == IR_CONST) {
		known_bits(d, s->args[0], val, mask);
		for (uint32_t i = 0; i < s->width; i++) {
			val[i] &= s->args[1]->bytes[i];
			mask[i] |= (uint8_t)~s->args[1]->bytes[i];
		}
	} else if (s->op == IR_CONCAT) {
		for (uint32_t i = 0; i < s->n_args; i++) {
			known_bits(d, s->args[i], val + at, mask + at);
			at += s->args[i]->width;
		}
	} else if (s->op == IR_CONST) {
		memcpy(val, s->bytes, s->width);
		memset(mask, 0xff, s->width);
	}
}

/* Random, but with the bits that are settled and without those that cannot be. */
static void random_value(struct draft *d, const struct ir_sel *s, uint8_t *v, struct rng *rng)
{
	uint8_t val[IR_MAX_WIDTH], mask[IR_MAX_WIDTH], live[IR_MAX_WIDTH];

	rng_bytes(rng, v, s->width);
	live_bits(s, live);
	known_bits(d, s, val, mask);
	for (uint32_t i = 0; i < s->width; i++)
		v[i] = (uint8_t)((v[i] & live[i] & ~mask[i]) | (val[i] & mask[i]));
}

static void flip_live_bit(const struct ir_sel *s, uint8_t *v, struct rng *rng)
{
	uint8_t live[IR_MAX_WIDTH];

	live_bits(s, live);
	for (int i = 0; i < 64; i++) {
		uint32_t bit = rng_below(rng, s->width * 8u);

		if (live[bit / 8] & 1 << bit % 8) {
			v[bit / 8] ^= (uint8_t)(1 << bit % 8);
			return;
		}
	}
}

/* Something outside of lo … hi, near it more often than not. */
static void outside(struct draft *d, const struct wish *w, uint8_t *v, struct rng *rng)
{
	uint32_t n = w->sel->width;

	switch (rng_below(rng, 4)) {
	case 0:
		memcpy(v, w->lo, n);
		bytes_add(v, n, -1);
		return;
	case 1:
		memcpy(v, w->hi, n);
		bytes_add(v, n, 1);
		return;
	case 2:
		memcpy(v, w->lo, n);
		flip_live_bit(w->sel, v, rng);
		return;
	}
	random_value(d, w->sel, v, rng);
}

static void outside_set(struct draft *d, const struct wish *w, uint8_t *v, struct rng *rng)
{
	const struct ir_set *set = w->set;
	const struct ir_elem *e;

	if (!set->n_elems || rng_one_in(rng, 3)) {
		random_value(d, w->sel, v, rng);
		return;
	}
	e = &set->elems[rng_below(rng, (uint32_t)set->n_elems)];
	if (!e->lo)
		e = &set->elems[0];
	if (!e->lo)
		return;
	memcpy(v, rng_one_in(rng, 2) ? e->lo : e->hi, set->width);
	bytes_add(v, set->width, rng_one_in(rng, 2) ? 1 : -1);
}

static void candidate(struct draft *d, const struct wish *w, uint8_t *v, struct rng *rng)
{
	switch (w->guard) {
	case IR_EQ:
		memcpy(v, w->lo, w->sel->width);
		return;
	case IR_RANGE:
		bytes_between(v, w->lo, w->hi, w->sel->width, rng);
		return;
	case IR_NE:
		outside(d, &(struct wish){.sel = w->sel, .lo = w->lo, .hi = w->lo}, v, rng);
		return;
	case IR_NOT_RANGE:
		outside(d, w, v, rng);
		return;
	case IR_IN:
		if (w->elem)
			pick_key(v, w->set, w->elem, rng);
		return;
	case IR_NOT_IN:
		outside_set(d, w, v, rng);
		return;
	}
}

static bool holds(const struct wish *w, const uint8_t *v)
{
	uint32_t n = w->sel->width;
	bool inside;

	switch (w->guard) {
	case IR_EQ:
	case IR_NE:
		return (memcmp(v, w->lo, n) == 0) == (w->guard == IR_EQ);
	case IR_RANGE:
	case IR_NOT_RANGE:
		inside = memcmp(w->lo, v, n) <= 0 && memcmp(v, w->hi, n) <= 0;
		return inside == (w->guard == IR_RANGE);
	case IR_IN:
		return w->elem ? set_find(w->set, v) == w->elem : set_find(w->set, v) != NULL;
	case IR_NOT_IN:
		return set_find(w->set, v) == NULL;
	}
	return false;
}

static bool any_elem(const struct ir_set *set UNUSED, const struct ir_elem *e UNUSED,
		     const void *arg UNUSED)
{
	return true;
}

static bool settled_and_holds(struct draft *d, const struct wish *w)
{
	uint8_t val[IR_MAX_WIDTH], mask[IR_MAX_WIDTH];

	known_bits(d, w->sel, val, mask);
	for (uint32_t i = 0; i < w->sel->width; i++)
		if (mask[i] != 0xff)
			return false;
	return holds(w, val);
}

static bool solve_value(struct draft *d, const struct ir_sel *sel, struct rng *rng)
{
	uint8_t zero[IR_MAX_WIDTH] = {0};

	return push(d, sel, zero, zero, rng);
}

bool draft_solve(struct draft *d, const struct wish *w, struct rng *rng)
{
	uint8_t v[IR_MAX_WIDTH] = {0}, all[IR_MAX_WIDTH];
	struct draft old = *d;

	if (w->kind == WISH_VALUE)
		return solve_value(d, w->sel, rng);
	if (settled_and_holds(d, w))
		return true;
	if (w->guard == IR_IN && !w->elem)
		return push_some_elem(d, w->sel, w->set, any_elem, NULL, rng);
	memset(all, 0xff, sizeof(all));
	for (int i = 0; i < TRIES; i++) {
		candidate(d, w, v, rng);
		if (holds(w, v) && push(d, w->sel, v, all, rng))
			return true;
		*d = old;
	}
	return false;
}

/* ---- wishes ---- */

struct wish wish_of_step(const struct ir_step *step)
{
	struct wish w = {.sel = step->sel, .kind = WISH_GUARD, .guard = step->guard,
			 .lo = step->lo, .hi = step->hi, .set = step->set};

	if (step->kind == IR_NEED)
		w.kind = WISH_VALUE;
	if (step->kind == IR_VMAP)
		w.guard = IR_IN;
	return w;
}

struct wish wish_negated(const struct wish *w)
{
	static const enum ir_guard opposite[] = {
		[IR_EQ] = IR_NE,	     [IR_NE] = IR_EQ, [IR_RANGE] = IR_NOT_RANGE,
		[IR_NOT_RANGE] = IR_RANGE, [IR_IN] = IR_NOT_IN, [IR_NOT_IN] = IR_IN,
	};
	struct wish n = *w;

	n.guard = opposite[w->guard];
	n.elem = NULL;
	return n;
}
