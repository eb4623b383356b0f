/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets as tables: which form, the records, and the blob.
 */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>

#include "ir_index.h"
#include "set_table_priv.h"

#define MAX_RECORD (IR_MAX_WIDTH / 4 + 128)

const char *set_form_name(enum set_form form)
{
	switch (form) {
	case SET_FORM_CODE:
		return "search tree in code";
	case SET_FORM_HASH:
		return "hash";
	case SET_FORM_TREE:
		return "interval tree";
	case SET_FORM_BOXES:
		return "boxes";
	case SET_FORM_DYNAMIC:
		return "hash map that packets change";
	}
	return "?";
}

/* ---- form ---- */

static size_t count_keys(const struct ir_set *set)
{
	return set->n_elems && !set->elems[set->n_elems - 1].lo ? set->n_elems - 1 : set->n_elems;
}

/* Elements that come later may be intervals although none of these is one. */
static bool may_have_intervals(const struct ir_set *set)
{
	return set->intervals ||
	       (set->is_mutable && set->origin && set->origin->flags & NFT_SET_INTERVAL);
}

enum set_form set_table_form(const struct ir_set *set)
{
	if (set->is_dynamic)
		return SET_FORM_DYNAMIC;
	if (!set->is_mutable && !set->has_timeout && !set->keeps && set->n_elems <= SET_MAX_CODE)
		return SET_FORM_CODE;
	if (set->ranged)
		return SET_FORM_BOXES;
	return may_have_intervals(set) ? SET_FORM_TREE : SET_FORM_HASH;
}

static const char *find_obstacle(const struct ir_set *set, enum set_form form)
{
	if (form == SET_FORM_CODE || form == SET_FORM_DYNAMIC)
		return NULL;
	if (form == SET_FORM_BOXES && set->n_fields > CLASSIFY_MAX_FIELDS)
		return "ranges in more than 8 fields are too many";
	if (set->n_elems >= CLASSIFY_MAX_INDEX)
		return "it has too many elements";
	return NULL;
}

/* ---- records ---- */

static void put_record(const struct ir_set *set, const struct set_table *t,
		       const struct ir_elem *e, uint32_t verdict, uint32_t *ret)
{
	ret[0] = verdict;
	if (set->kind == IR_DATA_MAP) {
		ret[t->data_words - 1] = 0;
		memcpy(ret, e->data, set->data_width);
	}
	if (set->keeps) {
		set_table_put_kept(set, t, e, ret);
		return;
	}
	for (uint32_t i = 0; i < set->n_states; i++)
		ret[t->data_words + i] = e->states[i]->index;
	if (t->n_kinds > 1)
		ret[t->data_words + set->n_states] = set_table_kind_of(set, t, e);
}

static uint32_t data_words(const struct ir_set *set)
{
	switch (set->kind) {
	case IR_SET:
		return 0;
	case IR_DATA_MAP:
		return (set->data_width + 3u) / 4;
	case IR_VERDICT_MAP:
		return 1;
	}
	return 0;
}

/* ---- the blob ---- */

/* Room for half as many again: what a set grows by until its map is made anew. */
static uint32_t capacity(const struct ir_set *set, uint32_t n)
{
	uint64_t c = (uint64_t)n + 2; /* the catch-all, and one that may come */

	if (set->is_mutable)
		c += n / 2 + 1024;
	if (set->is_mutable && set->size && set->size >= n)
		c = MIN(c, (uint64_t)set->size + 2);
	return (uint32_t)MIN(c, (uint64_t)CLASSIFY_MAX_INDEX);
}

/* The shape of the blob for @n elements; fields and width are the set's. */
static void make_shape(const struct ir_set *set, enum set_form form, uint32_t n, uint64_t seed,
		       struct classify_shape *ret)
{
	static const enum classify_kind kinds[] = {
		[SET_FORM_HASH] = CLASSIFY_HASH,
		[SET_FORM_TREE] = CLASSIFY_TREE,
		[SET_FORM_BOXES] = CLASSIFY_BOXES,
	};
	struct classify_shape s = {
		.kind = kinds[form],
		.n_fields = 1,
		.width = {(uint8_t)set->width},
		.capacity = capacity(set, n),
		.value_size = 4 * (data_words(set) + set->n_states),
		.expires = set->has_timeout,
		.is_mutable = set->is_mutable,
		.seed = seed,
	};

	if (form == SET_FORM_BOXES) {
		s.n_fields = set->n_fields;
		memcpy(s.width, set->field_width, set->n_fields);
	}
	*ret = s;
}

