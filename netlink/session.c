/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libnftables' socket calls do while a session is active on the thread.
 *
 * Questions about the ruleset are answered from the session's model, or passed to the kernel.
 * Questions about interfaces always go to the kernel, where it can be asked. The batch is kept. With
 * a real kernel it is sent there as well, without its end: so the kernel validates it, reports every
 * error to libnftables, which prints them at their place in the file, and then forgets it, as for
 * `nft -c` (nfnetlink_rcv_batch()). A batch that is to be committed at once need not be sent twice:
 * nft_input.unchecked.
 */
#include "session.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <unistd.h>

#include "serve.h"

/* Sequence numbers of prelude messages; libnftables counts its own from 0. */
#define PRELUDE_SEQ 0xf0000000u

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

static void drop_answer(struct session_socket *s)
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
	drop_answer(s);
	free(s);
}

/* ---- questions ---- */

/* Where no socket can be had for it: the one link that is everywhere. */
static int answer_links(const struct nlmsghdr *request, uint8_t **ret_data, size_t *ret_len)
{
	struct nlbuf b = {0};
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg ifi;
		struct nlattr name;
		char lo[4];
	} link = {
		.nlh = {.nlmsg_len = sizeof(link),
			.nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_MULTI,
			.nlmsg_seq = request->nlmsg_seq},
		.ifi = {.ifi_index = 1, .ifi_flags = IFF_LOOPBACK},
		.name = {.nla_len = sizeof(link.name) + 3, .nla_type = IFLA_IFNAME},
		.lo = "lo",
	};
	struct {
		struct nlmsghdr nlh;
		int error;
	} done = {
		.nlh = {.nlmsg_len = sizeof(done),
			.nlmsg_type = NLMSG_DONE,
			.nlmsg_flags = NLM_F_MULTI,
			.nlmsg_seq = request->nlmsg_seq},
	};

	nlbuf_raw(&b, &link, sizeof(link));
	nlbuf_raw(&b, &done, sizeof(done));
	if (b.failed) {
		nlbuf_fini(&b);
		return -ENOMEM;
	}
	*ret_data = b.data;
	*ret_len = b.len;
	return 0;
}

/* nft's `auto-merge`, which is no attribute of the kernel's: 4 bytes behind a type and a length. */
static bool merges_intervals(const struct set *set)
{
	const uint8_t *u = set->userdata.data;
	size_t len = set->userdata.len, at;
	uint32_t value;

	for (at = 0; at + 2 <= len && at + 2 + u[at + 1] <= len; at += 2 + (size_t)u[at + 1]) {
		if (u[at] != 2 /* NFTNL_UDATA_SET_MERGE_ELEMENTS */ || u[at + 1] != sizeof(value))
			continue;
		memcpy(&value, u + at + 2, sizeof(value));
		return value != 0;
	}
	return false;
}

