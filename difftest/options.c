/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of nft-bpf difftest.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "difftest.h"

static const char help[] =
	"Usage: nft-bpf difftest -f FILE [options]\n"
	"Sends the same packets through FILE under nft and under nft-bpf, in two scratch network\n"
	"namespaces, and compares every verdict and counter.\n"
	"\n"
	"  -f, --file FILE       the ruleset; - is standard input\n"
	"  -D, --define N=V      as nft's\n"
	"  -I, --includepath DIR as nft's\n"
	"      --packets N       how many packets to make (by default by the number of rules)\n"
	"      --pcap FILE       send the packets of a capture, each into, through and out of this host;\n"
	"                        with --packets, made ones too\n"
	"      --seed S          of all that is drawn; a report names it\n"
	"      --shrink          cut a difference down and print the smallest ruleset and packets\n"
	"                        that show it, as a file for --replay\n"
	"      --replay          send the packets that stand in the file's comments\n"
	"      --random N        N random rulesets instead of a file\n"
	"      --eval-only       of them, only the IR's evaluator before and after the optimiser: needs\n"
	"                        neither the kernel nor privileges\n"
	"      --edit            nft-bpf has loaded a ruleset that differs by one rule, and changes it\n"
	"      --first           stop at the first that differs\n"
	"      --seconds T       start no new ruleset after T seconds\n"
	"      --jobs J          share random rulesets between J processes\n"
	"      --against FILE    compare with this ruleset under nft instead of nft-bpf\n"
	"  -j, --json            report as JSON\n"
	"  -v, --verbose         every difference, every rule that was not reached\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 equal, 1 different, 2 usage or the test could not be carried out.\n";

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
	return DT_EXIT_FAILED;
}

enum {
	OPT_PACKETS = 256,
	OPT_PCAP,
	OPT_SEED,
	OPT_AGAINST,
	OPT_JOBS,
	OPT_RANDOM,
	OPT_EVAL_ONLY,
	OPT_EDIT,
	OPT_SECONDS,
	OPT_FIRST,
	OPT_REPLAY,
	OPT_SHRINK,
};

static const struct option long_options[] = {
	{"file", required_argument, NULL, 'f'},
	{"define", required_argument, NULL, 'D'},
	{"includepath", required_argument, NULL, 'I'},
	{"packets", required_argument, NULL, OPT_PACKETS},
	{"pcap", required_argument, NULL, OPT_PCAP},
	{"seed", required_argument, NULL, OPT_SEED},
	{"against", required_argument, NULL, OPT_AGAINST},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{"random", required_argument, NULL, OPT_RANDOM},
	{"eval-only", no_argument, NULL, OPT_EVAL_ONLY},
	{"edit", no_argument, NULL, OPT_EDIT},
	{"first", no_argument, NULL, OPT_FIRST},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"replay", no_argument, NULL, OPT_REPLAY},
	{"shrink", no_argument, NULL, OPT_SHRINK},
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
		return push_word(&o->defines, n_defines, optarg) ? DT_EXIT_FAILED : -1;
	case 'I':
		return push_word(&o->includes, n_includes, optarg) ? DT_EXIT_FAILED : -1;
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
	case OPT_RANDOM:
		if (!parse_number(optarg, &n) || n < 1 || n > 100000000)
			return usage("--random wants a number");
		o->random = n;
		return -1;
	case OPT_EVAL_ONLY:
		o->eval_only = true;
		return -1;
	case OPT_EDIT:
		o->edit = true;
		return -1;
	case OPT_SECONDS:
		if (!parse_number(optarg, &n) || n < 1 || n > 1000000)
			return usage("--seconds wants a number");
		o->seconds = (unsigned int)n;
		return -1;
	case OPT_FIRST:
		o->first = true;
		return -1;
	case OPT_REPLAY:
		o->replay = true;
		return -1;
	case OPT_SHRINK:
		o->shrink = true;
		return -1;
	case 'j':
		o->json = true;
		return -1;
	case 'v':
		o->verbose = true;
		return -1;
	case 'h':
		fputs(help, stdout);
		return DT_EXIT_EQUAL;
	default:
		return usage("unknown option");
	}
}

/* What can be read only once, a pipe, is kept: the file is read several times. */
static int read_once(struct difftest_options *o)
{
	bool is_stdin = strcmp(o->file, "-") == 0;
	FILE *f = stdin;
	size_t size = 0;
	struct stat st;

	/* A reproducer's packets and what is to be cut down are in the text. */
	if (!is_stdin && !o->replay && !o->shrink && !o->edit && (stat(o->file, &st) || S_ISREG(st.st_mode)))
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

int dt_options_parse(struct difftest_options *o, int argc, char **argv)
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
	if (!o->file && !o->random)
		return usage("-f FILE is missing");
	/* The smallest ruleset would be one that the other file knows nothing of. */
	if (o->against && o->shrink)
		return usage("--shrink cuts one ruleset down: not with --against");
	if (o->edit && (o->against || o->eval_only || o->shrink))
		return usage("--edit is nft-bpf's: not with --against, --eval-only, --shrink");
	if (o->random && (o->against || o->replay || o->pcap))
		return usage("--random makes rulesets and packets: not with --against, --replay, --pcap");
	return o->file && read_once(o) ? DT_EXIT_FAILED : -1;
}

void dt_options_fini(struct difftest_options *o)
{
	free(o->text);
	free(o->defines);
	free(o->includes);
}
