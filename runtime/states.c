/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State of limits, quotas and last: from one generation to the next, and into the model.
 *
 * A limit's word is the time at which its bucket was empty, a quota's the bytes so far, that of
 * last a time. A rule that a load leaves alone keeps its word, as in the kernel: the new programs
 * begin with what the old ones had, and what these did until they stopped is added afterwards.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "../compiler/ir_index.h"
#include "counters.h"
#include "states.h"

#ifndef NFTA_LAST_MAX
enum { NFTA_LAST_SET = 1, NFTA_LAST_MSECS = 2 };
#endif

/* An entry of the map "states". */
struct kept {
	uint64_t table;	   /* hash of its name and family */
	uint64_t chain;	   /* the same with the chain's, or the object's, name */
	uint64_t handle;   /* of the rule; 0: not known, or an object */
	uint64_t base;	   /* the predecessor's word when this one was made */
	uint32_t position; /* of the rule in its chain; 0: an object */
	uint32_t expr;
	uint32_t offset; /* in the map "state" */
	uint32_t fresh;	 /* made by the batch: takes nothing over */
	char op[16];
};

struct states { /* of one generation, mapped */
	uint8_t *words;
	struct kept *kept;
	struct kept **by_rule; /* sorted by table, handle, expression; objects by chain */
	uint32_t n;
	size_t words_size, kept_size;
};

static void states_close(struct states *s)
{
	if (s->words)
		munmap(s->words, s->words_size);
	if (s->kept)
		munmap(s->kept, s->kept_size);
	free(s->by_rule);
	*s = (struct states){0};
}

static uint64_t hash_name(uint64_t h, const char *name)
{
	return ir_hash(h, name, strlen(name) + 1);
}

static uint64_t hash_table(const struct table *t)
{
	return hash_name(ir_hash_u64(IR_HASH_INIT, t->family), t->name);
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

/* -ENOENT without an error when the generation keeps nothing. */
static int states_open(const struct runtime *rt, uint32_t gen, struct diags *ds, struct states *ret)
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

static const struct kept *find(const struct states *s, const struct kept *key)
{
	struct kept *const *found =
		bsearch(&key, s->by_rule, s->n, sizeof(*s->by_rule), compare_kept);

	return found ? *found : NULL;
}

static uint64_t *word(const struct states *s, const struct kept *k)
{
	return (uint64_t *)(s->words + k->offset);
}

/* ---- a new generation's ---- */

struct making {
	const struct ir_state **states; /* by key and expression */
	uint32_t n_states;
	struct kept *kept;
	uint32_t n;
};

static int compare_states(const void *pa, const void *pb)
{
	const struct ir_state *a = *(const struct ir_state *const *)pa,
			      *b = *(const struct ir_state *const *)pb;

	if (a->key != b->key)
		return (uintptr_t)a->key < (uintptr_t)b->key ? -1 : 1;
	return a->expr < b->expr ? -1 : a->expr > b->expr;
}

static void make_kept(struct making *mk, const void *key, struct kept k)
{
	uint32_t low = 0, high = mk->n_states;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if ((uintptr_t)mk->states[mid]->key < (uintptr_t)key)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < mk->n_states && mk->states[low]->key == key; low++) {
		k.expr = mk->states[low]->expr;
		k.offset = mk->states[low]->index;
		snprintf(k.op, sizeof(k.op), "%s", mk->states[low]->op->name);
		mk->kept[mk->n++] = k;
	}
}

static void make_table(struct making *mk, const struct table *t)
{
	struct kept k = {.table = hash_table(t)};
	const struct object *o;
	const struct chain *c;
	const struct rule *r;

	list_for_each (c, &t->chains, node) {
		k.chain = hash_name(k.table, c->name);
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
		k.chain = hash_name(k.table, o->name);
		k.fresh = !o->handle || t->remade;
		make_kept(mk, o, k);
	}
}

