/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of named sets, added and deleted, and sets flushed, while programs run: the kernel's set
 * first, since it may refuse, then the map, in place (element_map.c). Nothing is compiled, no element
 * is read back.
 *
 * A set that is flushed and filled again is filled first.
 *
 * A batch that does more, or a change that has no place in the map (no room, a new verdict, an
 * interval over others), goes the long way: what is live is taken over anew.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "../netlink/nfnl.h"
#include "dynamic.h"
#include "elements.h"
#include "model.h"
#include "plan.h"

struct update {
	struct runtime *rt;
	struct diags *ds;
	struct manifest *m;
	uint32_t gen;
	struct elem_batch says;
	bool in_kernel; /* committed */
	bool half; /* what taking over cannot do was not done */
	struct batch rewritten; /* for sets that packets change; data NULL: there is none */
};

static void update_fini(struct update *u)
{
	manifest_free(u->m);
	elem_batch_fini(&u->says);
	batch_fini(&u->rewritten);
}

/* ---- maps ---- */

/* With what was read of a set, in one map of it: fn() for each, or all in place of what is there. */
static int apply_spans(const struct update *u, const struct set *s, const struct mf_set *mf,
		       int (*fn)(struct target *, const struct span *))
{
	struct target CLEANUP(target_fini) t = {.set = s, .mixed = u->says.adds && u->says.deletes};
	struct arena *a = arena_new();
	struct span *spans;
	size_t n = 0;
	int err = make_spans(a, s, &spans, &n);

	if (!err)
		err = target_open(u->rt, u->gen, mf, &t);
	for (size_t i = 0; fn && !err && i < n; i++)
		err = fn(&t, &spans[i]);
	if (!fn && !err)
		err = target_replace(&t, spans, n);
	arena_free(a);
	return err;
}

static const struct mf_set *find_mf_set(const struct update *u, const struct set *s)
{
	for (uint32_t i = 0; i < u->m->n_sets; i++) {
		const struct mf_set *mf = &u->m->sets[i];

		if (mf->family == s->table->family && strcmp(mf->table, s->table->name) == 0 &&
		    strcmp(mf->name, s->name) == 0)
			return mf;
	}
	return NULL;
}

static int apply_all(const struct update *u, int (*fn)(struct target *, const struct span *))
{
	int err = 0;

	for (uint32_t i = 0; !err && i < u->m->n_sets; i++) {
		const struct mf_set *mf = &u->m->sets[i];
		const struct set *s = elem_batch_set(&u->says, mf->family, mf->table, mf->name);

		if (s && elem_batch_flushes(&u->says, s))
			err = fn == target_add ? apply_spans(u, s, mf, NULL) : 0;
		else if (s && s->n_elems)
			err = apply_spans(u, s, mf, fn);
	}
	return err;
}

/*
 * Whether libnftables may go without knowing what is in an interval set: the kernel does not find
 * every overlap (__nft_rbtree_insert(): not where both have the same end). Our trees do.
 */
static int check_overlaps(const struct update *u, const struct set *s)
{
	const struct mf_set *mf = find_mf_set(u, s);
	struct target CLEANUP(target_fini) t = {.set = s};
	struct arena *a;
	struct span *spans;
	size_t n = 0;
	int err;

	if (!mf)
		return -EAGAIN;
	a = arena_new();
	err = make_spans(a, s, &spans, &n);
	if (!err)
		err = target_open(u->rt, u->gen, mf, &t);
	if (!err && t.shape.kind != CLASSIFY_TREE)
		err = -EAGAIN;
	for (size_t i = 0; !err && i < n; i++)
		if (classify_tree_has(t.blob, spans[i].lo, spans[i].hi) < 0)
			err = -EAGAIN;
	arena_free(a);
	return err ? -EAGAIN : 0;
}

static bool can_replace(const struct update *u, const struct set *s, const struct mf_set *mf)
{
	struct target CLEANUP(target_fini) t = {.set = s};
	struct arena *a = arena_new();
	struct span *spans;
	size_t n = 0;
	int err = make_spans(a, s, &spans, &n);
	bool can;

	if (!err)
		err = target_open(u->rt, u->gen, mf, &t);
	can = !err && target_can_replace(&t, spans, n);
	arena_free(a);
	return can;
}

/* Elements that are deleted after a flush were added after it: that is for the long way. */
static int check_flushed(const struct update *u)
{
	for (uint32_t i = 0; u->says.n_flushed && i < u->m->n_sets; i++) {
		const struct mf_set *mf = &u->m->sets[i];
		const struct set *s = elem_batch_set(&u->says, mf->family, mf->table, mf->name);

		/* What elements keep begins anew. */
		if (s && elem_batch_flushes(&u->says, s) && (u->says.deletes || mf->n_kinds || !can_replace(u, s, mf)))
			return -EOPNOTSUPP;
	}
	for (size_t i = 0; i < u->says.n_flushed; i++)
		if (dynamic_find(u->rt, u->gen, u->m, u->says.flushed[i]))
			return -EOPNOTSUPP;
	return 0;
}

