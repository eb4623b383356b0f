/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nft-bpf explain says of sets: which structure, how large, what a look-up costs.
 */
#include <stdio.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "../compiler/diag.h"
#include "../compiler/set_table.h"
#include "explain.h"

static bool names(const struct expr *e, const struct set *s)
{
	const bool is_objref = strcmp(e->name, "objref") == 0;
	const char *name;

	if (!is_objref && strcmp(e->name, "lookup") != 0)
		return false;
	/* In a file all anonymous sets may have one name; their numbers differ. */
	if (s->id)
		return attr_uint(e->attrs, is_objref ? NFTA_OBJREF_SET_ID : NFTA_LOOKUP_SET_ID, 0) ==
		       s->id;
	name = attr_str(e->attrs, is_objref ? NFTA_OBJREF_SET_NAME : NFTA_LOOKUP_SET);
	return name && strcmp(name, s->name) == 0;
}

static bool rule_names(const struct rule *r, const struct set *s)
{
	for (uint32_t i = 0; i < r->exprs.n; i++)
		if (names(&r->exprs.array[i], s))
			return true;
	return false;
}

/* An anonymous set is known by its rule. */
static void print_name(const struct set *s)
{
	const struct chain *c;
	const struct rule *r;
	uint32_t index;

	if (s->flags & NFT_SET_ANONYMOUS) {
		list_for_each (c, &s->table->chains, node) {
			index = 0;
			list_for_each (r, &c->rules, node) {
				index++;
				if (rule_names(r, s)) {
					printf("\tset of %s rule %u: ", c->name, index);
					return;
				}
			}
		}
	}
	printf("\tset %s: ", s->name);
}

static void explain_set(const struct ir_set *set)
{
	const struct set_table *t = set->table;
	const struct classify_info *info = &t->info;

	print_name(set->origin);
	printf("%s, %zu element%s", set_form_name(t->form), set->n_elems,
	       set->n_elems == 1 ? "" : "s");
	if (t->blob)
		printf(", %zu KiB, about %u ns", t->blob_size >> 10, info->cost_ns);
	if (t->form == SET_FORM_BOXES)
		printf(", searched in %u", info->trees);
	if (t->n_verdicts)
		printf(", %u verdict%s", t->n_verdicts, t->n_verdicts == 1 ? "" : "s");
	putchar('\n');
}

/* A verdict map of an inet table is there for IPv4 and for IPv6: told once. */
static bool is_told(const struct ir *ir, uint32_t i, const struct table *table)
{
	const struct set *origin = ir->sets[i]->origin;

	if (!origin || !ir->sets[i]->table || (table && origin->table != table))
		return false;
	for (uint32_t k = 0; k < i; k++)
		if (ir->sets[k]->origin == origin && ir->sets[k]->table)
			return false;
	return true;
}

void explain_sets(const struct ir *ir, const struct table *table)
{
	for (uint32_t i = 0; i < ir->n_sets; i++)
		if (is_told(ir, i, table))
			explain_set(ir->sets[i]);
}

static json_t *set_json(const struct ir_set *set)
{
	const struct set_table *t = set->table;
	const struct table *table = set->origin->table;
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:I}", "family", family_name(table->family),
			      "table", table->name, "set", set->origin->name, "form",
			      set_form_name(t->form), "elements", (json_int_t)set->n_elems);

	if (t->blob) {
		json_object_set_new(j, "bytes", json_integer((json_int_t)t->blob_size));
		json_object_set_new(j, "cost_ns", json_integer(t->info.cost_ns));
	}
	if (t->form == SET_FORM_BOXES)
		json_object_set_new(j, "trees", json_integer(t->info.trees));
	if (t->n_verdicts)
		json_object_set_new(j, "verdicts", json_integer(t->n_verdicts));
	return j;
}

json_t *explain_sets_json(const struct ir *ir)
{
	json_t *sets = json_array();

	for (uint32_t i = 0; i < ir->n_sets; i++)
		if (is_told(ir, i, NULL))
			json_array_append_new(sets, set_json(ir->sets[i]));
	return sets;
}
