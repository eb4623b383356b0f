/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One reader of rulesets: nf_tables messages applied to the model, whether they come from a batch, a
 * dump or an event. Each kind of object has a file of its own (apply_chain.c…); this one dispatches.
 *
 * The kernel is the model for what a message means (net/netfilter/nf_tables_api.c, nf_tables_new*()
 * and nf_tables_del*()): a request is refused where the kernel would refuse it for reasons that the
 * model can see; what dumps and events tell is taken as it is.
 */
#include "apply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int apply_error(const struct apply *ap, int err, const char *table, const char *chain,
		const char *fmt, ...)
{
	struct diag_place at = {.family = ap->family, .table = table, .chain = chain};
	char *text = NULL;
	va_list args;

	if (!ap->ds)
		return err;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (text)
		diag_add(ap->ds, DIAG_ERROR, "ruleset", &at, "%s", text);
	free(text);
	return err;
}

struct table *apply_find_table(const struct apply *ap, unsigned int type)
{
	const char *name = nltb_str(&ap->tb, type);
	struct table *t = name ? ruleset_find_table(ap->rs, ap->family, name) : NULL;

	if (!t)
		apply_error(ap, -ENOENT, name, NULL, "no such table");
	return t;
}

static int exprs_from_single(const struct nlattr *single, struct exprs *ret)
{
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};
	struct blob expr = nlattr_blob(single);

	nlbuf_put_blob(&b, NFTA_LIST_ELEM | NLA_F_NESTED, expr);
	if (b.failed)
		return -ENOMEM;
	return exprs_init(ret, b.data, (uint32_t)b.len);
}

int apply_exprs(const struct apply *ap, struct table *t, const struct nlattr *list,
		const struct nlattr *single, struct exprs *ret)
{
	struct exprs CLEANUP(exprs_fini) es = {0};
	char AUTO_FREE *missing = NULL;
	struct blob raw = nlattr_blob(list);
	int err = 0;

	if (list)
		err = exprs_init(&es, raw.data, raw.len);
	else if (single)
		err = exprs_from_single(single, &es);
	if (!err && ap->src == APPLY_REQUEST) {
		err = exprs_resolve(&es, t, NULL, NULL);
		if (!err) {
			missing = exprs_missing(&es, t);
			if (missing)
				err = apply_error(ap, -ENOENT, t->name, NULL, "no such %s",
						  missing);
		}
	}
	if (err < 0)
		return err;
	*ret = es;
	es = (struct exprs){0};
	return 0;
}

int apply_devices(const struct nlattr *list, const struct nlattr *single, char ***ret_devices)
{
	char **devices = NULL;
	const struct nlattr *attr;
	struct nltb one = {0};
	const char *name;
	int err = 0;

	if (!list && !single)
		return 0;
	if (!list) {
		one.attr[0] = single;
		name = nltb_str(&one, 0);
		return name ? devices_add(ret_devices, name) : -EINVAL;
	}
	mnl_attr_for_each_nested(attr, list) {
		one.attr[0] = attr;
		name = nltb_str(&one, 0);
		err = name ? devices_add(&devices, name) : -EINVAL;
		if (err < 0) {
			devices_free(&devices);
			return err;
		}
	}
	devices_free(ret_devices);
	*ret_devices = devices;
	return 0;
}

static int apply_generation(struct apply *ap)
{
	ap->rs->generation = nltb_u32(&ap->tb, NFTA_GEN_ID, ap->rs->generation);
	return 0;
}

