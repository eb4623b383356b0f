// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of a difftest namespace: probes at the hooks, and one that gives injected packets
 * their mark and priority.
 *
 * The few kernel types that are read are declared here with the members that are read; CO-RE finds
 * their places.
 */
#include <stddef.h>

#include "compiler/bpf/types.h"

/* Of linux/bpf.h. */
enum { BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_RINGBUF = 27, BPF_F_MMAPABLE = 1 << 10 };
struct bpf_dynptr {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct __sk_buff { /* as far as it is written */
	__u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto;
	__u32 priority;
};

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probe.h"

#define KERNEL_TYPE __attribute__((preserve_access_index))
#define CT_INFO_MASK 7UL
#define MAC_NONE 0xffff

typedef struct {
	unsigned int val;
} kernel_id_t;

struct net_device {
	int ifindex;
} KERNEL_TYPE;

struct cred {
	kernel_id_t fsuid, fsgid;
} KERNEL_TYPE;

struct file {
	const struct cred *f_cred;
} KERNEL_TYPE;

struct socket {
	struct file *file;
} KERNEL_TYPE;

struct sock_common {
	volatile unsigned char skc_state;
} KERNEL_TYPE;

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
} KERNEL_TYPE;

union nf_inet_addr {
	__u32 all[4];
} KERNEL_TYPE;

union nf_conntrack_man_proto {
	__be16 all;
} KERNEL_TYPE;

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
	__u16 l3num;
} KERNEL_TYPE;

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
		__u8 protonum, dir;
	} dst;
} KERNEL_TYPE;

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
} KERNEL_TYPE;

struct nf_conntrack_zone {
	__u16 id;
} KERNEL_TYPE;

struct nf_conn {
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	__u32 mark;
} KERNEL_TYPE;

struct sk_buff {
	unsigned int len, data_len;
	__u32 mark, priority, hash;
	__be16 protocol;
	__u16 mac_header, network_header;
	unsigned long _nfct;
	unsigned char *head, *data;
	unsigned int end; /* from head */
	struct sock *sk;
	struct net_device *dev;
} KERNEL_TYPE;

struct skb_shared_info {
	unsigned short gso_size;
} KERNEL_TYPE;

struct nf_hook_state {
	__u8 hook, pf;
	struct net_device *in, *out;
} KERNEL_TYPE;

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
} KERNEL_TYPE;

/* A view of its own for the bit field. */
struct sk_buff___bits {
	__u8 pkt_type : 3;
} KERNEL_TYPE;

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct probe_ingress);
} ingress SEC(".maps");

/* @dir has to be a constant: CO-RE knows the kernel's size of an element, the compiler ours. */
#define READ_TUPLE(ct, dir, ev)                                                                    \
	do {                                                                                       \
		BPF_CORE_READ_INTO(&(ev)->ct_addr[dir][0], ct, tuplehash[dir].tuple.src.u3);       \
		BPF_CORE_READ_INTO(&(ev)->ct_addr[dir][1], ct, tuplehash[dir].tuple.dst.u3);       \
		BPF_CORE_READ_INTO(&(ev)->ct_port[dir][0], ct, tuplehash[dir].tuple.src.u.all);    \
		BPF_CORE_READ_INTO(&(ev)->ct_port[dir][1], ct, tuplehash[dir].tuple.dst.u.all);    \
	} while (0)

static __always_inline void read_ct(struct sk_buff *skb, struct probe_event *ev)
{
	unsigned long nfct = BPF_CORE_READ(skb, _nfct);
	struct nf_conn *ct = (void *)(nfct & ~CT_INFO_MASK);
	unsigned long status = 0;

	ev->ctinfo = nfct & CT_INFO_MASK;
	ev->has_ct = ct != 0;
	if (!ct)
		return;
	status = BPF_CORE_READ(ct, status);
	ev->ct_status = status;
	ev->ct_mark = BPF_CORE_READ(ct, mark);
	ev->is_template = (status >> 11) & 1; /* IPS_TEMPLATE_BIT */
	ev->ct_dir = ev->ctinfo >= 3 && ev->ctinfo != 7;
	ev->ct_zone = BPF_CORE_READ(ct, zone.id);
	ev->ct_l3proto = BPF_CORE_READ(ct, tuplehash[0].tuple.src.l3num);
	ev->ct_protocol = BPF_CORE_READ(ct, tuplehash[0].tuple.dst.protonum);
	READ_TUPLE(ct, 0, ev);
	READ_TUPLE(ct, 1, ev);
}

