/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * meta: what the kernel knows of a packet beside its bytes. nft_meta_get_eval() decides.
 */
#include "name.h"
#include "route.h"

enum {
	PACKET_BROADCAST = 1,
	PACKET_MULTICAST = 2,
	PACKET_LOOPBACK = 5,
	OVERFLOW_ID = 65534, /* DEFAULT_OVERFLOWUID */
	IPSKB_L3SLAVE = 1 << 7,
	IP6SKB_L3SLAVE = 64,
};
#define NSEC 1000000000ull

NB_LEAF(meta_len)
{
	out[0] = nb_host32(nb_len(p));
	return true;
}

NB_LEAF(meta_mark)
{
	out[0] = nb_host32(p->skb->mark);
	return true;
}

NB_LEAF(meta_priority)
{
	out[0] = nb_host32(p->skb->priority);
	return true;
}

/* Of a kernel without it the rule would not have been taken. */
NB_LEAF(meta_secmark)
{
	out[0] = bpf_core_field_exists(p->skb->secmark) ? nb_host32(p->skb->secmark) : 0;
	return true;
}

NB_LEAF(meta_protocol)
{
	out[0] = bpf_ntohs(p->skb->protocol);
	return true;
}

NB_LEAF(meta_l4proto)
{
	const __u32 proto = nb_l4proto(p);

	out[0] = proto;
	return proto != NB_L4_UNKNOWN;
}

NB_LEAF(meta_cpu)
{
	out[0] = nb_host32(bpf_get_smp_processor_id());
	return true;
}

NB_LEAF(meta_random)
{
	out[0] = nb_host32(bpf_get_prandom_u32());
	return true;
}

/* What loops back has its type from its address: nft_meta_get_eval_pkttype_lo(). */
NB_LEAF(meta_pkttype)
{
	const struct sk_buff *skb = p->skb;
	const __u8 type = BPF_CORE_READ_BITFIELD(skb, pkt_type);

	if (type != PACKET_LOOPBACK)
		out[0] = type;
	else if (p->pf == NFPROTO_IPV6 || nb_get(nb_data(p) + 16, 1) >> 4 == 0xe)
		out[0] = PACKET_MULTICAST;
	else
		out[0] = PACKET_BROADCAST;
	return true;
}

/* ---- devices ---- */

NB_INLINE bool dev_index(const struct net_device *dev, __u64 *out)
{
	out[0] = dev ? nb_host32(dev->ifindex) : 0;
	return true;
}

NB_LEAF(meta_iif)
{
	return dev_index(nb_state(p)->in, out);
}

NB_LEAF(meta_oif)
{
	return dev_index(nb_state(p)->out, out);
}

NB_INLINE bool dev_name(const struct net_device *dev, __u64 *out)
{
	const char *name;

	out[0] = out[1] = 0;
	if (!dev)
		return true;
	name = dev->name;
	out[0] = nb_get((const __u8 *)name, 8);
	out[1] = nb_get((const __u8 *)name + 8, 8);
	nb_trim_name(out);
	return true;
}

NB_LEAF(meta_iifname)
{
	return dev_name(nb_state(p)->in, out);
}

NB_LEAF(meta_oifname)
{
	return dev_name(nb_state(p)->out, out);
}

NB_INLINE bool dev_type(const struct net_device *dev, __u64 *out)
{
	if (!dev)
		return false;
	out[0] = nb_host16(dev->type);
	return true;
}

NB_LEAF(meta_iiftype)
{
	return dev_type(nb_state(p)->in, out);
}

NB_LEAF(meta_oiftype)
{
	return dev_type(nb_state(p)->out, out);
}

NB_INLINE bool dev_group(const struct net_device *dev, __u64 *out)
{
	if (!dev)
		return false;
	out[0] = nb_host32(dev->group);
	return true;
}

NB_LEAF(meta_iifgroup)
{
	return dev_group(nb_state(p)->in, out);
}

NB_LEAF(meta_oifgroup)
{
	return dev_group(nb_state(p)->out, out);
}

/*
 * Half 0 or 1 of the kind of the device that a packet came in by (@out 0) or leaves by; 0 in half
 * 0: it has none. strncpy() of 16 bytes, and the kernel's kinds are shorter.
 */
NB_GLOBAL __u64 nb_dev_kind(struct bpf_nf_ctx *ctx, __u32 out, __u32 half)
{
	const struct net_device *dev = out ? ctx->state->out : ctx->state->in;
	const struct rtnl_link_ops *ops;
	__u64 kind[2] = {};

	if (!dev)
		return 0;
	ops = dev->rtnl_link_ops;
	if (!ops || bpf_probe_read_kernel_str(kind, sizeof(kind), ops->kind) < 0)
		return 0;
	kind[0] = bpf_be64_to_cpu(kind[0]);
	kind[1] = bpf_be64_to_cpu(kind[1]);
	/* What the helper leaves behind the end is not promised to be zero. */
	nb_trim_name(kind);
	return half ? kind[1] : kind[0];
}

