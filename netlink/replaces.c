/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a batch leaves nothing of the ruleset that was: as `flush ruleset` does, or files that begin
 * by `table ip t {}; delete table ip t` for each table there is. What is in the tables need not be read
 * then; a million intervals take the kernel minutes to tell.
 */
#include <stdlib.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "../compiler/attr.h"
#include "nfnl.h"
#include "nlattr.h"

struct replacing {
	const struct ruleset *rs;
	const struct table **gone;
	uint32_t n_gone;
};

static bool is_gone(const struct replacing *w, const struct table *t)
{
	for (uint32_t i = 0; i < w->n_gone; i++)
		if (w->gone[i] == t)
			return true;
	return false;
}

/* What is asked of a table that is still there may need what is in it. */
static bool message_replaces(struct replacing *w, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = NLMSG_DATA(nlh);
	const uint32_t head = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(*nfg)));
	const uint32_t type = nlh->nlmsg_type & 0xff;
	const struct table *t;
	const char *name;

	if (nlh->nlmsg_len < head)
		return false;
	/* All messages name their table by attribute 1. */
	name = attr_str((struct blob){(const uint8_t *)nlh + head, nlh->nlmsg_len - head},
			NFTA_TABLE_NAME);
	t = name ? ruleset_find_table(w->rs, nfg->nfgen_family, name) : NULL;
	if (type == NFT_MSG_DELTABLE || type == NFT_BPF_MSG_DESTROYTABLE) {
		if (t && !is_gone(w, t))
			w->gone[w->n_gone++] = t;
		return name != NULL;
	}
	return name && (!t || type == NFT_MSG_NEWTABLE || is_gone(w, t));
}

/* `flush ruleset`: a table of no family and no name. */
static bool flushes_all(const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = NLMSG_DATA(nlh);

	return nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE) &&
	       nlh->nlmsg_len == NLMSG_LENGTH(sizeof(*nfg)) && nfg->nfgen_family == 0;
}

bool batch_replaces_all(const struct batch *b, const struct ruleset *rs)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)b->data;
	AUTO_FREE const struct table **gone = NULL;
	struct replacing w = {.rs = rs};
	const struct table *t;
	int left = (int)b->len;
	uint32_t n = 0;

	if (NLMSG_OK(nlh, left) && flushes_all(nlh))
		return true;
	list_for_each(t, &rs->tables, node)
		n++;
	w.gone = gone = calloc(n + 1, sizeof(*gone));
	for (; gone && NLMSG_OK(nlh, left); nlh = NLMSG_NEXT(nlh, left))
		if (!message_replaces(&w, nlh))
			return false;
	return gone && w.n_gone == n;
}
