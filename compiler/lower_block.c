/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blockers: why a base chain stays with the interpreter.
 *
 * A blocker belongs to an expression of a rule, not to a copy of its chain: the copies for IPv4 and
 * IPv6, and all base chains that reach the rule, share it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "attr.h"
#include "lower_priv.h"

static char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	AUTO_FREE char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		abort(); /* as the arena does */
	return arena_strdup(a, s);
}

struct blocker_entry {
	struct lower_blocker b;
	const void *key;
	uint32_t expr;
	/* Lists are filled one after the other: the last one that got it is enough to know. */
	const struct lower_info *info;
	const struct lower_chain *base;
};

/* The blocker of this cause; made, without text or place, when it is new (then why is NULL). */
static struct lower_blocker *get_blocker(struct lower *lw, const void *key, uint32_t expr,
					 const char *code, uint32_t hooks)
{
	uint64_t h = ir_hash_u64(ir_hash_u64(IR_HASH_INIT, (uintptr_t)key), expr);
	struct blocker_entry *e;
	size_t pos = 0;

	while ((e = ir_index_next(&lw->blocker_index, h, &pos)))
		if (e->key == key && e->expr == expr && e->b.hooks == hooks &&
		    strcmp(e->b.code, code) == 0)
			return &e->b;
	e = ARENA_NEW(lw->arena, struct blocker_entry);
	e->key = key;
	e->expr = expr;
	e->b.code = code;
	e->b.hooks = hooks;
	ir_index_add(&lw->blocker_index, lw->arena, h, e);
	return &e->b;
}

/* Places outlive the ir and need no model: their strings are copies. */
static struct diag_place place_copy(struct arena *a, struct diag_place at)
{
	at.table = at.table ? arena_strdup(a, at.table) : NULL;
	at.chain = at.chain ? arena_strdup(a, at.chain) : NULL;
	at.expr = at.expr ? arena_strdup(a, at.expr) : NULL;
	return at;
}

static void PRINTF_LIKE(4, 0)
	block(struct lower *lw, uint32_t hooks, const char *code, const char *fmt, va_list ap)
{
	struct blocker_entry *e;
	struct lower_blocker *b;

	if (lw->front) {
		front_unknown(lw);
		return;
	}
	b = get_blocker(lw, lw->rule, lw->expr_index, code, hooks);
	if (!b->why) {
		b->why = arena_vprintf(lw->arena, fmt, ap);
		b->at = place_copy(lw->arena, lower_place(lw));
	}
	e = CONTAINER_OF(b, struct blocker_entry, b);
	if (e->info == lw->info)
		return;
	e->info = lw->info;
	ARENA_PUSH(lw->ir->arena, lw->info->blockers, lw->info->n_blockers, b);
}

void lower_block(struct lower *lw, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	block(lw, LOWER_ALL_HOOKS, code, fmt, ap);
	va_end(ap);
}

void lower_block_hooks(struct lower *lw, uint32_t hooks, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	block(lw, hooks, code, fmt, ap);
	va_end(ap);
}

void lower_block_base(struct lower *lw, struct lower_chain *lc, const char *code, const char *fmt,
		      ...)
{
	struct lower_blocker *b = get_blocker(lw, lc->base, 0, code, LOWER_ALL_HOOKS);
	struct diag_place at = {
		.family = lc->base->table->family,
		.table = lc->base->table->name,
		.chain = lc->base->name,
	};
	va_list ap;

	if (!b->why) {
		va_start(ap, fmt);
		b->why = arena_vprintf(lw->arena, fmt, ap);
		va_end(ap);
		b->at = place_copy(lw->arena, at);
	}
	lower_blocker_add(lw, lc, b);
}

void lower_blocker_add(struct lower *lw, struct lower_chain *lc, struct lower_blocker *b)
{
	struct blocker_entry *e = CONTAINER_OF(b, struct blocker_entry, b);

	if (e->base == lc)
		return;
	e->base = lc;
	ARENA_PUSH(lw->arena, lc->blockers, lc->n_blockers, b);
}

/* ---- expressions without a descriptor ---- */

/* What nf_tables has and we do not, with the reason; anything else is "unknown". */
static const struct {
	const char *name, *code, *why;
} unsupported[] = {
	{"connlimit", "expr-connlimit", "the list of connections is the kernel's own"},
	{"dup", "expr-dup", "a BPF program cannot duplicate a packet"},
	{"fib", "expr-fib", "route look-ups are not open to BPF netfilter programs"},
	{"flow_offload", "expr-flow-offload", "a BPF program cannot fill a flowtable"},
	{"fwd", "expr-fwd", "a BPF program cannot redirect a packet"},
	{"inner", "expr-inner", "matching inside a tunnel has no lowering yet"},
	{"log", "expr-log", "logging has no lowering yet"},
	{"masq", "expr-masq", "a BPF program cannot rewrite a packet"},
	{"nat", "expr-nat", "a BPF program cannot rewrite a packet"},
	{"notrack", "expr-notrack", "a BPF program cannot write conntrack"},
	{"osf", "expr-osf", "the fingerprints are the kernel's own"},
	{"queue", "expr-queue", "a BPF program cannot queue a packet"},
	{"redir", "expr-redir", "a BPF program cannot rewrite a packet"},
	{"reject", "expr-reject", "a BPF program cannot send a reply"},
	{"synproxy", "expr-synproxy", "a BPF program cannot send a reply"},
	{"tproxy", "expr-tproxy", "a BPF program cannot assign a socket"},
	{"tunnel", "expr-tunnel", "tunnel metadata has no lowering yet"},
};

void lower_block_unknown(struct lower *lw, const struct expr *e)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unsupported); i++) {
		if (strcmp(unsupported[i].name, e->name) != 0)
			continue;
		lower_block(lw, unsupported[i].code, "%s", unsupported[i].why);
		return;
	}
	lower_block(lw, "expr-unknown", "nft-bpf does not know this expression");
}
