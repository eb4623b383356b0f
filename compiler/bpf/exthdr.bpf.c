/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exthdr: where IPv6 extension headers, TCP options and IPv4 options are. Each is found by a
 * function of its own that walks headers with bpf_loop(), verified once however many rules use it.
 */
#include "exthdr.h"

enum { TCP = 6, TCP_FIXED = 20, OPTIONS_MAX = 40 };

#define NOT_FOUND 0xffffffffu

/* ---- IPv6 extension headers: ipv6_find_hdr() with a target ---- */

struct hdr_walk {
	struct sk_buff *skb;
	__u32 at, proto, target, found;
};

static long hdr_step(__u64 i, struct hdr_walk *w)
{
	const bool is_ext = nb_is_extension(w->proto);
	__u32 need = w->proto == HDR_ROUTING || w->proto == HDR_FRAGMENT ? 4 : 2;
	struct bpf_dynptr d;
	__u8 hdr[4] = {};

	if (is_ext) {
		if (bpf_dynptr_from_skb(w->skb, 0, &d) || bpf_dynptr_read(hdr, 2, &d, w->at, 0))
			return 1;
		if (need == 4 && bpf_dynptr_read(hdr, 4, &d, w->at, 0))
			return 1;
	}
	if (w->proto == w->target) {
		w->found = w->at;
		return 1;
	}
	if (!is_ext)
		return 1;
	if (w->proto == HDR_FRAGMENT) {
		if (hdr[2] || hdr[3] & 0xf8)
			return 1;
		w->at += 8;
	} else if (w->proto == HDR_AUTH) {
		w->at += (hdr[1] + 2) * 4;
	} else {
		w->at += (hdr[1] + 1) * 8;
	}
	w->proto = hdr[0];
	return 0;
}

NB_GLOBAL __u32 nb_find_ipv6(struct bpf_nf_ctx *ctx, __u32 target)
{
	struct hdr_walk w = {
		.skb = ctx->skb,
		.at = IPV6_FIXED,
		.target = target,
		.found = NOT_FOUND,
	};
	struct bpf_dynptr d;
	__u8 proto = 0;

	if (bpf_dynptr_from_skb(ctx->skb, 0, &d) || bpf_dynptr_read(&proto, 1, &d, 6, 0))
		return NOT_FOUND;
	w.proto = proto;
	bpf_loop(1 << 13, hdr_step, &w, 0); /* a header has at least 8 bytes */
	return w.found;
}

NB_LEAF(exthdr_ipv6)
{
	const __u32 at = nb_find_ipv6(p->ctx, p0);

	return at != NOT_FOUND && nb_load_bytes(p, at + p1, width, out);
}

NB_LEAF(exthdr_ipv6_exists)
{
	out[0] = nb_find_ipv6(p->ctx, p0) != NOT_FOUND;
	return true;
}

/* ---- TCP options: nft_exthdr_tcp_eval() ---- */

struct opt_walk {
	__u8 opt[OPTIONS_MAX + 24]; /* a power of two */
	__u32 at, end, found;
	__u32 type, want;
	/* IPv4 */
	__u32 srr, rr, ts, alert;
	bool strict, failed;
};

/*
 * Reads the @len bytes of options at @at; false: none, too many, or not all there.
 * The length is fresh to the compiler before its check, so that what is checked is what is used.
 */
NB_INLINE bool read_options(struct opt_walk *w, const struct bpf_dynptr *d, __u32 len, __u32 at)
{
	barrier_var(len);
	if (len == 0 || len > OPTIONS_MAX || bpf_dynptr_read(w->opt, len, d, at, 0))
		return false;
	w->end = len;
	return true;
}

#define OPT(w, i) ((w)->opt[(i) & (sizeof((w)->opt) - 1)])

static long tcp_step(__u64 i, struct opt_walk *w)
{
	__u32 len = 1;

	if (w->at + 1 >= w->end)
		return 1;
	if (OPT(w, w->at) > 1 && OPT(w, w->at + 1))
		len = OPT(w, w->at + 1);
	if (OPT(w, w->at) == w->type) {
		if (w->at + len <= w->end && w->want <= len)
			w->found = w->at;
		return 1;
	}
	w->at += len;
	return 0;
}

/* Offset from the TCP header's start, if @want bytes of the option are there. */
NB_GLOBAL __u32 nb_find_tcp(struct bpf_nf_ctx *ctx, __u32 th, __u32 type, __u32 want)
{
	struct opt_walk w = {.type = type, .want = want, .found = NOT_FOUND};
	struct bpf_dynptr d;
	__u8 doff = 0;

	if (bpf_dynptr_from_skb(ctx->skb, 0, &d) || bpf_dynptr_read(&doff, 1, &d, th + 12, 0))
		return NOT_FOUND;
	if (!read_options(&w, &d, (doff >> 4) * 4 - TCP_FIXED, th + TCP_FIXED))
		return NOT_FOUND;
	bpf_loop(OPTIONS_MAX, tcp_step, &w, 0);
	return w.found == NOT_FOUND ? NOT_FOUND : TCP_FIXED + w.found;
}

