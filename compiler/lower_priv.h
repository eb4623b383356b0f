/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of lowering share: lower.c (base chains and programs), lower_walk.c (which chains
 * a base chain reaches), lower_rule.c (one rule run symbolically), lower_block.c (blockers),
 * lower_front.c (what runs in front of interpreted chains), sets.c.
 */
#ifndef NFT_BPF_COMPILER_LOWER_PRIV_H
#define NFT_BPF_COMPILER_LOWER_PRIV_H

#include "ir_index.h"
#include "lower.h"

#define LOWER_ALL_HOOKS 0xffffffffu
#define LOWER_REG_BYTES 64

/* What is known of a chain in one pf; index: ir_chain->id. */
struct lower_info {
	struct ir_chain *chain;
	struct lower_blocker **blockers; /* of its rules */
	uint32_t n_blockers;
	struct ir_chain **next; /* chains its rules go to, each once */
	uint32_t n_next;
	uint32_t stamp;			       /* the walk that saw it last */
	const struct lower_info *entered_from; /* the chain that listed it as next last */
	uint32_t height;		       /* levels below it and itself; 0: not known */
	bool on_path;
	bool drops; /* some rule of it, or below it, does (front_drops.c) */
	struct ir_set **dynamic; /* sets that packets change, in the chain's rules */
	uint32_t n_dynamic;
};

/* A byte of the register file. */
struct lower_byte {
	struct ir_sel *sel; /* NULL: not written */
	uint32_t at;	    /* which byte of it */
};

/* The front being made (lower_front.c). */
struct front {
	const struct chain *base;
	enum front_pass {
		FRONT_DECIDE, /* drops, or leaves the packet to the interpreter */
		FRONT_COUNT,  /* counts what a packet passes that is dropped */
	} pass;
	struct ir_chain *counting; /* where dropped packets go to be counted; NULL: no need */
	uint32_t n_drops;
	bool counts_inside;	/* a chain it goes to counts what may be dropped later */
	uint32_t first_counted; /* rule of the base chain that does; UINT32_MAX: none */
};

struct lower {
	const struct ruleset *rs;
	const struct lower_options *opt;
	struct ir *ir;
	struct arena *arena; /* of the blockers: outlives ir */

	struct lower_info **infos; /* by ir_chain->id */
	uint32_t n_infos;
	struct ir_index blocker_index, set_index, dynamic_sets, keeping_sets;
	uint32_t stamp;

	/* The rule at hand. */
	struct lower_info *info;
	const struct rule *rule;
	struct ir_rule *out;
	const struct expr *expr;
	uint32_t expr_index;
	bool done; /* nothing behind this expression runs */
	bool cut;  /* … because a guard can never hold */
	struct lower_byte regs[LOWER_REG_BYTES];

	struct front *front;   /* NULL: chains are lowered as a whole */
	uint32_t expr_steps;   /* steps of the rule before the expression at hand */
	bool unknown;	       /* what comes behind unknown_steps is the interpreter's to know */
	uint32_t unknown_steps;
};

/* lower.c */
/* Which protocol families the packets of a base chain have; 0-terminated. */
const uint8_t *lower_pfs(uint8_t family);
bool lower_is_dormant(const struct chain *c);

/*
 * lower_shared.c: blocks compiled chains whose limits or quotas the interpreter uses as well. True
 * when there are any. Every base chain must have been lowered.
 */
bool lower_shared(struct lower *lw, struct lower_result *lr);

/* lower_rule.c: every rule of the chain; lw->info is it. */
void lower_chain_rules(struct lower *lw, struct lower_info *info);

/* lower_step.c: NF_* and NFT_* into the IR's; false: blocked. */
bool lower_verdict_code(struct lower *lw, int32_t code, const char *chain, struct ir_verdict *ret);

/* lower_walk.c */
/* Notes that the chain at hand can go to @c. */
void lower_enter(struct lower *lw, struct ir_chain *c);
struct lower_info *lower_info(struct lower *lw, struct ir_chain *c);
/* The base chain's copy for @pf, lowered with all that it reaches. */
struct ir_chain *lower_base(struct lower *lw, const struct chain *base, uint8_t pf);
/* Appends the blockers that base chain meets in this pf to its list. */
void lower_collect(struct lower *lw, struct ir_chain *base, struct lower_chain *lc);

