/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs keys through a blob in the kernel (tests/classify.bpf.c), for tests and benchmarks.
 */
#ifndef NFT_BPF_TESTS_CLASSIFY_RUN_H
#define NFT_BPF_TESTS_CLASSIFY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct classify_timing {
	double ns;	  /* per lookup, over the empty program */
	uint32_t insns;	  /* of the whole program */
	uint32_t checked; /* instructions the verifier processed */
};

bool classify_run_possible(void);
/*
 * @n keys (at most 65536; a power of two when timed), 64 bytes each. malloc'ed results, or NULL.
 * With @ret the lookups are timed.
 */
uint32_t *classify_run(const void *blob, const uint8_t *keys, size_t n,
		       struct classify_timing *ret);

#endif
