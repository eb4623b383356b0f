/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf status: base chains, who runs them, and why; gc: what nobody can reach any more.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <time.h>

#include "../runtime/runtime.h"
#include "cli.h"

static const char *hook_name(const struct rt_chain_status *c)
{
	static const char *const inet[] = {"prerouting", "input", "forward", "output",
					   "postrouting", "ingress"};
	static const char *const arp[] = {"input", "output", "forward"};

	if (c->family == NFPROTO_NETDEV)
		return c->hook == 0 ? "ingress" : "egress";
	if (c->family == NFPROTO_ARP)
		return c->hook < ARRAY_SIZE(arp) ? arp[c->hook] : "?";
	return c->hook < ARRAY_SIZE(inet) ? inet[c->hook] : "?";
}

static const struct rt_prog_status *find_prog(const struct rt_status *st, const char *name)
{
	for (uint32_t i = 0; name && i < st->n_progs; i++)
		if (strcmp(st->progs[i].name, name) == 0)
			return &st->progs[i];
	return NULL;
}

/* ---- text ---- */

static void print_prog(const struct rt_status *st, const char *name)
{
	const struct rt_prog_status *p = find_prog(st, name);

	if (!p)
		return;
	printf("\t\t%s: program %u, link %u, priority %d, %u instructions", p->name, p->id,
	       p->link_id, p->attached, p->insns);
	if (p->n_parts > 1)
		printf(" in %u parts", p->n_parts);
	if (p->runs)
		printf(", %" PRIu64 " packets, %" PRIu64 " ns each", p->runs, p->run_ns / p->runs);
	if (!p->id || !p->link_id)
		fputs(", GONE", stdout);
	else if (p->emptied)
		fputs(", EMPTIED", stdout);
	putchar('\n');
}

static void print_reason(const struct rt_reason *r)
{
	fputs("\t\t", stdout);
	if (r->rule)
		printf("%s rule %u", r->chain ? r->chain : "", r->rule);
	if (r->rule && r->handle)
		printf(" (handle %" PRIu64 ")", r->handle);
	if (r->rule && r->expr)
		printf(", %s", r->expr);
	printf("%s%s [%s]\n", r->rule ? ": " : "", r->text, r->code);
}

static void print_front(const struct rt_chain_status *c)
{
	if (c->front_first == c->front_last)
		printf("\t\trule %u runs", c->front_first);
	else
		printf("\t\trules %u-%u run", c->front_first, c->front_last);
	printf(" in front as BPF for packets to drop (%u rule%s)\n", c->front_drops,
	       c->front_drops == 1 ? "" : "s");
}

static void print_chain(const struct rt_status *st, const struct rt_chain_status *c)
{
	printf("\t%s %s %s: type %s hook %s priority %d policy %s: %s\n", family_name(c->family),
	       c->table, c->name, c->type, hook_name(c), c->priority,
	       c->policy == NF_DROP ? "drop" : "accept",
	       c->compiled ? "BPF" : "interpreter");
	if (!c->compiled && c->front_drops)
		print_front(c);
	print_prog(st, c->prog4);
	print_prog(st, c->prog6);
	if (!c->compiled && c->front_drops && c->n_reasons)
		puts("\t\tthe rest stays with the interpreter because:");
	for (uint32_t i = 0; i < c->n_reasons; i++)
		print_reason(&c->reasons[i]);
}

static const char *print_time(uint64_t unix_time, char ret[64])
{
	time_t t = (time_t)unix_time;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(ret, 64, "%F %T", &tm))
		*ret = '\0';
	return ret;
}

static void print_status(const struct rt_status *st)
{
	char when[64];

	printf("network namespace %ju", (uintmax_t)st->netns);
	if (st->netns_name && *st->netns_name)
		printf(" (%s)", st->netns_name);
	else if (!st->netns_name)
		fputs(" (without a name)", stdout);
	if (st->lost) {
		puts(": programs are attached, but their manifest is gone");
		return;
	}
	if (!st->since) {
		puts(": nothing is compiled");
		return;
	}
	printf(": generation %u since %s", st->generation, print_time(st->since, when));
	if (st->compiled)
		printf(", code compiled %s", print_time(st->compiled, when));
	putchar('\n');
	if (st->foreign)
		puts("\tpins of another version of nft-bpf: only nft-bpf give works on them");
	if (st->unfinished)
		puts("\ta load or give was interrupted: interpreter and BPF may both enforce; "
		     "load again or nft-bpf give");
	if (st->damaged)
		puts("\tsome of it was taken away by others: nft-bpf sync brings it back");
	if (st->moved_on)
		puts("\tthe ruleset was changed since without nft-bpf: nft-bpf take compiles it "
		     "as it is now");
	for (uint32_t i = 0; i < st->n_chains; i++)
		print_chain(st, &st->chains[i]);
}

/* ---- JSON ---- */

