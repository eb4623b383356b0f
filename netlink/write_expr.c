/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions as requests: as the kernel told them, except that anonymous sets and chains go by id,
 * that what it tells but would not take is left out, and that what it does not tell is put back.
 */
#include "write_expr.h"

#include "../compiler/attr.h"

const char *anonymous_set_name(const struct set *s)
{
	if (strncmp(s->name, "__objmap", 8) == 0)
		return "__objmap%d";
	/* A meter's set is anonymous and has a name all the same. */
	if (strncmp(s->name, "__set", 5) != 0 && strncmp(s->name, "__map", 5) != 0)
		return s->name;
	return s->flags & NFT_SET_MAP ? "__map%d" : "__set%d";
}

/* The kernel looks a set up by name first, then by id; no set has the name of a pattern. */
static void write_set_ref(struct nlbuf *b, uint16_t type, uint16_t id_type, const struct set *s)
{
	nlbuf_put_str(b, type, anonymous_set_name(s));
	nlbuf_put_be32(b, id_type, s->id);
}

void write_verdict(struct nlbuf *b, uint16_t type, const struct table *t, uint32_t code,
			  const char *chain, enum write_as as)
{
	const struct chain *c = chain && as == WRITE_REQUEST ? table_find_chain(t, chain) : NULL;
	size_t data = nlbuf_nest(b, type), verdict = nlbuf_nest(b, NFTA_DATA_VERDICT);

	nlbuf_put_be32(b, NFTA_VERDICT_CODE, code);
	if (c && c->flags & NFT_CHAIN_BINDING)
		nlbuf_put_be32(b, NFTA_VERDICT_CHAIN_ID, c->id);
	else if (chain)
		nlbuf_put_str(b, NFTA_VERDICT_CHAIN, chain);
	nlbuf_nest_end(b, verdict);
	nlbuf_nest_end(b, data);
}

/* The attributes that name a set, for expressions that have them. */
static bool set_attrs(const char *expr, uint16_t *ret_name, uint16_t *ret_id)
{
	if (strcmp(expr, "lookup") == 0) {
		*ret_name = NFTA_LOOKUP_SET;
		*ret_id = NFTA_LOOKUP_SET_ID;
	} else if (strcmp(expr, "dynset") == 0) {
		*ret_name = NFTA_DYNSET_SET_NAME;
		*ret_id = NFTA_DYNSET_SET_ID;
	} else if (strcmp(expr, "objref") == 0) {
		*ret_name = NFTA_OBJREF_SET_NAME;
		*ret_id = NFTA_OBJREF_SET_ID;
	} else {
		return false;
	}
	return true;
}

static const struct set *anonymous_set(const struct expr *e, const struct table *t, uint16_t type)
{
	const char *name = attr_str(e->attrs, type);
	const struct set *s = name ? table_find_set(t, name) : NULL;

	return s && s->flags & NFT_SET_ANONYMOUS ? s : NULL;
}

static bool immediate_verdict(const struct expr *e, struct blob *ret)
{
	struct blob data;

	return strcmp(e->name, "immediate") == 0 &&
	       attr_find(e->attrs, NFTA_IMMEDIATE_DATA, &data) &&
	       attr_find(data, NFTA_DATA_VERDICT, ret);
}

#define DYNSET_F_EXPR 0x2 /* NFT_DYNSET_F_EXPR */

/*
 * What the kernel tells and yet refuses to be told. nft_exthdr_dump_common() gives every attribute,
 * nft_exthdr_tcp_set_init() and nft_exthdr_tcp_strip_init() take only those that mean something;
 * nft_dynset_init() refuses any timeout, 0 too, where the set has none.
 */
static bool is_refused(const struct expr *e, uint16_t type)
{
	struct blob v;

	if (strcmp(e->name, "dynset") == 0)
		return type == NFTA_DYNSET_TIMEOUT && !attr_uint(e->attrs, type, 0);
	if (strcmp(e->name, "exthdr") != 0 || attr_find(e->attrs, NFTA_EXTHDR_DREG, &v))
		return false;
	if (attr_find(e->attrs, NFTA_EXTHDR_SREG, &v))
		return type == NFTA_EXTHDR_FLAGS;
	return type == NFTA_EXTHDR_FLAGS || type == NFTA_EXTHDR_OFFSET || type == NFTA_EXTHDR_LEN;
}

/* nft_dynset_init() wants a flag for several expressions that nft_dynset_dump() does not tell. */
static bool is_dynset_flags(const struct expr *e, uint16_t type)
{
	struct blob v;

	return type == NFTA_DYNSET_FLAGS && strcmp(e->name, "dynset") == 0 &&
	       attr_find(e->attrs, NFTA_DYNSET_EXPRESSIONS, &v);
}

