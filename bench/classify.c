/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lookup structures by themselves: ns per lookup over an empty program (BPF_PROG_TEST_RUN, one
 * lookup after the other), time to build, bytes, time of an update in place.
 *
 * usage: bench/classify [PATTERN]: only lines whose name contains it
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/classify_lists.h"
#include "compiler/classify/classify.h"
#include "compiler/util.h"
#include "tests/classify_run.h"

#define N_KEYS 65536

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Takes a few thousand elements out and puts them in again; us per operation. */
static double time_updates(void *blob, const struct sample *l)
{
	size_t n = MIN(l->n, 2000u);
	double t = seconds();

	for (size_t i = 0; i < n; i++) {
		const struct classify_elem *e = &l->e[l->n / n * i];

		if (classify_delete(blob, e))
			return -1;
		classify_settled(blob);
		if (classify_insert(blob, e))
			return -1;
		classify_settled(blob);
	}
	return (seconds() - t) / (double)(2 * n) * 1e6;
}

static uint32_t hits(const uint32_t *result, size_t n)
{
	uint32_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += result[i] != CLASSIFY_MISS;
	return (uint32_t)(100 * count / n);
}

static int bench(const struct sample *l)
{
	uint8_t *keys = malloc((size_t)N_KEYS * 64);
	struct classify_shape shape = l->shape;
	struct classify_timing hit, miss;
	struct classify_info info;
	uint32_t *a, *b;
	double built;
	size_t size;
	void *blob;
	int err;

	shape.is_mutable = false;
	built = seconds();
	err = classify_build(&shape, l->e, l->n, &blob, &size);
	built = seconds() - built;
	if (err) {
		printf("%-28s %8zu  not built: %s\n", l->name, l->n, strerror(-err));
		return err;
	}
	classify_info(blob, size, &info);
	sample_keys(l, true, N_KEYS, keys);
	a = classify_run(blob, keys, N_KEYS, &hit);
	sample_keys(l, false, N_KEYS, keys);
	b = classify_run(blob, keys, N_KEYS, &miss);
	if (!a || !b)
		return -1;
	printf("%-28s %8zu %7.1f %3u%% %7.1f %3u%% %9.1f %8.1f", l->name, l->n, hit.ns,
	       hits(a, N_KEYS), miss.ns, hits(b, N_KEYS), built * 1e3,
	       (double)size / (double)MAX(l->n, 1u));
	free(blob);
	shape.is_mutable = true;
	shape.packed = false;
	shape.capacity += shape.capacity / 4 + 16;
	err = classify_build(&shape, l->e, l->n, &blob, &size);
	printf(" %8.1f", err ? -1 : time_updates(blob, l));
	if (!err)
		free(blob);
	printf(" %3u %2u %3u %5u %6u\n", info.depth, info.trees, info.longest, hit.insns,
	       hit.checked);
	fflush(stdout);
	free(a);
	free(b);
	free(keys);
	return 0;
}

int main(int argc, char **argv)
{
	const struct sample_kind *kind;
	struct sample l;

	if (!classify_run_possible()) {
		fprintf(stderr, "needs root and tests/classify.bpf.o below $top_builddir\n");
		return 77;
	}
	printf("%-28s %8s %7s %4s %7s %4s %9s %8s %8s %3s %2s %3s %5s %6s\n", "", "elements",
	       "ns hit", "", "ns rand", "", "build ms", "B/elem", "us/upd", "dep", "tr", "lst",
	       "insns", "checked");
	for (kind = sample_kinds; kind->name; kind++)
		for (size_t n = 10; n <= kind->most; n *= 10) {
			char name[64];

			snprintf(name, sizeof(name), "%s %zu", kind->name, n);
			if (argc > 1 && !strstr(name, argv[1]))
				continue;
			sample_init(&l, kind, n);
			bench(&l);
			sample_fini(&l);
		}
	return 0;
}
