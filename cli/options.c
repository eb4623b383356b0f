/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options. Where nft has one, it is nft's: same letter, same meaning.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "config.h"
#include "cli.h"

enum {
	OPT_DUMP = 256,
	OPT_NETNS,
	OPT_REQUIRE_BPF,
	OPT_ALL,
	OPT_VERBOSE,
};

static const struct option long_options[] = {
	{"file", required_argument, NULL, 'f'},
	{"check", no_argument, NULL, 'c'},
	{"define", required_argument, NULL, 'D'},
	{"includepath", required_argument, NULL, 'I'},
	{"json", no_argument, NULL, 'j'},
	{"handle", no_argument, NULL, 'a'},
	{"stateless", no_argument, NULL, 's'},
	{"terse", no_argument, NULL, 't'},
	{"numeric", no_argument, NULL, 'n'},
	{"output", required_argument, NULL, 'o'},
	{"dump", required_argument, NULL, OPT_DUMP},
	{"netns", required_argument, NULL, OPT_NETNS},
	{"require-bpf", no_argument, NULL, OPT_REQUIRE_BPF},
	{"all", no_argument, NULL, OPT_ALL},
	{"verbose", no_argument, NULL, OPT_VERBOSE},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{NULL},
};
#define SHORT_OPTIONS "f:cD:I:jastno:hv"

int cli_usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("nft-bpf: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see nft-bpf --help\n", stderr);
	return EXIT_USAGE;
}

static void print_help(void)
{
	puts("nft-bpf: run an nftables ruleset, unchanged, as eBPF\n"
	     "\n"
	     "Usage: nft-bpf [options] -f FILE       load a ruleset, as nft -f does\n"
	     "       nft-bpf [options] NFT COMMAND   e.g. nft-bpf add rule ip filter input accept\n"
	     "       nft-bpf [options] COMMAND\n"
	     "\n"
	     "Commands:");
	for (const struct command *c = commands; c->name; c++) {
		AUTO_FREE char *head = NULL;

		if (asprintf(&head, "%s %s", c->name, c->args) >= 0)
			printf("  %-29s %s\n", head, c->help);
	}
	puts("\n"
	     "Options:\n"
	     "  -f, --file FILE       read the ruleset from FILE, - is standard input\n"
	     "  -c, --check           check and compile only, change nothing\n"
	     "  -D, --define NAME=VAL define a variable\n"
	     "  -I, --includepath DIR search DIR for included files\n"
	     "  -j, --json            JSON, in and out\n"
	     "  -a, --handle          list: show handles\n"
	     "  -s, --stateless       list: leave out counters and other state\n"
	     "  -t, --terse           list: leave out set elements\n"
	     "  -n, --numeric         list: print numbers, not names\n"
	     "  -o, --output OBJ      compile: write the object here\n"
	     "      --dump WHAT,…     explain and compile: print model, ir, opt, llvm, asm, plan\n"
	     "      --require-bpf     a chain that cannot be compiled is an error\n"
	     "      --netns NAME      act in the network namespace NAME (or path)\n"
	     "      --all             status: of every network namespace\n"
	     "      --verbose         say more\n"
	     "  -h, --help            this text\n"
	     "  -v, --version         the version\n"
	     "\n"
	     "Exit status: 0 done, 1 error and nothing changed, 2 wrong usage. See nft-bpf(8).");
}

static int parse_dump(struct cli *cli, const char *arg)
{
	static const struct {
		const char *name;
		enum cli_dump bit;
	} names[] = {
		{"model", DUMP_MODEL}, {"ir", DUMP_IR},	  {"opt", DUMP_OPT},
		{"llvm", DUMP_LLVM},   {"asm", DUMP_ASM}, {"plan", DUMP_PLAN},
	};

	while (*arg) {
		size_t len = strcspn(arg, ",");
		size_t i;

		for (i = 0; i < ARRAY_SIZE(names); i++)
			if (strlen(names[i].name) == len && strncmp(names[i].name, arg, len) == 0)
				break;
		if (i == ARRAY_SIZE(names))
			return cli_usage_error("--dump: \"%.*s\" is none of model, ir, opt, llvm, "
					       "asm, plan",
					       (int)len, arg);
		cli->dump |= names[i].bit;
		arg += len + (arg[len] == ',');
	}
	return EXIT_OK;
}

static int push_string(const char ***array, const char *s)
{
	size_t n = 0;
	const char **grown;

	while (*array && (*array)[n])
		n++;
	grown = realloc(*array, (n + 2) * sizeof(*grown));
	if (!grown)
		return EXIT_ERROR;
	grown[n] = s;
	grown[n + 1] = NULL;
	*array = grown;
	return EXIT_OK;
}

