/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of named sets, added and deleted while programs run: the kernel's set first, since it may
 * refuse, then the map, in place. Nothing is compiled, no element is read back.
 *
 * A batch that does more, or a change that has no place in the map (no room, a new verdict, an
 * interval over others, elements that count), goes the long way: what is live is taken over anew.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "../compiler/attr.h"
#include "../compiler/classify/classify.h"
#include "../compiler/ir.h"
#include "../netlink/nfnl.h"
#include "model.h"
#include "plan.h"
#include "sets.h"

struct update {
	struct runtime *rt;
	struct diags *ds;
	struct manifest *m;
	uint32_t gen;
	struct ruleset *sets; /* heads, with what the batch says of them */
	bool adds, deletes;
};

static void update_fini(struct update *u)
{
	manifest_free(u->m);
}

/* One set in one map. */
struct target {
	const struct mf_set *mf;
	const struct set *set;
	void *map, *blob; /* the blob is in the map, which others may be in, too */
	size_t size, use_size;
	struct set_use *use, *all_use;
	struct classify_shape shape;
	bool settled; /* packets that read by freed indexes are gone */
	bool mixed; /* the batch adds and deletes: what is there may be meant to be made anew */
};

static void target_fini(struct target *t)
{
	if (t->map)
		rt_array_unmap(t->map, t->size);
	if (t->all_use)
		munmap(t->all_use, t->use_size);
}

static int target_open(const struct update *u, const struct mf_set *mf, struct target *t)
{
	int AUTO_CLOSE fd = -1;
	int AUTO_CLOSE use = -1;
	char AUTO_FREE *name = NULL;
	void *map;
	int err = path_printf(&name, "set_%u", mf->map);

	t->mf = mf;
	if (!err)
		err = gen_get(u->rt, u->gen, name, &fd);
	if (!err)
		err = gen_get(u->rt, u->gen, "set_use", &use);
	if (!err)
		err = rt_array_map_lazy(fd, &t->map, &t->size);
	if (!err)
		err = rt_array_map(use, true, &map, &t->use_size, NULL, NULL);
	if (err)
		return err;
	t->all_use = map;
	t->use = &t->all_use[mf->id];
	if (mf->map_offset >= t->size)
		return -EINVAL;
	t->blob = (char *)t->map + mf->map_offset;
	return classify_shape(t->blob, t->size - mf->map_offset, &t->shape);
}

static int settle(struct target *t)
{
	int err = t->settled ? 0 : rt_wait_programs();

	t->settled = true;
	return err;
}

/* ---- elements as intervals ---- */

struct span {
	const uint8_t *lo, *hi;
	const struct set_elem *elem;
};

static __thread size_t span_width;

static int compare_elems(const void *pa, const void *pb)
{
	const struct set_elem *a = *(const struct set_elem *const *)pa;
	const struct set_elem *b = *(const struct set_elem *const *)pb;
	int d = memcmp(a->key, b->key, span_width);

	return d ? d : (int)(b->flags & NFT_SET_ELEM_INTERVAL_END) -
			       (int)(a->flags & NFT_SET_ELEM_INTERVAL_END);
}

static bool is_paired(const struct set *s)
{
	return s->flags & NFT_SET_INTERVAL && !(s->field_len && s->n_fields > 1);
}

/* The last key before @next, in the arena; NULL: the highest there is. */
static const uint8_t *end_before(struct arena *a, const uint8_t *next, size_t width)
{
	uint8_t *k = arena_alloc(a, width);

	memset(k, 0xff, width);
	if (!next)
		return k;
	memcpy(k, next, width);
	for (size_t i = width; i-- > 0 && k[i]-- == 0;)
		;
	return k;
}

/* What a batch says of a set, in order. -EOPNOTSUPP: catch-all elements. */
static int make_spans(struct arena *a, const struct set *s, struct span **ret, size_t *ret_n)
{
	const struct set_elem **elems = arena_alloc(a, (s->n_elems + 1) * sizeof(*elems));
	struct span *spans = arena_alloc(a, (s->n_elems + 1) * sizeof(*spans));
	size_t n = 0;

	for (size_t i = 0; i < s->n_elems; i++) {
		elems[i] = &s->elems[i];
		if (!elems[i]->key || elems[i]->flags & NFT_SET_ELEM_CATCHALL)
			return -EOPNOTSUPP;
	}
	span_width = s->key_len;
	if (is_paired(s))
		qsort(elems, s->n_elems, sizeof(*elems), compare_elems);
	for (size_t i = 0; i < s->n_elems; i++) {
		const struct set_elem *e = elems[i];
		struct span sp = {e->key, e->key_end ? e->key_end : e->key, e};

		if (is_paired(s) && e->flags & NFT_SET_ELEM_INTERVAL_END)
			continue;
		if (is_paired(s))
			sp.hi = end_before(a, i + 1 < s->n_elems ? elems[i + 1]->key : NULL,
					   s->key_len);
		spans[n++] = sp;
	}
	*ret = spans;
	*ret_n = n;
	return 0;
}

