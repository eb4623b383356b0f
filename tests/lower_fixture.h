/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of lowering: a ruleset of one base chain, and what becomes of its rules.
 */
#ifndef NFT_BPF_TESTS_LOWER_FIXTURE_H
#define NFT_BPF_TESTS_LOWER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "compiler/lower.h"
#include "tests/lower_build.h"

enum { NH = NFT_PAYLOAD_NETWORK_HEADER, TH = NFT_PAYLOAD_TRANSPORT_HEADER };

struct fixture {
	struct ruleset *rs;
	struct table *t;
	struct chain *c; /* base, input */
	struct nla_buf b;
	struct lower_options opt;
	struct lower_result lr;
	struct diags ds;
	char *text;
};

UNUSED static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->rs = ruleset_new();
	f->t = table_new(f->rs, NFPROTO_IPV4, "t");
	f->c = base_add(f->t, "c", NF_INET_LOCAL_IN, 0);
	*state = f;
	return 0;
}

UNUSED static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->lr.ir) {
		lower_result_fini(&f->lr);
		diags_fini(&f->ds);
	}
	ruleset_free(f->rs);
	free(f->text);
	free(f);
	return 0;
}

UNUSED static void lower_it(struct fixture *f)
{
	diags_init(&f->ds);
	assert_int_equal(lower_ruleset(f->rs, &f->opt, &f->ds, &f->lr), 0);
	{
		AUTO_FREE char *violation = ir_check(f->lr.ir);

		if (violation)
			fail_msg("%s", violation);
	}
}

/* The steps of rule @index of the chain, one a line. */
UNUSED static const char *steps_of(struct fixture *f, const char *chain, uint32_t index)
{
	const struct ir_chain *c = ir_chain_find(f->lr.ir, NFPROTO_IPV4, f->t->family, "t", chain);
	const struct ir_rule *r;
	size_t size;
	FILE *out;
	uint32_t i;

	assert_non_null(c);
	assert_true(index <= c->n_rules);
	r = &c->rules[index - 1];
	free(f->text);
	f->text = NULL;
	out = open_memstream(&f->text, &size);
	if (r->never)
		fputs("never", out);
	for (i = 0; i < r->n_steps; i++) {
		fprintf(out, "%s%u: ", i ? "\n" : "", r->steps[i].expr);
		ir_step_print(&r->steps[i], out);
	}
	fclose(out);
	return f->text;
}

static const char *only_blocker_of(const struct lower_result *lr, uint32_t chain)
{
	assert_false(lr->chains[chain].compiled);
	assert_int_equal(lr->chains[chain].n_blockers, 1);
	return lr->chains[chain].blockers[0]->code;
}

UNUSED static const char *only_blocker(struct fixture *f)
{
	assert_int_equal(f->ds.count[DIAG_BLOCKER], 1);
	assert_int_equal(f->lr.ir->n_progs, 0);
	assert_int_equal(f->lr.ir->n_chains, 0);
	return only_blocker_of(&f->lr, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
