/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The passes in their order.
 */
#include "opt.h"

void opt_run(struct ir *ir, const struct opt_options *opt)
{
	uint8_t *hooks = opt_hooks(ir);
	struct opt_budget budget;
	struct opt_ends ends;

	ir->seed = opt->seed;
	opt_ends_init(&ends, ir);
	opt_budget_init(&budget, ir);
	for (uint32_t i = 0; i < ir->n_chains; i++) {
		struct opt_chain oc = {.ir = ir, .chain = ir->chains[i], .budget = &budget};

		if (!oc.chain->lowered)
			continue;
		opt_read(&ends, &oc);
		opt_dead(&oc, hooks[i]);
		opt_dispatch(&oc);
	}
}
