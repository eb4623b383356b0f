/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who enforces what, changed in steps, so that a packet always meets the old rules, the new ones or
 * both (doc/takeover.md). The process may die between any two of them.
 *
 *	fill	programs into the idle slots, their pins, the manifest: nothing decides by them yet
 *	commit	the user's batch; interpreted chains on their hooks, what was parked stays parked
 *	wake	what was off its hooks and is not compiled any more, back on them
 *	flip	the new generation decides
 *	park	what is compiled off its hooks
 *	drop	the old generation, and roots that have no program any more
 *
 * Before and after the flip all packets under way are waited for, because one that has passed a hook
 * in its old form must not meet the rest in its new one.
 */
#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/netfilter.h>

#include "../netlink/sock.h"
#include "counters.h"
#include "dynamic.h"
#include "elem_states.h"
#include "reuse.h"
#include "sets.h"
#include "states.h"
#include "takeover.h"

void takeover_fini(struct takeover *tk)
{
	rt_state_fini(&tk->state);
	manifest_free(tk->m);
	sets_close_object(tk->obj);
}

static uint32_t n_progs(const struct takeover *tk)
{
	return tk->plan->lowered.ir ? tk->plan->lowered.ir->n_progs : 0;
}

/* ---- prepare ---- */

/* Generations that neither decide nor are owed anything: of processes that died before they committed. */
static int remove_leftovers(struct takeover *tk)
{
	uint32_t AUTO_FREE *gens = NULL;
	size_t n = 0;
	int err = gen_list(tk->rt, &gens, &n);

	for (size_t i = 0; !err && i < n; i++)
		if (gens[i] < tk->old || (gens[i] > tk->old && !tk->state.pending))
			err = gen_drop(tk->rt, gens[i]);
	return err;
}

int takeover_prepare(struct takeover *tk)
{
	int err = gen_words(tk->rt, true, tk->ds);

	tk->old = gen_current(tk->rt);
	tk->ruleset = tk->rs->generation;
	if (!err && gen_is_lost(tk->rt)) {
		diag_add(tk->ds, DIAG_ERROR, "manifest-lost", NULL,
			 "%s/gen-%u/manifest is gone: which chains the programs stand for is not "
			 "known; load the ruleset with nft -f (flush ruleset first), then remove %s",
			 tk->rt->dir, tk->old, tk->rt->dir);
		return -ENOENT;
	}
	if (!err)
		err = rt_state_read(tk->rt, tk->ruleset, tk->ds, &tk->state);
	if (!err)
		err = remove_leftovers(tk);
	if (err)
		return err;
	/* The lowest bit is the slot, so what was left behind with it gives way to a later one. */
	for (tk->gen = tk->old + 1; gen_exists(tk->rt, tk->gen); tk->gen += 2)
		;
	return 0;
}

/* ---- fill ---- */

/* Parts live by the map that is their way in (nb_parts); their own pins are for status. */
static int pin_program(struct takeover *tk, const struct ir_prog *p)
{
	int fd, err = 0;

	for (uint32_t i = 0; !err && (fd = object_part_fd(tk->obj, p, i)) >= 0; i++) {
		char AUTO_FREE *name = NULL;

		err = i ? path_printf(&name, "prog-%s_p%u", p->name, i) :
			  path_printf(&name, "prog-%s", p->name);
		if (!err)
			err = gen_pin(tk->rt, tk->gen, name, fd, tk->ds);
	}
	return err;
}

static int fill_one(struct takeover *tk, const struct rt_place *place)
{
	const struct ir_prog *p = place->prog;
	struct root *r = root_find(tk->rt, p->pf, p->hook, place->priority);
	int fd = object_prog_fd(tk->obj, p);
	int err;

	if (!r || fd < 0)
		return rt_error(tk->ds, -ENOENT, "program %s has no root", p->name);
	err = root_set_verdict(r, tk->gen & 1, plan_verdict(p));
	if (!err)
		err = root_set_slot(r, tk->gen & 1, fd);
	if (err)
		return rt_error(tk->ds, err, "root %s: cannot take program %s", r->name, p->name);
	return pin_program(tk, p);
}

