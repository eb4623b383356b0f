/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_BPF_NETLINK_LIST_H
#define NFT_BPF_NETLINK_LIST_H

#include "nfnl.h"

/* As nft_list(); @numbered: rules carry numbers instead of handles (serve.h). */
int nft_list_numbered(const struct ruleset *rs, const char *command,
		      const struct nft_list_options *opt, bool numbered, FILE *out, FILE *err);

/* NFT_CTX_OUTPUT_* */
unsigned int nft_list_flags(const struct nft_list_options *opt);

#endif
