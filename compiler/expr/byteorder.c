/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * byteorder: bytes of numbers reversed, where the host is little-endian (nft_byteorder_eval()).
 * Kernels that still allow several numbers at once have them without gaps, and leave alone what is
 * less than one: nft 1.0.6 asks for units of 2 in the one byte of a protocol.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

static void lower_byteorder(struct lower *lw, const struct expr *e)
{
	uint32_t sreg = (uint32_t)attr_uint(e->attrs, NFTA_BYTEORDER_SREG, 0);
	uint32_t dreg = (uint32_t)attr_uint(e->attrs, NFTA_BYTEORDER_DREG, 0);
	uint32_t len = (uint32_t)attr_uint(e->attrs, NFTA_BYTEORDER_LEN, 0);
	uint32_t size = (uint32_t)attr_uint(e->attrs, NFTA_BYTEORDER_SIZE, 0);
	struct ir_sel *src;

	if ((size != 2 && size != 4 && size != 8) || !len || (len % size && sreg != dreg)) {
		lower_block(lw, "byteorder-size", "%u bytes in units of %u", len, size);
		return;
	}
	len -= len % size;
	if (!len)
		return;
	src = lower_reg(lw, sreg, len);
	if (!src)
		return;
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		src = ir_bswap(lower_ir(lw), src, size);
	lower_set_reg(lw, dreg, src);
}

static const struct expr_op byteorder EXPR_OP_TABLE = {
	.name = "byteorder",
	.lower = lower_byteorder,
};
