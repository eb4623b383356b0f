/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: models made by hand, expressions attribute by attribute, for what nft does not write.
 */
#ifndef NFT_BPF_TESTS_LOWER_BUILD_H
#define NFT_BPF_TESTS_LOWER_BUILD_H

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include "compiler/ruleset.h"

/* Netlink attributes under construction. */
struct nla_buf {
	uint8_t data[4096];
	uint32_t len;
};

static inline void nla_put(struct nla_buf *b, uint16_t type, const void *data, size_t len)
{
	struct nlattr nla = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};

	memcpy(b->data + b->len, &nla, sizeof(nla));
	if (len)
		memcpy(b->data + b->len + NLA_HDRLEN, data, len);
	memset(b->data + b->len + NLA_HDRLEN + len, 0, NLA_ALIGN(len) - len);
	b->len += NLA_HDRLEN + (uint32_t)NLA_ALIGN(len);
}

static inline void nla_put_u32(struct nla_buf *b, uint16_t type, uint32_t v)
{
	v = htonl(v);
	nla_put(b, type, &v, sizeof(v));
}

static inline uint32_t nla_begin(struct nla_buf *b, uint16_t type)
{
	uint32_t at = b->len;

	nla_put(b, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static inline void nla_end(struct nla_buf *b, uint32_t at)
{
	uint16_t len = (uint16_t)(b->len - at);

	memcpy(b->data + at, &len, sizeof(len));
}

static inline void nla_put_data(struct nla_buf *b, uint16_t type, const void *data, size_t len)
{
	uint32_t nest = nla_begin(b, type);

	nla_put(b, NFTA_DATA_VALUE, data, len);
	nla_end(b, nest);
}

/* An expression: expr_begin(), attributes, expr_end(). */
struct expr_nest {
	uint32_t elem, data;
};

static inline struct expr_nest expr_begin(struct nla_buf *b, const char *name)
{
	struct expr_nest n = {.elem = nla_begin(b, NFTA_LIST_ELEM)};

	nla_put(b, NFTA_EXPR_NAME, name, strlen(name) + 1);
	n.data = nla_begin(b, NFTA_EXPR_DATA);
	return n;
}

static inline void expr_end(struct nla_buf *b, struct expr_nest n)
{
	nla_end(b, n.data);
	nla_end(b, n.elem);
}

static inline void put_payload(struct nla_buf *b, uint32_t base, uint32_t off, uint32_t len,
			       uint32_t dreg)
{
	struct expr_nest n = expr_begin(b, "payload");

	nla_put_u32(b, NFTA_PAYLOAD_DREG, dreg);
	nla_put_u32(b, NFTA_PAYLOAD_BASE, base);
	nla_put_u32(b, NFTA_PAYLOAD_OFFSET, off);
	nla_put_u32(b, NFTA_PAYLOAD_LEN, len);
	expr_end(b, n);
}

static inline void put_meta(struct nla_buf *b, uint32_t key, uint32_t dreg)
{
	struct expr_nest n = expr_begin(b, "meta");

	nla_put_u32(b, NFTA_META_KEY, key);
	nla_put_u32(b, NFTA_META_DREG, dreg);
	expr_end(b, n);
}

static inline void put_cmp(struct nla_buf *b, uint32_t op, uint32_t sreg, const void *data,
			   size_t len)
{
	struct expr_nest n = expr_begin(b, "cmp");

	nla_put_u32(b, NFTA_CMP_SREG, sreg);
	nla_put_u32(b, NFTA_CMP_OP, op);
	nla_put_data(b, NFTA_CMP_DATA, data, len);
	expr_end(b, n);
}

static inline void put_value(struct nla_buf *b, uint32_t dreg, const void *data, size_t len)
{
	struct expr_nest n = expr_begin(b, "immediate");

	nla_put_u32(b, NFTA_IMMEDIATE_DREG, dreg);
	nla_put_data(b, NFTA_IMMEDIATE_DATA, data, len);
	expr_end(b, n);
}

static inline void put_verdict(struct nla_buf *b, int32_t code, const char *chain)
{
	struct expr_nest n = expr_begin(b, "immediate");
	uint32_t data, verdict;

	nla_put_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nla_begin(b, NFTA_IMMEDIATE_DATA);
	verdict = nla_begin(b, NFTA_DATA_VERDICT);
	nla_put_u32(b, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		nla_put(b, NFTA_VERDICT_CHAIN, chain, strlen(chain) + 1);
	nla_end(b, verdict);
	nla_end(b, data);
	expr_end(b, n);
}

static inline void put_counter(struct nla_buf *b)
{
	expr_end(b, expr_begin(b, "counter"));
}

#define NO_REG UINT32_MAX

/* @dreg NO_REG: only whether the key is there. */
static inline void put_lookup(struct nla_buf *b, const char *set, uint32_t sreg, uint32_t dreg,
			      uint32_t flags)
{
	struct expr_nest n = expr_begin(b, "lookup");

	nla_put(b, NFTA_LOOKUP_SET, set, strlen(set) + 1);
	nla_put_u32(b, NFTA_LOOKUP_SREG, sreg);
	if (dreg != NO_REG)
		nla_put_u32(b, NFTA_LOOKUP_DREG, dreg);
	nla_put_u32(b, NFTA_LOOKUP_FLAGS, flags);
	expr_end(b, n);
}

/* Appends what @b holds as a rule and empties it. */
static inline struct rule *rule_add(struct chain *c, struct nla_buf *b)
{
	struct rule *r = rule_new(c, NULL);

	if (exprs_init(&r->exprs, b->data, b->len))
		abort();
	b->len = 0;
	return r;
}

static inline struct chain *base_add(struct table *t, const char *name, uint32_t hook,
				     int32_t priority)
{
	struct chain *c = chain_new(t, name);

	c->is_base = true;
	c->type = strdup("filter");
	c->hooknum = hook;
	c->priority = priority;
	c->policy = NF_ACCEPT;
	c->seq = t->ruleset->next_seq++;
	return c;
}

static inline struct set *set_add(struct table *t, const char *name, uint32_t flags,
				  uint32_t key_len, uint32_t data_type, uint32_t data_len)
{
	struct set *s = set_new(t, name);

	s->flags = flags;
	s->key_len = key_len;
	s->data_type = data_type;
	s->data_len = data_len;
	s->elems_known = true;
	return s;
}

#endif
