/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan: programs for a ruleset, loaded, and their roots in place.
 */
#ifndef NFT_BPF_RUNTIME_PLAN_H
#define NFT_BPF_RUNTIME_PLAN_H

#include "object.h"
#include "priv.h"

/*
 * Lowers, places, compiles and lets the verifier judge; chains that fail go back to the interpreter
 * with a blocker in @ds. When nothing can be compiled at all (no LLVM module, no BTF) every chain goes
 * back, which is no error either. @attach: roots are attached (and stay so on failure); else nothing is
 * pinned, attached or committed. @ret_obj holds the programs, NULL where there are none; the plan refers
 * to @rs.
 */
int plan_make(struct runtime *rt, const struct ruleset *rs, const struct rt_load_options *opt,
	      bool attach, struct diags *ds, struct rt_plan *ret, struct bpf_object **ret_obj);
/* Every chain to the interpreter; the reason is the first error in @why. */
void plan_drop_all(struct rt_plan *p, const struct lower_options *opt, const char *code,
		   const struct diags *why, struct diags *ds);
/* What the root says while the program is not there: NF_DROP if one of its chains would. */
uint32_t plan_verdict(const struct ir_prog *p);

#endif
