/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf difftest: the same packets through two namespaces with the same ruleset, one under plain
 * nft and one under nft-bpf; each verdict and each counter compared. The IR's evaluator is asked
 * too, so that a difference says who stands alone.
 */
#ifndef NFT_BPF_DIFFTEST_DIFFTEST_H
#define NFT_BPF_DIFFTEST_DIFFTEST_H

#include <stdio.h>

#include "../compiler/lower.h"
#include "edit.h"
#include "lab.h"
#include "probe_user.h"

enum { DT_EXIT_EQUAL = 0, DT_EXIT_DIFFERENT = 1, DT_EXIT_FAILED = 2 };

struct difftest_options {
	const char *file;    /* "-": standard input, read into text */
	char *text;
	const char *against; /* another ruleset, under plain nft too, instead of nft-bpf */
	const char *pcap;
	const char **defines, **includes; /* NULL-terminated */
	size_t packets;	     /* 0: by the size of the ruleset */
	uint64_t seed;
	unsigned int jobs;
	size_t random;	     /* so many random rulesets instead of a file */
	bool eval_only;	     /* of them, only the evaluator before and after the optimiser */
	unsigned int seconds; /* no new ruleset after so long */
	bool first;	     /* no new ruleset after one that differs */
	bool replay;	     /* the packets that stand in the file's comments */
	bool shrink;
	bool edit;	     /* nft-bpf has a ruleset loaded that differs by a rule, and changes it */
	bool json, verbose, quiet; /* quiet: nft's messages are not passed on */
};

#define DT_PRIOS (PROBE_POSITIONS - 1)

/* The priorities in use at one hook, and which probe positions could be filled. */
struct dt_hook {
	int32_t prio[DT_PRIOS];
	unsigned int n; /* priorities; positions 0 … n */
	uint32_t has;	/* bit n: position n has a probe */
};

enum dt_category {
	DT_BUG,	     /* nft and BPF differ, and nothing excuses it */
	DT_EVAL,     /* nft and BPF agree, the evaluator does not */
	DT_FRAGMENT, /* later fragment: the interpreter of kernels up to 6.18 reads past it */
	DT_TIMED,    /* limits, clocks or random numbers decide */
	DT_DRAWN,    /* a packet's IP id was drawn by the kernel, and rules look at it */
	DT_NAT,	     /* address translation drew another port or address for a connection */
	DT_ENV,	     /* the packets differ before the rules do: the laboratory's fault */
	N_DT_CATEGORIES,
};
extern const char *const dt_category_name[N_DT_CATEGORIES];

struct dt_mismatch {
	enum dt_category category;
	struct packet *packet; /* a copy */
	size_t number;	       /* of the packet, from 0 */
	uint8_t pf, hook;
	bool has_chain;	       /* prio says whose verdict it is */
	int32_t prio;
	int8_t nft, bpf, eval; /* 1 accept, 0 drop, -1 not known */
	const struct ir_rule *decided_by; /* by the evaluator */
	char *text;
};

struct dt_counts {
	uint64_t packets, bytes;
};

struct dt_counter_diff {
	char *where; /* "inet filter input rule 3 (handle 7)" */
	struct dt_counts nft, bpf;
	bool has_eval; /* the evaluator counted too, for what each side saw */
	struct dt_counts eval_nft, eval_bpf;
	bool excused; /* by later fragments, time, chance, or packets that differ */
};

struct dt_result {
	size_t n_packets, n_sent, n_observed; /* observed: verdicts of hooks compared */
	size_t n_gso;	       /* packets that both sides saw as GSO */
	size_t n_talk, n_talk_assured; /* of TCP conversations; that conntrack saw both ways */
	size_t n_eval;	       /* verdicts the evaluator gave too */
	size_t count[N_DT_CATEGORIES];
	struct dt_mismatch *mismatches; /* the first of each category */
	size_t n_mismatches;
	struct dt_counter_diff *counters;
	size_t n_counters, n_counters_same;
	size_t n_rules, n_rules_hit, n_rules_never;
	char **missed; /* rules that no packet reached */
	size_t n_missed;
	unsigned int n_chains, n_chains_compiled;
	size_t n_changes; /* of elements, between packets */
	unsigned int n_edited, n_reused; /* loaded over another; with its code */
	bool failed; /* could not be carried out */
};

struct runtime;
struct eval_check;

struct difftest {
	const struct difftest_options *opt;
	struct diags ds;
	const char *text;     /* the ruleset; NULL: opt->file's */
	struct edit edit;     /* what nft-bpf does to have it; empty: takes it over */
	bool changes_sets;    /* between packets */
	struct rng changes;
	struct list *packets; /* to be sent; NULL: made from the rules, or as the options say */
	struct list *sent;    /* where packets go that were made, in order; NULL: they are freed */
	struct lab *lab;      /* the caller's */
	struct ruleset *model;
	struct lower_result lowered; /* what the test packets are made from */
	bool loaded;		     /* programs are in place in the second namespace */
	bool *left; /* by lowered.chains: left to the interpreter there, whatever lowering could do */
	size_t n_fragments_sent;     /* later ones: counters may differ by these from now on */
	bool reads_ids;		     /* rules of either side look at IP ids */
	struct drawn *drawn[N_SIDES]; /* while counters are compared */
	uint64_t n_ids_drawn;	     /* packets at a hook, the same but for an id that rules look at */
	struct dt_hook hooks[2][5];  /* [0] v4, [1] v6 */
	struct eval_check *eval;
	struct trail trail[N_SIDES];
	struct dt_result result;
};

