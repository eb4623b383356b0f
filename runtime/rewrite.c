/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A user's batch, made to fit a kernel in which some chains are off their hooks.
 *
 * To the user they are on their hooks, so a batch declares them as base chains and their tables as
 * awake. Taken literally, the kernel would refuse the first (nf_tables_addchain(): a regular chain
 * does not become a base chain) and wake the table on the second, which together with a new base
 * chain in the same batch is refused too. So tables that we hold dormant stay so, and chains that we
 * hold as regular ones lose what makes a base chain; what the user said of hooks and policy lives on
 * in the model. What the batch itself deletes first is not parked any more, and is left alone.
 *
 * Elements of a set that packets change are ours to know: the kernel's set may lack those that a
 * batch deletes.
 *
 * Attributes are disarmed in place: NFTA_CHAIN_PAD is a type that the kernel ignores.
 */
#include <arpa/inet.h>
#include <errno.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "../compiler/attr.h"
#include "../netlink/nft.h"
#include "priv.h"

enum { /* Linux 6.3 */
	MSG_DESTROYTABLE = 26,
	MSG_DESTROYCHAIN = 27,
	MSG_DESTROYSETELEM = 30,
};

struct rewriting {
	const struct ruleset *rs;
	const void **gone; /* struct table *, struct chain * that the batch deleted */
	size_t n_gone;
	bool no_memory;
};

static bool is_gone(const struct rewriting *rw, const void *object)
{
	for (size_t i = 0; i < rw->n_gone; i++)
		if (rw->gone[i] == object)
			return true;
	return false;
}

static void note_gone(struct rewriting *rw, const void *object)
{
	const void **gone = realloc(rw->gone, (rw->n_gone + 1) * sizeof(*gone));

	if (!gone) {
		rw->no_memory = true;
		return;
	}
	rw->gone = gone;
	gone[rw->n_gone++] = object;
}

struct message {
	uint16_t type;
	uint8_t family;
	struct blob attrs;
	struct nlmsghdr *nlh;
};

static void delete_tables(struct rewriting *rw, const struct message *m)
{
	const char *name = attr_str(m->attrs, NFTA_TABLE_NAME);
	uint64_t handle = attr_uint(m->attrs, NFTA_TABLE_HANDLE, 0);
	const struct table *t;

	list_for_each(t, &rw->rs->tables, node) {
		if (m->family != NFPROTO_UNSPEC && t->family != m->family)
			continue;
		if ((name && strcmp(t->name, name) != 0) || (handle && t->handle != handle))
			continue;
		note_gone(rw, t);
	}
}

static const struct chain *find_chain(const struct rewriting *rw, const struct message *m)
{
	const char *table = attr_str(m->attrs, NFTA_CHAIN_TABLE);
	const char *name = attr_str(m->attrs, NFTA_CHAIN_NAME);
	uint64_t handle = attr_uint(m->attrs, NFTA_CHAIN_HANDLE, 0);
	const struct table *t = table ? ruleset_find_table(rw->rs, m->family, table) : NULL;

	if (!t || is_gone(rw, t))
		return NULL;
	if (handle)
		return table_find_chain_handle(t, handle);
	return name ? table_find_chain(t, name) : NULL;
}

/* The attribute's header; the batch is ours to write. */
static struct nlattr *find_attr(const struct message *m, uint16_t type)
{
	struct blob value;

	if (!attr_find(m->attrs, type, &value))
		return NULL;
	return (struct nlattr *)((const uint8_t *)value.data - NLA_HDRLEN);
}

static void keep_dormant(const struct rewriting *rw, const struct message *m)
{
	const char *name = attr_str(m->attrs, NFTA_TABLE_NAME);
	const struct table *t = name ? ruleset_find_table(rw->rs, m->family, name) : NULL;
	struct nlattr *flags = find_attr(m, NFTA_TABLE_FLAGS);
	uint32_t value;

	if (!t || !t->parked || is_gone(rw, t) || !flags)
		return;
	memcpy(&value, (uint8_t *)flags + NLA_HDRLEN, sizeof(value));
	value |= htonl(NFT_TABLE_F_DORMANT);
	memcpy((uint8_t *)flags + NLA_HDRLEN, &value, sizeof(value));
}

static void keep_regular(const struct rewriting *rw, const struct message *m)
{
	static const uint16_t base[] = { NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE,
					 NFTA_CHAIN_COUNTERS };
	const struct chain *c = find_chain(rw, m);

	if (!c || !c->parked || is_gone(rw, c))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(base); i++) {
		struct nlattr *a = find_attr(m, base[i]);

		if (a)
			a->nla_type = NFTA_CHAIN_PAD;
	}
}

/* Does the kernel not know what is in the set? The model does, and is asked what the user meant. */
static bool is_elsewhere(const struct rewriting *rw, const struct message *m)
{
	const char *table = attr_str(m->attrs, NFTA_SET_ELEM_LIST_TABLE);
	const char *name = attr_str(m->attrs, NFTA_SET_ELEM_LIST_SET);
	const struct table *t = table ? ruleset_find_table(rw->rs, m->family, table) : NULL;
	const struct set *s = t && name && !is_gone(rw, t) ? table_find_set(t, name) : NULL;

	return s && s->elsewhere && find_attr(m, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void rewrite_message(struct rewriting *rw, const struct message *m)
{
	const struct chain *c;

	switch (m->type) {
	case NFT_MSG_NEWSETELEM:
		if (is_elsewhere(rw, m)) /* it may have what packets have deleted */
			m->nlh->nlmsg_flags &= (uint16_t)~NLM_F_EXCL;
		break;
	case NFT_MSG_DELSETELEM:
		if (is_elsewhere(rw, m)) /* it may lack what packets have added */
			m->nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | MSG_DESTROYSETELEM;
		break;
	case NFT_MSG_NEWTABLE:
		keep_dormant(rw, m);
		break;
	case NFT_MSG_DELTABLE:
	case MSG_DESTROYTABLE:
		delete_tables(rw, m);
		break;
	case NFT_MSG_NEWCHAIN:
		keep_regular(rw, m);
		break;
	case NFT_MSG_DELCHAIN:
	case MSG_DESTROYCHAIN:
		c = find_chain(rw, m);
		if (c)
			note_gone(rw, c);
		break;
	}
}

bool rt_may_rewrite(const struct ruleset *rs)
{
	const struct table *t;
	const struct chain *c;
	const struct set *s;

	list_for_each(t, &rs->tables, node) {
		if (t->parked)
			return true;
		list_for_each(c, &t->chains, node)
			if (c->parked)
				return true;
		list_for_each(s, &t->sets, node)
			if (s->elsewhere)
				return true;
	}
	return false;
}

int rt_rewrite(void *model, struct batch *b)
{
	struct rewriting rw = { .rs = model };
	int left = (int)b->len;

	for (struct nlmsghdr *nlh = (void *)b->data; NLMSG_OK(nlh, left);
	     nlh = NLMSG_NEXT(nlh, left)) {
		const struct nfgenmsg *nfg = NLMSG_DATA(nlh);
		const size_t head = NLMSG_ALIGN(sizeof(*nfg));

		if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
		    nlh->nlmsg_len < NLMSG_LENGTH(head))
			continue;
		rewrite_message(&rw, &(struct message){
					     .type = nlh->nlmsg_type & 0xff,
					     .family = nfg->nfgen_family,
					     .attrs = { (const uint8_t *)nfg + head,
							nlh->nlmsg_len - NLMSG_LENGTH(head) },
					     .nlh = nlh,
				     });
	}
	free(rw.gone);
	return rw.no_memory ? -ENOMEM : 0;
}
