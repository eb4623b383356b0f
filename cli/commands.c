/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of commands: what --help shows is what is run.
 */
#include "cli.h"

const struct command commands[] = {
	{"take", "", "compile the live ruleset and take it over", cmd_take},
	{"sync", "", "bring programs and maps in line with what plain nft changed", cmd_sync},
	{"give", "", "hand everything back to the kernel's interpreter", cmd_give},
	{"list", "ruleset|table|chain|set|…", "as nft lists it, hooks and live counters in place",
	 cmd_list},
	{"reset", "counters|quotas|counter|quota …", "show named counters or quotas and begin anew",
	 cmd_reset},
	{"status", "", "base chains, who runs them, and why", cmd_status},
	{"explain", "[-f FILE]", "chain by chain and rule by rule: compiled how, or why not",
	 cmd_explain, .dumps = true},
	{"compile", "-f FILE -o OBJ", "write the BPF object; needs neither root nor nf_tables",
	 cmd_compile, .dumps = true},
	{"difftest", "-f FILE", "send packets through the interpreter and BPF, and compare",
	 cmd_difftest, .own_options = true},
	{"gc", "", "remove programs of network namespaces that nobody can reach any more", cmd_gc},
	{NULL},
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}
