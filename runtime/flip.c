/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flip: one store, by which the new generation decides at all hooks; and what has to be waited for
 * before and after, for the sake of packets that are inside a hook at that moment: they meet the roots
 * before it by the old generation and the roots behind it by the new one.
 *
 * So a chain that comes before its old place could be missed: not there yet when the packet came by, not
 * there any more where it was. Its program is put in its new place for the old generation, too, and
 * packets that passed there before are waited for: then it is met there, if not at both places.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/netfilter.h>

#include "counters.h"
#include "elem_states.h"
#include "object.h"
#include "states.h"
#include "takeover.h"

static bool anything_decided(const struct takeover *tk)
{
	return tk->old && gen_exists(tk->rt, tk->old);
}

/* Is there a chain that the interpreter is to run, where programs were before? */
static bool anything_interpreted(const struct takeover *tk)
{
	const struct table *t;
	const struct chain *c;

	list_for_each(t, &tk->rs->tables, node) {
		if (t->family != NFPROTO_IPV4 && t->family != NFPROTO_IPV6 &&
		    t->family != NFPROTO_INET)
			continue;
		list_for_each(c, &t->chains, node)
			if (c->is_base && !plan_compiles(tk->plan, c))
				return true;
	}
	return false;
}

static bool was_behind(const struct mf_chain *was, const struct rt_place *place)
{
	const bool v4 = place->prog->pf == NFPROTO_IPV4;

	return was && was->st.compiled && was->st.hook == place->prog->hook &&
	       (v4 ? was->st.pf4 && was->st.attached4 > place->priority :
		     was->st.pf6 && was->st.attached6 > place->priority);
}

static bool has_come_forward(const struct manifest *m, const struct rt_place *place)
{
	const struct ir_prog *p = place->prog;

	for (uint32_t i = 0; i < p->n_bases; i++) {
		const struct ir_chain *c = p->bases[i];

		if (was_behind(manifest_find_chain(m, c->family, c->table, c->name), place))
			return true;
	}
	return false;
}

/*
 * Of a generation that nobody asked to be committed a killed process leaves nothing: what is in parts
 * would lose them.
 */
static bool survives(const struct takeover *tk, const struct ir_prog *p)
{
	return tk->begun || object_part_fd(tk->obj, p, 1) < 0;
}

/* True: some have come before their old places, and decide in their new ones already. */
static bool bring_forward(const struct takeover *tk)
{
	bool any = false;

	for (uint32_t i = 0; tk->state.current && i < tk->plan->n_places; i++) {
		const struct rt_place *place = &tk->plan->places[i];
		const struct ir_prog *p = place->prog;
		struct root *r = root_find(tk->rt, p->pf, p->hook, place->priority);

		if (r && has_come_forward(tk->state.current, place) && survives(tk, p))
			any |= root_set_slot(r, !(tk->gen & 1), object_prog_fd(tk->obj, p)) == 0;
	}
	return any;
}

/* What comes after the first commit opens sockets, pins and links, some ten at a time. */
static int check_descriptors(void)
{
	int fds[32], err = 0;
	size_t n = 0;

	for (; !err && n < ARRAY_SIZE(fds); n++) {
		fds[n] = open("/", O_PATH | O_CLOEXEC);
		err = fds[n] < 0 ? -errno : 0;
	}
	while (n-- > 0)
		close_fd(&fds[n]);
	return err;
}

int takeover_ready(const struct takeover *tk)
{
	int err = anything_decided(tk) ? rt_wait_prepare() : 0;

	if (err)
		return rt_error(tk->ds, err, "cannot wait for packets under way");
	err = check_descriptors();
	return err ? rt_error(tk->ds, err, "nothing was changed") : 0;
}

static void wait_programs(void)
{
	if (rt_wait_programs() < 0)
		usleep(100000);
}

static int carry_counters(struct takeover *tk)
{
	return counters_carry(tk->rt, tk->old, tk->state.current, tk->gen, tk->m, tk->ds);
}

static int carry_states(struct takeover *tk)
{
	return states_carry(tk->rt, tk->old, tk->gen, tk->ds);
}

int takeover_flip(struct takeover *tk)
{
	int err = 0;

	/* One that is past the place of a chain just put back must not meet a root just emptied. */
	if (anything_decided(tk) && anything_interpreted(tk))
		err = rt_wait_programs();
	if (err)
		return rt_error(tk->ds, err, "cannot wait for packets under way");
	if (bring_forward(tk)) {
		rt_stop_at("forward");
		wait_programs();
	}
	gen_flip(tk->rt, tk->gen);
	rt_stop_at("flipped");
	/* The new rules decide: no way back. */
	tk->begun = true;
	for (size_t i = 0; i < tk->rt->n_roots; i++)
		tk->rt->roots[i].fresh = false;
	wait_programs();
	if (tk->state.current && tk->m)
		takeover_try(tk, carry_counters, "what was counted while the rules changed is lost");
	if (tk->m)
		takeover_try(tk, carry_states,
			     "what limits and quotas took while the rules changed is lost");
	elem_states_carry(tk->rt);
	return 0;
}
