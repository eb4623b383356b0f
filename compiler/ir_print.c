/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR as text: states, sets, chains, programs. doc/ir.md is the grammar, ir_parse() the reader.
 */
#include <inttypes.h>
#include <linux/netfilter.h>

#include "ir_print_priv.h"

/* ---- states and sets ---- */

static void print_place(FILE *f, const struct diag_place *at)
{
	if (at->table) {
		fprintf(f, " at (%s ", family_name(at->family));
		ir_print_word(f, at->table);
		if (at->chain) {
			fputc(' ', f);
			ir_print_word(f, at->chain);
		}
		fputc(')', f);
	}
	if (at->rule)
		fprintf(f, " rule %u", at->rule);
	if (at->handle)
		fprintf(f, " handle %" PRIu64, at->handle);
	if (at->expr) {
		fputs(" name ", f);
		ir_print_word(f, at->expr);
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
		ir_print_bytes(f, st->init, ir_state_init_size(st->op));
	}
	print_place(f, &st->at);
	if (st->expr)
		fprintf(f, " expr %u", st->expr);
	if (st->object) {
		fputs(" object ", f);
		ir_print_word(f, st->object);
	}
	fputc('\n', f);
}

static void print_elem(struct printer *p, const struct ir_set *set, const struct ir_elem *e)
{
	uint32_t i;

	fputc('\t', p->f);
	if (e->lo)
		ir_print_bytes(p->f, e->lo, set->width);
	else
		fputc('*', p->f);
	if (e->lo && memcmp(e->lo, e->hi, set->width) != 0) {
		fputs("..", p->f);
		ir_print_bytes(p->f, e->hi, set->width);
	}
	if (set->kind != IR_SET)
		fputs(" : ", p->f);
	if (set->kind == IR_DATA_MAP)
		ir_print_bytes(p->f, e->data, set->data_width);
	if (set->kind == IR_VERDICT_MAP)
		ir_print_verdict(p, &e->verdict);
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
	ir_print_word(p->f, s->name);
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

static void print_chain(struct printer *p, const struct ir_chain *c)
{
	uint32_t i;

	fputs("\nchain ", p->f);
	ir_print_chain_path(p->f, c);
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
		ir_print_rule(p, &c->rules[i], NULL);
	p->indent = 0;
	p->chain = NULL;
	fputs("}\n", p->f);
}

static void print_prog(FILE *f, const struct ir_prog *pr)
{
	uint32_t i;

	fputs("\nprog ", f);
	ir_print_word(f, pr->name);
	fprintf(f, " %s hook %s priority %" PRId32 " {\n", ir_pf_name(pr->pf),
		ir_hook_name(pr->hook), pr->priority);
	for (i = 0; i < pr->n_bases; i++) {
		fputs("\t(", f);
		ir_print_chain_path(f, pr->bases[i]);
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

char *ir_to_text(const struct ir *ir)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	ir_print(ir, out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
