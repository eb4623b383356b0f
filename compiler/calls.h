/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_BPF_COMPILER_CALLS_H
#define NFT_BPF_COMPILER_CALLS_H

#include "ir.h"

/* Fills ir->calls_boxes and ir->calls_others, behind the optimiser; without it all are in line. */
void calls_decide(struct ir *ir);

#endif
