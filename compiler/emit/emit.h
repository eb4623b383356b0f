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
 *   - .data.set_ID: the blob of an ir_set (set_table.h), or those of several (set_place.c)
 *   - .data.tables: disp_ID, one per dispatch, and tmpl_ID, the records of a template; with
 *     maps_elsewhere .data.tables_N (table_place.c)
 *   - BTF and CO-RE records for all of it; line info: file "FAMILY TABLE CHAIN", line = rule index
 */
#ifndef NFT_BPF_COMPILER_EMIT_H
#define NFT_BPF_COMPILER_EMIT_H

#include "../diag.h"
#include "../ir.h"

struct emit_options {
	uint32_t cpus;	     /* a power of two; CPUs of this machine rounded up */
	bool atomic_counters; /* the object may run where cpus is too small */
	/*
	 * Who loads the object brings what is in its maps: it is code, nothing else, and the same for
	 * all IR of one key (key.c).
	 */
	bool maps_elsewhere;
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

/* NULL with an error in @ds when it cannot be opened. Looks in $NFT_BPF_BACKEND, then libexecdir. */
const struct emit_backend *emit_open(struct diags *ds);
const char *emit_backend_path(void); /* where it looks */

/* Counters that a block has room for. */
static inline uint32_t emit_counter_room(const struct ir *ir)
{
	return (uint32_t)with_room(MAX(ir->n_counters, 1u), 4);
}

/* Bytes of one CPU's block of counters: 16 each, whole cache lines. */
static inline uint32_t emit_counter_stride(const struct ir *ir)
{
	return emit_counter_room(ir) * 16;
}

/* ---- key.c ---- */

/*
 * All of @ir and @opt that code with maps_elsewhere depends on, malloc'ed: equal keys, equal code.
 * Not in it is what the code finds in maps, and what only messages name. NULL: no code for it.
 */
void *emit_key(struct ir *ir, const struct emit_options *opt, size_t *ret_len);

#endif
