/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The route of a packet.
 */
#ifndef NFT_BPF_COMPILER_BPF_ROUTE_H
#define NFT_BPF_COMPILER_BPF_ROUTE_H

#include "nb.h"

/* skb_valid_dst(): NULL before routing and for tunnel metadata. */
NB_INLINE const struct dst_entry *nb_valid_dst(struct nb_pkt *p)
{
	const unsigned long ref = p->skb->_skb_refdst & ~1ul; /* SKB_DST_NOREF */
	const struct dst_entry *dst;

	if (!ref)
		return NULL;
	dst = bpf_rdonly_cast((const void *)ref, bpf_core_type_id_kernel(struct dst_entry));
	return dst->flags & 0x80 /* DST_METADATA */ ? NULL : dst;
}

#endif
