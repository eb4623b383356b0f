/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the model refuses and the kernel would not: elements of sets that packets change, in which the
 * kernel's own set lags behind. libnftables is told so as the kernel would tell it, by messages that come
 * out of its socket; so it says what is wrong in its words, with a caret.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>

#include "apply.h"
#include "session.h"
#include "sock.h"

/* netlink_ack(), of an attribute (NL_SET_BAD_ATTR). */
static void put_refusal(struct nlbuf *b, const struct nlmsghdr *nlh, int err, const struct nlattr *at)
{
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr error;
		struct nlattr attr;
		uint32_t offset;
	} m = {
		.nlh = {.nlmsg_len = sizeof(m),
			.nlmsg_type = NLMSG_ERROR,
			.nlmsg_flags = 0x300, /* NLM_F_CAPPED, NLM_F_ACK_TLVS */
			.nlmsg_seq = nlh->nlmsg_seq},
		.error = {.error = err, .msg = *nlh},
		.attr = {.nla_len = sizeof(m.attr) + sizeof(m.offset), .nla_type = NLMSGERR_ATTR_OFFS},
		.offset = (uint32_t)((const uint8_t *)at - (const uint8_t *)nlh),
	};

	nlbuf_raw(b, &m, sizeof(m));
}

static int find_refusals(struct ruleset *rs, const struct nlbuf *batch, struct nlbuf *ret)
{
	const struct nlattr *elem;
	const struct nlmsghdr *nlh;
	size_t pos;
	int err;

	for (pos = 0; batch->len - pos >= sizeof(*nlh); pos += MNL_ALIGN(nlh->nlmsg_len)) {
		nlh = (const struct nlmsghdr *)(batch->data + pos);
		err = nlh->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES ? apply_refuses(rs, nlh, &elem) : 0;
		if (err == -ENOMEM)
			return err;
		if (err && elem)
			put_refusal(ret, nlh, err, elem);
	}
	return ret->failed ? -ENOMEM : 0;
}

/* What the kernel said waits in the socket already. Errors have the message that they are of in them. */
static int take_answers(int fd, struct nlbuf *ret)
{
	uint8_t AUTO_FREE *buffer = malloc(NLSOCK_BUFFER);
	ssize_t n = 0;

	while (buffer && (n = recv(fd, buffer, NLSOCK_BUFFER, MSG_DONTWAIT)) > 0)
		nlbuf_raw(ret, buffer, (size_t)n);
	if (!buffer || ret->failed)
		return -ENOMEM;
	return n < 0 && errno != EAGAIN ? -errno : 0;
}

static int compare_seq(const void *pa, const void *pb)
{
	const struct nlmsghdr *a = *(const struct nlmsghdr *const *)pa;
	const struct nlmsghdr *b = *(const struct nlmsghdr *const *)pb;

	if (a->nlmsg_seq != b->nlmsg_seq)
		return a->nlmsg_seq < b->nlmsg_seq ? -1 : 1;
	return a < b ? -1 : a > b; /* as they came */
}

/* From the socket to itself (netlink_unicast()), in the batch's order, one by one like the kernel. */
static int put_back(int fd, const struct nlbuf *b)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)b->data;
	const struct nlmsghdr **AUTO_FREE sorted = calloc(b->len / sizeof(*nlh) + 1, sizeof(*sorted));
	int left = (int)b->len, err = 0;
	struct sockaddr_nl self;
	socklen_t size = sizeof(self);
	size_t n = 0;

	if (!sorted)
		return -ENOMEM;
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		sorted[n++] = nlh;
	qsort(sorted, n, sizeof(*sorted), compare_seq);
	if (getsockname(fd, (struct sockaddr *)&self, &size) < 0)
		return -errno;
	for (size_t i = 0; !err && i < n; i++)
		if (sendto(fd, sorted[i], sorted[i]->nlmsg_len, MSG_DONTWAIT, (struct sockaddr *)&self,
			   sizeof(self)) < 0)
			err = -errno;
	return err;
}

int refusals_send(const struct session_socket *s, struct ruleset *rs)
{
	struct nlbuf CLEANUP(nlbuf_fini) ours = {0}, all = {0};
	int err = find_refusals(rs, &s->session->captured, &ours);

	if (err < 0 || !ours.len)
		return err;
	err = take_answers(s->fd, &all);
	nlbuf_raw(&all, ours.data, ours.len);
	return err ? err : all.failed ? -ENOMEM : put_back(s->fd, &all);
}