NB_LEAF(meta_iifkind)
{
	out[0] = nb_dev_kind(p->ctx, 0, 0);
	out[1] = nb_dev_kind(p->ctx, 0, 1);
	return out[0] != 0;
}

NB_LEAF(meta_oifkind)
{
	out[0] = nb_dev_kind(p->ctx, 1, 0);
	out[1] = nb_dev_kind(p->ctx, 1, 1);
	return out[0] != 0;
}

/* inet_sdif(), inet6_sdif(): where the packet came in, when its device is a VRF now. */
NB_LEAF(meta_sdif)
{
	out[0] = 0;
	if (p->pf == NFPROTO_IPV4) {
		const struct inet_skb_parm *cb =
			bpf_rdonly_cast(p->skb->cb, bpf_core_type_id_kernel(struct inet_skb_parm));

		if (cb->flags & IPSKB_L3SLAVE)
			out[0] = nb_host32(cb->iif);
	} else {
		const struct inet6_skb_parm *cb =
			bpf_rdonly_cast(p->skb->cb, bpf_core_type_id_kernel(struct inet6_skb_parm));

		if (cb->flags & IP6SKB_L3SLAVE)
			out[0] = nb_host32(cb->iif);
	}
	return true;
}

/* ---- the socket ---- */

/*
 * skb_to_full_sk(), and of this namespace. NULL: none. Always a cast pointer: the verifier wants
 * one kind of pointer at one load.
 */
NB_INLINE const struct sock *full_sock(struct nb_pkt *p)
{
	const void *at = p->skb->sk;
	const struct sock *sk;
	__u8 state;

	if (!at)
		return NULL;
	sk = bpf_rdonly_cast(at, bpf_core_type_id_kernel(struct sock));
	if (sk->__sk_common.skc_state == TCP_NEW_SYN_RECV) {
		at = sk->__sk_common.skc_listener;
		if (!at)
			return NULL;
		sk = bpf_rdonly_cast(at, bpf_core_type_id_kernel(struct sock));
	}
	state = sk->__sk_common.skc_state;
	if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
		return NULL;
	return sk->__sk_common.skc_net.net == nb_state(p)->net ? sk : NULL;
}

NB_INLINE const struct cred *sock_cred(const struct sock *sk)
{
	const struct socket *sock = sk->sk_socket;
	const struct file *file;

	if (!sock)
		return NULL;
	file = sock->file;
	return file ? file->f_cred : NULL;
}

/* map_id_up(), as far as a map keeps its extents in place (up to five). */
NB_INLINE __u32 id_up(const struct uid_gid_map *map, __u32 id)
{
	const __u32 n = map->nr_extents;

#pragma unroll
	for (__u32 i = 0; i < 5; i++) {
		if (i < n && id - map->extent[i].lower_first < map->extent[i].count)
			return map->extent[i].first + (id - map->extent[i].lower_first);
	}
	return OVERFLOW_ID;
}

NB_LEAF(meta_skuid)
{
	const struct sock *sk = full_sock(p);
	const struct cred *cred;

	if (!sk)
		return false;
	cred = sock_cred(sk);
	if (!cred)
		return false;
	out[0] = nb_host32(id_up(&nb_state(p)->net->user_ns->uid_map, cred->fsuid.val));
	return true;
}

NB_LEAF(meta_skgid)
{
	const struct sock *sk = full_sock(p);
	const struct cred *cred;

	if (!sk)
		return false;
	cred = sock_cred(sk);
	if (!cred)
		return false;
	out[0] = nb_host32(id_up(&nb_state(p)->net->user_ns->gid_map, cred->fsgid.val));
	return true;
}

NB_LEAF(meta_cgroup)
{
	const struct sock *sk = full_sock(p);

	if (!sk)
		return false;
	out[0] = nb_host32(sk->sk_cgrp_data.classid);
	return true;
}

/* ---- the route ---- */

NB_LEAF(meta_rtclassid)
{
	const struct dst_entry *dst = nb_valid_dst(p);

	if (!dst)
		return false;
	out[0] = nb_host32(dst->tclassid);
	return true;
}

/* ---- time ---- */

/* CLOCK_REALTIME is not to be had; CLOCK_TAI minus @tai_offset seconds is the same. */
NB_INLINE __u64 real_ns(__u64 tai_offset)
{
	return bpf_ktime_get_tai_ns() - tai_offset * NSEC;
}

NB_LEAF(meta_time)
{
	out[0] = nb_host64(real_ns(p0));
	return true;
}

NB_LEAF(meta_hour)
{
	out[0] = nb_host32((__u32)(real_ns(p0) / NSEC % 86400));
	return true;
}

/* nft_meta_weekday(); the epoch was a Thursday. @p1: minutes west of Greenwich. */
NB_LEAF(meta_day)
{
	const __u32 days = (__u32)((real_ns(p0) / NSEC - 60 * p1) / 86400);

	out[0] = (4 + days) % 7;
	return true;
}
