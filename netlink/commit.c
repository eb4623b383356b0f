/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A batch to the kernel, in one transaction; what it says to it.
 *
 * The kernel works on a batch while it is being sent (nfnetlink_rcv_batch()): when the call returns,
 * all errors and echoes are in the receive buffer, which therefore must be large enough for all.
 */
#include <errno.h>
#include <sys/socket.h>

#include "nfnl.h"
#include "nlattr.h"
#include "sock.h"

#define ECHO_MAX_ERRORS 10
#define MAX_FAILURES	16 /* of asking for the answer */
#define BATCH_GENID	1 /* NFNL_BATCH_GENID */
#ifndef ERESTART
#define ERESTART 85
#endif

struct commit {
	struct nlsock sock;
	const struct batch *batch;
	const struct commit_options *opt;
	struct diags *ds;
	int err; /* the first */
	unsigned int n_errors;
};

/* ---- sending ---- */

static size_t count_rules(const struct batch *b, bool echo)
{
	struct nlmsghdr *nlh;
	size_t pos, n = 0;

	for (pos = 0; b->len - pos >= sizeof(*nlh); pos += MNL_ALIGN(nlh->nlmsg_len)) {
		nlh = (struct nlmsghdr *)(b->data + pos);
		if (nlmsg_nft_type(nlh) != NFT_MSG_NEWRULE)
			continue;
		n++;
		if (echo)
			nlh->nlmsg_flags |= NLM_F_ECHO;
		else
			nlh->nlmsg_flags &= (uint16_t)~NLM_F_ECHO;
	}
	return n;
}

static void put_border(struct nlbuf *b, uint16_t type, uint32_t generation)
{
	struct nlmsg_head head = {
		.type = type,
		.flags = NLM_F_REQUEST,
		.res_id = NFNL_SUBSYS_NFTABLES,
	};

	nlbuf_begin(b, &head);
	if (generation)
		nlbuf_put_be32(b, BATCH_GENID, generation);
	nlbuf_end(b);
}

static void set_option(int fd, int option, size_t value)
{
	int v = (int)MIN(value, (size_t)INT32_MAX / 2);

	setsockopt(fd, SOL_SOCKET, option, &v, sizeof(v));
}

