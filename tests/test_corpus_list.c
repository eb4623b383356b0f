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
 * usage: test_corpus_list [FILE]
 */
#include "corpus.h"

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

/*
 * libnftables 1.0.6 takes the flags of a table in JSON from memory that it has freed
 * (table_flags_json()): what they read depends on the process, and all ends there where that is no
 * UTF-8. So it is compared up to there; the other listings have the rest.
 */
static void cut_at_table_flags(char *json)
{
	static const char table[] = "{\"table\": {\"family\"", flags[] = ", \"flags\": ";
	char *p = json, *end, *at;

	while (p && (p = strstr(p, table))) {
		end = strchr(p, '}');
		at = strstr(p, flags);
		if (at && (!end || at < end))
			*at = '\0';
		p += strlen(table);
	}
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
		if (listings[i].opt.json) {
			cut_at_table_flags(theirs);
			cut_at_table_flags(ours);
		}
		ok = same_text(listings[i].flags, theirs, ours) && ok;
		free(theirs);
		free(ours);
	}
	ruleset_free(rs);
	diags_fini(&ds);
	return ok;
}

static bool check_ruleset(const char *file)
{
	char *offline, *online, *theirs;
	bool loads, ok = true;

	/* What makes nft fall over makes libnftables fall over in here: ask it first. */
	if (nft_load("-c", file) > 1) {
		printf("# nft crashes\n");
		return true;
	}
	online = capture(file, NFT_KERNEL_REAL);
	offline = capture(file, NFT_KERNEL_MODEL);
	loads = nft_load("", file) == 0;
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

int main(int argc, char **argv)
{
	return corpus_run(argc, argv, check_ruleset);
}
