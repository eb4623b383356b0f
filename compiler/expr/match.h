/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the xtables matches have in common: rulesets of iptables-nft carry them as `match`
 * expressions. One descriptor per name, collected by the linker.
 *
 * A match that does not hold ends the rule (NFT_BREAK); one that finds a packet too short to look
 * at drops it ("hotdrop", nft_match_eval()).
 */
#ifndef NFT_BPF_COMPILER_EXPR_MATCH_H
#define NFT_BPF_COMPILER_EXPR_MATCH_H

#include "../lower.h"

#define MATCH_INFO_MAX 256

struct match_op {
	const char *name;
	uint8_t family; /* NFPROTO_IPV4, NFPROTO_IPV6; 0: both */
	uint8_t rev_first, rev_last;
	uint16_t size[4]; /* of the kernel's structure, by revision from the first */
	void (*lower)(struct lower *lw, uint32_t rev, const void *info);
};
#define MATCH_OP_TABLE __attribute__((used, section("match_ops"), aligned(8)))

/* lo <= sel <= hi, or not; as byte strings. */
void match_range(struct lower *lw, struct ir_sel *sel, const void *lo, const void *hi, bool invert);
/* The same for a number in host order, of 1, 4 or 8 bytes. */
void match_number(struct lower *lw, struct ir_sel *sel, uint64_t lo, uint64_t hi, bool invert);
/* (sel & mask) == value, or not. */
void match_mask(struct lower *lw, struct ir_sel *sel, const void *mask, const void *value,
		bool invert);
/* Host-order numbers lo <= port <= hi of the two bytes at @at. */
void match_port(struct lower *lw, struct ir_sel *port, uint16_t lo, uint16_t hi, bool invert);
/* A leaf by name, as wide as it is. */
struct ir_sel *match_leaf(struct lower *lw, const char *name, uint32_t width, uint64_t p0,
			  uint64_t p1);
/*
 * Ends the rule for later fragments; drops what has less than @need bytes of transport header, and
 * where @evil the fragment that would overwrite TCP's flags.
 */
void match_head(struct lower *lw, uint32_t need, bool evil);

#endif
