/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv6 extension headers.
 */
#ifndef NFT_BPF_COMPILER_BPF_EXTHDR_H
#define NFT_BPF_COMPILER_BPF_EXTHDR_H

#include "nb.h"

enum { HDR_HOP = 0, HDR_ROUTING = 43, HDR_FRAGMENT = 44, HDR_AUTH = 51, HDR_NONE = 59, HDR_DEST = 60 };

/* That a walk over headers goes past, or may end at. */
NB_INLINE bool nb_is_extension(__u32 proto)
{
	return proto == HDR_HOP || proto == HDR_ROUTING || proto == HDR_FRAGMENT ||
	       proto == HDR_AUTH || proto == HDR_DEST;
}

#endif
