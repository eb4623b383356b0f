/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf: nftables rulesets, unchanged, run as eBPF.
 */
#include <signal.h>
#include <stdio.h>

#include "cli.h"

int main(int argc, char **argv)
{
	struct cli cli = {0};
	char **words = NULL;
	int n_words = 0;
	bool done = false;
	int status;

	/* A reader that went away ends us by an error on write, not in the middle of a takeover. */
	signal(SIGPIPE, SIG_IGN);
	setlinebuf(stdout);
	diags_init(&cli.diags);
	status = cli_parse(&cli, argc, argv, &n_words, &words, &done);
	if (status == EXIT_OK && !done) {
		const struct command *c = n_words > 0 ? command_find(words[0]) : NULL;

		if (cli.netns && netns_enter(cli.netns, &cli.diags) < 0)
			status = EXIT_ERROR;
		else
			status = c ? c->run(&cli, n_words, words) : cmd_load(&cli, n_words, words);
	}
	cli_report(&cli);
	if (fflush(stdout) == EOF && status == EXIT_OK) {
		perror("nft-bpf: standard output");
		status = EXIT_ERROR;
	}
	cli_fini(&cli);
	return status;
}