static json_t *prog_json(const struct rt_prog_status *p)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:I, s:I}", "name",
			 p->name,
			 "id", (int)p->id, "link", (int)p->link_id, "pf", (int)p->pf, "hook",
			 (int)p->hook, "priority", (int)p->priority, "attached", (int)p->attached,
			 "parts", (int)p->n_parts, "instructions", (int)p->insns, "jited_bytes",
			 (int)p->jited_bytes, "emptied", p->emptied, "runs", (json_int_t)p->runs, "run_ns",
			 (json_int_t)p->run_ns);
}

static json_t *chain_json(const struct rt_status *st, const struct rt_chain_status *c)
{
	json_t *reasons = json_array();
	json_t *programs = json_array();
	const char *names[] = {c->prog4, c->prog6};
	json_t *front = c->compiled || !c->front_drops ?
				NULL :
				json_pack("{s:i, s:i, s:i}", "first", (int)c->front_first, "last",
					  (int)c->front_last, "drops", (int)c->front_drops);

	for (uint32_t i = 0; i < c->n_reasons; i++) {
		const struct rt_reason *r = &c->reasons[i];

		json_array_append_new(reasons,
				      json_pack("{s:s, s:s, s:s?, s:i, s:I, s:s?}", "code", r->code,
						"text", r->text, "chain", r->chain, "rule",
						(int)r->rule, "handle", (json_int_t)r->handle,
						"expr", r->expr));
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct rt_prog_status *p = find_prog(st, names[i]);

		if (p)
			json_array_append_new(programs, prog_json(p));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:b, s:o*, s:o, s:o}", "family",
			 family_name(c->family), "table", c->table, "chain", c->name, "type",
			 c->type, "hook", hook_name(c), "priority", (int)c->priority, "policy",
			 c->policy == NF_DROP ? "drop" : "accept", "compiled", c->compiled,
			 "front", front, "programs", programs, "reasons", reasons);
}

static json_t *status_json(const struct rt_status *st)
{
	json_t *chains = json_array();

	for (uint32_t i = 0; i < st->n_chains; i++)
		json_array_append_new(chains, chain_json(st, &st->chains[i]));
	return json_pack("{s:I, s:s?, s:i, s:I, s:I, s:s?, s:b, s:b, s:b, s:b, s:b, s:o}", "netns",
			 (json_int_t)st->netns, "name", st->netns_name, "generation",
			 (int)st->generation, "since", (json_int_t)st->since, "compiled",
			 (json_int_t)(st->compiled ? st->compiled : st->since), "version",
			 st->version, "moved_on", st->moved_on, "unfinished", st->unfinished,
			 "damaged", st->damaged, "foreign", st->foreign, "lost", st->lost, "chains", chains);
}

static void print_json(json_t *root)
{
	json_dumpf(root, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(root);
}

/* ---- commands ---- */

static int status_all(struct cli *cli)
{
	struct rt_status *all = NULL;
	json_t *array = json_array();
	int status = EXIT_OK;
	size_t n = 0;
	int err = rt_status_all(&cli->diags, &all, &n);

	for (size_t i = 0; i < n; i++) {
		if (cli->json)
			json_array_append_new(array, status_json(&all[i]));
		else
			print_status(&all[i]);
		rt_status_fini(&all[i]);
	}
	free(all);
	if (!err && cli->diags.count[DIAG_ERROR])
		status = EXIT_ERROR; /* of some; the others are shown */
	if (err == 0 && cli->json)
		print_json(json_pack("{s:O}", "namespaces", array));
	else if (status == EXIT_OK && err == 0 && n == 0)
		puts("nothing is compiled in any network namespace");
	json_decref(array);
	return err ? cli_status(cli, err, "status") : status;
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
	const struct rt_options opt = {.read_only = true};
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	struct rt_status st = {0};
	int err;

	if (argc > 1)
		return cli_usage_error("status: \"%s\" is too much", argv[1]);
	if (cli->all)
		return status_all(cli);
	err = rt_open(&opt, &cli->diags, &rt);
	if (err == 0)
		err = rt_status(rt, &cli->diags, &st);
	if (err < 0 && err != -ENOENT)
		return cli_status(cli, err, "status");
	if (err == -ENOENT && !cli->json)
		puts("nothing is compiled in this network namespace");
	else if (cli->json)
		print_json(status_json(&st));
	else
		print_status(&st);
	rt_status_fini(&st);
	return EXIT_OK;
}

int cmd_gc(struct cli *cli, int argc, char **argv)
{
	ino_t *inodes = NULL;
	size_t n = 0;
	int err;

	if (argc > 1)
		return cli_usage_error("gc: \"%s\" is too much", argv[1]);
	err = rt_gc(cli->check, &cli->diags, &inodes, &n);
	for (size_t i = 0; i < n; i++)
		printf("network namespace %ju: %s\n", (uintmax_t)inodes[i],
		       cli->check ? "would be removed" : "removed");
	free(inodes);
	return cli_status(cli, err, "gc");
}
