/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live ruleset into a model: one dump per kind of object, of one generation.
 *
 * The kernel finds its place in a dump by counting from the start for every buffer it fills, so that
 * a dump of n rules costs n^2. Chain by chain it costs the sum of the squares, and a chain that
 * nothing uses needs no question at all.
 */
#include "nfnl.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <time.h>

#include "sock.h"

#define MAX_TRIES 40
#define RULES_AT_ONCE 500 /* up to so many one dump is cheaper than one per chain */

struct dump {
	struct nlsock sock;
	const struct dump_options *opt;
	struct diags *ds;
	struct ruleset *rs;
	uint64_t chain_use; /* sum over all chains: rules and references to them */
};

static void request_begin(struct nlbuf *b, int type, uint16_t flags, uint8_t family)
{
	struct nlmsg_head head = {
		.type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		.flags = NLM_F_REQUEST | flags,
		.family = family,
	};

	nlbuf_begin(b, &head);
}

/* ---- generation ---- */

static int take_generation(const struct nlmsghdr *nlh, void *arg)
{
	struct nltb tb;

	if (nltb_parse_message(&tb, nlh) < 0 || !nltb_has(&tb, NFTA_GEN_ID))
		return -EBADMSG;
	*(uint32_t *)arg = nltb_u32(&tb, NFTA_GEN_ID, 0);
	return 0;
}

static int ask_generation(struct nlsock *s, uint32_t *ret)
{
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};
	int err;

	request_begin(&b, NFT_MSG_GETGEN, NLM_F_ACK, NFPROTO_UNSPEC);
	nlbuf_end(&b);
	err = nlsock_ask(s, &b, take_generation, ret);
	/* nfnetlink_rcv_msg(): a subsystem that is not there */
	return err == -EINVAL || err == -EOPNOTSUPP ? -EPROTONOSUPPORT : err;
}

int dump_generation(uint32_t *ret_generation)
{
	struct nlsock CLEANUP(nlsock_close) s;
	int err;

	err = nlsock_open(&s, NETLINK_NETFILTER);
	return err ? err : ask_generation(&s, ret_generation);
}

/* ---- the parts of a dump ---- */

static int take_message(const struct nlmsghdr *nlh, void *arg)
{
	struct dump *d = arg;
	struct nltb tb;
	const char *table;

	if (nlmsg_nft_type(nlh) < 0)
		return 0;
	if (nltb_parse_message(&tb, nlh) < 0)
		return -EBADMSG;
	/* Attribute 1 is the table's name in all of them. */
	table = nltb_str(&tb, NFTA_TABLE_NAME);
	if (d->opt->only_table && table && strcmp(table, d->opt->only_table) != 0)
		return 0;
	if (nlmsg_nft_type(nlh) == NFT_MSG_NEWCHAIN)
		d->chain_use += nltb_u32(&tb, NFTA_CHAIN_USE, 0);
	return apply_message(d->rs, nlh, APPLY_DUMP, d->ds);
}

/* @name's attribute number is 2 where there is one. */
static int dump_some(struct dump *d, int type, uint8_t family, const char *table,
		     const char *name)
{
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};

	request_begin(&b, type, NLM_F_DUMP, family);
	if (table)
		nlbuf_put_str(&b, NFTA_RULE_TABLE, table);
	if (name)
		nlbuf_put_str(&b, NFTA_RULE_CHAIN, name);
	nlbuf_end(&b);
	return nlsock_ask(&d->sock, &b, take_message, d);
}

static bool are_wanted(const struct dump_options *opt, const struct set *s)
{
	return !opt->no_elements && !opt->sets_only &&
	       (!opt->terse || s->flags & NFT_SET_ANONYMOUS);
}

static int dump_elements(struct dump *d)
{
	struct table *t;
	struct set *s;
	int err;

	list_for_each(t, &d->rs->tables, node) {
		list_for_each(s, &t->sets, node) {
			s->elems_known = are_wanted(d->opt, s);
			if (!s->elems_known)
				continue;
			err = dump_some(d, NFT_MSG_GETSETELEM, t->family, t->name, s->name);
			if (err < 0)
				return err;
		}
	}
	return 0;
}

static int dump_rules(struct dump *d)
{
	const char *only = d->opt->only_table;
	struct table *t;
	struct chain *c;
	int err;

	if (d->chain_use <= RULES_AT_ONCE)
		return dump_some(d, NFT_MSG_GETRULE, d->opt->family, only, NULL);
	list_for_each(t, &d->rs->tables, node) {
		list_for_each(c, &t->chains, node) {
			err = dump_some(d, NFT_MSG_GETRULE, t->family, t->name, c->name);
			if (err < 0)
				return err;
		}
	}
	return 0;
}

static int dump_all(struct dump *d)
{
	static const int kinds[] = {NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETSET,
				    NFT_MSG_GETOBJ, NFT_MSG_GETFLOWTABLE};
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (d->opt->sets_only && kinds[i] != NFT_MSG_GETTABLE && kinds[i] != NFT_MSG_GETSET)
			continue;
		if (d->opt->tables_only && kinds[i] != NFT_MSG_GETTABLE)
			continue;
		err = dump_some(d, kinds[i], d->opt->family, NULL, NULL);
		if (err < 0)
			return err;
	}
	err = dump_elements(d);
	if (err || d->opt->sets_only || d->opt->tables_only || d->opt->no_rules)
		return err;
	return dump_rules(d);
}

/* -EINTR: the ruleset moved meanwhile. */
static int dump_once(struct dump *d)
{
	uint32_t before = 0, after = 0;
	int err;

	d->chain_use = 0;
	d->rs = ruleset_new();
	if (!d->rs)
		return -ENOMEM;
	err = ask_generation(&d->sock, &before);
	if (err < 0)
		return err;
	err = dump_all(d);
	/* A table, chain or set that is gone again. */
	if (err == -ENOENT)
		err = -EINTR;
	if (!err)
		err = ask_generation(&d->sock, &after);
	if (!err && before != after)
		err = -EINTR;
	d->rs->generation = before;
	return err;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void tell(struct diags *ds, int err)
{
	const char *hint = "";

	if (err == -EPERM)
		hint = ": CAP_NET_ADMIN in this network namespace is needed";
	else if (err == -EPROTONOSUPPORT)
		hint = ": this kernel has no nf_tables";
	else if (err == -EINTR)
		hint = ": it changed all the time";
	if (ds)
		diag_add(ds, DIAG_ERROR, "dump", NULL, "reading the ruleset: %s%s",
			 strerror(-err), hint);
}

int dump_ruleset(const struct dump_options *opt, struct diags *ds, struct ruleset **ret)
{
	static const struct dump_options everything;
	struct dump d = {.opt = opt ? opt : &everything};
	int err, try;

	err = nlsock_open(&d.sock, NETLINK_NETFILTER);
	for (try = 0; !err && try < MAX_TRIES; try++) {
		err = dump_once(&d);
		if (!err)
			break;
		ruleset_free(TAKE_PTR(d.rs));
		if (err == -EINTR && try < MAX_TRIES - 1) {
			pause_ms(try);
			err = 0;
		}
	}
	nlsock_close(&d.sock);
	if (err < 0) {
		tell(ds, err);
		return err;
	}
	*ret = d.rs;
	return 0;
}
