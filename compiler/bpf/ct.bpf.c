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

/* NF_CT_STATE_BIT() by ctinfo, a byte each: 1 << (ctinfo % IP_CT_IS_REPLY + 1). */
#define CT_STATES 0x0402080402080402ull

NB_LEAF(ct_state)
{
	const unsigned long nfct = p->skb->_nfct;
	/* With a connection in it the state is one byte of the table. */
	__u32 state = CT_STATES >> 8 * (nfct & CT_INFO_MASK);

	if (__builtin_expect(nfct <= CT_INFO_MASK, 0))
		state = nfct == CT_UNTRACKED ? STATE_UNTRACKED : STATE_INVALID;
	out[0] = (__u32)(state << 24); /* as nb_host32() has it */
	return true;
}

/* ---- keys that need the connection ---- */

/*
 * nf_conn itself cannot be cast to: some kernels have a namesake (nf_conn___init), so its type id
 * is not to be had at load time, while offsets of its members are. A word at such an offset is all
 * that is read at a time, and the type that lends its shape is struct timespec64, two plain words.
 * A bad address reads as zero.
 */
NB_INLINE const void *ct_word(const void *at)
{
	return bpf_rdonly_cast(at, bpf_core_type_id_kernel(struct timespec64));
}
#define CT_AT(type, at)	    (*(const volatile type *)ct_word(at))
#define CT_READ(from, member) \
	CT_AT(__typeof__((from)->member), __builtin_preserve_access_index(&(from)->member))

enum { STATUS_TEMPLATE = 1 << 11, DIR_NONE = 2 };

/* The connection; NULL: there is none, or it is a template. */
NB_INLINE struct nf_conn *ct_get(struct nb_pkt *p)
{
	struct nf_conn *ct = (void *)(p->skb->_nfct & ~(unsigned long)CT_INFO_MASK);

	return ct && !(CT_READ(ct, status) & STATUS_TEMPLATE) ? ct : NULL;
}

NB_LEAF(ct_direction)
{
	out[0] = (p->skb->_nfct & CT_INFO_MASK) >= CT_REPLY;
	return ct_get(p) != NULL;
}

NB_LEAF(ct_status)
{
	struct nf_conn *ct = (void *)(p->skb->_nfct & ~(unsigned long)CT_INFO_MASK);
	const unsigned long status = ct ? CT_READ(ct, status) : STATUS_TEMPLATE;

	out[0] = nb_host32((__u32)status);
	return !(status & STATUS_TEMPLATE);
}

NB_LEAF(ct_mark)
{
	struct nf_conn *ct = ct_get(p);

	if (!ct)
		return false;
	out[0] = nb_host32(CT_READ(ct, mark));
	return true;
}

NB_LEAF(ct_secmark)
{
	struct nf_conn *ct = ct_get(p);

	if (!ct || !bpf_core_field_exists(ct->secmark))
		return false;
	out[0] = nb_host32(CT_READ(ct, secmark));
	return true;
}

/* nf_ct_expires(); @p0: ms of a jiffy; @p1: in jiffies all the same. */
NB_LEAF(ct_expiration)
{
	struct nf_conn *ct = ct_get(p);
	__s32 left;

	if (!ct)
		return false;
	left = (__s32)(CT_READ(ct, timeout) - (__u32)bpf_jiffies64());
	out[0] = nb_host32(left > 0 ? (__u32)left * (__u32)(p1 ? 1 : p0) : 0);
	return true;
}

NB_LEAF(ct_l3proto)
{
	struct nf_conn *ct = ct_get(p);

	if (!ct)
		return false;
	out[0] = CT_READ(ct, tuplehash[0].tuple.src.l3num) & 0xff;
	return true;
}

NB_LEAF(ct_protocol)
{
	struct nf_conn *ct = ct_get(p);

	if (!ct)
		return false;
	out[0] = CT_READ(ct, tuplehash[0].tuple.dst.protonum);
	return true;
}

/* nf_ct_zone_id(); @p0: direction, or 2 for the zone itself. */
NB_LEAF(ct_zone)
{
	struct nf_conn *ct = ct_get(p);

	if (!ct)
		return false;
	out[0] = 0;
	if (p0 == DIR_NONE || CT_READ(ct, zone.dir) & 1 << p0)
		out[0] = nb_host16(CT_READ(ct, zone.id));
	return true;
}

/* ---- addresses and ports of the two tuples ---- */

enum { END_SRC, END_DST };

/* @dir and @end are constants. */
#define CT_TUPLE(ct, dir, src_member, dst_member, end)                                       \
	((end) == END_DST                                                                    \
		 ? ((dir) ? (const void *)__builtin_preserve_access_index(                   \
				    &(ct)->tuplehash[1].tuple.dst.dst_member)                \
			  : (const void *)__builtin_preserve_access_index(                   \
				    &(ct)->tuplehash[0].tuple.dst.dst_member))               \
		 : ((dir) ? (const void *)__builtin_preserve_access_index(                   \
				    &(ct)->tuplehash[1].tuple.src.src_member)                \
			  : (const void *)__builtin_preserve_access_index(                   \
				    &(ct)->tuplehash[0].tuple.src.src_member)))

