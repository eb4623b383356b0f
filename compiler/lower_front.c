/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs in front of a base chain that stays with the interpreter: a copy of the chain that
 * drops what the chain would certainly drop, and leaves every other packet to it, unchanged.
 *
 * The copy decides as the chain does as long as it knows how. Where a packet comes to an expression
 * that has no lowering, or that would not do the same twice (a limit, a random number), the copy
 * accepts: what happens then is the interpreter's to say. So it does for whatever the chain accepts,
 * and at the end of the rules; the policy decides nothing here.
 *
 * Counters add up: of a dropped packet only the copy counts, of all others only the interpreter. A
 * counter that stands right before its rule's drop is counted there. If a packet can pass others and
 * be dropped later, the drop is not made where it is decided: the packet goes through the chain once
 * more, in a copy that counts, and that drops wherever a packet's way may end.
 *
 *	chain input                   jump "a" in front           counting
 *	  counter                       (nothing)                   counter
 *	  ip saddr 10.0.0.1 drop        … goto "input >>"           … drop
 *	  tcp dport 22 accept           … accept                    … drop
 *	  tcp dport 23 reject           … accept                    … drop
 *	  udp dport 53 drop             … goto "input >>"           … drop
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "lower_priv.h"

#define TABLE_F_OWNER 0x2 /* NFT_TABLE_F_OWNER */

/* ---- chains ---- */

static bool is_about_rules(const struct lower_blocker *b)
{
	return b->at.rule || strcmp(b->code, "chain-type-route") == 0 ||
	       strcmp(b->code, "state-shared") == 0 || strcmp(b->code, "set-shared") == 0;
}

/*
 * A nat chain sees the first packet of a connection only, which a program cannot know. What keeps
 * the whole chain from being compiled keeps this from being made.
 */
bool lower_may_have_front(const struct lower *lw, const struct lower_chain *lc)
{
	const struct chain *c = lc->base;
	uint32_t i;

	if (!lw->opt->fronts || lc->compiled || lc->front.barred || lower_is_dormant(c) ||
	    c->table->flags & TABLE_F_OWNER || c->hooknum >= NF_INET_NUMHOOKS || !c->type ||
	    (strcmp(c->type, "filter") != 0 && strcmp(c->type, "route") != 0))
		return false;
	for (i = 0; i < lc->n_blockers; i++)
		if (!is_about_rules(lc->blockers[i]))
			return false;
	return true;
}

const char *front_chain_name(struct lower *lw, const struct chain *c)
{
	const struct front *f = lw->front;

	if (f->pass == FRONT_COUNT)
		return arena_printf(lw->ir->arena, "%s >> %s", f->base->name, c->name);
	if (c != f->base)
		return arena_printf(lw->ir->arena, "%s > %s", f->base->name, c->name);
	return c->name;
}

/* ---- what is known ---- */

void front_unknown(struct lower *lw)
{
	if (!lw->unknown)
		lw->unknown_steps = lw->expr_steps;
	lw->unknown = lw->done = true;
}

/*
 * Sets that the packet path changes are the kernel's alone, and so is what elements count. A verdict
 * map cannot send packets to the copies of chains, nor to be counted.
 */
bool front_can_use_set(const struct lower *lw, const struct set *s)
{
	bool is_vmap = s->flags & NFT_SET_MAP && s->data_type == NFT_DATA_VERDICT;
	size_t i;

	if (lower_set_is_filled(lw, s) || s->flags & NFT_SET_OBJECT || lower_elem_exprs(s))
		return false;
	if (is_vmap && lw->front->counting && !(s->flags & NFT_SET_CONSTANT))
		return false;
	for (i = 0; is_vmap && i < s->n_elems; i++)
		if (s->elems[i].verdict.chain ||
		    (lw->front->counting && s->elems[i].verdict.code == NF_DROP))
			return false;
	return true;
}

/* ---- rules ---- */

static struct ir_step *add_step(struct lower *lw, enum ir_verdict_code code, struct ir_chain *chain)
{
	struct ir_rule *r = lw->out;
	struct ir_step s = {
		.kind = IR_VERDICT,
		.expr = lw->expr_index,
		.verdict = {.code = code, .chain = chain},
	};

	ARENA_PUSH(lw->ir->arena, r->steps, r->n_steps, s);
	return &r->steps[r->n_steps - 1];
}

static struct ir_step *verdict_of(struct ir_rule *r)
{
	struct ir_step *last = r->n_steps ? &r->steps[r->n_steps - 1] : NULL;

	return last && last->kind == IR_VERDICT ? last : NULL;
}

/* Steps that count, in all; *@ret_tail of them right before the verdict. */
static uint32_t count_effects(const struct ir_rule *r, uint32_t *ret_tail)
{
	uint32_t n = 0, tail = 0, i;

	for (i = 0; i < r->n_steps; i++) {
		bool is_effect = r->steps[i].kind == IR_EFFECT;

		n += is_effect;
		if (is_effect)
			tail++;
		else if (r->steps[i].kind != IR_VERDICT)
			tail = 0;
	}
	*ret_tail = tail;
	return n;
}

static void remove_effects(struct ir_rule *r)
{
	uint32_t n = 0, i;

	for (i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind != IR_EFFECT)
			r->steps[n++] = r->steps[i];
	r->n_steps = n;
}

/* A packet can be counted here and dropped later. */
static void note_counted(struct lower *lw)
{
	struct front *f = lw->front;

	if (lw->info->chain->origin != f->base)
		f->counts_inside = true;
	else
		f->first_counted = MIN(f->first_counted, lw->out->index);
}

