/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the generator's BPF programs, its driver and workloads/traffic.py agree on.
 */
#ifndef BENCH_GEN_H
#define BENCH_GEN_H

#include <linux/types.h>

#define BENCH_PACKETS 1048576u /* a power of two */
#define BENCH_FRAME   64
#define BENCH_INDEX   56 /* the packet's number in its frame */

/* One packet of the mix. Addresses, ports, check and l4 are in network byte order. */
struct bench_packet {
	__u32 saddr, daddr;
	__u16 sport, dport; /* ICMP: type and code in sport */
	__u8 protocol, tcp_flags;
	__u16 smac[3];
	__u16 check; /* of the IPv4 header; filled in by the driver */
	__u16 l4;    /* UDP: the length; filled in by the driver */
};

struct bench_state {
	__u32 next, count;	     /* the packet to send next; how many make a round */
	__u64 passed;		     /* packets that got past the ruleset */
	__u8 verdict[BENCH_PACKETS]; /* while checking: 1 for each packet that got past */
};

#endif
