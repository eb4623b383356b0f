/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets that packets change (dynamic.h): look-ups in their map, and adding, updating, deleting. The
 * work is done by bpf/dynset.bpf.c; here are the key and the new element in memory, and what the
 * element found keeps.
 */
#include <errno.h>

#include "../dynamic.h"
#include "blob.h"
#include "gen.h"

enum { BPF_MAP_TYPE_HASH = 1, BPF_F_NO_PREALLOC = 1 };
enum { P_OP, P_TIMEOUT, P_INTERVAL, P_INVERT, P_FLAGS }; /* expr/dynset.c */
enum { OP_ADD, OP_UPDATE, OP_DELETE };			    /* NFT_DYNSET_OP_* */

#define MAX_PREALLOC (64u << 20) /* bytes; larger maps grow as they are filled */
#define ELEM_OVERHEAD 48	 /* struct htab_elem */

/* struct dyn_head of each set. */
static LLVMValueRef heads(struct gen *g)
{
	size_t size = g->ir->n_sets * sizeof(struct dyn_head);

	return gen_blob_global(g, DYN_SETS_MAP, arena_alloc(g->arena, size), size);
}

static LLVMValueRef head_of(struct gen *g, const struct ir_set *set)
{
	LLVMValueRef at = gen_i64(g, set->id * sizeof(struct dyn_head));

	return LLVMBuildInBoundsGEP2(g->b, g->i8, heads(g), &at, 1, "");
}

static LLVMValueRef map_of(struct gen *g, const struct ir_set *set)
{
	char *name = arena_printf(g->arena, "dyn_%u", set->id);
	LLVMValueRef map = LLVMGetNamedGlobal(g->mod, name);
	uint32_t key = dyn_key_size(set), value = dyn_value_size(set), n = dyn_capacity(set);
	bool prealloc = set->grows && (uint64_t)n * (key + value + ELEM_OVERHEAD) <= MAX_PREALLOC;

	if (map)
		return map;
	/* Also where no program asks for a head: the run time notes in it whose map it is. */
	heads(g);
	/* Preallocated ones hold exactly as many elements as they say, also with CPUs at odds. */
	return gen_map(g, name, BPF_MAP_TYPE_HASH, key, value, n, prealloc ? 0 : BPF_F_NO_PREALLOC);
}

static LLVMValueRef at_byte(struct gen *g, LLVMValueRef base, uint32_t offset)
{
	LLVMValueRef at = gen_i64(g, offset);

	return LLVMBuildInBoundsGEP2(g->b, g->i8, base, &at, 1, "");
}

/* The bytes of the register, padded with zeros to 8. */
static void store_value(struct gen *g, const struct val *v, LLVMValueRef base, uint32_t offset)
{
	for (uint32_t i = 0; i < val_chunks(v->width); i++) {
		uint32_t n = chunk_bytes(v->width, i);
		LLVMValueRef c = LLVMBuildZExt(g->b, v->chunk[i], g->i64, "");

		if (n < 8)
			c = LLVMBuildShl(g->b, c, gen_i64(g, 64 - 8 * n), "");
		LLVMBuildStore(g->b, gen_bswap(g, c, 8), at_byte(g, base, offset + 8 * i));
	}
}

static LLVMValueRef store_key(struct gen *g, const struct val *key)
{
	LLVMValueRef at = gen_key_buffer(g);

	store_value(g, key, at, 0);
	return at;
}

static LLVMValueRef call(struct gen *g, const char *name, LLVMValueRef *args, uint32_t n)
{
	LLVMValueRef fn = gen_function(g, name);

	if (!fn) {
		gen_error(g, -ENOSYS, "helper-missing", "no BPF function %s", name);
		return LLVMConstNull(g->ptr);
	}
	return LLVMBuildCall2(g->b, LLVMGlobalGetValueType(fn), fn, args, n, "");
}

/* ---- what an element keeps ---- */

void gen_kept_state(struct gen *g, const struct ir_state *like, LLVMValueRef at,
		    const LLVMValueRef *params, LLVMBasicBlockRef broken)
{
	LLVMValueRef args[2] = {g->f->pkt, at};

	if (like->op->per_cpu)
		call(g, "nb_dyn_count", args, 2);
	else
		gen_state_effect_at(g, like, at, params, broken);
}

/* nft_set_elem_update_expr(): one that breaks ends it. */
static void run_states(struct gen *g, const struct ir_set *set, LLVMValueRef elem,
		       LLVMBasicBlockRef broken)
{
	LLVMBasicBlockRef keeps, done;
	LLVMValueRef flags;

	if (!set->n_like)
		return;
	keeps = gen_block(g, "keeps");
	done = gen_block(g, "kept");
	flags = LLVMBuildLoad2(g->b, g->i32,
			       at_byte(g, elem, offsetof(struct dyn_value, flags)), "");
	flags = LLVMBuildAnd(g->b, flags, gen_i32(g, DYN_HAS_STATE), "");
	gen_branch(g, LLVMBuildICmp(g->b, LLVMIntNE, flags, gen_i32(g, 0), ""), keeps, done, false);
	gen_at(g, keeps);
	for (uint32_t i = 0; i < set->n_like; i++)
		gen_kept_state(g, set->like[i], at_byte(g, elem, dyn_state_at(set, i)), NULL,
			       broken);
	gen_goto(g, done);
	gen_at(g, done);
}