static void fill_values(const struct ir *ir, const struct ir_set *set, struct set_table *t,
			const uint32_t *numbers, void *blob)
{
	uint32_t words[MAX_RECORD];

	for (size_t i = 0; i < set->n_elems; i++) {
		const struct ir_elem *e = &set->elems[i];

		if (set_table_words(set, t)) {
			put_record(set, t, e, numbers ? numbers[i] : 0, words);
			classify_set_value(blob, (uint32_t)i, words);
		}
		if (set->has_timeout && e->expires)
			classify_set_expires(blob, (uint32_t)i,
					     ir->read_ns + e->expires * 1000000);
	}
	if (count_keys(set) < set->n_elems)
		classify_set_catch_all(blob, (uint32_t)count_keys(set));
}

/* NULL: no memory. */
static struct classify_elem *list_elems(const struct ir_set *set, size_t n)
{
	struct classify_elem *elems = calloc(n + 1, sizeof(*elems));

	for (size_t i = 0; elems && i < n; i++)
		elems[i] = (struct classify_elem){set->elems[i].lo, set->elems[i].hi, (uint32_t)i};
	return elems;
}

static int make_blob(struct ir *ir, const struct ir_set *set, struct set_table *t,
		     const uint32_t *numbers)
{
	size_t n = count_keys(set);
	AUTO_FREE struct classify_elem *elems = list_elems(set, n);
	struct classify_shape shape;
	int err;

	if (!elems)
		return -ENOMEM;
	make_shape(set, t->form, (uint32_t)n, ir->seed, &shape);
	shape.value_size = 4 * set_table_words(set, t);
	err = classify_build(&shape, elems, n, &t->blob, &t->blob_size);
	if (err)
		return err;
	fill_values(ir, set, t, numbers, t->blob);
	return classify_info(t->blob, t->blob_size, &t->info);
}

/* ---- all of it ---- */

static int refuse(char **ret_why, const char *why)
{
	char *copy = strdup(why);

	if (!copy)
		return -ENOMEM;
	*ret_why = copy;
	return -EOPNOTSUPP;
}

static int make_table(struct ir *ir, struct ir_set *set, struct set_table *t, char **ret_why)
{
	AUTO_FREE uint32_t *numbers = NULL;
	const char *obstacle;
	int err;

	t->form = set_table_form(set);
	obstacle = find_obstacle(set, t->form);
	if (obstacle)
		return refuse(ret_why, obstacle);
	t->data_words = data_words(set);
	if (t->form == SET_FORM_CODE || t->form == SET_FORM_DYNAMIC)
		return 0;
	if (!set_table_number_kinds(ir, set, t))
		return refuse(ret_why, "it has too many different limits or quotas");
	if (set_table_words(set, t) > MAX_RECORD)
		return refuse(ret_why, "its elements have too many counters and limits");
	if (set->kind == IR_VERDICT_MAP) {
		numbers = calloc(set->n_elems + 1, sizeof(*numbers));
		if (!numbers)
			return -ENOMEM;
		if (!set_table_number_verdicts(ir, set, t, numbers))
			return refuse(ret_why, "it has too many different verdicts");
	}
	err = make_blob(ir, set, t, numbers);
	if (err == -ENOMEM)
		return err;
	if (err == -EEXIST)
		return refuse(ret_why, "two of its elements have the same key");
	if (err)
		return refuse(ret_why, "it is too large for any structure");
	return 0;
}

int set_table_get(struct ir *ir, struct ir_set *set, const struct set_table **ret, char **ret_why)
{
	int err;

	if (!set->table) {
		set->table = ARENA_NEW(ir->arena, struct set_table);
		set->table->map = set->id;
		err = make_table(ir, set, set->table, ret_why);
		if (err) {
			set_table_free(set);
			return err;
		}
	}
	*ret = set->table;
	return 0;
}

bool set_table_adopt(struct ir_set *set, void *blob, size_t size)
{
	size_t n = count_keys(set);
	AUTO_FREE struct classify_elem *elems = list_elems(set, n);
	struct set_table *t = set->table;
	struct classify_info info;
	uint32_t compared = set->keeps ? set_kept_at(t->data_words) : t->info.shape.value_size;

	if (!elems || classify_info(blob, size, &info) < 0 ||
	    !classify_same(t->blob, blob, elems, n, compared))
		return false;
	free(t->blob);
	t->blob = blob;
	t->blob_size = size;
	t->info = info;
	return true;
}

void set_table_free(struct ir_set *set)
{
	if (set->table)
		free(set->table->blob);
	set->table = NULL;
}
