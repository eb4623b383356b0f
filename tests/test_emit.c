/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emission: random decision lists, compiled, loaded, and run on packets by the kernel, decide and
 * count as the evaluator does. Without the right to load programs only compilation is tested.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "bpf_run.h"
#include "compiler/opt/opt.h"
#include "ir_families.h"
#include "ir_random.h"

enum { CPUS = 2 };

static const struct emit_options options = {.cpus = CPUS};

static void show(struct diags *ds)
{
	struct diag *d;

	list_for_each(d, &ds->list, node) {
		char *text = diag_format(d);

		print_message("%s\n", text);
		free(text);
	}
}

static struct emitted compile(const struct ir *ir)
{
	struct diags ds;
	struct emitted e = {0};
	const struct emit_backend *be;
	int err;

	diags_init(&ds);
	be = emit_open(&ds);
	show(&ds);
	assert_non_null(be);
	err = be->compile(ir, &options, &ds, &e);
	show(&ds);
	assert_int_equal(err, 0);
	diags_fini(&ds);
	return e;
}

static uint32_t n_parts; /* of programs that were split, behind the first of each */

static bool load(struct bpf_run *run, const struct emitted *e, const struct ir *ir)
{
	struct bpf_program *prog;
	int err = bpf_run_load(run, e, 1);
	uint32_t n = 0;

	if (err == -EPERM) {
		print_message("programs cannot be loaded here: only compiled\n");
		return false;
	}
	if (err) {
		size_t len = strlen(run->log);

		/* print_message() cuts. */
		fprintf(stderr, "%s\n", run->log + (len > 3000 ? len - 3000 : 0));
	}
	assert_int_equal(err, 0);
	assert_false(bpf_run_warned);
	bpf_object__for_each_program(prog, run->obj)
		n++;
	n_parts += n - ir->n_progs;
	return true;
}

/* ---- random lists ---- */

static void compare_packets(struct rnd *r, struct bpf_run *run, uint8_t hook)
{
	uint64_t (*counted)[2] = calloc(r->ir->n_counters + 1, sizeof(*counted));
	struct ir_env state, env;
	unsigned int n_bad = 0;

	assert_int_equal(ir_env_init_state(&state, r->ir), 0);
	for (uint32_t i = 0; i < RND_PACKETS; i++) {
		const struct rnd_packet *p = &r->packets[i];
		bool out = hook == NF_INET_LOCAL_OUT;
		int expected, verdict;

		rnd_env(r, p, hook, &env);
		if (out)
			env.mac_len = 0;
		env.shared = state.shared;
		env.elems = state.elems;
		env.counters = state.counters;
		expected = ir_eval_prog(&r->ir->progs[0], &env);
		verdict = bpf_run_packet(run, "random", r->pf, hook,
					 out ? p->frame + RND_MAC : p->frame,
					 out ? p->len - RND_MAC : p->len, 1, NULL);
		if (verdict != expected)
			print_message("packet %u\n", i);
		assert_int_equal(verdict, expected);
		assert_int_equal(bpf_run_counters(run, r->ir, CPUS, counted), 0);
		for (uint32_t k = 0; k < r->ir->n_counters; k++) {
			if (counted[k][0] == state.counters[k].packets &&
			    counted[k][1] == state.counters[k].bytes)
				continue;
			print_message("packet %u, counter %u: %lu packets, %lu bytes\n", i, k,
				      (unsigned long)counted[k][0], (unsigned long)counted[k][1]);
			n_bad++;
		}
		assert_int_equal(n_bad, 0);
	}
	ir_env_fini_state(&state);
	free(counted);
}

static void dump(const struct rnd *r)
{
	char path[] = "/tmp/test_emit.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		return;
	ir_print(r->ir, f);
	fclose(f);
	print_message("the list is in %s\n", path);
}

static struct rnd *shown; /* when a test fails */

static void run_random(uint64_t seed, uint8_t pf, uint8_t hook, uint32_t n_bases, uint32_t n_chains,
		       uint32_t n_rules)
{
	struct rnd *r = calloc(1, sizeof(*r));
	struct bpf_run run;
	struct emitted e;
	char *bad;

	r->x = 0x9e3779b97f4a7c15ull * (seed + 1);
	r->pf = pf;
	shown = r;
	rnd_program(r, hook, n_bases, n_chains, n_rules);
	bad = ir_check(r->ir);
	if (bad)
		print_message("seed %lu: %s\n", (unsigned long)seed, bad);
	assert_null(bad);
	e = compile(r->ir);
	if (load(&run, &e, r->ir))
		compare_packets(r, &run, hook);
	bpf_run_fini(&run);
	emitted_fini(&e);
	shown = NULL;
	ir_free(r->ir);
	free(r);
}

