/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets that packets change, when no program keeps them any more: their elements go into the kernel's,
 * with what is left of their time.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "../netlink/nfnl.h"
#include "dynamic_priv.h"

#define MADE_ANEW 1024 /* elements, whatever packets counted */

bool dynamic_is_leaving(const struct ir *ir, const struct set *s)
{
	for (uint32_t i = 0; ir && i < ir->n_sets; i++)
		if ((ir->sets[i]->is_dynamic || ir->sets[i]->keeps) && ir->sets[i]->origin == s)
			return false;
	return (s->elsewhere || s->counted) && s->handle;
}

/*
 * To delete an element that has expired meanwhile would fail; to flush the set does not. Else large sets
 * are changed only where packets counted: the kernel takes minutes to make 100,000 ranges anew. Small
 * ones are made anew, so that the kernel goes on listing ranges of several fields in their order.
 */
static void give_set(const struct set *s, struct batch_builder *bb)
{
	if (s->elsewhere || s->flags & NFT_SET_TIMEOUT || s->n_elems <= MADE_ANEW)
		batch_renew_elems(bb, s);
	else
		batch_renew_counted(bb, s);
}

void dynamic_give(const struct ruleset *rs, const struct ir *ir, struct batch_builder *bb)
{
	const struct table *t;
	const struct set *s;

	list_for_each(t, &rs->tables, node)
		list_for_each(s, &t->sets, node)
			if (dynamic_is_leaving(ir, s) && !(s->flags & NFT_SET_ANONYMOUS))
				give_set(s, bb);
}

static const struct set *counterpart(const struct ruleset *rs, const struct set *s)
{
	const struct table *t = ruleset_find_table(rs, s->table->family, s->table->name);

	return t ? table_find_set(t, s->name) : NULL;
}

static void only_new(struct set *s, struct set *known)
{
	size_t i = 0;

	while (i < s->n_elems) {
		if (set_elem_get(known, s->elems[i].key, NULL, 0, false))
			set_elem_delete(s, &s->elems[i]);
		else
			i++;
	}
}

int dynamic_give_rest(struct runtime *rt, uint32_t gen, const struct manifest *m,
		      const struct ruleset *rs, const struct ir *ir, struct batch_builder *bb)
{
	const struct dump_options opt = { .sets_only = true };
	struct ruleset CLEANUP(ruleset_freep) *late = NULL;
	struct diags quiet;
	struct table *t;
	struct set *s;
	int err = 0;

	if (!m || !m->n_dynamic)
		return 0;
	diags_init(&quiet);
	err = dump_ruleset(&opt, &quiet, &late);
	diags_fini(&quiet);
	if (!err)
		err = dynamic_overlay_of(rt, gen, m, late, false);
	if (err)
		return err;
	list_for_each(t, &late->tables, node) {
		list_for_each(s, &t->sets, node) {
			const struct set *known = counterpart(rs, s);

			if (!s->elsewhere || !known || !dynamic_is_leaving(ir, known) ||
			    s->flags & NFT_SET_ANONYMOUS)
				continue;
			only_new(s, (struct set *)known);
			batch_add_elems(bb, s);
		}
	}
	return 0;
}
