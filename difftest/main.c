/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command: options, and the order of things.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "difftest.h"
#include "gen.h"
#include "pcap.h"

enum { EXIT_EQUAL = 0, EXIT_DIFFERENT = 1, EXIT_FAILED = 2 };

static const char help[] =
	"Usage: nft-bpf difftest -f FILE [options]\n"
	"Sends the same packets through FILE under nft and under nft-bpf, in two scratch network\n"
	"namespaces, and compares every verdict and counter.\n"
	"\n"
	"  -f, --file FILE       the ruleset; - is standard input\n"
	"  -D, --define N=V      as nft's\n"
	"  -I, --includepath DIR as nft's\n"
	"      --packets N       how many packets to make (by default by the number of rules)\n"
	"      --pcap FILE       send the packets of a capture too\n"
	"      --seed S          of all that is drawn; a report names it\n"
	"      --against FILE    compare with this ruleset under nft instead of nft-bpf\n"
	"  -j, --json            report as JSON\n"
	"  -v, --verbose         every difference, every rule that was not reached\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 equal, 1 different, 2 usage or the test could not be carried out.\n";

bool dt_differs(const struct dt_result *r)
{
	for (size_t i = 0; i < r->n_counters; i++)
		if (!r->counters[i].excused)
			return true;
	return r->count[DT_BUG] || r->count[DT_EVAL] || r->count[DT_ENV];
}

/* ---- options ---- */

static int push_word(const char ***words, size_t *n, const char *word)
{
	const char **w = reallocarray(*words, *n + 2, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w[(*n)++] = word;
	w[*n] = NULL;
	*words = w;
	return 0;
}

static bool parse_number(const char *s, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 0);
	return *s && !*end && !errno && *s != '-';
}

static int usage(const char *what)
{
	fprintf(stderr, "nft-bpf: difftest: %s\nTry 'nft-bpf difftest --help'.\n", what);
	return EXIT_FAILED;
}

enum { OPT_PACKETS = 256, OPT_PCAP, OPT_SEED, OPT_AGAINST, OPT_JOBS };

static const struct option long_options[] = {
	{"file", required_argument, NULL, 'f'},
	{"define", required_argument, NULL, 'D'},
	{"includepath", required_argument, NULL, 'I'},
	{"packets", required_argument, NULL, OPT_PACKETS},
	{"pcap", required_argument, NULL, OPT_PCAP},
	{"seed", required_argument, NULL, OPT_SEED},
	{"against", required_argument, NULL, OPT_AGAINST},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{"json", no_argument, NULL, 'j'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* -1: go on; else an exit status. */
static int parse_option(int c, struct difftest_options *o, size_t *n_defines, size_t *n_includes)
{
	uint64_t n;

	switch (c) {
	case 'f':
		o->file = optarg;
		return -1;
	case 'D':
		return push_word(&o->defines, n_defines, optarg) ? EXIT_FAILED : -1;
	case 'I':
		return push_word(&o->includes, n_includes, optarg) ? EXIT_FAILED : -1;
	case OPT_PACKETS:
		if (!parse_number(optarg, &n) || n > 100000000)
			return usage("--packets wants a number");
		o->packets = n;
		return -1;
	case OPT_PCAP:
		o->pcap = optarg;
		return -1;
	case OPT_SEED:
		return parse_number(optarg, &o->seed) ? -1 : usage("--seed wants a number");
	case OPT_AGAINST:
		o->against = optarg;
		return -1;
	case OPT_JOBS:
		if (!parse_number(optarg, &n) || n < 1 || n > 256)
			return usage("--jobs wants a number from 1 to 256");
		o->jobs = (unsigned int)n;
		return -1;
	case 'j':
		o->json = true;
		return -1;
	case 'v':
		o->verbose = true;
		return -1;
	case 'h':
		fputs(help, stdout);
		return EXIT_EQUAL;
	default:
		return usage("unknown option");
	}
}

static int parse(int argc, char **argv, struct difftest_options *o)
{
	size_t n_defines = 0, n_includes = 0;
	int c, status;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "f:D:I:jvh", long_options, NULL)) != -1) {
		status = parse_option(c, o, &n_defines, &n_includes);
		if (status >= 0)
			return status;
	}
	if (optind < argc)
		return usage("unexpected argument");
	return o->file ? -1 : usage("-f FILE is missing");
}

