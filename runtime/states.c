/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State of limits, quotas and last, from one generation to the next.
 *
 * A limit's word is the time at which its bucket was empty, a quota's the bytes so far, that of
 * last a time. A rule that a load leaves alone keeps its word, as in the kernel: the new programs
 * begin with what the old ones had, and what these did until they stopped is added afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../compiler/ir_index.h"
#include "manifest.h"
#include "state_index.h"
#include "states_priv.h"

void states_close(struct states *s)
{
	if (s->words)
		munmap(s->words, s->words_size);
	if (s->kept)
		munmap(s->kept, s->kept_size);
	free(s->by_rule);
	*s = (struct states){0};
}

uint64_t states_hash_name(uint64_t h, const char *name)
{
	return ir_hash(h, name, strlen(name) + 1);
}

static int compare(const struct kept *a, const struct kept *b)
{
	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	if (a->handle != b->handle)
		return a->handle < b->handle ? -1 : 1;
	if (!a->handle && a->chain != b->chain)
		return a->chain < b->chain ? -1 : 1;
	if (a->expr != b->expr)
		return a->expr < b->expr ? -1 : 1;
	return strncmp(a->op, b->op, sizeof(a->op));
}

static int compare_kept(const void *pa, const void *pb)
{
	return compare(*(struct kept *const *)pa, *(struct kept *const *)pb);
}

static int map_pin(const struct runtime *rt, uint32_t gen, const char *name, void **ret,
		   size_t *ret_size, uint32_t *ret_n)
{
	int AUTO_CLOSE fd = -1;
	int err = gen_get(rt, gen, name, &fd);

	return err ? err : rt_array_map(fd, true, ret, ret_size, NULL, ret_n);
}

int states_open(const struct runtime *rt, uint32_t gen, struct diags *ds, struct states *ret)
{
	struct states CLEANUP(states_close) s = {0};
	void *kept = NULL, *words = NULL;
	int err = map_pin(rt, gen, "states", &kept, &s.kept_size, &s.n);

	if (err == -ENOENT)
		return err;
	s.kept = kept;
	if (!err)
		err = map_pin(rt, gen, "state", &words, &s.words_size, NULL);
	s.words = words;
	for (uint32_t i = 0; !err && i < s.n; i++)
		if (s.kept[i].offset + sizeof(uint64_t) > s.words_size || s.kept[i].offset % 8)
			err = -EINVAL;
	if (!err && !(s.by_rule = calloc(MAX(s.n, 1u), sizeof(*s.by_rule))))
		err = -ENOMEM;
	if (err)
		return rt_error(ds, err, "generation %u: cannot read its state", gen);
	for (uint32_t i = 0; i < s.n; i++)
		s.by_rule[i] = &s.kept[i];
	qsort(s.by_rule, s.n, sizeof(*s.by_rule), compare_kept);
	*ret = s;
	s = (struct states){0};
	return 0;
}

const struct kept *states_find(const struct states *s, const struct kept *key)
{
	struct kept *const *found =
		bsearch(&key, s->by_rule, s->n, sizeof(*s->by_rule), compare_kept);

	return found ? *found : NULL;
}

uint64_t *states_word(const struct states *s, const struct kept *k)
{
	return (uint64_t *)(s->words + k->offset);
}

/* ---- a new generation's ---- */

struct making {
	struct state_index states;
	struct kept *kept;
	uint32_t n;
};

static void make_kept(struct making *mk, const void *key, struct kept k)
{
	uint32_t n, first = state_index_find(&mk->states, key, &n);

	for (uint32_t i = first; i < first + n; i++) {
		const struct ir_state *st = mk->states.array[i];

		k.expr = st->expr;
		k.offset = st->index;
		snprintf(k.op, sizeof(k.op), "%s", st->op->name);
		mk->kept[mk->n++] = k;
	}
}

static void make_table(struct making *mk, const struct table *t)
{
	struct kept k = {.table = tables_hash(t)};
	const struct object *o;
	const struct chain *c;
	const struct rule *r;

	list_for_each (c, &t->chains, node) {
		k.chain = states_hash_name(k.table, c->name);
		k.position = 0;
		list_for_each (r, &c->rules, node) {
			k.position++;
			k.handle = r->handle;
			k.fresh = r->seq != 0 || t->remade;
			make_kept(mk, r, k);
		}
	}
	k.position = 0;
	k.handle = 0;
	list_for_each (o, &t->objects, node) {
		k.chain = states_hash_name(k.table, o->name);
		k.fresh = !o->handle || t->remade;
		make_kept(mk, o, k);
	}
}

static bool is_one_word(const struct ir_state *st)
{
	return !st->op->per_cpu && !st->in_elem && st->op->state_size == sizeof(uint64_t);
}

/* Only pieces of one word; what else there may be begins anew. */
static int make_all(struct making *mk, const struct ruleset *rs, const struct ir *ir)
{
	const struct table *t;
	int err = state_index_make(&mk->states, ir, is_one_word);

	mk->kept = calloc(MAX(ir->n_states, 1u), sizeof(*mk->kept));
	if (err || !mk->kept)
		return -ENOMEM;
	list_for_each (t, &rs->tables, node)
		make_table(mk, t);
	return 0;
}

