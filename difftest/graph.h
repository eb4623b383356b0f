/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who calls whom: the jumps of a lowered ruleset, and ways through them.
 */
#ifndef NFT_BPF_DIFFTEST_GRAPH_H
#define NFT_BPF_DIFFTEST_GRAPH_H

#include "draft.h"

struct graph_edge {
	const struct ir_rule *rule; /* that jumps, or goes */
	uint32_t step;		    /* which of its steps */
	const struct ir_elem *elem; /* of a verdict map; else NULL */
};

struct graph_node {
	const struct ir_chain *chain;
	struct graph_edge *in;
	size_t n_in;
	bool reached; /* from the program at hand */
};

struct graph {
	const struct ir *ir;
	struct arena *arena;
	struct graph_node *nodes; /* by chain id */
	const struct ir_prog *reached_from; /* what .reached says is of this program */
};

struct graph *graph_new(const struct ir *ir);
void graph_free(struct graph *g);

/* Marks the chains that a program can come to. */
void graph_reach(struct graph *g, const struct ir_prog *prog);

/*
 * A random way from a base chain of @prog (graph_reach() was called for it) to @chain: the calling
 * rules, outermost first. Returns their number, or -1 when none was found.
 */
int graph_path(const struct graph *g, const struct ir_prog *prog, const struct ir_chain *chain,
	       struct rng *rng, struct graph_edge *path, int max);

#endif
