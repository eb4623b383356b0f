/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What elements keep, from one generation to the next where its maps are made anew: an element that
 * stays begins with what it had, and what packets did until the old programs have stopped is added. It
 * is known by its key; one that the batch made takes nothing over.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/dynamic.h"
#include "../compiler/set_table.h"
#include "../netlink/nfnl.h"
#include "dynamic.h"
#include "elem_map.h"

/* ---- into the next generation ---- */

struct elem_base { /* of an element that stays */
	uint32_t from, to; /* indexes in both maps */
	const struct mf_kind *kind;
	uint64_t words[8], shown[8];
};

struct elem_bases { /* of a set */
	struct elem_bases *next;
	uint32_t id; /* in the new generation */
	struct elem_map shown; /* as the model shows it; blob NULL: an element of its own in the kernel */
	struct elem_map old, new;
	struct elem_base *array;
	size_t n;
};

static void bases_free(struct elem_bases *b)
{
	elem_map_close(&b->old);
	elem_map_close(&b->new);
	free(b->array);
	free(b);
}

void elem_states_forget(struct runtime *rt)
{
	while (rt->bases) {
		struct elem_bases *b = rt->bases;

		rt->bases = b->next;
		bases_free(b);
	}
}

/* A record of both maps of the same kind, or a kind that is the same. */
static const struct mf_kind *common_kind(const struct elem_bases *b, uint32_t from, uint32_t to,
					 const struct exprs *es)
{
	const struct mf_kind *k = elem_map_kind(&b->old, from);

	return k && elem_map_kind(&b->new, to) && elem_kind_size(k) <= sizeof(b->array->words) &&
			       dynamic_same_exprs(k->exprs, k->n_exprs, es) ?
		       k :
		       NULL;
}

static void read_kind(const struct elem_map *em, uint32_t index, const struct mf_kind *k,
		      uint64_t *ret)
{
	const uint64_t *at = elem_map_words(em, index);

	for (uint32_t i = 0; i < k->n_exprs; i++) {
		uint32_t n = dyn_state_size(k->exprs[i].name) / 8;

		elem_read_words(at, k->exprs[i].name, ret);
		at += n;
		ret += n;
	}
}

static void begin_elem(struct elem_bases *b, const struct ir_elem *e, uint32_t to)
{
	uint32_t from = e->origin && !e->origin->fresh ? elem_map_index(&b->old, e->lo) : CLASSIFY_MISS;
	const struct mf_kind *k =
		from == CLASSIFY_MISS ? NULL : common_kind(b, from, to, &e->origin->exprs);
	struct elem_base *base = &b->array[b->n];

	if (!k || !k->n_exprs)
		return;
	*base = (struct elem_base){ .from = from, .to = to, .kind = k };
	read_kind(&b->old, from, k, base->words);
	if (b->shown.blob)
		read_kind(&b->shown, from, k, base->shown);
	memcpy(elem_map_words(&b->new, to), base->words, elem_kind_size(k));
	b->n++;
}

/* Elements have their places in the new map in order: nobody has changed it yet. */
static int begin_set(struct runtime *rt, const struct mf_set *mf, uint32_t gen,
		     const struct ir_set *set)
{
	struct mf_set made = { .id = set->id, .map = set->table->map,
			       .map_offset = set->table->map_offset };
	struct elem_bases *b = calloc(1, sizeof(*b));
	int err = b ? 0 : -ENOMEM;

	if (!err)
		b->array = calloc(set->n_elems + 1, sizeof(*b->array));
	if (!err)
		err = b->array ? elem_map_open(rt, gen_current(rt), mf, set->origin, false, &b->old) :
				 -ENOMEM;
	if (!err)
		err = elem_map_open(rt, gen, &made, set->origin, true, &b->new);
	if (err) {
		if (b)
			bases_free(b);
		return err == -ENOENT ? 0 : err;
	}
	b->id = set->id;
	for (const struct elem_shown *sh = rt->elem_shown; sh; sh = sh->next) {
		if (sh->id != mf->id)
			continue;
		b->shown = b->old;
		b->shown.blob = sh->blob;
	}
	made.n_kinds = set->table->n_kinds;
	made.kinds = calloc(made.n_kinds + 1, sizeof(*made.kinds));
	b->new.mf = &made;
	for (size_t i = 0; made.kinds && i < set->n_elems; i++)
		begin_elem(b, &set->elems[i], (uint32_t)i);
	b->new.mf = NULL;
	free(made.kinds);
	b->next = rt->bases;
	rt->bases = b;
	return 0;
}

/* The @nth that is @s; a verdict map of an inet table has one for each family. */
static const struct mf_set *find(const struct manifest *m, const struct elem_uses *u,
				 const struct set *s, uint32_t nth)
{
	for (uint32_t i = 0; i < m->n_sets; i++)
		if (elem_uses_same(u, &m->sets[i], s) && nth-- == 0)
			return &m->sets[i];
	return NULL;
}

/* Which one of the sets made of one it is. */
static uint32_t place_among_its_kind(const struct ir *ir, uint32_t i)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < i; k++)
		n += ir->sets[k]->origin == ir->sets[i]->origin;
	return n;
}

int elem_states_begin(struct runtime *rt, const struct manifest *m, uint32_t gen,
		      const struct ruleset *rs, const struct ir *ir, struct diags *ds)
{
	struct elem_uses CLEANUP(elem_uses_close) u = { 0 };
	int err;

	elem_states_forget(rt);
	if (!elem_states_any(m))
		return 0;
	err = elem_uses_open(rt, gen_current(rt), false, &u);
	if (err == -ENOENT)
		return 0;
	for (uint32_t i = 0; !err && i < ir->n_sets; i++) {
		const struct ir_set *set = ir->sets[i];
		const struct mf_set *mf =
			set->keeps && !set->stays && set->origin ?
				find(m, &u, set->origin, place_among_its_kind(ir, i)) :
				NULL;

		if (mf && !elem_uses_given(&u, mf, rs->generation))
			err = begin_set(rt, mf, gen, set);
	}
	return err ? rt_error(ds, err, "what elements keep cannot be taken over") : 0;
}

