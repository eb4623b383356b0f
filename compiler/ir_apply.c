/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pure operations on register bytes, each as the nf_tables expression it stands for does it.
 */
#include "ir_apply.h"

/*
 * nft_bitwise_eval_lshift(), _rshift(): native words; what one word loses comes in at its
 * neighbour.
 */
static void apply_shift(bool left, const uint8_t *in, uint32_t width, uint32_t bits, uint8_t *out)
{
	uint32_t w[IR_MAX_WIDTH / 4] = {0}, n = ROUND_UP(width, 4u) / 4, carry = 0, i;

	memcpy(w, in, width);
	for (i = 0; i < n; i++) {
		uint32_t *p = &w[left ? n - 1 - i : i], v = *p;

		*p = (left ? v << bits : v >> bits) | carry;
		if (bits)
			carry = left ? v >> (32 - bits) : v << (32 - bits);
	}
	memcpy(out, w, width);
}

static void apply_bswap(const uint8_t *in, uint32_t width, uint32_t unit, uint8_t *out)
{
	uint32_t i;

	for (i = 0; i < width; i++)
		out[i] = in[i / unit * unit + unit - 1 - i % unit];
}

static uint32_t rol32(uint32_t v, uint32_t n)
{
	return v << n | v >> (32 - n);
}

/* Bob Jenkins' lookup3 (public domain) in the form of the kernel's jhash(). */
static uint32_t jhash(const uint8_t *k, uint32_t len, uint32_t seed)
{
	static const uint8_t mix[6] = {4, 6, 8, 16, 19, 4};
	static const uint8_t final[7] = {14, 11, 25, 16, 4, 14, 24};
	uint32_t v[3], w[3] = {0}, i;

	v[0] = v[1] = v[2] = 0xdeadbeefu + len + seed;
	while (len > 12) {
		memcpy(w, k, 12);
		for (i = 0; i < 3; i++)
			v[i] += w[i];
		for (i = 0; i < 6; i++) {
			uint32_t *a = &v[i % 3], *b = &v[(i + 1) % 3], *c = &v[(i + 2) % 3];

			*a = (*a - *c) ^ rol32(*c, mix[i]);
			*c += *b;
		}
		k += 12;
		len -= 12;
	}
	/* The rest is put together little end first on every host. */
	for (i = 0; i < len; i++)
		v[i / 4] += (uint32_t)k[i] << 8 * (i % 4);
	for (i = 0; i < 7 && len; i++) {
		uint32_t *c = &v[(i + 2) % 3], *b = &v[(i + 1) % 3];

		*c = (*c ^ *b) - rol32(*b, final[i]);
	}
	return v[2];
}

static void put_u32(uint8_t *out, uint32_t v)
{
	memcpy(out, &v, sizeof(v));
}

static void apply_scale(const uint8_t *in, uint32_t mod, uint32_t offset, uint8_t *out)
{
	uint32_t v;

	memcpy(&v, in, sizeof(v));
	put_u32(out, (uint32_t)((uint64_t)v * mod >> 32) + offset);
}

void ir_apply(const struct ir_sel *sel, const uint8_t *const *args, uint8_t *out)
{
	uint32_t i;

	switch (sel->op) {
	case IR_AND:
		for (i = 0; i < sel->width; i++)
			out[i] = args[0][i] & args[1][i];
		return;
	case IR_OR:
		for (i = 0; i < sel->width; i++)
			out[i] = args[0][i] | args[1][i];
		return;
	case IR_XOR:
		for (i = 0; i < sel->width; i++)
			out[i] = args[0][i] ^ args[1][i];
		return;
	case IR_SHL:
	case IR_SHR:
		apply_shift(sel->op == IR_SHL, args[0], sel->width, sel->n, out);
		return;
	case IR_BSWAP:
		apply_bswap(args[0], sel->width, sel->n, out);
		return;
	case IR_CONCAT:
		for (i = 0; i < sel->n_args; out += sel->args[i++]->width)
			memcpy(out, args[i], sel->args[i]->width);
		return;
	case IR_SLICE:
		memcpy(out, args[0] + sel->n, sel->width);
		return;
	case IR_SCALE:
		apply_scale(args[0], sel->n, sel->m, out);
		return;
	case IR_JHASH:
		put_u32(out, jhash(args[0], sel->args[0]->width, sel->n));
		return;
	case IR_CONST:
	case IR_LEAF:
	case IR_MAP:
		break;
	}
	abort(); /* not an operation on values alone */
}
