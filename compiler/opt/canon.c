/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers' fields. nft loads as few bytes as it can (10.0.0.0/8 is one byte) and merges neighbours
 * (source and destination port, one load); here one field is always the same selector, so that
 * rules meet in it.
 */
#include <linux/netfilter.h>

#include "opt.h"

static const struct header_field {
	const char *leaf;
	uint8_t pf; /* 0: any */
	uint8_t offset, width;
} fields[] = {
	{"load nh", NFPROTO_IPV4, 12, 4},
	{"load nh", NFPROTO_IPV4, 16, 4},
	{"load nh", NFPROTO_IPV6, 8, 16},
	{"load nh", NFPROTO_IPV6, 24, 16},
	{"load th", 0, 0, 2},
	{"load th", 0, 2, 2},
};

static const struct header_field *find_at(const struct ir_sel *sel, uint8_t pf, uint64_t offset)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].offset == offset && (!fields[i].pf || fields[i].pf == pf) &&
		    strcmp(fields[i].leaf, sel->leaf->name) == 0)
			return &fields[i];
	return NULL;
}

static struct ir_sel *load(struct ir *ir, const struct ir_sel *like, const struct header_field *f)
{
	uint64_t param[IR_LEAF_PARAMS] = {f->offset};

	return ir_leaf(ir, like->leaf, f->width, param);
}

struct ir_sel *opt_whole_field(struct ir *ir, struct ir_sel *sel, uint8_t pf)
{
	static const uint64_t none[IR_LEAF_PARAMS];
	const struct header_field *f;

	if (sel->op != IR_LEAF)
		return sel;
	/* The same for IPv4: nft_set_pktinfo_ipv4(). */
	if (pf == NFPROTO_IPV4 && strcmp(sel->leaf->name, "load nh") == 0 && sel->param[0] == 9 &&
	    sel->width == 1 && ir_leaf_find("meta l4proto"))
		return ir_leaf(ir, ir_leaf_find("meta l4proto"), 1, none);
	f = find_at(sel, pf, sel->param[0]);
	/* A transport header may end between a field's bytes. */
	if (f && sel->width < f->width && strcmp(f->leaf, "load nh") == 0)
		return load(ir, sel, f);
	return sel;
}

uint32_t opt_split_fields(struct ir *ir, struct ir_sel *sel, uint8_t pf, struct ir_sel **parts)
{
	uint64_t at = sel->op == IR_LEAF ? sel->param[0] : 0, end = at + sel->width;
	const struct header_field *f;
	uint32_t n = 0;

	if (sel->op != IR_LEAF)
		return 0;
	for (; at < end && n < IR_MAX_FIELDS; at += f->width) {
		f = find_at(sel, pf, at);
		if (!f || at + f->width > end)
			return 0;
		parts[n++] = load(ir, sel, f);
	}
	return at == end && n > 1 ? n : 0;
}
