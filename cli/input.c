/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a command's ruleset comes from.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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
		.list = cli->list,
		.out = stdout,
		.err = stderr,
	};
	return EXIT_OK;
}

static int copy_all(int from, int to)
{
	char buffer[65536];
	ssize_t n, done;

	while ((n = read(from, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		for (; n > 0; n -= done) {
			done = write(to, buffer, (size_t)n);
			if (done < 0)
				return -errno;
			memmove(buffer, buffer + done, (size_t)(n - done));
		}
	}
	return 0;
}

/* What cannot be rewound is taken into memory; libnftables opens it by the name /dev/stdin. */
static bool rewind_stdin(void)
{
	int fd;

	if (lseek(STDIN_FILENO, 0, SEEK_SET) == 0)
		return true;
	fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0)
		return false;
	if (copy_all(STDIN_FILENO, fd) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    dup2(fd, STDIN_FILENO) < 0) {
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

bool cli_input_rewind(const struct nft_input *in)
{
	struct stat st;

	if (!in->file)
		return true;
	if (strcmp(in->file, "-") == 0 || strcmp(in->file, "/dev/stdin") == 0)
		return rewind_stdin();
	return stat(in->file, &st) == 0 && S_ISREG(st.st_mode);
}

/* In a comment, too: it is only a hint at what to read first. */
static bool hints_at_replacing(const char *text)
{
	return strstr(text, "flush ruleset") || strstr(text, "delete table") ||
	       strstr(text, "destroy table");
}

bool cli_input_replaces(const struct nft_input *in)
{
	char text[4096] = "";
	ssize_t n;
	int fd;

	if (!in->file)
		return hints_at_replacing(in->commands);
	if (!cli_input_rewind(in))
		return false;
	fd = strcmp(in->file, "-") == 0 ? dup(STDIN_FILENO) : open(in->file, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	if (fd >= 0)
		close(fd);
	return n > 0 && hints_at_replacing(text);
}

/* The file alone, applied to nothing: no kernel is asked, no privilege needed. */
static int read_file_ruleset(struct cli *cli, struct ruleset **ret)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = ruleset_new();
	CLEANUP(batch_fini) struct batch batch = {0};
	struct nft_input in;
	int status, err;

	if (!rs)
		return cli_status(cli, -ENOMEM, "reading the ruleset");
	status = cli_input(cli, &in);
	if (status != EXIT_OK)
		return status;
	cli_input_rewind(&in); /* it may be read more than once: explain -j */
	in.kernel = NFT_KERNEL_MODEL;
	err = nft_capture(&in, &cli->diags, &batch);
	if (err == 0)
		err = apply_batch(rs, &batch, &cli->diags);
	if (err < 0)
		return cli_nft_status(cli, err, "reading the ruleset");
	*ret = TAKE_PTR(rs);
	return EXIT_OK;
}

static int read_live_ruleset(struct cli *cli, bool terse, struct ruleset **ret)
{
	const struct rt_options opt = {.read_only = true};
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	int err = rt_open(&opt, &cli->diags, &rt);

	if (!err || err == -ENOENT)
		err = (terse ? rt_model_terse : rt_model)(rt, &cli->diags, ret);
	return cli_status(cli, err, "reading the ruleset");
}

int cli_ruleset(struct cli *cli, bool terse, struct ruleset **ret)
{
	return cli->file || cli->commands ? read_file_ruleset(cli, ret)
					  : read_live_ruleset(cli, terse, ret);
}
