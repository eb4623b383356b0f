/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nft-bpf program: options and commands. Exit status: 0 done; 1 error, nothing changed; 2 usage.
 */
#ifndef NFT_BPF_CLI_CLI_H
#define NFT_BPF_CLI_CLI_H

#include "../compiler/diag.h"
#include "../compiler/ruleset.h"
#include "../netlink/nft.h"

enum { EXIT_OK = 0, EXIT_ERROR = 1, EXIT_USAGE = 2 };

enum cli_dump {
	DUMP_MODEL = 1,
	DUMP_IR = 2,
	DUMP_OPT = 4,
	DUMP_LLVM = 8,
	DUMP_ASM = 16,
	DUMP_PLAN = 32,
};

struct cli {
	const char *file;	 /* -f */
	const char *output;	 /* -o */
	const char *netns;
	const char **defines;	 /* NULL-terminated, malloc'ed */
	const char **includes;
	bool check, json, all, require_bpf, verbose;
	struct nft_list_options list;
	unsigned int dump;	 /* enum cli_dump */
	char *commands;		 /* nft's own commands given as words, joined */
	char *words, **argv;	 /* a command of ours in quotes, cut into words; or NULL */
	struct diags diags;
};

/* argv[0] is the command's name, or NULL for a plain load. Returns an exit status. */
typedef int (*command_fn)(struct cli *cli, int argc, char **argv);

int cmd_load(struct cli *cli, int argc, char **argv);
int cmd_take(struct cli *cli, int argc, char **argv);
int cmd_sync(struct cli *cli, int argc, char **argv);
int cmd_give(struct cli *cli, int argc, char **argv);
int cmd_reset(struct cli *cli, int argc, char **argv);
int cmd_list(struct cli *cli, int argc, char **argv);
/*
 * nft's "get element" where a BPF map has the elements; *ret_done false: it is another command, or
 * the kernel knows them.
 */
int cli_get_element(struct cli *cli, bool *ret_done);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_gc(struct cli *cli, int argc, char **argv);
int cmd_explain(struct cli *cli, int argc, char **argv);
int cmd_compile(struct cli *cli, int argc, char **argv);
int cmd_difftest(struct cli *cli, int argc, char **argv);

/* ---- options.c ---- */

/*
 * Reads options and the command's name; @ret_words gets the words behind it. 0, or an exit status
 * with the message printed (help and version end with EXIT_OK and *ret_done).
 */
int cli_parse(struct cli *cli, int argc, char **argv, int *ret_argc, char ***ret_argv,
	      bool *ret_done);
void cli_fini(struct cli *cli);
/* "nft-bpf: <text>" and how to get help; EXIT_USAGE. */
int cli_usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* ---- commands.c ---- */

struct command {
	const char *name;
	const char *args; /* for the help text */
	const char *help;
	command_fn run;
	bool own_options; /* reads its options itself */
	bool dumps;	  /* knows --dump */
};
extern const struct command commands[]; /* ends with a NULL name */
const struct command *command_find(const char *name);

/* ---- messages.c ---- */

/* Prints what is due on standard error, errors last, and empties the list. */
void cli_report(struct cli *cli);
/*
 * The exit status of 0 or -errno, where libnftables had no part in it, which prints by itself. What
 * failed and has no message yet gets one.
 */
int cli_status(struct cli *cli, int err, const char *what);
/* The same where it may have: -EINVAL is its own, and was explained. */
int cli_nft_status(struct cli *cli, int err, const char *what);
/*
 * Says on standard error which base chains stay with the interpreter, and why, a line each;
 * EXIT_ERROR if there is one and --require-bpf was given.
 */
struct lower_result;
int cli_report_fallbacks(struct cli *cli, const struct lower_result *lr);
/* A progress line on standard error when @what takes over a second; only on a terminal. */
struct progress;
struct progress *progress_start(const char *what);
void progress_end(struct progress *p);

/* ---- input.c ---- */

/* The nft input that -f, -D, -I, -j and words on the command line make; EXIT_USAGE if there is none. */
int cli_input(struct cli *cli, struct nft_input *ret);
/*
 * Makes the input ready to be read, once more too: true if it can be. Standard input is kept in memory
 * for that; a FIFO of a name is not.
 */
bool cli_input_rewind(const struct nft_input *in);
/* Whether it does away with tables, or all of them, as far as a look at its beginning tells; rewound. */
bool cli_input_replaces(const struct nft_input *in);
/*
 * The ruleset that explain and compile look at: -f FILE applied to nothing; without it the live one
 * as the user wrote it, when @terse without elements of its named sets. Exit status.
 */
int cli_ruleset(struct cli *cli, bool terse, struct ruleset **ret);

/* ---- elements.c ---- */

/* Whether it only adds, creates, deletes or destroys elements; *@ret_adds: not the last two. */
bool cli_input_is_elements(const struct nft_input *in, bool *ret_adds);

/* ---- compile.c ---- */

struct lower_result;
/* Prints the stages that --dump names. Exit status. */
int cli_dump(struct cli *cli, const struct ruleset *rs, const struct lower_result *lr);

/* ---- netns.c ---- */

/* Enters /run/netns/NAME, or a path; bpffs and mounts stay as they are. */
int netns_enter(const char *name, struct diags *ds);

#endif