/* Lowers whatever was referred to and is not lowered yet, from chain @from on. */
void lower_pending(struct lower *lw, uint32_t from);
struct ir_chain *lower_chain_get(struct lower *lw, const struct chain *chain, uint8_t pf);
/* Chains on the longest way from here; more than IR_MAX_DEPTH: too many, or a loop. */
uint32_t lower_height(struct lower *lw, struct ir_chain *c);

/* lower_front.c */
/*
 * What of a base chain can run in front of it, in this pf; NULL: nothing that drops. What is found
 * is added to lc->front.
 */
struct ir_chain *lower_front(struct lower *lw, struct lower_chain *lc, uint8_t pf);
bool lower_may_have_front(const struct lower *lw, const struct lower_chain *lc);
/* The name of a chain's copy in the front at hand. */
const char *front_chain_name(struct lower *lw, const struct chain *c);
/* The packets that come to the expression at hand are left to the interpreter. */
void front_unknown(struct lower *lw);
/* What the rule at hand is in the front at hand, before idle steps go. */
void front_finish_rule(struct lower *lw);
bool front_can_use_set(const struct lower *lw, const struct set *s);

/* front_drops.c */
/* Rules of @base behind the last one that matters go; @ret: which drop. */
void front_cut(struct lower *lw, struct ir_chain *base, struct lower_front *ret);
/* Can the verdict map drop packets, or elements that come later? */
bool front_vmap_drops(const struct ir_set *s);
/* All that the rule asks for is conntrack's state. */
bool front_is_about_ct_state(const struct ir_rule *r);

/* front_cost.c; @base: cut behind its drops. @counts: what is dropped is counted in a second pass. */
void front_price(struct lower *lw, const struct ir_chain *base, bool counts,
		 struct front_price *ret);

/* lower_block.c */
void lower_block_base(struct lower *lw, struct lower_chain *lc, const char *code, const char *fmt,
		      ...) PRINTF_LIKE(4, 5);
/* Into the base chain's list, once: the list that is being filled gets all of its own in a row. */
void lower_blocker_add(struct lower *lw, struct lower_chain *lc, struct lower_blocker *b);

/* A set of one table (and pf, where its verdicts name chains), lowered or found impossible. */
struct lower_set {
	const struct set *origin;
	uint8_t pf; /* 0: for every pf */
	const struct lower_set *twin; /* the other pf's, made before; or NULL */
	struct ir_set *set;
	const char *code, *why;	   /* why not, when set is NULL */
	struct ir_chain **targets; /* of its verdicts, each once */
	uint32_t n_targets;
};

/* lower_state.c, for an @op that has states: in a rule, */
void lower_stateful(struct lower *lw, const struct expr_op *op, const struct expr *e);
/* and of element @key, whose expression number @expr @e is; NULL: blocked. */
struct ir_state *lower_elem_state(struct lower *lw, const struct expr_op *op, const struct expr *e,
				  const void *key, uint32_t expr);

/* sets_elem.c: fills ls->set; false: ls->code and ls->why say what is in the way. */
bool lower_set_elems(struct lower *lw, struct lower_set *ls);
/* Most expressions that an element has, or will have. */
uint32_t lower_elem_exprs(const struct set *s);
/* What an element, @key, with these expressions keeps; likewise. */
bool lower_elem_states(struct lower *lw, struct lower_set *ls, const struct exprs *es,
		       const void *key, struct ir_state **ret);

/* sets_dynamic.c: sets that some rule of the ruleset fills from the packet path. */
void lower_find_dynamic_sets(struct lower *lw);
bool lower_set_is_filled(const struct lower *lw, const struct set *s);
/* Is it one that the programs keep in a map of its own (dynamic.h)? */
bool lower_set_is_dynamic(const struct lower *lw, const struct set *s);
/* What its elements keep, into ls->set; false: ls->code and ls->why say what is in the way. */
bool lower_set_dynamic(struct lower *lw, struct lower_set *ls);
/* The expressions that a dynset gives its elements; the array is in the arena. */
struct exprs lower_dynset_exprs(struct lower *lw, const struct expr *e);

/* sets.c */
const struct set *lower_named_set(const struct table *t, struct blob attrs, uint16_t name_attr,
				  uint16_t id_attr);
/* The element of a constant set that holds @key, or NULL; for decisions at lowering. */
const struct ir_elem *lower_set_find(const struct ir_set *set, const uint8_t *key);

#endif
