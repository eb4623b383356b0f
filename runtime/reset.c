/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named counters and quotas from nothing again. Programs go on counting meanwhile: of counters only
 * the seed changes, by what was read.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "counters.h"
#include "states_priv.h"

static bool is_meant(const struct rt_reset_what *what, uint8_t family, const char *table,
		     const char *name)
{
	return (!what->family || what->family == family) &&
	       (!what->table || strcmp(what->table, table) == 0) &&
	       (!what->name || strcmp(what->name, name) == 0);
}

/* What can fail comes first, then the kernel's own, then ours. */
static int reset_counters(struct runtime *rt, const struct rt_reset_what *what, struct diags *ds)
{
	struct manifest CLEANUP(manifest_freep) *m = NULL;
	struct counters CLEANUP(counters_close) c = { 0 };
	int err = manifest_read(rt, gen_current(rt), ds, &m);

	if (!err)
		err = counters_open(rt, gen_current(rt), m, true, ds, &c);
	if (err && err != -ENOENT)
		return err;
	err = what->kernel(what->arg);
	for (uint32_t i = 0; !err && c.seeds && i < m->n_objects; i++) {
		const struct mf_object *o = &m->objects[i];
		struct packets_bytes now;

		if (!is_meant(what, o->family, o->table, o->name))
			continue;
		now = counters_read(&c, o->counter);
		c.seeds[o->counter].packets -= now.packets;
		c.seeds[o->counter].bytes -= now.bytes;
	}
	return err;
}

static int reset_quotas(struct runtime *rt, const struct ruleset *rs,
			const struct rt_reset_what *what, struct diags *ds)
{
	struct states CLEANUP(states_close) s = { 0 };
	int err = states_open(rt, gen_current(rt), ds, &s);
	const struct object *o;
	const struct table *t;

	if (err && err != -ENOENT)
		return err;
	err = what->kernel(what->arg);
	if (err || !s.kept)
		return err;
	list_for_each(t, &rs->tables, node)
		list_for_each(o, &t->objects, node)
			if (o->type == NFT_OBJECT_QUOTA &&
			    is_meant(what, t->family, t->name, o->name))
				states_reset_object(&s, o);
	return 0;
}

int rt_reset(struct runtime *rt, const struct ruleset *rs, const struct rt_reset_what *what,
	     struct diags *ds)
{
	return what->type == NFT_OBJECT_COUNTER ? reset_counters(rt, what, ds) :
						  reset_quotas(rt, rs, what, ds);
}
