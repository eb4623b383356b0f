/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netlink socket of our own: question and answer.
 */
#include "sock.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int nlsock_open(struct nlsock *s, int protocol)
{
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	int err;

	*s = (struct nlsock){.fd = -1, .seq = 1};
	s->buffer = malloc(NLSOCK_BUFFER);
	if (!s->buffer)
		return -ENOMEM;
	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&self, sizeof(self)) < 0) {
		err = -errno;
		nlsock_close(s);
		return err;
	}
	return 0;
}

static struct {
	bool on;
	int fds[8];
	size_t n;
} lingering;

void nlsock_linger(bool on)
{
	lingering.on = on;
	while (!on && lingering.n)
		close(lingering.fds[--lingering.n]);
}

void nlsock_close(struct nlsock *s)
{
	if (s->fd >= 0 && lingering.on && lingering.n < ARRAY_SIZE(lingering.fds))
		lingering.fds[lingering.n++] = s->fd;
	else if (s->fd >= 0)
		close(s->fd);
	free(s->buffer);
	*s = (struct nlsock){.fd = -1};
}

static ssize_t receive(struct nlsock *s)
{
	ssize_t n;

	do
		n = recv(s->fd, s->buffer, NLSOCK_BUFFER, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* 1: go on; 0: the answer ends here. */
static int take_message(const struct nlmsghdr *nlh,
			int (*each)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	const struct nlmsgerr *e = (const struct nlmsgerr *)(nlh + 1);
	int err;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EINTR;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return nlh->nlmsg_len < sizeof(*nlh) + sizeof(*e) ? -EBADMSG : e->error;
	if (nlh->nlmsg_type == NLMSG_DONE) {
		/* A dump's own error, where there is one. */
		err = nlh->nlmsg_len >= sizeof(*nlh) + sizeof(int) ? *(const int *)(nlh + 1) : 0;
		return MIN(err, 0);
	}
	err = each ? each(nlh, arg) : 0;
	return err < 0 ? err : 1;
}

/* After an error the rest of a dump would be read as the answer to the next question. */
static void drain(struct nlsock *s)
{
	while (recv(s->fd, s->buffer, NLSOCK_BUFFER, MSG_DONTWAIT) > 0)
		;
}

int nlsock_ask(struct nlsock *s, struct nlbuf *request,
	       int (*each)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	struct nlmsghdr *nlh;
	size_t pos;
	ssize_t n;
	int more;

	if (request->failed)
		return -ENOMEM;
	nlh = (struct nlmsghdr *)request->data;
	nlh->nlmsg_seq = ++s->seq;
	if (send(s->fd, request->data, request->len, 0) < 0)
		return -errno;
	for (;;) {
		n = receive(s);
		if (n <= 0)
			return n < 0 ? (int)n : -EBADMSG;
		for (pos = 0; (size_t)n - pos >= sizeof(*nlh); pos += MNL_ALIGN(nlh->nlmsg_len)) {
			nlh = (struct nlmsghdr *)(s->buffer + pos);
			if (nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > (size_t)n - pos)
				return -EBADMSG;
			if (nlh->nlmsg_seq != s->seq)
				continue;
			more = take_message(nlh, each, arg);
			if (more <= 0) {
				if (more < 0)
					drain(s);
				return more;
			}
		}
	}
}
