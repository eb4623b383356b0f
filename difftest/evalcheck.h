/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the evaluator's check keeps: shared by evalcheck.c and coverage.c.
 */
#ifndef NFT_BPF_DIFFTEST_EVALCHECK_H
#define NFT_BPF_DIFFTEST_EVALCHECK_H

#include "difftest.h"
#include "flow.h"

struct prog_check {
	bool whole; /* every base chain of that place is in the program */
	bool blind; /* it reads what probes do not tell */
	bool left;  /* it is not in place: the interpreter has one of its base chains */
	bool timed; /* some packet came to a step that clocks or chance decide */
	bool *reach; /* by chain id */
};

struct eval_check {
	struct difftest *dt;
	const struct ir *ir;
	struct prog_check *progs;
	struct ir_env env[N_EVALS];
	struct ir_env *now; /* the one that is running */
	uint32_t **hits; /* by chain id, rule */
	bool *is_timed;	 /* by set id: a look-up in it may end otherwise the next moment */
	bool timed;	 /* the packet at hand came to a step that clocks or chance decide */
	uint8_t buf[65536 + 64];
};

#endif
