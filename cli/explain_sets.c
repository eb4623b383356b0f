/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nft-bpf explain says of sets: which structure, how large, what a look-up costs.
 */
#include <stdio.h>

#include "../compiler/set_table.h"
#include "explain.h"

static void explain_set(const struct ir_set *set)
{
	const struct set_table *t = set->table;
	const struct classify_info *info = &t->info;

	printf("\tset %s: %s, %zu element%s", set->origin->name, set_form_name(t->form), set->n_elems,
	       set->n_elems == 1 ? "" : "s");
	if (t->blob)
		printf(", %zu KiB, about %u ns", t->blob_size >> 10, info->cost_ns);
	if (t->form == SET_FORM_BOXES)
		printf(", searched in %u", info->trees);
	if (t->n_verdicts)
		printf(", %u verdict%s", t->n_verdicts, t->n_verdicts == 1 ? "" : "s");
	putchar('\n');
}

void explain_sets(const struct ir *ir, const struct table *table)
{
	for (uint32_t i = 0; i < ir->n_sets; i++)
		if (ir->sets[i]->origin && ir->sets[i]->origin->table == table && ir->sets[i]->table)
			explain_set(ir->sets[i]);
}
