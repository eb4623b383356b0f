/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs: programs, maps, links and pins of a network namespace.
 *
 * On bpffs, below BASE = $NFT_BPF_BPFFS or /sys/fs/bpf, all of one namespace in one directory:
 *
 *	nft-bpf/net-INODE/			the namespace's nsfs inode
 *		generation			ARRAY map, enum rt_word: [0] flips all hooks
 *		roots/v4-input-0/link		the attached root (priority as attached)
 *		roots/v4-input-0/slots		PROG_ARRAY[2], one slot per generation parity
 *		roots/v4-input-0/verdicts	ARRAY[2]: returned while the slot is empty
 *		gen-N/prog-NAME, gen-N/counters, gen-N/state, gen-N/set-ID
 *		gen-N/seeds			ARRAY: what each counter stood at when the programs began
 *		gen-N/rules			ARRAY: which rule counts in which counter (counters.c)
 *		gen-N/manifest			ARRAY map whose only value is JSON: what is compiled, from
 *						where, with which reasons; format in manifest.c
 *
 * The kernel and these pins are the only state. doc/takeover.md says what a packet meets at each
 * step, and what a killed process leaves behind; rt_load() and rt_give() repair it as they go.
 *
 * In order, for a file:
 *	rt_open(); rt_model(); nft_capture(.model, .rewrite = rt_rewrite, .rewrite_arg = model);
 *	rt_load(rt, model, &batch); rt_close();
 * On -ERESTART (the ruleset moved on meanwhile) begin again at rt_model().
 */
#ifndef NFT_BPF_RUNTIME_RUNTIME_H
#define NFT_BPF_RUNTIME_RUNTIME_H

#include <sys/types.h>

#include "../compiler/diag.h"
#include "../compiler/emit/emit.h"
#include "../compiler/lower.h"
#include "../compiler/ruleset.h"

struct batch;	/* netlink/nft.h */
struct runtime; /* open on one namespace, locked against other nft-bpf processes */

/* ---- open.c, probe.c ---- */

struct rt_options {
	bool wait_lock;	 /* wait for another nft-bpf, else -EBUSY */
	bool read_only;	 /* no lock, nothing made; -ENOENT and no error when there is nothing */
	bool elements;	 /* for rt_update(); rt_open_roots() before anything else */
};
/* Opens the state of the calling thread's network namespace; mounts bpffs if it is not. */
int rt_open(const struct rt_options *opt, struct diags *ds, struct runtime **ret);
int rt_open_roots(struct runtime *rt, struct diags *ds);
void rt_close(struct runtime *rt);
void rt_closep(struct runtime **rt);

/* 0 when this kernel can do it; else why not as an error in @ds (no BTF, no BPF_NETFILTER…). */
int rt_probe(struct diags *ds);

/* ---- model.c ---- */

/*
 * The live ruleset as the user wrote it: what we took off its hooks is shown on them (->parked
 * says so), and what our programs counted stands in the counters. @rt NULL: the kernel's, bare.
 */
int rt_model(struct runtime *rt, struct diags *ds, struct ruleset **ret);
/*
 * The same without elements of sets, and without rules but where @rules. The kernel takes long to tell
 * (a million elements: 25 s; of a chain's rules it counts off those that it told before, each time):
 * enough for rt_load() with a batch that does away with all of them.
 */
int rt_model_heads(struct runtime *rt, bool rules, struct diags *ds, struct ruleset **ret);
/* The same as rt_model() without elements of named sets, for a terse listing. */
int rt_model_terse(struct runtime *rt, struct diags *ds, struct ruleset **ret);

/* ---- rewrite.c ---- */

/*
 * Changes a captured batch in place so that the kernel can take it while chains of @model (a
 * struct ruleset *, not yet changed by the batch) are off their hooks: parked tables stay dormant,
 * parked chains regular. For nft_input.rewrite, where the batch is validated; rt_load() does it
 * itself.
 */
int rt_rewrite(void *model, struct batch *b);
/* False: it leaves every batch as it is. */
bool rt_may_rewrite(const struct ruleset *model);

/* ---- lower_options.c ---- */

/* What the ruleset leaves to the kernel, as this kernel has it, and what the run time offers. */
void rt_lower_options(struct lower_options *o);

/* ---- plan.c, load.c ---- */

struct rt_load_options {
	struct lower_options lower;
	bool require_bpf; /* a filter chain left to the interpreter is an error; nothing changes */
	bool check;	  /* all up to verified programs and a validated batch; nothing changes */
};

/* What became, or would become, of a ruleset. */
struct rt_plan {
	struct lower_result lowered; /* the final word on each base chain; .ir is owned */
	struct emitted emitted;	     /* object NULL: nothing to compile */
	void *key;		     /* of the object (emit_key()); NULL: it cannot serve again */
	size_t key_len;
	bool reused;		     /* it is the running generation's, compiled at that time */
	uint64_t compiled;
	uint32_t seed;		     /* of hashes */
	struct rt_place *places;     /* one per lowered.ir->progs[] */
	uint32_t n_places;
	bool unchanged;		     /* on failure: the kernel's ruleset is as it was */
	double ms_lower, ms_compile, ms_verify, ms_commit; /* where the time went */
};
struct rt_place {
	const struct ir_prog *prog;
	int32_t priority; /* where the root is or would be attached */
};
void rt_plan_fini(struct rt_plan *p);

/* reuse.c: may the next load use the code that runs? Then LLVM is maybe not needed. */
bool rt_may_reuse(const struct runtime *rt);

