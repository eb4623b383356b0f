/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of named sets, added and deleted, and sets flushed, while programs run: the kernel's set
 * first, since it may refuse, then the map, in place (element_map.c). Nothing is compiled, no element
 * is read back.
 *
 * What a batch says of a set before it flushes it does not matter. A set that is flushed and filled
 * again is filled first.
 *
 * A batch that does more, or a change that has no place in the map (no room, a new verdict, an
 * interval over others, elements that count), goes the long way: what is live is taken over anew.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "../compiler/attr.h"
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
	struct ruleset *sets; /* heads, with what the batch says of them */
	bool adds, deletes, excl;
	struct batch rewritten; /* for sets that packets change; data NULL: there is none */
	const struct set **flushed;
	size_t n_flushed;
};

static void update_fini(struct update *u)
{
	manifest_free(u->m);
	free(u->flushed);
	batch_fini(&u->rewritten);
}

static bool is_flushed(const struct update *u, const struct set *s)
{
	for (size_t i = 0; i < u->n_flushed; i++)
		if (u->flushed[i] == s)
			return true;
	return false;
}

/* ---- maps ---- */

/* With what was read of a set, in one map of it: fn() for each, or all in place of what is there. */
static int apply_spans(const struct update *u, const struct set *s, const struct mf_set *mf,
		       int (*fn)(struct target *, const struct span *))
{
	struct target CLEANUP(target_fini) t = {.set = s, .mixed = u->adds && u->deletes};
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

static struct set *find_set(const struct update *u, uint8_t family, const char *table,
			    const char *name)
{
	const struct table *t = table ? ruleset_find_table(u->sets, family, table) : NULL;

	return t && name ? table_find_set(t, name) : NULL;
}

static int apply_all(const struct update *u, int (*fn)(struct target *, const struct span *))
{
	int err = 0;

	for (uint32_t i = 0; !err && i < u->m->n_sets; i++) {
		const struct mf_set *mf = &u->m->sets[i];
		const struct set *s = find_set(u, mf->family, mf->table, mf->name);

		if (s && is_flushed(u, s))
			err = fn == target_add ? apply_spans(u, s, mf, NULL) : 0;
		else if (s && s->n_elems)
			err = apply_spans(u, s, mf, fn);
	}
	return err;
}

/* ---- the batch ---- */

static int message_type(const struct nlmsghdr *h)
{
	return NFNL_SUBSYS_ID(h->nlmsg_type) == NFNL_SUBSYS_NFTABLES ?
		       NFNL_MSG_TYPE(h->nlmsg_type) :
		       -1;
}

/* Whose elements it is about. */
struct elems_message {
	uint8_t family;
	const char *table, *set; /* NULL: not told */
	bool flushes;
};

static struct elems_message elems_message(const struct nlmsghdr *h)
{
	const struct nfgenmsg *nfg = NLMSG_DATA(h);
	const size_t head = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(*nfg)));
	struct blob attrs = {(const uint8_t *)h + head, h->nlmsg_len - (uint32_t)head}, list;

	/* nf_tables_delsetelem(): no elements, all elements */
	return (struct elems_message){
		.family = nfg->nfgen_family,
		.table = attr_str(attrs, NFTA_SET_ELEM_LIST_TABLE),
		.set = attr_str(attrs, NFTA_SET_ELEM_LIST_SET),
		.flushes = message_type(h) == NFT_MSG_DELSETELEM &&
			   !attr_find(attrs, NFTA_SET_ELEM_LIST_ELEMENTS, &list),
	};
}

/* Deleted elements are read as if they were added: what is in the way of that is not known here. */
static int read_message(struct update *u, const struct nlmsghdr *h)
{
	struct nlmsghdr *copy = malloc(h->nlmsg_len);
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, h, h->nlmsg_len);
	copy->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM;
	err = apply_message(u->sets, copy, APPLY_DUMP, u->ds);
	free(copy);
	return err;
}

static int read_flush(struct update *u, const struct elems_message *m)
{
	struct set *s = find_set(u, m->family, m->table, m->set);
	const struct set **flushed;

	if (!s)
		return -ENOENT;
	set_flush(s);
	if (is_flushed(u, s))
		return 0;
	flushed = realloc(u->flushed, (u->n_flushed + 1) * sizeof(*flushed));
	if (!flushed)
		return -ENOMEM;
	u->flushed = flushed;
	flushed[u->n_flushed++] = s;
	return 0;
}

static void forget_elements(struct ruleset *rs)
{
	struct table *t;
	struct set *s;

	list_for_each(t, &rs->tables, node)
		list_for_each(s, &t->sets, node)
			set_flush(s);
}

