/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf reset: named counters and quotas, shown as they are and begun anew, the kernel's and
 * ours.
 */
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

#include "../netlink/nfnl.h"
#include "../runtime/runtime.h"
#include "cli.h"

static uint8_t nfproto_of(const char *word)
{
	static const uint8_t families[] = {NFPROTO_IPV4, NFPROTO_IPV6,	 NFPROTO_INET,
					   NFPROTO_ARP,	 NFPROTO_BRIDGE, NFPROTO_NETDEV};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (strcmp(family_name(families[i]), word) == 0)
			return families[i];
	return 0;
}

/*
 *	counters|quotas [FAMILY]
 *	counters|quotas table [FAMILY] TABLE
 *	counter|quota [FAMILY] TABLE NAME
 */
static int parse(int argc, char **argv, struct rt_reset_what *ret)
{
	const bool one = argc > 1 && (!strcmp(argv[1], "counter") || !strcmp(argv[1], "quota"));
	const bool all = argc > 1 && (!strcmp(argv[1], "counters") || !strcmp(argv[1], "quotas"));
	bool table = one;
	int at = 2;

	if (!one && !all)
		return cli_usage_error("reset: counters, quotas, a counter or a quota");
	ret->type = argv[1][0] == 'c' ? NFT_OBJECT_COUNTER : NFT_OBJECT_QUOTA;
	if (all && at < argc && strcmp(argv[at], "table") == 0) {
		table = true;
		at++;
	}
	if (at < argc && nfproto_of(argv[at]))
		ret->family = nfproto_of(argv[at++]);
	else if (table)
		ret->family = NFPROTO_IPV4; /* as nft takes it */
	if (table && at < argc)
		ret->table = argv[at++];
	if (one && at < argc)
		ret->name = argv[at++];
	if (at != argc || (table && !ret->table) || (one && !ret->name))
		return cli_usage_error("reset: words are missing or too many");
	return EXIT_OK;
}

/* "list" or "reset" with the command's words. */
static char *command_of(const char *verb, int argc, char **argv)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs(verb, f);
	for (int i = 1; i < argc; i++)
		fprintf(f, " %s", argv[i]);
	return fclose(f) == 0 ? text : NULL;
}

struct kernel_reset {
	struct cli *cli;
	const char *command;
};

/* The kernel's own; what it prints is not the whole count. */
static int reset_kernel(void *arg)
{
	const struct kernel_reset *kr = arg;
	FILE *null = fopen("/dev/null", "w");
	struct nft_input in = {
		.commands = kr->command,
		.kernel = NFT_KERNEL_REAL,
		.out = null,
		.err = stderr,
	};
	struct batch batch = {0};
	int err = null ? nft_capture(&in, &kr->cli->diags, &batch) : -errno;

	batch_fini(&batch);
	if (null)
		fclose(null);
	return err;
}

int cmd_reset(struct cli *cli, int argc, char **argv)
{
	const struct rt_options opt = {.wait_lock = true};
	AUTO_FREE char *list = command_of("list", argc, argv);
	AUTO_FREE char *reset = command_of("reset", argc, argv);
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	struct kernel_reset kernel = {cli, reset};
	struct rt_reset_what what = {.kernel = reset_kernel, .arg = &kernel};
	int status = parse(argc, argv, &what), err;

	if (status != EXIT_OK)
		return status;
	err = list && reset ? rt_open(&opt, &cli->diags, &rt) : -ENOMEM;
	if (!err)
		err = rt_model(rt, &cli->diags, &rs);
	if (!err)
		err = nft_list(rs, list, &cli->list, stdout, NULL);
	/* What cannot be listed is refused in words about "reset". */
	if (!err || (err == -EINVAL && rs))
		err = rt_reset(rt, rs, &what, &cli->diags);
	return cli_nft_status(cli, err, "reset");
}
