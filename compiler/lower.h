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
	bool named_sets; /* the run time keeps the maps of named sets current */
	/* Programs in front of chains that stay with the interpreter (lower_front.c). */
	enum lower_fronts { LOWER_NO_FRONTS, LOWER_FRONTS_THAT_PAY, LOWER_ALL_FRONTS } fronts;
	bool dynamic_sets; /* the run time keeps sets that packets change */
	uint64_t read_ns; /* CLOCK_MONOTONIC when the ruleset was read, for elements that expire */
	uint32_t seed; /* for hashes whose seed the ruleset leaves to the kernel; any number */
	int32_t tai_offset; /* seconds CLOCK_TAI is ahead of CLOCK_REALTIME (adjtimex(2)) */
	uint32_t jiffy_ms;   /* a tick (clock_getres(CLOCK_MONOTONIC_COARSE)); 0: not whole ms */
	bool init_cgroup_ns; /* levels of cgroups count from the real root */
	int32_t minuteswest; /* the kernel's time zone (gettimeofday(2)), for meta day */
};

/* One cause why a base chain stays with the interpreter. */
struct lower_blocker {
	const char *code; /* lives forever; documented in nft-bpf(8) */
	char *why;
	struct diag_place at; /* the rule may be one of a chain that the base chain reaches */
	uint32_t hooks;	      /* it is one in base chains of these hooks: bits 1 << NF_INET_* */
};

/* What a program in front costs packets, about, ns (front_cost.c). */
struct front_price {
	uint32_t pass;	      /* one that it does not drop, beside what the chain costs */
	uint32_t drop;	      /* one that it drops, in the mean over the rules that do */
	uint32_t interpreter; /* the same where the chain drops it */
	bool pays;
};

/* What runs in front of a chain that stays with the interpreter, and drops what that would drop. */
struct lower_front {
	uint32_t n_drops;     /* rules that drop, those of chains it goes to too; 0: there is none */
	uint32_t n_declined;  /* the same if there could be one, but it would not pay… */
	uint8_t declined;     /* … for these packets: 1 IPv4, 2 IPv6 */
	struct front_price price; /* where one of these is not 0 */
	uint32_t first, last; /* rules of the base chain itself that drop or lead to drops, from 1 */
	bool counts;	      /* a second pass counts what dropped packets passed */
	bool barred;	      /* there could be one, but for why */
	const char *why;
};

struct lower_chain {
	const struct chain *base;
	bool compiled;
	struct lower_front front; /* of one that is not compiled */
	bool mixed; /* some chain of its hook and priority is compiled, some is not */
	const struct lower_blocker **blockers; /* all causes, in the order of the walk */
	uint32_t n_blockers; /* not 0 where not compiled */
};

struct lower_result {
	struct ir *ir;
	struct lower_chain *chains; /* every base chain of the ruleset, in listing order */
	uint32_t n_chains;
	struct arena *arena; /* of chains and blockers, so that ir may be replaced */
};

/*
 * Lowers every base chain of @rs that can be, and builds ir->progs. What keeps the others with the
 * interpreter goes to @ds, each cause once, as a DIAG_BLOCKER whose place is the rule and expression
 * at fault. @rs must outlive the result.
 */
int lower_ruleset(const struct ruleset *rs, const struct lower_options *opt, struct diags *ds,
		  struct lower_result *ret);
void lower_result_fini(struct lower_result *lr);

/*
 * Takes a base chain out again, e.g. because the verifier refused its program: the rest is lowered
 * afresh, lr->ir is a new one. The reason becomes a DIAG_BLOCKER of @code (lives forever) at the
 * chain. Of a chain that stays with the interpreter it is what runs in front that goes.
 */
void lower_drop_chain(struct lower_result *lr, const struct lower_options *opt,
		      const struct chain *base, const char *code, const char *why,
		      struct diags *ds);

/* ---- for compiler/expr ---- */

struct lower; /* the rule being lowered */

/*
 * One nf_tables expression. lower() reads e->attrs, stores registers, appends steps; what it cannot
 * do it reports with lower_block() and returns.
 *
 * One that is a change of what it keeps, in rules, named objects and set elements (counter, limit),
 * has no lower(), but the effect and what a state begins with: init() sets st->param and, the first
 * time, st->init from what the kernel tells of it; false: blocked.
 */
struct expr_op {
	const char *name; /* as in NFTA_EXPR_NAME */
	void (*lower)(struct lower *lw, const struct expr *e);
	const struct ir_effect_op *state;
	bool (*init)(struct lower *lw, struct ir_state *st, struct blob attrs);
	uint32_t object_type; /* NFT_OBJECT_* of named ones, 0: none */
};
#define EXPR_OP_TABLE __attribute__((used, section("expr_ops"), aligned(8)))
const struct expr_op *expr_op_find(const char *name);
const struct expr_op *expr_op_find_object(uint32_t object_type);

/* Reports a blocker at the current expression; @code lives forever ("meta-secmark"). */
void lower_block(struct lower *lw, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same where it is one only below base chains of certain hooks: bits 1 << NF_INET_*. */
void lower_block_hooks(struct lower *lw, uint32_t hooks, const char *code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* An expression that has no descriptor: why, as far as it is known. */
void lower_block_unknown(struct lower *lw, const struct expr *e);

/*
 * Is a front being made? Then what is computed has to be what the interpreter computes for the same
 * packet again, and lower_block() leaves packets that come that far to it.
 */
bool lower_is_front(const struct lower *lw);

struct ir *lower_ir(struct lower *lw);
uint8_t lower_pf(const struct lower *lw);     /* NFPROTO_IPV4/6: what the packets are */
uint8_t lower_family(const struct lower *lw); /* the table's */
const struct rule *lower_rule(const struct lower *lw);
const struct table *lower_table(const struct lower *lw);
const struct lower_options *lower_opt(const struct lower *lw);
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
/* The state of the current expression; set its params and init. */
struct ir_state *lower_state(struct lower *lw, const struct ir_effect_op *op);
/* The state of named object @o, of an @op that has states; NULL: blocked. */
struct ir_state *lower_object_state(struct lower *lw, const struct expr_op *op,
				    const struct object *o);

/* The IR's set for a set of the rule's table (compiler/sets.c); NULL: blocked. */
struct ir_set *lower_set(struct lower *lw, const struct set *set);
/* Does @key, or an element, hold more of a ranged concatenation's field than the kernel compares? */
bool lower_set_padded(const struct set *s, const struct ir_set *set, const struct ir_sel *key);
/* The model's set that NFTA_*_SET and NFTA_*_SET_ID attributes of these types name; NULL: blocked. */
const struct set *lower_find_set(struct lower *lw, const struct expr *e, uint16_t name_attr,
				 uint16_t id_attr);
/* The IR chain a verdict goes to, queued for lowering; NULL: blocked (no such chain). */
struct ir_chain *lower_chain_ref(struct lower *lw, const char *name);

#endif
