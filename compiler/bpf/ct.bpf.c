/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct: the connection of a packet. nft_ct_get_eval() decides.
 */
#include "nb.h"

enum {
	CT_INFO_MASK = 7,     /* NFCT_INFOMASK */
	CT_UNTRACKED = 7,     /* IP_CT_UNTRACKED */
	CT_REPLY = 3,	      /* IP_CT_IS_REPLY */
	STATE_INVALID = 1,    /* NF_CT_STATE_INVALID_BIT */
	STATE_UNTRACKED = 64, /* NF_CT_STATE_UNTRACKED_BIT */
};

NB_LEAF(ct_state)
{
	const unsigned long nfct = p->skb->_nfct;
	const __u32 info = nfct & CT_INFO_MASK;
	__u32 state = info == CT_UNTRACKED ? STATE_UNTRACKED : STATE_INVALID;

	if (nfct & ~(unsigned long)CT_INFO_MASK)
		state = 2u << (info < CT_REPLY ? info : info - CT_REPLY); /* NF_CT_STATE_BIT() */
	out[0] = nb_host32(state);
	return true;
}
