/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan in the making: shared by plan.c, plan_place.c and plan_drop.c.
 */
#ifndef NFT_BPF_RUNTIME_PLANNING_H
#define NFT_BPF_RUNTIME_PLANNING_H

#include "plan.h"

struct planning {
	struct runtime *rt;
	struct rt_load_options opt;
	bool attach;
	uint32_t ruleset; /* the generation that was read */
	struct diags *ds;
	struct rt_plan plan;
	struct bpf_object *obj;
};

/* ---- plan_place.c ---- */

/* 0: all have one; 1: a chain was dropped for want of one, begin again. */
int planning_place(struct planning *pl);

/* ---- plan_drop.c: each makes the programs anew; places and objects are then others, too ---- */

void planning_drop(struct planning *pl, const struct chain *base, const char *code, const char *why);
void planning_drop_all(struct planning *pl, const char *code, const char *why);
/* What was not compiled takes the chains with it that are named, or all. */
void planning_drop_uncompiled(struct planning *pl, const struct diags *why);
/* A refused program takes the chain with it that the verifier stumbled in, or all of its chains. */
void planning_drop_refused(struct planning *pl, const struct object_refusal *r);

#endif