static __always_inline void read_sock(struct sk_buff *skb, struct probe_event *ev)
{
	struct sock *sk = BPF_CORE_READ(skb, sk);
	struct file *file;
	__u8 state;

	if (!sk)
		return;
	/* sk_fullsock(): not TCP_TIME_WAIT (6), not TCP_NEW_SYN_RECV (12) */
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == 6 || state == 12)
		return;
	file = BPF_CORE_READ(sk, sk_socket, file);
	if (!file)
		return;
	ev->has_sock = 1;
	ev->skuid = BPF_CORE_READ(file, f_cred, fsuid.val);
	ev->skgid = BPF_CORE_READ(file, f_cred, fsgid.val);
}

static __always_inline void read_mac(struct sk_buff *skb, struct probe_event *ev)
{
	unsigned char *head = BPF_CORE_READ(skb, head), *data = BPF_CORE_READ(skb, data);
	__u16 mac = BPF_CORE_READ(skb, mac_header);
	__u64 n;

	if (mac == MAC_NONE)
		return;
	n = data - (head + mac);
	barrier_var(n);
	if (n == 0 || n > PROBE_MAC)
		return;
	bpf_probe_read_kernel(ev->mac, n, head + mac);
	ev->mac_len = n;
}

/* skb_shinfo() */
static __always_inline void read_gso(struct sk_buff *skb, struct probe_event *ev)
{
	struct skb_shared_info *si = (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));

	ev->gso_size = BPF_CORE_READ(si, gso_size);
}

static __always_inline void read_data(struct sk_buff *skb, struct probe_event *ev)
{
	struct bpf_dynptr ptr;
	__u64 n = ev->len;

	if (bpf_dynptr_from_skb((struct __sk_buff *)skb, 0, &ptr))
		return;
	if (n > PROBE_DATA)
		n = PROBE_DATA;
	if (n == 0)
		return;
	barrier_var(n);
	if (n > PROBE_DATA || n == 0)
		return;
	if (bpf_dynptr_read(ev->data, n, &ptr, 0, 0) == 0)
		ev->data_len = n;
}

static __always_inline int probe(struct bpf_nf_ctx *ctx, int pos)
{
	const struct nf_hook_state *state = ctx->state;
	struct sk_buff *skb = ctx->skb;
	struct probe_event *ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	__u32 zero = 0;

	if (!ev) {
		__u64 *n = bpf_map_lookup_elem(&lost, &zero);

		if (n)
			__sync_fetch_and_add(n, 1);
		return 1;
	}
	__builtin_memset(ev, 0, offsetof(struct probe_event, data));
	ev->now_ns = bpf_ktime_get_ns();
	ev->len = BPF_CORE_READ(skb, len);
	ev->linear = ev->len - BPF_CORE_READ(skb, data_len);
	ev->mark = BPF_CORE_READ(skb, mark);
	ev->priority = BPF_CORE_READ(skb, priority);
	ev->hash = BPF_CORE_READ(skb, hash);
	ev->cpu = bpf_get_smp_processor_id();
	ev->iif = BPF_CORE_READ(state, in, ifindex);
	ev->oif = BPF_CORE_READ(state, out, ifindex);
	ev->protocol = __builtin_bswap16(BPF_CORE_READ(skb, protocol));
	ev->hook = BPF_CORE_READ(state, hook);
	ev->pf = BPF_CORE_READ(state, pf);
	ev->pos = pos;
	ev->pkttype = BPF_CORE_READ_BITFIELD_PROBED((struct sk_buff___bits *)skb, pkt_type);
	read_gso(skb, ev);
	read_ct(skb, ev);
	read_sock(skb, ev);
	read_mac(skb, ev);
	read_data(skb, ev);
	bpf_ringbuf_submit(ev, 0);
	return 1;
}

/* A link carries no cookie, so each position is a program. */
#define PROBE(n)                                                                                   \
	SEC("netfilter") int probe_##n(struct bpf_nf_ctx *ctx)                                     \
	{                                                                                          \
		return probe(ctx, n);                                                              \
	}
PROBE(0)
PROBE(1)
PROBE(2)
PROBE(3)
PROBE(4)
PROBE(5)
PROBE(6)
PROBE(7)
PROBE(8)
PROBE(9)
PROBE(10)
PROBE(11)
PROBE(12)
PROBE(13)
PROBE(14)
PROBE(15)

SEC("tc") int set_ingress(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct probe_ingress *in = bpf_map_lookup_elem(&ingress, &zero);

	if (in) {
		skb->mark = in->mark;
		skb->priority = in->priority;
	}
	return -1; /* TCX_NEXT */
}

char _license[] SEC("license") = "GPL";
