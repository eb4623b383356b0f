/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet of the test and what goes with it: where it enters, where it is to go, its metadata.
 */
#ifndef NFT_BPF_DIFFTEST_PACKET_H
#define NFT_BPF_DIFFTEST_PACKET_H

#include <stdio.h>

#include "../compiler/util.h"

#define PACKET_MAX 65535

struct packet {
	struct list node;
	uint8_t pf;	   /* NFPROTO_IPV4, NFPROTO_IPV6 */
	bool is_local;	   /* from a raw socket; else from a device */
	uint32_t iif, oif; /* iif 0 when local; oif LAB_LO: for this host; 0: nowhere in particular */
	uint32_t mark, priority;
	uint32_t uid, gid; /* of the sending socket */
	uint8_t src_mac[6], dst_mac[6];
	bool own_dst_mac;  /* dst_mac is told; else the device's */
	uint16_t vlan;	   /* tag to carry, 0: none */
	/* A GSO packet, or one whose bytes from hdr_len on are outside the linear part. */
	uint8_t gso_type;  /* VIRTIO_NET_HDR_GSO_* */
	uint16_t gso_size, hdr_len;
	/* What conntrack is made to know before it comes; ct.c. */
	enum packet_ct {
		CT_AS_IT_IS,
		CT_NEW,
		CT_ESTABLISHED,
		CT_RELATED,
		CT_INVALID, /* by its own bytes */
	} ct;
	bool ct_reply;	   /* it goes in the connection's reply direction */
	uint32_t ct_mark, ct_status;
	bool is_talk;	   /* of a TCP conversation */
	char *origin;	   /* why it was made; malloc'ed */
	uint32_t len;
	uint8_t data[];	   /* from the network header */
};

struct packet *packet_new(uint8_t pf, const void *data, uint32_t len);
struct packet *packet_dup(const struct packet *p);
void packet_free(struct packet *p);
void packet_freep(struct packet **p);
void packets_free(struct list *packets); /* all of a list */
void packet_set_origin(struct packet *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A copy with @n bytes put in at @at; lengths and checksums are still the old ones. */
struct packet *packet_insert(const struct packet *p, uint32_t at, const uint8_t *bytes, uint32_t n);

/* Where the transport header is, by the kernel's rules for matching; -1: nowhere. */
struct packet_l4 {
	int proto;
	uint32_t offset;
	bool later_fragment;
};
struct packet_l4 packet_find_l4(uint8_t pf, const uint8_t *data, uint32_t len);
/* Where its TCP header is, of which 20 bytes are there; 0: nowhere. */
uint32_t packet_find_tcp(const struct packet *p);

/* Sets lengths and checksums that were left for us; see enum. */
enum packet_fix {
	FIX_IP_LEN = 1,
	FIX_IP_CSUM = 2,
	FIX_L4_LEN = 4,
	FIX_L4_CSUM = 8,
	FIX_ALL = 15,
};
void packet_fix(struct packet *p, unsigned int fix);

/* One line for people: "eth0 > eth1 mark 0x1 IP 10.0.0.1 > 10.0.0.2 tcp 1024 > 22 [S] len 40". */
void packet_print(const struct packet *p, const char *(*dev_name)(void *arg, uint32_t ifindex),
		  void *arg, FILE *out);

#endif