uint32_t quota_flags(struct blob attrs)
{
	return (uint32_t)attr_uint(attrs, NFTA_QUOTA_FLAGS, 0) & NFT_QUOTA_F_INV;
}

static void write_expr_data(struct nlbuf *b, const struct expr *e, const struct table *t)
{
	uint16_t name_type = 0, id_type = 0, type;
	bool has_set = set_attrs(e->name, &name_type, &id_type);
	const struct set *s = has_set ? anonymous_set(e, t, name_type) : NULL;
	struct blob value, verdict;
	bool has_verdict = immediate_verdict(e, &verdict);
	uint32_t pos = 0;

	while (attr_next(e->attrs, &pos, &type, &value)) {
		if (s && type == name_type)
			write_set_ref(b, name_type, id_type, s);
		else if (has_verdict && type == NFTA_IMMEDIATE_DATA)
			write_verdict(b, type, t,
				      (uint32_t)attr_uint(verdict, NFTA_VERDICT_CODE, 0),
				      attr_str(verdict, NFTA_VERDICT_CHAIN), WRITE_REQUEST);
		else if (is_dynset_flags(e, type))
			nlbuf_put_be32(b, type,
				       DYNSET_F_EXPR | (uint32_t)attr_uint(e->attrs, type, 0));
		else if (type == NFTA_QUOTA_FLAGS && strcmp(e->name, "quota") == 0)
			nlbuf_put_be32(b, type, quota_flags(e->attrs));
		else if (!is_refused(e, type))
			nlbuf_put_blob(b, type, value);
	}
}

void write_expr_request(struct nlbuf *b, uint16_t nest, const struct expr *e, const struct table *t)
{
	size_t elem = nlbuf_nest(b, nest), data;

	nlbuf_put_str(b, NFTA_EXPR_NAME, e->name);
	data = nlbuf_nest(b, NFTA_EXPR_DATA);
	write_expr_data(b, e, t);
	nlbuf_nest_end(b, data);
	nlbuf_nest_end(b, elem);
}

void write_exprs_request(struct nlbuf *b, const struct exprs *es, const struct table *t)
{
	for (uint32_t i = 0; i < es->n; i++)
		write_expr_request(b, NFTA_LIST_ELEM, &es->array[i], t);
}

/*
 * The protocol that xtables matches and targets want to see (nft_parse_compat()): a request has it
 * beside the expressions, and the kernel does not tell it. It is what the rule compares first:
 * `meta l4proto` or the protocol field of the IPv4 header.
 */
static bool compat_protocol(const struct exprs *es, uint8_t *ret)
{
	const struct expr *e, *load = NULL;
	struct blob data;
	bool is_proto = false;
	uint32_t i;

	for (i = 0; i < es->n; i++) {
		e = &es->array[i];
		if (strcmp(e->name, "cmp") == 0 && load && is_proto &&
		    attr_uint(e->attrs, NFTA_CMP_OP, NFT_CMP_EQ) == NFT_CMP_EQ &&
		    attr_data(e->attrs, NFTA_CMP_DATA, &data) && data.len == 1) {
			*ret = *(const uint8_t *)data.data;
			return true;
		}
		load = e;
		is_proto = (strcmp(e->name, "meta") == 0 &&
			    attr_uint(e->attrs, NFTA_META_KEY, 0) == NFT_META_L4PROTO) ||
			   (strcmp(e->name, "payload") == 0 &&
			    attr_uint(e->attrs, NFTA_PAYLOAD_BASE, 0) ==
				    NFT_PAYLOAD_NETWORK_HEADER &&
			    attr_uint(e->attrs, NFTA_PAYLOAD_OFFSET, 0) == 9 &&
			    attr_uint(e->attrs, NFTA_PAYLOAD_LEN, 0) == 1);
	}
	return false;
}

void write_compat(struct nlbuf *b, const struct rule *r)
{
	bool is_compat = false;
	uint8_t protocol = 0;
	uint32_t i;
	size_t nest;

	if (r->compat.len) {
		nlbuf_put_blob(b, NFTA_RULE_COMPAT | NLA_F_NESTED, r->compat);
		return;
	}
	for (i = 0; i < r->exprs.n; i++)
		is_compat = is_compat || strcmp(r->exprs.array[i].name, "match") == 0 ||
			    strcmp(r->exprs.array[i].name, "target") == 0;
	if (!is_compat || !compat_protocol(&r->exprs, &protocol))
		return;
	nest = nlbuf_nest(b, NFTA_RULE_COMPAT);
	nlbuf_put_be32(b, NFTA_RULE_COMPAT_PROTO, protocol);
	nlbuf_put_be32(b, NFTA_RULE_COMPAT_FLAGS, 0);
	nlbuf_nest_end(b, nest);
}
