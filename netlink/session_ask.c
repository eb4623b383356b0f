/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions that libnftables asks while a session is active: those about the ruleset are answered from
 * the session's model, or passed to the kernel. Those about interfaces always go to the kernel, where it
 * can be asked.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "serve.h"
#include "session.h"

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

bool session_moved(const struct nft_session *s)
{
	return s->n_generations > 20;
}

/*
 * Elements that come from the kernel, of another generation than the model's heads: libnftables would begin
 * anew for ever. It asks for the generation twice each time.
 */
static bool goes_in_circles(struct nft_session *s, const struct nlmsghdr *nlh)
{
	if (!s->heads_only)
		return false;
	s->n_generations += nlmsg_nft_type(nlh) == NFT_MSG_GETGEN;
	return session_moved(s) && set_dumped(s, nlh);
}

ssize_t session_send(struct session_socket *s, const void *data, size_t len)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct nlmsghdr *nlh = data;
	int err;

	session_drop_answer(s);
	if (len < sizeof(*nlh) || nlh->nlmsg_len > len) {
		errno = EINVAL;
		return -1;
	}
	err = s->protocol == NETLINK_NETFILTER ? complete_model(s->session, nlh) : 0;
	if (err < 0) {
		errno = -err;
		return -1;
	}
	if (s->protocol == NETLINK_NETFILTER && goes_in_circles(s->session, nlh)) {
		errno = EBUSY;
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
	/* To libnftables, EINTR is a dump that has to begin again; at "reset" it falls over that. */
	do
		n = recv(s->fd, buffer, len, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0 && s->session->has_batch)
		session_note_errors(s, buffer, (size_t)n);
	return n;
}