static void carry_word(uint64_t *to, const char *expr, uint64_t base, uint64_t now)
{
	uint64_t is = __atomic_load_n(to, __ATOMIC_RELAXED);

	if (strcmp(expr, "last") == 0 || strcmp(expr, "limit") == 0) {
		/* The later one (states.c). */
		while ((int64_t)(now - is) > 0 &&
		       !__atomic_compare_exchange_n(to, &is, now, false, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED))
			;
	} else {
		__atomic_fetch_add(to, now - base, __ATOMIC_RELAXED);
	}
}

static void carry_elem(const struct elem_bases *b, const struct elem_base *base)
{
	const uint64_t *from = elem_map_words(&b->old, base->from), *word = base->words;
	uint64_t *to = elem_map_words(&b->new, base->to);

	for (uint32_t i = 0; i < base->kind->n_exprs; i++) {
		const char *name = base->kind->exprs[i].name;
		uint64_t now[2] = { 0 };
		uint32_t n = dyn_state_size(name) / 8;

		elem_read_words(from, name, now);
		for (uint32_t k = 0; k < n; k++)
			carry_word(&to[k], name, word[k], now[k]);
		from += n;
		to += n;
		word += n;
	}
}

void elem_states_carry(struct runtime *rt)
{
	for (const struct elem_bases *b = rt->bases; b; b = b->next)
		for (size_t i = 0; i < b->n; i++)
			carry_elem(b, &b->array[i]);
}

/* The rule of an anonymous set was made anew, with what the model shows: that is the kernel's now. */
static void uncount(struct elem_bases *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct elem_base *base = &b->array[i];
		uint64_t *to = elem_map_words(&b->new, base->to);
		const uint64_t *word = base->shown;

		for (uint32_t k = 0; k < base->kind->n_exprs; k++) {
			const char *name = base->kind->exprs[k].name;
			uint32_t n = dyn_state_size(name) / 8;

			for (uint32_t w = 0; w < n && strcmp(name, "counter") == 0; w++)
				__atomic_fetch_sub(&to[w], word[w], __ATOMIC_RELAXED);
			to += n;
			word += n;
		}
		memset(base->shown, 0, sizeof(base->shown)); /* once is enough */
	}
}

static void note_identity(struct runtime *rt, struct set_use *use, uint32_t id, const struct set *s)
{
	uint64_t before = use->handle;

	use->handle = elem_set_identity(s, &use->expr);
	if (!(s->flags & NFT_SET_ANONYMOUS) || !before || before == use->handle)
		return;
	for (struct elem_bases *b = rt->bases; b; b = b->next)
		if (b->id == id)
			uncount(b);
}

/* ---- what is noted of sets ---- */

/* Handles of sets that the batch made are the kernel's to tell. */
static int note_named(const struct manifest *m, struct elem_uses *u, struct diags *ds)
{
	const struct dump_options opt = { .sets_only = true };
	struct ruleset CLEANUP(ruleset_freep) *rs = NULL;
	int err = dump_ruleset(&opt, ds, &rs);

	for (uint32_t i = 0; !err && i < m->n_sets; i++) {
		const struct mf_set *mf = &m->sets[i];
		const struct table *t = ruleset_find_table(rs, mf->family, mf->table);
		const struct set *s = t ? table_find_set(t, mf->name) : NULL;

		if (mf->n_kinds && s && !(s->flags & NFT_SET_ANONYMOUS) && mf->id < u->n)
			u->array[mf->id].handle = s->handle;
	}
	return err;
}

int elem_states_note_known(struct runtime *rt, uint32_t gen, const struct manifest *m,
			   const struct ruleset *rs)
{
	struct elem_uses CLEANUP(elem_uses_close) u = { 0 };
	int err = elem_states_any(m) ? elem_uses_open(rt, gen, true, &u) : 0;

	for (uint32_t i = 0; u.array && i < m->n_sets; i++) {
		const struct mf_set *mf = &m->sets[i];
		const struct table *t = ruleset_find_table(rs, mf->family, mf->table);
		const struct set *s = t ? table_find_set(t, mf->name) : NULL;

		if (mf->n_kinds && s && mf->id < u.n)
			note_identity(rt, &u.array[mf->id], mf->id, s);
	}
	return err == -ENOENT ? 0 : err;
}

int elem_states_note_handles(struct runtime *rt, uint32_t gen, const struct manifest *m,
			     struct diags *ds)
{
	struct elem_uses CLEANUP(elem_uses_close) u = { 0 };
	int err = elem_states_any(m) ? elem_uses_open(rt, gen, true, &u) : -ENOENT;

	return err == -ENOENT ? 0 : err ? err : note_named(m, &u, ds);
}

void elem_states_note_given(struct runtime *rt, const struct manifest *m, const struct ruleset *rs,
			    const struct ir *ir, uint32_t ruleset)
{
	struct elem_uses CLEANUP(elem_uses_close) u = { 0 };
	const struct table *t;
	const struct set *s;

	if (!elem_states_any(m) || elem_uses_open(rt, gen_current(rt), true, &u) < 0)
		return;
	list_for_each(t, &rs->tables, node)
		list_for_each(s, &t->sets, node)
			for (uint32_t i = 0; i < m->n_sets; i++)
				if (dynamic_is_leaving(ir, s) && elem_uses_same(&u, &m->sets[i], s))
					u.array[m->sets[i].id].given = ruleset + 1;
}
