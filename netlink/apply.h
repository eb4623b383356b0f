/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of "apply a message to the model" share (netlink/apply*.c).
 */
#ifndef NFT_BPF_NETLINK_APPLY_H
#define NFT_BPF_NETLINK_APPLY_H

#include "nfnl.h"
#include "nlattr.h"

/* The message being applied. */
struct apply {
	struct ruleset *rs;
	struct diags *ds; /* or NULL */
	enum apply_source src;
	int type;	  /* NFT_MSG_* with a DESTROY turned into its DEL */
	bool destroy;	  /* what is not there needs no deleting */
	uint8_t family;
	uint16_t flags;	  /* nlmsg_flags */
	uint32_t seq;
	const struct nlattr *refused; /* the element, of a set that the kernel's lags behind, that was refused */
	struct nltb tb;
};

/*
 * apply_message() of a request. *@ret_elem: the element that an error is of, if its set's elements are those
 * of a BPF map (set->elsewhere); else NULL.
 */
int apply_refuses(struct ruleset *rs, const struct nlmsghdr *nlh, const struct nlattr **ret_elem);

/* Adds an error that names table and @chain (may be NULL); returns @err. */
int apply_error(const struct apply *ap, int err, const char *table, const char *chain,
		const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The table named by attribute @type, or NULL with the error told. */
struct table *apply_find_table(const struct apply *ap, unsigned int type);

/* One for each kind of object; ap->type says whether new or delete. */
int apply_table(struct apply *ap);
int apply_chain(struct apply *ap);
int apply_rule(struct apply *ap);
int apply_set(struct apply *ap);
int apply_elems(struct apply *ap);
int apply_object(struct apply *ap);
int apply_flowtable(struct apply *ap);

/*
 * Reads the expressions of a list attribute (NFTA_RULE_EXPRESSIONS and its like) or of a single one
 * (NFTA_SET_EXPR and its like). Those of a request get names for the ids of anonymous sets and
 * chains; what they refer to must be there (-ENOENT).
 */
int apply_exprs(const struct apply *ap, struct table *t, const struct nlattr *list,
		const struct nlattr *single, struct exprs *ret);
/* The devices of a hook attribute: a list, or a single one. */
int apply_devices(const struct nlattr *list, const struct nlattr *single, char ***ret_devices);

/* ---- apply_refs.c: what expressions and elements refer to ---- */

/* Name of the chain a verdict attribute (NFTA_DATA_VERDICT) goes to, an id resolved; or NULL. */
const char *verdict_chain(const struct table *t, struct blob verdict);

/* Replaces ids of sets and chains by names; with @from also chain name @from by @to. */
int exprs_resolve(struct exprs *es, const struct table *t, const char *from, const char *to);
/* The first thing @es refers to that is not there, "set x", malloc'ed; NULL: nothing is missing. */
char *exprs_missing(const struct exprs *es, const struct table *t);
/* Counts references of expressions and elements: to be called when they come to be part of @t. */
void exprs_ref(const struct exprs *es, struct table *t);
void elem_ref(const struct set_elem *e, const struct set *s);

/* Deletions that take along what nothing else can refer to: anonymous sets and chains. */
void rule_drop(struct rule *r);
void elem_drop(struct set *s, struct set_elem *e);
void set_drop_elems(struct set *s);
void set_drop(struct set *s);
void chain_drop_rules(struct chain *c);
void chain_drop(struct chain *c);

#endif
