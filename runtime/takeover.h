/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change of who enforces what, in steps; doc/takeover.md says what a packet meets between them.
 */
#ifndef NFT_BPF_RUNTIME_TAKEOVER_H
#define NFT_BPF_RUNTIME_TAKEOVER_H

#include "model.h"
#include "plan.h"

struct batch;
struct batch_builder;

/* ---- manifest_make.c ---- */

int manifest_make(const struct rt_plan *p, const struct ruleset *rs, uint32_t ruleset,
		  struct manifest **ret);
bool plan_compiles(const struct rt_plan *p, const struct chain *c);
/* All base chains of the table are compiled, none is off its hook by itself: the table sleeps. */
bool plan_wants_dormant(const struct rt_plan *p, const struct table *t);

/* ---- park.c, park_objects.c ---- */

/* The rules and objects that count in the new programs. */
struct counted_keys {
	const void **array;
	size_t n;
};
int counted_keys_init(struct counted_keys *k, const struct ir *ir);
void counted_keys_fini(struct counted_keys *k);
bool counted_keys_have(const struct counted_keys *k, const void *key);

/* Has it rules that come with an anonymous set that no program keeps any more? */
bool park_has_leaving_set(const struct chain *c, const struct ir *ir);
/* Which chains' rules those below will make anew (chain.renewed). */
int park_find_renewed(const struct runtime *rt, struct ruleset *rs, const struct rt_plan *p);
/* Chains and tables that are off their hooks and are not compiled any more: back, with counts. */
int park_wake(const struct runtime *rt, struct ruleset *rs, const struct rt_plan *p,
	      struct batch_builder *bb);
/* Named counters that our programs do not count in any more: their counts, by making them anew. */
int park_give_objects(const struct runtime *rt, struct ruleset *rs, const struct rt_plan *p,
		      struct batch_builder *bb, struct diags *ds);
/* Compiled chains that are on their hooks: off. */
int park_unhook(struct ruleset *rs, const struct rt_plan *p, struct batch_builder *bb);

/* ---- takeover.c ---- */

struct takeover {
	struct runtime *rt;
	struct ruleset *rs; /* the target; from rt_model(), the batch applied */
	struct diags *ds;
	struct rt_plan *plan;	/* empty: hands everything back */
	struct bpf_object *obj; /* its programs; NULL: none */
	const struct batch *batch; /* to be committed, rewritten; NULL: none */
	bool keep_manifest; /* also where nothing is compiled, so that status can say why */

	struct rt_state state;
	struct manifest *m; /* of the new generation */
	uint32_t old, gen;
	uint32_t ruleset; /* the kernel's ruleset generation as we left it */
	bool begun; /* something was committed, or flipped: there is no way back but to go on */
};
/* Programs and pins of the new generation; nothing decides by them yet. */
int takeover_fill(struct takeover *tk);
/*
 * The rest, behind takeover_fill(). -ERESTART: somebody else changed the ruleset. Of any error when
 * tk->begun: the batch is in, and what is left is to take over the ruleset as it is then.
 */
int takeover_run(struct takeover *tk);
void takeover_fini(struct takeover *tk);
/*
 * Behind the commit: a step without which the rest can be done. If it fails, and fails again, that and
 * what comes of it (@lost) are warnings. What failed must not have been begun.
 */
void takeover_try(struct takeover *tk, int (*step)(struct takeover *tk), const char *lost);
/* Before roots are attached: makes the namespace's state, and removes what dead processes left. */
int takeover_prepare(struct takeover *tk);
/* Removes roots that this process attached, and the generation in the making. */
void takeover_undo(struct takeover *tk);

/* ---- flip.c ---- */

/* Before anything is committed: can packets under way be waited for, if they have to be? */
int takeover_ready(const struct takeover *tk);
/* The new generation decides, and no packet is under way by the old one when it returns. */
int takeover_flip(struct takeover *tk);

/* ---- takeover_commit.c ---- */

/* -ERESTART as above. */
int takeover_commit(struct takeover *tk, const struct batch *b);
/* What was parked and is not compiled any more: chains, counts of objects, elements of sets. */
int takeover_wake(struct takeover *tk);
int takeover_give_objects(struct takeover *tk);
int takeover_give_elements(struct takeover *tk);
/* Once its programs have stopped: the elements they added since the model was read. */
int takeover_give_late_elements(struct takeover *tk);
/* Compiled chains off their hooks. */
int takeover_unhook(struct takeover *tk);

#endif
