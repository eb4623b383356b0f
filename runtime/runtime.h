/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs: programs, maps, links and pins of a network namespace.
 *
 * On bpffs, below BASE = $NFT_BPF_BPFFS or /sys/fs/bpf, all of one namespace in one directory:
 *
 *	nft-bpf/net-INODE/			the namespace's nsfs inode
 *		generation			ARRAY map: struct rt_generation, one word that flips all hooks
 *		roots/V4-INPUT-0/link		the attached root (priority as attached)
 *		roots/V4-INPUT-0/slots		PROG_ARRAY[2], one slot per generation parity
 *		roots/V4-INPUT-0/verdicts	ARRAY[2]: returned while the slot is empty
 *		gen-N/prog-NAME, gen-N/counters, gen-N/state, gen-N/set-ID
 *		gen-N/manifest			ARRAY map whose only value is JSON: what is compiled, from
 *						where, counters of which rule, reasons; format manifest.c
 *
 * The kernel and these pins are the only state. Any gen-* but the current one, any root without a
 * filled slot is a left-over of a killed process: rt_repair() removes it.
 */
#ifndef NFT_BPF_RUNTIME_RUNTIME_H
#define NFT_BPF_RUNTIME_RUNTIME_H

#include "../compiler/diag.h"
#include "../compiler/lower.h"
#include "../compiler/ruleset.h"

struct runtime; /* open on one namespace, locked against other nft-bpf processes */

struct rt_options {
	bool wait_lock;	 /* wait for another nft-bpf, else -EBUSY */
	bool read_only;	 /* no lock, nothing made */
};
/* Opens the state of the calling thread's network namespace; mounts bpffs if it is not. */
int rt_open(const struct rt_options *opt, struct diags *ds, struct runtime **ret);
void rt_close(struct runtime *rt);
void rt_closep(struct runtime **rt);

/* 0 when this kernel can do it; else why not as an error in @ds (no BTF, no BPF_NETFILTER…). */
int rt_probe(struct diags *ds);

#endif
