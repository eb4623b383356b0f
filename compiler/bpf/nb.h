/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF side of the compiler shares: the packet as rules see it, and the calling forms of
 * helpers. Everything here is compiled to bitcode, linked into each module and inlined; the rule
 * logic that calls it comes from compiler/emit.
 *
 * A value of width w is passed in chunks: chunk i holds bytes 8i … 8i+7 (fewer in the last one) of
 * the nf_tables register, read as a big-endian integer. So widths up to 8 are one plain number.
 *
 * Leaf helper (struct ir_leaf.helper), false = no value, *out is then not used:
 *	NB_LEAF(meta_mark) { out[0] = …; return true; }
 * gets p, width, p0..p3 (the leaf's params, always constants) and out.
 *
 * Effect helper (struct ir_effect_op.helper), false = the rule ends:
 *	NB_EFFECT(limit) { … }
 * gets p, state (the state's bytes in nb_state, or NULL), p0..p5 and args (the chunks of the
 * step's selectors, one after the other).
 */
#ifndef NFT_BPF_COMPILER_BPF_NB_H
#define NFT_BPF_COMPILER_BPF_NB_H

#include "kernel.h" /* the kernel's types that we read, with preserve_access_index */

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Lives on the program's stack, mostly in registers once inlined. Filled by nb_pkt_init(). */
struct nb_pkt {
	struct bpf_nf_ctx *ctx;
	const struct nf_hook_state *state;
	struct sk_buff *skb;
	const __u8 *data; /* network header; readable for linear bytes */
	__u32 linear;	  /* skb->len - skb->data_len */
	__u32 len;	  /* skb->len */
	__u32 th;	  /* offset of the transport header from data */
	__u8 pf;	  /* a constant in every program */
	__u8 l4proto;
	bool l4_known;	  /* false: truncated IPv6 headers; l4proto and transport loads fail */
	bool later_frag;  /* a later fragment: transport loads fail */
};

#define NB_INLINE static __attribute__((always_inline)) inline
/* Functions that generated code calls must not be dropped by clang: external, hidden, inlined. */
#define NB_API __attribute__((always_inline, used, visibility("hidden")))

#define NB_LEAF(name)                                                                              \
	NB_API bool nb_##name(struct nb_pkt *p, __u64 width, __u64 p0, __u64 p1, __u64 p2,         \
			      __u64 p3, __u64 *out)
#define NB_EFFECT(name)                                                                            \
	NB_API bool nb_##name(struct nb_pkt *p, void *state, __u64 p0, __u64 p1, __u64 p2,         \
			      __u64 p3, __u64 p4, __u64 p5, const __u64 *args)

#endif
