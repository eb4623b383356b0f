/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct: the connection of a packet. nft_ct_get_eval() decides.
 */
#include "name.h"

enum {
	CT_INFO_MASK = 7,     /* NFCT_INFOMASK */
	CT_UNTRACKED = 7,     /* IP_CT_UNTRACKED */
	CT_REPLY = 3,	      /* IP_CT_IS_REPLY */
	STATE_INVALID = 1,    /* NF_CT_STATE_INVALID_BIT */
	STATE_UNTRACKED = 64, /* NF_CT_STATE_UNTRACKED_BIT */
};

NB_LEAF(ct_state)
{
	const unsigned long nfct = p->skb->_nfct;
	const __u32 info = nfct & CT_INFO_MASK;
	__u32 state = info == CT_UNTRACKED ? STATE_UNTRACKED : STATE_INVALID;

	if (nfct & ~(unsigned long)CT_INFO_MASK)
		state = 2u << (info < CT_REPLY ? info : info - CT_REPLY); /* NF_CT_STATE_BIT() */
	out[0] = nb_host32(state);
	return true;
}

/* ---- keys that need the connection ---- */

/*
 * The connection is read by probes: its type has a namesake in some kernels (nf_conn___init), so
 * that a type id cannot be had at load time, while offsets of members can. Probes write to the
 * stack, which a program has little of: each reader is a function of its own and returns a number.
 */
#define CT_READ(to, from, member) \
	bpf_probe_read_kernel(&(to), sizeof(to), __builtin_preserve_access_index(&(from)->member))

enum { STATUS_TEMPLATE = 1 << 11, DIR_NONE = 2 };
#define FOUND (1ull << 32) /* beside a number of up to 32 bits */

/* The connection, or NULL. */
NB_INLINE struct nf_conn *ct_get(struct bpf_nf_ctx *ctx)
{
	return (void *)(ctx->skb->_nfct & ~(unsigned long)CT_INFO_MASK);
}

/* FOUND and the status; 0 without a connection and for a template. */
NB_GLOBAL __u64 nb_conn_status(struct bpf_nf_ctx *ctx)
{
	struct nf_conn *ct = ct_get(ctx);
	unsigned long status = 0;

	if (!ct || CT_READ(status, ct, status) || status & STATUS_TEMPLATE)
		return 0;
	return FOUND | (__u32)status;
}

enum ct_number { CT_MARK, CT_TIMEOUT, CT_L3PROTO, CT_PROTOCOL, CT_ZONE };

/* One of the numbers above, where there is a connection. */
NB_GLOBAL __u64 nb_conn_number(struct bpf_nf_ctx *ctx, __u32 which)
{
	struct nf_conn *ct = ct_get(ctx);
	__u32 n32 = 0;
	__u16 n16 = 0;
	__u8 n8 = 0;

	if (!nb_conn_status(ctx) || !ct)
		return 0;
	switch (which) {
	case CT_MARK:
		return CT_READ(n32, ct, mark) ? 0 : FOUND | n32;
	case CT_TIMEOUT:
		return CT_READ(n32, ct, timeout) ? 0 : FOUND | n32;
	case CT_L3PROTO:
		return CT_READ(n16, ct, tuplehash[0].tuple.src.l3num) ? 0 : FOUND | n16;
	case CT_PROTOCOL:
		return CT_READ(n8, ct, tuplehash[0].tuple.dst.protonum) ? 0 : FOUND | n8;
	case CT_ZONE: /* with the directions it is for above it */
		if (CT_READ(n16, ct, zone.id) || CT_READ(n8, ct, zone.dir))
			return 0;
		return FOUND | (__u32)n8 << 16 | n16;
	}
	return 0;
}

NB_LEAF(ct_direction)
{
	out[0] = (p->skb->_nfct & CT_INFO_MASK) >= CT_REPLY;
	return nb_conn_status(p->ctx) != 0;
}

NB_LEAF(ct_status)
{
	const __u64 v = nb_conn_status(p->ctx);

	out[0] = nb_host32((__u32)v);
	return v != 0;
}

