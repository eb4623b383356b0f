/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR as text: states, sets, chains, programs. doc/ir.md is the grammar, ir_parse() the reader.
 */
#include <inttypes.h>
#include <linux/netfilter.h>

#include "ir_names.h"

struct printer {
	FILE *f;
	const struct ir_chain *chain; /* being printed: its jumps need no path */
	bool label;		      /* impure selectors get a number within their rule */
	const struct ir_sel *impure[IR_MAX_IMPURE];
	uint32_t n_impure;
	uint32_t indent;
	uint32_t row; /* of the dispatch being printed */
};

static void print_bytes(FILE *f, const uint8_t *bytes, uint32_t width)
{
	uint32_t i;

	fputs("0x", f);
	for (i = 0; i < width; i++)
		fprintf(f, "%02x", bytes[i]);
}

static void print_word(FILE *f, const char *s)
{
	const char *p = s;

	if (ir_is_word_start(*p))
		while (ir_is_word_char(*p))
			p++;
	if (p > s && !*p) {
		fputs(s, f);
		return;
	}
	fputc('"', f);
	for (p = s; *p; p++) {
		if (*p == '"' || *p == '\\' || *p < ' ' || *p > '~')
			fprintf(f, "\\%02x", (uint8_t)*p);
		else
			fputc(*p, f);
	}
	fputc('"', f);
}

static void print_set_ref(FILE *f, const struct ir_set *set)
{
	fputs(" @", f);
	print_word(f, set->name);
}

/* ---- selectors ---- */

static void print_sel(struct printer *p, const struct ir_sel *s);

static void print_leaf(FILE *f, const struct ir_sel *s)
{
	uint32_t i;

	fputs(s->leaf->name, f);
	for (i = 0; i < s->leaf->n_params; i++)
		fprintf(f, " %" PRIu64, s->param[i]);
	if (!s->leaf->width)
		fprintf(f, " %u", s->width);
	if (s->leaf->state)
		fprintf(f, " #%u", s->state->id);
}

static void print_op(struct printer *p, const struct ir_sel *s)
{
	uint32_t i;

	fputs(ir_op_names[s->op], p->f);
	for (i = 0; i < s->n_args; i++) {
		fputc(' ', p->f);
		print_sel(p, s->args[i]);
	}
	switch (s->op) {
	case IR_SHL:
	case IR_SHR:
	case IR_BSWAP:
	case IR_JHASH:
		fprintf(p->f, " %u", s->n);
		break;
	case IR_SLICE:
		fprintf(p->f, " %u %u", s->n, s->width);
		break;
	case IR_SCALE:
		fprintf(p->f, " %u %u", s->n, s->m);
		break;
	case IR_MAP:
		print_set_ref(p->f, s->set);
		break;
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_CONCAT:
	case IR_CONST:
	case IR_LEAF:
		break;
	}
}

/* An impure selector is itself only once per rule: "%0=(numgen inc 2 0)", then "%0". */
static bool print_label(struct printer *p, const struct ir_sel *s)
{
	uint32_t i;

	for (i = 0; i < p->n_impure; i++) {
		if (p->impure[i] == s) {
			fprintf(p->f, "%%%u", i);
			return true;
		}
	}
	if (p->n_impure < IR_MAX_IMPURE) {
		fprintf(p->f, "%%%u=", p->n_impure);
		p->impure[p->n_impure++] = s;
	}
	return false;
}

static void print_sel(struct printer *p, const struct ir_sel *s)
{
	if (s->op == IR_CONST) {
		print_bytes(p->f, s->bytes, s->width);
		return;
	}
	if (s->impure && p->label && print_label(p, s))
		return;
	fputc('(', p->f);
	if (s->op == IR_LEAF)
		print_leaf(p->f, s);
	else
		print_op(p, s);
	fputc(')', p->f);
}

void ir_sel_print(const struct ir_sel *sel, FILE *out)
{
	struct printer p = {.f = out};

	print_sel(&p, sel);
}

