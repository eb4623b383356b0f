/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The corpus of rulesets through the model and back to nft's own text.
 *
 * For each ruleset, in a fresh network namespace with the devices it needs:
 *  - loaded with nft, dumped and listed by us: byte for byte what `nft list ruleset` prints, also with
 *    handles, as JSON, stateless and numeric;
 *  - captured and applied to an empty model, with and without a kernel: the same text;
 *  - refused by nft: refused by us.
 *
 * usage: test_corpus_list [FILE]   one file of the corpus, with the differences (V=1: all)
 */
#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../netlink/nfnl.h"

static char corpus[4096];
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

static char *nft_output(const char *flags)
{
	char command[64];
	char *text;
	FILE *p;

	snprintf(command, sizeof(command), "nft %s list ruleset", flags);
	p = popen(command, "r");
	if (!p)
		return NULL;
	text = slurp(p);
	pclose(p);
	return text;
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
	f = fopen("/tmp/corpus_list.theirs", "w");
	fputs(theirs, f);
	fclose(f);
	f = fopen("/tmp/corpus_list.ours", "w");
	fputs(ours, f);
	fclose(f);
	if (system("diff /tmp/corpus_list.theirs /tmp/corpus_list.ours | head -40") < 0)
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

/* The file applied to an empty model, as text; NULL when it is refused. */
static char *capture(const char *file, enum nft_kernel kernel)
{
	struct nft_list_options opt = {0};
	struct batch b = {0};
	struct diags ds;
	struct ruleset *rs = ruleset_new();
	FILE *err = verbose ? stderr : fopen("/dev/null", "w");
	struct nft_input in = {.file = file, .kernel = kernel, .out = err, .err = err};
	char *text = NULL;
	int ret;

	diags_init(&ds);
	rs->generation = 1;
	ret = nft_capture(&in, &ds, &b);
	if (!ret) {
		ret = apply_batch(rs, &b, &ds);
		if (ret)
			printf("# apply_batch: %s\n", strerror(-ret));
		else
			text = our_output(rs, &opt);
	}
	show_diags(&ds);
	diags_fini(&ds);
	batch_fini(&b);
	ruleset_free(rs);
	if (!verbose)
		fclose(err);
	return text;
}

static bool check_listings(void)
{
	static const struct {
		const char *flags;
		struct nft_list_options opt;
	} listings[] = {
		{"", {0}},
		{"-a", {.handles = true}},
		{"-j", {.json = true}},
		{"-s", {.stateless = true}},
		{"-t", {.terse = true}},
		{"-nn", {.numeric = true}},
	};
	struct ruleset *rs = NULL;
	struct diags ds;
	bool ok = true;
	char *theirs, *ours;
	size_t i;

	diags_init(&ds);
	if (dump_ruleset(NULL, &ds, &rs) < 0) {
		show_diags(&ds);
		return false;
	}
	for (i = 0; i < ARRAY_SIZE(listings); i++) {
		theirs = nft_output(listings[i].flags);
		ours = our_output(rs, &listings[i].opt);
		ok = same_text(listings[i].flags, theirs, ours) && ok;
		free(theirs);
		free(ours);
	}
	ruleset_free(rs);
	diags_fini(&ds);
	return ok;
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

static bool check_ruleset(const char *file)
{
	char command[8300];
	char *offline, *online, *theirs;
	bool loads, ok = true;
	int status;

	/* What makes nft fall over makes libnftables fall over in here: ask it first. */
	snprintf(command, sizeof(command), "nft -c -f '%s' >/dev/null 2>&1", file);
	status = system(command);
	if (status == -1 || WIFSIGNALED(status) || WEXITSTATUS(status) > 1) {
		printf("# nft crashes\n");
		return true;
	}
	online = capture(file, NFT_KERNEL_REAL);
	offline = capture(file, NFT_KERNEL_MODEL);
	snprintf(command, sizeof(command), "nft -f '%s' >/dev/null 2>&1", file);
	loads = system(command) == 0;
	if (!loads) {
		if (online)
			printf("# nft refuses it, we do not\n");
		ok = !online;
	} else {
		theirs = nft_output("");
		ok = same_text("captured, with a kernel", theirs, online) && ok;
		ok = same_text("captured, without", theirs, offline) && ok;
		free(theirs);
		ok = check_listings() && ok;
	}
	free(online);
	free(offline);
	printf("# %s\n", loads ? "loads" : "does not load");
	return ok;
}

static bool run_ruleset(const char *file, const json_t *devices)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			_exit(2);
		make_devices(devices);
		status = check_ruleset(file);
		fflush(stdout);
		_exit(status ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("top_srcdir"), *name;
	char file[8192];
	json_error_t error;
	json_t *manifest, *entry;
	size_t i, n = 0, failed = 0;

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
		if (run_ruleset(file, json_object_get(entry, "devices"))) {
			printf("ok %zu - %s\n", ++n, name);
		} else {
			printf("not ok %zu - %s\n", ++n, name);
			failed++;
		}
	}
	printf("1..%zu\n", n);
	json_decref(manifest);
	return failed ? 1 : 0;
}
