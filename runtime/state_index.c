/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * States of the IR by the rule or object that they are of: an array, sorted.
 */
#include "state_index.h"

#include <errno.h>

static int compare(const void *pa, const void *pb)
{
	const struct ir_state *a = *(const struct ir_state *const *)pa,
			      *b = *(const struct ir_state *const *)pb;

	if (a->key != b->key)
		return (uintptr_t)a->key < (uintptr_t)b->key ? -1 : 1;
	return a->expr < b->expr ? -1 : a->expr > b->expr;
}

int state_index_make(struct state_index *x, const struct ir *ir,
		     bool (*wanted)(const struct ir_state *st))
{
	x->n = 0;
	x->array = calloc(MAX(ir->n_states, 1u), sizeof(*x->array));
	if (!x->array)
		return -ENOMEM;
	for (uint32_t i = 0; i < ir->n_states; i++)
		if (wanted(ir->states[i]))
			x->array[x->n++] = ir->states[i];
	qsort(x->array, x->n, sizeof(*x->array), compare);
	return 0;
}

void state_index_fini(struct state_index *x)
{
	free(x->array);
	*x = (struct state_index){ 0 };
}

uint32_t state_index_find(const struct state_index *x, const void *key, uint32_t *ret_n)
{
	uint32_t low = 0, high = x->n, end;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if ((uintptr_t)x->array[mid]->key < (uintptr_t)key)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < x->n && x->array[end]->key == key; end++)
		;
	*ret_n = end - low;
	return low;
}
