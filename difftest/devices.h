/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which devices a ruleset speaks of.
 */
#ifndef NFT_BPF_DIFFTEST_DEVICES_H
#define NFT_BPF_DIFFTEST_DEVICES_H

#include "../compiler/ir.h"
#include "lab.h"

/* Makes the devices that nft's messages miss; how many there were, or -errno. */
int devices_from_message(struct lab *lab, const char *message, struct diags *ds);

/* Names in quotes or behind iif, oif, device…: a guess; too many do no harm. */
int devices_from_text(struct lab *lab, const char *text, struct diags *ds);
int devices_from_file(struct lab *lab, const char *file, struct diags *ds);

/* Names and indexes that rules are compared with; "eth*" becomes eth0. */
int devices_from_ir(struct lab *lab, const struct ir *ir, struct diags *ds);

#endif
