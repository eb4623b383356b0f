/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the IR's checker share. Private to them.
 */
#ifndef NFT_BPF_COMPILER_IR_CHECK_H
#define NFT_BPF_COMPILER_IR_CHECK_H

#include "ir.h"

struct ir_checker {
	const struct ir *ir;
	char where[256]; /* what is being looked at: "rule 3 of chain …" */
	char *why;	 /* the first violation */
};

/* Notes the first violation; false. */
bool ir_violation(struct ir_checker *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define IR_HOLDS(k, cond, ...) ((cond) || ir_violation((k), __VA_ARGS__))

bool ir_check_verdict(struct ir_checker *k, const struct ir_verdict *v);
bool ir_check_rule(struct ir_checker *k, const struct ir_rule *r);

#endif
