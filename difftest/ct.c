/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conntrack entries written through ctnetlink: any tuple can be made an established connection, or
 * one that is related to another, without having to get a first packet past the rules.
 */
#include "ct.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#define CT_TIMEOUT 600 /* s */

struct tuple {
	uint8_t pf, proto;
	uint8_t src[16], dst[16];
	uint8_t sport[2], dport[2];
	uint8_t type, code;
	uint8_t id[2];
};

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE ||
	       proto == IPPROTO_SCTP || proto == IPPROTO_DCCP;
}

static bool is_icmp(const struct tuple *t)
{
	return t->proto == (t->pf == NFPROTO_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool tuple_of(const struct packet *p, struct tuple *t)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);
	bool v4 = p->pf == NFPROTO_IPV4;
	uint32_t n = v4 ? 4 : 16;
	const uint8_t *th = p->data + l4.offset;

	if (l4.proto < 0 || l4.later_fragment || l4.offset + 8 > p->len)
		return false;
	*t = (struct tuple){.pf = p->pf, .proto = (uint8_t)l4.proto};
	memcpy(t->src, p->data + (v4 ? 12 : 8), n);
	memcpy(t->dst, p->data + (v4 ? 16 : 24), n);
	if (has_ports(t->proto)) {
		memcpy(t->sport, th, 2);
		memcpy(t->dport, th + 2, 2);
	} else if (is_icmp(t)) {
		t->type = th[0];
		t->code = th[1];
		memcpy(t->id, th + 4, 2);
	}
	return true;
}

/* icmp_invmap of the kernel, both ways; 255: not a question nor an answer. */
static uint8_t icmp_inverse(const struct tuple *t)
{
	static const uint8_t v4[][2] = {{8, 0}, {13, 14}, {15, 16}, {17, 18}};
	static const uint8_t v6[][2] = {{128, 129}, {139, 140}};
	bool is_v4 = t->pf == NFPROTO_IPV4;
	const uint8_t(*pairs)[2] = is_v4 ? v4 : v6;

	for (size_t i = 0; i < (is_v4 ? ARRAY_SIZE(v4) : ARRAY_SIZE(v6)); i++) {
		if (pairs[i][0] == t->type)
			return pairs[i][1];
		if (pairs[i][1] == t->type)
			return pairs[i][0];
	}
	return 255;
}

static struct tuple inverse(const struct tuple *t)
{
	struct tuple r = *t;

	memcpy(r.src, t->dst, 16);
	memcpy(r.dst, t->src, 16);
	memcpy(r.sport, t->dport, 2);
	memcpy(r.dport, t->sport, 2);
	if (is_icmp(t))
		r.type = icmp_inverse(t);
	return r;
}

/* ---- messages ---- */

static void put_proto(struct nlmsghdr *nlh, const struct tuple *t)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	bool v4 = t->pf == NFPROTO_IPV4;

	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, t->proto);
	if (has_ports(t->proto)) {
		mnl_attr_put(nlh, CTA_PROTO_SRC_PORT, 2, t->sport);
		mnl_attr_put(nlh, CTA_PROTO_DST_PORT, 2, t->dport);
	} else if (is_icmp(t)) {
		mnl_attr_put(nlh, v4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID, 2, t->id);
		mnl_attr_put_u8(nlh, v4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE, t->type);
		mnl_attr_put_u8(nlh, v4 ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE, t->code);
	}
	mnl_attr_nest_end(nlh, nest);
}

static void put_tuple(struct nlmsghdr *nlh, uint16_t attr, const struct tuple *t)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, attr), *ip;
	bool v4 = t->pf == NFPROTO_IPV4;

	ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put(nlh, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, v4 ? 4 : 16, t->src);
	mnl_attr_put(nlh, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, v4 ? 4 : 16, t->dst);
	mnl_attr_nest_end(nlh, ip);
	put_proto(nlh, t);
	mnl_attr_nest_end(nlh, nest);
}

