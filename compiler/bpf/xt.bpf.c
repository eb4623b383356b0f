/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What xtables matches look at and nf_tables does not: is the transport header whole?
 */
#include "nb.h"

enum { HEAD_WHOLE, HEAD_SHORT, HEAD_EVIL, HEAD_LATER }; /* compiler/expr/match.c */

/* @p0: bytes of it. */
NB_LEAF(xt_head)
{
	const __u32 th = nb_th(p);

	if (nb_l4proto(p) == NB_L4_UNKNOWN)
		return false;
	if (th == NB_TH_NONE) {
		out[0] = HEAD_LATER;
		if (p->pf == NFPROTO_IPV4 && (nb_get(nb_data(p) + 6, 2) & 0x1fff) == 1)
			out[0] = HEAD_EVIL;
	} else {
		out[0] = th + p0 <= nb_len(p) ? HEAD_WHOLE : HEAD_SHORT;
	}
	return true;
}
