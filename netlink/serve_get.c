/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which element of a set the kernel answers with when it is asked for a key: of a hash the one of that
 * key, of intervals and concatenated ranges one that holds it.
 */
#include "serve.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

static bool is_end(const struct set_elem *e)
{
	return e->flags & NFT_SET_ELEM_INTERVAL_END;
}

/* As the tree has them: of an end and a start at one key the end comes first. */
static int compare_borders(const struct set *s, const struct set_elem *a, const struct set_elem *b)
{
	int cmp = memcmp(a->key, b->key, s->key_len);

	return cmp ? cmp : is_end(b) - is_end(a);
}

/*
 * __nft_rbtree_get(): the border at the key, else the nearest one on the side that is asked for, below for
 * a start and above for an end; which must be of that kind. Behind an end that is at the key no interval
 * begins.
 */
static struct set_elem *get_border(const struct set *s, const uint8_t *key, uint32_t flags)
{
	const bool end = flags & NFT_SET_ELEM_INTERVAL_END;
	struct set_elem *near = NULL;
	bool behind_end = false;

	for (size_t i = 0; i < s->n_elems; i++) {
		struct set_elem *e = &s->elems[i];
		int cmp = e->key ? memcmp(e->key, key, s->key_len) : 0;

		if (!e->key)
			continue;
		if (cmp == 0 && is_end(e) == end)
			return e;
		behind_end |= cmp == 0 && is_end(e);
		if (end ? cmp > 0 && (!near || compare_borders(s, e, near) < 0) :
			  cmp < 0 && (!near || compare_borders(s, e, near) > 0))
			near = e;
	}
	return near && !behind_end && is_end(near) == end ? near : NULL;
}

/* pipapo_get(): ranges that hold the key, whatever end was asked for; the first if there are several. */
static struct set_elem *get_box(const struct set *s, const uint8_t *key)
{
	for (size_t i = 0; i < s->n_elems; i++) {
		struct set_elem *e = &s->elems[i];
		const uint8_t *last = e->key_end ? e->key_end : e->key;
		uint32_t at = 0, f = 0;

		for (; e->key && f < s->n_fields; at += ROUND_UP((uint32_t)s->field_len[f], 4u), f++)
			if (memcmp(key + at, e->key + at, s->field_len[f]) < 0 ||
			    memcmp(key + at, last + at, s->field_len[f]) > 0)
				break;
		if (e->key && f == s->n_fields)
			return e;
	}
	return NULL;
}

struct set_elem *serve_get(struct set *s, const uint8_t *key, uint32_t flags)
{
	if (!key || !(s->flags & NFT_SET_INTERVAL))
		return set_elem_get(s, key, NULL, flags, false);
	return s->n_fields > 1 ? get_box(s, key) : get_border(s, key, flags);
}
