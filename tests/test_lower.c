/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden IR: testdata/lower/NAME.nft is a ruleset; NAME.batch the messages that nft 1.0.6 makes of
 * it, in hexadecimal, so that the test does not hang on the nft that is installed; NAME.ir what
 * lowering makes of them: blockers, then the IR.
 *
 * UPDATE_GOLDEN=1 writes .ir anew, and .batch (by the installed nft) where there is none; read the
 * difference. xtables.batch is what iptables-nft-restore and ip6tables-nft-restore 1.8.9 sent for the
 * files of these names beside it: nft has no words for them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler/lower.h"
#include "netlink/nfnl.h"

static const char *const names[] = {"blocked", "exthdr", "loads", "meta", "order", "sets",
				    "state",   "xtables"};

static const struct lower_options options = {.seed = 1, .named_sets = true, .jiffy_ms = 4};

static char *golden_path(const char *name, const char *ext)
{
	const char *top = getenv("top_srcdir");
	char *path;

	assert_true(asprintf(&path, "%s/testdata/lower/%s.%s", top ? top : ".", name, ext) > 0);
	return path;
}

static bool updating(void)
{
	return getenv("UPDATE_GOLDEN") != NULL;
}

static void write_file(const char *name, const char *ext, const char *text)
{
	AUTO_FREE char *path = golden_path(name, ext);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static char *read_file(const char *name, const char *ext)
{
	AUTO_FREE char *path = golden_path(name, ext);
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	if (getdelim(&text, &size, '\0', f) < 0)
		fail_msg("%s: nothing in it", path);
	fclose(f);
	return text;
}

static void print_diags(const struct diags *ds, FILE *out)
{
	const struct diag *d;

	list_for_each (d, &ds->list, node) {
		AUTO_FREE char *text = diag_format(d);

		fprintf(out, "# %s: %s\n", d->code, text);
	}
}

/* ---- batches as text ---- */

static char *batch_to_hex(const struct batch *b)
{
	char *text = NULL;
	size_t size, i;
	FILE *f = open_memstream(&text, &size);

	for (i = 0; i < b->len; i++)
		fprintf(f, "%02x%s", b->data[i], i % 48 == 47 || i + 1 == b->len ? "\n" : "");
	fclose(f);
	return text;
}

static struct batch batch_from_hex(const char *text)
{
	struct batch b = {.data = malloc(strlen(text) / 2 + 1)};
	unsigned int byte;

	for (; *text; text++) {
		if (*text == '\n')
			continue;
		assert_int_equal(sscanf(text, "%2x", &byte), 1);
		b.data[b.len++] = (uint8_t)byte;
		text++;
	}
	return b;
}

static struct batch capture(const char *name)
{
	AUTO_FREE char *path = golden_path(name, "nft");
	struct nft_input in = {
		.file = path,
		.kernel = NFT_KERNEL_MODEL,
		.out = stderr,
		.err = stderr,
	};
	struct batch b = {0};
	struct diags ds;

	diags_init(&ds);
	if (nft_capture(&in, &ds, &b)) {
		print_diags(&ds, stderr);
		fail_msg("%s: nft refused it", name);
	}
	diags_fini(&ds);
	return b;
}

static struct batch stored_batch(const char *name)
{
	AUTO_FREE char *text = read_file(name, "batch");

	return batch_from_hex(text);
}

static bool has_source(const char *name)
{
	AUTO_FREE char *path = golden_path(name, "nft");

	return access(path, F_OK) == 0;
}

/* ---- lowering ---- */

static struct ruleset *model_of(const struct batch *b)
{
	struct ruleset *rs = ruleset_new();
	struct diags ds;

	diags_init(&ds);
	if (apply_batch(rs, b, &ds)) {
		print_diags(&ds, stderr);
		fail_msg("the model refused the batch");
	}
	diags_fini(&ds);
	return rs;
}

/* Blockers, which chains are compiled, the IR. */
static char *lower_to_text(const struct ruleset *rs, uint32_t *ret_n_compiled)
{
	struct lower_result lr;
	struct diags ds;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	uint32_t i;

	diags_init(&ds);
	assert_int_equal(lower_ruleset(rs, &options, &ds, &lr), 0);
	print_diags(&ds, f);
	*ret_n_compiled = 0;
	for (i = 0; i < lr.n_chains; i++) {
		const struct lower_chain *lc = &lr.chains[i];

		*ret_n_compiled += lc->compiled;
		fprintf(f, "# %s %s %s: %s, %u blockers%s\n", family_name(lc->base->table->family),
			lc->base->table->name, lc->base->name, lc->compiled ? "compiled" : "left",
			lc->n_blockers, lc->mixed ? ", mixed" : "");
		assert_int_equal(lc->compiled, !lc->n_blockers);
	}
	{
		AUTO_FREE char *violation = ir_check(lr.ir);

		if (violation)
			fail_msg("%s", violation);
	}
	ir_print(lr.ir, f);
	fclose(f);
	lower_result_fini(&lr);
	diags_fini(&ds);
	return text;
}

/* The printed form is read back and printed the same. */
static void check_round_trip(const char *name, const char *text)
{
	const char *start = text;
	struct diags ds;
	struct ir CLEANUP(ir_freep) *ir = NULL;
	AUTO_FREE char *again = NULL;

	while (*start == '#')
		start = strchr(start, '\n') + 1;
	diags_init(&ds);
	if (ir_parse(start, strlen(start), name, &ds, &ir)) {
		print_diags(&ds, stderr);
		fail_msg("%s: the IR is not read back", name);
	}
	again = ir_to_text(ir);
	assert_string_equal(again, start);
	diags_fini(&ds);
}

static void test_golden(void **state)
{
	const char *name = *state;
	struct batch b;
	struct ruleset CLEANUP(ruleset_freep) *rs = NULL, CLEANUP(ruleset_freep) *now = NULL;
	AUTO_FREE char *hex = NULL, *want = NULL, *got = NULL, *got_now = NULL;
	uint32_t n, n_now;

	b = has_source(name) ? capture(name) : stored_batch(name);
	now = model_of(&b);
	got_now = lower_to_text(now, &n_now);
	if (updating()) {
		AUTO_FREE char *path = golden_path(name, "batch");

		hex = batch_to_hex(&b);
		if (access(path, F_OK))
			write_file(name, "batch", hex);
		write_file(name, "ir", got_now);
	}
	batch_fini(&b);
	b = stored_batch(name);
	rs = model_of(&b);
	batch_fini(&b);
	got = lower_to_text(rs, &n);
	want = read_file(name, "ir");
	assert_string_equal(got, want);
	check_round_trip(name, got);
	/* Another nft may write other expressions, but not such that less can be compiled. */
	assert_int_equal(n_now, n);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(names)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = test_golden,
			.initial_state = (void *)names[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
