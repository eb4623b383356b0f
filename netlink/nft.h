/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnftables with its hands held: it parses and prints, we stand between it and the kernel.
 *
 * libnftables' whole way to the kernel is a few mnl_socket_* calls and sendmsg() (facts in
 * capture.c). The program defines those symbols itself; while a struct nft_session is active on the
 * calling thread they come here, at all other times they pass through to the originals.
 */
#ifndef NFT_BPF_NETLINK_NFT_H
#define NFT_BPF_NETLINK_NFT_H

#include <stdio.h>

#include "../compiler/diag.h"
#include "../compiler/ruleset.h"

/* A captured batch: the nf_tables messages between BATCH_BEGIN and BATCH_END, as sent. */
struct batch {
	uint8_t *data;
	size_t len;
	uint32_t generation; /* NFNL_BATCH_GENID it was made against; 0: none */
};
void batch_fini(struct batch *b);

enum nft_kernel {
	NFT_KERNEL_REAL,    /* queries go to the kernel; the batch is validated there, not committed */
	NFT_KERNEL_MODEL,   /* queries are answered from a model, nothing reaches the kernel */
};

struct nft_list_options {
	bool json, handles, stateless, terse, numeric;
};

struct nft_input {
	const char *file;	/* path, "-" for standard input; or NULL */
	const char *commands;	/* text, when file is NULL */
	const char *const *defines; /* "name=value", NULL-terminated; or NULL */
	const char *const *include_dirs;
	bool json;
	struct nft_list_options list; /* how the input's own "list" prints; but for json */
	enum nft_kernel kernel;
	/*
	 * What libnftables is told the ruleset is. With NFT_KERNEL_REAL too: base chains that we
	 * took off their hooks are shown on them. NULL: the kernel's own, or an empty one.
	 */
	const struct ruleset *model;
	/*
	 * The model lacks rules and elements (dump_options.no_rules, no_elements). Called when they are asked
	 * for, which most files never do; what it returns is the model from then on. NULL: nothing is lacking.
	 */
	int (*complete)(void *arg, const struct ruleset **ret);
	void *complete_arg;
	/*
	 * With NFT_KERNEL_REAL: the model has tables and heads of sets only (dump_options.sets_only);
	 * for all else the kernel is asked.
	 */
	bool heads_only;
	/*
	 * Commands only add elements. libnftables wants all elements of interval sets then, to find
	 * overlaps: it is told that there are none, unless it is to merge intervals. Overlaps are
	 * then for the caller to find, and a batch that is refused to be captured again without this.
	 */
	bool adds_only;
	/*
	 * With NFT_KERNEL_REAL: the batch is not validated, because it will be committed at once; for
	 * the errors of a refused one run the input again, validated.
	 */
	bool unchecked;
	/* Sent before the batch when it is validated: puts parked chains back on their hooks. */
	const struct batch *prelude;
	/*
	 * Called on a copy of the batch before it is validated; may change messages in place,
	 * neither their number nor their nlmsg_seq (so that carets still fit). The batch that is
	 * returned is the one before. NULL: none. It is rt_rewrite() of runtime/, which makes a
	 * prelude needless.
	 */
	int (*rewrite)(void *arg, struct batch *b);
	void *rewrite_arg;
	/*
	 * The whole ruleset as it is, with elements that the kernel's sets lack. Where the batch is validated
	 * it is applied to this, too, and what this refuses of such elements is told like what the kernel
	 * refuses. NULL: none.
	 */
	struct ruleset *judge;
	FILE *out, *err; /* nft's own output and messages, carets included */
};

/*
 * Runs libnftables over the input and returns the batch it would commit (empty: nothing to do).
 * -EINVAL: nft refused it, or the kernel did; the message is on in->err in nft's own words.
 * Other -errno: with an error in @ds.
 */
int nft_capture(const struct nft_input *in, struct diags *ds, struct batch *ret);
/*
 * The same of a command that adds or deletes nothing but plain elements, in a fraction of the time:
 * @rs has tables and heads of sets. -EOPNOTSUPP: it is not of that kind, or may be wrong.
 */
int nft_capture_plain(const char *commands, const struct ruleset *rs, struct batch *ret);

/*
 * What `nft list …` prints for this model: @command is nft's, e.g. "list ruleset",
 * "list chain inet filter input". No kernel is asked.
 */
int nft_list(const struct ruleset *rs, const char *command, const struct nft_list_options *opt,
	     FILE *out, FILE *err);

/*
 * Each rule of the model as nft prints it: one line, stateless (counters without numbers), without
 * its handle; an anonymous chain is shown as `jump { ... }`, its rules have texts of their own. Made
 * in one listing, for the rules of this very model, and valid while it is not changed.
 */
struct rule_texts;
int rule_texts_new(const struct ruleset *rs, struct rule_texts **ret);
void rule_texts_free(struct rule_texts *rt);
void rule_texts_freep(struct rule_texts **rt);
const char *rule_text(const struct rule_texts *rt, const struct rule *r); /* NULL: not found */

#endif
