/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: each field of each node of an IR, and how it is changed.
 */
#ifndef NFT_BPF_TESTS_KEY_FIELDS_H
#define NFT_BPF_TESTS_KEY_FIELDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "compiler/dispatch.h"
#include "compiler/set_table.h"
#include "compiler/template.h"

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

UNUSED static void change(const struct field *f)
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

UNUSED static void add_all(struct ir *ir)
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

#endif
