/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a probe tells of a packet, shared by probe.bpf.c and the program that reads it.
 *
 * A probe is a netfilter program that accepts everything, attached in a gap between the priorities
 * of a hook. So a packet's way is a list of events, and what a chain decided is which event comes
 * next. An event holds all that a rule behind the probe can see: it is the evaluator's input too.
 */
#ifndef NFT_BPF_DIFFTEST_PROBE_H
#define NFT_BPF_DIFFTEST_PROBE_H

#define PROBE_POSITIONS 16  /* gaps of one hook */
#define PROBE_DATA      512 /* bytes of a packet that are told, from the network header */
#define PROBE_MAC       18

struct probe_event {
	unsigned long long now_ns; /* CLOCK_MONOTONIC */
	unsigned int len;     /* skb->len */
	unsigned int linear;  /* of it in the linear part */
	unsigned int data_len; /* bytes in data[] */
	unsigned int mark, priority, hash, cpu;
	unsigned int iif, oif; /* 0: none */
	unsigned int ct_status, ct_mark;
	unsigned int skuid, skgid;
	unsigned short protocol; /* host order */
	unsigned short gso_size; /* 0: not a GSO packet */
	unsigned char hook, pf, pos;
	unsigned char pkttype;
	unsigned char has_ct, ctinfo, is_template, ct_dir;
	unsigned char ct_l3proto, ct_protocol;
	unsigned short ct_zone;
	unsigned char ct_addr[2][2][16]; /* [direction][0 source, 1 destination] */
	unsigned char ct_port[2][2][2];	 /* network order */
	unsigned char has_sock;
	unsigned char mac_len;
	unsigned char mac[PROBE_MAC];
	unsigned char data[PROBE_DATA];
};

/* What the ingress program gives the next packet of a device. */
struct probe_ingress {
	unsigned int mark, priority;
};

#endif
