/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPsec: was a packet unpacked, by which states; by which will it be packed. nft_xfrm_get_eval()
 * decides.
 */
#include "route.h"

enum { XFRM_MODE_TUNNEL = 1, XFRM_MODE_BEET = 4, XFRM_MODE_IPTFS = 5, MAX_DEPTH = 6 /* XFRM_MAX_DEPTH */ };
enum { KEY_DADDR4 = 1, KEY_DADDR6, KEY_SADDR4, KEY_SADDR6, KEY_REQID, KEY_SPI };

/* secpath_exists() */
NB_LEAF(meta_secpath)
{
	const struct sk_buff *skb = p->skb;

	out[0] = 0;
	if (bpf_core_field_exists(skb->active_extensions) &&
	    bpf_core_enum_value_exists(enum skb_ext_id, SKB_EXT_SEC_PATH))
		out[0] = skb->active_extensions >>
				 bpf_core_enum_value(enum skb_ext_id, SKB_EXT_SEC_PATH) & 1;
	return true;
}

/* skb_sec_path() and its element @n, or NULL. */
NB_INLINE struct xfrm_state *state_in(struct sk_buff *skb, __u32 n)
{
	struct xfrm_state *x = NULL;
	const struct sec_path *sp;
	struct skb_ext *ext;
	__u8 offset = 0;
	__u32 id;

	if (!bpf_core_field_exists(skb->active_extensions) ||
	    !bpf_core_enum_value_exists(enum skb_ext_id, SKB_EXT_SEC_PATH))
		return NULL;
	id = bpf_core_enum_value(enum skb_ext_id, SKB_EXT_SEC_PATH);
	if (!(skb->active_extensions >> id & 1))
		return NULL;
	ext = skb->extensions;
	bpf_probe_read_kernel(&offset, 1, __builtin_preserve_access_index(&ext->offset[0]) + id);
	sp = (void *)ext + 8 * offset;
	if (BPF_CORE_READ(sp, len) <= (int)n)
		return NULL;
	bpf_probe_read_kernel(&x, sizeof(x),
			      __builtin_preserve_access_index(&sp->xvec[0]) + n);
	return x;
}

/* The state of the bundle's route @n, or NULL. */
NB_INLINE struct xfrm_state *state_out(struct sk_buff *skb, __u32 n)
{
	const struct dst_entry *dst = (void *)(skb->_skb_refdst & ~1ul); /* SKB_DST_NOREF */
	const struct xfrm_state *x;

	if (!dst || BPF_CORE_READ(dst, flags) & 0x80 /* DST_METADATA */)
		return NULL;
	for (__u32 i = 0; i < MAX_DEPTH && dst; i++) {
		x = BPF_CORE_READ(dst, xfrm);
		if (!x)
			return NULL;
		if (i == n)
			return (void *)x;
		dst = BPF_CORE_READ((const struct xfrm_dst *)dst, child);
	}
	return NULL;
}

/* Numbers up to 32 bits have this beside them, so that zero says: no value. */
#define FOUND (1ull << 32)

/* @half, of an address, 0 or 1: 8 bytes each, of IPv4 4. */
NB_GLOBAL __u64 nb_xfrm_read(struct bpf_nf_ctx *ctx, __u32 key, __u32 out, __u32 n)
{
	struct xfrm_state *x = out ? state_out(ctx->skb, n) : state_in(ctx->skb, n);
	__u8 mode, family;

	if (!x)
		return 0;
	if (key == KEY_REQID)
		return FOUND | BPF_CORE_READ(x, props.reqid);
	if (key == KEY_SPI)
		return FOUND | BPF_CORE_READ(x, id.spi);
	mode = BPF_CORE_READ(x, props.mode);
	family = BPF_CORE_READ(x, props.family);
	if (mode != XFRM_MODE_BEET && mode != XFRM_MODE_TUNNEL && mode != XFRM_MODE_IPTFS)
		return 0;
	if (key == KEY_DADDR4)
		return family == NFPROTO_IPV4 ? FOUND | BPF_CORE_READ(x, id.daddr.a4) : 0;
	if (key == KEY_SADDR4)
		return family == NFPROTO_IPV4 ? FOUND | BPF_CORE_READ(x, props.saddr.a4) : 0;
	return family == NFPROTO_IPV6 ? FOUND : 0;
}

/* Half 0 or 1 of an IPv6 address; nb_xfrm_read() knows that there is one. */
NB_GLOBAL __u64 nb_xfrm_addr6(struct bpf_nf_ctx *ctx, __u32 key, __u32 out_n, __u32 half)
{
	struct xfrm_state *x = out_n >> 8 ? state_out(ctx->skb, out_n & 0xff)
					  : state_in(ctx->skb, out_n & 0xff);
	const __u8 *at;
	__u64 bytes = 0;

	if (!x)
		return 0;
	at = key == KEY_DADDR6 ? (const __u8 *)__builtin_preserve_access_index(&x->id.daddr)
			       : (const __u8 *)__builtin_preserve_access_index(&x->props.saddr);
	bpf_probe_read_kernel(&bytes, 8, at + (half ? 8 : 0));
	return bpf_be64_to_cpu(bytes);
}

/* @p0: key; @p1: 0 in, 1 out; @p2: which state. */
NB_LEAF(ipsec)
{
	const __u64 v = nb_xfrm_read(p->ctx, p0, p1, p2);

	if (!v)
		return false;
	if (p0 == KEY_DADDR6 || p0 == KEY_SADDR6) {
		out[0] = nb_xfrm_addr6(p->ctx, p0, p1 << 8 | p2, 0);
		out[1] = nb_xfrm_addr6(p->ctx, p0, p1 << 8 | p2, 1);
	} else {
		out[0] = bpf_ntohl((__u32)v); /* the register's bytes, whatever they mean */
	}
	return true;
}
