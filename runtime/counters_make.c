/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new generation's counters: which rule counts where, where each begins, and what the generation
 * before it still counted while it was being replaced.
 */
#include <errno.h>
#include <sys/mman.h>

#include <bpf/libbpf.h>
#include <linux/netfilter/nf_tables.h>

#include "counters.h"
#include "state_index.h"

struct making {
	struct runtime *rt;
	uint32_t gen;
	const struct ruleset *rs;
	struct state_index states; /* the per-CPU ones */
	struct manifest *m;
	struct packets_bytes *seeds;
	struct counted_rule *rules;
	uint32_t n_rules;
};

static bool is_per_cpu(const struct ir_state *st)
{
	return st->op->per_cpu && !st->in_elem;
}

/* A counter whose kernel side goes on counting is kept relative to that. */
static void seed(struct making *mk, const struct ir_state *st, bool shared, uint64_t handle)
{
	struct packets_bytes *to = &mk->seeds[st->index], init = { 0 };
	const struct raw_counter *raw = raw_find(mk->rt, st->key, handle, st->expr);

	if (st->init)
		memcpy(&init, st->init, sizeof(init));
	*to = init;
	if (!shared)
		return;
	to->packets -= raw ? raw->value.packets : init.packets;
	to->bytes -= raw ? raw->value.bytes : init.bytes;
}

/* Put back on its hook, or made anew for what else is given back, a chain begins with the counts of the model. */
static bool is_known_to_kernel(const struct rule *r)
{
	return r->seq || r->chain->renewed || (r->chain->is_base && r->chain->parked);
}

static void make_rule(struct making *mk, const struct rule *r, uint32_t position, bool shared)
{
	uint32_t n, first = state_index_find(&mk->states, r, &n);

	for (uint32_t i = first; i < first + n; i++) {
		const struct ir_state *st = mk->states.array[i];

		mk->rules[mk->n_rules++] = (struct counted_rule){
			.handle = r->handle,
			.position = position,
			.expr = st->expr,
			.counter = st->index,
			.fresh = r->seq != 0 || r->chain->table->remade,
		};
		seed(mk, st, shared, is_known_to_kernel(r) ? 0 : r->handle);
	}
}

/*
 * What the interpreter runs beside a program: a base chain that has a program in front of it only,
 * and whatever base chains of the interpreter's may reach, which is any other chain of the table.
 */
static bool is_shared(const struct making *mk, const struct chain *c)
{
	if (c->is_base) {
		const struct mf_chain *mf = manifest_find_chain(mk->m, c->table->family,
								c->table->name, c->name);

		return mf && !mf->st.compiled;
	}
	for (uint32_t i = 0; i < mk->m->n_chains; i++) {
		const struct rt_chain_status *st = &mk->m->chains[i].st;

		if (!st->compiled && st->family == c->table->family &&
		    strcmp(st->table, c->table->name) == 0)
			return true;
	}
	return false;
}

static int make_chain(struct making *mk, const struct chain *c)
{
	struct manifest *m = mk->m;
	uint32_t first = mk->n_rules, position = 0;
	bool shared = is_shared(mk, c);
	struct mf_counted *counted;
	const struct rule *r;

	list_for_each(r, &c->rules, node)
		make_rule(mk, r, ++position, shared);
	if (mk->n_rules == first)
		return 0;
	counted = realloc(m->counted, (m->n_counted + 1) * sizeof(*counted));
	if (!counted)
		return -ENOMEM;
	m->counted = counted;
	counted[m->n_counted++] = (struct mf_counted){
		.family = c->table->family,
		.table = c->table->name,
		.chain = c->name,
		.first = first,
		.n = mk->n_rules - first,
		.shared = shared,
	};
	return 0;
}