/* The set whose elements are all asked for; NULL: another question. */
static const struct set *set_dumped(const struct nft_session *s, const struct nlmsghdr *nlh)
{
	const struct table *t;
	const char *name;
	struct nltb tb;

	if (nlmsg_nft_type(nlh) != NFT_MSG_GETSETELEM ||
	    (nlh->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP || nltb_parse_message(&tb, nlh) < 0)
		return NULL;
	name = nltb_str(&tb, NFTA_SET_ELEM_LIST_TABLE);
	t = name ? ruleset_find_table(s->model, nlmsg_nfgen(nlh)->nfgen_family, name) : NULL;
	name = nltb_str(&tb, NFTA_SET_ELEM_LIST_SET);
	return t && name ? table_find_set(t, name) : NULL;
}

/* A model of heads answers for none but these, and elements that need not be known. */
static bool head_answers(const struct nft_session *s, const struct nlmsghdr *nlh)
{
	const struct set *set = set_dumped(s, nlh);
	int type = nlmsg_nft_type(nlh);

	if (set)
		return s->adds_only && !merges_intervals(set);
	/* Chains and objects are asked for to explain with what the kernel refuses. */
	if (s->unchecked && (type == NFT_MSG_GETCHAIN || type == NFT_MSG_GETOBJ))
		return true;
	return type == NFT_MSG_GETGEN || type == NFT_MSG_GETTABLE || type == NFT_MSG_GETSET;
}

/*
 * What the model cannot say goes to the kernel where there is one: an element within an interval,
 * counters to be reset, elements that were not read.
 */
static bool kernel_answers(const struct session_socket *s, const struct nlmsghdr *nlh)
{
	const struct set *set;

	if (!s->is_real)
		return false;
	if (s->protocol != NETLINK_NETFILTER || !s->session->model)
		return true;
	if (s->session->heads_only)
		return !head_answers(s->session, nlh);
	switch (nlmsg_nft_type(nlh)) {
	case NFT_MSG_GETSETELEM:
		set = set_dumped(s->session, nlh);
		return (nlh->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP || (set && !set->elems_known);
	case -1:
	case NFT_MSG_GETOBJ_RESET:
	case NFT_BPF_MSG_GETRULE_RESET:
	case NFT_BPF_MSG_GETSETELEM_RESET:
		return true;
	}
	return false;
}

/* Rules and elements are there before they are told: libnftables looks at the generation again then. */
static int complete_model(struct nft_session *s, const struct nlmsghdr *nlh)
{
	int type = nlmsg_nft_type(nlh), err;

	if (!s->complete || (type != NFT_MSG_GETRULE && type != NFT_MSG_GETSETELEM))
		return 0;
	err = s->complete(s->complete_arg, &s->model);
	if (!err)
		s->complete = NULL;
	return err;
}

ssize_t session_send(struct session_socket *s, const void *data, size_t len)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct nlmsghdr *nlh = data;
	int err;

	drop_answer(s);
	if (len < sizeof(*nlh) || nlh->nlmsg_len > len) {
		errno = EINVAL;
		return -1;
	}
	err = s->protocol == NETLINK_NETFILTER ? complete_model(s->session, nlh) : 0;
	if (err < 0) {
		errno = -err;
		return -1;
	}
	if (kernel_answers(s, nlh))
		return sendto(s->fd, data, len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	if (s->protocol == NETLINK_ROUTE)
		err = answer_links(nlh, &s->answer, &s->answer_len);
	else
		err = serve_request_numbered(s->session->model, nlh, s->session->numbered,
					     &s->answer, &s->answer_len);
	if (err < 0) {
		errno = -err;
		return -1;
	}
	return (ssize_t)len;
}

/* As many whole messages as fit. */
static size_t take_answer(struct session_socket *s, uint8_t *buffer, size_t len)
{
	const struct nlmsghdr *nlh;
	size_t end = s->answer_pos, next, n;

	while (end < s->answer_len) {
		nlh = (const struct nlmsghdr *)(s->answer + end);
		next = end + MNL_ALIGN(nlh->nlmsg_len);
		if (next - s->answer_pos > len)
			break;
		end = next;
	}
	n = end - s->answer_pos;
	memcpy(buffer, s->answer + s->answer_pos, n);
	s->answer_pos = end;
	return n;
}

/* An error of the prelude: libnftables finds no command that it belongs to, so it is kept here. */
static void note_errors(struct session_socket *s, const uint8_t *data, size_t len)
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

ssize_t session_receive(struct session_socket *s, void *buffer, size_t len)
{
	ssize_t n;

	if (s->answer) {
		n = (ssize_t)take_answer(s, buffer, len);
		if (n > 0)
			return n;
		/* libnftables reads on until there is nothing left. */
		errno = s->answer_pos < s->answer_len ? ENOSPC : EAGAIN;
		return -1;
	}
	if (!s->is_real) {
		errno = EAGAIN;
		return -1;
	}
	n = recv(s->fd, buffer, len, 0);
	if (n > 0 && s->session->has_batch)
		note_errors(s, buffer, (size_t)n);
	return n;
}

/* ---- the batch ---- */

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

	drop_answer(s);
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
