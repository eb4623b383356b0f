/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handing back: a takeover in which nothing is compiled.
 *
 * It needs neither LLVM nor programs, and of a manifest only what all formats have, so it works on
 * the pins of other versions and when loading is not possible any more.
 */
#include <errno.h>

#include "../netlink/nfnl.h"
#include "takeover.h"

#define MAX_ATTEMPTS 10 /* at a ruleset that others keep changing */
#define MAX_FAILURES 3	/* of other kinds, when part of it is done */

static bool has_state(const struct runtime *rt)
{
	uint32_t AUTO_FREE *gens = NULL;
	size_t n = 0;

	return rt->words || rt->n_roots || (gen_list(rt, &gens, &n) == 0 && n);
}

static int give_once(struct runtime *rt, struct diags *ds, bool *ret_begun)
{
	struct ruleset CLEANUP(ruleset_freep) *rs = NULL;
	struct rt_plan plan = { 0 };
	struct takeover CLEANUP(takeover_fini) tk = { .rt = rt, .ds = ds, .plan = &plan };
	int err = rt_model(rt, ds, &rs);

	tk.rs = rs;
	for (size_t i = 0; i < rt->n_roots; i++)
		rt->roots[i].used = false;
	if (!err)
		err = takeover_prepare(&tk);
	if (!err)
		err = takeover_fill(&tk);
	if (!err)
		err = takeover_run(&tk);
	*ret_begun = tk.begun;
	return err;
}

int rt_give(struct runtime *rt, struct diags *ds)
{
	int err = has_state(rt) ? -ERESTART : 0, failures = 0;
	bool begun = true;

	for (int i = 0; err && i < MAX_ATTEMPTS; i++) {
		diags_lower(ds);
		err = give_once(rt, ds, &begun);
		failures += err != -ERESTART;
		if (err != -ERESTART && (!begun || failures == MAX_FAILURES))
			break;
	}
	if (err == -ERESTART) {
		diag_add(ds, DIAG_ERROR, "busy", NULL,
			 "the ruleset is being changed by others all the time; try again");
		return -EBUSY;
	}
	return err;
}
