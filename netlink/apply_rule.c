/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applying rule messages: nf_tables_newrule(), nf_tables_delrule(), and where an event's rule goes.
 */
#include "apply.h"

#include <errno.h>

static int fill(struct rule *r, const struct apply *ap, struct exprs *es)
{
	struct blob userdata = nltb_blob(&ap->tb, NFTA_RULE_USERDATA);
	struct blob compat = nltb_blob(&ap->tb, NFTA_RULE_COMPAT);
	int err;

	r->exprs = *es;
	*es = (struct exprs){0};
	if (ap->src == APPLY_REQUEST) {
		r->id = nltb_u32(&ap->tb, NFTA_RULE_ID, 0);
		r->seq = ap->seq;
	} else {
		r->handle = nltb_u64(&ap->tb, NFTA_RULE_HANDLE, 0);
	}
	err = blob_set(&r->userdata, userdata.data, userdata.len);
	return err ? err : blob_set(&r->compat, compat.data, compat.len);
}

static int add_rule(const struct apply *ap, struct chain *c, struct rule *before)
{
	struct exprs CLEANUP(exprs_fini) es = {0};
	struct rule *r;
	int err;

	err = apply_exprs(ap, c->table, ap->tb.attr[NFTA_RULE_EXPRESSIONS], NULL, &es);
	if (err < 0)
		return err;
	r = rule_new(c, before);
	if (!r)
		return -ENOMEM;
	err = fill(r, ap, &es);
	if (err < 0) {
		rule_free(r);
		return err;
	}
	exprs_ref(&r->exprs, c->table);
	return 0;
}

static struct rule *next_rule(const struct rule *r)
{
	return r->node.next == &r->chain->rules ? NULL :
						  list_entry(r->node.next, struct rule, node);
}

static struct rule *first_rule(const struct chain *c)
{
	return list_is_empty(&c->rules) ? NULL : list_entry(c->rules.next, struct rule, node);
}

/* NFTA_RULE_POSITION_ID: a rule of this batch, so look from the end. */
static struct rule *find_rule_id(const struct chain *c, uint32_t id)
{
	struct list *node;
	struct rule *r;

	for (node = c->rules.prev; node != &c->rules; node = node->prev) {
		r = list_entry(node, struct rule, node);
		if (id && r->id == id)
			return r;
	}
	return NULL;
}

static int replace_rule(const struct apply *ap, struct chain *c)
{
	uint64_t handle = nltb_u64(&ap->tb, NFTA_RULE_HANDLE, 0);
	struct rule *old = chain_find_rule(c, handle), *next;
	int err;

	if (!old)
		return apply_error(ap, -ENOENT, c->table->name, c->name, "no rule of handle %llu",
				   (unsigned long long)handle);
	if (!(ap->flags & NLM_F_REPLACE) || c->flags & NFT_CHAIN_BINDING)
		return -EOPNOTSUPP;
	next = next_rule(old);
	err = add_rule(ap, c, next);
	if (err < 0)
		return err;
	list_entry(old->node.next, struct rule, node)->handle = handle;
	rule_drop(old);
	return 0;
}

static int request_rule(const struct apply *ap, struct chain *c)
{
	struct rule *at = NULL;
	bool after = ap->flags & NLM_F_APPEND, has_position;

	if (nltb_has(&ap->tb, NFTA_RULE_HANDLE))
		return replace_rule(ap, c);
	if (!(ap->flags & NLM_F_CREATE) || ap->flags & NLM_F_REPLACE)
		return -EINVAL;
	has_position = nltb_has(&ap->tb, NFTA_RULE_POSITION) ||
		       nltb_has(&ap->tb, NFTA_RULE_POSITION_ID);
	if (nltb_has(&ap->tb, NFTA_RULE_POSITION))
		at = chain_find_rule(c, nltb_u64(&ap->tb, NFTA_RULE_POSITION, 0));
	else if (has_position)
		at = find_rule_id(c, nltb_u32(&ap->tb, NFTA_RULE_POSITION_ID, 0));
	if (has_position && !at)
		return apply_error(ap, -ENOENT, c->table->name, c->name,
				   "no rule at this position");
	if (after)
		return add_rule(ap, c, at ? next_rule(at) : NULL);
	return add_rule(ap, c, at ? at : first_rule(c));
}

