/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures: whatever libpcap takes for one gives packets that can be looked at and sent.
 */
#include <errno.h>
#include <linux/netfilter.h>
#include <sys/mman.h>
#include <unistd.h>

#include "difftest/pcap.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "pcap";

static void look_at(const struct packet *p)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);

	FUZZ_HOLDS(p->len <= PACKET_MAX, "%u bytes", p->len);
	FUZZ_HOLDS(p->pf == NFPROTO_IPV4 ? p->len >= 20 && p->data[0] >> 4 == 4 :
					   p->len >= 40 && p->data[0] >> 4 == 6,
		   "pf %u, %u bytes", p->pf, p->len);
	FUZZ_HOLDS(l4.proto < 256 && (l4.proto < 0 || l4.offset < UINT16_MAX * 2u),
		   "protocol %d, header at %u", l4.proto, l4.offset);
	FUZZ_HOLDS(p->is_local == !p->iif, "it comes from device %u", p->iif);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lab lab = {.n_devs = 3, .devs = {{.ifindex = LAB_LO, .is_lo = true},
						       {.ifindex = 2},
						       {.ifindex = 3}}};
	int fd = memfd_create("capture", MFD_CLOEXEC);
	struct list packets;
	struct packet *p;
	struct diags ds;
	char path[64];

	FUZZ_HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size, "%s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	diags_init(&ds);
	list_init(&packets);
	if (pcap_packets(path, &lab, &ds, &packets) < 0)
		FUZZ_HOLDS(ds.count[DIAG_ERROR] == 1, "%u errors", ds.count[DIAG_ERROR]);
	list_for_each(p, &packets, node)
		look_at(p);
	packets_free(&packets);
	diags_fini(&ds);
	close(fd);
	return 0;
}