static int make_object(struct making *mk, const struct object *o)
{
	uint32_t n, i = state_index_find(&mk->states, o, &n);
	struct mf_object *objects;

	if (!n)
		return 0;
	objects = realloc(mk->m->objects, (mk->m->n_objects + 1) * sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	mk->m->objects = objects;
	objects[mk->m->n_objects++] = (struct mf_object){
		.family = o->table->family,
		.table = o->table->name,
		.name = o->name,
		.handle = o->handle,
		.counter = mk->states.array[i]->index,
		.fresh = !o->handle || o->table->remade,
	};
	seed(mk, mk->states.array[i], true, o->handle);
	return 0;
}

static int make_all(struct making *mk)
{
	const struct table *t;
	const struct chain *c;
	const struct object *o;
	int err = 0;

	list_for_each(t, &mk->rs->tables, node) {
		list_for_each(c, &t->chains, node)
			if (!err)
				err = make_chain(mk, c);
		list_for_each(o, &t->objects, node)
			if (!err)
				err = make_object(mk, o);
	}
	return err;
}

static int new_map(struct making *mk, const char *name, const char *map_name, uint32_t size,
		   uint32_t n, const void *data, struct diags *ds)
{
	int AUTO_CLOSE fd = -1;
	size_t map_size;
	void *map;
	int err;

	err = rt_array_create(map_name, size, MAX(n, 1u), &fd, &map, &map_size);
	if (err)
		return rt_error(ds, err, "cannot make a BPF map");
	memcpy(map, data, (size_t)size * n);
	munmap(map, map_size);
	return gen_pin(mk->rt, mk->gen, name, fd, ds);
}

static int pin_maps(struct making *mk, const struct ir *ir, const struct bpf_object *obj,
		    struct diags *ds)
{
	const struct bpf_map *blocks = bpf_object__find_map_by_name(obj, ".bss");
	int err;

	if (!blocks)
		return rt_error(ds, -ENOENT, "the compiled object has no counters");
	mk->m->n_counters = ir->n_counters;
	mk->m->stride = emit_counter_stride(ir);
	mk->m->cpus = bpf_map__value_size(blocks) / mk->m->stride;
	err = gen_pin(mk->rt, mk->gen, "counters", bpf_map__fd(blocks), ds);
	if (!err)
		err = new_map(mk, "seeds", "nb_seeds", sizeof(*mk->seeds),
			      ir->n_counters + mk->m->n_objects, mk->seeds, ds);
	if (!err && mk->n_rules)
		err = new_map(mk, "rules", "nb_rules", sizeof(*mk->rules), mk->n_rules, mk->rules,
			      ds);
	return err;
}

int counters_make(struct runtime *rt, uint32_t gen, const struct ruleset *rs, const struct ir *ir,
		  const struct bpf_object *obj, struct manifest *m, struct diags *ds)
{
	struct making mk = { .rt = rt, .gen = gen, .rs = rs, .m = m };
	int err;

	if (!ir->n_counters)
		return 0;
	err = state_index_make(&mk.states, ir, is_per_cpu);
	mk.seeds = calloc(2 * (size_t)ir->n_counters, sizeof(*mk.seeds));
	mk.rules = calloc(ir->n_counters, sizeof(*mk.rules));
	if (!mk.seeds || !mk.rules)
		err = -ENOMEM;
	if (!err)
		err = make_all(&mk);
	if (!err)
		err = pin_maps(&mk, ir, obj, ds);
	state_index_fini(&mk.states);
	free(mk.seeds);
	free(mk.rules);
	return err;
}

/* ---- handles ---- */

static void note_chain(struct counters *c, const struct mf_counted *counted,
		       const struct chain *chain)
{
	struct counted_rule *e = c->rules + counted->first, *end = e + counted->n;
	uint32_t position = 0;
	const struct rule *r;

	list_for_each(r, &chain->rules, node) {
		position++;
		for (; e < end && e->position == position; e++)
			e->handle = r->handle;
	}
}

int counters_note_handles(struct runtime *rt, uint32_t gen, const struct manifest *m,
			  const struct ruleset *rs, struct diags *ds)
{
	struct counters CLEANUP(counters_close) c = { 0 };
	int err = counters_open(rt, gen, m, true, ds, &c);

	for (uint32_t i = 0; !err && i < m->n_counted; i++) {
		const struct mf_counted *counted = &m->counted[i];
		const struct table *t = ruleset_find_table(rs, counted->family, counted->table);
		const struct chain *chain = t ? table_find_chain(t, counted->chain) : NULL;

		if (chain)
			note_chain(&c, counted, chain);
	}
	return err == -ENOENT ? 0 : err;
}

/* ---- what was counted meanwhile ---- */

struct carrying {
	const struct runtime *rt;
	const struct counters *old;
	struct counters *new;
};

static void add_delta(const struct carrying *cy, uint32_t from, uint32_t to)
{
	struct packets_bytes now = counters_read(cy->old, from);

	if (from >= cy->rt->n_snapshot)
		return;
	cy->new->seeds[to].packets += now.packets - cy->rt->snapshot[from].packets;
	cy->new->seeds[to].bytes += now.bytes - cy->rt->snapshot[from].bytes;
}

struct entry {
	const struct mf_counted *in;
	const struct counted_rule *rule;
};

static int compare_entries(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int cmp = a->in->family - b->in->family;

	if (!cmp)
		cmp = strcmp(a->in->table, b->in->table);
	if (cmp)
		return cmp;
	if (a->rule->handle != b->rule->handle)
		return a->rule->handle < b->rule->handle ? -1 : 1;
	return a->rule->expr < b->rule->expr ? -1 : a->rule->expr > b->rule->expr;
}

/* By table, handle and expression, which is what a rule is known by. */
static struct entry *sort_entries(const struct counters *c)
{
	struct entry *entries = calloc(MAX(c->n_rules, 1u), sizeof(*entries));
	size_t n = 0;

	for (uint32_t i = 0; entries && i < c->manifest->n_counted; i++) {
		const struct mf_counted *in = &c->manifest->counted[i];

		for (uint32_t k = 0; k < in->n; k++)
			entries[n++] = (struct entry){ in, &c->rules[in->first + k] };
	}
	if (entries)
		qsort(entries, n, sizeof(*entries), compare_entries);
	return entries;
}

static size_t count_entries(const struct counters *c)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->manifest->n_counted; i++)
		n += c->manifest->counted[i].n;
	return n;
}