/*
 * nf_tables_rule_notify() names the rule before, unless the rule is the first or the last; and which
 * of the two it is it does not say. A rule that was appended is the last, one that was inserted the
 * first; but a first rule that was replaced claims to be appended as well. -ESTALE: the chain must be
 * read again.
 */
static int event_rule(const struct apply *ap, struct chain *c)
{
	uint64_t handle = nltb_u64(&ap->tb, NFTA_RULE_HANDLE, 0);
	uint64_t position = nltb_u64(&ap->tb, NFTA_RULE_POSITION, 0);
	struct rule *at;

	if (chain_find_rule(c, handle))
		return 0;
	if (position) {
		at = chain_find_rule(c, position);
		return at ? add_rule(ap, c, next_rule(at)) : -ESTALE;
	}
	if (!first_rule(c))
		c->first_gone = 0;
	if (c->first_gone == 1 + (uint64_t)ap->rs->generation && ap->flags & NLM_F_APPEND)
		return -ESTALE;
	return add_rule(ap, c, ap->flags & NLM_F_APPEND ? NULL : first_rule(c));
}

static struct chain *find_chain(const struct apply *ap, const struct table *t)
{
	const char *name = nltb_str(&ap->tb, NFTA_RULE_CHAIN);
	struct chain *c = NULL;

	if (name)
		c = table_find_chain(t, name);
	else if (nltb_has(&ap->tb, NFTA_RULE_CHAIN_ID))
		c = table_find_chain_id(t, nltb_u32(&ap->tb, NFTA_RULE_CHAIN_ID, 0));
	return c;
}

static int new_rule(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_RULE_TABLE);
	struct chain *c;

	if (!t)
		return -ENOENT;
	c = find_chain(ap, t);
	if (!c)
		return apply_error(ap, -ENOENT, t->name, nltb_str(&ap->tb, NFTA_RULE_CHAIN),
				   "no such chain");
	switch (ap->src) {
	case APPLY_REQUEST:
		return request_rule(ap, c);
	case APPLY_DUMP:
		return add_rule(ap, c, NULL);
	case APPLY_EVENT:
		return event_rule(ap, c);
	}
	return -EINVAL;
}

static int delete_rule_of(const struct apply *ap, struct chain *c)
{
	uint64_t handle = nltb_u64(&ap->tb, NFTA_RULE_HANDLE, 0);
	struct rule *r;

	if (c->flags & NFT_CHAIN_BINDING && ap->src == APPLY_REQUEST)
		return -EOPNOTSUPP;
	if (nltb_has(&ap->tb, NFTA_RULE_HANDLE))
		r = chain_find_rule(c, handle);
	else if (nltb_has(&ap->tb, NFTA_RULE_ID))
		r = find_rule_id(c, nltb_u32(&ap->tb, NFTA_RULE_ID, 0));
	else
		return c->flags & NFT_CHAIN_BINDING ? -EOPNOTSUPP : (chain_drop_rules(c), 0);
	if (!r && (ap->destroy || ap->src == APPLY_EVENT))
		return 0;
	if (!r)
		return apply_error(ap, -ENOENT, c->table->name, c->name, "no rule of handle %llu",
				   (unsigned long long)handle);
	if (r == first_rule(c))
		c->first_gone = 1 + (uint64_t)ap->rs->generation;
	rule_drop(r);
	return 0;
}

static int delete_rule(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_RULE_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_RULE_CHAIN);
	struct chain *c;

	if (!t)
		return -ENOENT;
	if (name) {
		c = table_find_chain(t, name);
		if (c)
			return delete_rule_of(ap, c);
		return ap->destroy || ap->src == APPLY_EVENT ?
			       0 :
			       apply_error(ap, -ENOENT, t->name, name, "no such chain");
	}
	/* A rule's anonymous chains go with it, but never the chain it is in: the walk can go on. */
	list_for_each(c, &t->chains, node) {
		if (!(c->flags & NFT_CHAIN_BINDING))
			chain_drop_rules(c);
	}
	return 0;
}

int apply_rule(struct apply *ap)
{
	return ap->type == NFT_MSG_NEWRULE ? new_rule(ap) : delete_rule(ap);
}