static int take_option(struct cli *cli, int opt, bool *ret_done)
{
	switch (opt) {
	case 'f':
		if (cli->file)
			return cli_usage_error("-f is given twice");
		cli->file = optarg;
		return EXIT_OK;
	case 'c':
		cli->check = true;
		return EXIT_OK;
	case 'D':
		if (!strchr(optarg, '='))
			return cli_usage_error("-D %s: NAME=VALUE is expected", optarg);
		return push_string(&cli->defines, optarg);
	case 'I':
		return push_string(&cli->includes, optarg);
	case 'j':
		cli->json = cli->list.json = true;
		return EXIT_OK;
	case 'a':
		cli->list.handles = true;
		return EXIT_OK;
	case 's':
		cli->list.stateless = true;
		return EXIT_OK;
	case 't':
		cli->list.terse = true;
		return EXIT_OK;
	case 'n':
		cli->list.numeric = true;
		return EXIT_OK;
	case 'o':
		cli->output = optarg;
		return EXIT_OK;
	case OPT_DUMP:
		return parse_dump(cli, optarg);
	case OPT_NETNS:
		cli->netns = optarg;
		return EXIT_OK;
	case OPT_REQUIRE_BPF:
		cli->require_bpf = true;
		return EXIT_OK;
	case OPT_ALL:
		cli->all = true;
		return EXIT_OK;
	case OPT_VERBOSE:
		cli->verbose = true;
		return EXIT_OK;
	case 'h':
		print_help();
		*ret_done = true;
		return EXIT_OK;
	case 'v':
		puts(PACKAGE_STRING);
		*ret_done = true;
		return EXIT_OK;
	}
	/* getopt_long() has printed what is wrong. */
	fputs("nft-bpf: see nft-bpf --help\n", stderr);
	return EXIT_USAGE;
}

static int join_words(struct cli *cli, int argc, char **argv)
{
	size_t len = 1;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	cli->commands = calloc(1, len);
	if (!cli->commands)
		return EXIT_ERROR;
	for (int i = 0; i < argc; i++) {
		if (i)
			strcat(cli->commands, " ");
		strcat(cli->commands, argv[i]);
	}
	return EXIT_OK;
}

/* Who wants to look at a stage does not mean to load anything. */
static int check_dump(const struct cli *cli, const struct command *cmd)
{
	if (!cli->dump || (cmd && cmd->dumps))
		return EXIT_OK;
	return cli_usage_error("--dump is for explain and compile (explain --dump=ir -f FILE); "
			       "nothing was done");
}

/* "list ruleset" in quotes, which nft takes as well: its words are those of a command of ours. */
static int split_words(struct cli *cli, int *argc, char ***argv)
{
	size_t n = strspn(**argv, " \t");
	char *word, *rest = NULL, **words;

	if (*argc != 1 || !(*argv)[0][n] || strpbrk(**argv, ";{}#\"'\\\n") || !strpbrk(**argv, " \t"))
		return EXIT_OK;
	cli->words = strdup(**argv);
	words = cli->argv = calloc(strlen(**argv) + 2, sizeof(*words));
	if (!cli->words || !words)
		return EXIT_ERROR;
	n = 0;
	for (word = strtok_r(cli->words, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		words[n++] = word;
	if (command_find(words[0])) {
		*argc = (int)n;
		*argv = words;
	}
	return EXIT_OK;
}

/*
 * Options stand before the command or, with a command of ours, also behind it; behind a command of
 * nft's everything is nft's ("priority -10").
 */
int cli_parse(struct cli *cli, int argc, char **argv, int *ret_argc, char ***ret_argv,
	      bool *ret_done)
{
	const struct command *cmd = NULL;
	int opt, status = EXIT_OK;

	argv[0] = (char *)"nft-bpf";
	while (status == EXIT_OK && !*ret_done &&
	       (opt = getopt_long(argc, argv, "+" SHORT_OPTIONS, long_options, NULL)) != -1)
		status = take_option(cli, opt, ret_done);
	if (status != EXIT_OK || *ret_done)
		return status;
	argc -= optind;
	argv += optind;
	if (argc > 0) {
		status = split_words(cli, &argc, &argv);
		cmd = command_find(argv[0]);
	}
	if (status != EXIT_OK)
		return status;
	if (argc > 0 && !cmd) {
		if (cli->file)
			return cli_usage_error("\"%s\": -f and a command exclude each other",
					       argv[0]);
		status = check_dump(cli, NULL);
		return status == EXIT_OK ? join_words(cli, argc, argv) : status;
	}
	if (cmd && !cmd->own_options) {
		optind = 0;
		while (status == EXIT_OK && !*ret_done &&
		       (opt = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1)
			status = take_option(cli, opt, ret_done);
		if (status != EXIT_OK || *ret_done)
			return status;
		argv[optind - 1] = (char *)cmd->name;
		argc -= optind - 1;
		argv += optind - 1;
	}
	if (!cmd && !cli->file)
		return cli_usage_error("nothing to do");
	status = check_dump(cli, cmd);
	if (status != EXIT_OK)
		return status;
	*ret_argc = argc;
	*ret_argv = argv;
	return EXIT_OK;
}

void cli_fini(struct cli *cli)
{
	free(cli->defines);
	free(cli->includes);
	free(cli->commands);
	free(cli->words);
	free(cli->argv);
	diags_fini(&cli->diags);
}
