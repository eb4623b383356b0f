/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending one packet into a namespace: as a frame of a device, or from a raw socket.
 *
 * tun_chr_write_iter() hands the frame to netif_receive_skb() in the writer's context, and a raw
 * socket's send runs the output path; softirqs that these raise (loopback) run before the call
 * returns. So nothing has to be waited for.
 */
#include "lab.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <linux/netfilter.h> /* after netinet/in.h, or they clash */
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe_user.h"

struct frame {
	struct virtio_net_hdr vnet;
	uint8_t eth[18];
	uint32_t eth_len;
};

static void put_eth(struct frame *f, const struct packet *p, const struct lab_dev *d)
{
	uint16_t proto = htons(p->pf == NFPROTO_IPV4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);

	memcpy(f->eth, p->own_dst_mac ? p->dst_mac : d->mac, 6);
	memcpy(f->eth + 6, p->src_mac, 6);
	f->eth_len = 14;
	if (p->vlan) {
		memcpy(f->eth + 12, (uint8_t[]){0x81, 0, p->vlan >> 8, p->vlan & 0xff}, 4);
		f->eth_len = 18;
	}
	memcpy(f->eth + f->eth_len - 2, &proto, 2);
}

static void put_vnet(struct frame *f, const struct packet *p)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);

	if (p->hdr_len)
		f->vnet.hdr_len = (uint16_t)(f->eth_len + p->hdr_len);
	if (!p->gso_type || l4.proto < 0)
		return;
	f->vnet.gso_type = p->gso_type;
	f->vnet.gso_size = p->gso_size;
	f->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f->vnet.csum_start = (uint16_t)(f->eth_len + l4.offset);
	f->vnet.csum_offset = l4.proto == IPPROTO_TCP ? 16 : 6;
}

static int inject_wire(struct lab *lab, enum lab_side_id side, const struct packet *p)
{
	const struct lab_dev *d = lab_dev_by_index(lab, p->iif);
	struct frame f = {0};
	struct iovec iov[3];
	unsigned int n;
	int err;

	if (!d || d->is_lo)
		return -ENODEV;
	n = (unsigned int)(d - lab->devs);
	err = probes_set_ingress(lab, side, n, p->mark, p->priority);
	if (err)
		return err;
	if (!d->is_tun)
		put_eth(&f, p, d);
	put_vnet(&f, p);
	iov[0] = (struct iovec){&f.vnet, sizeof(f.vnet)};
	iov[1] = (struct iovec){f.eth, f.eth_len};
	iov[2] = (struct iovec){(void *)p->data, p->len};
	return writev(lab->side[side].fd[n], iov, 3) < 0 ? -errno : 0;
}

/* A socket belongs to whom its file was opened as: nft's skuid is the file's fsuid. */
static int open_raw(const struct packet *p)
{
	int family = p->pf == NFPROTO_IPV4 ? AF_INET : AF_INET6, fd, err = 0;

	setfsgid(p->gid);
	setfsuid(p->uid);
	fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		err = -errno;
	setfsuid(0);
	setfsgid(0);
	return fd < 0 ? err : fd;
}

static int set_options(int fd, const struct packet *p, const struct lab_dev *out)
{
	int on = 1;
	uint32_t priority = p->priority;

	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &p->mark, sizeof(p->mark)) ||
	    setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)))
		return -errno;
	if (out && !out->is_lo &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, out->name, sizeof(out->name)))
		return -errno;
	return 0;
}

static int send_raw(int fd, const struct packet *p)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = p->oif};
	ssize_t n;

	if (p->pf == NFPROTO_IPV4) {
		memcpy(&in4.sin_addr, p->data + 16, 4);
		n = sendto(fd, p->data, p->len, MSG_DONTWAIT, (void *)&in4, sizeof(in4));
	} else {
		memcpy(&in6.sin6_addr, p->data + 24, 16);
		n = sendto(fd, p->data, p->len, MSG_DONTWAIT, (void *)&in6, sizeof(in6));
	}
	return n < 0 ? -errno : 0;
}

static int inject_local(struct lab *lab, enum lab_side_id id, const struct packet *p)
{
	int fd, err;

	if (p->len < (p->pf == NFPROTO_IPV4 ? 20u : 40u))
		return -EINVAL;
	err = lab_enter(lab, id);
	if (err)
		return err;
	fd = open_raw(p);
	if (fd < 0)
		err = fd;
	if (!err)
		err = set_options(fd, p, p->oif ? lab_dev_by_index(lab, p->oif) : NULL);
	if (!err)
		err = send_raw(fd, p);
	if (fd >= 0)
		close(fd);
	lab_leave(lab);
	return err;
}

int lab_inject(struct lab *lab, enum lab_side_id side, const struct packet *p)
{
	return p->is_local ? inject_local(lab, side, p) : inject_wire(lab, side, p);
}