/* ---- verdicts and steps ---- */

static void print_chain_path(FILE *f, const struct ir_chain *c)
{
	fprintf(f, "%s %s ", ir_pf_name(c->pf), family_name(c->family));
	print_word(f, c->table);
	fputc(' ', f);
	print_word(f, c->name);
}

static bool same_table(const struct ir_chain *a, const struct ir_chain *b)
{
	return a->pf == b->pf && a->family == b->family && strcmp(a->table, b->table) == 0;
}

static void print_verdict(struct printer *p, const struct ir_verdict *v)
{
	fputs(ir_verdict_names[v->code], p->f);
	if (!v->chain)
		return;
	fputc(' ', p->f);
	if (p->chain && same_table(p->chain, v->chain)) {
		print_word(p->f, v->chain->name);
		return;
	}
	fputc('(', p->f);
	print_chain_path(p->f, v->chain);
	fputc(')', p->f);
}

static void print_guard(struct printer *p, const struct ir_step *s)
{
	fprintf(p->f, "guard %s ", ir_guard_names[s->guard]);
	print_sel(p, s->sel);
	switch (s->guard) {
	case IR_EQ:
	case IR_NE:
		fputc(' ', p->f);
		print_bytes(p->f, s->lo, s->sel->width);
		return;
	case IR_RANGE:
	case IR_NOT_RANGE:
		fputc(' ', p->f);
		print_bytes(p->f, s->lo, s->sel->width);
		fputs("..", p->f);
		print_bytes(p->f, s->hi, s->sel->width);
		return;
	case IR_IN:
	case IR_NOT_IN:
		print_set_ref(p->f, s->set);
		return;
	}
}

static void print_effect(struct printer *p, const struct ir_step *s)
{
	uint32_t i;

	fprintf(p->f, "effect %s", s->effect->name);
	if (s->state)
		fprintf(p->f, " #%u", s->state->id);
	for (i = 0; i < s->effect->n_params && !s->state; i++)
		fprintf(p->f, " %" PRIu64, s->param[i]);
	if (s->set)
		print_set_ref(p->f, s->set);
	for (i = 0; i < s->n_args; i++) {
		fputc(' ', p->f);
		print_sel(p, s->args[i]);
	}
}

static void print_rule(struct printer *p, const struct ir_rule *r, const struct ir_dispatch *of);

static void indent(struct printer *p)
{
	uint32_t i;

	for (i = 0; i < p->indent; i++)
		fputc('\t', p->f);
}

static void print_row(struct printer *p, const struct ir_dispatch *d, const struct ir_row *row)
{
	uint32_t at = 0, i;

	indent(p);
	fputs("row", p->f);
	for (i = 0; i < d->n_fields; i++) {
		uint32_t width = d->fields[i]->width;

		fputc(' ', p->f);
		if (row->any & 1u << i) {
			fputc('*', p->f);
		} else {
			print_bytes(p->f, row->lo + at, width);
			if (memcmp(row->lo + at, row->hi + at, width) != 0) {
				fputs("..", p->f);
				print_bytes(p->f, row->hi + at, width);
			}
		}
		at += width;
	}
	fputc('\n', p->f);
}

/* In full behind the rule it is the step of; by itself (ir_step_print()) only what it looks at. */
static void print_dispatch(struct printer *p, const struct ir_dispatch *d)
{
	uint32_t i;

	fprintf(p->f, "dispatch %s", ir_form_names[d->form]);
	for (i = 0; i < d->n_fields; i++) {
		fputc(' ', p->f);
		print_sel(p, d->fields[i]);
	}
	if (!p->chain)
		return;
	fputs(" {\n", p->f);
	p->indent++;
	for (i = 0; i < d->n_rules; i++)
		print_rule(p, &d->rules[i], d);
	p->indent--;
	indent(p);
	fputc('}', p->f);
}

