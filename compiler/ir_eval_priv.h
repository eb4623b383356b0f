/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to ir_eval.c (rules, chains) and ir_eval_sel.c (what rules look at and do).
 */
#ifndef NFT_BPF_COMPILER_IR_EVAL_PRIV_H
#define NFT_BPF_COMPILER_IR_EVAL_PRIV_H

#include "ir_eval.h"

/* Impure selectors of the running rule that have been evaluated, with their values. */
struct ir_scratch {
	uint32_t n;
	struct {
		const struct ir_sel *sel;
		bool has_value;
		uint8_t value[IR_MAX_WIDTH];
	} impure[IR_MAX_IMPURE];
};

/* What @at, 1 + a word of the running chain's record or 0, has; else @otherwise. */
uint32_t ir_eval_word(const struct ir_env *env, uint32_t at, uint32_t otherwise);
bool ir_eval_effect(const struct ir_step *s, struct ir_env *env);
/* Of the element, as if each was a step; false: one ends the rule. @words: their places, or NULL. */
bool ir_eval_elem_states(const struct ir_set *set, const struct ir_elem *e, struct ir_env *env,
			 const uint32_t *words);

#endif
