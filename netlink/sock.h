/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netlink socket of our own. Not libmnl's: the mnl_socket_* symbols of this program are libnftables'
 * (interpose.c).
 */
#ifndef NFT_BPF_NETLINK_SOCK_H
#define NFT_BPF_NETLINK_SOCK_H

#include <linux/netlink.h>
#include <sys/types.h>

#include "nlattr.h"

struct nlsock {
	int fd;
	uint32_t seq;
	uint8_t *buffer; /* of NLSOCK_BUFFER bytes */
};
#define NLSOCK_BUFFER (128 * 1024) /* more than any message: an attribute has at most 64 kB */

int nlsock_open(struct nlsock *s, int protocol);
void nlsock_close(struct nlsock *s);
/*
 * Closing a socket of nfnetlink waits until what batches removed is freed (nft_rcv_nl_event()): some
 * grace periods, which may pass while others are waited for. While @on, sockets are closed later,
 * all at once by switching it off.
 */
void nlsock_linger(bool on);

/*
 * Sends one request (its nlmsg_seq is set) and calls @each for every message of the answer, up to
 * NLMSG_DONE or the acknowledgement. What the kernel refuses is returned as its -errno; -EINTR: a
 * dump that was not of one piece. @each may be NULL.
 */
int nlsock_ask(struct nlsock *s, struct nlbuf *request,
	       int (*each)(const struct nlmsghdr *nlh, void *arg), void *arg);

#endif
