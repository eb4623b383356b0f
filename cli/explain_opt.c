/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain: what the optimiser made of a chain's rules.
 */
#include <linux/netfilter.h>
#include <stdio.h>

#include "../compiler/dispatch.h"
#include "../compiler/template.h"
#include "cli.h"
#include "explain.h"

static const char *form_text(enum ir_form form, uint32_t n_pieces)
{
	switch (form) {
	case IR_FORM_CODE:
		return n_pieces <= DISPATCH_LINEAR ? "compares in code" : "search tree in code";
	case IR_FORM_HASH:
		return "hash";
	case IR_FORM_TREE:
		return "interval tree";
	case IR_FORM_BOXES:
		return "boxes, the first that holds";
	}
	return "?";
}

static const char *form_word(enum ir_form form)
{
	static const char *const words[] = {
		[IR_FORM_CODE] = "code",
		[IR_FORM_HASH] = "hash",
		[IR_FORM_TREE] = "tree",
		[IR_FORM_BOXES] = "boxes",
	};

	return words[form];
}

static const char *pf_text(const struct ir_chain *c)
{
	return c->pf == NFPROTO_IPV6 ? "ip6" : "ip";
}

static void print_size(size_t size)
{
	if (size >= (size_t)10 << 20)
		printf(", %zu MiB", size >> 20);
	else if (size)
		printf(", %zu KiB", (size + 1023) >> 10);
}

static void print_dispatch(const struct ir_chain *c, const struct ir_dispatch *d)
{
	const struct dispatch_table *t = d->table;
	uint32_t first = d->rules[0].index, last = d->rules[d->n_rules - 1].index;

	printf("\t\t%s rules %u-%u: one look-up for %u rules by", pf_text(c), first, last,
	       d->n_rules);
	for (uint32_t i = 0; i < d->n_fields; i++) {
		putchar(' ');
		ir_sel_print(d->fields[i], stdout);
	}
	printf(": %s of %u", form_text(d->form, t->n_pieces), t->n_pieces);
	print_size(t->blob_size);
	printf(", about %u ns\n", dispatch_cost(d, t));
}

static const struct ir_dispatch *dispatch_of(const struct ir_rule *r)
{
	const struct ir_dispatch *d =
		ir_rule_is_dispatch(r) ? r->steps[r->n_steps - 1].dispatch : NULL;

	return d && d->table && d->n_rules ? d : NULL;
}

static void print_template(const struct ir_chain *c)
{
	const struct ir_template *t = c->template;

	printf("\t\t%s one of %u chains of the same shape: the code of %s, %u bytes of its own\n",
	       pf_text(c), t->n, t->members[0]->name, 4 * t->n_words);
}

static void print_known(const struct ir_chain *c)
{
	if (c->n_known && !c->part_of)
		printf("\t\t%s %u condition%s always hold%s where %s asked, and %s not tested\n",
		       pf_text(c), c->n_known, c->n_known == 1 ? "" : "s",
		       c->n_known == 1 ? "s" : "", c->n_known == 1 ? "it is" : "they are",
		       c->n_known == 1 ? "is" : "are");
}

static void print_parted(const struct ir_chain *c)
{
	const struct ir_parted *s = c->parted;

	if (!s)
		return;
	printf("\t\t%s rules %u-%u parted by %u value%s of ", pf_text(c), s->first, s->last,
	       s->n_values, s->n_values == 1 ? "" : "s");
	ir_sel_print(s->sel, stdout);
	printf(": about %u ns, not %u\n", s->after_ns, s->before_ns);
}

void explain_look_ups(const struct ir *ir, const struct chain *c)
{
	for (uint32_t i = 0; i < ir->n_chains; i++) {
		const struct ir_chain *ic = ir->chains[i];

		if (ic->origin == c) {
			print_known(ic);
			print_parted(ic);
		}
		if (ic->origin == c && ic->template)
			print_template(ic);
		for (uint32_t r = 0; ic->origin == c && r < ic->n_rules; r++)
			if (dispatch_of(&ic->rules[r]))
				print_dispatch(ic, dispatch_of(&ic->rules[r]));
	}
}

static json_t *sel_json(const struct ir_sel *sel)
{
	AUTO_FREE char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return json_null();
	ir_sel_print(sel, out);
	fclose(out);
	return json_string(text);
}

static json_t *dispatch_json(const struct ir_chain *c, const struct ir_dispatch *d)
{
	json_t *fields = json_array();

	for (uint32_t i = 0; i < d->n_fields; i++)
		json_array_append_new(fields, sel_json(d->fields[i]));
	return json_pack("{s:s, s:i, s:i, s:i, s:o, s:s, s:i, s:I, s:i}", "family", pf_text(c),
			 "first_rule", (int)d->rules[0].index, "last_rule",
			 (int)d->rules[d->n_rules - 1].index, "rules", (int)d->n_rules, "fields",
			 fields, "form", form_word(d->form), "entries", (int)d->table->n_pieces,
			 "bytes", (json_int_t)d->table->blob_size, "cost_ns",
			 (int)dispatch_cost(d, d->table));
}

static json_t *parted_json(const struct ir_chain *c)
{
	const struct ir_parted *s = c->parted;

	return json_pack("{s:s, s:i, s:i, s:o, s:i, s:i, s:i}", "family", pf_text(c), "first_rule",
			 (int)s->first, "last_rule", (int)s->last, "by", sel_json(s->sel), "values",
			 (int)s->n_values, "cost_ns", (int)s->after_ns, "cost_whole_ns",
			 (int)s->before_ns);
}

json_t *explain_parted_json(const struct ir *ir, const struct chain *c)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < ir->n_chains; i++)
		if (ir->chains[i]->origin == c && ir->chains[i]->parted)
			json_array_append_new(list, parted_json(ir->chains[i]));
	return list;
}

json_t *explain_look_ups_json(const struct ir *ir, const struct chain *c)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < ir->n_chains; i++) {
		const struct ir_chain *ic = ir->chains[i];

		for (uint32_t r = 0; ic->origin == c && r < ic->n_rules; r++)
			if (dispatch_of(&ic->rules[r]))
				json_array_append_new(
					list, dispatch_json(ic, dispatch_of(&ic->rules[r])));
	}
	return list;
}
