/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv6 extension headers, IPv4 and TCP options that a draft asks for.
 */
#ifndef NFT_BPF_DIFFTEST_BUILD_EXT_H
#define NFT_BPF_DIFFTEST_BUILD_EXT_H

#include "draft.h"
#include "packet.h"

/* Puts them into the packet, which may become another one; false: they do not fit. */
bool build_ext(const struct draft *d, struct packet **p);

#endif
