/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the generator's BPF programs, its driver and workloads/traffic.py agree on.
 */
#ifndef BENCH_GEN_H
#define BENCH_GEN_H

#define BENCH_PACKETS 1048576u /* a power of two */
#define BENCH_FRAME   64
#define BENCH_INDEX   56 /* the packet's number in its frame */

/* One packet of the mix. Addresses, ports, check and l4 are in network byte order. */
struct bench_packet {
	unsigned int saddr, daddr;
	unsigned short sport, dport; /* ICMP: type and code in sport */
	unsigned char protocol, tcp_flags;
	unsigned short smac[3];
	unsigned short check; /* of the IPv4 header; filled in by the driver */
	unsigned short l4;    /* UDP: the length; filled in by the driver */
};

struct bench_state {
	unsigned int next, count;	      /* the packet to send next; how many make a round */
	unsigned long long passed;	      /* packets that got past the ruleset */
	unsigned char verdict[BENCH_PACKETS]; /* while checking: 1 for each packet that got past */
};

#endif
