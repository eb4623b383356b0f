/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a batch says of elements, if it says nothing else. What it says of a set before it flushes it does
 * not matter.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "../compiler/attr.h"
#include "../netlink/nfnl.h"
#include "elements.h"

void elem_batch_fini(struct elem_batch *eb)
{
	free(eb->flushed);
}

bool elem_batch_flushes(const struct elem_batch *eb, const struct set *s)
{
	for (size_t i = 0; i < eb->n_flushed; i++)
		if (eb->flushed[i] == s)
			return true;
	return false;
}

struct set *elem_batch_set(const struct elem_batch *eb, uint8_t family, const char *table,
			   const char *name)
{
	const struct table *t = table ? ruleset_find_table(eb->sets, family, table) : NULL;

	return t && name ? table_find_set(t, name) : NULL;
}

static int message_type(const struct nlmsghdr *h)
{
	return NFNL_SUBSYS_ID(h->nlmsg_type) == NFNL_SUBSYS_NFTABLES ?
		       NFNL_MSG_TYPE(h->nlmsg_type) :
		       -1;
}

/* Whose elements it is about. */
struct elems_message {
	uint8_t family;
	const char *table, *set; /* NULL: not told */
	bool flushes;
};

static struct elems_message elems_message(const struct nlmsghdr *h)
{
	const struct nfgenmsg *nfg = NLMSG_DATA(h);
	const size_t head = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(*nfg)));
	struct blob attrs = {(const uint8_t *)h + head, h->nlmsg_len - (uint32_t)head}, list;

	/* nf_tables_delsetelem(): no elements, all elements */
	return (struct elems_message){
		.family = nfg->nfgen_family,
		.table = attr_str(attrs, NFTA_SET_ELEM_LIST_TABLE),
		.set = attr_str(attrs, NFTA_SET_ELEM_LIST_SET),
		.flushes = message_type(h) == NFT_MSG_DELSETELEM &&
			   !attr_find(attrs, NFTA_SET_ELEM_LIST_ELEMENTS, &list),
	};
}

/* Deleted elements are read as if they were added: what is in the way of that is not known here. */
static int read_message(struct elem_batch *eb, const struct nlmsghdr *h, struct diags *ds)
{
	struct nlmsghdr *copy = malloc(h->nlmsg_len);
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, h, h->nlmsg_len);
	copy->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM;
	err = apply_message(eb->sets, copy, APPLY_DUMP, ds);
	free(copy);
	return err;
}

static int read_flush(struct elem_batch *eb, const struct elems_message *m)
{
	struct set *s = elem_batch_set(eb, m->family, m->table, m->set);
	const struct set **flushed;

	if (!s)
		return -ENOENT;
	set_flush(s);
	if (elem_batch_flushes(eb, s))
		return 0;
	flushed = realloc(eb->flushed, (eb->n_flushed + 1) * sizeof(*flushed));
	if (!flushed)
		return -ENOMEM;
	eb->flushed = flushed;
	flushed[eb->n_flushed++] = s;
	return 0;
}

static void forget_elements(struct ruleset *rs)
{
	struct table *t;
	struct set *s;

	list_for_each(t, &rs->tables, node)
		list_for_each(s, &t->sets, node)
			set_flush(s);
}

int elem_batch_read(struct elem_batch *eb, const struct batch *b, int type, struct diags *ds)
{
	size_t at = 0;
	int err = 0;

	forget_elements(eb->sets);
	while (!err && at + sizeof(struct nlmsghdr) <= b->len) {
		const struct nlmsghdr *h = (const void *)(b->data + at);
		const struct elems_message m = elems_message(h);

		if (m.flushes)
			err = read_flush(eb, &m);
		else if (message_type(h) == type)
			err = read_message(eb, h, ds);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return err;
}

int elem_batch_look(struct elem_batch *eb, const struct batch *b)
{
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= b->len) {
		const struct nlmsghdr *h = (const void *)(b->data + at);
		int type = message_type(h);

		if (type != NFT_MSG_NEWSETELEM && type != NFT_MSG_DELSETELEM)
			return -EOPNOTSUPP;
		eb->adds |= type == NFT_MSG_NEWSETELEM || elems_message(h).flushes;
		eb->deletes |= type == NFT_MSG_DELSETELEM && !elems_message(h).flushes;
		eb->excl |= type == NFT_MSG_NEWSETELEM && h->nlmsg_flags & NLM_F_EXCL;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return 0;
}
