/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold of any sound IR: its text is read back, and no pass of the optimiser changes what
 * it does.
 */
#ifndef NFT_BPF_TESTS_FUZZ_EQUAL_H
#define NFT_BPF_TESTS_FUZZ_EQUAL_H

#include "compiler/ir_eval.h"
#include "tests/fuzz/fuzz.h"

/* NULL: not an IR. */
struct ir *equal_parse(const char *text, size_t len);

/* Prints, reads and prints again. */
void equal_check_text(const struct ir *ir);

/* The passes in their order, up to the one with this number. */
enum { EQUAL_DEAD, EQUAL_ALL, EQUAL_STAGES };
void equal_optimise(struct ir *ir, int stage);

/*
 * Two forms of one IR, as alike as before and after the optimiser: the same packets, made of the
 * bytes, through all programs; verdict, the rule that decided and all state must agree. @what is said
 * where they do not.
 */
void equal_check(struct ir *before, struct ir *after, struct fuzz_in in, const char *what);

#endif
