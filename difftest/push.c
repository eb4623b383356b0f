/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Selectors, backwards: which value their leaves must have for a value to come out.
 */
#include "push.h"

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

void pick_key(uint8_t *key, const struct ir_set *set, const struct ir_elem *e, struct rng *rng)
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
bool push_some_elem(struct draft *d, const struct ir_sel *key_sel, const struct ir_set *set,
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

bool push(struct draft *d, const struct ir_sel *s, const uint8_t *val, const uint8_t *mask,
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
		return draft_settle(d, s, val, mask);
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

/* Bits of @s that can be one at all, as far as constant masks tell. */
void live_bits(const struct ir_sel *s, uint8_t *out)
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
void known_bits(struct draft *d, const struct ir_sel *s, uint8_t *val, uint8_t *mask)
{
	uint32_t off, at = 0;

	memset(mask, 0, s->width);
	memset(val, 0, s->width);
	if (s->op == IR_LEAF) {
		struct draft_area *a = draft_area_of(d, s, &off);

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