static const struct {
	int (*apply)(struct apply *ap);
	int as; /* DESTROY messages: the DEL they soften */
} messages[] = {
	[NFT_MSG_NEWTABLE] = {apply_table},
	[NFT_MSG_DELTABLE] = {apply_table},
	[NFT_MSG_NEWCHAIN] = {apply_chain},
	[NFT_MSG_DELCHAIN] = {apply_chain},
	[NFT_MSG_NEWRULE] = {apply_rule},
	[NFT_MSG_DELRULE] = {apply_rule},
	[NFT_MSG_NEWSET] = {apply_set},
	[NFT_MSG_DELSET] = {apply_set},
	[NFT_MSG_NEWSETELEM] = {apply_elems},
	[NFT_MSG_DELSETELEM] = {apply_elems},
	[NFT_MSG_NEWOBJ] = {apply_object},
	[NFT_MSG_DELOBJ] = {apply_object},
	[NFT_MSG_NEWFLOWTABLE] = {apply_flowtable},
	[NFT_MSG_DELFLOWTABLE] = {apply_flowtable},
	[NFT_MSG_NEWGEN] = {apply_generation},
	[NFT_BPF_MSG_DESTROYTABLE] = {apply_table, NFT_MSG_DELTABLE},
	[NFT_BPF_MSG_DESTROYCHAIN] = {apply_chain, NFT_MSG_DELCHAIN},
	[NFT_BPF_MSG_DESTROYRULE] = {apply_rule, NFT_MSG_DELRULE},
	[NFT_BPF_MSG_DESTROYSET] = {apply_set, NFT_MSG_DELSET},
	[NFT_BPF_MSG_DESTROYSETELEM] = {apply_elems, NFT_MSG_DELSETELEM},
	[NFT_BPF_MSG_DESTROYOBJ] = {apply_object, NFT_MSG_DELOBJ},
	[NFT_BPF_MSG_DESTROYFLOWTABLE] = {apply_flowtable, NFT_MSG_DELFLOWTABLE},
};

static int apply_one(struct apply *ap, const struct nlmsghdr *nlh)
{
	int type = nlmsg_nft_type(nlh), err;

	if (type < 0)
		return -EINVAL;
	if (type >= (int)ARRAY_SIZE(messages) || !messages[type].apply)
		return ap->src == APPLY_REQUEST ? -EINVAL : 0;
	ap->type = messages[type].as ? messages[type].as : type;
	ap->destroy = messages[type].as != 0;
	ap->family = nlmsg_nfgen(nlh)->nfgen_family;
	ap->flags = nlh->nlmsg_flags;
	ap->seq = nlh->nlmsg_seq;
	err = nltb_parse_message(&ap->tb, nlh);
	if (err < 0)
		return err;
	return messages[type].apply(ap);
}

int apply_message(struct ruleset *rs, const struct nlmsghdr *nlh, enum apply_source src,
		  struct diags *ds)
{
	struct apply ap = {.rs = rs, .ds = ds, .src = src};

	return apply_one(&ap, nlh);
}

int apply_refuses(struct ruleset *rs, const struct nlmsghdr *nlh, const struct nlattr **ret_elem)
{
	struct apply ap = {.rs = rs, .src = APPLY_REQUEST};
	int err = apply_one(&ap, nlh);

	*ret_elem = ap.refused;
	return err;
}

/* Ids live as long as their batch. */
static void forget_ids(struct ruleset *rs)
{
	struct table *t;
	struct chain *c;
	struct rule *r;
	struct set *s;

	list_for_each(t, &rs->tables, node) {
		list_for_each(s, &t->sets, node)
			set_set_id(s, 0);
		list_for_each(c, &t->chains, node) {
			chain_set_id(c, 0);
			list_for_each(r, &c->rules, node)
				r->id = 0;
		}
	}
}

int apply_batch(struct ruleset *rs, const struct batch *b, struct diags *ds)
{
	const struct nlmsghdr *nlh;
	size_t pos = 0;
	int err = 0;

	while (!err && b->len - pos >= sizeof(*nlh)) {
		nlh = (const struct nlmsghdr *)(b->data + pos);
		if (nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > b->len - pos) {
			err = -EINVAL;
			break;
		}
		/* Fingerprints for osf travel in the same batch, to another subsystem. */
		if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES)
			err = apply_message(rs, nlh, APPLY_REQUEST, ds);
		pos += MIN((size_t)MNL_ALIGN(nlh->nlmsg_len), b->len - pos);
	}
	forget_ids(rs);
	return err;
}

void batch_fini(struct batch *b)
{
	free(b->data);
	*b = (struct batch){0};
}