/* Any packet is in the window of such a connection. */
static void put_tcp(struct nlmsghdr *nlh)
{
	struct nf_ct_tcp_flags liberal = {.flags = IP_CT_TCP_FLAG_BE_LIBERAL,
					  .mask = IP_CT_TCP_FLAG_BE_LIBERAL};
	struct nlattr *info = mnl_attr_nest_start(nlh, CTA_PROTOINFO);
	struct nlattr *tcp = mnl_attr_nest_start(nlh, CTA_PROTOINFO_TCP);

	mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	mnl_attr_put(nlh, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof(liberal), &liberal);
	mnl_attr_put(nlh, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof(liberal), &liberal);
	mnl_attr_nest_end(nlh, tcp);
	mnl_attr_nest_end(nlh, info);
}

static struct nlmsghdr *message(char *buf, uint16_t type, uint8_t pf)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = pf;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

static int talk(struct lab_side *s, struct nlmsghdr *nlh)
{
	char buf[4096];
	ssize_t n;

	if (mnl_socket_sendto(s->ct, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(s->ct, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s->ct), NULL, NULL) < 0 ? -errno : 0;
}

void ct_flush(struct lab_side *s)
{
	char buf[256];

	if (s->ct)
		talk(s, message(buf, IPCTNL_MSG_CT_DELETE, AF_UNSPEC));
}

static void forget(struct lab_side *s, const struct tuple *t)
{
	char buf[1024];
	struct nlmsghdr *nlh = message(buf, IPCTNL_MSG_CT_DELETE, t->pf);

	put_tuple(nlh, CTA_TUPLE_ORIG, t);
	talk(s, nlh);
}

struct entry {
	struct tuple orig;
	const struct tuple *master;
	uint32_t status, mark;
};

static int create(struct lab_side *s, const struct entry *e)
{
	char buf[1024];
	struct nlmsghdr *nlh = message(buf, IPCTNL_MSG_CT_NEW, e->orig.pf);
	struct tuple reply = inverse(&e->orig);

	nlh->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	put_tuple(nlh, CTA_TUPLE_ORIG, &e->orig);
	put_tuple(nlh, CTA_TUPLE_REPLY, &reply);
	if (e->master)
		put_tuple(nlh, CTA_TUPLE_MASTER, e->master);
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, htonl(CT_TIMEOUT));
	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(e->status | IPS_CONFIRMED));
	if (e->mark)
		mnl_attr_put_u32(nlh, CTA_MARK, htonl(e->mark));
	if (e->orig.proto == IPPROTO_TCP)
		put_tcp(nlh);
	return talk(s, nlh);
}

/* A connection for others to be related to. */
static struct tuple some_master(uint8_t pf)
{
	struct tuple t = {.pf = pf, .proto = IPPROTO_TCP, .src = {192, 0, 2, 1},
			  .dst = {192, 0, 2, 2}, .sport = {0x80, 0x21}, .dport = {0, 21}};

	if (pf == NFPROTO_IPV6) {
		memcpy(t.src, (uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 1}, 16);
		memcpy(t.dst, (uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 2}, 16);
	}
	return t;
}

static void prepare_side(struct lab_side *s, const struct packet *p, const struct tuple *t)
{
	struct entry e = {.orig = *t, .mark = p->ct_mark, .status = p->ct_status};
	struct tuple back = inverse(t), master = some_master(t->pf);

	forget(s, t);
	if (back.type != 255)
		forget(s, &back);
	if (p->ct == CT_ESTABLISHED) {
		e.status |= IPS_SEEN_REPLY | IPS_ASSURED;
		/* Connections begin with questions. */
		if (p->ct_reply || (is_icmp(t) && (t->type == 0 || t->type == 129)))
			e.orig = back;
		create(s, &e);
	} else if (p->ct == CT_RELATED) {
		create(s, &(struct entry){.orig = master, .status = IPS_SEEN_REPLY | IPS_ASSURED});
		e.master = &master;
		create(s, &e);
	}
}

void ct_prepare(struct lab *lab, const struct packet *p)
{
	struct tuple t;

	if (p->ct == CT_AS_IT_IS || p->ct == CT_INVALID || !tuple_of(p, &t))
		return;
	for (unsigned int i = 0; i < N_SIDES; i++)
		if (lab->side[i].ct)
			prepare_side(&lab->side[i], p, &t);
}

int ct_open(struct lab_side *s)
{
	s->ct = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!s->ct)
		return -errno;
	return mnl_socket_bind(s->ct, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
}

void ct_close(struct lab_side *s)
{
	if (s->ct)
		mnl_socket_close(s->ct);
	s->ct = NULL;
}
