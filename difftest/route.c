/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routing of the scratch namespaces: a host route for each destination says where it goes.
 *
 * A rule may want any destination behind any device, so no fixed set of networks will do. The
 * destination of a packet is placed right before it is sent: delivered here, or out of a device.
 */
#include "lab.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

struct placement {
	uint8_t family;
	uint8_t dst[16];
	uint32_t oif;
};

struct placements {
	struct placement *slots; /* open addressing by hash; family 0: free */
	size_t n, size;
};

int route_open(struct lab_side *s)
{
	s->rt = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!s->rt)
		return -errno;
	return mnl_socket_bind(s->rt, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
}

void route_close(struct lab_side *s)
{
	if (s->rt)
		mnl_socket_close(s->rt);
	s->rt = NULL;
}

static int talk(struct lab_side *s, struct nlmsghdr *nlh)
{
	char buf[8192];
	ssize_t n;

	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	if (mnl_socket_sendto(s->rt, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(s->rt, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s->rt), NULL, NULL) < 0 ? -errno : 0;
}

static size_t addr_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

int route_set_group(struct lab_side *s, const struct lab_dev *d)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_NEWLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)d->ifindex;
	mnl_attr_put_u32(nlh, IFLA_GROUP, d->group);
	return talk(s, nlh);
}

int route_add_addr(struct lab_side *s, const struct lab_dev *d, int family)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	const uint8_t *addr = family == AF_INET ? d->v4 : d->v6;

	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = (unsigned char)family;
	ifa->ifa_prefixlen = (unsigned char)(addr_len(family) * 8);
	ifa->ifa_index = d->ifindex;
	if (family == AF_INET6)
		ifa->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(nlh, IFA_LOCAL, addr_len(family), addr);
	mnl_attr_put(nlh, IFA_ADDRESS, addr_len(family), addr);
	return talk(s, nlh);
}

struct route {
	int family;
	const uint8_t *dst; /* NULL: default */
	uint32_t oif, metric;
	bool is_local;
};

static int route_change(struct lab_side *s, const struct route *r, uint16_t type)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = (unsigned char)r->family;
	rtm->rtm_dst_len = (unsigned char)(r->dst ? addr_len(r->family) * 8 : 0);
	rtm->rtm_table = r->is_local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_type = r->is_local ? RTN_LOCAL : RTN_UNICAST;
	rtm->rtm_scope = r->is_local ? RT_SCOPE_HOST : RT_SCOPE_LINK;
	if (r->dst)
		mnl_attr_put(nlh, RTA_DST, addr_len(r->family), r->dst);
	mnl_attr_put_u32(nlh, RTA_OIF, r->oif);
	if (r->metric)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, r->metric);
	return talk(s, nlh);
}

int route_add_default(struct lab_side *s, const struct lab_dev *d, int family)
{
	struct route r = {.family = family, .oif = d->ifindex, .metric = d->ifindex + 1};

	return route_change(s, &r, RTM_NEWROUTE);
}

void placements_free(struct placements *p)
{
	if (p)
		free(p->slots);
	free(p);
}

static size_t placement_hash(int family, const uint8_t *dst)
{
	size_t h = (size_t)family;

	for (size_t i = 0; i < addr_len(family); i++)
		h = h * 1099511628211u + dst[i];
	return h ^ h >> 17;
}

static struct placement *placement_slot(struct placements *ps, int family, const uint8_t *dst)
{
	size_t i = placement_hash(family, dst);

	for (;; i++) {
		struct placement *p = &ps->slots[i % ps->size];

		if (!p->family)
			return p;
		if (p->family == family && memcmp(p->dst, dst, addr_len(family)) == 0)
			return p;
	}
}

static int placements_grow(struct placements *ps)
{
	struct placements old = *ps;

	ps->size = old.size ? old.size * 2 : 256;
	ps->slots = calloc(ps->size, sizeof(*ps->slots));
	if (!ps->slots) {
		*ps = old;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].family)
			*placement_slot(ps, old.slots[i].family, old.slots[i].dst) = old.slots[i];
	free(old.slots);
	return 0;
}

/* Addresses that the kernel routes by itself; a host route would not be heeded or harm. */
static bool is_special(int family, const uint8_t *dst)
{
	if (family == AF_INET6)
		return dst[0] == 0xff;
	return dst[0] == 0 || dst[0] >= 224;
}

int route_place(struct lab *lab, int family, const uint8_t *dst, uint32_t oif)
{
	struct route now = {.family = family, .dst = dst, .oif = oif, .is_local = oif == LAB_LO};
	struct placement *p;
	int err;

	if (is_special(family, dst))
		return 0;
	if (!lab->placements && !(lab->placements = calloc(1, sizeof(*lab->placements))))
		return -ENOMEM;
	if (lab->placements->n * 2 >= lab->placements->size) {
		err = placements_grow(lab->placements);
		if (err)
			return err;
	}
	p = placement_slot(lab->placements, family, dst);
	if (p->family && p->oif == oif)
		return 0;
	for (unsigned int i = 0; i < N_SIDES; i++) {
		struct lab_side *s = &lab->side[i];
		struct route old = {.family = family, .dst = dst, .oif = p->oif,
				    .is_local = p->oif == LAB_LO};

		if (p->family)
			route_change(s, &old, RTM_DELROUTE);
		err = route_change(s, &now, RTM_NEWROUTE);
		if (err)
			return err;
	}
	if (!p->family)
		lab->placements->n++;
	p->family = (uint8_t)family;
	memcpy(p->dst, dst, addr_len(family));
	p->oif = oif;
	return 0;
}
