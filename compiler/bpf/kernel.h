/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's types, as far as the helpers here read them.
 *
 * Only the members that are read are named; where they really are is found out when the object is
 * loaded (CO-RE), so neither order nor what is left out matters. Members that do not exist on every
 * kernel from 6.4 on need bpf_core_field_exists() at their use.
 */
#ifndef NFT_BPF_COMPILER_BPF_KERNEL_H
#define NFT_BPF_COMPILER_BPF_KERNEL_H

#include "types.h"

typedef _Bool bool;
#define true  1
#define false 0
#ifndef NULL
#define NULL ((void *)0)
#endif

enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };

enum { NF_DROP = 0, NF_ACCEPT = 1 };
enum { NFPROTO_IPV4 = 2, NFPROTO_IPV6 = 10 };
enum { TCP_TIME_WAIT = 6, TCP_NEW_SYN_RECV = 12 };
enum { ETH_ALEN = 6, ETH_HLEN = 14, VLAN_HLEN = 4 };

/* UAPI, opaque: a dynptr is two words of the verifier's own. */
struct bpf_dynptr {
	__u64 __opaque[2];
} __attribute__((aligned(8)));

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct rtnl_link_ops {
	const char *kind;
};

struct net_device {
	int ifindex;
	char name[16];
	unsigned short type;
	unsigned int group;
	const struct rtnl_link_ops *rtnl_link_ops;
};

struct uid_gid_extent {
	__u32 first, lower_first, count;
};

struct uid_gid_map {
	struct uid_gid_extent extent[5];
	__u32 nr_extents;
};

struct user_namespace {
	struct uid_gid_map uid_map, gid_map;
};

struct net {
	struct user_namespace *user_ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct cred {
	kuid_t fsuid;
	kgid_t fsgid;
};

struct file {
	const struct cred *f_cred;
};

struct socket {
	struct file *file;
};

struct sock;
struct cgroup;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	volatile unsigned char skc_state;
	__be32 skc_rcv_saddr;
	struct in6_addr skc_v6_rcv_saddr;
	possible_net_t skc_net;
	struct sock *skc_listener;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
	__u32 classid;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	__u32 sk_mark;
	struct sock_cgroup_data sk_cgrp_data;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
	int level;
	struct cgroup *ancestors[0];
};

enum skb_ext_id { SKB_EXT_SEC_PATH };

struct skb_ext {
	__u8 offset[1]; /* in 8 bytes, by kind */
};

typedef union {
	__be32 a4;
	__be32 a6[4];
} xfrm_address_t;

struct xfrm_id {
	xfrm_address_t daddr;
	__be32 spi;
};

struct xfrm_state {
	struct xfrm_id id;
	struct {
		__u32 reqid;
		__u8 mode;
		__u16 family;
		xfrm_address_t saddr;
	} props;
};

struct sec_path {
	int len;
	struct xfrm_state *xvec[6];
};

struct dst_entry {
	struct xfrm_state *xfrm;
	unsigned short flags;
	__u32 tclassid;
};

struct xfrm_dst {
	struct dst_entry *child;
};

struct rtable {
	__u8 rt_gw_family;
	__be32 rt_gw4;
};

struct rt6key {
	struct in6_addr addr;
};

struct rt6_info {
	struct rt6key rt6i_dst;
	struct in6_addr rt6i_gateway;
	__u32 rt6i_flags;
};

/* Two words, whatever they are (ct.bpf.c). */
struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};

/* ---- conntrack ---- */

enum nf_ct_ext_id { NF_CT_EXT_HELPER, NF_CT_EXT_ACCT, NF_CT_EXT_LABELS };

struct nf_ct_ext;

typedef struct {
	__s64 counter;
} atomic64_t;

struct nf_conn_counter {
	atomic64_t packets, bytes;
};

struct nf_conn_acct {
	struct nf_conn_counter counter[2];
};

struct nf_conntrack_helper {
	char name[16];
};

struct nf_conn_help {
	struct nf_conntrack_helper *helper;
};

union nf_inet_addr {
	__u32 all[4];
};

union nf_conntrack_man_proto {
	__be16 all;
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
		__u8 protonum;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conntrack_zone {
	__u16 id;
	__u8 dir;
};

struct nf_conn {
	__u32 timeout;
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	struct nf_conn *master;
	__u32 mark;
	__u32 secmark; /* CONFIG_NF_CONNTRACK_SECMARK */
	struct nf_ct_ext *ext;
};

/* What IP keeps in skb->cb. */
struct inet_skb_parm {
	int iif;
	__u16 flags;
};

struct inet6_skb_parm {
	int iif;
	__u16 flags;
};

struct sk_buff {
	unsigned int len, data_len;
	__be16 protocol, vlan_proto;
	__u16 vlan_tci;
	__u32 vlan_all; /* vlan_proto and vlan_tci; not 0: skb_vlan_tag_present() */
	__u16 network_header, mac_header;
	unsigned char *head, *data;
	struct sock *sk;
	__u32 mark, priority, secmark;
	__u8 pkt_type : 3;
	__u8 active_extensions; /* CONFIG_SKB_EXTENSIONS */
	struct skb_ext *extensions;
	unsigned long _nfct;
	unsigned long _skb_refdst;
	char cb[48];
};

struct nf_hook_state {
	__u8 hook, pf;
	struct net_device *in, *out;
	struct net *net;
};

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
};

#pragma clang attribute pop

/* kfuncs */
extern int bpf_dynptr_from_skb(struct sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr)
	__attribute__((section(".ksyms")));
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __attribute__((section(".ksyms")));

#endif
