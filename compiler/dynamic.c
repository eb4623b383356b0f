/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How elements lie in the maps of dynamic.h.
 */
#include "dynamic.h"

#include <linux/netfilter/nf_tables.h>

#include "attr.h"
#include "ir_eval.h"

#ifndef NFTA_LAST_MAX
enum { NFTA_LAST_SET = 1, NFTA_LAST_MSECS = 2 };
#endif

#define GROWTH 65536u /* elements that a set without a size may get before its map is made anew */

uint32_t dyn_key_size(const struct ir_set *set)
{
	return ROUND_UP(set->width, 8u);
}

uint32_t dyn_state_size(const char *expr)
{
	return strcmp(expr, "counter") == 0 ? sizeof(struct ir_counter) : sizeof(uint64_t);
}

uint32_t dyn_state_at(const struct ir_set *set, uint32_t i)
{
	uint32_t at = sizeof(struct dyn_value);

	if (set->kind == IR_DATA_MAP)
		at += ROUND_UP(set->data_width, 8u);
	for (uint32_t k = 0; k < i; k++)
		at += dyn_state_size(set->like[k]->op->name);
	return at;
}

uint32_t dyn_value_size(const struct ir_set *set)
{
	return dyn_state_at(set, set->n_like);
}

uint32_t dyn_capacity(const struct ir_set *set)
{
	if (set->size)
		return MAX(set->size, (uint32_t)set->n_elems);
	return set->grows ? MAX(DYN_DEFAULT_SIZE, (uint32_t)set->n_elems) :
			    (uint32_t)(set->n_elems + set->n_elems / 2 + GROWTH);
}

static uint64_t last_time(struct blob attrs, uint64_t now)
{
	uint64_t ago = attr_uint(attrs, NFTA_LAST_MSECS, 0) * 1000000;

	return now && attr_uint(attrs, NFTA_LAST_SET, 0) && now > ago ? now - ago : 0;
}

void dyn_expr_init(const char *expr, struct blob attrs, uint64_t now, void *ret)
{
	uint64_t *words = ret;

	if (strcmp(expr, "counter") == 0) {
		words[0] = attr_uint(attrs, NFTA_COUNTER_PACKETS, 0);
		words[1] = attr_uint(attrs, NFTA_COUNTER_BYTES, 0);
		return;
	}
	words[0] = 0;
	if (strcmp(expr, "quota") == 0)
		words[0] = attr_uint(attrs, NFTA_QUOTA_CONSUMED, 0);
	else if (strcmp(expr, "last") == 0)
		words[0] = last_time(attrs, now);
	else if (strcmp(expr, "limit") == 0)
		words[0] = (uint64_t)IR_LIMIT_FULL;
}

void dyn_state_init(const struct ir_state *like, struct blob attrs, uint64_t now, void *ret)
{
	dyn_expr_init(like->op->name, attrs, now, ret);
}

static bool same_attr(const struct expr *a, const struct expr *b, uint16_t type)
{
	return attr_uint(a->attrs, type, 0) == attr_uint(b->attrs, type, 0);
}

/* nft_limit_init(): a burst that is not told is 5 packets. */
static uint64_t burst(const struct expr *e)
{
	uint64_t n = attr_uint(e->attrs, NFTA_LIMIT_BURST, 0);

	return n || attr_uint(e->attrs, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS) != NFT_LIMIT_PKTS ? n : 5;
}

static bool same_limit(const struct expr *a, const struct expr *b)
{
	return same_attr(a, b, NFTA_LIMIT_RATE) && same_attr(a, b, NFTA_LIMIT_UNIT) &&
	       same_attr(a, b, NFTA_LIMIT_TYPE) && same_attr(a, b, NFTA_LIMIT_FLAGS) &&
	       burst(a) == burst(b);
}

bool dyn_same_expr(const struct expr *a, const struct expr *b)
{
	if (strcmp(a->name, b->name) != 0)
		return false;
	if (strcmp(a->name, "limit") == 0)
		return same_limit(a, b);
	if (strcmp(a->name, "quota") == 0)
		return same_attr(a, b, NFTA_QUOTA_BYTES) &&
		       (attr_uint(a->attrs, NFTA_QUOTA_FLAGS, 0) & NFT_QUOTA_F_INV) ==
			       (attr_uint(b->attrs, NFTA_QUOTA_FLAGS, 0) & NFT_QUOTA_F_INV);
	return strcmp(a->name, "counter") == 0 || strcmp(a->name, "last") == 0;
}
