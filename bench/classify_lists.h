/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made-up sets and rule lists of the shapes that people have, for bench/classify.c.
 */
#ifndef NFT_BPF_BENCH_CLASSIFY_LISTS_H
#define NFT_BPF_BENCH_CLASSIFY_LISTS_H

#include "compiler/classify/classify.h"

struct sample {
	const char *name;
	struct classify_shape shape;
	uint32_t width; /* of all fields */
	struct classify_elem *e;
	size_t n;
	void (*key)(uint8_t *key, uint32_t width); /* NULL: random bytes */
	uint8_t *bytes;				   /* what the elements point into */
};

struct sample_kind {
	const char *name;
	struct classify_shape shape;
	size_t most;
	/* Lower and upper end of element @i. */
	void (*draw)(uint8_t *lo, uint8_t *hi, uint32_t width);
	void (*key)(uint8_t *key, uint32_t width); /* NULL: random bytes */
};
extern const struct sample_kind sample_kinds[];

void sample_init(struct sample *l, const struct sample_kind *kind, size_t n);
void sample_fini(struct sample *l);
/* 64 bytes each: in elements at random, or random. */
void sample_keys(const struct sample *l, bool hit, size_t n, uint8_t *ret);

#endif
