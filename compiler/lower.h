/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lowering: the model's nf_tables expressions into decision lists.
 *
 * Each rule is run symbolically: the 64 bytes of registers hold selectors instead of data, so the
 * registers are gone in the IR. A base chain is lowered with every chain it reaches, once per
 * protocol family its packets have (inet: both). All blockers are collected, not only the first.
 */
#ifndef NFT_BPF_COMPILER_LOWER_H
#define NFT_BPF_COMPILER_LOWER_H

#include "diag.h"
#include "ir.h"
#include "ruleset.h"

/* Which chains may be compiled, and what the run time offers. */
struct lower_options {
	bool follow; /* the service runs: log, reject and what else needs it may be compiled */
};

/*
 * Lowers every base chain of @rs that can be, and builds ir->progs. Why a base chain is left to the
 * interpreter goes to @ds as DIAG_BLOCKERs whose place is the rule and expression at fault, one for
 * each cause; lower_plan tells it chain by chain.
 */
struct lower_chain {
	const struct chain *base;
	bool compiled;
	const char *code; /* first blocker's reason code when not compiled */
	char *why;	  /* its text; in the ir's arena */
	uint32_t n_blockers;
};
struct lower_result {
	struct ir *ir;
	struct lower_chain *chains; /* every base chain of the ruleset, in listing order; in arena */
	uint32_t n_chains;
};
int lower_ruleset(const struct ruleset *rs, const struct lower_options *opt, struct diags *ds,
		  struct lower_result *ret);

/*
 * Takes base chains out of a lowered IR again, e.g. because the verifier refused their program:
 * rebuilds progs. Reason as a DIAG_BLOCKER of @code at the chain.
 */
void lower_drop_chain(struct lower_result *lr, const struct chain *base, const char *code,
		      const char *why, struct diags *ds);

/* ---- for compiler/expr ---- */

struct lower; /* the rule being lowered */

/*
 * One nf_tables expression. lower() reads e->attrs, stores registers, appends steps; what it cannot
 * do it reports with lower_block() and returns.
 */
struct expr_op {
	const char *name; /* as in NFTA_EXPR_NAME */
	void (*lower)(struct lower *lw, const struct expr *e);
	/* Named objects of this type through objref (counter, quota, limit), or NULL. */
	uint32_t object_type; /* NFT_OBJECT_*, 0: none */
	void (*lower_object)(struct lower *lw, const struct object *o);
	/* Stateful element expressions: the state of one set element, or NULL when not supported. */
	struct ir_state *(*lower_elem)(struct lower *lw, const struct expr *e, const void *key);
};
#define EXPR_OP_TABLE __attribute__((used, section("expr_ops"), aligned(8)))
const struct expr_op *expr_op_find(const char *name);
const struct expr_op *expr_op_find_object(uint32_t object_type);

/* Reports a blocker at the current expression; @code lives forever ("meta-secmark"). */
void lower_block(struct lower *lw, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct ir *lower_ir(struct lower *lw);
uint8_t lower_pf(const struct lower *lw);     /* NFPROTO_IPV4/6: what the packets are */
uint8_t lower_family(const struct lower *lw); /* the table's */
uint32_t lower_hook(const struct lower *lw);  /* of the base chain that is being lowered */
const struct rule *lower_rule(const struct lower *lw);
const struct table *lower_table(const struct lower *lw);
uint32_t lower_expr_index(const struct lower *lw);
struct diag_place lower_place(const struct lower *lw);

/*
 * Registers by nf_tables number (NFT_REG_1… or NFT_REG32_00…). get: @len bytes; blocks and returns
 * NULL if they were not written. set: zero-pads the last 32-bit word, as the kernel's stores do.
 */
struct ir_sel *lower_reg(struct lower *lw, uint32_t reg, uint32_t len);
void lower_set_reg(struct lower *lw, uint32_t reg, struct ir_sel *sel);

/* Steps. A guard on constants is decided here: true adds nothing, false makes the rule IR never. */
void lower_need(struct lower *lw, struct ir_sel *sel);
void lower_guard(struct lower *lw, enum ir_guard guard, struct ir_sel *sel, const uint8_t *lo,
		 const uint8_t *hi);
void lower_guard_set(struct lower *lw, enum ir_guard guard, struct ir_sel *sel,
		     struct ir_set *set);
void lower_vmap(struct lower *lw, struct ir_sel *sel, struct ir_set *set);
void lower_verdict(struct lower *lw, int32_t code, const char *chain);
/* Appends and returns it, for params and args; @state may be NULL. */
struct ir_step *lower_effect(struct lower *lw, const struct ir_effect_op *op,
			     struct ir_state *state);

/* The IR's set for a named or anonymous set of the rule's table (compiler/sets.c); NULL: blocked. */
struct ir_set *lower_set(struct lower *lw, const char *name);
/* The IR chain a verdict goes to, queued for lowering; NULL: blocked (no such chain). */
struct ir_chain *lower_chain_ref(struct lower *lw, const char *name);

#endif
