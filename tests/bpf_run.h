/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: loads an emitted object and runs its programs on packets with BPF_PROG_TEST_RUN.
 */
#ifndef NFT_BPF_TESTS_BPF_RUN_H
#define NFT_BPF_TESTS_BPF_RUN_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/emit.h"

enum { BPF_RUN_LOG = 16 << 20 };

struct bpf_run {
	struct bpf_object *obj;
	struct bpf_map *counters, *state;
	char *log; /* the verifier's, of the last program */
};

static bool bpf_run_warned; /* libbpf goes on without BTF: an error here */

static int bpf_run_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_DEBUG)
		return 0;
	if (level == LIBBPF_WARN)
		bpf_run_warned = true;
	return vfprintf(stderr, fmt, ap);
}

static inline void bpf_run_fini(struct bpf_run *r)
{
	bpf_object__close(r->obj);
	free(r->log);
	memset(r, 0, sizeof(*r));
}

/* 0 or -errno. @log_level as in bpf(2): 4 is statistics only. */
static inline int bpf_run_load(struct bpf_run *r, const struct emitted *e, unsigned log_level)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "test");
	struct bpf_program *prog;
	struct bpf_map *map;
	int err;

	memset(r, 0, sizeof(*r));
	bpf_run_warned = false;
	libbpf_set_print(bpf_run_print);
	r->obj = bpf_object__open_mem(e->object, e->size, &opts);
	if (!r->obj)
		return -errno;
	r->log = calloc(1, BPF_RUN_LOG);
	bpf_object__for_each_program(prog, r->obj) {
		bpf_program__set_type(prog, 32);
		bpf_program__set_expected_attach_type(prog, 45);
		bpf_program__set_log_level(prog, log_level);
		bpf_program__set_log_buf(prog, r->log, BPF_RUN_LOG);
	}
	err = bpf_object__load(r->obj);
	bpf_object__for_each_map(map, r->obj) {
		const char *name = bpf_map__name(map);

		if (strstr(name, ".bss"))
			r->counters = map;
		else if (strstr(name, ".data.state"))
			r->state = map;
	}
	return err;
}

struct bpf_run_hook_state { /* struct nf_hook_state: only these may be set */
	uint8_t hook, pf;
	uint8_t rest[46];
};

/*
 * The verdict, or -errno. @frame begins with an Ethernet header (hook 3: with the network header).
 * @ret_ns: average of @repeat runs; may be NULL.
 */
static inline int bpf_run_packet(struct bpf_run *r, const char *prog, uint8_t pf, uint8_t hook,
				 const void *frame, uint32_t len, int repeat, uint32_t *ret_ns)
{
	struct bpf_run_hook_state state = {.hook = hook, .pf = pf};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
		    .ctx_in = &state, .ctx_size_in = sizeof(state), .repeat = repeat);
	struct bpf_program *p = bpf_object__find_program_by_name(r->obj, prog);
	int err = bpf_prog_test_run_opts(bpf_program__fd(p), &opts);

	if (ret_ns)
		*ret_ns = opts.duration;
	return err ? err : (int)opts.retval;
}

/* Sums the counters of all CPUs into @ret (n_counters). */
static inline int bpf_run_counters(struct bpf_run *r, const struct ir *ir, uint32_t cpus,
				   uint64_t (*ret)[2])
{
	uint32_t stride = emit_counter_stride(ir), zero = 0;
	uint8_t *all;
	int err;

	memset(ret, 0, ir->n_counters * sizeof(*ret));
	if (!ir->n_counters)
		return 0;
	all = calloc(cpus, stride);
	err = bpf_map_lookup_elem(bpf_map__fd(r->counters), &zero, all);
	for (uint32_t c = 0; !err && c < cpus; c++) {
		for (uint32_t i = 0; i < ir->n_counters; i++) {
			uint64_t v[2];

			memcpy(v, all + c * stride + i * sizeof(v), sizeof(v));
			ret[i][0] += v[0];
			ret[i][1] += v[1];
		}
	}
	free(all);
	return err;
}

#endif
