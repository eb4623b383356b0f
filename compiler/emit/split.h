/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs larger than one BPF program may be: parts, each a program of its own, which go on in each
 * other by tail calls. No LLVM.
 *
 * What is split are lists of rules whose place in the program says all: the base chains, and a chain
 * at one place that it is called from (a frame), so that where it returns to is known. A part is a
 * run of such a list, with the chains that its rules lead to. A rule that leads to more than a part
 * holds ends its part, and what it leads to are parts: the list of one large chain, or, for a
 * verdict map, groups of chains. Such a group begins with the look-up done again, since nothing
 * can be handed over in a tail call: it says which of its chains is meant, and by which record. So
 * the key must be pure, and elements must keep nothing.
 *
 * A part is IR: a program whose first base chain is made of the run, with a goto to a chain that
 * stands for another part (ir_chain.tail) where it goes on there. Everything behind knows nothing of
 * parts, but how such a goto is emitted.
 *
 * Elements may change between both look-ups. Then the second decides, as if the packet had come a
 * moment later: it may miss, or lead to another group.
 */
#ifndef NFT_BPF_COMPILER_EMIT_SPLIT_H
#define NFT_BPF_COMPILER_EMIT_SPLIT_H

#include "../ir.h"
#include "../template.h"

enum {
	SPLIT_PART = 120000,  /* instructions of a part, about */
	SPLIT_MAX_CALLS = 32, /* one after the other: MAX_TAIL_CALL_CNT, without the root's own */
};

/* Where a verdict map leads in a part: chains of other parts are theirs. */
struct ir_route {
	const struct ir_chain **of; /* by id of the model: the chain that stands for its part, or NULL */
	const struct ir_chain *self; /* which stands for the part that the step is in */
};

static inline struct ir_verdict split_verdict(const struct ir_step *st, const struct ir_verdict *v)
{
	const struct ir_chain *to = NULL;

	if (st && st->route && v->chain)
		to = st->route->of[template_model(v->chain)->id];
	if (!to || to == st->route->self)
		return *v;
	return (struct ir_verdict){.code = IR_GOTO, .chain = (struct ir_chain *)to};
}

struct split {
	struct ir_prog *progs; /* the first is attached */
	uint32_t n_progs;
	uint32_t n_calls; /* tail calls that a packet may need, one after the other */
	uint64_t total;	  /* instructions, about */
};
/*
 * @prog in parts of about @size instructions, everything in @a. Chains that are made are counted in
 * @ir (its array has none of them), slots of programs in *n_slots.
 */
struct split *split_prog(struct arena *a, struct ir *ir, const struct ir_prog *prog, uint32_t size,
			 uint32_t *n_slots);

#endif
