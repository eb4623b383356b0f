/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a command's ruleset comes from.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../netlink/nfnl.h"
#include "../runtime/runtime.h"
#include "cli.h"

int cli_input(struct cli *cli, struct nft_input *ret)
{
	struct stat st;

	if (!cli->file && !cli->commands)
		return cli_usage_error("-f FILE is needed");
	/* libnftables' scanner ends the process on one. */
	if (cli->file && stat(cli->file, &st) == 0 && S_ISDIR(st.st_mode)) {
		diag_add(&cli->diags, DIAG_ERROR, "input", NULL, "%s: is a directory", cli->file);
		return EXIT_ERROR;
	}
	*ret = (struct nft_input){
		.file = cli->file,
		.commands = cli->commands,
		.defines = (const char *const *)cli->defines,
		.include_dirs = (const char *const *)cli->includes,
		.json = cli->json,
		.out = stdout,
		.err = stderr,
	};
	return EXIT_OK;
}

/* The file alone, applied to nothing: no kernel is asked, no privilege needed. */
static int read_file_ruleset(struct cli *cli, struct ruleset **ret)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = ruleset_new();
	CLEANUP(batch_fini) struct batch batch = {0};
	struct nft_input in;
	int status, err;

	if (!rs)
		return EXIT_ERROR;
	status = cli_input(cli, &in);
	if (status != EXIT_OK)
		return status;
	in.kernel = NFT_KERNEL_MODEL;
	err = nft_capture(&in, &cli->diags, &batch);
	if (err == 0)
		err = apply_batch(rs, &batch, &cli->diags);
	if (err < 0)
		return EXIT_ERROR;
	*ret = TAKE_PTR(rs);
	return EXIT_OK;
}

static int read_live_ruleset(struct cli *cli, struct ruleset **ret)
{
	const struct rt_options opt = {.read_only = true};
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	int err = rt_open(&opt, &cli->diags, &rt);

	if (err < 0 && err != -ENOENT)
		return EXIT_ERROR;
	return rt_model(rt, &cli->diags, ret) < 0 ? EXIT_ERROR : EXIT_OK;
}

int cli_ruleset(struct cli *cli, struct ruleset **ret)
{
	return cli->file || cli->commands ? read_file_ruleset(cli, ret)
					  : read_live_ruleset(cli, ret);
}
