/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After the last packet: every counter and quota, and the keys of sets that rules fill, of one
 * namespace against the other's. Rules are matched by place, because handles differ.
 */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <stdio.h>

#include "../compiler/attr.h"
#include "../netlink/nfnl.h"
#include "../runtime/runtime.h"
#include "difftest.h"

enum {
	MAX_VISITS = 8,	    /* of one packet at one rule: four hooks, two jumps */
	MAX_PACKET = 65575, /* with its IPv6 header */
};

static bool read_counts(const char *name, struct blob attrs, struct dt_counts *ret)
{
	*ret = (struct dt_counts){0};
	if (strcmp(name, "counter") == 0) {
		ret->packets = attr_uint(attrs, NFTA_COUNTER_PACKETS, 0);
		ret->bytes = attr_uint(attrs, NFTA_COUNTER_BYTES, 0);
		return true;
	}
	if (strcmp(name, "quota") == 0) {
		ret->bytes = attr_uint(attrs, NFTA_QUOTA_CONSUMED, 0);
		return true;
	}
	return false;
}

/* One counter, on each side and by the evaluator. */
struct sides {
	struct dt_counts nft, bpf;
	struct eval_counts eval;
	bool has_eval;
	bool by_ids; /* the rule, set or object is behind a look at drawn ids */
};

