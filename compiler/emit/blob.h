/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups in the structures of classify.h, for dispatches and sets.
 */
#ifndef NFT_BPF_COMPILER_EMIT_BLOB_H
#define NFT_BPF_COMPILER_EMIT_BLOB_H

#include "../classify/classify.h"
#include "../template.h"
#include "gen.h"

/*
 * The map @name, an object's section ".data.NAME". @blob NULL: it is made and filled by whoever loads
 * the object, and what stands there is of no use.
 */
LLVMValueRef gen_blob_global(struct gen *g, const char *name, const void *blob, size_t size);
/* A part of the map of all that no one ever changes: a program has 64 maps at most. */
LLVMValueRef gen_blob_table(struct gen *g, const char *name, const void *blob, size_t size,
			    const struct map_place *place);
LLVMValueRef gen_blob_tables_map(struct gen *g, const struct map_place *place);
/* Of a blob that is looked up by a function, for all that are in the map. */
struct gen_share {
	LLVMValueRef map;
	const char *name;      /* the map's */
	uint64_t at;	       /* the blob's place there */
	uint64_t last;	       /* the last blob's */
	uint64_t limit;	       /* the largest blob's, which holds behind each of them */
};
/*
 * shared.c: a function that calls @target, which is @what, for any blob of the map. Its @n arguments:
 * the blob's place, what @target has behind the limit, last the key.
 */
LLVMValueRef gen_shared_function(struct gen *g, const struct gen_share *s, const char *what,
				 LLVMValueRef target, uint32_t n, uint32_t key_size);
/*
 * An index, or CLASSIFY_MISS. @fields: one key; of BOXES its fields. @share: NULL: in line.
 */
LLVMValueRef gen_blob_find(struct gen *g, LLVMValueRef blob, const struct gen_share *share,
			   const struct classify_info *info, const struct val *fields, uint32_t n);
/* @index if its element has not expired, else the catch-all's, or CLASSIFY_MISS. */
LLVMValueRef gen_blob_live(struct gen *g, LLVMValueRef blob, const struct classify_info *info,
			   LLVMValueRef index);
/*
 * Where the value of @index begins, which must have been compared; @like: memory laid out like the
 * blob's.
 */
LLVMValueRef gen_blob_value(struct gen *g, LLVMValueRef blob, const struct classify_info *info,
			    const void *like, LLVMValueRef index, uint32_t offset);
/* Its @i-th word of 4 bytes. */
LLVMValueRef gen_blob_word(struct gen *g, LLVMValueRef blob, const struct classify_info *info,
			   const void *like, LLVMValueRef index, uint32_t i);

/*
 * effect.c: a state effect whose state is at @at, with IR_EFFECT_PARAMS @params (NULL: like @like), and
 * that is otherwise like @like.
 */
void gen_state_effect_at(struct gen *g, const struct ir_state *like, LLVMValueRef at,
			 const LLVMValueRef *params, LLVMBasicBlockRef fail);
/* set_state.c: what elements of a map of classify.h keep or stand for: @index's, and one of it at @word. */
void gen_elem_states(struct gen *g, const struct ir_set *set, const struct set_table *t,
		     const struct set_hit *hit, LLVMValueRef blob, LLVMValueRef index);
void gen_elem_state(struct gen *g, const struct set_hit *hit, const struct ir_state *like,
		    LLVMValueRef word, const LLVMValueRef *params);
/* dynset.c: the same, of what an element keeps. */
void gen_kept_state(struct gen *g, const struct ir_state *like, LLVMValueRef at,
		    const LLVMValueRef *params, LLVMBasicBlockRef broken);

#endif
