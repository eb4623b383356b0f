/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the backend: what one emission holds, and the steps it is made of.
 *
 * backend.c (child process) → module.c (object out), helpers.c (bitcode in), debug.c (debug info) →
 * prog.c, function.c (programs and functions of theirs) → chain.c, flow.c (chains as block lists) →
 * rule.c → guard.c, set.c, dispatch.c, effect.c → sel.c, value.c (selectors as chunks). What plan.h
 * and split.h declare is decided before anything is emitted, and knows no LLVM.
 */
#ifndef NFT_BPF_COMPILER_EMIT_GEN_H
#define NFT_BPF_COMPILER_EMIT_GEN_H

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/TargetMachine.h>

#include "emit.h"
#include "plan.h"

/* Instructions of all programs, about: a minute of LLVM's time and 800 MB. */
#define GEN_MAX_TOTAL 1800000
#define GEN_MAX_CHUNKS (IR_MAX_WIDTH / 8)

/* A selector's value: chunk i is an i32 when it holds up to 4 bytes, else an i64 (bpf/nb.h). */
struct val {
	uint32_t width;
	LLVMValueRef chunk[GEN_MAX_CHUNKS];
	/*
	 * What a value from a slot may need before it counts. Equality and ranges test it after they
	 * matched (with a sentinel they need not), which costs nothing on the way past a rule.
	 */
	uint32_t defined_at; /* offset in the frame of its "defined" (1); 0: no need to test */
	bool has_sentinel;
};

#define GEN_SENTINEL 0xffffffffu /* in the slot of a value of up to 3 bytes */

struct gen_slot {
	int32_t value[GEN_MAX_CHUNKS]; /* byte offsets in the frame; -1: none */
	int32_t defined;
};

/* Blocks of a chain in a function: of each rule's start that is not inside a part, and its end. */
struct gen_chain {
	LLVMBasicBlockRef *rules; /* n_rules + 1 */
	LLVMMetadataRef scope;
};

/* A function that is being emitted: the program's own, a part, or a chain (function.c). */
struct gen_fn {
	const struct plan_fn *plan;
	struct gen_chain *chains; /* as plan->chains */
	struct gen_chain own;	  /* of plan->run; its rules are numbered from the run's first on */
	LLVMValueRef fn;
	LLVMMetadataRef subprogram;
	LLVMBasicBlockRef entry; /* allocas */
	LLVMValueRef pkt, frame;
	LLVMValueRef key;      /* see gen_key_buffer() */
	LLVMValueRef counters; /* where this CPU's block is kept; NULL: no counters in use */
	LLVMValueRef element;  /* room for a new one's value; NULL until needed */
	LLVMValueRef numbers;  /* that dispatches go by; NULL until needed */
	/* What it may return besides 0, "go on" (of a chain: it returned): 1 + index. */
	bool is_callee;
	struct ir_verdict *exits; /* with a chain: a goto to one that stands for a program */
	size_t n_exits;
};

struct gen_prog {
	const struct ir_prog *prog;
	struct plan *plan;
	uint32_t n_functions;
	struct gen_fn **functions; /* by plan number: chains that are functions */
	/* What is found at the start of a rule that is on every way to those that need it. */
	struct gen_need {
		bool any;
		struct plan_pos pos;
	} transport, counters;
	bool needs_key;
	bool rule_looks, rule_counts; /* the rule that gen_find_needs() is at */
	/* Offsets in the frame: length and CPU for counters, the keys' buffer (0: none); its end. */
	uint32_t len_at, cpu_at, key_at, frame_size;
	LLVMMetadataRef di_frame;
	LLVMBasicBlockRef *bases; /* n_bases + 1: start of each base chain; the last accepts */
	LLVMBasicBlockRef drop;
	struct gen_slot *slots;	    /* by selector id */
	bool *placing;		    /* by selector id: being computed for its slot */
	/* Values of the running rule, by selector id; valid where stamp equals the rule's. */
	struct rule_value {
		uint32_t stamp;
		struct val val;
	} *cache;
	uint32_t stamp;
	/* Of the running rule's counters and chain, next first; NULL: its own. */
	const LLVMValueRef *numbers;
	LLVMValueRef record;   /* of the running chain; NULL: not asked for in this rule */
	uint32_t records_at;   /* in the frame: their numbers */
	uint32_t member_at;    /* the number that a group is called with */
	uint32_t chain; /* plan index of the running chain */
	uint32_t rule;	/* index in its rules */
};

