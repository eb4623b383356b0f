/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains of the same shape: they differ in constants, counters and where they jump to, no more. One
 * of them, the model, is code; what differs is a record of u32 words for each, and where a chain of
 * the template runs, its number says by which record. Programs do not grow with such chains.
 *
 * Nothing of this is in the text form, nor needed to know what the IR means: the optimiser finds it
 * (opt/template.c), each member keeps its own rules, and what runs the model must come to what they
 * say (ir_eval.c runs the model).
 *
 * A constant of a record is chunks of 8 bytes, each a native 64-bit number of two words, the last
 * one, if it has up to 4 bytes, a 32-bit number; a number of two words begins at an even word.
 */
#ifndef NFT_BPF_COMPILER_TEMPLATE_H
#define NFT_BPF_COMPILER_TEMPLATE_H

#include "ir.h"

/* In which map bytes lie, and where in it. */
struct map_place {
	uint32_t map, offset;
};

struct ir_template {
	uint32_t id; /* dense within the ir */
	struct ir_chain **members; /* the first is the model */
	uint32_t n;
	uint32_t n_words; /* of a record; even */
	uint32_t *records; /* by ir_chain.record */
	struct map_place place; /* table_place.c */
};

/*
 * What a step of a model takes out of the record: 1 + the word where it begins, or 0 where it is the
 * same in all members.
 */
struct ir_params {
	uint32_t lo, hi; /* of a guard */
	uint32_t state;	 /* ir_state.index */
	uint32_t target; /* ir_chain.record of the verdict's chain, whose template is the model's */
	/*
	 * The elements of the set, @elem_words for each, beginning at an even word: both bounds, if
	 * @elem_hi (0: they are the same in all members), its states' indexes, its verdict's target.
	 */
	uint32_t elems, elem_words, elem_hi, elem_states, elem_target;
};

enum {
	TEMPLATE_MAX_ELEMS = 64, /* of a set that a model asks by its record */
	TEMPLATE_MAX_KEYS = 8,	 /* the same where keys differ */
};

static inline uint32_t template_const_words(uint32_t width)
{
	return 2 * (width / 8) + (width % 8 > 4 ? 2 : width % 8 > 0);
}
void template_put_const(uint32_t *words, const uint8_t *bytes, uint32_t width);
void template_get_const(const uint32_t *words, uint32_t width, uint8_t *ret);

/* Records that there is room for: what the mask on their number lets through. */
static inline uint32_t template_room(const struct ir_template *t)
{
	uint32_t n = 1;

	while (n < t->n)
		n *= 2;
	return n;
}

/* What stands for @c in code. */
static inline const struct ir_chain *template_model(const struct ir_chain *c)
{
	return c->template ? c->template->members[0] : c;
}
static inline const uint32_t *template_record(const struct ir_chain *c)
{
	return c->template->records + (size_t)c->record * c->template->n_words;
}
/* The same chain, or told apart by their records. */
static inline bool template_same_target(const struct ir_chain *a, const struct ir_chain *b)
{
	return a == b || (a && b && a->template && a->template == b->template);
}

#endif
