/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether rules look at what the kernel draws for packets of its own: the id of an IPv4 header, and
 * the checksum that follows from it. Only then does another id excuse another verdict.
 */
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "../compiler/attr.h"
#include "difftest.h"

enum { ID_AT = 4, ID_END = 6, CHECKSUM_AT = 10, CHECKSUM_END = 12, ETHERNET = 14 };

static bool payload_reads_id(struct blob attrs)
{
	uint64_t base = attr_uint(attrs, NFTA_PAYLOAD_BASE, UINT64_MAX);
	uint64_t at = attr_uint(attrs, NFTA_PAYLOAD_OFFSET, 0);
	uint64_t end = at + attr_uint(attrs, NFTA_PAYLOAD_LEN, 0);

	if (base == NFT_PAYLOAD_NETWORK_HEADER)
		return (at < ID_END && end > ID_AT) || (at < CHECKSUM_END && end > CHECKSUM_AT);
	return base == NFT_PAYLOAD_LL_HEADER && end > ETHERNET + ID_AT;
}

static bool match_reads_anything(const char *name)
{
	return !name || strcmp(name, "u32") == 0 || strcmp(name, "bpf") == 0 ||
	       strcmp(name, "string") == 0;
}

static bool expr_reads_id(const struct expr *e)
{
	if (strcmp(e->name, "payload") == 0)
		return payload_reads_id(e->attrs);
	if (strcmp(e->name, "match") == 0)
		return match_reads_anything(attr_str(e->attrs, NFTA_MATCH_NAME));
	return strcmp(e->name, "inner") == 0;
}

bool dt_reads_ids(const struct ruleset *rs)
{
	const struct table *t;
	const struct chain *c;
	const struct rule *r;

	list_for_each(t, &rs->tables, node)
		list_for_each(c, &t->chains, node)
			list_for_each(r, &c->rules, node)
				for (uint32_t i = 0; i < r->exprs.n; i++)
					if (expr_reads_id(&r->exprs.array[i]))
						return true;
	return false;
}
