/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes of trees: node.h.
 */
#include "node.h"

struct cls_form cls_form_of(uint32_t width)
{
	if (width <= 4)
		return (struct cls_form){false, CLS_NARROW, CLS_FILL_NARROW};
	return (struct cls_form){true, CLS_WIDE, width <= 7 ? CLS_FILL_7 : CLS_FILL_WIDE};
}

static void *node_line(const struct cls_head *h, uint32_t ref, uint32_t line)
{
	return cls_at(h, ((uint64_t)(ref & CLS_NODE) + line) * CLS_LINE);
}

/* Entries of one line: the first key as it is, then stored ones up to the filling. */
static uint32_t read_line(const void *at, const struct cls_form *f, struct cls_entry *ret)
{
	const struct cls_narrow *narrow = at;
	const struct cls_wide *wide = at;
	uint32_t i;

	for (i = 0; i < f->per_line; i++) {
		uint64_t key = f->wide ? wide->key[i] : narrow->key[i];

		if (i && key == f->fill)
			break;
		ret[i].key = i ? key + 1 : key;
		ret[i].ref = f->wide ? wide->ref[i] : narrow->ref[i];
	}
	return i;
}

static void write_line(void *at, const struct cls_form *f, const struct cls_entry *e, uint32_t n)
{
	struct cls_narrow *narrow = at;
	struct cls_wide *wide = at;

	for (uint32_t i = 0; i < f->per_line; i++) {
		uint64_t key = i >= n ? f->fill : i ? e[i].key - 1 : e[i].key;
		uint32_t ref = e[MIN(i, n - 1)].ref;

		if (f->wide) {
			wide->key[i] = key;
			wide->ref[i] = ref;
		} else {
			narrow->key[i] = (uint32_t)key;
			narrow->ref[i] = ref;
		}
	}
}

static uint64_t read_sep(const void *at, const struct cls_form *f, uint32_t i)
{
	return f->wide ? ((const struct cls_wide_page *)at)->sep[i]
		       : ((const struct cls_narrow_page *)at)->sep[i];
}

void cls_node_read(const struct cls_head *h, const struct cls_form *f, uint32_t ref,
		   struct cls_node *ret)
{
	if (ref & CLS_ONE_LINE) {
		ret->n = read_line(node_line(h, ref, 0), f, ret->e);
		return;
	}
	ret->n = 0;
	for (uint32_t g = 0; g < CLS_GROUPS; g++) {
		if (g && read_sep(node_line(h, ref, 0), f, g - 1) == f->fill)
			break;
		ret->n += read_line(node_line(h, ref, 1 + g), f, ret->e + ret->n);
	}
}

/* A page without the lines that @n entries leave empty: no separator leads there. */
static uint32_t take_tight(struct cls_blob *b, const struct cls_form *f, uint32_t n)
{
	uint32_t lines = 1 + (n + f->per_line - 1) / f->per_line;

	return cls_grow(b, lines * CLS_LINE) / CLS_LINE;
}

uint32_t cls_node_write(struct cls_blob *b, const struct cls_form *f, uint32_t chunk,
			const struct cls_entry *e, uint32_t n)
{
	bool page = n > f->per_line;
	uint32_t line = page && b->tight ? take_tight(b, f, n) : cls_take(b, page);
	uint32_t ref = line | CLS_CHUNK_OF(chunk);

	if (!line)
		return 0;
	if (!page) {
		write_line(node_line(b->head, ref, 0), f, e, n);
		return ref | CLS_ONE_LINE;
	}
	for (uint32_t g = 0; g < CLS_GROUPS; g++) {
		uint32_t from = g * f->per_line;
		struct cls_wide_page *wide = node_line(b->head, ref, 0);
		struct cls_narrow_page *narrow = node_line(b->head, ref, 0);
		uint64_t sep = from < n ? e[from].key - 1 : f->fill;

		if (g && f->wide)
			wide->sep[g - 1] = sep;
		else if (g)
			narrow->sep[g - 1] = (uint32_t)sep;
		if (from < n)
			write_line(node_line(b->head, ref, 1 + g), f, e + from,
				   MIN(n - from, f->per_line));
	}
	return ref;
}

uint32_t *cls_node_ref(const struct cls_head *h, const struct cls_form *f, uint32_t ref, uint32_t i)
{
	uint32_t group = ref & CLS_ONE_LINE ? 0 : 1 + i / f->per_line;
	void *at = node_line(h, ref, group);

	return f->wide ? &((struct cls_wide *)at)->ref[i % f->per_line]
		       : &((struct cls_narrow *)at)->ref[i % f->per_line];
}

uint32_t cls_tree_pack(struct cls_blob *b, const struct cls_form *f, uint32_t chunk,
		       const struct cls_entry *e, size_t n, uint32_t fill)
{
	struct cls_entry *up;
	size_t n_up, at = 0;
	uint32_t ref;

	if (n <= cls_form_max(f))
		return cls_node_write(b, f, chunk, e, (uint32_t)n);
	n_up = (n + fill - 1) / fill;
	up = malloc(n_up * sizeof(*up));
	if (!up)
		return 0;
	for (size_t i = 0; i < n_up; i++) { /* spread evenly */
		size_t end = n * (i + 1) / n_up;

		up[i].key = e[at].key;
		up[i].ref = cls_node_write(b, f, chunk, e + at, (uint32_t)(end - at));
		if (!up[i].ref) {
			free(up);
			return 0;
		}
		at = end;
	}
	ref = cls_tree_pack(b, f, chunk, up, n_up, fill);
	free(up);
	return ref;
}