NB_LEAF(ct_mark)
{
	const __u64 v = nb_conn_number(p->ctx, CT_MARK);

	out[0] = nb_host32((__u32)v);
	return v != 0;
}

/* nf_ct_expires(); @p0: ms of a jiffy. */
NB_LEAF(ct_expiration)
{
	const __u64 v = nb_conn_number(p->ctx, CT_TIMEOUT);
	const __s32 left = (__s32)((__u32)v - (__u32)bpf_jiffies64());

	out[0] = nb_host32(left > 0 ? (__u32)left * (__u32)p0 : 0);
	return v != 0;
}

NB_LEAF(ct_l3proto)
{
	const __u64 v = nb_conn_number(p->ctx, CT_L3PROTO);

	out[0] = v & 0xff;
	return v != 0;
}

NB_LEAF(ct_protocol)
{
	const __u64 v = nb_conn_number(p->ctx, CT_PROTOCOL);

	out[0] = v & 0xff;
	return v != 0;
}

/* nf_ct_zone_id(); @p0: direction, or 2 for the zone itself. */
NB_LEAF(ct_zone)
{
	const __u64 v = nb_conn_number(p->ctx, CT_ZONE);

	out[0] = p0 == DIR_NONE || v & 1ull << (16 + p0) ? nb_host16((__u16)v) : 0;
	return v != 0;
}

/* ---- addresses and ports of the two tuples ---- */

enum { END_SRC, END_DST };

/*
 * 8 bytes of an address from byte @from on (0 or 8), as they stand in memory; @dir and @end say
 * whose. A port: @from 16.
 */
NB_GLOBAL __u64 nb_conn_tuple(struct bpf_nf_ctx *ctx, __u32 dir, __u32 end, __u32 from)
{
	struct nf_conn *ct = ct_get(ctx);
	struct nf_conntrack_tuple_hash *hash;
	const void *addr, *port;
	__u64 bytes = 0;

	if (!ct)
		return 0;
	hash = dir ? __builtin_preserve_access_index(&ct->tuplehash[1])
		   : __builtin_preserve_access_index(&ct->tuplehash[0]);
	addr = end == END_DST ? (void *)__builtin_preserve_access_index(&hash->tuple.dst.u3)
			      : (void *)__builtin_preserve_access_index(&hash->tuple.src.u3);
	port = end == END_DST ? (void *)__builtin_preserve_access_index(&hash->tuple.dst.u)
			      : (void *)__builtin_preserve_access_index(&hash->tuple.src.u);
	if (from == 16)
		bpf_probe_read_kernel(&bytes, 2, port);
	else
		bpf_probe_read_kernel(&bytes, 8, addr + (from & 8));
	return bytes;
}

NB_INLINE bool ct_addr(struct nb_pkt *p, __u64 width, __u64 dir, __u64 end, __u64 *out)
{
	out[0] = bpf_be64_to_cpu(nb_conn_tuple(p->ctx, dir, end, 0));
	if (width == 4)
		out[0] >>= 32;
	else
		out[1] = bpf_be64_to_cpu(nb_conn_tuple(p->ctx, dir, end, 8));
	return true;
}

/* @p0: direction; @p1: 0 source, 1 destination. */
NB_LEAF(ct_addr)
{
	return nb_conn_status(p->ctx) && ct_addr(p, width, p0, p1, out);
}

NB_LEAF(ct_addr4)
{
	return nb_conn_number(p->ctx, CT_L3PROTO) == (FOUND | NFPROTO_IPV4) &&
	       ct_addr(p, width, p0, p1, out);
}

NB_LEAF(ct_addr6)
{
	return nb_conn_number(p->ctx, CT_L3PROTO) == (FOUND | NFPROTO_IPV6) &&
	       ct_addr(p, width, p0, p1, out);
}

NB_LEAF(ct_port)
{
	out[0] = bpf_ntohs((__u16)nb_conn_tuple(p->ctx, p0, p1, 16));
	return nb_conn_status(p->ctx) != 0;
}

/* ---- extensions ---- */

