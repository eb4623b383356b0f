/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs keys through a blob in the kernel: classify_run.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiler/classify/classify.h"
#include "compiler/util.h"
#include "tests/classify_run.h"

#define MAX_KEYS 65536u
#define ROUNDS	 15

struct rodata { /* as in tests/classify.bpf.c */
	uint64_t limit;
	uint32_t n_keys_mask;
	uint8_t widths[8];
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[2048]; /* a verifier's log is cut off */

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	return fprintf(stderr, "# %s\n", text);
}

static const char *object_path(void)
{
	static char path[4096];
	const char *top = getenv("top_builddir");

	snprintf(path, sizeof(path), "%s/tests/classify.bpf.o", top ? top : ".");
	return path;
}

bool classify_run_possible(void)
{
	return geteuid() == 0; /* root without BPF, or without the object: a failure */
}

/* Chunks (boxes: fields of at most 4 bytes as they are) as programs have them. */
static void put_key(const struct classify_shape *s, const uint8_t *key, uint64_t *to)
{
	uint32_t fields = MAX(s->n_fields, 1u), n = 0;

	for (uint32_t f = 0; f < fields; f++)
		for (uint32_t i = 0; i < s->width[f]; i += 8) {
			uint64_t v = 0;

			for (uint32_t j = i; j < MIN(i + 8, (uint32_t)s->width[f]); j++)
				v = v << 8 | *key++;
			to[n++] = v;
		}
}

static void *map_memory(struct bpf_object *o, const char *name, size_t size)
{
	int fd = bpf_object__find_map_fd_by_name(o, name);
	void *p = mmap(NULL, ROUND_UP(size, 4096), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static double time_ns(int fd, uint32_t repeat)
{
	uint8_t data[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = sizeof(data),
		    .repeat = (int)repeat);
	int err;

	do /* bpf_test_timer_continue(): a signal ends it, that of a stop too */
		err = bpf_prog_test_run_opts(fd, &opts);
	while (err == -EINTR);
	return err ? -1.0 : (double)opts.duration;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Each sample is paired with the empty program's: the machine has slow phases. */
static double time_over_empty(int fd, int empty, uint32_t n)
{
	double d[ROUNDS];
	uint32_t repeat = MAX(n, 65536u);

	for (int i = 0; i < ROUNDS; i++) {
		double base = time_ns(empty, repeat);

		d[i] = time_ns(fd, repeat) - base;
	}
	qsort(d, ROUNDS, sizeof(d[0]), compare_doubles);
	return d[ROUNDS / 2];
}

static struct bpf_object *open_object(const struct classify_info *info, size_t n, const char *prog)
{
	struct bpf_object *o = bpf_object__open_file(object_path(), NULL);
	struct bpf_program *p;
	struct rodata *ro;
	size_t size;

	if (!o)
		return NULL;
	bpf_object__for_each_program(p, o) bpf_program__set_autoload(
		p, !strcmp(bpf_program__name(p), prog) || !strcmp(bpf_program__name(p), "empty"));
	bpf_map__set_value_size(bpf_object__find_map_by_name(o, "blob"), (uint32_t)info->size);
	ro = (void *)bpf_map__initial_value(bpf_object__find_map_by_name(o, "classify.rodata"),
					    &size);
	ro->limit = info->limit;
	ro->n_keys_mask = (n & (n - 1)) ? UINT32_MAX : (uint32_t)n - 1;
	memcpy(ro->widths, info->shape.width, sizeof(ro->widths));
	if (bpf_object__load(o)) {
		bpf_object__close(o);
		return NULL;
	}
	return o;
}

static void prog_size(int fd, struct classify_timing *ret)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	bpf_obj_get_info_by_fd(fd, &info, &len);
	ret->insns = info.xlated_prog_len / 8;
	ret->checked = info.verified_insns;
}

uint32_t *classify_run(const void *blob, const uint8_t *keys, size_t n, struct classify_timing *ret)
{
	struct classify_info info;
	uint64_t *key_memory;
	uint32_t *result, *out = NULL;
	struct bpf_object *o;
	void *memory;
	char name[64];
	int fd;

	if (n > MAX_KEYS || classify_info(blob, SIZE_MAX, &info))
		return NULL;
	libbpf_set_print(quiet);
	snprintf(name, sizeof(name), "run_%s", info.function + strlen("nb_classify_"));
	o = open_object(&info, n, name);
	if (!o)
		return NULL;
	fd = bpf_program__fd(bpf_object__find_program_by_name(o, name));
	memory = map_memory(o, "blob", info.size);
	key_memory = map_memory(o, "keys", MAX_KEYS * 64);
	result = map_memory(o, "results", MAX_KEYS * 4);
	if (memory && key_memory && result) {
		memcpy(memory, blob, info.size);
		for (size_t i = 0; i < n; i++)
			put_key(&info.shape, keys + 64 * i, key_memory + 8 * i);
		memset(result, 0xee, n * 4);
		if (time_ns(fd, (uint32_t)n) >= 0) {
			out = malloc(n * 4);
			memcpy(out, result, n * 4);
		}
		if (ret) {
			prog_size(fd, ret);
			ret->ns = time_over_empty(
				fd, bpf_program__fd(bpf_object__find_program_by_name(o, "empty")),
				(uint32_t)n);
		}
	}
	munmap(memory, ROUND_UP(info.size, 4096));
	munmap(key_memory, MAX_KEYS * 64);
	munmap(result, MAX_KEYS * 4);
	bpf_object__close(o);
	return out;
}