static int check_all_overlaps(const struct update *u)
{
	const struct table *t;
	const struct set *s;
	int err;

	list_for_each(t, &u->says.sets->tables, node) {
		list_for_each(s, &t->sets, node) {
			err = s->n_elems && is_paired(s) ? check_overlaps(u, s) : 0;
			if (err)
				return err;
		}
	}
	return 0;
}

/* ---- sets that packets change ---- */

typedef int (*on_dynamic)(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
			  const struct set *s);

static int each_dynamic(const struct update *u, on_dynamic fn, bool *ret_any)
{
	struct table *t;
	struct set *s;
	int err = 0;

	list_for_each(t, &u->says.sets->tables, node) {
		list_for_each(s, &t->sets, node) {
			const struct mf_dynamic *d =
				s->n_elems ? dynamic_find(u->rt, u->gen, u->m, s) : NULL;

			if (!d || err)
				continue;
			s->elsewhere = *ret_any = true;
			err = fn(u->rt, u->gen, d, s);
		}
	}
	return err;
}

/*
 * Their maps are the truth, of which the kernel's set may lack something, or have what packets have
 * deleted since: it is asked for what it can do in any case (rewrite.c).
 */
static int check_dynamic(struct update *u, const struct batch *b)
{
	bool any = false;
	int err = each_dynamic(u, u->says.adds ? dynamic_can_add : dynamic_can_delete, &any);

	if (err || !any)
		return err;
	if (u->says.excl || (u->says.adds && u->says.deletes)) /* "create", and what is made anew */
		return -EOPNOTSUPP;
	u->rewritten = (struct batch){ .data = malloc(b->len), .len = b->len,
				       .generation = b->generation };
	if (!u->rewritten.data)
		return -ENOMEM;
	memcpy(u->rewritten.data, b->data, b->len);
	return rt_rewrite(u->says.sets, &u->rewritten);
}

/* Only what our programs were made for: else the long way finds out. */
static int update_begin(struct update *u)
{
	int err;

	if (!u->rt->words)
		return -ENOENT;
	u->gen = gen_current(u->rt);
	err = manifest_read(u->rt, u->gen, u->ds, &u->m);
	if (!err && (u->m->format != MANIFEST_FORMAT || u->m->fixed_sets))
		err = -EOPNOTSUPP;
	if (!err && u->says.sets->generation != u->rt->words[RT_WORD_RULESET].value)
		err = -EOPNOTSUPP;
	return err;
}

/* What of maps of sets that packets change is not done is done by nobody: they are the truth. */
static int update_dynamic(struct update *u, on_dynamic fn)
{
	bool any;
	int err = each_dynamic(u, fn, &any);

	if (err)
		err = each_dynamic(u, fn, &any);
	u->half = err;
	return err;
}

static int update_maps(struct update *u, const struct batch *b)
{
	int err = u->says.adds ? update_dynamic(u, dynamic_add) : 0;

	if (!err && u->says.adds)
		err = apply_all(u, target_add);
	if (!err && u->says.deletes && u->says.adds)
		err = elem_batch_read(&u->says, b, NFT_MSG_DELSETELEM, u->ds);
	if (!err && u->says.deletes)
		err = update_dynamic(u, dynamic_delete);
	if (!err && u->says.deletes)
		err = apply_all(u, target_delete);
	return err;
}

/* -ERESTART: somebody else's commit came first; of what is in the kernel, the maps have no place for it. */
static int update_run(struct update *u, const struct batch *b)
{
	const struct commit_options opt = {.generation = u->says.sets->generation};
	uint32_t now = 0;
	int err = u->says.n_flushed ? rt_wait_prepare() : 0;

	if (err)
		return rt_error(u->ds, err, "cannot wait for packets under way");
	err = commit_batch(u->rewritten.data ? &u->rewritten : b, &opt, u->ds);
	if (err)
		return err;
	u->in_kernel = true;
	rt_stop_at("elements");
	err = update_maps(u, b);
	rt_stop_at("mapped");
	if (u->half)
		return rt_error(u->ds, err, "the kernel's set has what it was told, but the programs do not: "
				"the same command again may do it");
	if (!err)
		err = dump_generation(&now);
	if (err || now > u->says.sets->generation + 1)
		return -ERESTART;
	u->rt->words[RT_WORD_RULESET].value = now;
	return 0;
}

int rt_update(struct runtime *rt, struct ruleset *heads, const struct batch *b, bool unaware,
	      struct diags *ds, bool *ret_in_kernel)
{
	struct update CLEANUP(update_fini) u = {.rt = rt, .says = {.sets = heads}};
	struct diags quiet;
	int err;

	*ret_in_kernel = false;
	diags_init(&quiet);
	u.ds = &quiet;
	err = elem_batch_look(&u.says, b);
	if (!err)
		err = update_begin(&u);
	if (!err)
		err = elem_batch_read(&u.says, b,
				      u.says.adds ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, u.ds);
	if (!err)
		err = check_flushed(&u);
	if (!err && unaware)
		err = check_all_overlaps(&u);
	if (!err)
		err = check_dynamic(&u, b);
	diags_fini(&quiet);
	if (err)
		return err == -ENOMEM || err == -EAGAIN ? err : -EOPNOTSUPP;
	u.ds = ds;
	err = update_run(&u, b);
	*ret_in_kernel = u.in_kernel;
	return err;
}