/*
 * Loads: applies @b (NULL: take over what is live) to @rs, which must come from rt_model(), and
 * makes the kernel agree: programs in place, batch committed, compiled chains off their hooks.
 * On failure the kernel's ruleset and our programs are as before: -errno with an error in @ds;
 * -ERESTART when somebody else's commit came first; -EOPNOTSUPP for require_bpf, then *ret is filled
 * and says which chains; of other failures only ret->unchanged. @rs is the target ruleset afterwards.
 */
int rt_load(struct runtime *rt, struct ruleset *rs, const struct batch *b,
	    const struct rt_load_options *opt, struct diags *ds, struct rt_plan *ret);

/* ---- elements.c ---- */

/*
 * Commits a batch that only adds and deletes elements, and changes the maps of their sets in place:
 * nothing is read but @heads, of sets (dump_options.sets_only), which it changes. -EOPNOTSUPP: not
 * possible, nothing was changed, rt_load() can; -EAGAIN: nor for @unaware input
 * (nft_input.adds_only); -ERESTART with *@ret_in_kernel: the kernel has it, rt_load() without a
 * batch does the rest.
 */
int rt_update(struct runtime *rt, struct ruleset *heads, const struct batch *b, bool unaware,
	      struct diags *ds, bool *ret_in_kernel);

/* ---- give.c ---- */

/*
 * Hands every chain back to the interpreter, counters included, and removes our programs, links
 * and pins of this namespace. Works on the pins of other versions too. 0 too when there was nothing.
 */
int rt_give(struct runtime *rt, struct diags *ds);

/* ---- status.c ---- */

struct rt_reason {
	const char *code; /* reason code, documented in nft-bpf(8) */
	const char *text;
	const char *chain; /* where the rule is: this chain or one that it reaches */
	uint64_t handle;   /* of the rule; 0: none */
	uint32_t rule;	   /* position, from 1; 0: none */
	const char *expr;  /* or NULL */
};

struct rt_chain_status { /* a base chain, in listing order */
	const char *table, *name, *type;
	uint8_t family;
	uint32_t hook; /* NF_INET_*, or the family's own */
	int32_t priority;
	uint32_t policy;
	bool compiled;
	bool pf4, pf6;		 /* has a program for IPv4, IPv6 */
	int32_t attached4, attached6; /* priorities of the roots */
	const char *prog4, *prog6;    /* names of the programs */
	/* Not compiled, but a program in front of it drops what these of its rules would; 0: none. */
	uint32_t front_first, front_last;
	uint32_t front_drops; /* rules that drop, those of chains it goes to too */
	struct rt_reason *reasons;    /* why it is not compiled */
	uint32_t n_reasons;
};

struct rt_prog_status { /* a program */
	const char *name;
	uint32_t id;	    /* BPF program id; 0: its pin is gone */
	uint32_t link_id;   /* of its root; 0: gone */
	bool emptied;	    /* packets do not come to it, or to what it goes on in: it was taken out */
	uint8_t pf, hook;
	int32_t priority;	/* the chains' */
	int32_t attached;	/* the root's */
	uint32_t n_parts;	/* BPF programs that it is, one if not too large for that */
	uint32_t insns;		/* translated BPF instructions, of all of them */
	uint32_t jited_bytes;
	uint64_t runs, run_ns;	/* only counted while sysctl kernel.bpf_stats_enabled is 1 */
};

struct rt_status {
	ino_t netns;
	char *netns_name; /* malloc'ed: a name in /run/netns, "" for the caller's own, NULL: none */
	uint32_t generation;
	uint64_t since;	  /* unix time of the load; 0: nothing is loaded */
	uint64_t compiled; /* when its code was compiled, if not then; else 0 */
	const char *version; /* of nft-bpf that loaded */
	bool moved_on;	  /* the kernel's ruleset changed since: programs and ruleset may differ */
	bool unfinished;  /* a load or give was killed: both may enforce until the next one */
	bool damaged;	  /* of programs something was taken away; the next load brings it back */
	bool lost;	  /* the manifest was removed: what programs decide is not known */
	bool foreign;	  /* pins of a version we do not understand: only give works */
	struct rt_chain_status *chains;
	uint32_t n_chains;
	struct rt_prog_status *progs;
	uint32_t n_progs;
	void *priv; /* what the strings point into */
};
/* Of the namespace @rt is open on. Fast: no ruleset dump, no LLVM. */
int rt_status(struct runtime *rt, struct diags *ds, struct rt_status *ret);
void rt_status_fini(struct rt_status *st);
/*
 * Of every namespace that has state of ours, malloc'ed array. moved_on is not known there. Those that
 * cannot be read are errors in @ds, and left out.
 */
int rt_status_all(struct diags *ds, struct rt_status **ret, size_t *ret_n);

/* ---- reset.c ---- */

struct rt_reset_what {
	uint32_t type;	   /* NFT_OBJECT_COUNTER, NFT_OBJECT_QUOTA */
	uint8_t family;	   /* 0: all */
	const char *table; /* NULL: all */
	const char *name;  /* NULL: all */
	int (*kernel)(void *arg); /* resets the kernel's own */
	void *arg;
};
/* These named objects of @rs, the kernel's and our part of them, begin at nothing again, or neither. */
int rt_reset(struct runtime *rt, const struct ruleset *rs, const struct rt_reset_what *what,
	     struct diags *ds);

/* ---- gc.c ---- */

/*
 * Removes the state of namespaces that have neither a process nor a name any more; their inodes
 * as a malloc'ed array.
 */
int rt_gc(bool dry_run, struct diags *ds, ino_t **ret_inodes, size_t *ret_n);

#endif