static int carry_rules(const struct carrying *cy)
{
	struct entry AUTO_FREE *old = sort_entries(cy->old);
	size_t n_old = count_entries(cy->old);
	const struct manifest *m = cy->new->manifest;

	if (!old)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_counted; i++) {
		const struct mf_counted *in = &m->counted[i];

		for (uint32_t k = 0; k < in->n; k++) {
			struct entry to = { in, &cy->new->rules[in->first + k] }, *from = NULL;

			if (!to.rule->fresh && to.rule->handle && n_old)
				from = bsearch(&to, old, n_old, sizeof(*old), compare_entries);
			if (from)
				add_delta(cy, from->rule->counter, to.rule->counter);
		}
	}
	return 0;
}

static void carry_objects(const struct carrying *cy)
{
	const struct manifest *old = cy->old->manifest, *new = cy->new->manifest;

	for (uint32_t i = 0; i < new->n_objects; i++) {
		const struct mf_object *to = &new->objects[i];

		for (uint32_t k = 0; k < old->n_objects && !to->fresh; k++) {
			const struct mf_object *from = &old->objects[k];

			if (from->family == to->family && strcmp(from->table, to->table) == 0 &&
			    strcmp(from->name, to->name) == 0)
				add_delta(cy, from->counter, to->counter);
		}
	}
}

int counters_carry(struct runtime *rt, uint32_t old, const struct manifest *old_m, uint32_t gen,
		   const struct manifest *m, struct diags *ds)
{
	struct counters CLEANUP(counters_close) from = { 0 };
	struct counters CLEANUP(counters_close) to = { 0 };
	struct carrying cy = { .rt = rt, .old = &from, .new = &to };
	int err = counters_open(rt, old, old_m, false, ds, &from);

	if (!err)
		err = counters_open(rt, gen, m, true, ds, &to);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = carry_rules(&cy);
	if (err)
		return err;
	carry_objects(&cy);
	return 0;
}