/* ---- the test ---- */

/* What can be read only once, a pipe, is kept: the file is read several times. */
static int read_once(struct difftest_options *o)
{
	bool is_stdin = strcmp(o->file, "-") == 0;
	FILE *f = stdin;
	size_t size = 0;
	struct stat st;

	if (!is_stdin && (stat(o->file, &st) || S_ISREG(st.st_mode)))
		return 0; /* or an error that shows when it is opened */
	if (!is_stdin && !(f = fopen(o->file, "re")))
		return 0;
	if (getdelim(&o->text, &size, 0, f) < 0) {
		free(o->text);
		o->text = strdup("");
	}
	if (!is_stdin)
		fclose(f);
	return o->text ? 0 : -ENOMEM;
}

static void print_diags(struct diags *ds, bool verbose)
{
	struct diag *d;

	list_for_each(d, &ds->list, node) {
		AUTO_FREE char *text = NULL;

		if (d->level < DIAG_WARNING && !verbose)
			continue;
		text = diag_format(d);
		fprintf(stderr, "nft-bpf: %s\n", text ? text : "out of memory");
	}
}

/* Both sides see the same processor: meta cpu, per-CPU state. */
static void pin_cpu(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int run_generated(struct difftest *dt)
{
	struct gen *g = gen_new(dt->lab, dt->lowered.ir, dt->opt->seed);
	size_t n = dt->opt->packets;
	int err;

	if (!g)
		return -ENOMEM;
	if (!n)
		n = MAX((size_t)500, MIN(g->n_targets * 6, (size_t)20000));
	err = gen_run(g, n);
	if (!err)
		err = dt_run(dt, &g->packets);
	gen_free(g);
	return err;
}

static int run_pcap(struct difftest *dt)
{
	struct packet *p, *tmp;
	struct list packets;
	int err;

	list_init(&packets);
	err = pcap_packets(dt->opt->pcap, dt->lab, &dt->ds, &packets);
	if (!err)
		err = dt_run(dt, &packets);
	list_for_each_safe(p, tmp, &packets, node) {
		list_remove(&p->node);
		packet_free(p);
	}
	return err;
}

static int run(struct difftest *dt)
{
	int err = dt_load(dt);

	if (!err)
		err = dt_attach_probes(dt);
	if (err)
		return err;
	dt->eval = eval_check_new(dt);
	if (!dt->eval)
		return -ENOMEM;
	if (dt->opt->pcap)
		err = run_pcap(dt);
	if (!err && (!dt->opt->pcap || dt->opt->packets))
		err = run_generated(dt);
	if (!err)
		err = dt_compare_counters(dt);
	if (!err)
		eval_check_coverage(dt->eval, &dt->result);
	return err;
}

static int difftest(const struct difftest_options *o)
{
	struct difftest dt = {.opt = o};
	int err, status;

	diags_init(&dt.ds);
	pin_cpu();
	err = run(&dt);
	if (!err && o->json)
		dt_report_json(&dt, stdout);
	else if (!err)
		dt_report(&dt, stdout);
	status = err ? EXIT_FAILED : dt_differs(&dt.result) ? EXIT_DIFFERENT : EXIT_EQUAL;
	for (unsigned int i = 0; i < N_SIDES; i++)
		trail_fini(&dt.trail[i]);
	eval_check_free(dt.eval);
	dt_unload(&dt);
	print_diags(&dt.ds, o->verbose);
	if (err && !dt.ds.count[DIAG_ERROR])
		fprintf(stderr, "nft-bpf: difftest: %s\n", strerror(-err));
	dt_result_fini(&dt.result);
	diags_fini(&dt.ds);
	return status;
}

int difftest_main(int argc, char **argv)
{
	struct difftest_options o = {.seed = 1, .jobs = 1};
	int status = parse(argc, argv, &o);

	if (status < 0)
		status = read_once(&o) ? EXIT_FAILED : difftest(&o);
	free(o.text);
	free(o.defines);
	free(o.includes);
	return status;
}
