/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pure operations compute. One place for it: constants are folded with it and the
 * evaluator runs it.
 */
#ifndef NFT_BPF_COMPILER_IR_APPLY_H
#define NFT_BPF_COMPILER_IR_APPLY_H

#include "ir.h"

/*
 * The value of @sel (anything but a constant, a leaf or a map) from its arguments' values;
 * @out has sel->width bytes and overlaps none of them.
 */
void ir_apply(const struct ir_sel *sel, const uint8_t *const *args, uint8_t *out);

#endif
