/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches of our own making: chains taken off their hooks and put back, tables made dormant, rules
 * with other counters.
 *
 * A chain changes between base and regular only by being deleted and created again, in one
 * transaction. Its rules go with it, and with them the anonymous sets and chains that are bound to
 * them: so these are created again too, before the rule that binds them, and referred to by id.
 */
#include <errno.h>

#include "../compiler/attr.h"
#include "nfnl.h"
#include "nlattr.h"
#include "write.h"
#include "write_expr.h"

#define TABLE_DORMANT 0x1 /* NFT_TABLE_F_DORMANT */
/* libnftables counts ids and sequence numbers from 1: ours are out of its way. */
#define FIRST_SEQ 0x40000000u
#define FIRST_ID  0x40000000u

struct batch_builder {
	struct nlbuf messages;
	uint32_t next_seq, next_id;
};

struct batch_builder *batch_builder_new(void)
{
	struct batch_builder *bb = calloc(1, sizeof(*bb));

	if (bb) {
		bb->next_seq = FIRST_SEQ;
		bb->next_id = FIRST_ID;
	}
	return bb;
}

void batch_builder_free(struct batch_builder *bb)
{
	if (!bb)
		return;
	nlbuf_fini(&bb->messages);
	free(bb);
}

void batch_builder_freep(struct batch_builder **bb)
{
	batch_builder_free(*bb);
}

bool batch_builder_is_empty(const struct batch_builder *bb)
{
	/* One that failed at the first message is not: whoever takes it is told. */
	return bb->messages.len == 0 && !bb->messages.failed;
}

int batch_builder_take(struct batch_builder *bb, struct batch *ret)
{
	if (bb->messages.failed)
		return -ENOMEM;
	*ret = (struct batch){.data = bb->messages.data, .len = bb->messages.len};
	bb->messages = (struct nlbuf){0};
	return 0;
}

static uint32_t begin(struct batch_builder *bb, int type, uint16_t flags, const struct table *t)
{
	struct nlmsg_head head = {
		.type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		.flags = NLM_F_REQUEST | flags,
		.seq = bb->next_seq++,
		.family = t->family,
	};

	nlbuf_begin(&bb->messages, &head);
	return head.seq;
}

static void end(struct batch_builder *bb)
{
	nlbuf_end(&bb->messages);
}

/* ---- tables ---- */

static uint32_t table_flags(const struct table *t, bool dormant)
{
	return dormant ? t->flags | TABLE_DORMANT : t->flags & ~(uint32_t)TABLE_DORMANT;
}

void batch_set_dormant(struct batch_builder *bb, const struct table *t, bool dormant)
{
	begin(bb, NFT_MSG_NEWTABLE, 0, t);
	nlbuf_put_str(&bb->messages, NFTA_TABLE_NAME, t->name);
	nlbuf_put_be32(&bb->messages, NFTA_TABLE_FLAGS, table_flags(t, dormant));
	end(bb);
}

/* ---- elements ---- */

struct elem_array {
	const struct set_elem **array;
	size_t n;
};

static void elem_array_fini(struct elem_array *ea)
{
	free(ea->array);
}

static bool is_end(const struct set_elem *e)
{
	return e->flags & NFT_SET_ELEM_INTERVAL_END;
}

/* A tree of intervals, of which each end is an element. */
static bool is_tree(const struct set *s)
{
	return s->flags & NFT_SET_INTERVAL && !(s->flags & NFT_SET_CONCAT);
}

/* The end of an interval before the start of the next; the catch-all element last. */
static int compare_elems(const void *a, const void *b, void *set)
{
	const struct set_elem *x = *(const struct set_elem *const *)a;
	const struct set_elem *y = *(const struct set_elem *const *)b;
	int d;

	if (!x->key || !y->key)
		return !x->key - !y->key;
	d = memcmp(x->key, y->key, ((const struct set *)set)->key_len);
	return d ? d : is_end(y) - is_end(x);
}

/*
 * Trees in ascending order: __nft_rbtree_insert() looks for an overlap from the next higher element
 * down to the next lower one of this transaction, and meets all that the transaction deleted between.
 * From the top, as the kernel lists them, each insertion would meet all deleted elements that are left.
 * Others in the model's, which is that of the kernel's list.
 */
static bool elem_array_init(struct elem_array *ea, const struct set *s)
{
	ea->array = malloc(MAX(s->n_elems, (size_t)1) * sizeof(*ea->array));
	if (!ea->array)
		return false;
	for (; ea->n < s->n_elems; ea->n++)
		ea->array[ea->n] = &s->elems[ea->n];
	if (is_tree(s))
		qsort_r(ea->array, ea->n, sizeof(*ea->array), compare_elems, (void *)s);
	return true;
}

