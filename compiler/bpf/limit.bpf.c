/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a rule keeps between packets beside its counters: limit, quota, last, numgen inc. The state
 * is shared by all CPUs.
 */
#include "nb.h"

enum { LIMIT_TRIES = 128 };

struct nb_limit_state {
	__s64 empty; /* compiler/expr/limit.c */
};

/*
 * Takes @cost of at most @max tokens: 1, or 0 when there are not as many. nft_limit_eval(), whose
 * lock makes the time that is read grow from packet to packet; here a packet whose time was
 * overtaken finds the bucket as the later one left it.
 */
NB_GLOBAL int nb_limit_take(struct nb_limit_state *state, __u64 cost, __u64 max)
{
	if (!state)
		return 0;
	for (int i = 0; i < LIMIT_TRIES; i++) {
		const __s64 empty = *(volatile __s64 *)&state->empty;
		const __s64 now = bpf_ktime_get_ns();
		__u64 tokens = now > empty ? now - empty : 0;
		bool within;

		if (tokens > max)
			tokens = max;
		within = (__s64)(tokens - cost) >= 0;
		if (within)
			tokens -= cost;
		/* Unchanged, as with every packet above the rate: nothing to write. */
		if (now - (__s64)tokens == empty ||
		    __sync_val_compare_and_swap(&state->empty, empty, now - (__s64)tokens) == empty)
			return within;
	}
	return 0; /* each try was lost to another packet that got a token or none */
}

/* @p0: cost of a packet; or, with @p2, of @p2 bytes @p1 ns. @p3: the bucket; @p4: inverted. */
NB_EFFECT(limit)
{
	const __u64 cost = p2 ? p1 * nb_len(p) / p2 : p0;

	return nb_limit_take(state, cost, p3) != (int)p4;
}

/* nft_overquota(). @p0: bytes; @p1: inverted. */
NB_EFFECT(quota)
{
	const __u64 len = nb_len(p);
	const __u64 consumed = __sync_fetch_and_add((__u64 *)state, len) + len;

	return (consumed > p0) == (bool)p1;
}

NB_EFFECT(last)
{
	*(volatile __u64 *)state = bpf_ktime_get_ns();
	return true;
}

/* nft_ng_inc_gen(); the state says how many there were. @p0: modulus; @p1: offset. */
NB_LEAF_STATE(numgen_inc)
{
	out[0] = nb_host32((__u32)(__sync_fetch_and_add((__u64 *)state, 1) % p0 + p1));
	return true;
}
