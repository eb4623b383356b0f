/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a capture. It does not tell where a packet came from and went to, so each one goes three
 * ways: to this host, through it, and out of it.
 *
 * libpcap is opened when there is a capture: it brings a dozen libraries along (D-Bus, systemd…),
 * which would take longer to load than most commands take.
 */
#include "pcap.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <pcap/pcap.h>

static struct {
	__typeof__(&pcap_open_offline) open_offline;
	__typeof__(&pcap_datalink) datalink;
	__typeof__(&pcap_next_ex) next_ex;
	__typeof__(&pcap_geterr) geterr;
	__typeof__(&pcap_close) close;
} lib;

static int open_lib(struct diags *ds)
{
	static const char *const names[] = {"libpcap.so.0.8", "libpcap.so.1"};
	void *so = NULL;

	for (size_t i = 0; !so && i < ARRAY_SIZE(names); i++)
		so = dlopen(names[i], RTLD_NOW);
	if (so) {
		lib.open_offline = (__typeof__(lib.open_offline))dlsym(so, "pcap_open_offline");
		lib.datalink = (__typeof__(lib.datalink))dlsym(so, "pcap_datalink");
		lib.next_ex = (__typeof__(lib.next_ex))dlsym(so, "pcap_next_ex");
		lib.geterr = (__typeof__(lib.geterr))dlsym(so, "pcap_geterr");
		lib.close = (__typeof__(lib.close))dlsym(so, "pcap_close");
	}
	if (so && lib.open_offline && lib.datalink && lib.next_ex && lib.geterr && lib.close)
		return 0;
	diag_add(ds, DIAG_ERROR, "difftest-pcap", NULL, "libpcap cannot be opened: %s", dlerror());
	return -ENOENT;
}

struct capture {
	pcap_t *p;
	int link;
	size_t n, n_big; /* packets so far; of them longer than what can be sent */
};

/* Bytes before the network header; -1: not a packet for us. */
static int link_len(const struct capture *c, const uint8_t *d, uint32_t len)
{
	uint32_t at;

	switch (c->link) {
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return 0;
	case DLT_NULL:
	case DLT_LOOP:
		return 4;
	case DLT_LINUX_SLL:
		return 16;
	case DLT_LINUX_SLL2:
		return 20;
	case DLT_EN10MB:
		at = 12;
		while (at + 2 <= len && ((d[at] == 0x81 && d[at + 1] == 0) ||
					 (d[at] == 0x88 && d[at + 1] == 0xa8)))
			at += 4;
		return (int)at + 2;
	}
	return -1;
}

static bool is_whole(const uint8_t *d, uint32_t len, uint8_t *ret_pf)
{
	if (len >= 20 && d[0] >> 4 == 4) {
		*ret_pf = NFPROTO_IPV4;
		return true;
	}
	if (len >= 40 && d[0] >> 4 == 6) {
		*ret_pf = NFPROTO_IPV6;
		return true;
	}
	return false;
}

static int add_ways(const struct lab *lab, uint8_t pf, const uint8_t *d, uint32_t len, size_t n,
		    struct list *packets)
{
	const struct lab_dev *in = &lab->devs[lab->n_devs > 1 ? 1 + n % (lab->n_devs - 1) : 0];
	const struct lab_dev *out = &lab->devs[lab->n_devs > 1 ? 1 + (n + 1) % (lab->n_devs - 1) : 0];

	for (int way = 0; way < 3; way++) {
		struct packet *p = packet_new(pf, d, len);

		if (!p)
			return -ENOMEM;
		p->is_local = way == 2;
		p->iif = p->is_local ? 0 : in->ifindex;
		p->oif = way == 0 ? LAB_LO : out->ifindex;
		packet_set_origin(p, "packet %zu of the capture", n + 1);
		list_append(packets, &p->node);
	}
	return 0;
}

/* An interface with BIG TCP, or a capture that lies, gives more than a network header can tell. */
static int add_packet(struct capture *c, const struct lab *lab, const uint8_t *d, uint32_t len,
		      struct list *packets)
{
	int skip = link_len(c, d, len);
	size_t n = c->n++;
	uint8_t pf;

	if (skip < 0 || (uint32_t)skip >= len)
		return 0;
	d += skip;
	len -= (uint32_t)skip;
	if (!is_whole(d, len, &pf))
		return 0;
	if (len > PACKET_MAX) {
		c->n_big++;
		return 0;
	}
	return add_ways(lab, pf, d, len, n, packets);
}

int pcap_packets(const char *file, const struct lab *lab, struct diags *ds, struct list *packets)
{
	char msg[PCAP_ERRBUF_SIZE];
	struct capture c = {0};
	struct pcap_pkthdr *h;
	const uint8_t *d;
	int r, err = open_lib(ds);

	if (err)
		return err;
	c.p = lib.open_offline(file, msg);
	if (!c.p) {
		diag_add(ds, DIAG_ERROR, "difftest-pcap", NULL, "%s", msg);
		return -EINVAL;
	}
	c.link = lib.datalink(c.p);
	while (!err && (r = lib.next_ex(c.p, &h, &d)) == 1)
		err = add_packet(&c, lab, d, h->caplen, packets);
	if (!err && r == PCAP_ERROR) {
		diag_add(ds, DIAG_ERROR, "difftest-pcap", NULL, "%s: %s", file, lib.geterr(c.p));
		err = -EINVAL;
	}
	if (c.n_big)
		diag_add(ds, DIAG_WARNING, "difftest-pcap", NULL,
			 "%s: %zu packets of more than %u bytes left out", file, c.n_big, PACKET_MAX);
	lib.close(c.p);
	return err;
}
