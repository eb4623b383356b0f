/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lowering a ruleset: which base chains can be compiled, and the programs they form.
 *
 * Every candidate is lowered first, to find all blockers. If there are any, what is left is lowered
 * once more into an IR of its own: so an IR never holds chains, sets or state of the interpreter's.
 */
#include "lower.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

#include "lower_priv.h"

#define TABLE_F_OWNER	 0x2 /* NFT_TABLE_F_OWNER */
#define CHAIN_HW_OFFLOAD 0x2 /* NFT_CHAIN_HW_OFFLOAD */

const uint8_t *lower_pfs(uint8_t family)
{
	static const uint8_t ip[] = {NFPROTO_IPV4, 0}, ip6[] = {NFPROTO_IPV6, 0},
			     inet[] = {NFPROTO_IPV4, NFPROTO_IPV6, 0}, none[] = {0};

	switch (family) {
	case NFPROTO_IPV4:
		return ip;
	case NFPROTO_IPV6:
		return ip6;
	case NFPROTO_INET:
		return inet;
	}
	return none;
}

static void check_family(struct lower *lw, struct lower_chain *lc)
{
	const char *why = "BPF netfilter programs are for IPv4 and IPv6";

	switch (lc->base->table->family) {
	case NFPROTO_ARP:
		lower_block_base(lw, lc, "family-arp", "%s", why);
		break;
	case NFPROTO_BRIDGE:
		lower_block_base(lw, lc, "family-bridge", "%s", why);
		break;
	case NFPROTO_NETDEV:
		lower_block_base(lw, lc, "family-netdev", "%s", why);
		break;
	}
}

/* Blockers of the base chain itself. */
static void check_base(struct lower *lw, struct lower_chain *lc)
{
	const struct chain *c = lc->base;

	check_family(lw, lc);
	if (c->type && strcmp(c->type, "nat") == 0)
		lower_block_base(lw, lc, "chain-type-nat", "nat chains rewrite packets");
	else if (c->type && strcmp(c->type, "route") == 0)
		lower_block_base(lw, lc, "chain-type-route", "route chains route packets again");
	else if (c->type && strcmp(c->type, "filter") != 0)
		lower_block_base(lw, lc, "chain-type", "chains of type %s have no lowering",
				 c->type);
	if (*lower_pfs(c->table->family) && c->hooknum >= NF_INET_NUMHOOKS)
		lower_block_base(lw, lc, "hook-ingress",
				 "the ingress hook takes no BPF netfilter program");
	if (c->priority == INT32_MIN || c->priority == INT32_MAX)
		lower_block_base(lw, lc, "chain-priority", "a BPF program cannot have priority %d",
				 c->priority);
	if (c->flags & CHAIN_HW_OFFLOAD)
		lower_block_base(lw, lc, "chain-offload", "the chain is offloaded to hardware");
	if (c->table->flags & TABLE_F_OWNER)
		lower_block_base(lw, lc, "table-owner", "the table belongs to another process");
}

/* ---- programs ---- */

static const char *const hook_names[] = {"pre", "input", "fwd", "output", "post"};

/* "v4_input_0"; what runs in front of a chain, "f4_input_0". */
static const char *prog_name(const struct ir *ir, const struct ir_prog *p, bool is_front)
{
	int version = p->pf == NFPROTO_IPV4 ? 4 : 6;
	char kind = is_front ? 'f' : 'v';
	long priority = p->priority;
	char name[64];
	uint32_t i;

	snprintf(name, sizeof(name), "%c%d_%s_%s%ld", kind, version, hook_names[p->hook],
		 priority < 0 ? "m" : "", labs(priority));
	if (strlen(name) > 15)
		snprintf(name, sizeof(name), "%c%d_h%u_%08x", kind, version, p->hook,
			 (uint32_t)p->priority);
	/* Fronts lie between programs of one priority. */
	for (i = 0; i + 1 < ir->n_progs; i++)
		if (strcmp(ir->progs[i].name, name) == 0)
			snprintf(name, sizeof(name), "%c%d_n%u", kind, version, ir->n_progs);
	return arena_strdup(ir->arena, name);
}

static int cmp_bases(const void *pa, const void *pb)
{
	const struct ir_chain *a = *(struct ir_chain *const *)pa,
			      *b = *(struct ir_chain *const *)pb;

	if (a->pf != b->pf)
		return a->pf < b->pf ? -1 : 1;
	if (a->hook != b->hook)
		return a->hook < b->hook ? -1 : 1;
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	/* nf_hook_entries_grow(): a new entry goes before those of its priority. */
	if (a->origin->seq != b->origin->seq)
		return a->origin->seq > b->origin->seq ? -1 : 1;
	return a->id < b->id ? 1 : -1;
}

