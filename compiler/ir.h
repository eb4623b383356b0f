/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR: decision lists.
 *
 * A chain is a list of rules; a rule is a list of steps, run in order; a step that does not hold
 * ends the rule and the next rule is tried (nf_tables' BREAK). Registers are gone: what a step looks
 * at is a selector, a pure expression over packet, metadata and conntrack, hash-consed, so that
 * equal selectors of one IR are one pointer.
 *
 * Values. The value of a selector of width w is a string of w bytes, as the nf_tables register
 * would hold it: data in network order as on the wire, host-order data (mark, len, iif…) in the
 * byte order of the host the ruleset was read on. Comparison is memcmp(): "one big-endian
 * unsigned integer".
 *
 * Failing. A partial selector may have no value: a load outside the packet, ct without a
 * connection, oif where there is none. Then the step it stands in ends the rule, also for "not
 * equal" and "not in". nf_tables fails where the load stands, we where it is used; where the
 * difference shows (a counter between the two) lowering leaves an IR_NEED step at the load's place.
 *
 * A selector with .impure (numgen, random, a lookup that counts) is evaluated by its own IR_NEED
 * step, once per rule, and later steps of that rule see that value. It is never hash-consed.
 *
 * Chains are lowered once per (table, chain, pf): nfproto is a constant, and guards it decides are
 * gone. State (counters, limits…) is shared by all copies of a rule.
 *
 * Text form: doc/ir.md. ir_print() and ir_parse() are inverse; ir_check() states the invariants;
 * ir_eval.h runs it.
 */
#ifndef NFT_BPF_COMPILER_IR_H
#define NFT_BPF_COMPILER_IR_H

#include <stdio.h>

#include "arena.h"
#include "diag.h"
#include "ruleset.h"
#include "util.h"

#define IR_MAX_WIDTH 64 /* bytes: nf_tables' 16 registers of 4 */
#define IR_MAX_DEPTH 16 /* NFT_JUMP_STACK_SIZE */
#define IR_MAX_IMPURE 128 /* impure selectors of a rule: NFT_RULE_MAXEXPRS */
#define IR_MAX_SIZE   1024 /* ir_sel.size of what a rule uses */
#define IR_MAX_FIELDS 8 /* of a dispatch */

struct ir;
struct ir_sel;
struct ir_set;
struct ir_chain;
struct ir_dispatch;
struct ir_effect_op;
struct ir_env; /* ir_eval.h */
struct ir_step;
struct ir_state;
struct ir_template; /* template.h */
struct ir_params;

/* ---- selectors ---- */

enum ir_op {
	IR_CONST,  /* .bytes */
	IR_LEAF,   /* .leaf, .param[]: read packet, metadata, conntrack… */
	IR_MAP,	   /* data of arg[0] in .set; partial: a miss fails */
	/* Operators: what they give is up to their arguments' values, widths, .n and .m (ir_apply()). */
	IR_AND,	   /* arg[0] & arg[1], equal widths; likewise or, xor */
	IR_OR,
	IR_XOR,
	/* .n bits (1..31) over native 32-bit words, carry towards the first one, as
	 * nft_bitwise_eval_lshift() does; a last word that is not whole is padded with zeros. */
	IR_SHL,
	IR_SHR,	   /* likewise, carry towards the last */
	IR_BSWAP,  /* bytes reversed in each .n-byte unit (n 2, 4, 8) */
	IR_CONCAT, /* arg[0] first */
	IR_SLICE,  /* .n: first byte; width says how many */
	IR_SCALE,  /* reciprocal_scale(host-order u32 arg[0], .n) + .m as host-order u32 */
	IR_JHASH,  /* jhash(arg[0], width, seed .n) as host-order u32 */
	IR_FIRST_OPERATOR = IR_AND,
	IR_LAST_OPERATOR = IR_JHASH,
};

/*
 * What a leaf reads. One table row per kind, in the file of the nf_tables expression that makes it
 * (compiler/expr/meta.c has "meta mark" and its like), collected by the linker: no list to extend.
 */
#define IR_LEAF_PARAMS 4
struct ir_leaf {
	const char *name;   /* as printed: "load nh", "meta mark", "ct state" */
	const char *helper; /* BPF function in compiler/bpf that reads it (calling form: bpf/nb.h) */
	uint8_t width;	    /* bytes; 0: set per selector */
	uint8_t n_params;   /* numbers printed behind the name: offset of a load, direction… */
	/* Can it be evaluated with these parameters and this width? NULL: whatever 32 bits hold. */
	bool (*takes)(const struct ir_sel *sel);
	bool partial;
	bool impure;
	const struct ir_effect_op *state; /* what it keeps between packets (then impure), or NULL */
	uint8_t cost;	    /* about ns on the fast path; the cost model's unit */
	/* Value into @out (sel->width bytes); false: none. */
	bool (*eval)(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out);
};
#define IR_LEAF_TABLE __attribute__((used, section("ir_leaves"), aligned(8)))
const struct ir_leaf *ir_leaf_find(const char *name);

struct ir_sel {
	enum ir_op op;
	uint16_t width; /* bytes, 1..IR_MAX_WIDTH */
	bool partial;	/* or one of its arguments is */
	bool impure;	/* this node itself; what is made of it is a pure function of its value */
	uint32_t id;	/* dense within the ir: index for side tables */
	uint32_t size;	/* nodes of the tree it stands for, shared ones counted each time */
	uint32_t n_args;
	struct ir_sel **args;
	union {
		const uint8_t *bytes;		/* IR_CONST */
		struct {
			const struct ir_leaf *leaf;
			uint64_t param[IR_LEAF_PARAMS];
			struct ir_state *state;
		};				/* IR_LEAF */
		struct {
			uint32_t n, m;
		};
		struct ir_set *set;		/* IR_MAP */
	};
};

/*
 * Constructors fold constants and simplify (bswap of bswap, slice of concat, and with all ones), but
 * never lose that a selector can fail: what drops a partial argument is not folded. Widths must fit;
 * that is the caller's to know (assert).
 */
struct ir_sel *ir_const(struct ir *ir, const void *bytes, uint32_t width);
struct ir_sel *ir_leaf(struct ir *ir, const struct ir_leaf *leaf, uint32_t width,
		       const uint64_t *params);
struct ir_sel *ir_leaf_stateful(struct ir *ir, const struct ir_leaf *leaf, const uint64_t *params,
				struct ir_state *state);
struct ir_sel *ir_binary(struct ir *ir, enum ir_op op, struct ir_sel *a, struct ir_sel *b);
struct ir_sel *ir_shift(struct ir *ir, enum ir_op op, struct ir_sel *a, uint32_t bits);
struct ir_sel *ir_bswap(struct ir *ir, struct ir_sel *a, uint32_t unit);
struct ir_sel *ir_concat(struct ir *ir, struct ir_sel **args, uint32_t n);
struct ir_sel *ir_slice(struct ir *ir, struct ir_sel *a, uint32_t first, uint32_t width);
struct ir_sel *ir_map(struct ir *ir, struct ir_sel *key, struct ir_set *set);
struct ir_sel *ir_scale(struct ir *ir, struct ir_sel *a, uint32_t mod, uint32_t offset);
struct ir_sel *ir_jhash(struct ir *ir, struct ir_sel *a, uint32_t seed);
/* But for their arguments. */
bool ir_nodes_equal(const struct ir_sel *a, const struct ir_sel *b);

/* ---- sets ---- */

struct ir_verdict {
	enum ir_verdict_code {
		IR_CONTINUE, /* goes on with the rule's next step */
		IR_ACCEPT,
		IR_DROP,
		IR_RETURN,
		IR_JUMP,
		IR_GOTO,
	} code;
	struct ir_chain *chain; /* jump, goto */
};

struct ir_elem {
	/* set->width bytes each; lo == hi (same pointer) for a single point. With set->ranged, field
	 * by field, both ends inclusive; else as one byte string. NULL: the catch-all element. */
	const uint8_t *lo, *hi;
	const uint8_t *data;	   /* set->data_width bytes, or NULL */
	struct ir_verdict verdict; /* of a verdict map */
	uint64_t expires;	   /* ms left when read; 0: never */
	/* Counters, limits… of this element, set->n_states of them; where elements differ, the rest is NULL. */
	struct ir_state **states;
	const struct set_elem *origin;
};

enum ir_set_kind { IR_SET, IR_DATA_MAP, IR_VERDICT_MAP };

struct ir_set {
	uint32_t id;
	const char *name;     /* unique in the ir: "table:set" with family; anonymous too */
	enum ir_set_kind kind;
	uint16_t width;	      /* of a key, bytes */
	uint16_t data_width;
	bool ranged;	      /* concatenation whose fields are ranges */
	bool intervals;	      /* some lo != hi */
	bool is_mutable;      /* named: its elements may change while the programs run */
	bool has_timeout;
	bool is_dynamic;      /* packets change it: a hash map is the truth (dynamic.h) */
	bool grows;	      /* … and rules add elements to it */
	bool keeps;	      /* states are the elements' own, and in the set's map (set_table.h) */
	/* What elements keep that come later; a dynamic set's all, and n_states then is 0. */
	struct ir_state **like;
	uint32_t n_like;
	/* The run time's own: the object's map, and whether it is one that was there before. */
	void *map;
	bool kept;
	uint32_t packets; /* what rules of earlier generations did to a set that packets change */
	/* … of others: the running generation's map of that number stays (runtime/sets.h). */
	bool stays;
	uint32_t old_id;
	const struct exprs *like_exprs; /* … as the model has it; NULL: nothing */
	uint32_t n_fields;    /* 1 unless a concatenation */
	uint8_t *field_width; /* bytes, padded to 4 in a concatenation */
	struct ir_elem *elems; /* disjoint; sorted by lo unless ranged; the catch-all last */
	size_t n_elems;
	uint32_t n_states;     /* per element, at most */
	uint32_t size;	       /* most elements it may hold; 0: no limit */
	const struct set *origin;
	struct set_table *table; /* set_table.h; made on first use, goes with the ir */
};
/* Whether a hit changes something: a counter, limit, quota… of the element. */
static inline bool ir_set_notes_hits(const struct ir_set *set)
{
	return set->n_states || set->n_like;
}
struct ir_set *ir_set_new(struct ir *ir, const char *name);
struct ir_set *ir_set_find(const struct ir *ir, const char *name);

/* ---- state and effects ---- */

/*
 * What a rule may do besides deciding, and what it keeps between packets: counter, limit, quota,
 * last, log, dynset… One descriptor per kind in compiler/expr, collected by the linker.
 */
#define IR_EFFECT_PARAMS 6
struct ir_effect_op {
	const char *name;	/* as printed: "counter", "limit" */
	/* BPF function in compiler/bpf (calling form: bpf/nb.h); NULL, and no per_cpu: a leaf's state, no step */
	const char *helper;
	uint8_t state_size;	/* bytes of state in the shared area; 0: none */
	bool per_cpu;		/* state is struct nb_counter in the per-CPU area, without a helper */
	bool may_break;		/* can end the rule */
	uint8_t n_params;
	uint8_t max_args;
	uint8_t cost;
	/* false: the rule ends here. @state: state_size bytes of this state. */
	bool (*eval)(const struct ir_step *step, struct ir_env *env, void *state);
};
#define IR_EFFECT_TABLE __attribute__((used, section("ir_effects"), aligned(8)))
const struct ir_effect_op *ir_effect_find(const char *name);

/* One piece of state, shared by all copies of the rule, or by all users of a named object. */
struct ir_state {
	uint32_t id;	/* dense within the ir */
	const struct ir_effect_op *op;
	uint64_t param[IR_EFFECT_PARAMS];
	const void *init;	/* state_size bytes, or NULL for zeros; counters: packets, bytes u64 */
	/* An element's own: where the set's elements are, and what follows for the evaluator alone. */
	bool in_elem;
	uint32_t index;		/* per-CPU: n-th counter; else the byte offset in its area */
	/* Where it comes from; strings live as long as the ir. */
	struct diag_place at;
	uint32_t expr;		/* index of the expression in its rule */
	const char *object;	/* named object, or NULL */
	const void *key;	/* identity: the model's rule, object or element; with expr */
};
/* Bytes of ir_state.init. */
static inline uint32_t ir_state_init_size(const struct ir_effect_op *op)
{
	return op->per_cpu ? 16 : op->state_size;
}
/* The state of (@key, @expr), made on first use. */
struct ir_state *ir_state_get(struct ir *ir, const struct ir_effect_op *op, const void *key,
			      uint32_t expr);
/* The same for what an element keeps, or one to come. */
struct ir_state *ir_state_get_elem(struct ir *ir, const struct ir_effect_op *op, const void *key,
				   uint32_t expr);

/* ---- steps, rules, chains ---- */

enum ir_step_kind {
	IR_NEED,    /* .sel must have a value */
	IR_GUARD,   /* .guard on .sel */
	IR_EFFECT,  /* .effect with .state, .args */
	IR_VERDICT, /* .verdict; all but continue end the rule: a jump returns to the next one */
	IR_VMAP,    /* .sel looked up in .set gives the verdict; a miss ends the rule */
	IR_DISPATCH, /* .dispatch; the last step of its rule */
};

enum ir_guard {
	IR_EQ,	      /* memcmp(sel, lo) == 0 */
	IR_NE,
	IR_RANGE,     /* lo <= sel <= hi */
	IR_NOT_RANGE,
	IR_IN,	      /* .set */
	IR_NOT_IN,
};

struct ir_step {
	enum ir_step_kind kind;
	uint32_t expr; /* index of the nf_tables expression it comes from */
	struct ir_sel *sel;
	enum ir_guard guard;
	const uint8_t *lo, *hi; /* sel->width bytes */
	struct ir_set *set;
	const struct ir_effect_op *effect;
	struct ir_state *state;
	uint64_t param[IR_EFFECT_PARAMS]; /* of a stateless effect */
	struct ir_sel **args;
	uint32_t n_args;
	struct ir_verdict verdict;
	struct ir_dispatch *dispatch;
	const struct ir_params *params; /* of a template's model; NULL: none */
	const struct ir_route *route; /* of a verdict map, in a program that was split; NULL: none */
};

struct ir_rule {
	struct ir_chain *chain;
	uint32_t index; /* position in the nf_tables chain, from 1; made ones have the next one's */
	uint64_t handle;
	struct ir_step *steps;
	uint32_t n_steps;
	bool never; /* lowering found that it cannot match in this pf; it has no steps */
	const struct rule *origin;
};

/*
 * A run of rules as one step, made by the optimiser: the first row that holds says which rule goes
 * on, with what is left of it; whatever comes of that, the step is done. No row: it ends the rule.
 * A field without a value holds in the rows that do not ask for it, and only there.
 */
struct ir_row {
	const uint8_t *lo, *hi; /* dispatch->width bytes: per field, both ends inclusive */
	uint32_t rule;		/* number in dispatch->rules; ascending */
	uint8_t any;		/* bits of fields that are not asked for: there all 00 and all ff */
};

/* How the row is found; what each can do says dispatch.h. */
enum ir_form {
	IR_FORM_CODE,
	IR_FORM_HASH,
	IR_FORM_TREE,
	IR_FORM_BOXES,
};

struct ir_dispatch {
	uint32_t id; /* dense within the ir */
	enum ir_form form;
	uint32_t n_fields;
	struct ir_sel *fields[IR_MAX_FIELDS];
	uint32_t width; /* sum of the fields', at most IR_MAX_WIDTH */
	struct ir_row *rows;
	uint32_t n_rows;
	struct ir_rule *rules; /* without the guards that rows stand for */
	uint32_t n_rules;
	const struct dispatch_table *table; /* dispatch.h; made on first use */
};

/* Rules of a chain parted by a value: which, and about what they cost a packet. */
struct ir_parted {
	const struct ir_sel *sel;
	uint32_t first, last; /* numbers of the rules */
	uint32_t n_values;
	uint32_t before_ns, after_ns;
};

struct ir_chain {
	uint32_t id;
	uint8_t pf;	/* NFPROTO_IPV4 or NFPROTO_IPV6: what its packets are */
	uint8_t family; /* the table's */
	const char *table, *name;
	bool is_base;
	uint8_t policy; /* NF_ACCEPT, NF_DROP; of a base chain */
	uint8_t hook;
	int32_t priority;
	struct ir_rule *rules;
	uint32_t n_rules;
	bool lowered;	/* false: only referred to so far */
	bool is_front;	/* a copy that runs in front of an interpreted base chain */
	struct ir_template *template; /* of which this is number @record; NULL: of none */
	uint32_t record;
	uint32_t n_known; /* guards that the optimiser took out, because they hold here anyway */
	uint32_t tail; /* 1 + slot of the program that goes on in its place (emit/split.h), or 0 */
	const struct ir_chain *part_of; /* whose rules they are (opt/parts.c); NULL: its own */
	const struct ir_parted *parted; /* what of its rules went to parts; NULL: nothing */
	const struct chain *origin;
};

/* A program to be attached: the compiled base chains of one hook and priority, in running order. */
struct ir_prog {
	const char *name; /* C identifier of at most 15 characters: "v4_input_0" */
	uint8_t pf;	  /* NFPROTO_IPV4, NFPROTO_IPV6 */
	uint8_t hook;	  /* NF_INET_* */
	int32_t priority; /* the chains' own; where the link goes is the run time's matter */
	struct ir_chain **bases;
	uint32_t n_bases;
};

struct ir {
	struct arena *arena;
	struct ir_prog *progs;
	uint32_t n_progs;
	struct ir_chain **chains;
	uint32_t n_chains;
	struct ir_template **templates;
	uint32_t n_templates;
	struct ir_set **sets;
	uint32_t n_sets;
	struct ir_state **states;
	uint32_t n_states;
	uint32_t n_counters;	    /* per-CPU states */
	uint32_t shared_state_size; /* bytes of the shared area, 8-aligned pieces */
	uint32_t elem_state_size;   /* the same of what elements keep */
	uint32_t n_sels;
	uint32_t n_dispatches;
	uint32_t n_parts; /* chains that the optimiser made of others */
	bool calls_boxes, calls_others; /* look-ups are calls (calls.h) */
	uint64_t seed; /* of hashes in tables */
	uint64_t read_ns; /* CLOCK_MONOTONIC when the ruleset was read: ir_elem.expires counts on */
	struct ir_tables *tables; /* ir_index.h: hash-consing, find by name */
};

struct ir *ir_new(void); /* with an arena of its own */
void ir_free(struct ir *ir);
void ir_freep(struct ir **ir);
struct ir_chain *ir_chain_new(struct ir *ir, uint8_t pf, uint8_t family, const char *table,
			      const char *name);
struct ir_chain *ir_chain_find(const struct ir *ir, uint8_t pf, uint8_t family, const char *table,
			       const char *name);
struct ir_prog *ir_prog_new(struct ir *ir);
struct ir_dispatch *ir_dispatch_new(struct ir *ir);
/* The chain whose rule it is. */
static inline const struct ir_chain *ir_rule_chain(const struct ir_rule *r)
{
	return r->chain->part_of ? r->chain->part_of : r->chain;
}
/* The rules of @r, itself first, then those behind its dispatch: ir_rule_part(r, 0 … parts - 1). */
static inline bool ir_rule_is_dispatch(const struct ir_rule *r)
{
	return r->n_steps && r->steps[r->n_steps - 1].kind == IR_DISPATCH;
}
static inline uint32_t ir_rule_parts(const struct ir_rule *r)
{
	return ir_rule_is_dispatch(r) ? r->steps[r->n_steps - 1].dispatch->n_rules + 1 : 1;
}
static inline const struct ir_rule *ir_rule_part(const struct ir_rule *r, uint32_t i)
{
	return i ? &r->steps[r->n_steps - 1].dispatch->rules[i - 1] : r;
}

/* ---- text ---- */
void ir_print(const struct ir *ir, FILE *out);
/* The same as malloc'ed text; NULL: out of memory. */
char *ir_to_text(const struct ir *ir);
void ir_sel_print(const struct ir_sel *sel, FILE *out);
void ir_step_print(const struct ir_step *step, FILE *out);
/* Reads what ir_print() wrote; errors with line and column into @ds, then -EINVAL. */
int ir_parse(const char *text, size_t len, const char *file, struct diags *ds, struct ir **ret_ir);

/* Every invariant of this file; the first violation as malloc'ed text, or NULL. */
char *ir_check(const struct ir *ir);

#endif
