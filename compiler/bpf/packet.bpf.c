/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the packet: link layer, network and transport header.
 *
 * skb->data is the network header in every hook (in test runs network_header is not set). Bytes in
 * the linear part are plain loads; those outside come through a dynptr, in a function of its own.
 * The kernel guarantees the fixed IPv4 and IPv6 header to be linear in every hook (ip_rcv_core(),
 * ip6_rcv_core(), br_validate_ipv4(), and all output paths build it there).
 */
#include "nb.h"

char _license[] SEC("license") = "GPL"; /* kfuncs are for GPL programs only */

enum {
	ETH_PROTO = 12,	     /* offset of h_proto */
	VLAN_ETH_FIXED = 18, /* struct vlan_ethhdr */
	MAC_UNSET = 0xffff,
};

NB_API __u32 nb_len(struct nb_pkt *p)
{
	return p->skb->len;
}

NB_GLOBAL int nb_load_slow(struct bpf_nf_ctx *ctx, __u32 off, __u32 width, __u64 *out)
{
	struct bpf_dynptr d;
	__u64 bytes = 0;

	if (!out || width > sizeof(bytes))
		return 0;
	if (bpf_dynptr_from_skb(ctx->skb, 0, &d))
		return 0;
	if (bpf_dynptr_read(&bytes, width, &d, off, 0))
		return 0;
	*out = bpf_be64_to_cpu(bytes) >> (64 - 8 * width);
	return 1;
}

/* One chunk, @off unknown or beyond the fixed header. */
NB_INLINE bool load_chunk(struct nb_pkt *p, __u32 off, __u32 width, __u64 *out)
{
	if (__builtin_expect(off + width <= nb_linear(p), 1)) {
		*out = nb_get(nb_data(p) + off, width);
		return true;
	}
	if (!nb_load_slow(p->ctx, off, width, (__u64 *)&p->frame->scratch))
		return false;
	*out = p->frame->scratch;
	return true;
}

/* Unrolled, for @out to become values. */
#define EACH_CHUNK(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

NB_API bool nb_load_bytes(struct nb_pkt *p, __u32 off, __u64 width, __u64 *out)
{
#define CHUNK(i)                                                                                   \
	if (width > 8 * (i)) {                                                                     \
		if (!load_chunk(p, off + 8 * (i), width > 8 * (i) + 8 ? 8 : width - 8 * (i),       \
				&out[i]))                                                          \
			return false;                                                              \
	}
	EACH_CHUNK(CHUNK)
	return true;
#undef CHUNK
}

/* "load nh OFFSET WIDTH" */
NB_LEAF(load_nh)
{
	const __u32 fixed = p->pf == NFPROTO_IPV4 ? IPV4_FIXED : IPV6_FIXED;
	const __u8 *data = nb_data(p);

	if (p0 + width > fixed)
		return nb_load_bytes(p, p0, width, out);
#define CHUNK(i)                                                                                   \
	if (width > 8 * (i))                                                                       \
		out[i] = nb_get(data + p0 + 8 * (i),                                               \
				width > 8 * (i) + 8 ? 8 : width - 8 * (i));
	CHUNK(0)
	CHUNK(1)
	CHUNK(2)
	CHUNK(3)
	CHUNK(4)
	return true;
#undef CHUNK
}

/*
 * "load th OFFSET WIDTH": nft_payload_eval() breaks without a transport header; nb_th() is then
 * beyond every packet.
 */
NB_LEAF(load_th)
{
	return nb_load_bytes(p, nb_th(p) + p0, width, out);
}

/* Bytes of the link layer header as they stand in memory; @at may reach into the packet. */
NB_INLINE bool load_mac(struct nb_pkt *p, __u32 mac_len, __u32 at, __u32 width, __u64 *out)
{
	if (at + width <= mac_len + nb_linear(p)) {
		*out = nb_get(nb_data(p) - mac_len + at, width);
		return true;
	}
	/* The fixed network header is linear: a chunk that begins before it has ended by here. */
	if (at < mac_len || !nb_load_slow(p->ctx, at - mac_len, width, (__u64 *)&p->frame->scratch))
		return false;
	*out = p->frame->scratch;
	return true;
}

/* One byte of the header with the tag put back that offloading took out (nft_payload_copy_vlan). */
NB_INLINE bool load_vlan_byte(struct nb_pkt *p, __u32 mac_len, __u32 at, __u64 *out)
{
	switch (at) {
	case 12:
		*out = bpf_ntohs(p->skb->vlan_proto) >> 8;
		return true;
	case 13:
		*out = bpf_ntohs(p->skb->vlan_proto) & 0xff;
		return true;
	case 14:
		*out = p->skb->vlan_tci >> 8;
		return true;
	case 15:
		*out = p->skb->vlan_tci & 0xff;
		return true;
	case 16:
		*out = bpf_ntohs(p->skb->protocol) >> 8;
		return true;
	case 17:
		*out = bpf_ntohs(p->skb->protocol) & 0xff;
		return true;
	default:
		return load_mac(p, mac_len, at < VLAN_ETH_FIXED ? at : at - VLAN_HLEN, 1, out);
	}
}

NB_INLINE bool load_vlan_chunk(struct nb_pkt *p, __u32 mac_len, __u32 at, __u32 width, __u64 *out)
{
	__u64 value = 0, byte = 0;

#define BYTE(i)                                                                                    \
	if ((i) < width) {                                                                         \
		if (!load_vlan_byte(p, mac_len, at + (i), &byte))                                  \
			return false;                                                              \
		value = value << 8 | byte;                                                         \
	}
	BYTE(0)
	BYTE(1)
	BYTE(2)
	BYTE(3)
	BYTE(4)
	BYTE(5)
	BYTE(6)
	BYTE(7)
#undef BYTE
	*out = value;
	return true;
}

/* "load ll OFFSET WIDTH" */
NB_LEAF(load_ll)
{
	const __u16 mac = p->skb->mac_header;
	/* The network header where it is in truth: network_header is not set in test runs. */
	const __u32 mac_len = (__u32)(nb_data(p) - p->skb->head) - mac;
	const bool tagged = p0 + width > ETH_PROTO && p->skb->vlan_all;

	if (mac == MAC_UNSET || mac_len == 0)
		return false;
#define CHUNK(i)                                                                                   \
	if (width > 8 * (i)) {                                                                     \
		const __u32 n = width > 8 * (i) + 8 ? 8 : width - 8 * (i);                         \
		if (tagged ? !load_vlan_chunk(p, mac_len, p0 + 8 * (i), n, &out[i])                \
			   : !load_mac(p, mac_len, p0 + 8 * (i), n, &out[i]))                      \
			return false;                                                              \
	}
	EACH_CHUNK(CHUNK)
	return true;
#undef CHUNK
}
