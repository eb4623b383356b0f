/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The optimiser against itself: the evaluator before and after its passes. No kernel, no privilege.
 */
#ifndef NFT_BPF_DIFFTEST_EVALONLY_H
#define NFT_BPF_DIFFTEST_EVALONLY_H

#include "../compiler/opt/opt.h"
#include "difftest.h"

#define EVALONLY_FORMS 8

struct evalonly_result {
	size_t n_packets, n_verdicts;
	size_t n_different; /* verdicts, counters or other state */
	unsigned int n_chains, n_chains_compiled;
	size_t n_lookups[EVALONLY_FORMS]; /* the optimiser made, by enum ir_form */
	bool changed[N_OPT_PASSES]; /* the pass had something to do */
	char *what; /* the first difference, malloc'ed; NULL: none */
	struct packet *packet; /* that showed it; NULL: counters did */
};
void evalonly_result_fini(struct evalonly_result *r);

/* A laboratory that has devices and nothing else. */
struct lab *evalonly_lab(void);

/*
 * @text through libnftables, the model and lowering; then @n packets made from its rules, through
 * each program. -EINVAL: nft refused it; its words in @ret_message.
 */
int evalonly_run(const struct lab *lab, const char *text, uint64_t seed, size_t n,
		 struct diags *ds, char **ret_message, struct evalonly_result *r);

#endif
