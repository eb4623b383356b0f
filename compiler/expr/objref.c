/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * objref: a named object (counter, quota, limit…), by its name or through a map.
 */
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../lower.h"

/* Objects without a lowering; their numbers are NFT_OBJECT_*, some newer than our headers. */
static const struct {
	const char *code, *why;
} blockers[] = {
	[NFT_OBJECT_CT_HELPER] = {"objref-ct-helper", "a BPF program cannot write conntrack"},
	[NFT_OBJECT_CONNLIMIT] = {"objref-connlimit",
				  "the list of connections is the kernel's own"},
	[NFT_OBJECT_TUNNEL] = {"objref-tunnel", "a BPF program cannot write tunnel metadata"},
	[NFT_OBJECT_CT_TIMEOUT] = {"objref-ct-timeout", "a BPF program cannot write conntrack"},
	[NFT_OBJECT_SECMARK] = {"objref-secmark", "a BPF program cannot write marks"},
	[NFT_OBJECT_CT_EXPECT] = {"objref-ct-expectation", "a BPF program cannot write conntrack"},
	[NFT_OBJECT_SYNPROXY] = {"objref-synproxy", "a BPF program cannot send a reply"},
};

static void block_type(struct lower *lw, uint32_t type)
{
	if (type < ARRAY_SIZE(blockers) && blockers[type].code)
		lower_block(lw, blockers[type].code, "%s", blockers[type].why);
	else
		lower_block(lw, "objref-unknown", "nft-bpf does not know objects of type %u", type);
}

static void lower_name(struct lower *lw, uint32_t type, const char *name)
{
	const struct expr_op *op = expr_op_find_object(type);
	const struct object *o = table_find_object(lower_table(lw), type, name);
	struct ir_state *st;

	if (!o) {
		lower_block(lw, "object-missing", "there is no object %s", name);
	} else if (!op) {
		block_type(lw, type);
	} else {
		st = lower_object_state(lw, op, o);
		if (st)
			lower_effect(lw, st->op, st);
	}
}

/* nft_objref_map_eval(): a miss ends the rule, a hit evaluates the object: an element's state. */
static void lower_map(struct lower *lw, const struct expr *e)
{
	const struct set *s = lower_find_set(lw, e, NFTA_OBJREF_SET_NAME, NFTA_OBJREF_SET_ID);
	struct ir_set *set;
	struct ir_sel *key;

	if (s && !expr_op_find_object(s->obj_type)) {
		block_type(lw, s->obj_type);
		return;
	}
	set = s ? lower_set(lw, s) : NULL;
	key = set ? lower_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_OBJREF_SET_SREG, 0), set->width)
		  : NULL;
	if (key && lower_set_padded(s, set, key))
		lower_block(lw, "set-padding", "set %s: a field's value is longer than the field",
			    s->name);
	else if (key)
		lower_guard_set(lw, IR_IN, key, set);
}

static void lower_objref(struct lower *lw, const struct expr *e)
{
	const char *name = attr_str(e->attrs, NFTA_OBJREF_IMM_NAME);

	if (name)
		lower_name(lw, (uint32_t)attr_uint(e->attrs, NFTA_OBJREF_IMM_TYPE, 0), name);
	else
		lower_map(lw, e);
}

static const struct expr_op objref EXPR_OP_TABLE = {
	.name = "objref",
	.lower = lower_objref,
};