static void print_step(struct printer *p, const struct ir_step *s)
{
	switch (s->kind) {
	case IR_NEED:
		fputs("need ", p->f);
		print_sel(p, s->sel);
		return;
	case IR_GUARD:
		print_guard(p, s);
		return;
	case IR_EFFECT:
		print_effect(p, s);
		return;
	case IR_VERDICT:
		fputs("verdict ", p->f);
		print_verdict(p, &s->verdict);
		return;
	case IR_VMAP:
		fputs("vmap ", p->f);
		print_sel(p, s->sel);
		print_set_ref(p->f, s->set);
		return;
	case IR_DISPATCH:
		print_dispatch(p, s->dispatch);
		return;
	}
}

void ir_step_print(const struct ir_step *step, FILE *out)
{
	struct printer p = {.f = out};

	print_step(&p, step);
}

/* ---- states and sets ---- */

static void print_place(FILE *f, const struct diag_place *at)
{
	if (at->table) {
		fprintf(f, " at (%s ", family_name(at->family));
		print_word(f, at->table);
		if (at->chain) {
			fputc(' ', f);
			print_word(f, at->chain);
		}
		fputc(')', f);
	}
	if (at->rule)
		fprintf(f, " rule %u", at->rule);
	if (at->handle)
		fprintf(f, " handle %" PRIu64, at->handle);
	if (at->expr) {
		fputs(" name ", f);
		print_word(f, at->expr);
	}
}

static void print_state(FILE *f, const struct ir_state *st)
{
	uint32_t i;

	fprintf(f, "state #%u %s(%s", st->id, st->in_elem ? "elem " : "", st->op->name);
	for (i = 0; i < st->op->n_params; i++)
		fprintf(f, " %" PRIu64, st->param[i]);
	fputc(')', f);
	if (st->init) {
		fputs(" init ", f);
		print_bytes(f, st->init, ir_state_init_size(st->op));
	}
	print_place(f, &st->at);
	if (st->expr)
		fprintf(f, " expr %u", st->expr);
	if (st->object) {
		fputs(" object ", f);
		print_word(f, st->object);
	}
	fputc('\n', f);
}

static void print_elem(struct printer *p, const struct ir_set *set, const struct ir_elem *e)
{
	uint32_t i;

	fputc('\t', p->f);
	if (e->lo)
		print_bytes(p->f, e->lo, set->width);
	else
		fputc('*', p->f);
	if (e->lo && memcmp(e->lo, e->hi, set->width) != 0) {
		fputs("..", p->f);
		print_bytes(p->f, e->hi, set->width);
	}
	if (set->kind != IR_SET)
		fputs(" : ", p->f);
	if (set->kind == IR_DATA_MAP)
		print_bytes(p->f, e->data, set->data_width);
	if (set->kind == IR_VERDICT_MAP)
		print_verdict(p, &e->verdict);
	if (e->expires)
		fprintf(p->f, " expires %" PRIu64, e->expires);
	for (i = 0; i < set->n_states && e->states[i]; i++)
		fprintf(p->f, " #%u", e->states[i]->id);
	fputc('\n', p->f);
}

static void print_set(struct printer *p, const struct ir_set *s)
{
	size_t i;

	fprintf(p->f, "\n%s ", ir_set_kind_names[s->kind]);
	print_word(p->f, s->name);
	fprintf(p->f, " width %u", s->width);
	if (s->kind == IR_DATA_MAP)
		fprintf(p->f, " data %u", s->data_width);
	if (s->n_fields > 1) {
		fputs(" fields", p->f);
		for (i = 0; i < s->n_fields; i++)
			fprintf(p->f, " %u", s->field_width[i]);
	}
	if (s->n_states)
		fprintf(p->f, " states %u%s", s->n_states, s->keeps ? " keeps" : "");
	if (s->size)
		fprintf(p->f, " size %u", s->size);
	fprintf(p->f, "%s%s%s%s", s->ranged ? " ranged" : "", s->intervals ? " intervals" : "",
		s->is_mutable ? " mutable" : "", s->has_timeout ? " timeout" : "");
	if (s->is_dynamic)
		fprintf(p->f, " dynamic%s", s->grows ? " grows" : "");
	for (i = 0; i < s->n_like; i++)
		fprintf(p->f, " #%u", s->like[i]->id);
	fputs(" {\n", p->f);
	for (i = 0; i < s->n_elems; i++)
		print_elem(p, s, &s->elems[i]);
	fputs("}\n", p->f);
}

