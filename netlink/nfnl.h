/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_tables netlink: reading the live ruleset, applying messages to the model, committing batches.
 */
#ifndef NFT_BPF_NETLINK_NFNL_H
#define NFT_BPF_NETLINK_NFNL_H

#include <linux/netlink.h>

#include "../compiler/diag.h"
#include "../compiler/ruleset.h"
#include "nft.h"

/* ---- apply.c ---- */

enum apply_source {
	APPLY_REQUEST, /* of a batch: transaction rules are ours to follow */
	APPLY_DUMP,    /* what the kernel told, in its order */
	APPLY_EVENT,
};
/*
 * Applies one nf_tables message. -EINVAL for a malformed one; -ENOENT, -EEXIST, -EBUSY… as the
 * kernel would say, with an error in @ds. Anonymous chains and sets of requests get the names the
 * kernel would give them ("__chain0", "__set0").
 */
int apply_message(struct ruleset *rs, const struct nlmsghdr *nlh, enum apply_source src,
		  struct diags *ds);
int apply_batch(struct ruleset *rs, const struct batch *b, struct diags *ds);

/* ---- replaces.c ---- */

/* Whether @b does away with all tables of @rs before it asks anything else of them. */
bool batch_replaces_all(const struct batch *b, const struct ruleset *rs);

/* ---- dump.c ---- */

struct dump_options {
	bool no_elements;
	bool terse; /* elements of anonymous sets alone, as nft -t lists them */
	bool no_rules;
	bool sets_only; /* tables and the heads of sets */
	bool tables_only;
	const char *only_table; /* with family; NULL: all */
	uint8_t family;
};
/*
 * The live ruleset of this network namespace, of one generation (retries while it moves).
 * -EPERM without CAP_NET_ADMIN, -EPROTONOSUPPORT without nf_tables.
 */
int dump_ruleset(const struct dump_options *opt, struct diags *ds, struct ruleset **ret);
int dump_generation(uint32_t *ret_generation);

/* ---- serve.c ---- */

/*
 * The model as the messages a dump of it would give (NFT_MSG_GETTABLE … GETSETELEM requests, with
 * their filters): answers @request into a malloc'ed buffer of complete netlink messages, multi-part
 * and NLMSG_DONE or an error included.
 */
int serve_request(const struct ruleset *rs, const struct nlmsghdr *request, uint8_t **ret_data,
		  size_t *ret_len);

/* ---- batch.c ---- */

/* A batch under construction. Functions latch -ENOMEM; batch_builder_take() returns it. */
struct batch_builder;
struct batch_builder *batch_builder_new(void);
void batch_builder_free(struct batch_builder *bb);
void batch_builder_freep(struct batch_builder **bb);
/* Changes flags of an existing table: dormant on or off, all else as it is. */
void batch_set_dormant(struct batch_builder *bb, const struct table *t, bool dormant);
/*
 * Deletes and creates the chain again with the same name and the rules of the model, and their
 * anonymous sets and chains: as a regular chain when @parked, else on its hook. Rules, those of
 * anonymous chains too, get fresh seq numbers (rule->seq, from 0x40000000; captured ones are small).
 * The chain moves to the end of its table, and among base chains of one hook and priority it is now
 * the one registered last: rehang several in the order of chain->seq.
 */
void batch_rehang_chain(struct batch_builder *bb, struct chain *c, bool parked);
/*
 * Replaces one rule (by handle, which it keeps) by the model's, e.g. to write counters back; with its
 * anonymous sets and chains, whose rules have no replacement of their own: for those nothing is done.
 */
void batch_replace_rule(struct batch_builder *bb, const struct rule *r);
/*
 * Makes named objects anew, as the model has them: a counter cannot be set otherwise. @maps are all named
 * maps whose elements refer to them, @chains all chains whose rules do; these elements and rules are deleted
 * and made again around it, rules with fresh seq numbers. Nothing else may refer to the objects.
 */
void batch_renew_objects(struct batch_builder *bb, const struct object *const *objects,
			 size_t n_objects, const struct set *const *maps, size_t n_maps,
			 struct chain *const *chains, size_t n_chains);
/* Elements of a named set as the model has them: more of them, all instead of those that are there, or
 * those that were counted (set_elem.counted), which must still be there, deleted and made again. */
void batch_add_elems(struct batch_builder *bb, const struct set *s);
void batch_renew_elems(struct batch_builder *bb, const struct set *s);
void batch_renew_counted(struct batch_builder *bb, const struct set *s);
/* The builder's messages as a batch of its own; empties the builder. */
int batch_builder_take(struct batch_builder *bb, struct batch *ret);
bool batch_builder_is_empty(const struct batch_builder *bb);

/* ---- commit.c ---- */

struct commit_options {
	bool dry_run;	     /* validated, not committed */
	uint32_t generation; /* refuse when the kernel's ruleset moved on (-ERESTART); 0: whatever */
	/*
	 * Called for each rule the kernel made, with the seq of its message, when all is committed;
	 * NULL: no echo. Sets or clears NLM_F_ECHO in the batch.
	 */
	void (*on_rule)(void *arg, uint32_t seq, uint8_t family, const char *table,
			const char *chain, uint64_t handle);
	void *arg;
};
/* -errno of the first message the kernel refused, told in @ds with its object. */
int commit_batch(const struct batch *b, const struct commit_options *opt, struct diags *ds);

#endif
