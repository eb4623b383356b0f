/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The passes in their order.
 */
#include "opt.h"

const char *const opt_pass_name[N_OPT_PASSES] = {"dead rules", "facts", "idle",
						"templates", "parts", "dispatch"};

void opt_run(struct ir *ir, const struct opt_options *opt)
{
	uint8_t *hooks = opt_hooks(ir);
	struct opt_chain *chains = arena_alloc(ir->arena, MAX(ir->n_chains, 1u) * sizeof(*chains));
	struct opt_budget budget;
	struct opt_list parts = {0};
	struct opt_ends ends;
	uint32_t n = ir->n_chains;

	ir->seed = opt->seed;
	opt_ends_init(&ends, ir);
	for (uint32_t i = 0; i < ir->n_chains; i++) {
		chains[i] = (struct opt_chain){
			.ir = ir, .chain = ir->chains[i], .budget = &budget};
		if (!ir->chains[i]->lowered)
			continue;
		opt_read(&ends, &chains[i]);
		opt_dead(&chains[i], hooks[i]);
	}
	if (opt->stop && opt->last < OPT_FACTS)
		return;
	opt_facts(&ends, chains);
	if (opt->stop && opt->last < OPT_IDLE)
		return;
	opt_idle(&ends, chains);
	if (opt->stop && opt->last < OPT_TEMPLATES)
		return;
	opt_templates(ir, hooks, opt->least_alike);
	if (opt->stop && opt->last < OPT_PARTS)
		return;
	opt_parts(&ends, chains, n, &parts);
	if (opt->stop && opt->last < OPT_DISPATCH)
		return;
	opt_budget_init(&budget, ir);
	for (uint32_t i = 0; i < n; i++)
		if (chains[i].chain->lowered && !chains[i].chain->template)
			opt_dispatch(&chains[i]);
	for (size_t i = 0; i < parts.n; i++)
		opt_dispatch(&parts.chains[i]);
}
