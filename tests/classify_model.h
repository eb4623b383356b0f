/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of keys or disjoint intervals, made at random, with lookups by looking at every element's
 * bytes: what the structures are compared with.
 */
#ifndef NFT_BPF_TESTS_CLASSIFY_MODEL_H
#define NFT_BPF_TESTS_CLASSIFY_MODEL_H

#include "compiler/classify/classify.h"

struct model {
	uint32_t width;
	bool ranges;
	int alphabet; /* of random keys: 0 all bytes, 1 few bytes, 2 mostly equal but for the end */
	struct classify_elem *e;  /* sorted by lo from keep on, sorted as a whole in .sorted */
	size_t n, capacity, keep; /* the first keep are not picked */
	uint32_t *free_index;
	size_t n_free;
	struct classify_elem **sorted;
};

uint64_t rnd(void);
/* About @n elements: fewer where the width does not give as many. */
void model_init(struct model *m, uint32_t width, size_t n, bool ranges, int alphabet);
void model_fini(struct model *m);
uint32_t model_find(const struct model *m, const uint8_t *key);
void model_random_key(const struct model *m, uint8_t *ret);
/* The key @by (-1, 0, 1) away; false: there is none (@ret is a copy). */
bool model_step(const struct model *m, const uint8_t *key, int by, uint8_t *ret);

/* A new element with a free index, which may overlap; add it or forget it. */
bool model_draw(struct model *m, struct classify_elem *ret);
bool model_overlaps(const struct model *m, const struct classify_elem *e);
void model_add(struct model *m, const struct classify_elem *e);
void model_forget(struct model *m, struct classify_elem *e);
bool model_pick(const struct model *m, struct classify_elem *ret);
void model_remove(struct model *m, const struct classify_elem *e);

#endif
