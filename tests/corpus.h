/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The corpus of rulesets, each in a child process with a network namespace of its own and the devices
 * it needs. TAP output; skipped where there is no corpus or no privilege.
 */
#ifndef NFT_BPF_TESTS_CORPUS_H
#define NFT_BPF_TESTS_CORPUS_H

#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../netlink/nfnl.h"

/* An argument selects one file; with it, or with V=1, differences are shown. */
static bool verbose;

static char *slurp(FILE *f)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int c;

	while ((c = getc(f)) != EOF)
		putc(c, out);
	fclose(out);
	return text;
}

UNUSED static char *nft_output(const char *flags)
{
	char command[64];
	char *text;
	FILE *p;

	snprintf(command, sizeof(command), "nft %s list ruleset 2>/dev/null", flags);
	p = popen(command, "r");
	if (!p)
		return NULL;
	text = slurp(p);
	pclose(p);
	return text;
}

/* The exit status of "nft FLAGS -f FILE"; above 1: it crashed. */
static int nft_load(const char *flags, const char *file)
{
	char command[8300];
	int status;

	snprintf(command, sizeof(command), "nft %s -f '%s' >/dev/null 2>&1", flags, file);
	status = system(command);
	return status == -1 || !WIFEXITED(status) ? 255 : WEXITSTATUS(status);
}

static char *our_output(const struct ruleset *rs, const struct nft_list_options *opt)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err = nft_list(rs, "list ruleset", opt, out, stderr);

	fclose(out);
	if (err)
		printf("# nft_list: %s\n", strerror(-err));
	return text;
}

static void show_difference(const char *what, const char *theirs, const char *ours)
{
	FILE *f;

	printf("# differs: %s\n", what);
	if (!verbose)
		return;
	f = fopen("/tmp/corpus.theirs", "w");
	fputs(theirs, f);
	fclose(f);
	f = fopen("/tmp/corpus.ours", "w");
	fputs(ours, f);
	fclose(f);
	if (system("diff /tmp/corpus.theirs /tmp/corpus.ours | head -40") < 0)
		printf("# no diff\n");
}

static bool same_text(const char *what, const char *theirs, const char *ours)
{
	if (theirs && ours && strcmp(theirs, ours) == 0)
		return true;
	show_difference(what, theirs ? theirs : "", ours ? ours : "");
	return false;
}

static void show_diags(const struct diags *ds)
{
	const struct diag *d;
	char *text;

	list_for_each(d, &ds->list, node) {
		text = diag_format(d);
		printf("# %s\n", text);
		free(text);
	}
}

static void make_devices(const json_t *devices)
{
	FILE *p = popen("ip -batch - 2>/dev/null", "w");
	const json_t *d;
	size_t i;

	fprintf(p, "link set lo up\n");
	json_array_foreach(devices, i, d)
		fprintf(p, "link add %s type veth peer name nlpeer%zu\n", json_string_value(d), i);
	pclose(p);
}

static bool run_ruleset(bool (*check)(const char *file), const char *file, const json_t *devices)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			_exit(2);
		make_devices(devices);
		status = check(file);
		fflush(stdout);
		_exit(status ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* @check says whether all is well with the ruleset, in its namespace. */
static int corpus_run(int argc, char **argv, bool (*check)(const char *file))
{
	const char *srcdir = getenv("top_srcdir"), *name;
	size_t i, n = 0, failed = 0;
	json_t *manifest, *entry;
	json_error_t error;
	char corpus[4096], file[8192];

	snprintf(corpus, sizeof(corpus), "%s/../shared/corpus", srcdir ? srcdir : ".");
	snprintf(file, sizeof(file), "%s/MANIFEST.json", corpus);
	manifest = json_load_file(file, 0, &error);
	if (!manifest || geteuid() != 0) {
		printf("1..0 # SKIP %s\n", manifest ? "must be root" : "no corpus here");
		return 0;
	}
	verbose = argc > 1 || getenv("V");
	json_array_foreach(manifest, i, entry) {
		name = json_string_value(json_object_get(entry, "file"));
		if (argc > 1 && strcmp(argv[1], name) != 0)
			continue;
		snprintf(file, sizeof(file), "%s/rulesets/%s", corpus, name);
		n++;
		if (run_ruleset(check, file, json_object_get(entry, "devices"))) {
			printf("ok %zu - %s\n", n, name);
		} else {
			printf("not ok %zu - %s\n", n, name);
			failed++;
		}
	}
	printf("1..%zu\n", n);
	json_decref(manifest);
	return failed ? 1 : 0;
}

#endif
