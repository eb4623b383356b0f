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

#include "compiler/dispatch.h"
#include "compiler/lower.h"
#include "compiler/opt/opt.h"
#include "compiler/set_table.h"
#include "compiler/template.h"
#include "netlink/nfnl.h"

#include "key_code.h"

/* ---- fields ---- */

enum how {
	NUMBER,	 /* one more */
	FAR,	 /* many more: lines of line info do not become one */
	FLAG,	 /* the other one */
	BYTES,	 /* points to others: the last byte differs */
	POINTER, /* to what .other says */
};

struct field {
	const char *node, *name;
	uint32_t kind; /* of the node */
	enum how how;
	void *at;
	uint32_t size; /* of a number; of bytes */
	const void *other;
};

static struct field fields[1 << 17];
static uint32_t n_fields;

static void add(const char *node, const char *name, uint32_t kind, enum how how, const void *at,
		uint32_t size, const void *other)
{
	assert_true(n_fields < ARRAY_SIZE(fields));
	fields[n_fields++] = (struct field){node, name, kind, how, (void *)at, size, other};
}

#define NUM(node, kind, p, member) \
	add(node, #member, kind, NUMBER, &(p)->member, sizeof((p)->member), NULL)
#define BOOL(node, kind, p, member) add(node, #member, kind, FLAG, &(p)->member, 1, NULL)
#define TO(node, kind, p, member, other) add(node, #member, kind, POINTER, &(p)->member, 0, other)
#define STRING(node, kind, p, member, n)                                                           \
	do {                                                                                       \
		if ((p)->member)                                                                   \
			add(node, #member, kind, BYTES, &(p)->member, n, NULL);                    \
	} while (0)

static void change(const struct field *f)
{
	uint8_t *bytes;

	switch (f->how) {
	case NUMBER:
		/* Little endian, as all that is loaded here. */
		for (uint32_t i = 0; i < f->size && !++((uint8_t *)f->at)[i]; i++)
			;
		break;
	case FAR:
		*(uint32_t *)f->at += 100000;
		break;
	case FLAG:
		*(bool *)f->at = !*(bool *)f->at;
		break;
	case BYTES:
		bytes = malloc(f->size + 1);
		memcpy(bytes, *(uint8_t **)f->at, f->size);
		bytes[f->size] = 0;
		bytes[f->size - 1] ^= 1;
		*(uint8_t **)f->at = bytes;
		break;
	case POINTER:
		*(const void **)f->at = f->other;
		break;
	}
}

/* ---- nodes: @kind 0 of a field that says nothing of code ---- */

static struct {
	bool sel[1 << 16], dispatch[1 << 12];
} seen;

static const struct ir_chain *other_chain(const struct ir *ir, const struct ir_chain *c)
{
	for (uint32_t i = 0; i < ir->n_chains; i++)
		if (c && ir->chains[i] != c && ir->chains[i]->pf == c->pf && !ir->chains[i]->is_base)
			return ir->chains[i];
	return c;
}

static const struct ir_set *other_set(const struct ir *ir, const struct ir_set *s)
{
	for (uint32_t i = 0; i < ir->n_sets; i++)
		if (ir->sets[i] != s && ir->sets[i]->width == s->width &&
		    ir->sets[i]->kind == s->kind)
			return ir->sets[i];
	return s;
}

static const struct ir_state *other_state(const struct ir *ir, const struct ir_state *st)
{
	for (uint32_t i = 0; i < ir->n_states; i++)
		if (ir->states[i] != st && ir->states[i]->op == st->op &&
		    ir->states[i]->in_elem == st->in_elem)
			return ir->states[i];
	return st;
}

static const struct ir_sel *other_sel(const struct ir_sel *s)
{
	struct ir_sel *other = malloc(sizeof(*other));

	*other = *s;
	if (other->op == IR_LEAF)
		other->param[0] ^= 1;
	else
		other->op = other->op == IR_CONST ? IR_CONST : IR_XOR;
	return other;
}

static void add_verdict(const struct ir *ir, const char *node, uint32_t kind, struct ir_verdict *v)
{
	NUM(node, kind, v, code);
	if (v->chain)
		TO(node, kind, v, chain, other_chain(ir, v->chain));
}

static void add_sel(const struct ir *ir, struct ir_sel *s)
{
	uint32_t kind = s->op;

	if (s->id >= ARRAY_SIZE(seen.sel) || seen.sel[s->id])
		return;
	seen.sel[s->id] = true;
	NUM("sel", kind, s, op);
	NUM("sel", kind, s, width);
	BOOL("sel", kind, s, partial);
	BOOL("sel", kind, s, impure);
	NUM("sel", kind, s, id);
	NUM("sel", 0, s, size);
	switch (s->op) {
	case IR_CONST:
		STRING("sel", kind, s, bytes, s->width);
		break;
	case IR_LEAF:
		for (uint32_t i = 0; i < IR_LEAF_PARAMS; i++)
			NUM("sel", kind + 100 * i, s, param[i]);
		if (s->state)
			TO("sel", kind, s, state, other_state(ir, s->state));
		TO("sel", kind, s, leaf, ir_leaf_find(s->leaf->width == 4 ? "meta priority" : "meta len"));
		break;
	case IR_MAP:
		TO("sel", kind, s, set, other_set(ir, s->set));
		break;
	default:
		NUM("sel", kind, s, n);
		NUM("sel", kind, s, m);
	}
	for (uint32_t i = 0; i < s->n_args; i++) {
		TO("sel", kind, s, args[i], other_sel(s->args[i]));
		add_sel(ir, s->args[i]);
	}
}

static void add_rule(const struct ir *ir, struct ir_rule *r);

static void add_dispatch(const struct ir *ir, struct ir_dispatch *d)
{
	uint32_t kind = d->form;

	if (d->id >= ARRAY_SIZE(seen.dispatch) || seen.dispatch[d->id])
		return;
	seen.dispatch[d->id] = true;
	NUM("dispatch", kind, d, id);
	NUM("dispatch", kind, d, form);
	NUM("dispatch", kind, d, n_fields);
	NUM("dispatch", kind, d, width);
	NUM("dispatch", kind, d, n_rows);
	NUM("dispatch", kind, d, n_rules);
	for (uint32_t i = 0; i < d->n_fields; i++) {
		TO("dispatch", kind, d, fields[i], other_sel(d->fields[i]));
		add_sel(ir, d->fields[i]);
	}
	for (uint32_t i = 0; i < d->n_rows; i += d->n_rows / 3 + 1) {
		STRING("row", kind, &d->rows[i], lo, d->width);
		STRING("row", kind, &d->rows[i], hi, d->width);
		NUM("row", kind, &d->rows[i], rule);
		NUM("row", kind, &d->rows[i], any);
	}
	for (uint32_t i = 0; i < d->n_rules; i++)
		add_rule(ir, &d->rules[i]);
}

static void add_step(const struct ir *ir, struct ir_step *st)
{
	uint32_t kind = st->kind + 10 * (st->kind == IR_GUARD ? st->guard : 0) +
			(st->set ? 1000 * (1 + set_table_form(st->set)) : 0);

	NUM("step", kind, st, kind);
	NUM("step", 0, st, expr);
	NUM("step", kind, st, guard);
	if (st->sel) {
		TO("step", kind, st, sel, other_sel(st->sel));
		STRING("step", kind, st, lo, st->sel->width);
		STRING("step", kind, st, hi, st->sel->width);
		add_sel(ir, st->sel);
	}
	if (st->set)
		TO("step", kind, st, set, other_set(ir, st->set));
	if (st->state)
		TO("step", kind, st, state, other_state(ir, st->state));
	if (st->effect)
		TO("step", kind, st, effect, ir_effect_find("quota"));
	for (uint32_t i = 0; i < IR_EFFECT_PARAMS; i++)
		NUM("step", kind + 100000 * i, st, param[i]);
	NUM("step", kind, st, n_args);
	for (uint32_t i = 0; i < st->n_args; i++) {
		TO("step", kind, st, args[i], other_sel(st->args[i]));
		add_sel(ir, st->args[i]);
	}
	add_verdict(ir, "step.verdict", kind + 100 * st->verdict.code, &st->verdict);
	if (st->params) {
		uint32_t *words = (uint32_t *)st->params;

		for (uint32_t i = 0; i < sizeof(*st->params) / sizeof(*words); i++)
			add("step.params", "word", i, NUMBER, &words[i], sizeof(*words), NULL);
	}
	if (st->dispatch)
		add_dispatch(ir, st->dispatch);
}

static void add_rule(const struct ir *ir, struct ir_rule *r)
{
	add("rule", "index", r->never, FAR, &r->index, sizeof(r->index), NULL);
	NUM("rule", 0, r, handle);
	BOOL("rule", r->never, r, never);
	for (uint32_t i = 0; i < r->n_steps; i++)
		add_step(ir, &r->steps[i]);
}

static void add_chain(struct ir *ir, struct ir_chain *c)
{
	uint32_t kind = c->is_base + 2 * c->lowered + 4 * !!c->template + 8 * !!c->part_of;

	NUM("chain", kind, c, id);
	NUM("chain", kind, c, pf);
	NUM("chain", kind, c, family);
	STRING("chain", kind, c, table, (uint32_t)strlen(c->table));
	STRING("chain", kind, c, name, (uint32_t)strlen(c->name));
	BOOL("chain", kind, c, is_base);
	NUM("chain", kind, c, policy);
	NUM("chain", kind, c, hook);
	NUM("chain", 0, c, priority);
	BOOL("chain", kind, c, lowered);
	BOOL("chain", kind, c, is_front);
	NUM("chain", kind, c, record);
	NUM("chain", 0, c, n_known);
	TO("chain", 0, c, part_of, NULL);
	TO("chain", 0, c, parted, NULL);
	TO("chain", 0, c, origin, NULL);
	for (uint32_t i = 0; i < c->n_rules; i++)
		add_rule(ir, &c->rules[i]);
}

static void add_elem(const struct ir *ir, const struct ir_set *s, uint32_t kind, struct ir_elem *e)
{
	if (e->lo) {
		STRING("elem", kind, e, lo, s->width);
		STRING("elem", kind, e, hi, s->width);
	}
	STRING("elem", kind, e, data, s->data_width);
	NUM("elem", 0, e, expires);
	add_verdict(ir, "elem.verdict", kind + 100 * e->verdict.code, &e->verdict);
	for (uint32_t i = 0; i < s->n_states && e->states[i]; i++)
		TO("elem", kind, e, states[i], other_state(ir, e->states[i]));
}

static void add_set(const struct ir *ir, struct ir_set *s)
{
	uint32_t kind = s->kind + 10 * set_table_form(s) + 100 * (s->n_states + s->n_like) +
			1000 * s->keeps;

	NUM("set", kind, s, id);
	STRING("set", 0, s, name, (uint32_t)strlen(s->name));
	NUM("set", kind, s, kind);
	NUM("set", kind, s, width);
	NUM("set", kind, s, data_width);
	BOOL("set", kind, s, ranged);
	BOOL("set", kind, s, intervals);
	BOOL("set", kind, s, is_mutable);
	BOOL("set", kind, s, has_timeout);
	BOOL("set", kind, s, is_dynamic);
	BOOL("set", kind, s, grows);
	BOOL("set", kind, s, keeps);
	BOOL("set", 0, s, kept);
	BOOL("set", 0, s, stays);
	NUM("set", 0, s, old_id);
	NUM("set", kind, s, n_fields);
	NUM("set", kind, s, n_states);
	NUM("set", kind, s, size);
	for (uint32_t i = 0; s->field_width && i < s->n_fields; i++)
		NUM("set", kind, s, field_width[i]);
	for (uint32_t i = 0; i < s->n_like; i++)
		TO("set", kind, s, like[i], other_state(ir, s->like[i]));
	/* The expressions' numbers: what a new element begins with is among them. */
	for (uint32_t i = 0; s->like_exprs && i < s->like_exprs->n; i++) {
		struct blob *attrs = &s->like_exprs->array[i].attrs;

		for (uint32_t k = 11; k < attrs->len; k += 12)
			add("set.like_exprs", s->like_exprs->array[i].name, k + 1000 * s->grows,
			    BYTES, &attrs->data, k + 1, NULL);
	}
	for (size_t i = 0; i < s->n_elems; i++)
		add_elem(ir, s, kind, &s->elems[i]);
}

static void add_all(struct ir *ir)
{
	NUM("ir", 0, ir, n_counters);
	NUM("ir", 0, ir, shared_state_size);
	NUM("ir", 0, ir, elem_state_size);
	NUM("ir", 0, ir, n_sels);
	NUM("ir", 0, ir, n_dispatches);
	NUM("ir", 0, ir, n_parts);
	NUM("ir", 0, ir, seed);
	NUM("ir", 0, ir, read_ns);
	for (uint32_t i = 0; i < ir->n_progs; i++) {
		struct ir_prog *p = &ir->progs[i];

		STRING("prog", 0, p, name, (uint32_t)strlen(p->name));
		NUM("prog", 0, p, pf);
		NUM("prog", 0, p, hook);
		NUM("prog", 0, p, priority);
		for (uint32_t b = 0; b < p->n_bases; b++)
			TO("prog", 0, p, bases[b], other_chain(ir, p->bases[b]));
	}
	for (uint32_t i = 0; i < ir->n_states; i++) {
		struct ir_state *st = ir->states[i];
		uint32_t kind = (uint32_t)((uintptr_t)st->op >> 3 & 0xffff) * 2 + st->in_elem;

		NUM("state", 0, st, id);
		for (uint32_t k = 0; k < IR_EFFECT_PARAMS; k++)
			NUM("state", kind + k * 1000000, st, param[k]);
		STRING("state", kind, st, init, ir_state_init_size(st->op));
		NUM("state", kind, st, index);
		NUM("state", 0, st, expr);
		STRING("state", 0, st, object, (uint32_t)strlen(st->object));
	}
	for (uint32_t i = 0; i < ir->n_templates; i++) {
		struct ir_template *t = ir->templates[i];

		NUM("template", 0, t, id);
		NUM("template", 0, t, n);
		NUM("template", 0, t, n_words);
		for (uint32_t k = 0; k < t->n * t->n_words; k++)
			NUM("template", 0, t, records[k]);
	}
	for (uint32_t i = 0; i < ir->n_sets; i++)
		add_set(ir, ir->sets[i]);
	for (uint32_t i = 0; i < ir->n_chains; i++)
		add_chain(ir, ir->chains[i]);
}

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