static int pin(struct runtime *rt, uint32_t gen, const struct making *mk, struct diags *ds)
{
	int AUTO_CLOSE fd = -1;
	size_t size;
	void *map;
	int err = rt_array_create("nb_states", sizeof(*mk->kept), mk->n, &fd, &map, &size);

	if (err)
		return rt_error(ds, err, "cannot make a BPF map");
	memcpy(map, mk->kept, mk->n * sizeof(*mk->kept));
	munmap(map, size);
	return gen_pin(rt, gen, "states", fd, ds);
}

/*
 * Calls @fn for each entry of generation @gen that takes over what one of @old has, with that word.
 * One of the two without any: nothing to do.
 */
static int for_each_heir(struct runtime *rt, uint32_t old, uint32_t gen, struct diags *ds,
			 void (*fn)(const struct states *to, struct kept *k, uint64_t was))
{
	struct states CLEANUP(states_close) from = {0};
	struct states CLEANUP(states_close) to = {0};
	int err = states_open(rt, old, ds, &from);

	if (!err)
		err = states_open(rt, gen, ds, &to);
	for (uint32_t i = 0; !err && i < to.n; i++) {
		struct kept *k = &to.kept[i];
		const struct kept *before = k->fresh ? NULL : states_find(&from, k);

		if (before)
			fn(&to, k, __atomic_load_n(states_word(&from, before), __ATOMIC_RELAXED));
	}
	return err == -ENOENT ? 0 : err;
}

static void begin(const struct states *to, struct kept *k, uint64_t was)
{
	k->base = was;
	*states_word(to, k) = was;
}

int states_make(struct runtime *rt, uint32_t gen, uint32_t old, const struct ruleset *rs,
		const struct ir *ir, struct diags *ds)
{
	struct making mk = {0};
	int err = make_all(&mk, rs, ir);

	if (!err && mk.n)
		err = pin(rt, gen, &mk, ds);
	if (!err && mk.n)
		err = for_each_heir(rt, old, gen, ds, begin);
	state_index_fini(&mk.states);
	free(mk.kept);
	return err;
}

/* ---- handles ---- */

static int compare_places(const void *pa, const void *pb)
{
	const struct kept *a = *(struct kept *const *)pa, *b = *(struct kept *const *)pb;

	if (a->chain != b->chain)
		return a->chain < b->chain ? -1 : 1;
	return a->position < b->position ? -1 : a->position > b->position;
}

static void note_rule(const struct states *s, uint64_t chain, uint32_t position, uint64_t handle)
{
	uint32_t low = 0, high = s->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct kept *k = s->by_rule[mid];

		if (k->chain < chain || (k->chain == chain && k->position < position))
			low = mid + 1;
		else
			high = mid;
	}
	for (;
	     low < s->n && s->by_rule[low]->chain == chain && s->by_rule[low]->position == position;
	     low++)
		s->by_rule[low]->handle = handle;
}

int states_note_handles(struct runtime *rt, uint32_t gen, const struct ruleset *rs,
			struct diags *ds)
{
	struct states CLEANUP(states_close) s = {0};
	int err = states_open(rt, gen, ds, &s);
	const struct table *t;
	const struct chain *c;
	const struct rule *r;

	if (err)
		return err == -ENOENT ? 0 : err;
	qsort(s.by_rule, s.n, sizeof(*s.by_rule), compare_places);
	list_for_each (t, &rs->tables, node) {
		list_for_each (c, &t->chains, node) {
			uint64_t chain = states_hash_name(tables_hash(t), c->name);
			uint32_t position = 0;

			list_for_each (r, &c->rules, node)
				note_rule(&s, chain, ++position, r->handle);
		}
	}
	return 0;
}

/* ---- what was done meanwhile ---- */

static void add_since(const struct states *to, const struct kept *k, uint64_t now)
{
	uint64_t *w = states_word(to, k), is = __atomic_load_n(w, __ATOMIC_RELAXED);

	if (strcmp(k->op, "last") == 0) {
		while (now > is && !__atomic_compare_exchange_n(w, &is, now, false,
								__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
	} else if ((int64_t)(now - k->base) > 0) {
		__atomic_fetch_add(w, now - k->base, __ATOMIC_RELAXED);
	}
}

/*
 * Of a limit both words moved on from one base: by the tokens taken, and by the time that went
 * while the bucket was full. That time must not count twice, so of limits the later word stays.
 */
static void take_later(const struct states *to, const struct kept *k, uint64_t now)
{
	uint64_t *w = states_word(to, k), is = __atomic_load_n(w, __ATOMIC_RELAXED);

	while ((int64_t)now > (int64_t)is &&
	       !__atomic_compare_exchange_n(w, &is, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void carry(const struct states *to, struct kept *k, uint64_t now)
{
	if (strcmp(k->op, "limit") == 0)
		take_later(to, k, now);
	else
		add_since(to, k, now);
}

int states_carry(struct runtime *rt, uint32_t old, uint32_t gen, struct diags *ds)
{
	return for_each_heir(rt, old, gen, ds, carry);
}
