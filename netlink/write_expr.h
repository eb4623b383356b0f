/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What write.c needs of expressions (write_expr.c).
 */
#ifndef NFT_BPF_NETLINK_WRITE_EXPR_H
#define NFT_BPF_NETLINK_WRITE_EXPR_H

#include "write.h"

/* The name under which a new anonymous set is asked for: a pattern for the kernel to number. */
const char *anonymous_set_name(const struct set *s);
/* A verdict into an attribute of @type (NFTA_IMMEDIATE_DATA, NFTA_SET_ELEM_DATA). */
void write_verdict(struct nlbuf *b, uint16_t type, const struct table *t, uint32_t code,
		   const char *chain, enum write_as as);
/* As the attribute @nest. */
void write_expr_request(struct nlbuf *b, uint16_t nest, const struct expr *e,
			const struct table *t);
/* As elements of an open list. */
void write_exprs_request(struct nlbuf *b, const struct exprs *es, const struct table *t);
/* Of a quota's attributes; the kernel tells one more, that it is used up, and refuses to be told. */
uint32_t quota_flags(struct blob attrs);
/* NFTA_RULE_COMPAT, where the rule has xtables matches or targets. */
void write_compat(struct nlbuf *b, const struct rule *r);

#endif
