/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intervals: the sorted borders of all intervals as a tree of pages (layout.h), built bottom up.
 *
 * Borders of a key of several chunks are sorted as rows of chunks. Those that share their first
 * chunk x and go on behind it become a tree of their own over the next chunk, for which the border
 * x stands; x + 1 then continues with what holds behind them.
 */
#include <errno.h>

#include "node.h"
#include "tree.h"

struct layers {
	struct cls_blob *b;
	struct cls_form form;
	uint32_t width, chunks, fill;
	const uint64_t *keys; /* chunks per border */
	const uint32_t *refs;
};

static const uint64_t *border_key(const struct layers *l, size_t i)
{
	return l->keys + i * l->chunks;
}

/* Entries of a layer under construction. */
struct entries {
	struct cls_entry *e;
	size_t n;
};

static void add_entry(struct entries *list, uint64_t key, uint32_t ref)
{
	if (list->n && list->e[list->n - 1].ref == ref && cls_is_end(ref))
		return; /* goes on as before */
	list->e[list->n++] = (struct cls_entry){key, ref};
}

/* Whether the border is at the first key of its chunk @c. */
static bool rest_is_zero(const struct layers *l, size_t i, uint32_t c)
{
	for (c++; c < l->chunks; c++)
		if (border_key(l, i)[c])
			return false;
	return true;
}

/*
 * Tree over chunk @c of the borders first … end - 1, which agree in the chunks before; @before
 * holds ahead of the first one. 0: no room.
 */
static uint32_t build_layer(const struct layers *l, uint32_t c, size_t first, size_t end,
			    uint32_t before)
{
	uint64_t max = cls_chunk_max(l->width, c);
	AUTO_FREE struct cls_entry *room = malloc((2 * (end - first) + 1) * sizeof(*room));
	struct entries list = {room, 0};
	size_t i = first;

	if (!room)
		return 0;
	add_entry(&list, 0, before);
	while (i < end) {
		uint64_t x = border_key(l, i)[c];
		size_t next = i + 1;
		uint32_t ref = l->refs[i];

		while (next < end && border_key(l, next)[c] == x)
			next++;
		if (list.n == 1 && x == 0)
			list.n = 0;
		if (next > i + 1 || !rest_is_zero(l, i, c)) {
			ref = build_layer(l, c + 1, i, next, before);
			if (!ref)
				return 0;
		}
		add_entry(&list, x, ref);
		before = l->refs[next - 1];
		if (!cls_is_end(ref) && x != max &&
		    (next == end || border_key(l, next)[c] != x + 1))
			add_entry(&list, x + 1, before);
		i = next;
	}
	return cls_tree_pack(l->b, &l->form, c, list.e, list.n, l->fill);
}

/* ---- borders of the elements ---- */

static int compare_keys(const uint64_t *a, const uint64_t *b, uint32_t chunks)
{
	for (uint32_t i = 0; i < chunks; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static int compare_elems(const void *a, const void *b, void *width)
{
	const struct classify_elem *const *x = a, *const *y = b;

	return memcmp((*x)->lo, (*y)->lo, *(uint32_t *)width);
}

static bool is_sorted(const struct classify_elem *e, size_t n, uint32_t width)
{
	for (size_t i = 1; i < n; i++)
		if (memcmp(e[i - 1].lo, e[i].lo, width) > 0)
			return false;
	return true;
}

static const struct classify_elem **sort(const struct classify_elem *e, size_t n, uint32_t width)
{
	const struct classify_elem **p = malloc(MAX(n, 1u) * sizeof(*p));

	if (!p)
		return NULL;
	for (size_t i = 0; i < n; i++)
		p[i] = &e[i];
	if (!is_sorted(e, n, width))
		qsort_r(p, n, sizeof(*p), compare_elems, &width);
	return p;
}

/* Two borders at most per element; one where the next element follows at once. */
static int make_borders(const struct classify_elem **e, size_t n, uint32_t width, uint64_t *keys,
			uint32_t *refs, size_t *ret_n)
{
	uint32_t chunks = cls_chunks(width);
	uint64_t lo[CLS_MAX_CHUNKS];
	size_t m = 0;
	bool open = false; /* the last border is the end of an element */

	for (size_t i = 0; i < n; i++) {
		if (memcmp(e[i]->lo, e[i]->hi, width) > 0)
			return -EINVAL;
		if (i && memcmp(e[i - 1]->hi, e[i]->lo, width) >= 0)
			return -EEXIST;
		cls_key_chunks(e[i]->lo, width, lo);
		if (open && !compare_keys(keys + (m - 1) * chunks, lo, chunks))
			m--;
		memcpy(keys + m * chunks, lo, chunks * sizeof(*lo));
		refs[m++] = CLS_INDEX | e[i]->index;
		cls_key_chunks(e[i]->hi, width, lo);
		open = cls_key_next(lo, width, keys + m * chunks);
		if (open)
			refs[m++] = CLS_NONE;
	}
	*ret_n = m;
	return 0;
}

int cls_tree_of(struct cls_blob *b, uint32_t width, bool loose, const struct classify_elem *elems,
		size_t n, uint32_t *ret_ref)
{
	uint32_t chunks = cls_chunks(width), ref;
	AUTO_FREE const struct classify_elem **sorted = sort(elems, n, width);
	AUTO_FREE uint64_t *keys = malloc((2 * n + 1) * chunks * sizeof(*keys));
	AUTO_FREE uint32_t *refs = malloc((2 * n + 1) * sizeof(*refs));
	struct layers l = {
		.b = b,
		.form = cls_form_of(width),
		.width = width,
		.chunks = chunks,
		.keys = keys,
		.refs = refs,
	};
	size_t m;
	int err;

	if (!sorted || !keys || !refs)
		return -ENOMEM;
	l.fill = cls_form_max(&l.form);
	if (loose) /* room for elements to come without splitting at once */
		l.fill -= l.fill / 4;
	err = make_borders(sorted, n, width, keys, refs, &m);
	if (err)
		return err;
	ref = build_layer(&l, 0, 0, m, CLS_NONE);
	if (!ref)
		return -E2BIG;
	*ret_ref = ref;
	return 0;
}

uint32_t cls_tree_depth(const struct cls_head *h, uint32_t width, uint32_t ref)
{
	struct cls_form f = cls_form_of(width);
	struct cls_node node;
	uint32_t most = 0;

	if (cls_is_end(ref))
		return 0;
	cls_node_read(h, &f, ref, &node);
	for (uint32_t i = 0; i < node.n; i++)
		most = MAX(most, cls_tree_depth(h, width, node.e[i].ref));
	return most + 1;
}

int cls_tree_build(struct cls_blob *b, const struct classify_shape *shape,
		   const struct classify_elem *elems, size_t n)
{
	uint32_t width = shape->width[0], ref;
	int err;

	b->tight = !shape->is_mutable;
	err = cls_tree_of(b, width, shape->is_mutable, elems, n, &ref);

	if (err)
		return err;
	if (cls_tree_depth(b->head, width, ref) > CLS_DEPTH(cls_chunks(width)))
		return -E2BIG;
	b->head->root = ref;
	b->head->n_elems = (uint32_t)n;
	return 0;
}
