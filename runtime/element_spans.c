/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements as the batch has them, an interval's end being one of its own, into what they mean.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/arena.h"
#include "elements.h"

static __thread size_t span_width;

static int compare_elems(const void *pa, const void *pb)
{
	const struct set_elem *a = *(const struct set_elem *const *)pa;
	const struct set_elem *b = *(const struct set_elem *const *)pb;
	int d = memcmp(a->key, b->key, span_width);

	return d ? d : (int)(b->flags & NFT_SET_ELEM_INTERVAL_END) -
			       (int)(a->flags & NFT_SET_ELEM_INTERVAL_END);
}

bool is_paired(const struct set *s)
{
	return s->flags & NFT_SET_INTERVAL && !(s->field_len && s->n_fields > 1);
}

/* The last key before @next, in the arena; NULL: the highest there is. */
static const uint8_t *end_before(struct arena *a, const uint8_t *next, size_t width)
{
	uint8_t *k = arena_alloc(a, width);

	memset(k, 0xff, width);
	if (!next)
		return k;
	memcpy(k, next, width);
	for (size_t i = width; i-- > 0 && k[i]-- == 0;)
		;
	return k;
}

int make_spans(struct arena *a, const struct set *s, struct span **ret, size_t *ret_n)
{
	const struct set_elem **elems = arena_alloc(a, (s->n_elems + 1) * sizeof(*elems));
	struct span *spans = arena_alloc(a, (s->n_elems + 1) * sizeof(*spans));
	size_t n = 0;

	for (size_t i = 0; i < s->n_elems; i++) {
		elems[i] = &s->elems[i];
		if (!elems[i]->key || elems[i]->flags & NFT_SET_ELEM_CATCHALL)
			return -EOPNOTSUPP;
	}
	span_width = s->key_len;
	if (is_paired(s))
		qsort(elems, s->n_elems, sizeof(*elems), compare_elems);
	for (size_t i = 0; i < s->n_elems; i++) {
		const struct set_elem *e = elems[i];
		struct span sp = {e->key, e->key_end ? e->key_end : e->key, e};

		if (is_paired(s) && e->flags & NFT_SET_ELEM_INTERVAL_END)
			continue;
		if (is_paired(s))
			sp.hi = end_before(a, i + 1 < s->n_elems ? elems[i + 1]->key : NULL,
					   s->key_len);
		spans[n++] = sp;
	}
	*ret = spans;
	*ret_n = n;
	return 0;
}
