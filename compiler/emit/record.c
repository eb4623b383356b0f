/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of templates (template.h): the running chain's number lies in the frame, in a word of its
 * own for each level of such chains that call each other; all records of a template are a table.
 */
#include "../template.h"
#include "blob.h"

static LLVMValueRef records(struct gen *g, const struct ir_template *t)
{
	const char *name = arena_printf(g->arena, "tmpl_%u", t->id);
	size_t size = (size_t)template_room(t) * t->n_words * sizeof(uint32_t);
	LLVMValueRef map = LLVMGetNamedGlobal(g->mod, name);
	void *bytes;

	if (map)
		return map;
	bytes = arena_alloc(g->arena, size);
	memcpy(bytes, t->records, (size_t)t->n * t->n_words * sizeof(uint32_t));
	return gen_blob_table(g, name, bytes, size, &t->place);
}

static uint32_t slot(struct gen *g, uint32_t chain)
{
	return g->p->records_at + 4 * g->p->plan->chains[chain].record_level;
}

void gen_record_pass(struct gen *g, uint32_t to, LLVMValueRef number)
{
	if (g->p->plan->chains[to].has_record)
		gen_frame_store(g, number, slot(g, to));
}

void gen_record_begin(struct gen *g)
{
	const struct ir_template *t = g->p->plan->chains[g->p->chain].chain->template;
	LLVMValueRef at;

	if (g->p->record)
		return;
	at = gen_frame_load(g, g->i32, slot(g, g->p->chain));
	at = LLVMBuildAnd(g->b, at, gen_i32(g, template_room(t) - 1), "");
	at = LLVMBuildZExt(g->b, at, g->i64, "");
	at = LLVMBuildMul(g->b, at, gen_i64(g, t->n_words * sizeof(uint32_t)), "");
	g->p->record = LLVMBuildGEP2(g->b, g->i8, records(g, t), &at, 1, "record");
}

static LLVMValueRef load(struct gen *g, LLVMTypeRef type, uint32_t word)
{
	LLVMValueRef at = gen_i64(g, word * sizeof(uint32_t));

	at = LLVMBuildGEP2(g->b, g->i8, g->p->record, &at, 1, "");
	return LLVMBuildLoad2(g->b, type, at, "");
}

LLVMValueRef gen_record_word(struct gen *g, uint32_t at)
{
	return load(g, g->i32, at - 1);
}

struct val gen_record_const(struct gen *g, uint32_t at, uint32_t width)
{
	struct val v = {.width = width};

	for (uint32_t i = 0; i < val_chunks(width); i++)
		v.chunk[i] = load(g, chunk_type(g, width, i), at - 1 + 2 * i);
	return v;
}
