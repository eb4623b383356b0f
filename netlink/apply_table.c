/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applying table messages: nf_tables_newtable(), nf_tables_updtable(), nf_tables_deltable().
 */
#include "apply.h"

#include <errno.h>
#include <linux/netfilter.h>

static bool family_is_supported(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
	case NFPROTO_IPV4:
	case NFPROTO_ARP:
	case NFPROTO_NETDEV:
	case NFPROTO_BRIDGE:
	case NFPROTO_IPV6:
		return true;
	}
	return false;
}

static int new_table(struct apply *ap)
{
	const char *name = nltb_str(&ap->tb, NFTA_TABLE_NAME);
	struct blob userdata = nltb_blob(&ap->tb, NFTA_TABLE_USERDATA);
	struct table *t;

	if (!name)
		return -EINVAL;
	if (!family_is_supported(ap->family))
		return apply_error(ap, -EOPNOTSUPP, name, NULL, "address family not supported");
	t = ruleset_find_table(ap->rs, ap->family, name);
	if (t && ap->src == APPLY_REQUEST) {
		if (ap->flags & NLM_F_EXCL)
			return apply_error(ap, -EEXIST, name, NULL, "table exists");
		if (ap->flags & NLM_F_REPLACE)
			return -EOPNOTSUPP;
		t->flags = nltb_u32(&ap->tb, NFTA_TABLE_FLAGS, t->flags);
		return 0;
	}
	if (!t)
		t = table_new(ap->rs, ap->family, name);
	if (!t)
		return -ENOMEM;
	t->flags = nltb_u32(&ap->tb, NFTA_TABLE_FLAGS, 0);
	t->owner = nltb_u32(&ap->tb, NFTA_TABLE_OWNER, 0);
	t->handle = nltb_u64(&ap->tb, NFTA_TABLE_HANDLE, t->handle);
	t->use = nltb_u32(&ap->tb, NFTA_TABLE_USE, 0);
	return blob_set(&t->userdata, userdata.data, userdata.len);
}

/*
 * "flush ruleset" is a DELTABLE without a name. nft_flush(): tables owned by other sockets stay; a
 * batch of ours never owns one.
 */
static int flush_tables(struct apply *ap)
{
	const char *name = nltb_str(&ap->tb, NFTA_TABLE_NAME);
	struct table *t, *tmp;

	list_for_each_safe(t, tmp, &ap->rs->tables, node) {
		if (ap->family != NFPROTO_UNSPEC && t->family != ap->family)
			continue;
		if (t->flags & 0x2 /* NFT_TABLE_F_OWNER */ && t->owner)
			continue;
		if (name && strcmp(name, t->name) != 0)
			continue;
		table_free(t);
	}
	return 0;
}

static int delete_table(struct apply *ap)
{
	const char *name = nltb_str(&ap->tb, NFTA_TABLE_NAME);
	uint64_t handle = nltb_u64(&ap->tb, NFTA_TABLE_HANDLE, 0);
	struct table *t = NULL;

	if (ap->family == NFPROTO_UNSPEC || (!name && !handle))
		return flush_tables(ap);
	if (handle && ap->src == APPLY_REQUEST)
		t = ruleset_find_table_handle(ap->rs, ap->family, handle);
	else if (name)
		t = ruleset_find_table(ap->rs, ap->family, name);
	if (!t)
		return ap->destroy ? 0 : apply_error(ap, -ENOENT, name, NULL, "no such table");
	table_free(t);
	return 0;
}

int apply_table(struct apply *ap)
{
	return ap->type == NFT_MSG_NEWTABLE ? new_table(ap) : delete_table(ap);
}
