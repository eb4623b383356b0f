/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as text, from bytes over selectors and steps to a rule with its dispatch.
 */
#include <inttypes.h>

#include "ir_print_priv.h"

void ir_print_bytes(FILE *f, const uint8_t *bytes, uint32_t width)
{
	uint32_t i;

	fputs("0x", f);
	for (i = 0; i < width; i++)
		fprintf(f, "%02x", bytes[i]);
}

void ir_print_word(FILE *f, const char *s)
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
	ir_print_word(f, set->name);
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
		ir_print_bytes(p->f, s->bytes, s->width);
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

void ir_print_chain_path(FILE *f, const struct ir_chain *c)
{
	fprintf(f, "%s %s ", ir_pf_name(c->pf), family_name(c->family));
	ir_print_word(f, c->table);
	fputc(' ', f);
	ir_print_word(f, c->name);
}

static bool same_table(const struct ir_chain *a, const struct ir_chain *b)
{
	return a->pf == b->pf && a->family == b->family && strcmp(a->table, b->table) == 0;
}

void ir_print_verdict(struct printer *p, const struct ir_verdict *v)
{
	fputs(ir_verdict_names[v->code], p->f);
	if (!v->chain)
		return;
	fputc(' ', p->f);
	if (p->chain && same_table(p->chain, v->chain)) {
		ir_print_word(p->f, v->chain->name);
		return;
	}
	fputc('(', p->f);
	ir_print_chain_path(p->f, v->chain);
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
		ir_print_bytes(p->f, s->lo, s->sel->width);
		return;
	case IR_RANGE:
	case IR_NOT_RANGE:
		fputc(' ', p->f);
		ir_print_bytes(p->f, s->lo, s->sel->width);
		fputs("..", p->f);
		ir_print_bytes(p->f, s->hi, s->sel->width);
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
			ir_print_bytes(p->f, row->lo + at, width);
			if (memcmp(row->lo + at, row->hi + at, width) != 0) {
				fputs("..", p->f);
				ir_print_bytes(p->f, row->hi + at, width);
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
		ir_print_rule(p, &d->rules[i], d);
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
		ir_print_verdict(p, &s->verdict);
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

/* ---- rules ---- */

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
void ir_print_rule(struct printer *p, const struct ir_rule *r, const struct ir_dispatch *of)
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