static void finish_deciding(struct lower *lw)
{
	struct ir_rule *r = lw->out;
	struct ir_step *v = verdict_of(r);
	bool final = v && (v->verdict.code == IR_ACCEPT || v->verdict.code == IR_DROP);
	bool drops = v && v->verdict.code == IR_DROP;
	uint32_t tail, n = count_effects(r, &tail);

	if (n && !(final && tail == n))
		note_counted(lw);
	if (!drops || tail != n || lw->front->counting)
		remove_effects(r);
	v = verdict_of(r);
	if (!drops || !lw->front->counting)
		return;
	v->verdict = (struct ir_verdict){.code = IR_GOTO, .chain = lw->front->counting};
	lower_enter(lw, lw->front->counting);
}

void front_finish_rule(struct lower *lw)
{
	struct ir_rule *r = lw->out;
	bool counting = lw->front->pass == FRONT_COUNT;
	struct ir_step *v;

	if (lw->unknown) {
		r->n_steps = lw->unknown_steps;
		add_step(lw, counting ? IR_DROP : IR_ACCEPT, NULL);
	}
	v = verdict_of(r);
	if (!counting)
		finish_deciding(lw);
	else if (v && v->verdict.code == IR_ACCEPT)
		v->verdict.code = IR_DROP;
}

/* ---- counting ---- */

/* Makes all chains of the front, from @base on, be lowered again. */
static void forget(struct lower *lw, struct ir_chain *base)
{
	uint32_t i;

	for (i = base->id; i < lw->ir->n_chains; i++) {
		struct lower_info *info = lower_info(lw, lw->ir->chains[i]);

		info->chain->lowered = false;
		info->n_next = 0;
		info->entered_from = NULL;
		info->height = 0;
	}
}

static struct ir_chain *counting_chain(struct lower *lw, const struct ir_chain *base)
{
	const char *name = arena_printf(lw->ir->arena, "%s >>", base->name);
	struct ir_chain *c =
		ir_chain_new(lw->ir, base->pf, base->family, base->table, name);

	c->origin = base->origin;
	c->is_front = c->lowered = true;
	return c;
}

/* Through the counting copy of the base chain; and whatever comes back is dropped. */
static void fill_counting_chain(struct lower *lw, struct ir_chain *c, struct ir_chain *copy)
{
	static const enum ir_verdict_code codes[] = {IR_JUMP, IR_DROP};
	uint32_t i;

	c->rules = arena_alloc(lw->ir->arena, ARRAY_SIZE(codes) * sizeof(*c->rules));
	lw->expr_index = 0;
	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		lw->out = &c->rules[i];
		*lw->out = (struct ir_rule){.chain = c, .index = i + 1};
		add_step(lw, codes[i], codes[i] == IR_JUMP ? copy : NULL);
	}
	c->n_rules = ARRAY_SIZE(codes);
	lw->info = lower_info(lw, c);
	lower_enter(lw, copy);
}

static void make_counting(struct lower *lw, struct ir_chain *base, struct lower_front *lf)
{
	struct front *f = lw->front;
	struct ir_chain *copy;

	forget(lw, base);
	f->counting = counting_chain(lw, base);
	lower_pending(lw, base->id);
	front_cut(lw, base, lf);
	f->pass = FRONT_COUNT;
	copy = lower_chain_get(lw, f->base, base->pf);
	fill_counting_chain(lw, f->counting, copy);
	lower_pending(lw, copy->id);
	copy->n_rules = MIN(copy->n_rules, lf->last);
	lf->counts = true;
}

/* Both families have the same rules, some of which never match in one of them. */
static void add_found(struct lower_front *to, const struct lower_front *found)
{
	to->first = to->n_drops ? MIN(to->first, found->first) : found->first;
	to->last = MAX(to->last, found->last);
	to->n_drops = MAX(to->n_drops, found->n_drops);
	to->counts |= found->counts;
}

static uint8_t pf_bit(uint8_t pf)
{
	return pf == NFPROTO_IPV4 ? 1 : 2;
}

static bool is_wanted(struct lower *lw, const struct ir_chain *base, bool counts,
		      struct lower_chain *lc, uint8_t pf, const struct lower_front *found)
{
	struct front_price price;

	front_price(lw, base, counts, &price);
	if (price.pays || lw->opt->fronts == LOWER_ALL_FRONTS) {
		if (!lc->front.n_drops)
			lc->front.price = price;
		return true;
	}
	if (!lc->front.n_drops && !lc->front.declined)
		lc->front.price = price;
	lc->front.n_declined += found->n_drops;
	lc->front.declined |= pf_bit(pf);
	return false;
}

struct ir_chain *lower_front(struct lower *lw, struct lower_chain *lc, uint8_t pf)
{
	struct front f = {.base = lc->base, .first_counted = UINT32_MAX};
	struct lower_front found;
	struct ir_chain *base;
	bool counts;

	if (lc->front.declined & pf_bit(pf))
		return NULL;
	lw->front = &f;
	base = lower_base(lw, lc->base, pf);
	front_cut(lw, base, &found);
	counts = f.counts_inside || f.first_counted <= found.last;
	if (found.n_drops && lower_height(lw, base) <= IR_MAX_DEPTH &&
	    !is_wanted(lw, base, counts, lc, pf, &found))
		found.n_drops = 0;
	if (found.n_drops && counts)
		make_counting(lw, base, &found);
	lw->front = NULL;
	if (!found.n_drops || lower_height(lw, base) > IR_MAX_DEPTH)
		return NULL;
	add_found(&lc->front, &found);
	return base;
}