static int send_batch(struct commit *c)
{
	static const int on = 1;
	struct nlbuf CLEANUP(nlbuf_fini) border = {0};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct msghdr msg = {.msg_name = &kernel, .msg_namelen = sizeof(kernel)};
	size_t n_rules = count_rules(c->batch, c->opt->on_rule != NULL), begin_len;
	struct iovec iov[3];

	put_border(&border, NFNL_MSG_BATCH_BEGIN, c->opt->generation);
	begin_len = border.len;
	if (!c->opt->dry_run)
		put_border(&border, NFNL_MSG_BATCH_END, 0);
	if (border.failed)
		return -ENOMEM;
	iov[0] = (struct iovec){border.data, begin_len};
	iov[1] = (struct iovec){c->batch->data, c->batch->len};
	iov[2] = (struct iovec){border.data + begin_len, border.len - begin_len};
	msg.msg_iov = iov;
	msg.msg_iovlen = ARRAY_SIZE(iov);
	setsockopt(c->sock.fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(c->sock.fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	set_option(c->sock.fd, SO_SNDBUFFORCE, c->batch->len + 65536);
	set_option(c->sock.fd, SO_RCVBUFFORCE,
		   (1 << 20) + (c->opt->on_rule ? 2 * c->batch->len + 1024 * n_rules : 0));
	return sendmsg(c->sock.fd, &msg, 0) < 0 ? -errno : 0;
}

/* ---- what comes back ---- */

static const struct nlmsghdr *find_message(const struct batch *b, uint32_t seq)
{
	const struct nlmsghdr *nlh;
	size_t pos;

	for (pos = 0; b->len - pos >= sizeof(*nlh); pos += MNL_ALIGN(nlh->nlmsg_len)) {
		nlh = (const struct nlmsghdr *)(b->data + pos);
		if (nlh->nlmsg_seq == seq)
			return nlh;
	}
	return NULL;
}

static const char *const message_names[] = {
	[NFT_MSG_NEWTABLE] = "new table",	  [NFT_MSG_DELTABLE] = "delete table",
	[NFT_MSG_NEWCHAIN] = "new chain",	  [NFT_MSG_DELCHAIN] = "delete chain",
	[NFT_MSG_NEWRULE] = "new rule",		  [NFT_MSG_DELRULE] = "delete rule",
	[NFT_MSG_NEWSET] = "new set",		  [NFT_MSG_DELSET] = "delete set",
	[NFT_MSG_NEWSETELEM] = "new elements",	  [NFT_MSG_DELSETELEM] = "delete elements",
	[NFT_MSG_NEWOBJ] = "new object",	  [NFT_MSG_DELOBJ] = "delete object",
	[NFT_MSG_NEWFLOWTABLE] = "new flowtable", [NFT_MSG_DELFLOWTABLE] = "delete flowtable",
};

static const char *object_name(const struct nltb *tb, int type)
{
	switch (type) {
	case NFT_MSG_NEWTABLE:
	case NFT_MSG_DELTABLE:
		return NULL;
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN:
		return nltb_str(tb, NFTA_CHAIN_NAME);
	}
	return nltb_str(tb, NFTA_RULE_CHAIN); /* sets, objects and flowtables have theirs there too */
}

static void tell_refused(struct commit *c, const struct nlmsghdr *nlh, int err, const char *why)
{
	struct diag_place at = {0};
	struct nltb tb = {0};
	int type = nlh ? nlmsg_nft_type(nlh) : -1;
	const char *what = "the batch", *name = NULL;

	if (type >= 0 && nltb_parse_message(&tb, nlh) == 0) {
		at.family = nlmsg_nfgen(nlh)->nfgen_family;
		at.table = nltb_str(&tb, NFTA_TABLE_NAME); /* in all of them */
		name = object_name(&tb, type);
		if (type >= NFT_MSG_NEWCHAIN && type <= NFT_MSG_DELRULE)
			at.chain = name;
		if (type == NFT_MSG_NEWRULE || type == NFT_MSG_DELRULE)
			at.handle = nltb_u64(&tb, NFTA_RULE_HANDLE, 0);
		if (type < (int)ARRAY_SIZE(message_names) && message_names[type])
			what = message_names[type];
	}
	diag_add(c->ds, DIAG_ERROR, "commit", &at, "%s%s%s: the kernel says %s%s%s", what,
		 name && !at.chain ? " " : "", name && !at.chain ? name : "", strerror(-err),
		 why ? ": " : "", why ? why : "");
}

static void take_error(struct commit *c, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = (const struct nlmsgerr *)(nlh + 1);
	size_t head = sizeof(*nlh) + sizeof(*e);
	struct nltb tb = {0};

	if (nlh->nlmsg_len < head || !e->error)
		return;
	if (nlh->nlmsg_flags & 0x200 /* NLM_F_ACK_TLVS */ &&
	    nlh->nlmsg_flags & 0x100 /* NLM_F_CAPPED */ &&
	    nltb_parse(&tb, (const uint8_t *)nlh + head, nlh->nlmsg_len - head) < 0)
		tb = (struct nltb){0};
	if (!c->err)
		c->err = e->error;
	if (c->ds && c->n_errors++ < ECHO_MAX_ERRORS)
		tell_refused(c, find_message(c->batch, nlh->nlmsg_seq), e->error,
			     nltb_str(&tb, NLMSGERR_ATTR_MSG));
}

static void take_echo(struct commit *c, const struct nlmsghdr *nlh)
{
	const char *table, *chain;
	struct nltb tb;

	if (!c->opt->on_rule || nlmsg_nft_type(nlh) != NFT_MSG_NEWRULE ||
	    nltb_parse_message(&tb, nlh) < 0)
		return;
	table = nltb_str(&tb, NFTA_RULE_TABLE);
	chain = nltb_str(&tb, NFTA_RULE_CHAIN);
	if (table && chain)
		c->opt->on_rule(c->opt->arg, nlh->nlmsg_seq, nlmsg_nfgen(nlh)->nfgen_family, table,
				chain, nltb_u64(&tb, NFTA_RULE_HANDLE, 0));
}

static void take_messages(struct commit *c, size_t len)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)c->sock.buffer;
	int left = (int)len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_type == NLMSG_ERROR)
			take_error(c, nlh);
		else
			take_echo(c, nlh);
	}
}

/*
 * Everything there is; nothing will come later. Negative: some of it was lost. An overrun is told before
 * what lies in the buffer is given out (__skb_try_recv_datagram()).
 */
static int receive(struct commit *c)
{
	int lost = 0;
	ssize_t n;

	for (int failures = 0; failures < MAX_FAILURES;) {
		n = recv(c->sock.fd, c->sock.buffer, NLSOCK_BUFFER, MSG_DONTWAIT);
		if (n >= 0) {
			take_messages(c, (size_t)n);
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			lost = -errno;
			failures++;
		}
	}
	return lost;
}

/* The answer, or some of it, was lost: was the batch taken? One that changes nothing seems not to be. */
static int ask_whether_taken(struct commit *c, int lost)
{
	uint32_t now = 0;
	int err = dump_generation(&now) < 0 ? dump_generation(&now) : 0;
	const bool taken = !c->opt->dry_run && (err < 0 || now != c->opt->generation);

	if (c->ds)
		diag_add(c->ds, taken ? DIAG_WARNING : DIAG_ERROR, "commit", NULL,
			 "the kernel's answer was lost, but %s: %s",
			 taken ? "the batch was committed" : "nothing was committed",
			 strerror(-lost));
	return taken ? 0 : lost;
}

static int commit(struct commit *c)
{
	int lost, err = nlsock_open(&c->sock, NETLINK_NETFILTER);

	if (!err)
		err = send_batch(c);
	if (err) {
		if (c->ds)
			diag_add(c->ds, DIAG_ERROR, "commit", NULL, "sending the batch: %s",
				 strerror(-err));
		return err;
	}
	lost = receive(c);
	if (c->err)
		return c->err;
	return lost ? ask_whether_taken(c, lost) : 0;
}

int commit_batch(const struct batch *b, const struct commit_options *opt, struct diags *ds)
{
	static const struct commit_options plain;
	struct commit c = {.batch = b, .opt = opt ? opt : &plain, .ds = ds};
	int err;

	if (!b->len)
		return 0;
	err = commit(&c);
	nlsock_close(&c.sock);
	return err;
}