/* Only those that were counted; an interval's start counts, and has its end with it. */
static void only_counted(struct elem_array *ea)
{
	bool with_end = false;
	size_t n = 0;

	for (size_t i = 0; i < ea->n; i++) {
		const struct set_elem *e = ea->array[i];
		bool wanted = is_end(e) ? with_end : e->counted;

		with_end = wanted && !is_end(e);
		if (wanted)
			ea->array[n++] = e;
	}
	ea->n = n;
}

static void begin_elems(struct batch_builder *bb, int type, const struct set *s)
{
	begin(bb, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, s->table);
	nlbuf_put_str(&bb->messages, NFTA_SET_ELEM_LIST_TABLE, s->table->name);
	nlbuf_put_str(&bb->messages, NFTA_SET_ELEM_LIST_SET,
		      s->flags & NFT_SET_ANONYMOUS ? anonymous_set_name(s) : s->name);
	if (s->id)
		nlbuf_put_be32(&bb->messages, NFTA_SET_ELEM_LIST_SET_ID, s->id);
}

static void put_elems(struct batch_builder *bb, int type, const struct set *s,
		      const struct elem_array *ea)
{
	struct nlbuf *b = &bb->messages;
	size_t i = 0, nest;

	while (i < ea->n && !b->failed) {
		begin_elems(bb, type, s);
		nest = nlbuf_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (; i < ea->n && b->len - nest < WRITE_ELEMS_MAX; i++) {
			if (type == NFT_MSG_NEWSETELEM)
				write_elem(b, s, ea->array[i], WRITE_REQUEST);
			else
				write_elem_key(b, s, ea->array[i]);
		}
		nlbuf_nest_end(b, nest);
		end(bb);
	}
}

void batch_add_elems(struct batch_builder *bb, const struct set *s)
{
	struct elem_array CLEANUP(elem_array_fini) elems = { 0 };

	if (elem_array_init(&elems, s))
		put_elems(bb, NFT_MSG_NEWSETELEM, s, &elems);
	else
		bb->messages.failed = true;
}

void batch_renew_elems(struct batch_builder *bb, const struct set *s)
{
	begin_elems(bb, NFT_MSG_DELSETELEM, s);
	end(bb);
	batch_add_elems(bb, s);
}

void batch_renew_counted(struct batch_builder *bb, const struct set *s)
{
	struct elem_array CLEANUP(elem_array_fini) elems = { 0 };

	if (!elem_array_init(&elems, s)) {
		bb->messages.failed = true;
		return;
	}
	only_counted(&elems);
	put_elems(bb, NFT_MSG_DELSETELEM, s, &elems);
	put_elems(bb, NFT_MSG_NEWSETELEM, s, &elems);
}

/* ---- what is bound to a rule ---- */

static void add_anonymous_set(struct batch_builder *bb, struct set *s)
{
	s->id = bb->next_id++;
	begin(bb, NFT_MSG_NEWSET, NLM_F_CREATE, s->table);
	write_set(&bb->messages, s, WRITE_REQUEST);
	end(bb);
	batch_add_elems(bb, s);
}

static void add_rules(struct batch_builder *bb, struct chain *c);

static void add_anonymous_chain(struct batch_builder *bb, struct chain *c)
{
	c->id = bb->next_id++;
	begin(bb, NFT_MSG_NEWCHAIN, NLM_F_CREATE, c->table);
	write_chain(&bb->messages, c, WRITE_REQUEST, false);
	end(bb);
	/* Before the rule that binds it: a bound chain takes no more rules. */
	add_rules(bb, c);
}

/* The anonymous set or chain an expression refers to, or NULLs. */
static void bound_to(const struct table *t, const struct expr *e, struct set **ret_set,
		     struct chain **ret_chain)
{
	struct blob data, verdict;
	const char *name = NULL;

	*ret_set = NULL;
	*ret_chain = NULL;
	if (strcmp(e->name, "lookup") == 0)
		name = attr_str(e->attrs, NFTA_LOOKUP_SET);
	else if (strcmp(e->name, "dynset") == 0)
		name = attr_str(e->attrs, NFTA_DYNSET_SET_NAME);
	else if (strcmp(e->name, "objref") == 0)
		name = attr_str(e->attrs, NFTA_OBJREF_SET_NAME);
	if (name)
		*ret_set = table_find_set(t, name);
	if (*ret_set && !((*ret_set)->flags & NFT_SET_ANONYMOUS))
		*ret_set = NULL;
	if (strcmp(e->name, "immediate") != 0 ||
	    !attr_find(e->attrs, NFTA_IMMEDIATE_DATA, &data) ||
	    !attr_find(data, NFTA_DATA_VERDICT, &verdict))
		return;
	name = attr_str(verdict, NFTA_VERDICT_CHAIN);
	*ret_chain = name ? table_find_chain(t, name) : NULL;
	if (*ret_chain && !((*ret_chain)->flags & NFT_CHAIN_BINDING))
		*ret_chain = NULL;
}

