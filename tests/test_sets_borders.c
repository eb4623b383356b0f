/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of each shape, from none to 100,000 elements, compiled and run by the kernel on keys at the
 * borders of elements: first, last, before, behind, between. The element hit is known from how the
 * set was made, so the evaluator is compared with it, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <linux/netfilter.h>
#include <unistd.h>

#include "bpf_run.h"
#include "compiler/ir_eval.h"
#include "compiler/set_table.h"

enum {
	MAC = 14,
	KEY = 20, /* of the network header, behind which the key stands */
	FRAME = MAC + KEY + 64,
	PROBES = 400, /* elements looked at */
};

/* Key bytes of an element: ordinal @i of a set whose elements are @step apart. */
struct shape {
	const char *name;
	uint16_t width;
	bool intervals, ranged, is_mutable;
};

static const struct shape shapes[] = {
	{"points of 2 bytes", 2, .is_mutable = true},
	{"points of 4 bytes", 4},
	{"points of 4 bytes, mutable", 4, .is_mutable = true},
	{"points of 16 bytes", 16},
	{"points of 40 bytes", 40},
	{"intervals of 4 bytes", 4, .intervals = true},
	{"intervals of 6 bytes", 6, .intervals = true, .is_mutable = true},
	{"intervals of 16 bytes", 16, .intervals = true},
	{"boxes of 4 . 4 bytes", 8, .intervals = true, .ranged = true},
};

/* Elements are 16 apart in the key's upper 4 bytes (2 where there are no more): [16 i + 3, 16 i + 9]. */
static void put_key(uint8_t *key, const struct shape *s, uint32_t v, uint8_t fill)
{
	uint32_t n = MIN(s->width, 4u);

	memset(key, fill, s->width);
	for (uint32_t b = 0; b < n; b++)
		key[b] = (uint8_t)(v >> 8 * (n - 1 - b));
}

static struct ir_set *make_set(struct ir *ir, const struct shape *s, size_t n)
{
	struct ir_set *set = ir_set_new(ir, "s");

	set->width = s->width;
	set->intervals = s->intervals;
	set->ranged = s->ranged;
	set->is_mutable = s->is_mutable;
	set->n_fields = s->ranged ? 2 : 1;
	set->field_width = arena_alloc(ir->arena, 2);
	set->field_width[0] = (uint8_t)(s->ranged ? 4 : s->width);
	set->field_width[1] = 4;
	set->elems = arena_alloc(ir->arena, (n + 1) * sizeof(*set->elems));
	for (size_t i = 0; i < n; i++) {
		uint8_t *lo = arena_alloc(ir->arena, s->width), *hi = lo;

		put_key(lo, s, (uint32_t)(16 * i + 3), 0);
		if (s->intervals) {
			hi = arena_alloc(ir->arena, s->width);
			put_key(hi, s, (uint32_t)(16 * i + 9), s->ranged ? 1 : 0xff);
		}
		set->elems[i] = (struct ir_elem){.lo = lo, .hi = hi};
	}
	set->n_elems = n;
	return set;
}

/* One program: in the set, drop. */
static struct ir *make_ir(const struct shape *s, size_t n)
{
	uint64_t param[IR_LEAF_PARAMS] = {KEY};
	struct ir *ir = ir_new();
	struct ir_chain *c = ir_chain_new(ir, NFPROTO_IPV4, NFPROTO_IPV4, "t", "c");
	struct ir_step *st = arena_alloc(ir->arena, 2 * sizeof(*st));
	struct ir_prog *p = ir_prog_new(ir);