/* A root that has no program in this generation accepts. */
static int empty_unused(struct takeover *tk)
{
	int AUTO_CLOSE accept = -1;
	int err = 0;

	for (size_t i = 0; !err && i < tk->rt->n_roots; i++) {
		struct root *r = &tk->rt->roots[i];

		if (r->used || r->slots < 0 || r->verdicts < 0)
			continue;
		err = root_set_verdict(r, tk->gen & 1, NF_ACCEPT);
		if (accept < 0 && root_has_program(r, tk->gen & 1))
			accept = rt_accepting_program();
		if (!err) /* it goes away with the root; without it the slot is emptied, which takes longer */
			err = root_set_slot(r, tk->gen & 1,
					    root_has_program(r, tk->gen & 1) ? accept : -1);
		if (err)
			return rt_error(tk->ds, err, "root %s: cannot be emptied", r->name);
	}
	return 0;
}

static int pin_data(struct takeover *tk)
{
	const struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, tk->obj) {
		const char *name = bpf_map__name(map), *section = strstr(name, ".data.");

		/* ".data.state" is the state; counters are pinned with their seeds */
		if (err || strncmp(name, "dyn_", 4) == 0 || strstr(name, ".bss") ||
		    strstr(name, ".rodata") || strstr(name, ".kconfig"))
			continue;
		err = gen_pin(tk->rt, tk->gen, section ? section + strlen(".data.") : name,
			      bpf_map__fd(map), tk->ds);
	}
	return err;
}

static int pin_use(struct takeover *tk)
{
	int AUTO_CLOSE fd = -1;
	int err = sets_make_use(tk->rt, tk->plan->lowered.ir, &fd);

	return err ? rt_error(tk->ds, err, "cannot make a BPF map") :
		     gen_pin(tk->rt, tk->gen, "set_use", fd, tk->ds);
}

int takeover_fill(struct takeover *tk)
{
	int err = empty_unused(tk);

	if (!err && tk->obj)
		err = dynamic_fill(tk->plan->lowered.ir, tk->ds);
	for (uint32_t i = 0; !err && i < tk->plan->n_places; i++)
		err = fill_one(tk, &tk->plan->places[i]);
	if (!err)
		rt_stop_at("filled");
	if (!err && tk->obj)
		err = pin_data(tk);
	if (!err && tk->obj)
		err = dynamic_pin(tk->rt, tk->gen, tk->plan->lowered.ir, tk->ds);
	if (!err && tk->obj)
		err = pin_use(tk);
	if (!err && tk->obj)
		reuse_keep(tk->rt, tk->gen, tk->plan);
	if (!err && (n_progs(tk) || tk->keep_manifest)) {
		err = manifest_make(tk->plan, tk->rs, tk->ruleset, &tk->m);
		if (!err)
			err = park_find_renewed(tk->rt, tk->rs, tk->plan);
		if (!err && tk->obj)
			err = counters_make(tk->rt, tk->gen, tk->rs, tk->plan->lowered.ir, tk->obj,
					    tk->m, tk->ds);
		if (!err && tk->obj)
			err = states_make(tk->rt, tk->gen, tk->old, tk->rs, tk->plan->lowered.ir,
					  tk->ds);
		if (!err && tk->obj)
			err = elem_states_begin(tk->rt, tk->state.current, tk->gen, tk->rs,
						tk->plan->lowered.ir, tk->ds);
		if (!err)
			err = elem_states_note_known(tk->rt, tk->gen, tk->m, tk->rs);
		if (!err)
			err = tables_make(tk->rt, tk->gen, tk->rs, tk->ds);
		if (!err)
			err = manifest_write(tk->rt, tk->gen, tk->m, tk->ds);
	}
	if (!err)
		rt_stop_at("pinned");
	return err;
}

void takeover_undo(struct takeover *tk)
{
	if (!tk->gen)
		return; /* nothing was prepared */
	for (size_t i = tk->rt->n_roots; i-- > 0;) {
		struct root *r = &tk->rt->roots[i];

		if (r->fresh)
			root_remove(tk->rt, r);
		else if (r->slots >= 0)
			root_set_slot(r, tk->gen & 1, -1);
	}
	gen_drop(tk->rt, tk->gen);
	if (!tk->old && !tk->state.pending && !tk->rt->n_roots)
		rt_forget(tk->rt);
}

