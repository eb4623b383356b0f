/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The laboratory: two scratch network namespaces that differ in nothing but who runs the ruleset.
 *
 * Devices have the same names, indexes and addresses in both; every one is a TUN/TAP device whose
 * other end we hold (and lo). Packets enter as frames written to a device or from a raw socket, in
 * the caller's thread and to the end: when lab_inject() returns, the kernel is done with the packet
 * and its probes have spoken.
 */
#ifndef NFT_BPF_DIFFTEST_LAB_H
#define NFT_BPF_DIFFTEST_LAB_H

#include <net/if.h>

#include "../compiler/diag.h"
#include "packet.h"

#define LAB_MAX_DEVS 128
#define LAB_LO	     1 /* lo's index in every namespace */

enum lab_side_id {
	SIDE_NFT, /* plain nft: the oracle */
	SIDE_BPF, /* what is tested */
	N_SIDES,
};

struct lab_dev {
	char name[IFNAMSIZ];
	uint32_t ifindex;
	bool is_lo;
	bool is_tun; /* no link layer header */
	uint8_t mac[6];
	uint32_t group;
	uint8_t v4[4], v6[16]; /* its address */
};

struct probes;
struct placements;

struct lab_side {
	int netns;
	int fd[LAB_MAX_DEVS]; /* our end of devs[i]; -1 for lo */
	struct mnl_socket *rt, *ct; /* NETLINK_ROUTE, NETLINK_NETFILTER */
	struct probes *probes;
};

struct lab {
	struct lab_dev devs[LAB_MAX_DEVS];
	unsigned int n_devs; /* devs[0] is lo */
	unsigned int n_started;
	struct lab_side side[N_SIDES];
	struct placements *placements;
	int home; /* the caller's namespace */
};

/* Two namespaces with nothing but lo. Errors: -EPERM…, told in @ds. */
int lab_new(struct diags *ds, struct lab **ret);
void lab_free(struct lab *lab);
void lab_freep(struct lab **lab);

/* Moves the calling thread into a namespace, and home again. */
int lab_enter(const struct lab *lab, enum lab_side_id side);
void lab_leave(const struct lab *lab);

/* In both namespaces; @ifindex 0: the next free one. Known names are left alone. */
int lab_add_dev(struct lab *lab, const char *name, uint32_t ifindex, struct diags *ds);
const struct lab_dev *lab_dev_by_index(const struct lab *lab, uint32_t ifindex);
const struct lab_dev *lab_dev_by_name(const struct lab *lab, const char *name);

/* Settings, addresses, up: of all devices that are new since the last time. */
int lab_start(struct lab *lab, struct diags *ds);

/* Writes a setting below /proc/sys in the namespace the thread is in; a missing one is no error. */
int lab_sysctl(const char *name, const char *value);

/* ---- route.c ---- */

int route_open(struct lab_side *s);
void route_close(struct lab_side *s);
int route_set_group(struct lab_side *s, const struct lab_dev *d);
int route_add_addr(struct lab_side *s, const struct lab_dev *d, int family);
int route_add_default(struct lab_side *s, const struct lab_dev *d, int family);
/*
 * Makes both namespaces deliver @dst locally (@oif LAB_LO) or forward it out of @oif. Remembers
 * what it did: asking again costs nothing.
 */
int route_place(struct lab *lab, int family, const uint8_t *dst, uint32_t oif);
void placements_free(struct placements *p);

/* ---- inject.c ---- */

/*
 * Sends the packet. 0, or -errno as the sender saw it; -EPERM, -ENOBUFS, -ENETUNREACH… of a local
 * packet are results like others.
 */
int lab_inject(struct lab *lab, enum lab_side_id side, const struct packet *p);

#endif
