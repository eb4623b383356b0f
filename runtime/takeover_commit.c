/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commits of a takeover: the user's batch and our own. Each is made for the ruleset's generation
 * that the one before it left, so that nobody's changes come in between unseen; after each what
 * programs keep by a rule's handle is told which that is.
 */
#include <errno.h>

#include "../netlink/nfnl.h"
#include "counters.h"
#include "dynamic.h"
#include "elem_states.h"
#include "states.h"
#include "takeover.h"

#define MAX_LATE 5 /* attempts at a ruleset that others keep changing */

struct numbered_rules {
	struct rule **array; /* by seq */
	size_t n, room;
};

static int compare_rule_seq(const void *pa, const void *pb)
{
	const struct rule *a = *(struct rule *const *)pa, *b = *(struct rule *const *)pb;

	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int numbered_add(struct numbered_rules *nr, struct rule *r)
{
	if (nr->n == nr->room) {
		size_t room = nr->room ? 2 * nr->room : 256;
		struct rule **array = realloc(nr->array, room * sizeof(*array));

		if (!array)
			return -ENOMEM;
		nr->array = array;
		nr->room = room;
	}
	nr->array[nr->n++] = r;
	return 0;
}

static int numbered_init(struct numbered_rules *nr, const struct ruleset *rs)
{
	struct table *t;
	struct chain *c;
	struct rule *r;
	int err = 0;

	list_for_each(t, &rs->tables, node)
		list_for_each(c, &t->chains, node)
			list_for_each(r, &c->rules, node)
				if (r->seq && !err)
					err = numbered_add(nr, r);
	if (nr->n)
		qsort(nr->array, nr->n, sizeof(*nr->array), compare_rule_seq);
	return err;
}

/* By number alone: an anonymous chain's name is the kernel's to choose. */
static void on_rule(void *arg, uint32_t seq, uint8_t family UNUSED, const char *table UNUSED,
		    const char *chain UNUSED, uint64_t handle)
{
	const struct numbered_rules *nr = arg;
	struct rule key = { .seq = seq }, *keyp = &key, **found;

	found = nr->n ? bsearch(&keyp, nr->array, nr->n, sizeof(*nr->array), compare_rule_seq) :
			NULL;
	if (found)
		(*found)->handle = handle;
}

/*
 * nft_base_seq: counts transactions that changed something, and never is 0. Also if that fails, or others
 * came behind it, the commit made the next one.
 */
static int follow_generation(struct takeover *tk)
{
	uint32_t before = tk->ruleset, now;
	int err = dump_generation(&now);

	if (err)
		err = dump_generation(&now);
	tk->ruleset = before + 1 ? before + 1 : 1;
	if (err)
		return rt_error(tk->ds, err, "cannot ask for the ruleset's generation");
	if (now == before)
		tk->ruleset = now;
	return now == tk->ruleset ? 0 : -ERESTART;
}

static int note_rules(struct takeover *tk)
{
	int err = counters_note_handles(tk->rt, tk->gen, tk->m, tk->rs, tk->ds);
	int err_states = states_note_handles(tk->rt, tk->gen, tk->rs, tk->ds);
	int err_sets = elem_states_note_known(tk->rt, tk->gen, tk->m, tk->rs);

	return err ? err : err_states ? err_states : err_sets;
}

int takeover_commit(struct takeover *tk, const struct batch *b)
{
	struct numbered_rules nr = { 0 };
	struct commit_options opt = {
		.generation = tk->ruleset,
		.on_rule = on_rule,
		.arg = &nr,
	};
	int err = numbered_init(&nr, tk->rs);

	if (!err)
		err = commit_batch(b, &opt, tk->ds);
	if (!err) {
		tk->begun = true;
		for (size_t i = 0; i < nr.n; i++)
			nr.array[i]->seq = 0; /* numbers are of one batch */
	}
	free(nr.array);
	if (err)
		return err;
	err = follow_generation(tk);
	if (err || !tk->m)
		return err;
	takeover_try(tk, note_rules, "what rules count is known by their positions until the next load");
	return 0;
}

static int commit_builder(struct takeover *tk, struct batch_builder *bb)
{
	struct batch CLEANUP(batch_fini) b = { 0 };
	int err;

	if (batch_builder_is_empty(bb))
		return 0;
	err = batch_builder_take(bb, &b);
	return err ? err : takeover_commit(tk, &b);
}

int takeover_wake(struct takeover *tk)
{
	struct batch_builder CLEANUP(batch_builder_freep) *bb = batch_builder_new();
	int err = bb ? park_wake(tk->rt, tk->rs, tk->plan, bb) : -ENOMEM;

	return err ? err : commit_builder(tk, bb);
}

int takeover_give_objects(struct takeover *tk)
{
	struct batch_builder CLEANUP(batch_builder_freep) *bb = batch_builder_new();
	int err = bb ? park_give_objects(tk->rt, tk->rs, tk->plan, bb, tk->ds) : -ENOMEM;

	if (!err && !batch_builder_is_empty(bb) && tk->state.current)
		err = counters_note_objects(tk->rt, tk->state.current, tk->rs, tk->ds);
	return err ? err : commit_builder(tk, bb);
}

static int elements_lost(struct takeover *tk, int err)
{
	diag_add(tk->ds, DIAG_WARNING, "elements-lost", NULL,
		 "elements that packets added cannot be given back: %s", strerror(-err));
	return 0;
}

/* Elements that do not fit in are no reason to stop half way; what else there may be is tried again. */
static int commit_elements(struct takeover *tk, struct batch_builder *bb)
{
	struct batch CLEANUP(batch_fini) b = { 0 };
	const uint32_t before = tk->ruleset;
	struct diags why, *ds = tk->ds;
	int err = batch_builder_is_empty(bb) ? 0 : batch_builder_take(bb, &b);

	diags_init(&why);
	tk->ds = &why;
	if (!err && b.len)
		err = takeover_commit(tk, &b);
	if (err && err != -ERESTART && b.len && tk->ruleset == before)
		err = takeover_commit(tk, &b);
	tk->ds = ds;
	diags_fini(&why);
	if (!err || err == -ERESTART || err == -ENOMEM || tk->ruleset != before)
		return err;
	return elements_lost(tk, err);
}

int takeover_give_elements(struct takeover *tk)
{
	struct batch_builder CLEANUP(batch_builder_freep) *bb = batch_builder_new();
	uint32_t before = tk->ruleset;
	int err;

	if (!bb)
		return -ENOMEM;
	dynamic_give(tk->rs, tk->plan->lowered.ir, bb);
	elem_states_note_given(tk->rt, tk->state.current, tk->rs, tk->plan->lowered.ir, before + 1);
	err = commit_elements(tk, bb);
	if (tk->ruleset == before) /* refused */
		elem_states_note_given(tk->rt, tk->state.current, tk->rs, tk->plan->lowered.ir,
				       GIVEN_NEVER);
	rt_stop_at("given");
	return err;
}

static int read_late_elements(struct takeover *tk, struct batch_builder *bb)
{
	return dynamic_give_rest(tk->rt, tk->old, tk->state.current, tk->rs, tk->plan->lowered.ir, bb);
}

static int give_late_elements(struct takeover *tk)
{
	struct batch_builder CLEANUP(batch_builder_freep) *bb = batch_builder_new();
	int err = bb ? read_late_elements(tk, bb) : -ENOMEM;

	if (err && err != -ENOMEM)
		err = read_late_elements(tk, bb);
	if (err && err != -ENOMEM)
		return elements_lost(tk, err);
	return err ? err : commit_elements(tk, bb);
}

/*
 * Its programs have stopped: what they added since the model was read. Where others changed the ruleset
 * meanwhile all is begun anew, but for this: by then nobody asks the old generation any more.
 */
int takeover_give_late_elements(struct takeover *tk)
{
	int err = give_late_elements(tk), again = err;

	for (int i = 0; again == -ERESTART && i < MAX_LATE; i++) {
		again = dump_generation(&tk->ruleset);
		if (!again)
			again = give_late_elements(tk);
	}
	return again ? again : err;
}

int takeover_unhook(struct takeover *tk)
{
	struct batch_builder CLEANUP(batch_builder_freep) *bb = batch_builder_new();
	int err = bb ? park_unhook(tk->rs, tk->plan, bb) : -ENOMEM;

	return err ? err : commit_builder(tk, bb);
}