NB_LEAF(exthdr_tcp)
{
	const __u32 th = nb_th(p);
	__u32 at;

	if (nb_l4proto(p) != TCP || th == NB_TH_NONE)
		return false;
	at = nb_find_tcp(p->ctx, th, p0, p1 + width);
	return at != NOT_FOUND && nb_load_bytes(p, th + at + p1, width, out);
}

NB_LEAF(exthdr_tcp_exists)
{
	const __u32 th = nb_th(p);

	out[0] = nb_l4proto(p) == TCP && th != NB_TH_NONE &&
		 nb_find_tcp(p->ctx, th, p0, 1) != NOT_FOUND;
	return true;
}

/* ---- IPv4 options: ipv4_find_option(), __ip_options_compile() ---- */

enum {
	OPT_END = 0,
	OPT_NOOP = 1,
	OPT_RR = 7,
	OPT_TS = 68,
	OPT_LSRR = 131,
	OPT_CIPSO = 134,
	OPT_SSRR = 137,
	OPT_RA = 148,
};

/* Is the time stamp option with pointer @ptr and flags @flags well-formed? */
static bool ts_is_good(__u32 len, __u32 ptr, __u32 flags)
{
	const __u32 kind = flags & 0xf;

	if (len < 4 || ptr < 5)
		return false;
	if (ptr > len)
		return kind == 3 || flags >> 4 != 15;
	if (ptr + 3 > len)
		return false;
	return (kind != 1 && kind != 3) || ptr + 7 <= len;
}

/* The option at w->at, of @len bytes; false: malformed. */
static bool ip_option(struct opt_walk *w, __u32 len)
{
	const __u32 type = OPT(w, w->at), ptr = OPT(w, w->at + 2);
	const __u32 mark = w->at + 1; /* so that 0 is none */

	switch (type) {
	case OPT_SSRR:
	case OPT_LSRR:
		if (w->srr || len < 7 || (len - 3) & 3 || ptr != 4)
			return false;
		w->srr = mark;
		w->strict = type == OPT_SSRR;
		return true;
	case OPT_RR:
		if (w->rr || len < 3 || ptr < 4 || (ptr <= len && ptr + 3 > len))
			return false;
		w->rr = mark;
		return true;
	case OPT_TS:
		if (w->ts || !ts_is_good(len, ptr, OPT(w, w->at + 3)))
			return false;
		w->ts = mark;
		return true;
	case OPT_RA:
		if (len < 4)
			return false;
		if (!ptr && !OPT(w, w->at + 3))
			w->alert = mark;
		return true;
	case OPT_CIPSO: /* no domain of interpretation is known to us */
		return false;
	}
	/* Others need CAP_NET_RAW of whoever runs right now: the kernel's own threads have it. */
	return true;
}

static long ip_step(__u64 i, struct opt_walk *w)
{
	__u32 len;

	if (w->at >= w->end || OPT(w, w->at) == OPT_END)
		return 1;
	if (OPT(w, w->at) == OPT_NOOP) {
		w->at++;
		return 0;
	}
	len = OPT(w, w->at + 1);
	if (w->end - w->at < 2 || len < 2 || len > w->end - w->at || !ip_option(w, len)) {
		w->failed = true;
		return 1;
	}
	w->at += len;
	return 0;
}

NB_GLOBAL __u32 nb_find_ipv4(struct bpf_nf_ctx *ctx, __u32 type)
{
	struct opt_walk w = {};
	struct bpf_dynptr d;
	__u8 first = 0;
	__u32 mark;

	if (bpf_dynptr_from_skb(ctx->skb, 0, &d) || bpf_dynptr_read(&first, 1, &d, 0, 0))
		return NOT_FOUND;
	if (!read_options(&w, &d, (first & 0xf) * 4 - IPV4_FIXED, IPV4_FIXED))
		return NOT_FOUND;
	bpf_loop(OPTIONS_MAX, ip_step, &w, 0);
	if (w.failed)
		return NOT_FOUND;
	if (type == OPT_RR)
		mark = w.rr;
	else if (type == OPT_RA)
		mark = w.alert;
	else
		mark = w.strict == (type == OPT_SSRR) ? w.srr : 0;
	return mark ? IPV4_FIXED + mark - 1 : NOT_FOUND;
}

NB_LEAF(exthdr_ipv4)
{
	__u32 at;

	/* Without options there is nothing to look for. */
	if (nb_get(nb_data(p), 1) == 0x45)
		return false;
	at = nb_find_ipv4(p->ctx, p0);
	return at != NOT_FOUND && nb_load_bytes(p, at + p1, width, out);
}

NB_LEAF(exthdr_ipv4_exists)
{
	out[0] = nb_get(nb_data(p), 1) != 0x45 && nb_find_ipv4(p->ctx, p0) != NOT_FOUND;
	return true;
}
