/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: random packets, and random decision lists whose constants are taken from what those
 * packets hold, so that rules match now and then.
 */
#ifndef NFT_BPF_TESTS_IR_RANDOM_H
#define NFT_BPF_TESTS_IR_RANDOM_H

#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>

#include "compiler/ir_eval.h"

enum { RND_FRAME = 256, RND_MAC = 14, RND_PACKETS = 64 };

struct rnd_packet {
	uint8_t frame[RND_FRAME]; /* with Ethernet header */
	uint32_t len;
};

struct rnd {
	uint64_t x;
	uint8_t pf;
	bool real; /* packets have to get to a hook on a device with this address */
	uint8_t dst_mac[6];
	struct rnd_packet packets[RND_PACKETS];
	struct ir *ir;
	struct ir_sel *sels[24];
	uint32_t n_sels;
	uint32_t n_keys; /* of states */
};

static uint32_t rnd_next(struct rnd *r)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return (uint32_t)(r->x >> 16);
}

static uint32_t rnd_below(struct rnd *r, uint32_t n)
{
	return rnd_next(r) % n;
}

static uint32_t rnd_pick(struct rnd *r, const uint8_t *of, uint32_t n)
{
	return of[rnd_below(r, n)];
}

/* ---- packets ---- */

/* Of the IPv4 header: a wrong one never gets to a hook. */
static void rnd_checksum(uint8_t *ip, uint32_t len)
{
	uint32_t sum = 0;

	ip[10] = ip[11] = 0;
	for (uint32_t i = 0; i < len; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void rnd_v4(struct rnd *r, uint8_t *ip, uint32_t len)
{
	static const uint8_t protos[] = {6, 6, 17, 17, 1, 132, 51};
	uint32_t ihl = rnd_below(r, 4) ? 5 : 5 + rnd_below(r, 11);

	ihl = MIN(ihl, len / 4);
	ip[0] = (uint8_t)(0x40 | ihl);
	ip[2] = (uint8_t)(len >> 8);
	ip[3] = (uint8_t)len;
	ip[6] = ip[7] = 0;
	if (rnd_below(r, 8) == 0)
		ip[7] = (uint8_t)rnd_below(r, 3);
	ip[9] = (uint8_t)rnd_pick(r, protos, sizeof(protos));
	rnd_checksum(ip, 4 * ihl);
}

static void rnd_v6(struct rnd *r, uint8_t *ip, uint32_t len)
{
	static const uint8_t protos[] = {6, 6, 17, 17, 58, 0, 43, 44, 60, 59, 51, 50};
	uint32_t at = 40;
	uint8_t *next = &ip[6];

	ip[0] = 0x60;
	ip[4] = (uint8_t)((len - 40) >> 8);
	ip[5] = (uint8_t)(len - 40);
	*next = (uint8_t)rnd_pick(r, protos, sizeof(protos));
	if (r->real) { /* what ip6_rcv_core() lets pass */
		ip[8] = ip[24] = 0x20;
		*next = *next ? *next : 60;
	}
	while (at + 8 <= len && (*next == 0 || *next == 43 || *next == 44 || *next == 60)) {
		uint8_t kind = *next;

		next = &ip[at];
		*next = (uint8_t)rnd_pick(r, protos, sizeof(protos));
		ip[at + 1] = (uint8_t)(rnd_below(r, 4) == 0);
		ip[at + 2] = 0;
		ip[at + 3] = (uint8_t)(rnd_below(r, 3) == 0 ? rnd_below(r, 16) : 1);
		at += kind == 44 ? 8 : 8 * (ip[at + 1] + 1u);
	}
}

static void rnd_packet(struct rnd *r, struct rnd_packet *p)
{
	uint32_t fixed = r->pf == NFPROTO_IPV4 ? 20 : 40;
	uint32_t len = fixed + rnd_below(r, rnd_below(r, 3) ? 100 : 12);
	uint8_t *ip = p->frame + RND_MAC;

	/* Few values per byte, so that two packets are alike in some. */
	for (uint32_t i = 0; i < RND_FRAME; i++)
		p->frame[i] = (uint8_t)(rnd_below(r, 3) ? rnd_below(r, 3) : 250 + rnd_below(r, 6));
	if (r->real)
		memcpy(p->frame, r->dst_mac, 6);
	p->frame[12] = r->pf == NFPROTO_IPV4 ? 0x08 : 0x86;
	p->frame[13] = r->pf == NFPROTO_IPV4 ? 0x00 : 0xdd;
	if (r->pf == NFPROTO_IPV4)
		rnd_v4(r, ip, len);
	else
		rnd_v6(r, ip, len);
	p->len = RND_MAC + len;
}

static void rnd_env(const struct rnd *r, const struct rnd_packet *p, uint8_t hook,
		    struct ir_env *env)
{
	memset(env, 0, sizeof(*env));
	env->pf = r->pf;
	env->hook = hook;
	env->data = p->frame + RND_MAC;
	env->len = p->len - RND_MAC;
	env->mac = p->frame;
	env->mac_len = RND_MAC;
	env->now_ns = 1000000000; /* the machine is up for longer */
	env->out = (struct ir_dev){.ifindex = 1, .name = "lo", .type = 772}; /* a test run's */
	env->protocol = r->pf == NFPROTO_IPV4 ? 0x0800 : 0x86dd;
}

/* ---- selectors ---- */

static struct ir_sel *rnd_leaf(struct rnd *r)
{
	static const char *const loads[] = {"load nh", "load th", "load ll"};
	static const uint8_t widths[] = {1, 1, 2, 2, 3, 4, 4, 4, 5, 6, 7, 8, 9, 12, 16, 17, 20};
	uint32_t kind = rnd_below(r, 8);
	uint64_t param[IR_LEAF_PARAMS] = {0};

	if (kind == 0)
		return ir_leaf(r->ir, ir_leaf_find("meta len"), 4, param);
	if (kind == 1)
		return ir_leaf(r->ir, ir_leaf_find("meta l4proto"), 1, param);
	kind = kind < 5 ? 0 : kind < 7 ? 1 : 2;
	param[0] = rnd_below(r, kind == 0 ? 60 : 18);
	return ir_leaf(r->ir, ir_leaf_find(loads[kind]), rnd_pick(r, widths, sizeof(widths)),
		       param);
}

static struct ir_sel *rnd_sel(struct rnd *r, uint32_t depth);

static struct ir_sel *rnd_const(struct rnd *r, uint32_t width)
{
	uint8_t bytes[IR_MAX_WIDTH];

	for (uint32_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(rnd_below(r, 2) ? 0xffu << rnd_below(r, 8) : rnd_next(r));
	return ir_const(r->ir, bytes, width);
}

static struct ir_sel *rnd_concat(struct rnd *r, uint32_t depth)
{
	struct ir_sel *args[3];
	uint32_t n = 2 + rnd_below(r, 2), width = 0;

	for (uint32_t i = 0; i < n; i++) {
		args[i] = rnd_sel(r, depth + 1);
		if (width + args[i]->width > 40)
			return args[i];
		width += args[i]->width;
	}
	return ir_concat(r->ir, args, n);
}

static struct ir_sel *rnd_sel(struct rnd *r, uint32_t depth)
{
	static const enum ir_op binary[] = {IR_AND, IR_AND, IR_OR, IR_XOR};
	struct ir_sel *a;
	uint32_t n;

	if (depth > 2 || rnd_below(r, 2))
		return rnd_leaf(r);
	a = rnd_sel(r, depth + 1);
	switch (rnd_below(r, 8)) {
	case 0:
	case 1:
		return ir_binary(r->ir, binary[rnd_below(r, 4)], a, rnd_const(r, a->width));
	case 2:
		return ir_shift(r->ir, rnd_below(r, 2) ? IR_SHL : IR_SHR, a, 1 + rnd_below(r, 31));
	case 3:
		n = 2u << rnd_below(r, 3);
		return a->width % n ? a : ir_bswap(r->ir, a, n);
	case 4:
		return rnd_concat(r, depth);
	case 5:
		n = rnd_below(r, a->width);
		return ir_slice(r->ir, a, n, 1 + rnd_below(r, a->width - n));
	case 6:
		return ir_jhash(r->ir, a, rnd_next(r));
	default:
		return a->width == 4 ? ir_scale(r->ir, a, 1 + rnd_below(r, 100), rnd_below(r, 9))
				     : a;
	}
}

/* A value the selector has on some packet, now and then changed a little. */
static uint8_t *rnd_value(struct rnd *r, const struct ir_sel *sel)
{
	uint8_t *v = arena_alloc(r->ir->arena, sel->width);
	struct ir_env env;

	rnd_env(r, &r->packets[rnd_below(r, RND_PACKETS)], 1, &env);
	if (ir_env_init_state(&env, r->ir) || !ir_eval_sel(sel, &env, v)) {
		for (uint32_t i = 0; i < sel->width; i++)
			v[i] = (uint8_t)rnd_next(r);
	}
	ir_env_fini_state(&env);
	if (rnd_below(r, 4) == 0)
		v[sel->width - 1] += rnd_below(r, 2) ? 1 : 0xff;
	return v;
}

/* ---- sets ---- */

static uint32_t rnd_key_width; /* for qsort */
static int rnd_by_lo(const void *a, const void *b)
{
	const struct ir_elem *x = a, *y = b;

	return memcmp(x->lo, y->lo, rnd_key_width);
}

static struct ir_verdict rnd_verdict(struct rnd *r, uint32_t chain)
{
	struct ir_verdict v = {.code = (enum ir_verdict_code)rnd_below(r, IR_GOTO + 1)};
	uint32_t left = r->ir->n_chains - chain - 1;

	if (v.code == IR_JUMP || v.code == IR_GOTO) {
		if (!left)
			v.code = IR_ACCEPT;
		else
			v.chain = r->ir->chains[chain + 1 + rnd_below(r, MIN(left, 3u))];
	} else if (rnd_below(r, 3) == 0 && v.code != IR_CONTINUE) {
		v.code = IR_CONTINUE;
	}
	return v;
}

static struct ir_state *rnd_counter(struct rnd *r)
{
	return ir_state_get(r->ir, ir_effect_find("counter"), r, r->n_keys++);
}

/* Disjoint elements over @sel's values; @chain: where a verdict map stands. */
static struct ir_set *rnd_set(struct rnd *r, const struct ir_sel *sel, enum ir_set_kind kind,
			      uint32_t data_width, uint32_t chain)
{
	char name[32];
	struct ir_set *s;
	/* The verifier goes through a look-up of wide keys in thousands of instructions. */
	bool in_map = sel->width <= 16 && rnd_below(r, 4) == 0;
	uint32_t want = in_map && rnd_below(r, 2) ? 60 + rnd_below(r, 60) : rnd_below(r, 12), n = 0;
	bool intervals = rnd_below(r, 2);

	snprintf(name, sizeof(name), "s%u", r->ir->n_sets);
	s = ir_set_new(r->ir, name);
	s->kind = kind;
	s->width = sel->width;
	s->data_width = (uint16_t)data_width;
	s->n_fields = 1;
	s->field_width = arena_alloc(r->ir->arena, 1);
	s->field_width[0] = (uint8_t)sel->width;
	s->elems = arena_alloc(r->ir->arena, (2 * want + 1) * sizeof(*s->elems));
	for (uint32_t i = 0; i < want; i++)
		s->elems[i].lo = rnd_value(r, sel);
	rnd_key_width = sel->width;
	qsort(s->elems, want, sizeof(*s->elems), rnd_by_lo);
	for (uint32_t i = 0; i < want; i++) {
		struct ir_elem e = {.lo = s->elems[i].lo, .hi = s->elems[i].lo};

		if (i + 1 < want && memcmp(e.lo, s->elems[i + 1].lo, s->width) == 0)
			continue;
		if (intervals && i + 1 < want && rnd_below(r, 2)) {
			e.hi = s->elems[i + 1].lo;
			i++;
			while (i + 1 < want && memcmp(e.hi, s->elems[i + 1].lo, s->width) == 0)
				i++;
			s->intervals = true;
		}
		s->elems[n++] = e;
	}
	if (rnd_below(r, 8) == 0)
		s->elems[n++] = (struct ir_elem){0};
	s->n_elems = n;
	/* A map that counts is impure: it needs a step of its own. */
	s->n_states = kind != IR_DATA_MAP && rnd_below(r, 6) == 0;
	s->is_mutable = in_map && rnd_below(r, 2);
	s->has_timeout = s->is_mutable && rnd_below(r, 2);
	for (uint32_t i = 0; i < n; i++) {
		struct ir_elem *e = &s->elems[i];

		/* Counted from boot on: for ever, over, not over for long. */
		if (s->has_timeout)
			e->expires = (uint64_t[]){0, 1, 1ull << 40}[rnd_below(r, 3)];
		if (data_width)
			e->data = rnd_const(r, data_width)->bytes;
		if (kind == IR_VERDICT_MAP)
			e->verdict = rnd_verdict(r, chain);
		if (s->n_states) {
			e->states = arena_alloc(r->ir->arena, sizeof(*e->states));
			e->states[0] = rnd_counter(r);
		}
	}
	return s;
}

/* ---- rules ---- */

static struct ir_sel *rnd_used_sel(struct rnd *r)
{
	struct ir_sel *sel = r->sels[rnd_below(r, r->n_sels)];

	if (rnd_below(r, 10) == 0)
		return ir_map(r->ir, sel, rnd_set(r, sel, IR_DATA_MAP, 1 + rnd_below(r, 17), 0));
	return sel;
}

static void rnd_guard(struct rnd *r, struct ir_step *st)
{
	uint8_t *a, *b;

	st->kind = IR_GUARD;
	st->sel = rnd_used_sel(r);
	st->guard = (enum ir_guard)rnd_below(r, IR_NOT_IN + 1);
	if (st->guard == IR_IN || st->guard == IR_NOT_IN) {
		st->set = rnd_set(r, st->sel, IR_SET, 0, 0);
		return;
	}
	a = rnd_value(r, st->sel);
	b = rnd_value(r, st->sel);
	st->lo = st->hi = a;
	if (st->guard == IR_RANGE || st->guard == IR_NOT_RANGE) {
		bool swap = memcmp(a, b, st->sel->width) > 0;

		st->lo = swap ? b : a;
		st->hi = swap ? a : b;
	}
}

static void rnd_rule(struct rnd *r, struct ir_chain *c, struct ir_rule *rule)
{
	uint32_t n = 1 + rnd_below(r, 3);

	rule->chain = c;
	rule->handle = rule->index + 100;
	rule->steps = arena_alloc(r->ir->arena, (n + 2) * sizeof(*rule->steps));
	for (uint32_t i = 0; i < n; i++) {
		struct ir_step *st = &rule->steps[rule->n_steps++];

		switch (rnd_below(r, 12)) {
		case 0:
			st->kind = IR_NEED;
			st->sel = rnd_used_sel(r);
			break;
		case 1:
			st->kind = IR_VMAP;
			st->sel = rnd_used_sel(r);
			st->set = rnd_set(r, st->sel, IR_VERDICT_MAP, 0, c->id);
			break;
		case 2:
			st->kind = IR_EFFECT;
			st->effect = ir_effect_find("counter");
			st->state = rnd_counter(r);
			break;
		default:
			rnd_guard(r, st);
		}
	}
	rule->steps[rule->n_steps].kind = IR_EFFECT;
	rule->steps[rule->n_steps].effect = ir_effect_find("counter");
	rule->steps[rule->n_steps++].state = rnd_counter(r);
	rule->steps[rule->n_steps].kind = IR_VERDICT;
	rule->steps[rule->n_steps++].verdict = rnd_verdict(r, c->id);
}

/* A program of @n_bases base chains and @n_chains others, @n_rules rules each at most. */
static void rnd_program(struct rnd *r, uint8_t hook, uint32_t n_bases, uint32_t n_chains,
			uint32_t n_rules)
{
	struct ir_prog *p;

	r->ir = ir_new();
	for (uint32_t i = 0; i < RND_PACKETS; i++)
		rnd_packet(r, &r->packets[i]);
	r->n_sels = 2 + rnd_below(r, ARRAY_SIZE(r->sels) - 2);
	for (uint32_t i = 0; i < r->n_sels; i++)
		r->sels[i] = rnd_sel(r, 0);
	for (uint32_t i = 0; i < n_bases + n_chains; i++) {
		char name[16];
		struct ir_chain *c;

		snprintf(name, sizeof(name), "c%u", i);
		c = ir_chain_new(r->ir, r->pf, NFPROTO_INET, "t", name);
		c->lowered = true;
		c->is_base = i < n_bases;
		c->hook = hook;
		c->policy = rnd_below(r, 3) ? NF_ACCEPT : NF_DROP;
	}
	for (uint32_t i = 0; i < r->ir->n_chains; i++) {
		struct ir_chain *c = r->ir->chains[i];
		/* Base chains are not jumped to. */
		uint32_t before = c->id;

		c->id = MAX(i, n_bases - 1);
		c->n_rules = rnd_below(r, n_rules + 1);
		c->rules = arena_alloc(r->ir->arena, (c->n_rules + 1) * sizeof(*c->rules));
		for (uint32_t k = 0; k < c->n_rules; k++) {
			c->rules[k].index = k + 1;
			rnd_rule(r, c, &c->rules[k]);
		}
		c->id = before;
	}
	p = ir_prog_new(r->ir);
	p->name = "random";
	p->pf = r->pf;
	p->hook = hook;
	p->bases = arena_alloc(r->ir->arena, n_bases * sizeof(*p->bases));
	p->n_bases = n_bases;
	for (uint32_t i = 0; i < n_bases; i++)
		p->bases[i] = r->ir->chains[i];
}

#endif