static void make_progs(struct ir *ir, struct ir_chain **bases, size_t n)
{
	struct ir_prog *p = NULL;
	size_t i;

	if (n)
		qsort(bases, n, sizeof(*bases), cmp_bases);
	for (i = 0; i < n; i++) {
		struct ir_chain *c = bases[i];

		if (!p || p->pf != c->pf || p->hook != c->hook || p->priority != c->priority ||
		    c->is_front || p->bases[0]->is_front) {
			p = ir_prog_new(ir);
			p->pf = c->pf;
			p->hook = c->hook;
			p->priority = c->priority;
			p->name = prog_name(ir, p, c->is_front);
		}
		ARENA_PUSH(ir->arena, p->bases, p->n_bases, c);
	}
}

/* ---- the whole ruleset ---- */

bool lower_is_dormant(const struct chain *c)
{
	return c->table->flags & NFT_TABLE_F_DORMANT;
}

static void list_bases(const struct ruleset *rs, struct lower_result *lr)
{
	const struct table *t;
	const struct chain *c;

	list_for_each (t, &rs->tables, node)
		list_for_each (c, &t->chains, node)
			if (c->is_base)
				ARENA_PUSH(lr->arena, lr->chains, lr->n_chains,
					   (struct lower_chain){.base = c});
}

static void lower_init(struct lower *lw, const struct ruleset *rs, const struct lower_options *opt,
		       struct arena *arena)
{
	*lw = (struct lower){.rs = rs, .opt = opt, .ir = ir_new(), .arena = arena};
	lw->ir->seed = opt->seed;
	lw->ir->read_ns = opt->read_ns;
	lower_find_dynamic_sets(lw);
}

/* Lowers what is not blocked yet, and collects blockers. False when there were new ones. */
static bool survey(struct lower *lw, struct lower_result *lr)
{
	bool clean = true;
	const uint8_t *pf;
	uint32_t i;

	for (i = 0; i < lr->n_chains; i++) {
		struct lower_chain *lc = &lr->chains[i];
		uint32_t before = lc->n_blockers;

		if (lower_is_dormant(lc->base))
			continue;
		/* Also where the chain cannot be compiled: the user wants to know all reasons. */
		check_base(lw, lc);
		if (lc->base->hooknum < NF_INET_NUMHOOKS)
			for (pf = lower_pfs(lc->base->table->family); *pf; pf++)
				lower_collect(lw, lower_base(lw, lc->base, *pf), lc);
		clean &= lc->n_blockers == before;
		lc->compiled = !lc->n_blockers;
	}
	return clean;
}

struct bases {
	struct ir_chain **chains;
	size_t n;
};

/* True when there were fronts that would not pay, which are in the IR now. */
static bool lower_bases(struct lower *lw, struct lower_result *lr, struct bases *ret)
{
	bool declined = false;
	const uint8_t *pf;
	uint32_t i;

	*ret = (struct bases){0};
	for (i = 0; i < lr->n_chains; i++) {
		struct lower_chain *lc = &lr->chains[i];

		if (!lc->compiled && !lower_may_have_front(lw, lc))
			continue;
		for (pf = lower_pfs(lc->base->table->family); *pf; pf++) {
			uint32_t before = lc->front.n_declined;
			struct ir_chain *c = lc->compiled ? lower_base(lw, lc->base, *pf) :
							    lower_front(lw, lc, *pf);

			if (c)
				ARENA_PUSH(lw->ir->arena, ret->chains, ret->n, c);
			declined |= lc->front.n_declined != before;
		}
	}
	return declined;
}

/* Of fronts that are not made nothing is to be left, their sets above all: once more without them. */
static void lower_compiled(struct lower *lw, struct lower_result *lr)
{
	struct bases bases;
	uint32_t i;

	for (i = 0; i < lr->n_chains; i++) {
		struct lower_front *f = &lr->chains[i].front;

		*f = (struct lower_front){.barred = f->barred, .why = f->why};
	}
	if (lower_bases(lw, lr, &bases)) {
		const struct ruleset *rs = lw->rs;
		const struct lower_options *opt = lw->opt;

		ir_free(lw->ir);
		lower_init(lw, rs, opt, lr->arena);
		lower_bases(lw, lr, &bases);
	}
	make_progs(lw->ir, bases.chains, bases.n);
	lr->ir = lw->ir;
}

static bool share_hook(const struct chain *a, const struct chain *b)
{
	const uint8_t *pa, *pb;

	if (a->hooknum != b->hooknum || a->priority != b->priority)
		return false;
	for (pa = lower_pfs(a->table->family); *pa; pa++)
		for (pb = lower_pfs(b->table->family); *pb; pb++)
			if (*pa == *pb)
				return true;
	return false;
}