static inline unsigned int dt_pf_index(uint8_t pf)
{
	return pf == 10; /* NFPROTO_IPV6 */
}

/* ---- load.c ---- */

/* Devices, rulesets in both namespaces, model, IR. -EINVAL: refused by nft, which said why. */
int dt_load(struct difftest *dt);
void dt_unload(struct difftest *dt);

/* ---- drawn.c ---- */
bool dt_reads_ids(const struct ruleset *rs);
/* NULL: out of memory. @rs must outlive it. */
struct drawn *drawn_new(const struct ruleset *rs);
void drawn_freep(struct drawn **d);
/* May what this rule, set or object counts depend on drawn ids? */
bool drawn_counts(const struct drawn *d, const void *what);

/*
 * nft on a file, or a text, in the thread's namespace; what it said, malloc'ed, in @ret_message.
 * -EINVAL: it refused.
 */
int dt_run_nft(const struct difftest_options *opt, const char *file, const char *text, bool dry_run,
	       char **ret_message);

/* ---- change.c ---- */
/* Changes an element on both sides, if one is found that nft takes. -EPROTO: nft-bpf did not. */
int dt_change(struct difftest *dt);

/* ---- hooks.c ---- */

/* The priority at which a base chain runs. */
int32_t dt_runs_at(const struct chain *c);
int dt_attach_probes(struct difftest *dt);

/* ---- run.c ---- */
/*
 * Sends the packets of the list, in order, and compares. Later fragments go last, after counters
 * were compared: what differs then is theirs.
 */
int dt_run(struct difftest *dt, struct list *packets);

/* ---- compare.c ---- */
/* Did the packet do the same on both sides? */
bool dt_trails_agree(const struct difftest *dt);
void dt_compare(struct difftest *dt, const struct packet *p, size_t number);
void dt_result_fini(struct dt_result *r);
/* Is there a difference that nothing explains? */
bool dt_differs(const struct dt_result *r);

/* ---- evalcheck.c ---- */
struct eval_check *eval_check_new(struct difftest *dt);
void eval_check_free(struct eval_check *ec);
/*
 * The evaluator goes along with the packets that BPF saw. What nft saw is, beside that, what it saw
 * alone, and not what BPF saw alone: packets that differ, or that only one side let through.
 */
enum dt_eval { EVAL_BPF, EVAL_NFT_ALONE, EVAL_BPF_ALONE, N_EVALS };
/*
 * The evaluator's verdict on what a probe saw right before this priority; -1: none to be had.
 * @ret_timed: clocks or chance had a say. The other two go before EVAL_BPF.
 */
int eval_check_verdict(struct eval_check *ec, enum dt_eval which, const struct probe_event *ev,
		       int32_t prio, const struct packet *p, const struct ir_rule **ret_by,
		       bool *ret_timed);
/* Is anything compiled at this priority of the hook that the probe saw? */
bool eval_check_has(const struct eval_check *ec, const struct probe_event *ev, int32_t prio);
/* Has the run time left one of the base chains compiled there to the interpreter? */
bool eval_check_is_left(const struct eval_check *ec, const struct probe_event *ev, int32_t prio);

/* ---- evalcount.c ---- */
struct eval_counts {
	struct dt_counts nft, bpf; /* for the packets that each side saw */
	bool timed; /* clocks or chance had a say */
	bool left;  /* both sides interpret, somewhere on the way there at least */
};
/*
 * What a counter of the compiled chains should stand at: the @expr-th expression of @r, which is the
 * @index-th rule of its chain, from 1. false: some packet that came there was not evaluated.
 */
bool eval_check_counter(const struct eval_check *ec, const struct rule *r, uint32_t index,
			uint32_t expr, struct eval_counts *ret);

/* ---- coverage.c ---- */
void eval_check_coverage(const struct eval_check *ec, struct dt_result *r);

/* ---- counters.c ---- */
/* Adds what differs now and did not before. */
int dt_compare_counters(struct difftest *dt);

/* ---- report.c ---- */
void dt_report(const struct difftest *dt, FILE *out);
void dt_report_json(const struct difftest *dt, FILE *out);

/* ---- options.c ---- */

/* -1: go on; else an exit status, the message printed. */
int dt_options_parse(struct difftest_options *o, int argc, char **argv);
void dt_options_fini(struct difftest_options *o);

/* ---- session.c ---- */

/* From loading to the result; @dt has opt, ds, lab, text and packets. */
int dt_test(struct difftest *dt);
/* Takes everything out of the namespaces again. */
void dt_fini(struct difftest *dt);
void dt_print_diags(const struct difftest *dt, int err);

/* ---- reproduce.c ---- */

/*
 * Cuts what @dt showed down to a small file with packets and prints it to @out. The packets are
 * those that were sent; @dt's own namespaces are used.
 */
int dt_reproduce(const struct difftest_options *o, struct lab *lab, const char *text,
		 struct list *packets, FILE *out);

/* ---- random.c ---- */
int dt_random(const struct difftest_options *o);

/* ---- main.c ---- */

/* Both sides of a test see the same processor: meta cpu, per-CPU state. The @n-th we may use. */
void dt_pin_cpu(unsigned int n);

/* argv[0] is "difftest". 0: equal; 1: different; 2: usage, or the test could not be carried out. */
int difftest_main(int argc, char **argv);

#endif
