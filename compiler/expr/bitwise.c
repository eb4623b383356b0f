/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitwise: (register & mask) ^ xor, shifts, and with Linux 6.13 and, or and xor of two registers or
 * of a register and a constant.
 *
 * nft_bitwise_eval() works on whole 32-bit words. What lies behind the length is zero in a register
 * that was written with that length, so and, or and xor may as well take just the bytes asked for;
 * shifts move bits across and take the words.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

/* Linux 6.13; older headers lack them. */
enum { BITWISE_AND = 3, BITWISE_OR = 4, BITWISE_XOR = 5 };
enum { BITWISE_SREG2 = 8 };

static void lower_mask_xor(struct lower *lw, const struct expr *e, struct ir_sel *src,
			   uint32_t dreg)
{
	struct ir *ir = lower_ir(lw);
	struct blob mask, xor;

	if (!attr_data(e->attrs, NFTA_BITWISE_MASK, &mask) ||
	    !attr_data(e->attrs, NFTA_BITWISE_XOR, &xor) || mask.len != src->width ||
	    xor.len != src->width) {
		lower_block(lw, "expr-malformed", "bitwise without mask or xor of its length");
		return;
	}
	src = ir_binary(ir, IR_AND, src, ir_const(ir, mask.data, mask.len));
	src = ir_binary(ir, IR_XOR, src, ir_const(ir, xor.data, xor.len));
	lower_set_reg(lw, dreg, src);
}

static void lower_shift(struct lower *lw, const struct expr *e, uint32_t sreg, uint32_t len,
			uint32_t dreg, enum ir_op op)
{
	struct ir_sel *src = lower_reg(lw, sreg, ROUND_UP(len, 4u));
	struct blob data;
	uint32_t bits;

	/* The shift is a number in the host's order. */
	if (!attr_data(e->attrs, NFTA_BITWISE_DATA, &data) || data.len != sizeof(bits)) {
		lower_block(lw, "expr-malformed", "a shift without its number of bits");
		return;
	}
	memcpy(&bits, data.data, sizeof(bits));
	if (!bits || bits >= 32)
		lower_block(lw, "expr-malformed", "a shift by %u bits", bits);
	else if (src)
		lower_set_reg(lw, dreg, ir_shift(lower_ir(lw), op, src, bits));
}

static void lower_two(struct lower *lw, const struct expr *e, uint32_t sreg, uint32_t len,
		      uint32_t dreg, enum ir_op op)
{
	uint32_t sreg2 = (uint32_t)attr_uint(e->attrs, BITWISE_SREG2, 0), words = ROUND_UP(len, 4u);
	struct ir_sel *a = lower_reg(lw, sreg, words), *b;
	uint8_t bytes[IR_MAX_WIDTH] = {0};
	struct blob data;

	if (sreg2) {
		b = lower_reg(lw, sreg2, words);
	} else if (attr_data(e->attrs, NFTA_BITWISE_DATA, &data) && data.len == len &&
		   words <= sizeof(bytes)) {
		memcpy(bytes, data.data, len);
		b = ir_const(lower_ir(lw), bytes, words);
	} else {
		lower_block(lw, "expr-malformed", "bitwise without a second operand");
		return;
	}
	if (a && b)
		lower_set_reg(lw, dreg, ir_binary(lower_ir(lw), op, a, b));
}

static void lower_bitwise(struct lower *lw, const struct expr *e)
{
	uint32_t sreg = (uint32_t)attr_uint(e->attrs, NFTA_BITWISE_SREG, 0);
	uint32_t dreg = (uint32_t)attr_uint(e->attrs, NFTA_BITWISE_DREG, 0);
	uint32_t len = (uint32_t)attr_uint(e->attrs, NFTA_BITWISE_LEN, 0);
	uint32_t op = (uint32_t)attr_uint(e->attrs, NFTA_BITWISE_OP, NFT_BITWISE_BOOL);
	struct ir_sel *src;

	switch (op) {
	case NFT_BITWISE_BOOL:
		src = lower_reg(lw, sreg, len);
		if (src)
			lower_mask_xor(lw, e, src, dreg);
		break;
	case NFT_BITWISE_LSHIFT:
		lower_shift(lw, e, sreg, len, dreg, IR_SHL);
		break;
	case NFT_BITWISE_RSHIFT:
		lower_shift(lw, e, sreg, len, dreg, IR_SHR);
		break;
	case BITWISE_AND:
		lower_two(lw, e, sreg, len, dreg, IR_AND);
		break;
	case BITWISE_OR:
		lower_two(lw, e, sreg, len, dreg, IR_OR);
		break;
	case BITWISE_XOR:
		lower_two(lw, e, sreg, len, dreg, IR_XOR);
		break;
	default:
		lower_block(lw, "bitwise-op", "operation %u has no lowering", op);
	}
}

static const struct expr_op bitwise EXPR_OP_TABLE = {
	.name = "bitwise",
	.lower = lower_bitwise,
};
