/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Effects: counters in place, all others through their helpers.
 */
#include <errno.h>

#include "../template.h"
#include "blob.h"
#include "gen.h"

enum { BPF_FUNC_get_smp_processor_id = 8, NF_LOCAL_OUT = 3, NF_POST_ROUTING = 4 };

void gen_globals(struct gen *g)
{
	if (g->ir->n_counters) {
		uint64_t words = (uint64_t)g->opt->cpus * emit_counter_stride(g->ir) / 8;
		LLVMTypeRef type = LLVMArrayType(g->i64, (unsigned)words);

		g->counters = LLVMAddGlobal(g->mod, type, "nb_counters");
		LLVMSetInitializer(g->counters, LLVMConstNull(type));
		LLVMSetAlignment(g->counters, 64);
		gen_debug_global(g, g->counters, gen_debug_bytes(g, words * 8));
	}
	if (g->ir->shared_state_size) {
		uint32_t size = g->ir->shared_state_size;
		uint8_t *init = arena_alloc(g->arena, size);

		for (uint32_t i = 0; i < g->ir->n_states; i++) {
			const struct ir_state *st = g->ir->states[i];

			if (!st->op->per_cpu && !st->in_elem && st->init &&
			    !g->opt->maps_elsewhere)
				memcpy(init + st->index, st->init, st->op->state_size);
		}
		g->state = LLVMAddGlobal(g->mod, LLVMArrayType(g->i8, size), "nb_state");
		LLVMSetInitializer(g->state, LLVMConstStringInContext(g->ctx, (char *)init, size, 1));
		LLVMSetSection(g->state, ".data.state");
		LLVMSetAlignment(g->state, 8);
		gen_debug_global(g, g->state, gen_debug_bytes(g, size));
	}
}

static LLVMValueRef packet_len(struct gen *g)
{
	LLVMValueRef fn = gen_function(g, "nb_len");

	if (fn)
		return LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, &g->f->pkt, 1, "len");
	gen_error(g, -EINVAL, "bitcode", "the embedded BPF helpers lack nb_len");
	return gen_i32(g, 0);
}

/*
 * The frame keeps the length, and the CPU for the program's parts; the mask bounds it for the
 * verifier.
 */
void gen_counters_init(struct gen *g, bool is_new)
{
	LLVMTypeRef type = LLVMFunctionType(g->i32, NULL, 0, 0);
	LLVMValueRef helper =
		LLVMConstIntToPtr(gen_i64(g, BPF_FUNC_get_smp_processor_id), g->ptr);
	LLVMValueRef cpu;

	if (is_new)
		cpu = LLVMBuildCall2(g->b, type, helper, NULL, 0, "cpu");
	else
		cpu = gen_frame_load(g, g->i32, g->p->cpu_at);
	if (is_new)
		gen_frame_store(g, packet_len(g), g->p->len_at);
	if (is_new && g->p->plan->n_functions)
		gen_frame_store(g, cpu, g->p->cpu_at);
	cpu = LLVMBuildAnd(g->b, cpu, gen_i32(g, g->opt->cpus - 1), "");
	cpu = LLVMBuildZExt(g->b, cpu, g->i64, "");
	cpu = LLVMBuildMul(g->b, cpu, gen_i64(g, emit_counter_stride(g->ir)), "");
	LLVMBuildStore(g->b, LLVMBuildInBoundsGEP2(g->b, g->i8, g->counters, &cpu, 1, "counters"),
		       g->f->counters);
}

/* The counter @at bytes into this CPU's. */
static LLVMValueRef counter_at(struct gen *g, LLVMValueRef at)
{
	LLVMValueRef base = LLVMBuildLoad2(g->b, g->ptr, g->f->counters, "");

	return LLVMBuildInBoundsGEP2(g->b, g->i8, base, &at, 1, "");
}

/*
 * The interpreter counts with softirqs off (nft_counter_do_eval()). Where a program runs in process
 * context a softirq on the same CPU may come between load and store: there the adds are atomic.
 */
static bool may_be_interrupted(struct gen *g)
{
	return g->opt->atomic_counters || g->p->prog->hook == NF_LOCAL_OUT ||
	       g->p->prog->hook == NF_POST_ROUTING;
}

static void add_to(struct gen *g, LLVMValueRef where, LLVMValueRef n)
{
	LLVMValueRef v;

	if (may_be_interrupted(g)) {
		LLVMBuildAtomicRMW(g->b, LLVMAtomicRMWBinOpAdd, where, n,
				   LLVMAtomicOrderingMonotonic, 0);
		return;
	}
	v = LLVMBuildLoad2(g->b, g->i64, where, "");
	LLVMSetVolatile(v, 1);
	LLVMSetVolatile(LLVMBuildStore(g->b, LLVMBuildAdd(g->b, v, n, ""), where), 1);
}