/* ---- changes of a map ---- */

static enum ir_verdict_code verdict_code(int32_t code)
{
	switch (code) {
	case NF_ACCEPT:
		return IR_ACCEPT;
	case NF_DROP:
		return IR_DROP;
	case NFT_RETURN:
		return IR_RETURN;
	case NFT_JUMP:
		return IR_JUMP;
	case NFT_GOTO:
		return IR_GOTO;
	default:
		return IR_CONTINUE;
	}
}

/* -ENOENT: the programs do not know the verdict. */
static int make_value(const struct target *t, const struct set_elem *e, uint32_t *words)
{
	enum ir_verdict_code code = verdict_code(e->verdict.code);

	memset(words, 0, IR_MAX_WIDTH);
	if (!(t->set->flags & NFT_SET_MAP))
		return 0;
	if (t->set->data_type != NFT_DATA_VERDICT) {
		memcpy(words, e->data, MIN(t->set->data_len, (uint32_t)IR_MAX_WIDTH));
		return e->data ? 0 : -EINVAL;
	}
	for (uint32_t i = 0; i < t->mf->n_verdicts; i++) {
		const struct mf_verdict *v = &t->mf->verdicts[i];

		if (v->code != (int32_t)code || !v->chain != !e->verdict.chain ||
		    (v->chain && strcmp(v->chain, e->verdict.chain) != 0))
			continue;
		words[0] = v->number;
		return 0;
	}
	return -ENOENT;
}

static uint64_t expires_at(const struct set *s, const struct set_elem *e)
{
	uint64_t ms = e->expiration ? e->expiration : e->timeout ? e->timeout : s->timeout;

	if (!(s->flags & NFT_SET_TIMEOUT) || !ms || ms == UINT64_MAX)
		return 0;
	return (uint64_t)(ms_now() * 1e6) + ms * 1000000;
}

static int take_index(struct target *t, uint32_t *ret)
{
	int err;

	if (t->use->next < t->shape.capacity) {
		*ret = t->use->next++;
		return 0;
	}
	if (!t->use->n_freed)
		return -ENOSPC;
	err = settle(t);
	if (!err)
		*ret = t->use->freed[--t->use->n_freed];
	return err;
}

static void give_index(struct target *t, uint32_t index)
{
	if (t->use->n_freed < ARRAY_SIZE(t->use->freed))
		t->use->freed[t->use->n_freed++] = index;
	t->settled = false;
}

static int change(struct target *t, int (*fn)(void *, const struct classify_elem *),
		  const struct classify_elem *e)
{
	int err = fn(t->blob, e);

	if (err != -EAGAIN)
		return err;
	err = rt_wait_programs();
	if (err)
		return err;
	classify_settled(t->blob);
	return fn(t->blob, e);
}

/*
 * An element that is there, and the same one, since the kernel took it: only one whose time was up
 * is made anew.
 */
static int add_again(struct target *t, const struct span *sp, const uint32_t *words)
{
	uint32_t index = classify_find(t->blob, sp->lo);
	uint64_t was;

	if (t->mixed || t->shape.kind == CLASSIFY_BOXES || index == CLASSIFY_MISS)
		return -EEXIST;
	if (t->shape.kind == CLASSIFY_TREE && classify_tree_has(t->blob, sp->lo, sp->hi) != 1)
		return -EEXIST;
	was = classify_expires(t->blob, index);
	if (!was || was > (uint64_t)(ms_now() * 1e6))
		return t->set->flags & NFT_SET_TIMEOUT ? -EEXIST : 0;
	if (t->shape.value_size)
		classify_set_value(t->blob, index, words);
	classify_set_expires(t->blob, index, expires_at(t->set, sp->elem));
	return 0;
}

static int add_span(struct target *t, const struct span *sp)
{
	uint32_t words[IR_MAX_WIDTH / 4];
	struct classify_elem e = {.lo = sp->lo, .hi = sp->hi};
	int err = make_value(t, sp->elem, words);

	if (!err)
		err = take_index(t, &e.index);
	if (err)
		return err;
	if (t->shape.value_size)
		classify_set_value(t->blob, e.index, words);
	if (t->shape.expires)
		classify_set_expires(t->blob, e.index, expires_at(t->set, sp->elem));
	err = change(t, classify_insert, &e);
	if (!err)
		return 0;
	give_index(t, e.index);
	return err == -EEXIST ? add_again(t, sp, words) : err;
}