	st[0] = (struct ir_step){.kind = IR_GUARD, .guard = IR_IN, .set = make_set(ir, s, n)};
	st[0].sel = ir_leaf(ir, ir_leaf_find("load nh"), s->width, param);
	st[1] = (struct ir_step){.kind = IR_VERDICT, .verdict.code = IR_DROP};
	c->lowered = c->is_base = true;
	c->hook = NF_INET_LOCAL_IN;
	c->policy = NF_ACCEPT;
	c->rules = ARENA_NEW(ir->arena, struct ir_rule);
	c->rules[0] = (struct ir_rule){.chain = c, .index = 1, .steps = st, .n_steps = 2};
	c->n_rules = 1;
	*p = (struct ir_prog){.name = "sets", .pf = NFPROTO_IPV4, .hook = NF_INET_LOCAL_IN};
	p->bases = ARENA_NEW(ir->arena, struct ir_chain *);
	p->bases[0] = c;
	p->n_bases = 1;
	return ir;
}

/* @v: the key's upper part; where an interval begins or ends, @fill says what comes behind it. */
static void probe(struct bpf_run *run, struct ir *ir, const struct shape *s, size_t n, uint32_t v,
		  uint8_t fill)
{
	uint8_t frame[FRAME] = {[12] = 0x08, [MAC] = 0x45, [MAC + 3] = FRAME - MAC, [MAC + 9] = 253};
	struct ir_env env = {.pf = NFPROTO_IPV4, .hook = NF_INET_LOCAL_IN, .data = frame + MAC,
			     .len = FRAME - MAC, .protocol = 0x0800};
	uint32_t in = v & 15, bits = s->width < 4 ? 16 : 32;
	bool hit = v >> 4 < n && (s->intervals ? in >= 3 && in <= 9 : in == 3 && fill == 0);
	int expected, got;

	if (bits == 16 && v > 0xffff)
		return;
	/* What is behind counts at the upper end of an interval, and in a box of its own. */
	if (s->ranged)
		hit &= fill <= 1;
	put_key(frame + MAC + KEY, s, v, fill);
	expected = hit ? NF_DROP : NF_ACCEPT;
	got = bpf_run_packet(run, "sets", NFPROTO_IPV4, NF_INET_LOCAL_IN, frame, FRAME, 1, NULL);
	if (got != expected || ir_eval_prog(&ir->progs[0], &env) != expected)
		print_message("%s, %zu elements: key %u, %u: BPF %d, expected %d\n", s->name, n, v,
			      fill, got, expected);
	assert_int_equal(got, expected);
	assert_int_equal(ir_eval_prog(&ir->progs[0], &env), expected);
}

static void probe_all(struct bpf_run *run, struct ir *ir, const struct shape *s, size_t n)
{
	static const uint8_t places[] = {0, 2, 3, 4, 6, 9, 10, 15};
	size_t step = MAX(n / PROBES, (size_t)1);

	for (size_t i = 0; i <= n; i = i + step > n && i < n ? n : i + step)
		for (size_t k = 0; k < ARRAY_SIZE(places); k++) {
			probe(run, ir, s, n, (uint32_t)(16 * i + places[k]), 0);
			if (s->width > 4)
				probe(run, ir, s, n, (uint32_t)(16 * i + places[k]), s->ranged ? 2 : 1);
		}
	probe(run, ir, s, n, UINT32_MAX, 0);
}

static void test_shape(const struct shape *s, size_t n)
{
	const struct emit_options options = {.cpus = 2};
	const struct emit_backend *be;
	struct ir *ir = make_ir(s, n);
	struct emitted e = {0};
	struct bpf_run run;
	struct diags ds;
	int err;

	diags_init(&ds);
	be = emit_open(&ds);
	assert_non_null(be);
	assert_null(ir_check(ir));
	assert_int_equal(be->compile(ir, &options, &ds, &e), 0);
	err = bpf_run_load(&run, &e, 0);
	if (err == -EPERM && geteuid() != 0)
		skip();
	assert_int_equal(err, 0);
	probe_all(&run, ir, s, n);
	bpf_run_fini(&run);
	emitted_fini(&e);
	diags_fini(&ds);
	ir_free(ir);
}

static void test_borders(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 64, 65, 1000, 4095, 20000, 100000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		for (size_t k = 0; k < ARRAY_SIZE(sizes); k++)
			if (shapes[i].width >= 4 || sizes[k] <= 4095)
				test_shape(&shapes[i], sizes[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_borders)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
