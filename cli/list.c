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
		return cli_status(cli, -ENOMEM, "list");
	if (argc == 1)
		return cli_usage_error("list: what? e.g. list ruleset");
	status = cli_ruleset(cli, cli->list.terse, &rs);
	if (status != EXIT_OK)
		return status;
	return cli_nft_status(cli, nft_list(rs, command, &cli->list, stdout, stderr), "list");
}

/* "get element [FAMILY] TABLE SET …": the set, or NULL. */
static const struct set *find_set(const struct ruleset *rs, const char *command)
{
	char family[16] = "ip", table[256], set[256];
	const struct table *t;

	if (sscanf(command, "get element %15s %255s %255s", family, table, set) != 3)
		return NULL;
	list_for_each(t, &rs->tables, node)
		if (strcmp(family_name(t->family), family) == 0 && strcmp(t->name, table) == 0)
			return table_find_set(t, set);
	/* Without a family it is ip, and the words are one to the left. */
	list_for_each(t, &rs->tables, node)
		if (strcmp(family_name(t->family), "ip") == 0 && strcmp(t->name, family) == 0)
			return table_find_set(t, table);
	return NULL;
}

int cli_get_element(struct cli *cli, bool *ret_done)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	const struct rt_options opt = {.read_only = true};
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	const struct set *s;
	int err;

	if (!cli->commands || strncmp(cli->commands, "get element ", strlen("get element ")) != 0)
		return EXIT_OK;
	err = rt_open(&opt, &cli->diags, &rt);
	if (err == -ENOENT)
		return EXIT_OK;
	if (!err)
		err = rt_model(rt, &cli->diags, &rs);
	if (err < 0)
		return cli_status(cli, err, "reading the ruleset");
	s = find_set(rs, cli->commands);
	if (!s || !(s->elsewhere || s->counted))
		return EXIT_OK;
	*ret_done = true;
	return cli_nft_status(cli, nft_list(rs, cli->commands, &cli->list, stdout, stderr), "get");
}