static int delete_span(struct target *t, const struct span *sp)
{
	struct classify_elem e = {.lo = sp->lo, .hi = sp->hi};
	int err;

	e.index = classify_find(t->blob, sp->lo);
	if (e.index == CLASSIFY_MISS)
		return -ENOENT;
	err = change(t, classify_delete, &e);
	if (!err)
		give_index(t, e.index);
	return err;
}

/* ---- a batch ---- */

static int apply_spans(const struct update *u, const struct set *s, const struct mf_set *mf,
		       int (*fn)(struct target *, const struct span *))
{
	struct target CLEANUP(target_fini) t = {.set = s, .mixed = u->adds && u->deletes};
	struct arena *a = arena_new();
	struct span *spans;
	size_t n = 0;
	int err = make_spans(a, s, &spans, &n);

	if (!err && n)
		err = target_open(u, mf, &t);
	for (size_t i = 0; !err && i < n; i++)
		err = fn(&t, &spans[i]);
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
		const struct table *t = ruleset_find_table(u->sets, mf->family, mf->table);
		const struct set *s = t ? table_find_set(t, mf->name) : NULL;

		if (s && s->n_elems)
			err = apply_spans(u, s, mf, fn);
	}
	return err;
}

static int message_type(const struct nlmsghdr *h)
{
	return NFNL_SUBSYS_ID(h->nlmsg_type) == NFNL_SUBSYS_NFTABLES ?
		       NFNL_MSG_TYPE(h->nlmsg_type) :
		       -1;
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

		if (message_type(h) == type)
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
		u->adds |= type == NFT_MSG_NEWSETELEM;
		u->deletes |= type == NFT_MSG_DELSETELEM;
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
		err = target_open(u, mf, &t);
	if (!err && t.shape.kind != CLASSIFY_TREE)
		err = -EAGAIN;
	for (size_t i = 0; !err && i < n; i++)
		if (classify_tree_has(t.blob, spans[i].lo, spans[i].hi) < 0)
			err = -EAGAIN;
	arena_free(a);
	return err ? -EAGAIN : 0;
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

/* Its elements are in a map of another kind. */
static bool is_dynamic(const struct update *u, const struct nlmsghdr *h)
{
	const struct nfgenmsg *nfg = NLMSG_DATA(h);
	const size_t head = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(*nfg)));
	struct blob attrs = {(const uint8_t *)h + head, h->nlmsg_len - (uint32_t)head};
	const char *table = attr_str(attrs, NFTA_SET_ELEM_LIST_TABLE);
	const char *name = attr_str(attrs, NFTA_SET_ELEM_LIST_SET);

	for (uint32_t i = 0; table && name && i < u->m->n_dynamic; i++) {
		const struct mf_dynamic *d = &u->m->dynamic[i];

		if (d->family == nfg->nfgen_family && strcmp(d->table, table) == 0 &&
		    strcmp(d->name, name) == 0)
			return true;
	}
	return false;
}

static bool has_dynamic(const struct update *u, const struct batch *b)
{
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= b->len) {
		const struct nlmsghdr *h = (const void *)(b->data + at);

		if (is_dynamic(u, h))
			return true;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return false;
}

/* Only what our programs were made for: else the long way finds out. */
static int update_begin(struct update *u, const struct batch *b)
{
	int err;

	if (!u->rt->words)
		return -ENOENT;
	u->gen = gen_current(u->rt);
	err = manifest_read(u->rt, u->gen, u->ds, &u->m);
	if (!err && (u->m->format != MANIFEST_FORMAT || u->m->fixed_sets))
		err = -EOPNOTSUPP;
	if (!err && has_dynamic(u, b))
		err = -EOPNOTSUPP;
	if (!err && u->sets->generation != u->rt->words[RT_WORD_RULESET].value)
		err = -EOPNOTSUPP;
	return err;
}

static int update_maps(struct update *u, const struct batch *b)
{
	int err = u->adds ? apply_all(u, add_span) : 0;

	if (!err && u->deletes && u->adds)
		err = read_batch(u, b, NFT_MSG_DELSETELEM);
	if (!err && u->deletes)
		err = apply_all(u, delete_span);
	return err;
}

/* -ERESTART: it is in the kernel, but the maps have no place for it. */
static int update_run(struct update *u, const struct batch *b)
{
	const struct commit_options opt = {.generation = u->sets->generation};
	uint32_t now = 0;
	int err = commit_batch(b, &opt, u->ds);

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
		err = update_begin(&u, b);
	if (!err)
		err = read_batch(&u, b, u.adds ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM);
	if (!err && unaware)
		err = check_all_overlaps(&u);
	diags_fini(&quiet);
	if (err)
		return err == -ENOMEM || err == -EAGAIN ? err : -EOPNOTSUPP;
	u.ds = ds;
	err = update_run(&u, b);
	*ret_in_kernel = !err || err == -ERESTART;
	return err;
}