static int show_failed(void **state)
{
	(void)state;
	if (shown)
		dump(shown);
	shown = NULL;
	return 0;
}

static uint64_t n_seeds(uint64_t n)
{
	const char *factor = getenv("TEST_EMIT_FACTOR");

	return factor ? n * strtoul(factor, NULL, 10) : n;
}

static void test_one_chain(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < n_seeds(8); seed++) {
		run_random(seed, NFPROTO_IPV4, NF_INET_LOCAL_IN, 1, 0, 30);
		run_random(seed, NFPROTO_IPV6, NF_INET_LOCAL_IN, 1, 0, 30);
	}
}

static void test_chains(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 100 + n_seeds(8); seed++) {
		run_random(seed, NFPROTO_IPV4, NF_INET_FORWARD, 1, 8, 8);
		run_random(seed, NFPROTO_IPV6, NF_INET_PRE_ROUTING, 1, 8, 8);
	}
}

static void test_bases(void **state)
{
	(void)state;
	for (uint64_t seed = 200; seed < 200 + n_seeds(6); seed++)
		run_random(seed, NFPROTO_IPV4, NF_INET_POST_ROUTING, 3, 6, 6);
}

static void test_output(void **state)
{
	(void)state;
	for (uint64_t seed = 300; seed < 300 + n_seeds(3); seed++)
		run_random(seed, NFPROTO_IPV6, NF_INET_LOCAL_OUT, 1, 4, 10);
}

static void test_parts(void **state)
{
	(void)state;
	for (uint64_t seed = 400; seed < 400 + n_seeds(2); seed++)
		run_random(seed, NFPROTO_IPV4, NF_INET_LOCAL_IN, 2, 2, 90);
}

/* The same in programs that go on in each other. */
static void test_tails(void **state)
{
	static const char *const sizes[] = {"1500", "6000"};

	(void)state;
	n_parts = 0;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		setenv("NFT_BPF_SPLIT", sizes[i], 1);
		for (uint64_t seed = 500; seed < 500 + n_seeds(4); seed++) {
			run_random(seed, NFPROTO_IPV4, NF_INET_LOCAL_IN, 3, 6, 6);
			run_random(seed, NFPROTO_IPV6, NF_INET_FORWARD, 1, 8, 8);
		}
	}
	unsetenv("NFT_BPF_SPLIT");
	print_message("%u parts\n", n_parts);
	assert_true(n_parts > 20 || geteuid() != 0);
}

/* ---- chains of the same shape: the model with each one's record ---- */

static struct ir *parse(const char *text);

static char *make_families(void)
{
	struct writer l = {0};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	l.out = open_memstream(&l.text, &l.size);
	l.sets_out = open_memstream(&l.sets, &l.sets_size);
	put_families(&l);
	fclose(l.out);
	fclose(l.sets_out);
	fputs("ir 1\n", out);
	for (uint32_t i = 0; i < l.n_states; i++)
		fprintf(out, "state #%u (counter)\n", i);
	fprintf(out,
		"%s%schain v4 ip t a base hook forward priority 0 policy accept {\n"
		"rule 1 handle 1 { 0: verdict jump families }\n"
		"rule 2 handle 2 { 0: guard eq (load nh 12 1) 0x0a 1: verdict drop }\n}\n"
		"prog random v4 hook forward priority 0 { (v4 ip t a) }\n",
		l.sets, l.text);
	fclose(out);
	free(l.text);
	free(l.sets);
	return text;
}

static void family_packet(struct rnd_packet *p)
{
	uint8_t *ip = p->frame + RND_MAC;

	make_bytes(p->frame, sizeof(p->frame));
	p->len = RND_MAC + 44;
	p->frame[12] = 8;
	p->frame[13] = 0;
	ip[0] = 0x45;
	ip[2] = 0;
	ip[3] = 44;
	ip[6] = ip[7] = 0;
	ip[9] = rnd(2) ? 6 : 17;
	ip[19] = (uint8_t)rnd(256); /* which chain */
	ip[21] = (uint8_t)rnd(256);
}

