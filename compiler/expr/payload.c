/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * payload: bytes of the packet, from its link layer, network or transport header.
 *
 * nft_payload_eval(): bytes outside the packet end the rule; a link layer load needs such a header;
 * a transport load needs a known transport protocol and no later fragment. (Up to 6.18 the fast
 * path of transport loads forgets the fragment, see doc/nft-bpf.8.)
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

static bool copy(const uint8_t *from, uint32_t have, uint64_t off, const struct ir_sel *sel,
		 uint8_t *out)
{
	if (off + sel->width > have)
		return false;
	memcpy(out, from + off, sel->width);
	return true;
}

/* The link layer header and what follows it are one piece of memory in the kernel too. */
static bool eval_ll(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	uint32_t i;

	if (!env->mac_len || sel->param[0] + sel->width > (uint64_t)env->mac_len + env->len)
		return false;
	for (i = 0; i < sel->width; i++) {
		uint64_t at = sel->param[0] + i;

		out[i] = at < env->mac_len ? env->mac[at] : env->data[at - env->mac_len];
	}
	return true;
}

static bool eval_nh(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	return copy(env->data, env->len, sel->param[0], sel, out);
}

static bool eval_th(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	struct ir_transport t = ir_packet_transport(env);

	if (!t.l4proto_known || t.frag_offset)
		return false;
	return copy(env->data, env->len, t.offset + sel->param[0], sel, out);
}

static const struct ir_leaf load_ll IR_LEAF_TABLE = {
	.name = "load ll",
	.helper = "load_ll",
	.n_params = 1,
	.partial = true,
	.cost = 6,
	.eval = eval_ll,
};
static const struct ir_leaf load_nh IR_LEAF_TABLE = {
	.name = "load nh",
	.helper = "load_nh",
	.n_params = 1,
	.partial = true,
	.cost = 2,
	.eval = eval_nh,
};
static const struct ir_leaf load_th IR_LEAF_TABLE = {
	.name = "load th",
	.helper = "load_th",
	.n_params = 1,
	.partial = true,
	.cost = 3,
	.eval = eval_th,
};

static void lower_payload(struct lower *lw, const struct expr *e)
{
	static const struct ir_leaf *const leaves[] = {
		[NFT_PAYLOAD_LL_HEADER] = &load_ll,
		[NFT_PAYLOAD_NETWORK_HEADER] = &load_nh,
		[NFT_PAYLOAD_TRANSPORT_HEADER] = &load_th,
	};
	uint64_t base = attr_uint(e->attrs, NFTA_PAYLOAD_BASE, UINT32_MAX);
	uint64_t offset = attr_uint(e->attrs, NFTA_PAYLOAD_OFFSET, 0);
	uint64_t len = attr_uint(e->attrs, NFTA_PAYLOAD_LEN, 0);
	struct blob dreg;

	if (!attr_find(e->attrs, NFTA_PAYLOAD_DREG, &dreg)) {
		lower_block(lw, "payload-write", "a BPF program cannot write to a packet");
	} else if (base >= ARRAY_SIZE(leaves)) {
		lower_block(lw, base == 3 ? "payload-inner" : "payload-base",
			    base == 3 ? "payload behind the transport header has no lowering yet"
				      : "an unknown header");
	} else if (!len || len > IR_MAX_WIDTH || offset > UINT16_MAX) {
		lower_block(lw, "expr-malformed", "%u bytes of payload", (uint32_t)len);
	} else {
		lower_set_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_PAYLOAD_DREG, 0),
			      ir_leaf(lower_ir(lw), leaves[base], (uint32_t)len, &offset));
	}
}

static const struct expr_op payload EXPR_OP_TABLE = {
	.name = "payload",
	.lower = lower_payload,
};