static void mark_mixed(struct lower_result *lr)
{
	uint32_t i, k;

	for (i = 0; i < lr->n_chains; i++) {
		struct lower_chain *a = &lr->chains[i];

		a->mixed = false;
		for (k = 0; k < lr->n_chains && !a->mixed; k++) {
			const struct lower_chain *b = &lr->chains[k];

			a->mixed = a->compiled != b->compiled && !lower_is_dormant(a->base) &&
				   !lower_is_dormant(b->base) && share_hook(a->base, b->base);
		}
	}
}

static void tell(struct lower *lw, struct lower_result *lr, struct diags *ds)
{
	struct ir_index told = {0};
	uint32_t i, k;

	for (i = 0; i < lr->n_chains; i++) {
		struct lower_chain *lc = &lr->chains[i];

		if (lower_is_dormant(lc->base)) {
			lower_block_base(lw, lc, "table-dormant",
					 "the table is dormant, the chain is not on its hook");
			diag_add(ds, DIAG_NOTE, "table-dormant", &lc->blockers[0]->at, "%s",
				 lc->blockers[0]->why);
			continue;
		}
		for (k = 0; k < lc->n_blockers; k++) {
			const struct lower_blocker *b = lc->blockers[k];
			uint64_t h = ir_hash_u64(IR_HASH_INIT, (uintptr_t)b);
			size_t pos = 0;

			if (ir_index_next(&told, h, &pos)) /* the hash is one of the pointer */
				continue;
			ir_index_add(&told, lw->ir->arena, h, (void *)b);
			diag_add(ds, DIAG_BLOCKER, b->code, &b->at, "%s", b->why);
		}
	}
}

int lower_ruleset(const struct ruleset *rs, const struct lower_options *opt, struct diags *ds,
		  struct lower_result *ret)
{
	struct lower_result lr = {.arena = arena_new()};
	struct lower lw;
	bool clean;

	list_bases(rs, &lr);
	lower_init(&lw, rs, opt, lr.arena);
	clean = survey(&lw, &lr);
	clean &= !lower_shared(&lw, &lr);
	tell(&lw, &lr, ds);
	if (!clean) {
		ir_free(lw.ir);
		lower_init(&lw, rs, opt, lr.arena);
	}
	lower_compiled(&lw, &lr);
	mark_mixed(&lr);
	*ret = lr;
	return 0;
}

void lower_result_fini(struct lower_result *lr)
{
	ir_free(lr->ir);
	arena_free(lr->arena);
	*lr = (struct lower_result){0};
}

static void tell_last(const struct lower_chain *lc, struct diags *ds)
{
	const struct lower_blocker *b = lc->blockers[lc->n_blockers - 1];

	diag_add(ds, DIAG_BLOCKER, b->code, &b->at, "%s", b->why);
}

/* What was compiled so far may share a limit or quota with a chain that now is not. */
static void drop_sharers(struct lower *lw, struct lower_result *lr, struct diags *ds)
{
	bool *was = arena_alloc(lr->arena, lr->n_chains * sizeof(*was));
	const uint8_t *pf;
	uint32_t i;

	for (i = 0; i < lr->n_chains; i++) {
		const struct chain *c = lr->chains[i].base;

		was[i] = lr->chains[i].compiled;
		if (!lower_is_dormant(c) && c->hooknum < NF_INET_NUMHOOKS)
			for (pf = lower_pfs(c->table->family); *pf; pf++)
				lower_base(lw, c, *pf);
	}
	lower_shared(lw, lr);
	for (i = 0; i < lr->n_chains; i++)
		if (was[i] && !lr->chains[i].compiled)
			tell_last(&lr->chains[i], ds);
}

void lower_drop_chain(struct lower_result *lr, const struct lower_options *opt,
		      const struct chain *base, const char *code, const char *why, struct diags *ds)
{
	struct lower lw;
	uint32_t i;

	lower_init(&lw, base->table->ruleset, opt, lr->arena);
	for (i = 0; i < lr->n_chains; i++) {
		struct lower_chain *lc = &lr->chains[i];

		if (lc->base != base)
			continue;
		if (!lc->compiled) {
			lc->front.barred = true;
			lc->front.why = arena_strdup(lr->arena, why);
			continue;
		}
		lc->compiled = false;
		lower_block_base(&lw, lc, code, "%s", why);
		tell_last(lc, ds);
	}
	drop_sharers(&lw, lr, ds);
	ir_free(lw.ir);
	lower_init(&lw, base->table->ruleset, opt, lr->arena);
	ir_free(lr->ir);
	lower_compiled(&lw, lr);
	mark_mixed(lr);
}