static void count_at(struct gen *g, LLVMValueRef packets)
{
	LLVMValueRef len = gen_frame_load(g, g->i32, g->p->len_at);
	LLVMValueRef eight = gen_i64(g, 8), bytes;

	bytes = LLVMBuildInBoundsGEP2(g->b, g->i8, packets, &eight, 1, "");
	add_to(g, packets, gen_i64(g, 1));
	add_to(g, bytes, LLVMBuildZExt(g->b, len, g->i64, ""));
}

static void count(struct gen *g, const struct ir_state *state)
{
	LLVMValueRef at = gen_i64(g, 16ull * state->index);

	count_at(g, counter_at(g, at));
}

static bool in_record(const struct ir_step *st)
{
	return st->params && st->params->state;
}

/* A number out of a map that is at most @most: the verifier does not know. */
static LLVMValueRef bounded(struct gen *g, LLVMValueRef number, uint32_t most,
			    LLVMBasicBlockRef fail)
{
	gen_require(g, LLVMBuildICmp(g->b, LLVMIntULE, number, gen_i32(g, most), ""), fail, false);
	return LLVMBuildZExt(g->b, number, g->i64, "");
}

/* A rule behind a dispatch, or of a model, shares its code with others: a record says which. */
static void count_step(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	LLVMValueRef at;

	if (g->p->numbers) {
		at = *g->p->numbers++;
	} else if (in_record(st)) {
		at = bounded(g, gen_record_word(g, st->params->state), emit_counter_room(g->ir) - 1, fail);
	} else {
		count(g, st->state);
		return;
	}
	at = LLVMBuildMul(g->b, at, gen_i64(g, 16), "");
	count_at(g, counter_at(g, at));
}

static void params_of(struct gen *g, const uint64_t *param, LLVMValueRef *ret)
{
	for (uint32_t i = 0; i < IR_EFFECT_PARAMS; i++)
		ret[i] = gen_i64(g, param[i]);
}

/* @at: the state; NULL: there is none. */
static void call_helper(struct gen *g, const struct ir_effect_op *op, LLVMValueRef at,
			const LLVMValueRef *params, const struct val *vals, uint32_t n_vals,
			LLVMBasicBlockRef fail)
{
	char *name = arena_printf(g->arena, "nb_%s", op->helper ? op->helper : "");
	LLVMValueRef fn = op->helper ? gen_function(g, name) : NULL;
	LLVMValueRef args[3 + IR_EFFECT_PARAMS], ok;

	if (!fn) {
		gen_error(g, -ENOSYS, "helper-missing", "%s: no BPF helper %s", op->name, name);
		return;
	}
	args[0] = g->f->pkt;
	args[1] = at ? at : LLVMConstNull(g->ptr);
	memcpy(args + 2, params, IR_EFFECT_PARAMS * sizeof(*params));
	args[2 + IR_EFFECT_PARAMS] = gen_chunk_array(g, vals, n_vals);
	ok = LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, args, ARRAY_SIZE(args), "");
	if (op->may_break) {
		ok = LLVMBuildICmp(g->b, LLVMIntNE, ok, LLVMConstNull(LLVMTypeOf(ok)), "");
		gen_require(g, ok, fail, false);
	}
}

LLVMValueRef gen_state_at(struct gen *g, const struct ir_state *state)
{
	LLVMValueRef at = gen_i64(g, state ? state->index : 0);

	if (!state || !state->op->state_size)
		return NULL;
	return LLVMBuildInBoundsGEP2(g->b, g->i8, g->state, &at, 1, "");
}

void gen_state_effect(struct gen *g, const struct ir_state *state, LLVMBasicBlockRef fail)
{
	if (state->op->per_cpu)
		count(g, state);
	else
		gen_state_effect_at(g, state, gen_state_at(g, state), NULL, fail);
}

void gen_state_effect_at(struct gen *g, const struct ir_state *like, LLVMValueRef at,
			 const LLVMValueRef *params, LLVMBasicBlockRef fail)
{
	LLVMValueRef own[IR_EFFECT_PARAMS];

	params_of(g, like->param, own);
	call_helper(g, like->op, at, params ? params : own, NULL, 0, fail);
}

static LLVMValueRef recorded_state(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	uint32_t most = g->ir->shared_state_size - st->effect->state_size;
	LLVMValueRef at = bounded(g, gen_record_word(g, st->params->state), most, fail);

	return LLVMBuildGEP2(g->b, g->i8, g->state, &at, 1, "");
}

void gen_effect(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	struct val *vals = arena_alloc(g->arena, (st->n_args + 1) * sizeof(*vals));
	LLVMValueRef at, params[IR_EFFECT_PARAMS];

	if (st->effect->per_cpu) {
		count_step(g, st, fail);
		return;
	}
	if (st->set) {
		gen_dynset(g, st, fail);
		return;
	}
	for (uint32_t i = 0; i < st->n_args; i++)
		vals[i] = gen_sel_now(g, st->args[i], fail);
	at = in_record(st) ? recorded_state(g, st, fail) : gen_state_at(g, st->state);
	params_of(g, st->state ? st->state->param : st->param, params);
	call_helper(g, st->effect, at, params, vals, st->n_args, fail);
}