struct gen {
	struct ir *ir;
	const struct emit_options *opt;
	struct diags *ds;
	struct arena *arena;
	struct diag_place at; /* what is being emitted */
	int error;	      /* first -errno */

	LLVMContextRef ctx;
	LLVMModuleRef mod;
	LLVMPassManagerRef reader; /* of helpers' bodies */
	LLVMTargetMachineRef tm;
	LLVMBuilderRef b;
	LLVMDIBuilderRef di;
	LLVMTypeRef i1, i8, i16, i32, i64, ptr;
	LLVMMetadataRef cu, file;
	LLVMMetadataRef di_int, di_u8, di_u32, di_u64;
	LLVMValueRef counters, state; /* globals; NULL: none */
	LLVMValueRef *set_maps;	      /* by ir_set id */
	LLVMValueRef parts; /* the map of programs, until it is made; NULL: none is asked for */
	LLVMValueRef *part_fns; /* by slot (split.h) */
	uint32_t n_parts;
	uint64_t total; /* of all programs so far, as plans estimate */
	unsigned md_prof;
	struct gen_reach { /* helpers of which it is known */
		LLVMValueRef fn;
		bool transport;
	} *reach;
	size_t n_reach;
	struct gen_prog *p;
	struct gen_fn *f;
};

/* An error that the user reads; emission goes on so that others are found, but nothing comes out. */
void gen_error(struct gen *g, int error, const char *code, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* module.c */
int gen_init(struct gen *g);
void gen_fini(struct gen *g);
int gen_finish(struct gen *g, struct emitted *ret);

/* helpers.c */
int gen_helpers_init(struct gen *g); /* makes the module */
void gen_helpers_fini(struct gen *g);
LLVMValueRef gen_function(struct gen *g, const char *name); /* read when asked for; NULL: none */
bool gen_reaches_transport(struct gen *g, LLVMValueRef fn);

/* debug.c */
void gen_debug_init(struct gen *g);
LLVMMetadataRef gen_debug_prog(struct gen *g, LLVMValueRef fn, const char *name);
/* int name(struct bpf_nf_ctx *ctx, struct FRAME *frame), FRAME being @size bytes. */
LLVMMetadataRef gen_debug_frame(struct gen *g, const char *name, uint32_t size);
LLVMMetadataRef gen_debug_part(struct gen *g, LLVMValueRef fn, const char *name,
			       LLVMMetadataRef frame);
/* int name(u64 at, [u64 field,] struct { @key_size bytes } *key): @n arguments. */
void gen_debug_lookup(struct gen *g, LLVMValueRef fn, const char *name, uint32_t n,
		      uint32_t key_size);
LLVMMetadataRef gen_debug_chain(struct gen *g, LLVMMetadataRef subprogram,
				const struct ir_chain *c);
void gen_debug_at(struct gen *g, LLVMMetadataRef scope, unsigned line);
LLVMMetadataRef gen_debug_bytes(struct gen *g, uint64_t n);
void gen_debug_global(struct gen *g, LLVMValueRef global, LLVMMetadataRef type);
LLVMValueRef gen_map(struct gen *g, const char *name, uint32_t type, uint32_t key_size,
		     uint32_t value_size, uint32_t max_entries, uint32_t flags);
/* Of programs, which libbpf fills in. */
LLVMValueRef gen_map_programs(struct gen *g, const char *name, LLVMValueRef *fns, uint32_t n);

/* value.c: numbers, branches, chunks */
static inline uint32_t val_chunks(uint32_t width)
{
	return (width + 7) / 8;
}
static inline uint32_t chunk_bytes(uint32_t width, uint32_t i)
{
	return MIN(width - 8 * i, 8u);
}
LLVMTypeRef chunk_type(struct gen *g, uint32_t width, uint32_t i);
LLVMValueRef gen_i32(struct gen *g, uint32_t v);
LLVMValueRef gen_i64(struct gen *g, uint64_t v);
uint64_t bytes_chunk(const uint8_t *bytes, uint32_t width, uint32_t i);
LLVMValueRef chunk_cast(struct gen *g, LLVMValueRef v, uint32_t width, uint32_t i);
struct val val_const(struct gen *g, const uint8_t *bytes, uint32_t width);
struct val val_concat(struct gen *g, const struct val *parts, uint32_t n);
struct val val_slice(struct gen *g, const struct val *v, uint32_t first, uint32_t width);
struct val val_bswap(struct gen *g, const struct val *v, uint32_t unit);
struct val val_shift(struct gen *g, const struct val *v, enum ir_op op, uint32_t bits);
LLVMValueRef gen_bswap(struct gen *g, LLVMValueRef v, uint32_t bytes);

LLVMBasicBlockRef gen_block(struct gen *g, const char *name);
LLVMBasicBlockRef gen_here(struct gen *g);
void gen_at(struct gen *g, LLVMBasicBlockRef bb);
void gen_goto(struct gen *g, LLVMBasicBlockRef bb);
/* Goes on in @then if @cond, which is the rare way when @rare. */
void gen_branch(struct gen *g, LLVMValueRef cond, LLVMBasicBlockRef then, LLVMBasicBlockRef other,
		bool rare);
/* Goes on where @cond holds, leaves to @fail otherwise; @rare as above. */
void gen_require(struct gen *g, LLVMValueRef cond, LLVMBasicBlockRef fail, bool rare);
LLVMValueRef gen_alloca(struct gen *g, LLVMTypeRef type, const char *name);
/* A load or store of the frame that stays where it is, as often as it is written. */
LLVMValueRef gen_frame_load(struct gen *g, LLVMTypeRef type, uint32_t offset);
void gen_frame_store(struct gen *g, LLVMValueRef v, uint32_t offset);

/* Room for a key of up to IR_MAX_WIDTH bytes, one for all look-ups: the stack is small. */
LLVMValueRef gen_key_buffer(struct gen *g);

/* sel.c */
/*
 * The value, or to @fail when it has none; may leave a test to gen_need(). Valid to the end of the
 * rule.
 */
struct val *gen_sel(struct gen *g, const struct ir_sel *sel, LLVMBasicBlockRef fail);
/* Tests what gen_sel() left. */
void gen_need(struct gen *g, struct val *v, LLVMBasicBlockRef fail);
/* The same, both at once. */
struct val gen_sel_now(struct gen *g, const struct ir_sel *sel, LLVMBasicBlockRef fail);
/* Computes the selectors whose place is the start of this rule into their slots. */
void gen_place(struct gen *g, uint32_t chain, uint32_t rule);
/* Lays kept values out from @base on; returns the end. */
uint32_t gen_slots_init(struct gen *g, uint32_t base);
/* Chunks as an array of u64 for helpers. */
LLVMValueRef gen_chunk_array(struct gen *g, const struct val *vals, uint32_t n);

/* guard.c: go on where it holds, else to @fail */
void gen_guard(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail);
/* v < bytes (or <=) as branches. */
void val_less(struct gen *g, const struct val *v, const uint8_t *bytes, bool or_equal,
	      LLVMBasicBlockRef yes, LLVMBasicBlockRef no);

void val_range(struct gen *g, const struct val *v, const uint8_t *lo, const uint8_t *hi,
	       LLVMBasicBlockRef yes, LLVMBasicBlockRef no);
/* The same with bounds that are not known before: lo <= hi. */
void val_between(struct gen *g, const struct val *v, const struct val *lo, const struct val *hi,
		 LLVMBasicBlockRef yes, LLVMBasicBlockRef no);

/* set.c */
/*
 * A look-up. hit() is called with the builder in a block of its own, once for each way to hit, and
 * has to end the block; @e is the element (of a verdict map: one with this verdict), or NULL when
 * it is only known at run time; @data then is what a map of data holds. With a verdict map @data is
 * the record of the chain that the verdict leads to, or NULL: as the chain says.
 */
struct set_hit {
	void (*hit)(struct gen *g, void *arg, const struct ir_elem *e, const struct val *data);
	void *arg;
	LLVMBasicBlockRef miss;
	/* Where an element's limit or quota ends the rule; NULL: what elements keep is left alone. */
	LLVMBasicBlockRef broken;
	const struct ir_params *params; /* of elements: what a record says; NULL: none */
	const struct ir_step *step; /* of a verdict map */
};
void gen_lookup(struct gen *g, const struct ir_set *set, const struct val *key,
		const struct set_hit *h);
void gen_in_set(struct gen *g, const struct ir_set *set, const struct val *key,
		const struct ir_params *params, LLVMBasicBlockRef hit, LLVMBasicBlockRef miss,
		LLVMBasicBlockRef broken);
/* @width bytes at @from as chunks. */
struct val gen_load_bytes(struct gen *g, LLVMValueRef from, uint32_t width);
struct val gen_map_data(struct gen *g, const struct ir_set *set, const struct val *key,
			LLVMBasicBlockRef miss);

/* effect.c */
void gen_effect(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail);
LLVMValueRef gen_state_at(struct gen *g, const struct ir_state *state); /* NULL: it keeps nothing */
void gen_state_effect(struct gen *g, const struct ir_state *state, LLVMBasicBlockRef fail);
void gen_globals(struct gen *g);
/* Finds this CPU's counters, and the length that they add. */
void gen_counters_init(struct gen *g, bool is_new);

/* record.c: what the running chain, a template's model, takes out of its record */
/* Before the words: finds the record. Valid to the end of the rule. */
void gen_record_begin(struct gen *g);
/* 1 + a word's number, as struct ir_params has it. */
LLVMValueRef gen_record_word(struct gen *g, uint32_t at);
struct val gen_record_const(struct gen *g, uint32_t at, uint32_t width);
/* Chain @to (plan number) is to run by this record, if by any. */
void gen_record_pass(struct gen *g, uint32_t to, LLVMValueRef number);

/* dynset.c: sets that packets change */
void gen_dynset(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail);
void gen_dynamic_find(struct gen *g, const struct ir_set *set, const struct val *key,
		      const struct set_hit *h);

/* tail.c: parts of a program that are programs (split.h) */
/* Ends the block: the program in @slot goes on. */
void gen_tail_call(struct gen *g, uint32_t slot);
/* Makes their map, when all programs are there. */
void gen_parts(struct gen *g);

/* rule.c */
void gen_rule(struct gen *g, const struct ir_rule *rule, LLVMBasicBlockRef next);
/* @record: of the chain that it leads to; NULL: as the chain says. */
void gen_verdict(struct gen *g, const struct ir_verdict *v, LLVMValueRef record);

/* dispatch.c */
/* Ends the block: to what the row found says, or to @next. */
void gen_dispatch(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef next);

/* flow.c: ways through chains */
/* To targets[i] where @number is numbers[i] (ascending); it is one of them. */
void gen_number_tree(struct gen *g, LLVMValueRef number, const uint32_t *numbers,
		     LLVMBasicBlockRef *targets, uint32_t n);
/* End the block: the running chain accepts, drops, returns, jumps or goes to another one. */
void gen_accept(struct gen *g);
void gen_drop(struct gen *g);
void gen_return(struct gen *g);
void gen_call(struct gen *g, const struct ir_chain *c, bool is_jump, LLVMValueRef record);
/* As gen_call(), for a chain that stands for a part. */
void gen_tail(struct gen *g, const struct ir_chain *c);
/* The body of a group: to the member that it is called for. */
void gen_group(struct gen *g);
/* Notes which base chain runs. */
void gen_base_number(struct gen *g, uint32_t base);

/* chain.c */
/* Blocks for the run's rules and for all chains of the function. */
void gen_make_blocks(struct gen *g);
/* The run's rules, then the chains. The run's end is left to the caller. */
void gen_run(struct gen *g);
LLVMBasicBlockRef gen_rule_block(struct gen *g, uint32_t chain, uint32_t rule);

/* function.c */
void gen_function_attributes(struct gen *g, LLVMValueRef fn, bool no_inline);
/* All chains that are functions. */
void gen_chain_functions(struct gen *g);
/* Calls a part of the running chain, or a chain, and goes where it says; 0 is @next. */
void gen_part(struct gen *g, const struct plan_run *part, LLVMBasicBlockRef next);
void gen_call_function(struct gen *g, const struct gen_fn *f, LLVMBasicBlockRef next);

/* prog.c */
void gen_prog(struct gen *g, const struct ir_prog *prog);
/* The packet as rules see it; @is_new false: in a function that gets a filled frame. */
void gen_packet(struct gen *g, bool is_new);
/* Finds its transport header; where gen_prog.transport says. */
void gen_transport(struct gen *g);

/* needs.c */
/* What helpers the program's rules call need, and where. */
void gen_find_needs(struct gen *g);
bool gen_at_start(struct plan_pos pos);

#endif
