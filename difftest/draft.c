/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settled bits: bytes of headers, and what leaves that are no bytes of the packet read.
 */
#include "draft.h"

#include <netinet/in.h>
#include <linux/netfilter.h>

void draft_init(struct draft *d, uint8_t pf)
{
	*d = (struct draft){.pf = pf, .n_areas = 3};
	d->area[0].kind = AREA_NH;
	d->area[1].kind = AREA_TH;
	d->area[2].kind = AREA_LL;
}

const struct draft_area *draft_leaf(const struct draft *d, const char *name)
{
	for (unsigned int i = AREA_LEAF; i < d->n_areas; i++)
		if (strcmp(d->area[i].sel->leaf->name, name) == 0)
			return &d->area[i];
	return NULL;
}

bool draft_leaf_u32(const struct draft *d, const char *name, uint32_t *ret_val, uint32_t *ret_mask)
{
	const struct draft_area *a = draft_leaf(d, name);

	if (!a || a->sel->width != 4)
		return false;
	memcpy(ret_val, a->val, 4);
	memcpy(ret_mask, a->mask, 4);
	return true;
}

bool draft_byte(const struct draft_area *a, uint32_t off, uint8_t *ret)
{
	if (off >= DRAFT_AREA_BYTES || a->mask[off] != 0xff)
		return false;
	*ret = a->val[off];
	return true;
}

/* ---- leaves ---- */

static bool same_leaf(const struct ir_sel *a, const struct ir_sel *b)
{
	return a->leaf == b->leaf && a->width == b->width &&
	       memcmp(a->param, b->param, sizeof(a->param)) == 0;
}

/*
 * Leaves of the connection that are bytes of a packet going in its first direction: where. The
 * kind is -1 for any other leaf.
 */
static int ct_area(struct draft *d, const struct ir_sel *leaf, uint32_t *ret_off)
{
	bool v4 = d->pf == NFPROTO_IPV4;
	uint32_t end = (uint32_t)(leaf->param[0] ^ leaf->param[1]) & 1;
	const char *name = leaf->leaf->name;
	int kind = -1;

	if (strncmp(name, "ct addr", 7) == 0) {
		*ret_off = v4 ? 12 + 4 * end : 8 + 16 * end;
		kind = AREA_NH;
	} else if (strcmp(name, "ct port") == 0) {
		*ret_off = 2 * end;
		kind = AREA_TH;
	} else if (strcmp(name, "ct protocol") == 0) {
		*ret_off = v4 ? 9 : 6;
		kind = AREA_NH;
	}
	d->ct_original |= kind >= 0;
	return kind;
}

struct draft_area *draft_area_of(struct draft *d, const struct ir_sel *leaf, uint32_t *ret_off)
{
	static const char *const load[] = {"load nh", "load th", "load ll"};
	int kind;

	for (unsigned int i = 0; i < ARRAY_SIZE(load); i++)
		if (strcmp(leaf->leaf->name, load[i]) == 0) {
			*ret_off = (uint32_t)leaf->param[0];
			return *ret_off + leaf->width <= DRAFT_AREA_BYTES ? &d->area[i] : NULL;
		}
	kind = ct_area(d, leaf, ret_off);
	if (kind >= 0)
		return &d->area[kind];
	*ret_off = 0;
	for (unsigned int i = AREA_LEAF; i < d->n_areas; i++)
		if (same_leaf(d->area[i].sel, leaf))
			return &d->area[i];
	if (d->n_areas == DRAFT_AREAS)
		return NULL;
	d->area[d->n_areas] = (struct draft_area){.kind = AREA_LEAF, .sel = leaf};
	return &d->area[d->n_areas++];
}

bool draft_settle(struct draft *d, const struct ir_sel *leaf, const uint8_t *val,
		  const uint8_t *mask)
{
	uint32_t off, width = leaf->width;
	struct draft_area *a = draft_area_of(d, leaf, &off);

	if (!a)
		return false;
	/* "ct addr" is as wide as IPv6's, and zero behind an IPv4 address. */
	if (strcmp(leaf->leaf->name, "ct addr") == 0 && d->pf == NFPROTO_IPV4)
		for (; width > 4; width--)
			if (val[width - 1] & mask[width - 1])
				return false;
	for (uint32_t i = 0; i < width; i++)
		if ((a->val[off + i] ^ val[i]) & a->mask[off + i] & mask[i])
			return false;
	for (uint32_t i = 0; i < width; i++) {
		a->val[off + i] |= val[i] & mask[i];
		a->mask[off + i] |= mask[i];
	}
	a->used = MAX(a->used, off + width);
	return true;
}
