/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets from rules: for each rule one that reaches and matches it, and its neighbours.
 */
#ifndef NFT_BPF_DIFFTEST_GEN_H
#define NFT_BPF_DIFFTEST_GEN_H

#include "build.h"
#include "graph.h"

#define GEN_WISHES 256

/* A rule as seen from one program: the same rule is met from several. */
struct gen_target {
	const struct ir_prog *prog;
	const struct ir_rule *rule;
	bool hit; /* by the evaluator's word */
	struct wish *wishes; /* of the packet that hit, in the arena */
	uint32_t n_wishes;
	enum flow flow;
	uint32_t next; /* of its variations */
};

struct gen {
	const struct lab *lab;
	const struct ir *ir;
	struct graph *graph;
	struct rng rng;
	struct arena *arena;
	struct gen_target *targets;
	size_t n_targets;
	struct ir_env env;
	uint8_t *state; /* the initial shared state */
	uint8_t buf[65536 + 64];
	/* Of the last evaluation. */
	const struct ir_rule **trace;
	size_t n_trace;
	size_t trace_size;
	struct list packets; /* struct packet, what was made so far */
	size_t n_packets;
};

struct gen *gen_new(const struct lab *lab, const struct ir *ir, uint64_t seed);
void gen_free(struct gen *g);

/* Fills g->packets with about @n packets: every target first, then variations in turn. */
int gen_run(struct gen *g, size_t n);

/* ---- for vary.c ---- */
struct packet *gen_try(struct gen *g, const struct gen_target *t, const struct wish *wishes,
		       uint32_t n_wishes, enum flow flow);
void gen_add(struct gen *g, struct packet *p);
bool gen_is_wish(const struct ir_step *s); /* a step that can fail by the packet alone */

/* One more packet near the target's own; false when nothing came of it. */
bool vary_target(struct gen *g, struct gen_target *t);

/* TCP conversations, at the end of about @n_packets others. */
void gen_talks(struct gen *g, size_t n_packets);

/* A changed copy of @p: cut, in fragments, with extension headers…; NULL: does not apply. */
struct packet *mutate_packet(const struct packet *p, struct rng *rng);

#endif
