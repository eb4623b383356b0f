/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbols between libnftables and the kernel.
 *
 * libnftables (1.0.6 to 1.1.x) reaches the kernel through libmnl's mnl_socket_*() for questions and
 * libc's sendmsg() for the batch, and through nothing else. The program exports symbols of these
 * names, which the dynamic linker prefers: calls on a socket of this thread's session go there, all
 * others to the originals.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>

#include "session.h"

#define EXPORT __attribute__((visibility("default")))

/* The next definition of @name behind the program's own. */
#define ORIGINAL(name)                                                                             \
	({                                                                                         \
		static __typeof__(&(name)) original_;                                              \
		if (!original_)                                                                    \
			original_ = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name);                  \
		original_;                                                                         \
	})

EXPORT struct mnl_socket *mnl_socket_open(int bus)
{
	if (session_is_active())
		return (struct mnl_socket *)session_socket_open(bus);
	return ORIGINAL(mnl_socket_open)(bus);
}

EXPORT int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	struct session_socket *s = session_find_socket(nl);
	struct sockaddr_nl self = {.nl_family = AF_NETLINK, .nl_groups = groups, .nl_pid = pid};

	if (!s)
		return ORIGINAL(mnl_socket_bind)(nl, groups, pid);
	return s->is_real ? bind(s->fd, (struct sockaddr *)&self, sizeof(self)) : 0;
}

EXPORT int mnl_socket_close(struct mnl_socket *nl)
{
	struct session_socket *s = session_find_socket(nl);

	if (!s)
		return ORIGINAL(mnl_socket_close)(nl);
	session_socket_close(s);
	return 0;
}

EXPORT int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	struct session_socket *s = session_find_socket(nl);

	return s ? s->fd : ORIGINAL(mnl_socket_get_fd)(nl);
}

/* 0 matches every answer (mnl_nlmsg_portid_ok()). */
EXPORT unsigned int mnl_socket_get_portid(const struct mnl_socket *nl)
{
	return session_find_socket(nl) ? 0 : ORIGINAL(mnl_socket_get_portid)(nl);
}

EXPORT int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len)
{
	struct session_socket *s = session_find_socket(nl);

	if (!s)
		return ORIGINAL(mnl_socket_setsockopt)(nl, type, buf, len);
	return s->is_real ? setsockopt(s->fd, SOL_NETLINK, type, buf, len) : 0;
}

EXPORT ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t size)
{
	struct session_socket *s = session_find_socket(nl);

	return s ? session_send(s, req, size) : ORIGINAL(mnl_socket_sendto)(nl, req, size);
}

EXPORT ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	struct session_socket *s = session_find_socket(nl);

	return s ? session_receive(s, buf, size) : ORIGINAL(mnl_socket_recvfrom)(nl, buf, size);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct session_socket *s = session_find_fd(fd);

	return s ? session_send_batch(s, msg, flags) : ORIGINAL(sendmsg)(fd, msg, flags);
}