NB_INLINE bool ct_addr(struct nf_conn *ct, __u64 width, __u64 dir, __u64 end, __u64 *out)
{
	const void *at = CT_TUPLE(ct, dir, u3, u3, end);

	if (width == 4) {
		out[0] = bpf_ntohl(CT_AT(__u32, at));
		return true;
	}
	out[0] = bpf_be64_to_cpu(CT_AT(__u64, at));
	out[1] = bpf_be64_to_cpu(CT_AT(__u64, at + 8));
	return true;
}

/* @p0: direction; @p1: 0 source, 1 destination. */
NB_LEAF(ct_addr)
{
	struct nf_conn *ct = ct_get(p);

	return ct && ct_addr(ct, width, p0, p1, out);
}

NB_LEAF(ct_addr4)
{
	struct nf_conn *ct = ct_get(p);

	return ct && CT_READ(ct, tuplehash[0].tuple.src.l3num) == NFPROTO_IPV4 &&
	       ct_addr(ct, width, p0, p1, out);
}

NB_LEAF(ct_addr6)
{
	struct nf_conn *ct = ct_get(p);

	return ct && CT_READ(ct, tuplehash[0].tuple.src.l3num) == NFPROTO_IPV6 &&
	       ct_addr(ct, width, p0, p1, out);
}

NB_LEAF(ct_port)
{
	struct nf_conn *ct = ct_get(p);

	if (!ct)
		return false;
	out[0] = bpf_ntohs(CT_AT(__u16, CT_TUPLE(ct, p0, u, u, p1)));
	return true;
}

/* ---- extensions ---- */

/* nf_ct_ext_find(): the extension's address, or NULL. */
NB_INLINE const void *ct_ext(struct nf_conn *ct, __u32 id)
{
	/* A number: pointers that a load gives cannot be added to. */
	const __u64 ext = CT_AT(__u64, __builtin_preserve_access_index(&ct->ext));
	__u8 offset;

	if (!ext)
		return NULL;
	offset = CT_AT(__u8, (const void *)(ext + id)); /* offset[], its first member */
	return offset ? (const void *)(ext + offset) : NULL;
}

NB_LEAF(ct_labels)
{
	struct nf_conn *ct = ct_get(p);
	const void *at;

	if (!ct)
		return false;
	at = ct_ext(ct, bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_LABELS));
	out[0] = at ? bpf_be64_to_cpu(CT_AT(__u64, at)) : 0;
	out[1] = at ? bpf_be64_to_cpu(CT_AT(__u64, at + 8)) : 0;
	return true;
}

/* Packets (or bytes) of @dir, or of both where @dir is 2; zero without accounting. */
NB_INLINE __u64 ct_count(struct nf_conn *ct, __u32 dir, bool bytes)
{
	const struct nf_conn_acct *acct =
		ct_ext(ct, bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_ACCT));
	__u64 n = 0;

	if (!acct)
		return 0;
	if (dir != 1)
		n += bytes ? CT_READ(acct, counter[0].bytes.counter)
			   : CT_READ(acct, counter[0].packets.counter);
	if (dir != 0)
		n += bytes ? CT_READ(acct, counter[1].bytes.counter)
			   : CT_READ(acct, counter[1].packets.counter);
	return n;
}

NB_LEAF(ct_packets)
{
	struct nf_conn *ct = ct_get(p);

	if (!ct)
		return false;
	out[0] = nb_host64(ct_count(ct, p0, false));
	return true;
}

NB_LEAF(ct_bytes)
{
	struct nf_conn *ct = ct_get(p);

	if (!ct)
		return false;
	out[0] = nb_host64(ct_count(ct, p0, true));
	return true;
}

NB_LEAF(ct_avgpkt)
{
	struct nf_conn *ct = ct_get(p);
	__u64 packets;

	if (!ct)
		return false;
	packets = ct_count(ct, p0, false);
	out[0] = packets ? nb_host64(ct_count(ct, p0, true) / packets) : 0;
	return true;
}

/* The name of the helper that expected this connection. */
NB_LEAF(ct_helper)
{
	struct nf_conn *ct = ct_get(p);
	const void *help;
	__u64 master, helper;

	if (!ct)
		return false;
	master = CT_AT(__u64, __builtin_preserve_access_index(&ct->master));
	if (!master)
		return false;
	help = ct_ext((void *)master, bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_HELPER));
	if (!help)
		return false;
	helper = CT_AT(__u64,
		       __builtin_preserve_access_index(&((struct nf_conn_help *)help)->helper));
	if (!helper)
		return false;
	help = __builtin_preserve_access_index(&((struct nf_conntrack_helper *)helper)->name);
	out[0] = bpf_be64_to_cpu(CT_AT(__u64, help));
	out[1] = bpf_be64_to_cpu(CT_AT(__u64, help + 8));
	nb_trim_name(out);
	return out[0] != 0;
}
