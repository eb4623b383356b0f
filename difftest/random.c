/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random rulesets, many of them: through kernel and BPF, or through the evaluator before and after
 * the optimiser. Each has a seed of its own, which repeats it.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "difftest.h"
#include "evalonly.h"
#include "rulegen.h"

struct tally {
	size_t rulesets, refused, chains, compiled, packets, verdicts, evaluated;
	size_t edited, reused, changes, excused, different;
	size_t lookups[EVALONLY_FORMS];
	size_t changed[N_OPT_PASSES]; /* rulesets, by the pass */
	uint64_t seeds[16]; /* of the first that differ */
	size_t n_seeds, failed;
};

struct worker {
	const struct difftest_options *opt;
	struct lab *lab;
	struct tally tally;
	double until; /* CLOCK_MONOTONIC; 0: no limit */
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void note(struct worker *w, uint64_t seed, const char *text)
{
	w->tally.different++;
	if (w->tally.n_seeds < ARRAY_SIZE(w->tally.seeds))
		w->tally.seeds[w->tally.n_seeds++] = seed;
	if (w->opt->verbose)
		fprintf(stderr, "# ruleset of seed %llu\n%s", (unsigned long long)seed, text);
}

static void print_refused(const struct worker *w, uint64_t seed, const char *text,
			  const char *message)
{
	if (w->opt->verbose)
		fprintf(stderr, "# seed %llu is refused:\n%s%s", (unsigned long long)seed,
			message ? message : "", text);
}

static int one_eval(struct worker *w, uint64_t seed, const char *text)
{
	struct evalonly_result r = {0};
	AUTO_FREE char *message = NULL;
	struct diags ds;
	int err;

	diags_init(&ds);
	err = evalonly_run(w->lab, text, seed, w->opt->packets, &ds, &message, &r);
	if (err == -EINVAL) {
		w->tally.refused++;
		print_refused(w, seed, text, message);
		err = 0;
	}
	w->tally.chains += r.n_chains;
	w->tally.compiled += r.n_chains_compiled;
	for (size_t i = 0; i < EVALONLY_FORMS; i++)
		w->tally.lookups[i] += r.n_lookups[i];
	for (size_t i = 0; i < N_OPT_PASSES; i++)
		w->tally.changed[i] += r.changed[i];
	w->tally.packets += r.n_packets;
	w->tally.verdicts += r.n_verdicts;
	if (r.n_different || err == -EPROTO) {
		fprintf(stderr, "nft-bpf: difftest: seed %llu: %s\n", (unsigned long long)seed,
			r.what ? r.what : "the optimiser's result is not sound");
		note(w, seed, text);
		err = 0;
	}
	evalonly_result_fini(&r);
	diags_fini(&ds);
	return err;
}

static int one_kernel(struct worker *w, uint64_t seed, const char *text)
{
	struct difftest_options opt = *w->opt;
	struct difftest dt = {.opt = &opt, .text = text, .lab = w->lab};
	const struct dt_result *r = &dt.result;
	struct list sent;
	bool differs;
	int err;

	opt.seed = seed;
	opt.quiet = !opt.verbose;
	dt.changes_sets = opt.edit && seed % 2;
	dt.changes.state = seed;
	list_init(&sent);
	if (opt.shrink)
		dt.sent = &sent;
	diags_init(&dt.ds);
	err = dt_test(&dt);
	if (err == -EINVAL) {
		w->tally.refused++;
		print_refused(w, seed, text, NULL);
		err = 0;
	} else if (err) {
		dt_print_diags(&dt, err);
	}
	w->tally.chains += r->n_chains;
	w->tally.compiled += r->n_chains_compiled;
	w->tally.edited += r->n_edited;
	w->tally.reused += r->n_reused;
	w->tally.changes += r->n_changes;
	w->tally.packets += r->n_packets;
	w->tally.verdicts += r->n_observed;
	w->tally.evaluated += r->n_eval;
	w->tally.excused += r->count[DT_FRAGMENT] + r->count[DT_TIMED] + r->count[DT_DRAWN] +
			    r->count[DT_NAT];
	differs = !err && dt_differs(r);
	if (differs) {
		fprintf(stderr, "# seed %llu\n", (unsigned long long)seed);
		dt_report(&dt, stderr);
		if (opt.verbose && dt.edit.before)
			fprintf(stderr, "# before:\n%s# then:\n%s", dt.edit.before, dt.edit.change);
		note(w, seed, text);
	}
	dt_fini(&dt);
	if (differs && opt.shrink)
		dt_reproduce(&opt, w->lab, text, &sent, stdout);
	packets_free(&sent);
	return err;
}

static int open_lab(struct worker *w)
{
	struct diags ds;
	int err;

	if (w->opt->eval_only) {
		w->lab = evalonly_lab();
		return w->lab ? 0 : -ENOMEM;
	}
	diags_init(&ds);
	err = lab_new(&ds, &w->lab);
	for (unsigned int i = 0; i < RULEGEN_DEVS && !err; i++)
		err = lab_add_dev(w->lab, rulegen_devs[i], 0, &ds);
	diags_fini(&ds);
	return err;
}

/* Every @step-th ruleset from @first on. */
static int work(struct worker *w, size_t first, size_t step)
{
	int err = open_lab(w);

	for (size_t i = first; i < w->opt->random && !err; i += step) {
		uint64_t seed = w->opt->seed + i;
		AUTO_FREE char *text = NULL;

		if ((w->until > 0 && now() > w->until) || (w->opt->first && w->tally.different))
			break;
		text = rulegen(seed, w->opt->eval_only ? RULEGEN_NO_INDEX | RULEGEN_NO_DYNSET : 0);
		if (!text)
			return -ENOMEM;
		w->tally.rulesets++;
		err = w->opt->eval_only ? one_eval(w, seed, text) : one_kernel(w, seed, text);
	}
	lab_free(w->lab);
	w->lab = NULL;
	return err;
}

static void add(struct tally *sum, const struct tally *t)
{
	sum->rulesets += t->rulesets;
	sum->refused += t->refused;
	sum->chains += t->chains;
	sum->compiled += t->compiled;
	sum->packets += t->packets;
	sum->verdicts += t->verdicts;
	sum->evaluated += t->evaluated;
	sum->edited += t->edited;
	sum->reused += t->reused;
	sum->changes += t->changes;
	sum->excused += t->excused;
	sum->different += t->different;
	sum->failed += t->failed;
	for (size_t i = 0; i < EVALONLY_FORMS; i++)
		sum->lookups[i] += t->lookups[i];
	for (size_t i = 0; i < N_OPT_PASSES; i++)
		sum->changed[i] += t->changed[i];
	for (size_t i = 0; i < t->n_seeds && sum->n_seeds < ARRAY_SIZE(sum->seeds); i++)
		sum->seeds[sum->n_seeds++] = t->seeds[i];
}

/* A child for each job, which tells its tally through a pipe. */
static int work_in_children(struct worker *w)
{
	unsigned int n = w->opt->jobs;
	int fds[2], err = 0;

	if (pipe(fds))
		return -errno;
	for (unsigned int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err = -errno;
		if (pid)
			continue;
		dt_pin_cpu(i);
		w->tally.failed = work(w, i, n) != 0;
		_exit(write(fds[1], &w->tally, sizeof(w->tally)) != sizeof(w->tally));
	}
	close(fds[1]);
	for (;;) {
		struct tally t;
		ssize_t len = read(fds[0], &t, sizeof(t));

		if (len != sizeof(t))
			break;
		add(&w->tally, &t);
	}
	close(fds[0]);
	for (int status; wait(&status) > 0;)
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			w->tally.failed++;
	return err;
}

static void report_passes(const struct tally *t)
{
	printf("\nlook-ups made by the optimiser: %zu in code, %zu hashes, %zu trees, %zu boxes",
	       t->lookups[IR_FORM_CODE], t->lookups[IR_FORM_HASH], t->lookups[IR_FORM_TREE],
	       t->lookups[IR_FORM_BOXES]);
	printf("\nrulesets that a pass changed:");
	for (size_t i = 0; i < N_OPT_PASSES; i++)
		printf("%s %zu by %s", i ? "," : "", t->changed[i], opt_pass_name[i]);
}

static void report(const struct worker *w)
{
	const struct tally *t = &w->tally;

	printf("random rulesets: %zu from seed %llu on (%zu refused by nft)\n", t->rulesets,
	       (unsigned long long)w->opt->seed, t->refused);
	printf("chains: %zu, compiled: %zu; packets: %zu; verdicts compared: %zu", t->chains,
	       t->compiled, t->packets, t->verdicts);
	if (!w->opt->eval_only)
		printf(", with the evaluator: %zu; explained differences: %zu", t->evaluated,
		       t->excused);
	if (w->opt->eval_only)
		report_passes(t);
	if (w->opt->edit)
		printf("\nmade of another by changing a rule: %zu, with its code: %zu; "
		       "elements changed between packets: %zu", t->edited, t->reused, t->changes);
	printf("\nrulesets that differ: %zu\n", t->different);
	for (size_t i = 0; i < t->n_seeds; i++)
		printf("  seed %llu\n", (unsigned long long)t->seeds[i]);
	if (t->failed)
		printf("jobs that failed: %zu\n", t->failed);
}

int dt_random(const struct difftest_options *o)
{
	struct difftest_options opt = *o;
	struct worker w = {.opt = &opt};
	int err;

	if (!opt.packets)
		opt.packets = 200;
	if (opt.seconds)
		w.until = now() + opt.seconds;
	err = opt.jobs > 1 ? work_in_children(&w) : work(&w, 0, 1);
	report(&w);
	if (err)
		fprintf(stderr, "nft-bpf: difftest: %s\n", strerror(-err));
	return err || w.tally.failed ? DT_EXIT_FAILED :
	       w.tally.different     ? DT_EXIT_DIFFERENT : DT_EXIT_EQUAL;
}
