/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf list: nft's own listing of the ruleset as the user wrote it, counters live.
 */
#include <errno.h>
#include <stdio.h>

#include "../runtime/runtime.h"
#include "cli.h"

int cmd_list(struct cli *cli, int argc, char **argv)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	AUTO_FREE char *command = strdup("list");
	int status;

	for (int i = 1; command && i < argc; i++) {
		char *longer = NULL;

		if (asprintf(&longer, "%s %s", command, argv[i]) < 0)
			longer = NULL;
		free(command);
		command = longer;
	}
	if (!command)
		return EXIT_ERROR;
	if (argc == 1)
		return cli_usage_error("list: what? e.g. list ruleset");
	status = cli_ruleset(cli, &rs);
	if (status != EXIT_OK)
		return status;
	return nft_list(rs, command, &cli->list, stdout, stderr) < 0 ? EXIT_ERROR : EXIT_OK;
}
