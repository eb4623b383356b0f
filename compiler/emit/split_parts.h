/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to split.c (which parts there are) and split_build.c (the programs they become).
 */
#ifndef NFT_BPF_COMPILER_EMIT_SPLIT_PARTS_H
#define NFT_BPF_COMPILER_EMIT_SPLIT_PARTS_H

#include "plan.h"
#include "split.h"

/* A list of rules at one place: a chain, as a rule of another frame leads to it. */
struct frame {
	const struct ir_chain *chain; /* NULL: the list of the base chains */
	struct frame *up;	      /* NULL: of that list; a base chain's is it */
	uint32_t rule;		      /* of up: that leads here; of a base chain its number */
	bool is_jump;
	struct part **starts; /* by rule: the part that begins there, or NULL */
	uint32_t n;
};

/* A run of such a list; or, one step on, a rule again for what it leads to in this part. */
struct part {
	struct frame *frame;
	uint32_t first, end;
	bool is_group;
	/* Of the last rule, from @step on: what it leads to is in other parts. */
	uint32_t step;
	const struct part *out;	/* of a verdict: a chain's first part */
	struct ir_route *route; /* of a verdict map */
	struct ir_chain *tail;	/* stands for it */
	uint64_t size;
	uint32_t calls; /* 1 + tail calls that may follow; 0: not counted yet */
};

struct splitter {
	struct arena *a;
	struct ir *ir;
	const struct ir_prog *prog;
	uint32_t limit, *n_slots;
	struct part **parts;
	uint32_t n_parts;
	uint32_t *seen; /* by chain id: stamp of the run it was counted for */
	uint32_t stamp;
	uint64_t size; /* of the run that is being counted, at least when above the limit */
};

/* A chain of its own, without rules, named as @like. */
struct ir_chain *split_chain(struct splitter *w, const struct ir_chain *like);
/* Where @f goes on at rule @r, its end included; NULL: as its base chain ends. */
const struct part *split_at(const struct frame *f, uint32_t r);
/* Where it goes on when it returns. */
const struct part *split_after(const struct frame *f);
void split_build(struct splitter *w, const struct part *p, struct ir_prog *ret);

#endif
