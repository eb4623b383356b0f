/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF side of the compiler shares: the packet as rules see it, and the calling forms of
 * helpers. Everything here is compiled to bitcode, all helpers as one unit (so names are not used
 * twice); what rules call is read into their module and inlined. The rule logic that calls it comes
 * from compiler/emit.
 *
 * A value of width w is passed in chunks: chunk i holds bytes 8i … 8i+7 (fewer in the last one) of
 * the nf_tables register, read as a big-endian integer. So widths up to 8 are one plain number.
 *
 * Leaf helper (struct ir_leaf.helper), false = no value, *out is then not used:
 *	NB_LEAF(meta_mark) { out[0] = …; return true; }
 * gets p, width, p0..p3 (the leaf's params, always constants) and out.
 *
 * Leaf helper that keeps state (struct ir_leaf.state): the same with NB_LEAF_STATE, and state.
 *
 * Effect helper (struct ir_effect_op.helper), false = the rule ends:
 *	NB_EFFECT(limit) { … }
 * gets p, state (the state's bytes in nb_state, or NULL), p0..p5 and args (the chunks of the
 * step's selectors, one after the other).
 *
 * What the verifier has learnt about a value by a compare with a constant it keeps, and lists of
 * rules over such values explode in its state space. So
 *   - struct nb_pkt must stay in registers: never pass it to a function that is not inlined, never
 *     keep its address. Pass p->ctx to functions of their own (NB_GLOBAL).
 *   - What rules compare again and again lives in struct nb_frame, is read through the volatile
 *     accessors below for each use, and is thus unknown to the verifier each time.
 *   - Loops over a constant count say #pragma unroll and have one exit, or they stay loops, and the
 *     arrays they walk stay on the stack, of which a program has 512 bytes in all.
 */
#ifndef NFT_BPF_COMPILER_BPF_NB_H
#define NFT_BPF_COMPILER_BPF_NB_H

#include "kernel.h" /* the kernel's types that we read, with preserve_access_index */

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NB_INLINE static __attribute__((always_inline)) inline
/* Functions that generated code calls must not be dropped by clang: external, hidden, inlined. */
#define NB_API __attribute__((always_inline, used, visibility("hidden")))
/* A BPF function of its own, verified by itself, once; arguments: ctx, numbers, memory. */
#define NB_GLOBAL __attribute__((noinline, used, weak))

/*
 * Kept on the stack in pairs of 4 bytes, the first one written first: the verifier then takes all 8
 * bytes for unknown data (a lone 4-byte store at a multiple of 8 it would track).
 */
struct nb_frame {
	volatile __u32 l4proto, th;
	volatile __u64 scratch; /* result of nb_load_slow() */
};

struct nb_pkt {
	struct bpf_nf_ctx *ctx;
	struct sk_buff *skb;
	struct nb_frame *frame;
	__u8 pf; /* a constant in every program */
};

enum { IPV4_FIXED = 20, IPV6_FIXED = 40 }; /* bytes of a header without options */

#define NB_L4_UNKNOWN 0x100	 /* l4proto: a truncated chain of IPv6 headers */
#define NB_TH_NONE    0x7fff0000 /* th: none (unknown, or a later fragment); beyond every packet */

/*
 * Accessors: loads where they are asked for, so that a packet that the first rules decide on pays
 * for none of them, and no register is held over rules that do not ask. A program whose helpers
 * reach nb_l4proto() or nb_th() gets nb_transport_init() before they are called, others do not:
 * emit finds out by itself.
 */
NB_INLINE const struct nf_hook_state *nb_state(struct nb_pkt *p)
{
	return p->ctx->state;
}
NB_INLINE const __u8 *nb_data(struct nb_pkt *p) /* network header; readable for linear bytes */
{
	return p->skb->data;
}
NB_INLINE __u32 nb_linear(struct nb_pkt *p) /* bytes readable at nb_data() */
{
	return p->skb->len - p->skb->data_len;
}
NB_API __u32 nb_len(struct nb_pkt *p); /* skb->len */
/* The transport protocol, or NB_L4_UNKNOWN. Also known for later fragments. */
NB_API __u32 nb_l4proto(struct nb_pkt *p);
/* Offset of the transport header from nb_data(), or NB_TH_NONE: then transport loads fail. */
NB_API __u32 nb_th(struct nb_pkt *p);

/*
 * @width bytes (constant) at @off from the network header into chunks; false: outside the packet.
 * Non-linear packets included. nb_load_bytes() is for any offset, nb_load_nh() (a leaf) knows what
 * needs no check.
 */
NB_API bool nb_load_bytes(struct nb_pkt *p, __u32 off, __u64 width, __u64 *out);
/* Up to 8 bytes, without a look at the linear part; 0 when outside the packet, else 1. */
int nb_load_slow(struct bpf_nf_ctx *ctx, __u32 off, __u32 width, __u64 *out);

/* Bytes 0…width-1 (at most 8) at @from as a big-endian number; no check. */
NB_INLINE __u64 nb_get(const __u8 *from, __u32 width)
{
#define NB_AT(type, i) ((__u64) * (const volatile type *)(from + (i)))
	switch (width) {
	case 1:
		return NB_AT(__u8, 0);
	case 2:
		return bpf_ntohs(NB_AT(__u16, 0));
	case 3:
		return (__u64)bpf_ntohs(NB_AT(__u16, 0)) << 8 | NB_AT(__u8, 2);
	case 4:
		return bpf_ntohl(NB_AT(__u32, 0));
	case 5:
		return (__u64)bpf_ntohl(NB_AT(__u32, 0)) << 8 | NB_AT(__u8, 4);
	case 6:
		return (__u64)bpf_ntohl(NB_AT(__u32, 0)) << 16 | bpf_ntohs(NB_AT(__u16, 4));
	case 7:
		return (__u64)bpf_ntohl(NB_AT(__u32, 0)) << 24 |
		       (__u64)bpf_ntohs(NB_AT(__u16, 4)) << 8 | NB_AT(__u8, 6);
	default:
		return bpf_be64_to_cpu(NB_AT(__u64, 0));
	}
#undef NB_AT
}

/* Host-order numbers, as nf_tables keeps them in registers, as a chunk. */
#define nb_host16(v) ((__u64)bpf_htons(v))
#define nb_host32(v) ((__u64)bpf_htonl(v))
#define nb_host64(v) ((__u64)bpf_cpu_to_be64(v))

#define NB_LEAF(name)                                                                              \
	NB_API bool nb_##name(struct nb_pkt *p, __u64 width, __u64 p0, __u64 p1, __u64 p2,         \
			      __u64 p3, __u64 *out)
#define NB_LEAF_STATE(name)                                                                        \
	NB_API bool nb_##name(struct nb_pkt *p, __u64 width, __u64 p0, __u64 p1, __u64 p2,         \
			      __u64 p3, __u64 *out, void *state)
#define NB_EFFECT(name)                                                                            \
	NB_API bool nb_##name(struct nb_pkt *p, void *state, __u64 p0, __u64 p1, __u64 p2,         \
			      __u64 p3, __u64 p4, __u64 p5, const __u64 *args)

#endif
