/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The batch that libnftables sends while a session is active: it is kept. With a real kernel it is sent
 * there as well, without its end: so the kernel validates it, reports every error to libnftables, which
 * prints them at their place in the file, and then forgets it, as for `nft -c` (nfnetlink_rcv_batch()). A
 * batch that is to be committed at once need not be sent twice: nft_input.unchecked.
 */
#include <errno.h>

#include "session.h"

/* Sequence numbers of prelude messages; libnftables counts its own from 0. */
#define PRELUDE_SEQ 0xf0000000u

/* Whole messages; those between begin and end are kept, runs of them at once. */
static int keep_batch(struct nft_session *s, const uint8_t *data, size_t len)
{
	const struct nlmsghdr *nlh;
	size_t pos = 0, from = 0;

	s->has_batch = true;
	while (len - pos >= sizeof(*nlh)) {
		nlh = (const struct nlmsghdr *)(data + pos);
		if (nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > len - pos)
			return -EINVAL;
		if (nlh->nlmsg_type == NFNL_MSG_BATCH_BEGIN ||
		    nlh->nlmsg_type == NFNL_MSG_BATCH_END) {
			nlbuf_raw(&s->captured, data + from, pos - from);
			from = MIN(pos + MNL_ALIGN(nlh->nlmsg_len), len);
		}
		pos += MIN((size_t)MNL_ALIGN(nlh->nlmsg_len), len - pos);
	}
	nlbuf_raw(&s->captured, data + from, pos - from);
	return s->captured.failed ? -ENOMEM : 0;
}

/* Whether it ends where a message does, as libnftnl's pages do (nftnl_batch_iovec()). */
static bool is_whole(const struct iovec *v)
{
	const struct nlmsghdr *nlh;
	size_t pos = 0;

	while (v->iov_len - pos >= sizeof(*nlh)) {
		nlh = (const struct nlmsghdr *)((const uint8_t *)v->iov_base + pos);
		if (nlh->nlmsg_len < sizeof(*nlh) || MNL_ALIGN(nlh->nlmsg_len) > v->iov_len - pos)
			return false;
		pos += MNL_ALIGN(nlh->nlmsg_len);
	}
	return pos == v->iov_len;
}

static int keep_all(struct nft_session *s, const struct msghdr *msg, size_t len)
{
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};
	size_t i;
	int err = 0;

	for (i = 0; i < msg->msg_iovlen && is_whole(&msg->msg_iov[i]); i++)
		;
	nlbuf_reserve(i < msg->msg_iovlen ? &b : &s->captured, len);
	if (i == msg->msg_iovlen) {
		for (i = 0; !err && i < msg->msg_iovlen; i++)
			err = keep_batch(s, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
		return err;
	}
	for (i = 0; i < msg->msg_iovlen; i++)
		nlbuf_raw(&b, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
	return b.failed ? -ENOMEM : keep_batch(s, b.data, b.len);
}

static void put_prelude(struct nlbuf *b, const struct batch *prelude)
{
	uint32_t seq = PRELUDE_SEQ;
	struct nlmsghdr *nlh;
	size_t pos, start = b->len;

	nlbuf_raw(b, prelude->data, prelude->len);
	for (pos = start; !b->failed && b->len - pos >= sizeof(*nlh);
	     pos += MNL_ALIGN(nlh->nlmsg_len)) {
		nlh = (struct nlmsghdr *)(b->data + pos);
		nlh->nlmsg_seq = seq++;
	}
}

/* What is validated may differ from what is returned, message by message. */
static int rewrite(const struct nft_session *s, uint8_t *data, size_t len)
{
	struct batch b = {.data = data, .len = len};

	return s->rewrite ? s->rewrite(s->rewrite_arg, &b) : 0;
}

/* Begin, prelude, batch, and no end. */
static int validate(struct session_socket *s)
{
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct batch *prelude = s->session->prelude;
	struct nlmsg_head head = {
		.type = NFNL_MSG_BATCH_BEGIN,
		.flags = NLM_F_REQUEST,
		.res_id = NFNL_SUBSYS_NFTABLES,
	};
	size_t start;
	int size, err;

	nlbuf_begin(&b, &head);
	nlbuf_end(&b);
	if (prelude)
		put_prelude(&b, prelude);
	start = b.len;
	nlbuf_raw(&b, s->session->captured.data, s->session->captured.len);
	if (b.failed)
		return -ENOMEM;
	err = rewrite(s->session, b.data + start, b.len - start);
	if (err < 0)
		return err;
	/* netlink_sendmsg(): EMSGSIZE for what exceeds the send buffer. */
	size = (int)MIN(b.len + 65536, (size_t)INT32_MAX / 2);
	setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (sendto(s->fd, b.data, b.len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return s->session->judge ? refusals_send(s, s->session->judge) : 0;
}

ssize_t session_send_batch(struct session_socket *s, const struct msghdr *msg, int flags UNUSED)
{
	size_t len = 0, i;
	int err;

	session_drop_answer(s);
	for (i = 0; i < msg->msg_iovlen; i++)
		len += msg->msg_iov[i].iov_len;
	err = keep_all(s->session, msg, len);
	if (!err && s->is_real && s->session->captured.len && !s->session->unchecked)
		err = validate(s);
	if (err < 0) {
		errno = -err;
		return -1;
	}
	return (ssize_t)len;
}

void session_note_errors(struct session_socket *s, const uint8_t *data, size_t len)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)data;
	const struct nlmsgerr *e;
	int left = (int)len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		e = (const struct nlmsgerr *)(nlh + 1);
		if (nlh->nlmsg_type == NLMSG_ERROR && nlh->nlmsg_seq >= PRELUDE_SEQ &&
		    nlh->nlmsg_len >= sizeof(*nlh) + sizeof(*e) && e->error &&
		    !s->session->prelude_error)
			s->session->prelude_error = e->error;
	}
}
