/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which form a set takes. Shared by the backend, which emits the look-up, and the run time, which
 * fills the maps.
 */
#include <errno.h>
#include <stdio.h>

#include "emit.h"

enum { MAP_TYPE_HASH = 1, MAP_F_NO_PREALLOC = 1 };

static bool is_exact(const struct ir_set *set)
{
	for (size_t i = 0; i < set->n_elems; i++) {
		const struct ir_elem *e = &set->elems[i];

		if (e->lo && e->lo != e->hi && memcmp(e->lo, e->hi, set->width) != 0)
			return false;
	}
	return true;
}

static int refuse(char **ret_why, const char *why)
{
	*ret_why = strdup(why);
	return -EOPNOTSUPP;
}

int emit_set_form(const struct ir_set *set, struct emit_set_form *ret, char **ret_why)
{
	struct emit_set_form f = {.kind = EMIT_SET_INLINE};

	if (set->has_timeout)
		return refuse(ret_why, "elements with a timeout are not compiled yet");
	if (!set->is_mutable && set->n_elems <= EMIT_INLINE_MAX) {
		*ret = f;
		return 0;
	}
	if (set->n_states)
		return refuse(ret_why, "elements with counters or limits are not compiled yet in a "
				       "set that is large or may change");
	if (set->ranged || set->intervals || !is_exact(set))
		return refuse(ret_why, "intervals are not compiled yet in a set that is large or "
				       "may change");
	f.kind = EMIT_SET_HASH;
	f.map_type = MAP_TYPE_HASH;
	f.map_flags = MAP_F_NO_PREALLOC;
	f.key_size = set->width;
	f.value_size = set->kind == IR_DATA_MAP ? set->data_width : sizeof(uint32_t);
	f.max_entries = set->size ? set->size : MAX((uint32_t)set->n_elems * 2, 65536u);
	if (!set->is_mutable)
		f.max_entries = MAX((uint32_t)set->n_elems, 1u);
	*ret = f;
	return 0;
}

static bool same_verdict(const struct ir_verdict *a, const struct ir_verdict *b)
{
	return a->code == b->code && a->chain == b->chain;
}

const struct ir_elem **emit_set_verdicts(const struct ir_set *set, struct arena *a, uint32_t *ret_n)
{
	const struct ir_elem **list = NULL;
	uint32_t n = 0;

	for (size_t i = 0; i < set->n_elems; i++) {
		const struct ir_elem *e = &set->elems[i];
		uint32_t k = 0;

		while (e->lo && k < n && !same_verdict(&list[k]->verdict, &e->verdict))
			k++;
		if (e->lo && k == n)
			ARENA_PUSH(a, list, n, e);
	}
	*ret_n = n;
	return list;
}

static uint32_t verdict_number(const struct ir_elem **list, uint32_t n, const struct ir_elem *e)
{
	uint32_t k = 0;

	while (k < n && !same_verdict(&list[k]->verdict, &e->verdict))
		k++;
	return k;
}

int emit_set_fill(const struct ir_set *set, emit_set_put put, void *arg)
{
	struct arena *a = arena_new();
	uint32_t n;
	const struct ir_elem **list = emit_set_verdicts(set, a, &n);
	int err = 0;

	for (size_t i = 0; i < set->n_elems && !err; i++) {
		const struct ir_elem *e = &set->elems[i];
		uint32_t number = 0;

		if (!e->lo)
			continue;
		if (set->kind == IR_VERDICT_MAP)
			number = verdict_number(list, n, e);
		err = put(arg, e->lo, set->kind == IR_DATA_MAP ? e->data : (void *)&number);
	}
	arena_free(a);
	return err;
}