/* What the batch adds, or what it deletes, in place of what was read before. */
static int read_batch(struct update *u, const struct batch *b, int type)
{
	size_t at = 0;
	int err = 0;

	forget_elements(u->sets);
	while (!err && at + sizeof(struct nlmsghdr) <= b->len) {
		const struct nlmsghdr *h = (const void *)(b->data + at);
		const struct elems_message m = elems_message(h);

		if (m.flushes)
			err = read_flush(u, &m);
		else if (message_type(h) == type)
			err = read_message(u, h);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return err;
}

/* Whether it is about elements alone, and of which kind. */
static int look_at_batch(struct update *u, const struct batch *b)
{
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= b->len) {
		const struct nlmsghdr *h = (const void *)(b->data + at);
		int type = message_type(h);

		if (type != NFT_MSG_NEWSETELEM && type != NFT_MSG_DELSETELEM)
			return -EOPNOTSUPP;
		u->adds |= type == NFT_MSG_NEWSETELEM || elems_message(h).flushes;
		u->deletes |= type == NFT_MSG_DELSETELEM && !elems_message(h).flushes;
		u->excl |= type == NFT_MSG_NEWSETELEM && h->nlmsg_flags & NLM_F_EXCL;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return 0;
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
	for (uint32_t i = 0; u->n_flushed && i < u->m->n_sets; i++) {
		const struct mf_set *mf = &u->m->sets[i];
		const struct set *s = find_set(u, mf->family, mf->table, mf->name);

		/* What elements keep begins anew. */
		if (s && is_flushed(u, s) && (u->deletes || mf->n_kinds || !can_replace(u, s, mf)))
			return -EOPNOTSUPP;
	}
	for (size_t i = 0; i < u->n_flushed; i++)
		if (dynamic_find(u->rt, u->gen, u->m, u->flushed[i]))
			return -EOPNOTSUPP;
	return 0;
}

static int check_all_overlaps(const struct update *u)
{
	const struct table *t;
	const struct set *s;
	int err;

	list_for_each(t, &u->sets->tables, node) {
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

	list_for_each(t, &u->sets->tables, node) {
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
	int err = each_dynamic(u, u->adds ? dynamic_can_add : dynamic_can_delete, &any);

	if (err || !any)
		return err;
	if (u->excl || (u->adds && u->deletes)) /* "create", and what is made anew */
		return -EOPNOTSUPP;
	u->rewritten = (struct batch){ .data = malloc(b->len), .len = b->len,
				       .generation = b->generation };
	if (!u->rewritten.data)
		return -ENOMEM;
	memcpy(u->rewritten.data, b->data, b->len);
	return rt_rewrite(u->sets, &u->rewritten);
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
	if (!err && u->sets->generation != u->rt->words[RT_WORD_RULESET].value)
		err = -EOPNOTSUPP;
	return err;
}

static int update_maps(struct update *u, const struct batch *b)
{
	bool any;
	int err = u->adds ? apply_all(u, target_add) : 0;

	if (!err && u->adds)
		err = each_dynamic(u, dynamic_add, &any);
	if (!err && u->deletes && u->adds)
		err = read_batch(u, b, NFT_MSG_DELSETELEM);
	if (!err && u->deletes)
		err = apply_all(u, target_delete);
	if (!err && u->deletes)
		err = each_dynamic(u, dynamic_delete, &any);
	return err;
}

/* -ERESTART: it is in the kernel, but the maps have no place for it. */
static int update_run(struct update *u, const struct batch *b)
{
	const struct commit_options opt = {.generation = u->sets->generation};
	uint32_t now = 0;
	int err = commit_batch(u->rewritten.data ? &u->rewritten : b, &opt, u->ds);

	if (err)
		return err;
	rt_stop_at("elements");
	err = update_maps(u, b);
	rt_stop_at("mapped");
	if (!err)
		err = dump_generation(&now);
	if (err || now > u->sets->generation + 1)
		return -ERESTART;
	u->rt->words[RT_WORD_RULESET].value = now;
	return 0;
}

int rt_update(struct runtime *rt, struct ruleset *heads, const struct batch *b, bool unaware,
	      struct diags *ds, bool *ret_in_kernel)
{
	struct update CLEANUP(update_fini) u = {.rt = rt, .sets = heads};
	struct diags quiet;
	int err;

	*ret_in_kernel = false;
	diags_init(&quiet);
	u.ds = &quiet;
	err = look_at_batch(&u, b);
	if (!err)
		err = update_begin(&u);
	if (!err)
		err = read_batch(&u, b, u.adds ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM);
	if (!err)
		err = check_flushed(&u);
	if (!err && unaware)
		err = check_all_overlaps(&u);
	if (!err)
		err = check_dynamic(&u, b);
	diags_fini(&quiet);
	if (err == -ENFILE)
		return rt_error(ds, err, "Could not process rule: the set is full, with what packets added");
	if (err)
		return err == -ENOMEM || err == -EAGAIN ? err : -EOPNOTSUPP;
	u.ds = ds;
	err = update_run(&u, b);
	*ret_in_kernel = !err || err == -ERESTART;
	return err;
}