static void test_families(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < n_seeds(12); seed++) {
		struct rnd *r = calloc(1, sizeof(*r));
		AUTO_FREE char *text = NULL;
		struct bpf_run run = {0};
		struct emitted e;

		rng = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
		r->pf = NFPROTO_IPV4;
		r->x = rng;
		text = make_families();
		r->ir = parse(text);
		opt_run(r->ir, &(struct opt_options){.seed = rng, .least_alike = 2});
		shown = r;
		for (uint32_t i = 0; i < RND_PACKETS; i++)
			family_packet(&r->packets[i]);
		e = compile(r->ir);
		if (load(&run, &e, r->ir))
			compare_packets(r, &run, NF_INET_FORWARD);
		bpf_run_fini(&run);
		emitted_fini(&e);
		shown = NULL;
		ir_free(r->ir);
		free(r);
	}
}

/* ---- messages ---- */

static bool eval_nothing(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	(void)sel;
	(void)env;
	(void)out;
	return false;
}

static const struct ir_leaf leaf_without_helper IR_LEAF_TABLE = {
	.name = "test nothing",
	.helper = "test_nothing",
	.width = 4,
	.eval = eval_nothing,
};

static struct ir *parse(const char *text)
{
	struct diags ds;
	struct ir *ir;

	diags_init(&ds);
	if (ir_parse(text, strlen(text), "test", &ds, &ir)) {
		show(&ds);
		fail();
	}
	diags_fini(&ds);
	return ir;
}

static void test_missing_helper(void **state)
{
	struct ir *ir = parse("ir 1\nchain v4 ip t c base hook input priority 0 policy accept {\n"
			      "rule 3 handle 9 {\n0: guard eq (test nothing) 0x00000001\n}\n}\n"
			      "prog p v4 hook input priority 0 { (v4 ip t c) }\n");
	struct emitted e = {0};
	struct diags ds;
	struct diag *d;

	(void)state;
	diags_init(&ds);
	assert_int_equal(emit_open(&ds)->compile(ir, &options, &ds, &e), -ENOSYS);
	assert_null(e.object);
	assert_int_equal(ds.count[DIAG_ERROR], 1);
	d = list_entry(ds.list.next, struct diag, node);
	assert_string_equal(d->code, "helper-missing");
	assert_string_equal(d->text, "test nothing: no BPF helper nb_test_nothing");
	assert_string_equal(d->at.chain, "c");
	assert_int_equal(d->at.rule, 3);
	diags_fini(&ds);
	ir_free(ir);
}

/* The texts, and that an instruction's line is its rule. */
static void test_texts(void **state)
{
	struct ir *ir = parse("ir 1\nchain v4 inet t c base hook input priority 0 policy accept {\n"
			      "rule 7 handle 9 {\n0: guard eq (load nh 12 4) 0x0a000001\n"
			      "1: verdict drop\n}\n}\n"
			      "prog p v4 hook input priority 0 { (v4 inet t c) }\n");
	struct emit_options opt = {.cpus = CPUS, .want_llvm = true, .want_asm = true};
	struct emitted e = {0};
	struct bpf_run run;
	struct diags ds;

	(void)state;
	diags_init(&ds);
	assert_int_equal(emit_open(&ds)->compile(ir, &opt, &ds, &e), 0);
	assert_non_null(strstr(e.llvm, "define i32 @p("));
	assert_non_null(strstr(e.assembly, "167772161"));
	if (bpf_run_load(&run, &e, 2) == 0)
		assert_non_null(strstr(run.log, "@ inet t c:7"));
	bpf_run_fini(&run);
	emitted_fini(&e);
	diags_fini(&ds);
	ir_free(ir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_one_chain, show_failed),
		cmocka_unit_test_teardown(test_chains, show_failed),
		cmocka_unit_test_teardown(test_bases, show_failed),
		cmocka_unit_test_teardown(test_output, show_failed),
		cmocka_unit_test_teardown(test_parts, show_failed),
		cmocka_unit_test_teardown(test_tails, show_failed),
		cmocka_unit_test_teardown(test_families, show_failed),
		cmocka_unit_test(test_missing_helper),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