/* Only pieces of one word; what else there may be begins anew. */
static int make_all(struct making *mk, const struct ruleset *rs, const struct ir *ir)
{
	const struct table *t;

	mk->states = calloc(MAX(ir->n_states, 1u), sizeof(*mk->states));
	mk->kept = calloc(MAX(ir->n_states, 1u), sizeof(*mk->kept));
	if (!mk->states || !mk->kept)
		return -ENOMEM;
	for (uint32_t i = 0; i < ir->n_states; i++)
		if (!ir->states[i]->op->per_cpu && ir->states[i]->op->state_size == 8)
			mk->states[mk->n_states++] = ir->states[i];
	qsort(mk->states, mk->n_states, sizeof(*mk->states), compare_states);
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

static int begin(struct runtime *rt, uint32_t gen, uint32_t old, struct diags *ds)
{
	struct states CLEANUP(states_close) from = {0};
	struct states CLEANUP(states_close) to = {0};
	int err = states_open(rt, old, ds, &from);

	if (!err)
		err = states_open(rt, gen, ds, &to);
	for (uint32_t i = 0; !err && i < to.n; i++) {
		struct kept *k = &to.kept[i];
		const struct kept *before = k->fresh ? NULL : find(&from, k);

		if (!before)
			continue;
		k->base = __atomic_load_n(word(&from, before), __ATOMIC_RELAXED);
		*word(&to, k) = k->base;
	}
	return err == -ENOENT ? 0 : err;
}

int states_make(struct runtime *rt, uint32_t gen, uint32_t old, const struct ruleset *rs,
		const struct ir *ir, struct diags *ds)
{
	struct making mk = {0};
	int err = make_all(&mk, rs, ir);

	if (!err && mk.n)
		err = pin(rt, gen, &mk, ds);
	if (!err && mk.n)
		err = begin(rt, gen, old, ds);
	free(mk.states);
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
			uint64_t chain = hash_name(hash_table(t), c->name);
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
	uint64_t *w = word(to, k), is = __atomic_load_n(w, __ATOMIC_RELAXED);

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
	uint64_t *w = word(to, k), is = __atomic_load_n(w, __ATOMIC_RELAXED);

	while ((int64_t)now > (int64_t)is &&
	       !__atomic_compare_exchange_n(w, &is, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

int states_carry(struct runtime *rt, uint32_t old, uint32_t gen, struct diags *ds)
{
	struct states CLEANUP(states_close) from = {0};
	struct states CLEANUP(states_close) to = {0};
	int err = states_open(rt, old, ds, &from);

	if (!err)
		err = states_open(rt, gen, ds, &to);
	for (uint32_t i = 0; !err && i < to.n; i++) {
		const struct kept *k = &to.kept[i];
		const struct kept *before = k->fresh ? NULL : find(&from, k);
		uint64_t now;

		if (!before)
			continue;
		now = __atomic_load_n(word(&from, before), __ATOMIC_RELAXED);
		if (strcmp(k->op, "limit") == 0)
			take_later(&to, k, now);
		else
			add_since(&to, k, now);
	}
	return err == -ENOENT ? 0 : err;
}

/* ---- into the model ---- */

static bool put_be64(struct blob attrs, uint16_t type, uint64_t value)
{
	struct blob at;

	if (!attr_find(attrs, type, &at) || at.len != sizeof(value))
		return false;
	value = htobe64(value);
	memcpy((void *)at.data, &value, sizeof(value)); /* the bytes belong to the model */
	return true;
}

static void show_last(struct blob attrs, uint64_t ns)
{
	const uint32_t set = htobe32(1);
	struct timespec ts;
	struct blob at;
	uint64_t now;

	if (!ns || !attr_find(attrs, NFTA_LAST_SET, &at) || at.len != sizeof(set))
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if (put_be64(attrs, NFTA_LAST_MSECS, now > ns ? (now - ns) / 1000000 : 0))
		memcpy((void *)at.data, &set, sizeof(set));
}

/*
 * raw_counter.value.bytes of a quota is what the kernel's own consumed. It never tells, nor takes,
 * more than the quota (nft_quota_do_dump(), nft_quota_do_init()).
 */
static int show(struct runtime *rt, const struct states *s, const struct kept *k, const char *op,
		struct blob attrs, struct raw_counter raw)
{
	uint64_t value = __atomic_load_n(word(s, k), __ATOMIC_RELAXED);
	struct raw_counter *more;

	if (strcmp(op, "last") == 0)
		show_last(attrs, value);
	if (strcmp(op, "quota") != 0)
		return 0;
	value = MIN(value, attr_uint(attrs, NFTA_QUOTA_BYTES, 0));
	raw.value.bytes = attr_uint(attrs, NFTA_QUOTA_CONSUMED, 0);
	if (!put_be64(attrs, NFTA_QUOTA_CONSUMED, value))
		return 0;
	more = reallocarray(rt->raw, rt->n_raw + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	rt->raw = more;
	rt->raw[rt->n_raw++] = raw;
	return 0;
}

static int show_rule(struct runtime *rt, const struct states *s, uint64_t table,
		     const struct rule *r)
{
	struct kept key = {.table = table, .handle = r->handle};
	const struct kept *k;
	int err = 0;

	for (key.expr = 0; !err && r->handle && key.expr < r->exprs.n; key.expr++) {
		const struct expr *e = &r->exprs.array[key.expr];

		if (strcmp(e->name, "quota") != 0 && strcmp(e->name, "last") != 0)
			continue;
		snprintf(key.op, sizeof(key.op), "%s", e->name);
		k = find(s, &key);
		if (k)
			err = show(rt, s, k, e->name, e->attrs,
				   (struct raw_counter){
					   .owner = r, .handle = r->handle, .expr = key.expr});
	}
	return err;
}

static int show_object(struct runtime *rt, const struct states *s, uint64_t table,
		       const struct object *o)
{
	struct kept key = {.table = table, .chain = hash_name(table, o->name), .op = "quota"};
	const struct kept *k = o->type == NFT_OBJECT_QUOTA ? find(s, &key) : NULL;

	return k ? show(rt, s, k, key.op, o->attrs,
			(struct raw_counter){.owner = o, .handle = o->handle})
		 : 0;
}

int states_overlay(struct runtime *rt, struct ruleset *rs, struct diags *ds)
{
	struct states CLEANUP(states_close) s = {0};
	int err = states_open(rt, gen_current(rt), ds, &s);
	const struct object *o;
	const struct table *t;
	const struct chain *c;
	const struct rule *r;

	if (err)
		return err == -ENOENT ? 0 : err;
	list_for_each (t, &rs->tables, node) {
		uint64_t table = hash_table(t);

		if (t->remade)
			continue;
		list_for_each (c, &t->chains, node)
			list_for_each (r, &c->rules, node)
				if (!err)
					err = show_rule(rt, &s, table, r);
		list_for_each (o, &t->objects, node)
			if (!err)
				err = show_object(rt, &s, table, o);
	}
	raw_sort(rt);
	return err;
}

int states_reset_object(struct runtime *rt, const struct object *o, struct diags *ds)
{
	struct states CLEANUP(states_close) s = { 0 };
	struct kept key = { .table = hash_table(o->table), .op = "quota" };
	int err = states_open(rt, gen_current(rt), ds, &s);
	const struct kept *k;

	if (err)
		return err == -ENOENT ? 0 : err;
	key.chain = hash_name(key.table, o->name);
	k = find(&s, &key);
	if (k)
		__atomic_store_n(word(&s, k), 0, __ATOMIC_RELAXED);
	return 0;
}

bool states_quota_behind(const struct runtime *rt, const void *owner, uint64_t handle,
			 uint32_t expr, struct blob attrs)
{
	const struct raw_counter *raw = raw_find(rt, owner, handle, expr);

	return raw && raw->value.bytes != attr_uint(attrs, NFTA_QUOTA_CONSUMED, 0);
}
