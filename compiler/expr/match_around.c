/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xtables matches of what surrounds a packet: its socket's owner, groups of devices, the route's
 * realm, the CPU, the time, chance (net/netfilter/xt_*.c of owner, devgroup, realm, cpu, time,
 * statistic).
 */
#include <linux/netfilter/xt_cpu.h>
#include <linux/netfilter/xt_devgroup.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_realm.h>
#include <linux/netfilter/xt_statistic.h>
#include <linux/netfilter/xt_time.h>

#include "match.h"

/* ---- owner ---- */

enum { OVERFLOW_ID = 65534 }; /* what an owner of another user namespace looks like */

/*
 * A packet without a socket ends the rule here and meets an inverted match there. Who the owner is
 * is compared within the namespace here and outside of it there: the same for one owner.
 */
static void lower_owner(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_owner_match_info *o = info;

	if (o->invert || !(o->match & (XT_OWNER_UID | XT_OWNER_GID)) ||
	    o->match & XT_OWNER_SUPPL_GROUPS) {
		lower_block(lw, "match-owner", "sockets without an owner, supplementary groups");
		return;
	}
	if ((o->match & XT_OWNER_UID && (o->uid_min != o->uid_max || o->uid_min == OVERFLOW_ID)) ||
	    (o->match & XT_OWNER_GID && (o->gid_min != o->gid_max || o->gid_min == OVERFLOW_ID))) {
		lower_block(lw, "match-owner", "a range of owners, or nobody");
		return;
	}
	if (o->match & XT_OWNER_UID)
		match_number(lw, match_leaf(lw, "meta skuid", 4, 0, 0), o->uid_min, o->uid_max, false);
	if (o->match & XT_OWNER_GID)
		match_number(lw, match_leaf(lw, "meta skgid", 4, 0, 0), o->gid_min, o->gid_max, false);
}

static const struct match_op owner MATCH_OP_TABLE = {
	.name = "owner",
	.rev_first = 1,
	.rev_last = 1,
	.size = {18},
	.lower = lower_owner,
};

/* ---- devgroup, realm, cpu ---- */

static void lower_devgroup(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_devgroup_info *d = info;
	uint32_t group;

	if (d->flags & XT_DEVGROUP_MATCH_SRC) {
		group = d->src_group & d->src_mask;
		if (group != d->src_group)
			lower_block(lw, "match-devgroup", "a group beyond its mask");
		match_mask(lw, match_leaf(lw, "meta iifgroup", 4, 0, 0), &d->src_mask, &group,
			   d->flags & XT_DEVGROUP_INVERT_SRC);
	}
	if (d->flags & XT_DEVGROUP_MATCH_DST) {
		group = d->dst_group & d->dst_mask;
		if (group != d->dst_group)
			lower_block(lw, "match-devgroup", "a group beyond its mask");
		match_mask(lw, match_leaf(lw, "meta oifgroup", 4, 0, 0), &d->dst_mask, &group,
			   d->flags & XT_DEVGROUP_INVERT_DST);
	}
}

static const struct match_op devgroup MATCH_OP_TABLE = {
	.name = "devgroup",
	.size = {sizeof(struct xt_devgroup_info)},
	.lower = lower_devgroup,
};

static void lower_realm(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_realm_info *r = info;

	match_mask(lw, match_leaf(lw, "rt classid", 4, 0, 0), &r->mask, &r->id, r->invert);
}

static const struct match_op realm MATCH_OP_TABLE = {
	.name = "realm",
	.size = {9},
	.lower = lower_realm,
};

static void lower_cpu(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_cpu_info *c = info;

	match_number(lw, match_leaf(lw, "meta cpu", 4, 0, 0), c->cpu, c->cpu, c->invert);
}

static const struct match_op cpu MATCH_OP_TABLE = {
	.name = "cpu",
	.size = {sizeof(struct xt_cpu_info)},
	.lower = lower_cpu,
};

/* ---- time ---- */