static void add_bound(struct batch_builder *bb, const struct rule *r)
{
	struct table *t = r->chain->table;
	struct chain *c;
	struct set *s;
	uint32_t i;

	for (i = 0; i < r->exprs.n; i++) {
		bound_to(t, &r->exprs.array[i], &s, &c);
		if (s && !s->id)
			add_anonymous_set(bb, s);
		if (c && !c->id)
			add_anonymous_chain(bb, c);
	}
}

/* The ids were this rule's business only. */
static void forget_bound(const struct rule *r)
{
	struct chain *c;
	struct set *s;
	uint32_t i;

	for (i = 0; i < r->exprs.n; i++) {
		bound_to(r->chain->table, &r->exprs.array[i], &s, &c);
		if (s)
			s->id = 0;
		if (c)
			c->id = 0;
	}
}

/* ---- rules and chains ---- */

static void add_rules(struct batch_builder *bb, struct chain *c)
{
	struct rule *r;

	list_for_each(r, &c->rules, node) {
		if (bb->messages.failed)
			return;
		add_bound(bb, r);
		r->seq = begin(bb, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, c->table);
		write_rule(&bb->messages, r, WRITE_REQUEST, 0);
		end(bb);
		forget_bound(r);
	}
}

void batch_rehang_chain(struct batch_builder *bb, struct chain *c, bool parked)
{
	begin(bb, NFT_MSG_DELCHAIN, 0, c->table); /* with its rules: nf_tables_delchain() */
	nlbuf_put_str(&bb->messages, NFTA_CHAIN_TABLE, c->table->name);
	nlbuf_put_str(&bb->messages, NFTA_CHAIN_NAME, c->name);
	end(bb);
	begin(bb, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, c->table);
	write_chain(&bb->messages, c, WRITE_REQUEST, !parked);
	end(bb);
	add_rules(bb, c);
}

static void delete_rules(struct batch_builder *bb, const struct chain *c)
{
	begin(bb, NFT_MSG_DELRULE, 0, c->table);
	nlbuf_put_str(&bb->messages, NFTA_RULE_TABLE, c->table->name);
	nlbuf_put_str(&bb->messages, NFTA_RULE_CHAIN, c->name);
	end(bb);
}

static void renew_object(struct batch_builder *bb, const struct object *o)
{
	begin(bb, NFT_MSG_DELOBJ, 0, o->table);
	nlbuf_put_str(&bb->messages, NFTA_OBJ_TABLE, o->table->name);
	nlbuf_put_str(&bb->messages, NFTA_OBJ_NAME, o->name);
	nlbuf_put_be32(&bb->messages, NFTA_OBJ_TYPE, o->type);
	end(bb);
	begin(bb, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL, o->table);
	write_object(&bb->messages, o, WRITE_REQUEST);
	end(bb);
}

void batch_renew_objects(struct batch_builder *bb, const struct object *const *objects,
			 size_t n_objects, const struct set *const *maps, size_t n_maps,
			 struct chain *const *chains, size_t n_chains)
{
	size_t i;

	for (i = 0; i < n_chains; i++)
		delete_rules(bb, chains[i]);
	for (i = 0; i < n_maps; i++) {
		begin_elems(bb, NFT_MSG_DELSETELEM, maps[i]);
		end(bb);
	}
	for (i = 0; i < n_objects; i++)
		renew_object(bb, objects[i]);
	for (i = 0; i < n_maps; i++)
		batch_add_elems(bb, maps[i]);
	for (i = 0; i < n_chains; i++)
		add_rules(bb, chains[i]);
}

void batch_replace_rule(struct batch_builder *bb, const struct rule *r)
{
	struct chain *c = r->chain;

	/* nf_tables_newrule(): no rule of an anonymous chain is replaced, only the one that binds it. */
	if (c->flags & NFT_CHAIN_BINDING || !r->handle)
		return;
	add_bound(bb, r);
	begin(bb, NFT_MSG_NEWRULE, NLM_F_REPLACE, c->table);
	write_rule(&bb->messages, r, WRITE_REQUEST, r->handle);
	end(bb);
	forget_bound(r);
}
