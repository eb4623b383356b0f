/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups in sets.
 */
#include "ir_eval.h"

/* nft_set_elem_expired() */
static bool is_expired(const struct ir_elem *e, const struct ir_env *env)
{
	return e->expires && env->now_ns >= env->read_ns &&
	       (env->now_ns - env->read_ns) / 1000000 >= e->expires;
}

/* nft_pipapo_lookup(): every field within its own range. */
static bool in_fields(const struct ir_set *s, const struct ir_elem *e, const uint8_t *key)
{
	uint32_t at = 0, i;

	for (i = 0; i < s->n_fields; i++) {
		uint32_t n = ROUND_UP(s->field_width[i], 4u);

		if (memcmp(key + at, e->lo + at, n) < 0 || memcmp(key + at, e->hi + at, n) > 0)
			return false;
		at += n;
	}
	return true;
}

/* Elements are disjoint but for what has expired: the first that is alive is the one. */
static const struct ir_elem *lookup_ranged(const struct ir_set *s, size_t n,
					   const struct ir_env *env, const uint8_t *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (in_fields(s, &s->elems[i], key) && !is_expired(&s->elems[i], env))
			return &s->elems[i];
	return NULL;
}

/* The last of the sorted elements that begins at or before @key must hold it. */
static const struct ir_elem *lookup_sorted(const struct ir_set *s, size_t n,
					   const struct ir_env *env, const uint8_t *key)
{
	const struct ir_elem *e;
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(s->elems[mid].lo, key, s->width) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	e = &s->elems[lo - 1];
	return memcmp(key, e->hi, s->width) <= 0 && !is_expired(e, env) ? e : NULL;
}

const struct ir_elem *ir_eval_lookup(const struct ir_set *set, const struct ir_env *env,
				     const uint8_t *key)
{
	const struct ir_elem *last = set->n_elems ? &set->elems[set->n_elems - 1] : NULL;
	const struct ir_elem *all = last && !last->lo ? last : NULL, *e;
	size_t n = set->n_elems - (all != NULL);

	e = set->ranged ? lookup_ranged(set, n, env, key) : lookup_sorted(set, n, env, key);
	if (!e && all && !is_expired(all, env))
		e = all;
	return e;
}
