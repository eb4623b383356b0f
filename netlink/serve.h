/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model in the kernel's place.
 */
#ifndef NFT_BPF_NETLINK_SERVE_H
#define NFT_BPF_NETLINK_SERVE_H

#include "nfnl.h"

/*
 * As serve_request(). With @numbered a rule's handle is SERVE_NUMBER plus its number, counted from 0
 * over the whole ruleset: no two are alike, and no handle of anything else looks like one. Anonymous
 * chains then look like others, so that their rules have handles too.
 */
#define SERVE_NUMBER ((uint64_t)1 << 40)
int serve_request_numbered(const struct ruleset *rs, const struct nlmsghdr *request, bool numbered,
			   uint8_t **ret_data, size_t *ret_len);

/* The element that is told of when one of @key (NULL: the catch-all one) is asked for; NULL: none is. */
struct set_elem *serve_get(struct set *s, const uint8_t *key, uint32_t flags);

#endif
