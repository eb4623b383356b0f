/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random rulesets as nft text: what is lowered, in combinations that nobody writes.
 */
#ifndef NFT_BPF_DIFFTEST_RULEGEN_H
#define NFT_BPF_DIFFTEST_RULEGEN_H

#include "rng.h"

/* Devices that random rulesets name; they have to exist. */
#define RULEGEN_DEVS 4
extern const char *const rulegen_devs[RULEGEN_DEVS];

enum rulegen_flags {
	RULEGEN_NO_INDEX = 1, /* no iif, oif: nobody is there to look up their index */
	RULEGEN_NO_DYNSET = 2, /* packets change no sets: the evaluator's stand still */
};

/* malloc'ed text, one rule a line. The same @seed gives the same text. */
char *rulegen(uint64_t seed, unsigned int flags);

#endif