static LLVMValueRef is_there(struct gen *g, LLVMValueRef elem)
{
	return LLVMBuildICmp(g->b, LLVMIntNE, elem, LLVMConstNull(g->ptr), "");
}

/* ---- look-ups ---- */

void gen_dynamic_find(struct gen *g, const struct ir_set *set, const struct val *key,
		      const struct set_hit *h)
{
	LLVMValueRef args[3] = {map_of(g, set), NULL, gen_i64(g, set->has_timeout)}, elem;
	struct val data;

	args[1] = store_key(g, key);
	elem = call(g, "nb_dyn_find", args, 3);
	gen_require(g, is_there(g, elem), h->miss, false);
	if (set->kind == IR_DATA_MAP)
		data = gen_load_bytes(g, at_byte(g, elem, sizeof(struct dyn_value)),
				      set->data_width);
	if (h->broken)
		run_states(g, set, elem, h->broken);
	h->hit(g, h->arg, NULL, set->kind == IR_DATA_MAP ? &data : NULL);
}

/* ---- changes ---- */

/* One for all rules of a function: as large as the largest. */
static LLVMValueRef room_for_element(struct gen *g)
{
	uint32_t size = 0;

	if (g->f->element)
		return g->f->element;
	for (uint32_t i = 0; i < g->ir->n_sets; i++)
		if (g->ir->sets[i]->is_dynamic)
			size = MAX(size, dyn_value_size(g->ir->sets[i]));
	g->f->element = gen_alloca(g, LLVMArrayType(g->i64, size / 8), "element");
	return g->f->element;
}

static LLVMValueRef make_element(struct gen *g, const struct ir_step *st, const struct val *data)
{
	const struct ir_set *set = st->set;
	LLVMValueRef elem = room_for_element(g);
	uint64_t words[2];

	LLVMBuildStore(g->b, gen_i64(g, st->param[P_TIMEOUT]),
		       at_byte(g, elem, offsetof(struct dyn_value, timeout)));
	LLVMBuildStore(g->b, gen_i64(g, st->param[P_FLAGS]),
		       at_byte(g, elem, offsetof(struct dyn_value, flags)));
	if (data)
		store_value(g, data, elem, sizeof(struct dyn_value));
	for (uint32_t i = 0; i < set->n_like; i++) {
		dyn_state_init(set->like[i], set->like_exprs ? set->like_exprs->array[i].attrs :
							       (struct blob){0},
			       0, words);
		for (uint32_t k = 0; k < dyn_state_size(set->like[i]->op->name) / 8; k++)
			LLVMBuildStore(g->b, gen_i64(g, words[k]),
				       at_byte(g, elem, dyn_state_at(set, i) + 8 * k));
	}
	return elem;
}

static void add(struct gen *g, const struct ir_step *st, const struct val *key,
		const struct val *data, LLVMBasicBlockRef fail)
{
	LLVMBasicBlockRef full = st->param[P_INVERT] ? gen_block(g, "full") : fail;
	LLVMValueRef args[8] = {
		map_of(g, st->set),
		head_of(g, st->set),
		store_key(g, key),
		make_element(g, st, data),
		gen_i64(g, dyn_value_size(st->set) / 8),
		gen_i64(g, st->param[P_TIMEOUT]),
		gen_i64(g, st->param[P_OP] == OP_UPDATE),
		gen_i64(g, st->param[P_INTERVAL]),
	};
	LLVMValueRef elem = call(g, "nb_dyn_add", args, ARRAY_SIZE(args));

	gen_require(g, is_there(g, elem), full, true);
	run_states(g, st->set, elem, fail);
	if (!st->param[P_INVERT])
		return;
	gen_goto(g, fail);
	gen_at(g, full);
}

void gen_dynset(struct gen *g, const struct ir_step *st, LLVMBasicBlockRef fail)
{
	struct val key = gen_sel_now(g, st->args[0], fail), data;
	LLVMValueRef args[2];

	if (st->param[P_OP] == OP_DELETE) {
		args[0] = map_of(g, st->set);
		args[1] = store_key(g, &key);
		call(g, "nb_dyn_delete", args, 2);
		return;
	}
	if (st->n_args > 1)
		data = gen_sel_now(g, st->args[1], fail);
	add(g, st, &key, st->n_args > 1 ? &data : NULL, fail);
}
