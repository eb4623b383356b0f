/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of a capture.
 */
#ifndef NFT_BPF_DIFFTEST_PCAP_H
#define NFT_BPF_DIFFTEST_PCAP_H

#include "lab.h"

/* Appends the IPv4 and IPv6 packets of a pcap file up to PACKET_MAX bytes. Errors in @ds. */
int pcap_packets(const char *file, const struct lab *lab, struct diags *ds, struct list *packets);

#endif
