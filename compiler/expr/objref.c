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

static void lower_objref(struct lower *lw, const struct expr *e)
{
	uint32_t type = (uint32_t)attr_uint(e->attrs, NFTA_OBJREF_IMM_TYPE, 0);
	const char *name = attr_str(e->attrs, NFTA_OBJREF_IMM_NAME);
	const struct expr_op *op = expr_op_find_object(type);
	const struct object *o;

	if (!name) {
		lower_block(lw, "set-objects", "maps to objects have no lowering yet");
		return;
	}
	o = table_find_object(lower_table(lw), type, name);
	if (op && o)
		op->lower_object(lw, o);
	else if (!o)
		lower_block(lw, "object-missing", "there is no object %s", name);
	else if (type < ARRAY_SIZE(blockers) && blockers[type].code)
		lower_block(lw, blockers[type].code, "%s", blockers[type].why);
	else
		lower_block(lw, "objref-unknown", "nft-bpf does not know objects of type %u", type);
}

static const struct expr_op objref EXPR_OP_TABLE = {
	.name = "objref",
	.lower = lower_objref,
};
