/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions and their sockets. A socket is one of the kernel's where it can be had, else one end of a pair.
 */
#include "session.h"

#include <unistd.h>

static _Thread_local struct nft_session *active;

void session_begin(struct nft_session *s)
{
	s->outer = active;
	active = s;
}

void session_end(struct nft_session *s)
{
	while (s->sockets)
		session_socket_close(s->sockets);
	nlbuf_fini(&s->captured);
	active = s->outer;
}

bool session_is_active(void)
{
	return active != NULL;
}

bool session_is_in_between(const struct nft_session *s)
{
	const struct session_socket *socket;

	for (socket = s->sockets; socket; socket = socket->next) {
		if (socket->protocol == NETLINK_NETFILTER)
			return true;
	}
	return false;
}

struct session_socket *session_find_socket(const void *nl)
{
	struct session_socket *s = active ? active->sockets : NULL;

	while (s && s != nl)
		s = s->next;
	return s;
}

struct session_socket *session_find_fd(int fd)
{
	struct session_socket *s = active ? active->sockets : NULL;

	while (s && s->fd != fd)
		s = s->next;
	return s;
}

struct session_socket *session_socket_open(int protocol)
{
	struct session_socket *s = calloc(1, sizeof(*s));
	int pair[2];

	if (!s)
		return NULL;
	s->session = active;
	s->protocol = protocol;
	s->peer = -1;
	s->fd = -1;
	if (protocol == NETLINK_ROUTE || active->kernel == NFT_KERNEL_REAL)
		s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	s->is_real = s->fd >= 0;
	if (!s->is_real) {
		/* libnftables sets options on it, and waits for it to have something to read. */
		if (active->kernel == NFT_KERNEL_REAL && protocol != NETLINK_ROUTE)
			goto fail;
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
			goto fail;
		s->fd = pair[0];
		s->peer = pair[1];
	}
	s->next = active->sockets;
	active->sockets = s;
	return s;
fail:
	free(s);
	return NULL;
}

void session_drop_answer(struct session_socket *s)
{
	free(s->answer);
	s->answer = NULL;
	s->answer_len = s->answer_pos = 0;
}

void session_socket_close(struct session_socket *s)
{
	struct session_socket **link = &s->session->sockets;

	while (*link && *link != s)
		link = &(*link)->next;
	if (*link)
		*link = s->next;
	close(s->fd);
	if (s->peer >= 0)
		close(s->peer);
	session_drop_answer(s);
	free(s);
}
