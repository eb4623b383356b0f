/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applying chain messages: nf_tables_newchain(), nf_tables_updchain(), nf_tables_delchain().
 */
#include "apply.h"

#include <errno.h>
#include <linux/netfilter.h>

/* What a message says about a chain's hook. */
struct hook {
	bool given;
	uint32_t num;
	int32_t priority;
	char **devices;
};

static void hook_fini(struct hook *h)
{
	devices_free(&h->devices);
}

static int read_hook(const struct apply *ap, struct hook *ret)
{
	struct nltb tb;
	int err;

	if (!nltb_has(&ap->tb, NFTA_CHAIN_HOOK))
		return 0;
	err = nltb_parse_nested(&tb, ap->tb.attr[NFTA_CHAIN_HOOK]);
	if (err < 0)
		return err;
	ret->given = true;
	ret->num = nltb_u32(&tb, NFTA_HOOK_HOOKNUM, UINT32_MAX);
	ret->priority = (int32_t)nltb_u32(&tb, NFTA_HOOK_PRIORITY, 0);
	return apply_devices(tb.attr[NFTA_HOOK_DEVS], tb.attr[NFTA_HOOK_DEV], &ret->devices);
}

static int set_type(struct chain *c, const char *type)
{
	char *copy = strdup(type);

	if (!copy)
		return -ENOMEM;
	free(c->type);
	c->type = copy;
	return 0;
}

static int hang(struct chain *c, const struct apply *ap, struct hook *hook)
{
	const char *type = nltb_str(&ap->tb, NFTA_CHAIN_TYPE);

	if (!c->is_base)
		c->seq = ap->rs->next_seq++;
	c->is_base = true;
	c->hooknum = hook->num;
	c->priority = hook->priority;
	devices_free(&c->devices);
	c->devices = TAKE_PTR(hook->devices);
	return set_type(c, type ? type : "filter");
}

/* What a chain has besides its name and hook. A base chain without a policy accepts. */
static int fill(struct chain *c, const struct apply *ap)
{
	struct blob userdata = nltb_blob(&ap->tb, NFTA_CHAIN_USERDATA);
	struct blob counters = nltb_blob(&ap->tb, NFTA_CHAIN_COUNTERS);
	int err;

	c->flags = nltb_u32(&ap->tb, NFTA_CHAIN_FLAGS, 0) | (c->is_base ? NFT_CHAIN_BASE : 0);
	c->policy = nltb_u32(&ap->tb, NFTA_CHAIN_POLICY, NF_ACCEPT);
	c->handle = nltb_u64(&ap->tb, NFTA_CHAIN_HANDLE, c->handle);
	err = blob_set(&c->userdata, userdata.data, userdata.len);
	return err ? err : blob_set(&c->counters, counters.data, counters.len);
}

/* nf_tables_addchain() */
static int add_chain(struct apply *ap, struct table *t, const char *name, struct hook *hook)
{
	uint32_t id = nltb_u32(&ap->tb, NFTA_CHAIN_ID, 0);
	struct chain *c;
	int err = 0;

	if (!name && !(nltb_u32(&ap->tb, NFTA_CHAIN_FLAGS, 0) & NFT_CHAIN_BINDING))
		return -EINVAL;
	c = chain_new(t, name);
	if (!c)
		return -ENOMEM;
	if (hook->given)
		err = hang(c, ap, hook);
	if (!err && id && ap->src == APPLY_REQUEST)
		err = chain_set_id(c, id);
	if (!err)
		err = fill(c, ap);
	if (err)
		chain_free(c);
	return err;
}

/* Rules and elements that jump to the chain go on doing so. */
static int rename_chain(struct chain *c, const char *name)
{
	struct table *t = c->table;
	char AUTO_FREE *old = strdup(c->name);
	struct chain *other;
	struct rule *r;
	struct set *s;
	size_t i;
	int err;

	if (!old)
		return -ENOMEM;
	err = chain_rename(c, name);
	if (err < 0 || !c->refs)
		return err;
	list_for_each(other, &t->chains, node) {
		list_for_each(r, &other->rules, node) {
			err = exprs_resolve(&r->exprs, t, old, name);
			if (err < 0)
				return err;
		}
	}
	list_for_each(s, &t->sets, node) {
		for (i = 0; s->data_type == NFT_DATA_VERDICT && i < s->n_elems; i++) {
			if (!s->elems[i].verdict.chain || strcmp(s->elems[i].verdict.chain, old))
				continue;
			free(s->elems[i].verdict.chain);
			s->elems[i].verdict.chain = strdup(name);
			if (!s->elems[i].verdict.chain)
				return -ENOMEM;
		}
	}
	return 0;
}

static int check_same_hook(const struct apply *ap, const struct chain *c, const struct hook *hook)
{
	const char *type = nltb_str(&ap->tb, NFTA_CHAIN_TYPE);

	if (!hook->given)
		return 0;
	if (!c->is_base || c->hooknum != hook->num || c->priority != hook->priority ||
	    (type && strcmp(type, c->type) != 0))
		return apply_error(ap, -EEXIST, c->table->name, c->name,
				   "chain exists with another hook");
	return 0;
}