/* The days whose bit is set: Monday is bit 1, Sunday bit 7; of meta day Sunday is 0. */
static void match_days(struct lower *lw, struct ir_sel *day, uint8_t mask)
{
	static const uint8_t days[] = {0, 1, 2, 3, 4, 5, 6};
	struct ir *ir = lower_ir(lw);
	struct ir_set *set = ir_set_new(ir, arena_printf(ir->arena, "xt:days:%u", ir->n_sets));
	uint32_t i;

	set->kind = IR_SET;
	set->width = 1;
	set->n_fields = 1;
	set->field_width = arena_memdup(ir->arena, "\1", 1);
	for (i = 0; i < ARRAY_SIZE(days); i++) {
		struct ir_elem e = {.lo = &days[i], .hi = &days[i]};

		if (mask & 1 << (i ? i : 7))
			ARENA_PUSH(ir->arena, set->elems, set->n_elems, e);
	}
	lower_guard_set(lw, IR_IN, day, set);
}

static void lower_time(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const uint64_t tai = (uint64_t)(int64_t)lower_opt(lw)->tai_offset, sec = 1000000000;
	const struct xt_time_info *t = info;

	if (lower_opt(lw)->minuteswest || t->monthdays_match != XT_TIME_ALL_MONTHDAYS ||
	    (t->flags & XT_TIME_CONTIGUOUS && t->daytime_start >= t->daytime_stop)) {
		lower_block(lw, "match-time",
			    "time zones, days of the month and nights as one have no lowering");
		return;
	}
	if (t->date_start || t->date_stop != UINT32_MAX)
		match_number(lw, match_leaf(lw, "meta time", 8, tai, 0), t->date_start * sec,
			     t->date_stop * sec + (sec - 1), false);
	/* A day that ends before it begins is all but what lies between. */
	if (t->daytime_start < t->daytime_stop)
		match_number(lw, match_leaf(lw, "meta hour", 4, tai, 0), t->daytime_start,
			     t->daytime_stop, false);
	else if (t->daytime_stop + 1 < t->daytime_start)
		match_number(lw, match_leaf(lw, "meta hour", 4, tai, 0), t->daytime_stop + 1,
			     t->daytime_start - 1, true);
	if (t->weekdays_match != XT_TIME_ALL_WEEKDAYS)
		match_days(lw, match_leaf(lw, "meta day", 1, tai, 0), t->weekdays_match);
}

static const struct match_op time_match MATCH_OP_TABLE = {
	.name = "time",
	.size = {22},
	.lower = lower_time,
};

/* ---- statistic ---- */

/* A random number of 31 bits below the probability. */
static void lower_random(struct lower *lw, const struct xt_statistic_info *s)
{
	const uint32_t bits31 = 0x7fffffff;
	struct ir *ir = lower_ir(lw);
	struct ir_sel *random;

	if (!s->u.random.probability) {
		lower_block(lw, "match-statistic", "a probability of zero");
		return;
	}
	random = ir_leaf(ir, ir_leaf_find("meta random"), 4, NULL);
	lower_need(lw, random);
	random = ir_binary(ir, IR_AND, random, ir_const(ir, &bits31, 4));
	match_number(lw, random, 0, s->u.random.probability - 1, s->flags & XT_STATISTIC_INVERT);
}

/* The kernel counts up from u.nth.count; to be at u.nth.every and begin anew is a match. */
static void lower_nth(struct lower *lw, const struct xt_statistic_info *s)
{
	const struct ir_leaf *inc = ir_leaf_find("numgen inc");
	const uint64_t params[IR_LEAF_PARAMS] = {s->u.nth.every + 1ull};
	struct ir_sel *n;

	if (s->u.nth.count > s->u.nth.every || s->u.nth.every == UINT32_MAX) {
		lower_block(lw, "match-statistic", "a first packet behind the last");
		return;
	}
	n = ir_leaf_stateful(lower_ir(lw), inc, params, lower_state(lw, inc->state));
	lower_need(lw, n);
	match_number(lw, n, s->u.nth.every - s->u.nth.count, s->u.nth.every - s->u.nth.count,
		     s->flags & XT_STATISTIC_INVERT);
}

static void lower_statistic(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_statistic_info *s = info;

	if (s->mode == XT_STATISTIC_MODE_RANDOM)
		lower_random(lw, s);
	else
		lower_nth(lw, s);
}

static const struct match_op statistic MATCH_OP_TABLE = {
	.name = "statistic",
	.size = {16},
	.lower = lower_statistic,
};
