/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket: of the socket a packet has. nft_socket_eval() decides; where it would look one up, the
 * chain is not compiled.
 */
#include "nb.h"

/* A full socket of this namespace, or NULL. */
NB_INLINE const struct sock *packet_sock(struct bpf_nf_ctx *ctx)
{
	const void *at = ctx->skb->sk;
	const struct sock *sk;
	__u8 state;

	if (!at)
		return NULL;
	sk = bpf_rdonly_cast(at, bpf_core_type_id_kernel(struct sock));
	if (sk->__sk_common.skc_net.net != ctx->state->net)
		return NULL;
	state = sk->__sk_common.skc_state;
	return state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV ? NULL : sk;
}

NB_LEAF(socket_mark)
{
	const struct sock *sk = packet_sock(p->ctx);

	if (!sk)
		return false;
	out[0] = nb_host32(sk->sk_mark);
	return true;
}

NB_LEAF(socket_wildcard)
{
	const struct sock *sk = packet_sock(p->ctx);
	const __u8 *addr;

	if (!sk)
		return false;
	if (p->pf == NFPROTO_IPV4) {
		out[0] = sk->__sk_common.skc_rcv_saddr == 0;
		return true;
	}
	addr = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8;
	out[0] = (nb_get(addr, 8) | nb_get(addr + 8, 8)) == 0;
	return true;
}

/* cgroup_id(cgroup_ancestor()); 0: none. A function of its own for its stack. */
NB_GLOBAL __u64 nb_sock_cgroup(struct bpf_nf_ctx *ctx, __u32 level)
{
	const struct sock *sk = packet_sock(ctx);
	struct cgroup *cgroup, *ancestor = NULL;
	struct kernfs_node *kn = NULL;
	__u64 id = 0;

	if (!sk)
		return 0;
	cgroup = sk->sk_cgrp_data.cgroup;
	if (!cgroup || (int)level > cgroup->level)
		return 0;
	if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
				  __builtin_preserve_access_index(&cgroup->ancestors[0]) + level) ||
	    bpf_probe_read_kernel(&kn, sizeof(kn),
				  __builtin_preserve_access_index(&ancestor->kn)) ||
	    bpf_probe_read_kernel(&id, sizeof(id), __builtin_preserve_access_index(&kn->id)))
		return 0;
	return id;
}

/* @p0: the level. */
NB_LEAF(socket_cgroupv2)
{
	const __u64 id = nb_sock_cgroup(p->ctx, p0);

	out[0] = nb_host64(id);
	return id != 0;
}
