/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit: a token bucket, in nanoseconds (nft_limit_eval()).
 *
 * The kernel keeps tokens and when they were counted, under a lock. Both change together such that
 * one number says it all: the time at which the bucket was, or would have been, empty. tokens = now
 * - empty, at most the bucket's size; to take tokens is to move that time. One word needs no lock.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

enum { P_COST, P_NSECS, P_RATE, P_MAX, P_INVERT, N_PARAMS };

#define NSEC_PER_SEC  1000000000ull
#define BURST_DEFAULT 5		     /* NFT_LIMIT_PKT_BURST_DEFAULT */
#define MAX_BUCKET    (1ull << 61)

struct limit_state {
	int64_t empty; /* ns, CLOCK_MONOTONIC */
};

static bool eval_limit(const struct ir_step *step, struct ir_env *env, void *state)
{
	const uint64_t *p = step->state->param;
	uint64_t cost = p[P_RATE] ? p[P_NSECS] * env->len / p[P_RATE] : p[P_COST];
	struct limit_state *s = state;
	int64_t now = (int64_t)env->now_ns;
	uint64_t tokens = now > s->empty ? (uint64_t)now - (uint64_t)s->empty : 0;
	bool within;

	tokens = MIN(tokens, p[P_MAX]);
	within = (int64_t)(tokens - cost) >= 0;
	if (within)
		tokens -= cost;
	s->empty = (int64_t)((uint64_t)now - tokens);
	return within != (bool)p[P_INVERT];
}

static const struct ir_effect_op limit_op IR_EFFECT_TABLE = {
	.name = "limit",
	.helper = "limit",
	.state_size = sizeof(struct limit_state),
	.may_break = true,
	.n_params = N_PARAMS,
	.cost = 60,
	.eval = eval_limit,
};

/* nft_limit_init(); false: the kernel would not take it. */
static bool limit_params(struct blob attrs, uint64_t *p)
{
	uint64_t rate = attr_uint(attrs, NFTA_LIMIT_RATE, 0);
	uint64_t unit = attr_uint(attrs, NFTA_LIMIT_UNIT, 0);
	uint64_t burst = attr_uint(attrs, NFTA_LIMIT_BURST, 0);
	uint64_t nsecs, sum;

	if (!rate || __builtin_mul_overflow(unit, NSEC_PER_SEC, &nsecs))
		return false;
	p[P_INVERT] = attr_uint(attrs, NFTA_LIMIT_FLAGS, 0) & NFT_LIMIT_F_INV;
	if (attr_uint(attrs, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS) == NFT_LIMIT_PKTS) {
		p[P_COST] = nsecs / rate;
		if (__builtin_mul_overflow(p[P_COST], burst ? burst : BURST_DEFAULT, &p[P_MAX]))
			return false;
	} else {
		p[P_NSECS] = nsecs;
		p[P_RATE] = rate;
		if (__builtin_add_overflow(rate, burst, &sum) ||
		    __builtin_mul_overflow(nsecs, sum, &p[P_MAX]))
			return false;
		p[P_MAX] /= rate;
	}
	return p[P_MAX] <= MAX_BUCKET;
}

static bool limit_init(struct lower *lw, struct ir_state *st, struct blob attrs)
{
	static const struct limit_state full = {.empty = IR_LIMIT_FULL};

	if (!limit_params(attrs, st->param)) {
		lower_block(lw, "limit-range", "a rate of zero or beyond 64 bits");
		return false;
	}
	st->init = &full;
	return true;
}

static const struct expr_op limit EXPR_OP_TABLE = {
	.name = "limit",
	.state = &limit_op,
	.init = limit_init,
	.object_type = NFT_OBJECT_LIMIT,
};
