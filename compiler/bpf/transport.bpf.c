/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the transport header is and what it is: nft_set_pktinfo_ipv4(), nft_set_pktinfo_ipv6().
 */
#include "exthdr.h"

#define IPV4_OFFSET_MASK 0x1fff
#define IPV6_OFFSET_MASK 0xfff8

NB_API __u32 nb_l4proto(struct nb_pkt *p)
{
	return p->frame->l4proto;
}

NB_API __u32 nb_th(struct nb_pkt *p)
{
	return p->frame->th;
}

struct walk {
	struct sk_buff *skb;
	__u32 at, proto;
	bool failed, later_frag;
};

/* One round of ipv6_find_hdr(skb, &at, -1, &frag_off, IP6_FH_F_AUTH); 1 ends the walk. */
static long walk_step(__u64 i, struct walk *w)
{
	struct bpf_dynptr d;
	__u8 hdr[4] = {};
	__u32 frag;

	if (!nb_is_extension(w->proto))
		return 1;
	w->failed = true; /* until this header has been read */
	if (bpf_dynptr_from_skb(w->skb, 0, &d) || bpf_dynptr_read(hdr, 2, &d, w->at, 0))
		return 1;
	switch (w->proto) {
	case HDR_ROUTING:
		if (bpf_dynptr_read(hdr, 4, &d, w->at, 0)) /* all of struct ipv6_rt_hdr */
			return 1;
		break;
	case HDR_FRAGMENT:
		if (bpf_dynptr_read(hdr, 4, &d, w->at, 0))
			return 1;
		frag = (__u32)hdr[2] << 8 | hdr[3];
		if (frag & IPV6_OFFSET_MASK) {
			if (nb_is_extension(hdr[0]))
				return 1; /* -ENOENT */
			w->failed = false;
			w->later_frag = true;
			w->proto = hdr[0];
			return 1;
		}
		hdr[1] = 0; /* reserved there: 8 bytes */
		break;
	case HDR_AUTH: /* IP6_FH_F_AUTH: it is the transport header */
		w->failed = false;
		return 1;
	}
	w->failed = false;
	w->proto = hdr[0];
	w->at += (hdr[1] + 1) * 8;
	return 0;
}

/* IPv6 with extension headers: l4proto in the low half, th in the high one. */
NB_GLOBAL __u64 nb_ipv6_walk(struct bpf_nf_ctx *ctx)
{
	struct walk w = {.skb = ctx->skb, .at = 40};
	struct bpf_dynptr d;
	__u8 proto = 0;

	if (bpf_dynptr_from_skb(ctx->skb, 0, &d) || bpf_dynptr_read(&proto, 1, &d, 6, 0))
		return (__u64)NB_TH_NONE << 32 | NB_L4_UNKNOWN;
	w.proto = proto;
	bpf_loop(1 << 13, walk_step, &w, 0); /* a header has at least 8 bytes */
	if (w.failed)
		return (__u64)NB_TH_NONE << 32 | NB_L4_UNKNOWN;
	return (__u64)(w.later_frag ? NB_TH_NONE : w.at) << 32 | w.proto;
}

NB_API void nb_transport_init(struct nb_pkt *p)
{
	const __u8 *data = nb_data(p);
	__u32 l4proto, th;

	if (p->pf == NFPROTO_IPV4) {
		l4proto = nb_get(data + 9, 1);
		th = (nb_get(data, 1) & 0xf) * 4;
		if (nb_get(data + 6, 2) & IPV4_OFFSET_MASK)
			th = NB_TH_NONE;
	} else {
		l4proto = nb_get(data + 6, 1);
		th = 40;
		if (__builtin_expect(nb_is_extension(l4proto), 0)) {
			__u64 both = nb_ipv6_walk(p->ctx);

			l4proto = both;
			th = both >> 32;
		}
	}
	p->frame->l4proto = l4proto;
	p->frame->th = th;
}

/* The start of each function. */
NB_API void nb_pkt_init(struct nb_pkt *p, struct nb_frame *frame, struct bpf_nf_ctx *ctx, __u8 pf)
{
	p->ctx = ctx;
	p->skb = ctx->skb;
	p->frame = frame;
	p->pf = pf;
}
