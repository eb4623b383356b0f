// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The benchmark's packets and where they end.
 *
 * `gen` is run by BPF_PROG_TEST_RUN on live frames: it writes the next packet of the mix over the
 * frame's headers and passes it to the stack. `late` is the last program of the hook: it counts and
 * drops, so that with rules and without, a packet ends at the same place. `check` stands in its
 * place while decisions are compared: it notes which packets came. `empty` is the floor.
 */
#include "compiler/bpf/types.h"

/* Of linux/bpf.h. */
enum xdp_action { XDP_ABORTED = 0, XDP_PASS = 2 };
struct xdp_md {
	__u32 data, data_end;
};

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "gen.h"

#define NF_DROP	  0
#define NF_ACCEPT 1
#define ETH_LEN	  14

struct sk_buff {
	unsigned char *data;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
	const void *state;
	struct sk_buff *skb;
} __attribute__((preserve_access_index));

struct bench_packet packets[BENCH_PACKETS] SEC(".bss.packets");
struct bench_state state SEC(".bss.state");

SEC("xdp") int gen(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	__u32 i = state.next & (BENCH_PACKETS - 1);
	const struct bench_packet *p = &packets[i];

	if ((void *)(data + BENCH_FRAME) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	state.next = i + 1 < state.count ? i + 1 : 0;
	*(__u16 *)(data + 6) = p->smac[0];
	*(__u16 *)(data + 8) = p->smac[1];
	*(__u16 *)(data + 10) = p->smac[2];
	data[23] = p->protocol;
	*(__u16 *)(data + 24) = p->check;
	*(__u32 *)(data + 26) = p->saddr;
	*(__u32 *)(data + 30) = p->daddr;
	*(__u16 *)(data + 34) = p->sport;
	*(__u16 *)(data + 36) = p->dport;
	*(__u16 *)(data + 38) = p->l4;
	data[47] = p->tcp_flags;
	*(__u32 *)(data + BENCH_INDEX) = i;
	return XDP_PASS;
}

SEC("netfilter") int late(struct bpf_nf_ctx *ctx)
{
	(void)ctx;
	state.passed++;
	return NF_DROP;
}

SEC("netfilter") int check(struct bpf_nf_ctx *ctx)
{
	unsigned char *data = BPF_CORE_READ(ctx->skb, data);
	__u32 i = 0;

	bpf_probe_read_kernel(&i, sizeof(i), data + BENCH_INDEX - ETH_LEN);
	state.verdict[i & (BENCH_PACKETS - 1)] = 1;
	state.passed++;
	return NF_DROP;
}

SEC("netfilter") int empty(struct bpf_nf_ctx *ctx)
{
	(void)ctx;
	return NF_ACCEPT;
}

char _license[] SEC("license") = "GPL";
