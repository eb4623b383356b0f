/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From IR to a BPF object, through LLVM.
 *
 * The backend is a module of its own (nft-bpf-llvm.so), opened when something is compiled and only
 * then: list, status and the loader run without libLLVM. emit_open() finds it.
 *
 * What the object holds, the contract with runtime/:
 *   - section "netfilter/NAME", function NAME: one program per ir->progs[]; BPF_PROG_TYPE_NETFILTER,
 *     returning NF_DROP (0) or NF_ACCEPT (1)
 *   - .bss nb_counters: cpus blocks of emit_counter_stride() bytes, each n_counters times
 *     { u64 packets, bytes }; block of a CPU: cpu & (cpus - 1)
 *   - .data.state nb_state: ir->shared_state_size bytes, initialised
 *   - .maps set_ID: one per ir_set that lives in a map; emit_set_map() says its form
 *   - BTF and CO-RE records for all of it; line info: file "FAMILY TABLE CHAIN", line = rule index
 */
#ifndef NFT_BPF_COMPILER_EMIT_H
#define NFT_BPF_COMPILER_EMIT_H

#include "../diag.h"
#include "../ir.h"

struct emit_options {
	uint32_t cpus;	     /* a power of two; CPUs of this machine rounded up */
	bool atomic_counters; /* the object may run where cpus is too small */
	const char *cpu;     /* "v3" (default when NULL), "v4" */
	bool want_llvm, want_asm;
};

struct emitted {
	void *object;	/* ELF, malloc'ed */
	size_t size;
	char *llvm;	/* malloc'ed text when asked for, else NULL */
	char *assembly;
};
void emitted_fini(struct emitted *e);

struct emit_backend {
	uint32_t abi; /* EMIT_ABI */
	const char *version; /* "LLVM 19.1.7" */
	/* 0, or -errno with an error in @ds. Never aborts the process on bad input. */
	int (*compile)(const struct ir *ir, const struct emit_options *opt, struct diags *ds,
		       struct emitted *ret);
};
#define EMIT_ABI     1
#define EMIT_BACKEND "nft_bpf_backend" /* the symbol in the module */

/*
 * How a set is looked up. Inline: it is code. Hash: map set_ID, key = the key's bytes, value = the
 * data's bytes, of a verdict map a u32, the verdict's number in emit_set_verdicts(), of a plain set
 * a u32 that is not read. A catch-all element is code, never in the map.
 */
struct emit_set_form {
	enum emit_set_kind { EMIT_SET_INLINE, EMIT_SET_HASH } kind;
	uint32_t map_type, key_size, value_size, max_entries, map_flags;
};
#define EMIT_INLINE_MAX 64 /* elements */
/* 0; or -EOPNOTSUPP and why, malloc'ed: no form for it yet. */
int emit_set_form(const struct ir_set *set, struct emit_set_form *ret, char **ret_why);
/* One element for each verdict that occurs, in order of first appearance; array in @a. */
const struct ir_elem **emit_set_verdicts(const struct ir_set *set, struct arena *a, uint32_t *ret_n);
/* Hands out what the map of a set that has one holds; stops at the first error, which it returns. */
typedef int (*emit_set_put)(void *arg, const void *key, const void *value);
int emit_set_fill(const struct ir_set *set, emit_set_put put, void *arg);

/* NULL with an error in @ds when it cannot be opened. Looks in $NFT_BPF_BACKEND, then libexecdir. */
const struct emit_backend *emit_open(struct diags *ds);

/* Bytes of one CPU's block of counters: 16 each, rounded up to cache lines. */
static inline uint32_t emit_counter_stride(const struct ir *ir)
{
	return (uint32_t)ROUND_UP(MAX(ir->n_counters, 1u) * 16, 64);
}

#endif