static bool same(const struct dt_counts *a, const struct dt_counts *b)
{
	return a->packets == b->packets && a->bytes == b->bytes;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* By @n packets at most? */
static bool is_near(const struct dt_counts *a, const struct dt_counts *b, uint64_t n)
{
	return apart(a->packets, b->packets) <= n && apart(a->bytes, b->bytes) <= n * MAX_PACKET;
}

/*
 * How many packets may have been counted on one side only: later fragments, and those whose verdict
 * was explained, which then were not the same on both sides any more. One that goes all its way
 * comes by a rule at more than one hook, and by more than one jump.
 */
static uint64_t may_be_apart(const struct difftest *dt, const struct sides *t)
{
	const size_t *n = dt->result.count;
	/* Ids may tell packets apart with equal verdicts. */
	uint64_t ids = t->by_ids ? dt->n_ids_drawn : 0;

	return MAX_VISITS * (dt->n_fragments_sent + n[DT_FRAGMENT] + n[DT_TIMED] + n[DT_DRAWN] +
			     n[DT_NAT]) + ids;
}

/*
 * What clocks decide counts as it likes. Else, where the evaluator counted along, BPF has to agree
 * with it; in a chain that both sides interpret, but for later fragments. Where it could not, the two
 * may be as far apart as there are packets that explain it.
 */
static bool is_excused(const struct difftest *dt, const struct sides *t)
{
	uint64_t n = may_be_apart(dt, t), fragments = MAX_VISITS * dt->n_fragments_sent;

	if (t->eval.timed)
		return true;
	if (t->has_eval && t->eval.left)
		return is_near(&t->eval.bpf, &t->bpf, fragments) &&
		       is_near(&t->eval.nft, &t->nft, fragments);
	if (t->has_eval)
		return same(&t->eval.bpf, &t->bpf) &&
		       (dt->n_fragments_sent || same(&t->eval.nft, &t->nft));
	/* Of what is no count, an element or its data, there is no near: it needs a packet, too. */
	return n && is_near(&t->nft, &t->bpf, n);
}

static bool is_known(const struct dt_result *r, const char *where)
{
	for (size_t i = 0; i < r->n_counters; i++)
		if (strcmp(r->counters[i].where, where) == 0)
			return true;
	return false;
}

static void differ(struct difftest *dt, const struct sides *t, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void differ(struct difftest *dt, const struct sides *t, const char *fmt, ...)
{
	struct dt_result *r = &dt->result;
	struct dt_counter_diff *d;
	char *where;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&where, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	d = is_known(r, where) ? NULL : reallocarray(r->counters, r->n_counters + 1, sizeof(*d));
	if (!d) {
		free(where);
		return;
	}
	r->counters = d;
	d += r->n_counters++;
	*d = (struct dt_counter_diff){.where = where,
				      .nft = t->nft,
				      .bpf = t->bpf,
				      .has_eval = t->has_eval,
				      .eval_nft = t->eval.nft,
				      .eval_bpf = t->eval.bpf,
				      .excused = is_excused(dt, t)};
}

static void settle(struct difftest *dt, const struct sides *t, const char *where)
{
	if (!same(&t->nft, &t->bpf) || (t->has_eval && !t->eval.timed && !same(&t->eval.bpf, &t->bpf)))
		differ(dt, t, "%s", where);
	else
		dt->result.n_counters_same++;
}

static bool is_by_ids(const struct difftest *dt, const void *a, const void *b)
{
	return drawn_counts(dt->drawn[SIDE_NFT], a) || drawn_counts(dt->drawn[SIDE_BPF], b);
}

static void compare_exprs(struct difftest *dt, const struct exprs *a, const struct exprs *b,
			  bool by_ids, const char *where)
{
	for (uint32_t i = 0; i < a->n && i < b->n; i++) {
		struct sides t = {.by_ids = by_ids};

		if (strcmp(a->array[i].name, b->array[i].name) != 0 ||
		    !read_counts(a->array[i].name, a->array[i].attrs, &t.nft))
			continue;
		read_counts(b->array[i].name, b->array[i].attrs, &t.bpf);
		settle(dt, &t, where);
	}
}

static void compare_rule(struct difftest *dt, const struct rule *a, const struct rule *b,
			 uint32_t index, const char *where)
{
	for (uint32_t i = 0; i < a->exprs.n && i < b->exprs.n; i++) {
		const struct expr *x = &a->exprs.array[i], *y = &b->exprs.array[i];
		struct sides t = {.by_ids = is_by_ids(dt, a, b)};

		if (strcmp(x->name, y->name) != 0 || !read_counts(x->name, x->attrs, &t.nft))
			continue;
		read_counts(y->name, y->attrs, &t.bpf);
		if (strcmp(x->name, "counter") == 0 && dt->eval)
			t.has_eval = eval_check_counter(dt->eval, a, index, i, &t.eval);
		settle(dt, &t, where);
	}
}

static void compare_chain(struct difftest *dt, const struct chain *a, const struct chain *b)
{
	struct list *n = b->rules.next;
	unsigned int index = 0;
	const struct rule *r;

	list_for_each(r, &a->rules, node) {
		char where[1024];
		const struct rule *s;

		if (n == &b->rules)
			return;
		s = list_entry(n, const struct rule, node);
		n = n->next;
		snprintf(where, sizeof(where), "%s %s %s rule %u (handle %llu)",
			 family_name(a->table->family), a->table->name, a->name, ++index,
			 (unsigned long long)r->handle);
		compare_rule(dt, r, s, index, where);
	}
}

static void compare_object(struct difftest *dt, const struct object *a, const struct object *b)
{
	struct sides t = {.by_ids = is_by_ids(dt, a, b)};
	const char *kind = a->type == NFT_OBJECT_COUNTER ? "counter" :
			   a->type == NFT_OBJECT_QUOTA	  ? "quota" : "";
	char where[512];

	if (!read_counts(kind, a->attrs, &t.nft))
		return;
	read_counts(kind, b->attrs, &t.bpf);
	snprintf(where, sizeof(where), "%s %s %s %s", kind, family_name(a->table->family),
		 a->table->name, a->name);
	settle(dt, &t, where);
}

/* The kernel chooses the names of anonymous chains. */
static bool same_target(const char *a, const char *b)
{
	static const char anonymous[] = "__chain";

	return !a == !b && (!a || strcmp(a, b) == 0 ||
			    (strncmp(a, anonymous, strlen(anonymous)) == 0 &&
			     strncmp(b, anonymous, strlen(anonymous)) == 0));
}

static bool same_data(const struct set *s, const struct set_elem *e, const struct set_elem *f)
{
	if (!e->data != !f->data || !e->object != !f->object || e->verdict.code != f->verdict.code)
		return false;
	return (!e->data || memcmp(e->data, f->data, s->data_len) == 0) &&
	       (!e->object || strcmp(e->object, f->object) == 0) &&
	       same_target(e->verdict.chain, f->verdict.chain);
}

static void compare_elem(struct difftest *dt, const struct set *a, const struct set_elem *e,
			 struct set *b)
{
	struct set_elem *f = set_elem_get(b, e->key, e->key_end, e->flags, false);
	bool by_ids = is_by_ids(dt, a, b);
	char where[512];

	snprintf(where, sizeof(where), "%s %s set %s element", family_name(a->table->family),
		 a->table->name, a->name);
	if (f && !same_data(a, e, f))
		differ(dt, &(struct sides){.by_ids = by_ids}, "%s: data", where);
	if (f)
		compare_exprs(dt, &e->exprs, &f->exprs, by_ids, where);
	else
		differ(dt, &(struct sides){.by_ids = by_ids}, "%s only under nft", where);
}

/* The end of nothing at 0, which nft adds where it knows of no element that begins there. */
static bool is_filler(const struct set *s, const struct set_elem *e)
{
	if (!e->key || !(e->flags & NFT_SET_ELEM_INTERVAL_END))
		return false;
	for (uint32_t i = 0; i < s->key_len; i++)
		if (e->key[i])
			return false;
	return true;
}

static size_t count_elems(const struct set *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_elems; i++)
		n += !is_filler(s, &s->elems[i]);
	return n;
}

static void compare_set(struct difftest *dt, const struct set *a, struct set *b)
{
	struct sides t = {.nft.packets = count_elems(a), .bpf.packets = count_elems(b),
			  .by_ids = is_by_ids(dt, a, b)};

	if (t.nft.packets != t.bpf.packets)
		differ(dt, &t, "number of elements of set %s %s %s", family_name(a->table->family),
		       a->table->name, a->name);
	for (size_t i = 0; i < a->n_elems; i++)
		if (!is_filler(a, &a->elems[i]))
			compare_elem(dt, a, &a->elems[i], b);
}

static void compare_table(struct difftest *dt, const struct table *a, const struct table *b)
{
	const struct chain *c;
	const struct object *o;
	const struct set *s;

	list_for_each(c, &a->chains, node) {
		const struct chain *d = table_find_chain(b, c->name);

		if (d)
			compare_chain(dt, c, d);
	}
	list_for_each(o, &a->objects, node) {
		const struct object *p = table_find_object(b, o->type, o->name);

		if (p)
			compare_object(dt, o, p);
	}
	list_for_each(s, &a->sets, node) {
		struct set *t = table_find_set(b, s->name);

		if (t)
			compare_set(dt, s, t);
	}
}

static int read_side(struct difftest *dt, enum lab_side_id side, struct ruleset **ret)
{
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	int err = lab_enter(dt->lab, side);

	if (err)
		return err;
	if (side == SIDE_BPF && dt->loaded) {
		err = rt_open(&(struct rt_options){.read_only = true}, &dt->ds, &rt);
		if (err == -ENOENT) /* not a chain was compiled */
			err = 0;
		if (!err)
			err = rt_model(rt, &dt->ds, ret);
	} else {
		err = dump_ruleset(&(struct dump_options){0}, &dt->ds, ret);
	}
	lab_leave(dt->lab);
	return err;
}

int dt_compare_counters(struct difftest *dt)
{
	CLEANUP(ruleset_freep) struct ruleset *a = NULL;
	CLEANUP(ruleset_freep) struct ruleset *b = NULL;
	const struct table *t;
	int err = read_side(dt, SIDE_NFT, &a);

	if (!err)
		err = read_side(dt, SIDE_BPF, &b);
	if (err)
		return err;
	if (dt->reads_ids) {
		dt->drawn[SIDE_NFT] = drawn_new(a);
		dt->drawn[SIDE_BPF] = drawn_new(b);
	}
	dt->result.n_counters_same = 0;
	list_for_each(t, &a->tables, node) {
		const struct table *u = ruleset_find_table(b, t->family, t->name);

		if (u)
			compare_table(dt, t, u);
	}
	for (unsigned int i = 0; i < N_SIDES; i++)
		drawn_freep(&dt->drawn[i]);
	return 0;
}