/* ---- chains and programs ---- */

/* The rows that lead to @r: rules come in order. */
static void print_rows(struct printer *p, const struct ir_dispatch *d, const struct ir_rule *r)
{
	uint32_t rule = (uint32_t)(r - d->rules);

	if (rule == 0)
		p->row = 0;
	while (p->row < d->n_rows && d->rows[p->row].rule == rule)
		print_row(p, d, &d->rows[p->row++]);
}

/* @of: the dispatch it is a rule of, or NULL. */
static void print_rule(struct printer *p, const struct ir_rule *r, const struct ir_dispatch *of)
{
	uint32_t i;

	indent(p);
	fprintf(p->f, "rule %u handle %" PRIu64, r->index, r->handle);
	if (r->never) {
		fputs(" never\n", p->f);
		return;
	}
	p->label = true;
	p->n_impure = 0;
	fputs(" {\n", p->f);
	p->indent++;
	if (of)
		print_rows(p, of, r);
	for (i = 0; i < r->n_steps; i++) {
		indent(p);
		fprintf(p->f, "%u: ", r->steps[i].expr);
		print_step(p, &r->steps[i]);
		fputc('\n', p->f);
	}
	p->indent--;
	indent(p);
	fputs("}\n", p->f);
	p->label = false;
}

static void print_chain(struct printer *p, const struct ir_chain *c)
{
	uint32_t i;

	fputs("\nchain ", p->f);
	print_chain_path(p->f, c);
	if (c->is_base)
		fprintf(p->f, " base hook %s priority %" PRId32 " policy %s", ir_hook_name(c->hook),
			c->priority, ir_verdict_names[c->policy == NF_DROP ? IR_DROP : IR_ACCEPT]);
	if (!c->lowered) {
		fputs(" undefined\n", p->f);
		return;
	}
	fputs(" {\n", p->f);
	p->chain = c;
	p->indent = 1;
	for (i = 0; i < c->n_rules; i++)
		print_rule(p, &c->rules[i], NULL);
	p->indent = 0;
	p->chain = NULL;
	fputs("}\n", p->f);
}

static void print_prog(FILE *f, const struct ir_prog *pr)
{
	uint32_t i;

	fputs("\nprog ", f);
	print_word(f, pr->name);
	fprintf(f, " %s hook %s priority %" PRId32 " {\n", ir_pf_name(pr->pf),
		ir_hook_name(pr->hook), pr->priority);
	for (i = 0; i < pr->n_bases; i++) {
		fputs("\t(", f);
		print_chain_path(f, pr->bases[i]);
		fputs(")\n", f);
	}
	fputs("}\n", f);
}

void ir_print(const struct ir *ir, FILE *out)
{
	struct printer p = {.f = out};
	uint32_t i;

	fprintf(out, "ir %d\n", IR_TEXT_VERSION);
	if (ir->n_states)
		fputc('\n', out);
	for (i = 0; i < ir->n_states; i++)
		print_state(out, ir->states[i]);
	for (i = 0; i < ir->n_sets; i++)
		print_set(&p, ir->sets[i]);
	for (i = 0; i < ir->n_chains; i++)
		print_chain(&p, ir->chains[i]);
	for (i = 0; i < ir->n_progs; i++)
		print_prog(out, &ir->progs[i]);
}