/* nf_ct_ext_find(): the extension's address, or NULL. */
NB_INLINE const void *ct_ext(struct nf_conn *ct, __u32 id)
{
	struct nf_ct_ext *ext = NULL;
	__u8 offset = 0;

	if (CT_READ(ext, ct, ext) || !ext)
		return NULL;
	/* offset[] is the first member, one byte for each kind. */
	if (bpf_probe_read_kernel(&offset, 1, (const __u8 *)ext + id) || !offset)
		return NULL;
	return (const __u8 *)ext + offset;
}

/* Half 0 or 1 of the labels, as they stand in memory; zero where there are none. */
NB_GLOBAL __u64 nb_conn_labels(struct bpf_nf_ctx *ctx, __u32 half)
{
	struct nf_conn *ct = ct_get(ctx);
	const __u8 *at;
	__u64 bits = 0;

	if (!ct)
		return 0;
	at = ct_ext(ct, bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_LABELS));
	if (at)
		bpf_probe_read_kernel(&bits, 8, at + (half ? 8 : 0));
	return bits;
}

NB_LEAF(ct_labels)
{
	out[0] = bpf_be64_to_cpu(nb_conn_labels(p->ctx, 0));
	out[1] = bpf_be64_to_cpu(nb_conn_labels(p->ctx, 1));
	return nb_conn_status(p->ctx) != 0;
}

/* Packets (or bytes) of @dir, or of both where @dir is 2; zero without accounting. */
NB_GLOBAL __u64 nb_conn_count(struct bpf_nf_ctx *ctx, __u32 dir, __u32 bytes)
{
	struct nf_conn *ct = ct_get(ctx);
	const struct nf_conn_acct *acct;
	__u64 n[2] = {};

	if (!ct)
		return 0;
	acct = ct_ext(ct, bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_ACCT));
	if (!acct)
		return 0;
	if (bytes) {
		CT_READ(n[0], acct, counter[0].bytes.counter);
		CT_READ(n[1], acct, counter[1].bytes.counter);
	} else {
		CT_READ(n[0], acct, counter[0].packets.counter);
		CT_READ(n[1], acct, counter[1].packets.counter);
	}
	return (dir != 1 ? n[0] : 0) + (dir != 0 ? n[1] : 0);
}

NB_LEAF(ct_packets)
{
	out[0] = nb_host64(nb_conn_count(p->ctx, p0, 0));
	return nb_conn_status(p->ctx) != 0;
}

NB_LEAF(ct_bytes)
{
	out[0] = nb_host64(nb_conn_count(p->ctx, p0, 1));
	return nb_conn_status(p->ctx) != 0;
}

NB_LEAF(ct_avgpkt)
{
	const __u64 packets = nb_conn_count(p->ctx, p0, 0);

	out[0] = packets ? nb_host64(nb_conn_count(p->ctx, p0, 1) / packets) : 0;
	return nb_conn_status(p->ctx) != 0;
}

/* Half 0 or 1 of the name of the helper that expected this connection; 0 in half 0: there is none.
 */
NB_GLOBAL __u64 nb_conn_helper(struct bpf_nf_ctx *ctx, __u32 half)
{
	struct nf_conn *ct = ct_get(ctx), *master = NULL;
	struct nf_conntrack_helper *helper = NULL;
	const struct nf_conn_help *help;
	__u64 name = 0;

	if (!ct || CT_READ(master, ct, master) || !master)
		return 0;
	help = ct_ext(master, bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_HELPER));
	if (!help || CT_READ(helper, help, helper) || !helper)
		return 0;
	bpf_probe_read_kernel(&name, 8,
			      (const __u8 *)__builtin_preserve_access_index(&helper->name) +
				      (half ? 8 : 0));
	return bpf_be64_to_cpu(name);
}

NB_LEAF(ct_helper)
{
	out[0] = nb_conn_helper(p->ctx, 0);
	out[1] = nb_conn_helper(p->ctx, 1);
	nb_trim_name(out);
	return out[0] && nb_conn_status(p->ctx);
}
