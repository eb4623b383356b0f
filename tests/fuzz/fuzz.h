/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fuzz targets share. A target is one function of some bytes, which aborts where something does
 * not hold: LLVMFuzzerTestOneInput(), linked with libFuzzer (--enable-fuzz) or with replay.c, which
 * runs it over testdata/fuzz/NAME. Most targets read their bytes as choices: what is left when they
 * run out is zeros, so that every input means something.
 */
#ifndef NFT_BPF_TESTS_FUZZ_H
#define NFT_BPF_TESTS_FUZZ_H

#include <stdio.h>

#include "compiler/util.h"

extern const char fuzz_name[];
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_HOLDS(cond, ...)                                                                      \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);                 \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* An oracle's inner loops: what they do is no news to libFuzzer. */
#ifdef __clang__
#define FUZZ_QUIET __attribute__((no_sanitize("coverage")))
#else
#define FUZZ_QUIET
#endif

/* memcmp(), which libFuzzer would listen to. */
FUZZ_QUIET static inline int fuzz_compare(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

struct fuzz_in {
	const uint8_t *p;
	size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_in *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static inline uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 8 | fuzz_byte(in);
	return v;
}

/* A number below @n: of one byte where that will do. */
static inline uint32_t fuzz_below(struct fuzz_in *in, uint32_t n)
{
	return (n <= 256 ? fuzz_byte(in) : fuzz_u32(in)) % n;
}

#endif
