/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys of code (compiler/emit/key.c), field by field: each field of each kind of node of an optimised IR
 * is changed, one at a time. Then the key is another one, or the code is the same. (tests/test_key.c
 * changes texts at random.) A field is tried in so many nodes of each kind: TEST_KEY_NODES.
 *
 * Each try is a process of its own: what the key or the emitter does with a field out of its range is its
 * own matter, but the emitter must not be the first to notice.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler/lower.h"
#include "compiler/opt/opt.h"
#include "compiler/set_table.h"
#include "netlink/nfnl.h"

#include "key_code.h"
#include "key_fields.h"

/* ---- keys and code ---- */

/* As runtime/plan.c does; tables are made of what is in the IR now. NULL: no code for it. */
static void *make_key(struct ir *ir, size_t *ret_len)
{
	const struct set_table *t;
	char *why = NULL;

	for (uint32_t i = 0; i < ir->n_sets; i++)
		set_table_free(ir->sets[i]);
	for (uint32_t i = 0; i < ir->n_chains; i++)
		for (uint32_t k = 0; k < ir->chains[i]->n_rules; k++)
			if (ir_rule_is_dispatch(&ir->chains[i]->rules[k]))
				ir->chains[i]->rules[k].steps[ir->chains[i]->rules[k].n_steps - 1]
					.dispatch->table = NULL;
	for (uint32_t i = 0; i < ir->n_sets; i++)
		if (set_table_get(ir, ir->sets[i], &t, &why))
			return NULL;
	set_tables_place(ir);
	return emit_key(ir, &key_options, ret_len);
}

enum { OTHER_KEY = 40, SAME_CODE, OTHER_CODE, NO_CODE }; /* exit statuses of nobody else's */

static int try_field(struct ir *ir, const struct field *f, const void *key, size_t len,
		     const struct emitted *code)
{
	struct emitted e = {0};
	const char *section;
	size_t other_len;
	void *other;

	change(f);
	other = make_key(ir, &other_len);
	if (!other || other_len != len || memcmp(other, key, len) != 0)
		return OTHER_KEY;
	if (!key_compile(ir, &key_options, &e))
		return NO_CODE;
	section = key_other_section(code, &e);
	if (section)
		fprintf(stderr, "# section \"%s\" is another one\n", section);
	return section ? OTHER_CODE : SAME_CODE;
}

/* One that makes the key fail is in it. */
static int try_in_child(struct ir *ir, const struct field *f, const void *key, size_t len,
			const struct emitted *code)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit none = {0, 0}, few = {1ul << 32, 1ul << 32}, s = {20, 20};

		signal(SIGSEGV, SIG_DFL); /* cmocka would go on with its tests */
		signal(SIGABRT, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		signal(SIGFPE, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		setrlimit(RLIMIT_AS, &few);
		setrlimit(RLIMIT_CPU, &s);
		_exit(try_field(ir, f, key, len, code));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return OTHER_KEY;
	assert_in_range(WEXITSTATUS(status), OTHER_KEY, NO_CODE);
	return WEXITSTATUS(status);
}

/* ---- the test ---- */

static char *path_of(const char *name)
{
	const char *top = getenv("top_srcdir");
	char *path = NULL;

	assert_true(asprintf(&path, "%s/testdata/%s", top ? top : ".", name) > 0);
	return path;
}

static struct ruleset *read_ruleset(const char *name)
{
	char *path = path_of(name);
	struct nft_input in = {
		.file = path, .kernel = NFT_KERNEL_MODEL, .out = stderr, .err = stderr};
	struct ruleset *rs = ruleset_new();
	struct batch b = {0};
	struct diags ds;

	diags_init(&ds);
	assert_int_equal(nft_capture(&in, &ds, &b), 0);
	assert_int_equal(apply_batch(rs, &b, &ds), 0);
	batch_fini(&b);
	diags_fini(&ds);
	free(path);
	return rs;
}

static struct ir *lower(const struct ruleset *rs, struct lower_result *ret)
{
	const struct lower_options opt = {.named_sets = true, .dynamic_sets = true, .seed = 1};
	const struct opt_options passes = {.seed = 1, .least_alike = 2};
	struct diags ds;

	diags_init(&ds);
	assert_int_equal(lower_ruleset(rs, &opt, &ds, ret), 0);
	diags_fini(&ds);
	opt_run(ret->ir, &passes);
	return ret->ir;
}

/* How often a field like it was tried. */
static bool is_enough(const struct field *f, uint32_t most)
{
	static struct {
		const char *node, *name;
		uint32_t kind, n;
	} tried[8192];
	uint32_t i = 0;

	for (; tried[i].node; i++)
		if (tried[i].kind == f->kind && strcmp(tried[i].node, f->node) == 0 &&
		    strcmp(tried[i].name, f->name) == 0)
			return ++tried[i].n > most;
	assert_true(i + 1 < ARRAY_SIZE(tried));
	tried[i].node = f->node;
	tried[i].name = f->name;
	tried[i].kind = f->kind;
	tried[i].n = 1;
	return false;
}

static void test_fields(void **state)
{
	const char *most = getenv("TEST_KEY_NODES");
	struct ruleset *rs = read_ruleset("key/kinds.nft");
	struct lower_result lowered;
	struct ir *ir = lower(rs, &lowered);
	uint32_t counts[NO_CODE + 1] = {0}, wrong = 0;
	struct emitted code = {0};
	size_t len;
	void *key = make_key(ir, &len);

	(void)state;
	assert_non_null(key);
	assert_true(key_compile(ir, &key_options, &code));
	assert_true(ir->n_templates > 0 && ir->n_dispatches > 0 && ir->n_parts > 0);
	add_all(ir);
	for (uint32_t i = 0; i < n_fields; i++) {
		const struct field *f = &fields[i];
		int is;

		if (is_enough(f, most ? (uint32_t)strtoul(most, NULL, 0) : 1))
			continue;
		is = try_in_child(ir, f, key, len, &code);
		counts[is]++;
		if (is == SAME_CODE && getenv("TEST_KEY_VERBOSE"))
			fprintf(stderr, "# %s.%s of kind %u changes nothing\n", f->node, f->name, f->kind);
		if (is == OTHER_KEY || is == SAME_CODE)
			continue;
		wrong++;
		fprintf(stderr, "# %s.%s of kind %u: the key is the same, the code %s\n", f->node, f->name,
			f->kind, is == NO_CODE ? "fails" : "is not");
	}
	print_message("of %u fields %u changed the key, %u changed nothing\n", n_fields,
		      counts[OTHER_KEY], counts[SAME_CODE]);
	assert_int_equal(wrong, 0);
	emitted_fini(&code);
	free(key);
	lower_result_fini(&lowered);
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