/* nf_tables_updchain() */
static int update_chain(struct apply *ap, struct chain *c, const char *name, struct hook *hook)
{
	char **d;
	int err;

	if (c->flags & NFT_CHAIN_BINDING)
		return -EINVAL;
	if (ap->flags & NLM_F_EXCL)
		return apply_error(ap, -EEXIST, c->table->name, c->name, "chain exists");
	if (ap->flags & NLM_F_REPLACE)
		return -EOPNOTSUPP;
	err = check_same_hook(ap, c, hook);
	if (err < 0)
		return err;
	for (d = hook->devices; d && *d; d++) {
		if (!devices_have(c->devices, *d) && devices_add(&c->devices, *d) < 0)
			return -ENOMEM;
	}
	if (nltb_has(&ap->tb, NFTA_CHAIN_POLICY)) {
		if (!c->is_base)
			return apply_error(ap, -EOPNOTSUPP, c->table->name, c->name,
					   "only base chains have a policy");
		c->policy = nltb_u32(&ap->tb, NFTA_CHAIN_POLICY, c->policy);
	}
	if (!name || strcmp(name, c->name) == 0)
		return 0;
	if (table_find_chain(c->table, name))
		return apply_error(ap, -EEXIST, c->table->name, name, "chain exists");
	return rename_chain(c, name);
}

/* What a dump or an event tells: the whole chain as it is now. */
static int told_chain(struct apply *ap, struct table *t, const char *name, struct hook *hook)
{
	uint64_t handle = nltb_u64(&ap->tb, NFTA_CHAIN_HANDLE, 0);
	struct chain *c = table_find_chain(t, name);
	int err = 0;

	if (!c && ap->src == APPLY_EVENT)
		c = table_find_chain_handle(t, handle);
	if (!c)
		return add_chain(ap, t, name, hook);
	if (strcmp(c->name, name) != 0)
		err = rename_chain(c, name);
	if (!err && hook->given)
		err = hang(c, ap, hook);
	return err ? err : fill(c, ap);
}

static int new_chain(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_CHAIN_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_CHAIN_NAME);
	struct hook CLEANUP(hook_fini) hook = {0};
	struct chain *c = NULL;
	int err;

	if (!t)
		return -ENOENT;
	err = read_hook(ap, &hook);
	if (err < 0)
		return err;
	if (ap->src != APPLY_REQUEST)
		return name ? told_chain(ap, t, name, &hook) : -EINVAL;
	if (nltb_has(&ap->tb, NFTA_CHAIN_HANDLE)) {
		c = table_find_chain_handle(t, nltb_u64(&ap->tb, NFTA_CHAIN_HANDLE, 0));
		if (!c)
			return apply_error(ap, -ENOENT, t->name, name, "no such chain");
	} else if (name) {
		c = table_find_chain(t, name);
	}
	if (c)
		return update_chain(ap, c, name, &hook);
	if (nltb_has(&ap->tb, NFTA_CHAIN_POLICY) && !hook.given)
		return apply_error(ap, -EOPNOTSUPP, t->name, name,
				   "only base chains have a policy");
	return add_chain(ap, t, name, &hook);
}

static bool is_device_chain(const struct chain *c)
{
	return c->is_base && c->devices;
}

/* Devices of the message that the chain has go; true when some of its own stay. */
static bool remove_devices(struct chain *c, const struct hook *hook)
{
	char **d;

	for (d = hook->devices; d && *d; d++)
		devices_remove(&c->devices, *d);
	return c->devices != NULL;
}

static int delete_chain(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_CHAIN_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_CHAIN_NAME);
	struct hook CLEANUP(hook_fini) hook = {0};
	struct chain *c = NULL;
	int err;

	if (!t)
		return -ENOENT;
	if (nltb_has(&ap->tb, NFTA_CHAIN_HANDLE) && ap->src == APPLY_REQUEST)
		c = table_find_chain_handle(t, nltb_u64(&ap->tb, NFTA_CHAIN_HANDLE, 0));
	else if (name)
		c = table_find_chain(t, name);
	if (!c && (ap->destroy || ap->src == APPLY_EVENT))
		return 0;
	if (!c)
		return apply_error(ap, -ENOENT, t->name, name, "no such chain");
	if (c->flags & NFT_CHAIN_BINDING) {
		if (ap->src == APPLY_REQUEST)
			return -EOPNOTSUPP;
		chain_drop(c);
		return 0;
	}
	err = read_hook(ap, &hook);
	if (err < 0)
		return err;
	/* nft_delchain_hook(): with devices only these go. An event lists them all for all. */
	if (is_device_chain(c) && hook.devices &&
	    (remove_devices(c, &hook) || ap->src == APPLY_REQUEST))
		return 0;
	if (ap->src == APPLY_REQUEST && ap->flags & NLM_F_NONREC && c->n_rules)
		return apply_error(ap, -EBUSY, t->name, c->name, "chain has rules");
	chain_drop_rules(c);
	if (c->refs && ap->src == APPLY_REQUEST)
		return apply_error(ap, -EBUSY, t->name, c->name, "chain is in use");
	chain_free(c);
	return 0;
}

int apply_chain(struct apply *ap)
{
	return ap->type == NFT_MSG_NEWCHAIN ? new_chain(ap) : delete_chain(ap);
}