/* ---- drop ---- */

static int program_of(const struct takeover *tk, const struct root *r)
{
	for (uint32_t i = 0; i < tk->plan->n_places; i++) {
		const struct rt_place *place = &tk->plan->places[i];

		if (place->prog->pf == r->pf && place->prog->hook == r->hook &&
		    place->priority == r->priority)
			return object_prog_fd(tk->obj, place->prog);
	}
	return -1;
}

/*
 * The old program gives way to the new one, so both slots have it: taking one out of a slot waits
 * for a grace period each time (bpf_arch_poke_desc_update()), putting another one in does not.
 */
static int drop(struct takeover *tk)
{
	uint32_t AUTO_FREE *gens = NULL;
	size_t n = 0;
	int err = 0;

	for (size_t i = tk->rt->n_roots; !err && i-- > 0;) {
		struct root *r = &tk->rt->roots[i];

		if (!r->used)
			err = root_remove(tk->rt, r);
		else
			err = root_set_slot(r, !(tk->gen & 1), program_of(tk, r));
	}
	if (err)
		return rt_error(tk->ds, err, "cannot remove what was replaced");
	rt_stop_at("detached");
	err = gen_list(tk->rt, &gens, &n);
	for (size_t i = 0; !err && i < n; i++)
		if (gens[i] != tk->gen)
			err = gen_drop(tk->rt, gens[i]);
	if (!err && !tk->m)
		err = rt_forget(tk->rt);
	if (err)
		return rt_error(tk->ds, err, "%s: cannot remove what was replaced", tk->rt->dir);
	rt_stop_at("dropped");
	return 0;
}

void takeover_try(struct takeover *tk, int (*step)(struct takeover *tk), const char *lost)
{
	struct diags said, *ds = tk->ds;
	int err;

	diags_init(&said);
	tk->ds = &said;
	err = step(tk);
	if (err) {
		diags_fini(&said);
		err = step(tk);
	}
	tk->ds = ds;
	diags_lower(&said);
	diags_move(ds, &said);
	if (err)
		diag_add(ds, DIAG_WARNING, "run-time", NULL, "%s (%s)", lost, strerror(-err));
}

static int note_tables(struct takeover *tk)
{
	return tables_note_handles(tk->rt, tk->gen, tk->ruleset, tk->ds);
}

static int note_sets(struct takeover *tk)
{
	int err = dynamic_note_handles(tk->rt, tk->gen, tk->m, tk->ds);

	return elem_states_note_handles(tk->rt, tk->gen, tk->m, tk->ds) ?: err;
}

static int change_dynamic_sets(struct takeover *tk)
{
	return dynamic_commit(tk->rt, tk->gen, tk->plan->lowered.ir, tk->ds);
}

#define BY_NAME "are known by their names alone until the next load"

int takeover_run(struct takeover *tk)
{
	double begin = now_ms();
	int err = takeover_ready(tk);

	if (err)
		return err;
	nlsock_linger(true);
	err = tk->batch ? takeover_commit(tk, tk->batch) : 0;
	if (!err && tk->batch && tk->m)
		takeover_try(tk, note_tables, "tables " BY_NAME);
	/* Also where somebody else's commit followed: that the batch deleted elements nobody knows but this. */
	if (!err || tk->begun)
		takeover_try(tk, change_dynamic_sets,
			     "not all elements of sets that packets change are as in the kernel");
	rt_stop_at("committed");
	if (!err)
		err = takeover_wake(tk);
	if (!err)
		err = takeover_give_objects(tk);
	if (!err)
		err = takeover_give_elements(tk);
	rt_stop_at("woken");
	if (!err)
		err = takeover_flip(tk);
	if (!err)
		err = takeover_give_late_elements(tk);
	if (!err)
		err = takeover_unhook(tk);
	if (!err && tk->m)
		takeover_try(tk, note_sets, "sets " BY_NAME);
	rt_stop_at("parked");
	if (!err)
		tk->rt->words[RT_WORD_RULESET].value = tk->ruleset;
	if (!err)
		err = drop(tk);
	nlsock_linger(false);
	tk->plan->ms_commit = now_ms() - begin;
	return err;
}
