/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct: the connection a packet belongs to (nft_ct_get_eval()).
 *
 * ct state always has a value, from the low bits of skb->_nfct alone. All other keys end the rule
 * without a connection and on a template.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

enum {
	DIR_NONE = 2,	  /* IP_CT_DIR_MAX: the attribute was not given */
	LABELS_SIZE = 16, /* NF_CT_LABELS_MAX_SIZE */
	HELPER_SIZE = 16, /* NF_CT_HELPER_NAME_LEN */
	CT_UNTRACKED = 7, /* IP_CT_UNTRACKED */
	CT_DIRS = 3,	  /* IP_CT_IS_REPLY */
};

static bool eval_state(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	uint32_t state = 1; /* NF_CT_STATE_INVALID_BIT */

	if (env->has_ct)
		state = 1u << (env->ctinfo % CT_DIRS + 1); /* NF_CT_STATE_BIT() */
	else if (env->ctinfo == CT_UNTRACKED)
		state = 1u << 6; /* NF_CT_STATE_UNTRACKED_BIT */
	memcpy(out, &state, sizeof(state));
	return true;
}

static const struct ir_leaf leaf_state IR_LEAF_TABLE = {
	.name = "ct state",
	.helper = "ct_state",
	.width = 4,
	.cost = 2,
	.eval = eval_state,
};

/* ---- keys that need the connection ---- */

static bool put(uint8_t *out, const void *value, size_t size)
{
	memcpy(out, value, size);
	return true;
}

static bool takes_params(const struct ir_sel *sel);

/* A leaf; @dir in its evaluation is the first parameter, if it takes one. */
#define CT_LEAF(id, label, bytes, params, ns, ...)                                              \
	static bool eval_##id(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out) \
	{                                                                                       \
		const struct ir_ct *ct = &env->ct;                                              \
		const uint64_t dir UNUSED = sel->param[0];                                      \
                                                                                                \
		if (!env->has_ct || env->is_template)                                           \
			return false;                                                           \
		__VA_ARGS__                                                                     \
	}                                                                                       \
	static const struct ir_leaf leaf_##id IR_LEAF_TABLE = {                                 \
		.name = "ct " label,                                                            \
		.helper = "ct_" #id,                                                            \
		.width = (bytes),                                                               \
		.n_params = (params),                                                           \
		.takes = takes_params,                                                          \
		.partial = true,                                                                \
		.cost = (ns),                                                                   \
		.eval = eval_##id,                                                              \
	}

CT_LEAF(direction, "direction", 1, 0, 4, { return put(out, &ct->dir, 1); });
CT_LEAF(status, "status", 4, 0, 4, { return put(out, &ct->status, 4); });
CT_LEAF(mark, "mark", 4, 0, 6, { return put(out, &ct->mark, 4); });
CT_LEAF(secmark, "secmark", 4, 0, 6, { return put(out, &ct->secmark, 4); });
/* How many ms a jiffy has; whether jiffies are asked for. */
CT_LEAF(expiration, "expiration", 4, 2, 10, {
	uint32_t n = ct->expiration_ms / (sel->param[1] ? (uint32_t)sel->param[0] : 1);

	return put(out, &n, 4);
});
CT_LEAF(helper, "helper", HELPER_SIZE, 0, 20,
	{ return ct->has_helper && put(out, ct->helper, HELPER_SIZE); });
CT_LEAF(l3proto, "l3proto", 1, 0, 6, { return put(out, &ct->l3proto, 1); });
CT_LEAF(protocol, "protocol", 1, 0, 6, { return put(out, &ct->protocol, 1); });
CT_LEAF(labels, "label", LABELS_SIZE, 0, 12, { return put(out, ct->labels, LABELS_SIZE); });
CT_LEAF(zone, "zone", 2, 1, 6, { return put(out, &ct->zone[dir], 2); });

static uint64_t both(const uint64_t *count, uint64_t dir)
{
	return dir < DIR_NONE ? count[dir] : count[0] + count[1];
}

CT_LEAF(bytes, "bytes", 8, 1, 12, {
	uint64_t n = ct->has_acct ? both(ct->bytes, dir) : 0;

	return put(out, &n, 8);
});
CT_LEAF(packets, "packets", 8, 1, 12, {
	uint64_t n = ct->has_acct ? both(ct->packets, dir) : 0;

	return put(out, &n, 8);
});
CT_LEAF(avgpkt, "avgpkt", 8, 1, 25, {
	uint64_t packets = ct->has_acct ? both(ct->packets, dir) : 0;
	uint64_t n = packets ? both(ct->bytes, dir) / packets : 0;

	return put(out, &n, 8);
});

/* Addresses and ports: direction; 0 source, 1 destination. Of "ct ip saddr" also the family. */
CT_LEAF(addr, "addr", 16, 2, 6, { return put(out, ct->addr[dir][sel->param[1]], 16); });
CT_LEAF(addr4, "addr4", 4, 2, 8,
	{ return ct->l3proto == NFPROTO_IPV4 && put(out, ct->addr[dir][sel->param[1]], 4); });
CT_LEAF(addr6, "addr6", 16, 2, 8,
	{ return ct->l3proto == NFPROTO_IPV6 && put(out, ct->addr[dir][sel->param[1]], 16); });
CT_LEAF(port, "port", 2, 2, 6, { return put(out, ct->port[dir][sel->param[1]], 2); });

static bool takes_params(const struct ir_sel *sel)
{
	const uint64_t *p = sel->param;

	if (sel->leaf == &leaf_expiration)
		return p[0] && p[0] <= UINT32_MAX && p[1] <= 1;
	if (sel->leaf->n_params == 2)
		return p[0] < DIR_NONE && p[1] <= 1;
	return p[0] <= DIR_NONE;
}

/* By key: the leaf, which end of the tuple, whether the direction is a parameter; or why not. */
static const struct ct_key {
	const struct ir_leaf *leaf;
	bool has_dir;
	uint8_t end;
	const char *code, *why;
} keys[] = {
	[NFT_CT_STATE] = {&leaf_state},
	[NFT_CT_DIRECTION] = {&leaf_direction},
	[NFT_CT_STATUS] = {&leaf_status},
	[NFT_CT_MARK] = {&leaf_mark},
	[NFT_CT_SECMARK] = {&leaf_secmark},
	[NFT_CT_EXPIRATION] = {&leaf_expiration},
	[NFT_CT_HELPER] = {&leaf_helper},
	[NFT_CT_L3PROTOCOL] = {&leaf_l3proto},
	[NFT_CT_SRC] = {&leaf_addr, true, 0},
	[NFT_CT_DST] = {&leaf_addr, true, 1},
	[NFT_CT_PROTOCOL] = {&leaf_protocol},
	[NFT_CT_PROTO_SRC] = {&leaf_port, true, 0},
	[NFT_CT_PROTO_DST] = {&leaf_port, true, 1},
	[NFT_CT_LABELS] = {&leaf_labels},
	[NFT_CT_PKTS] = {&leaf_packets, true},
	[NFT_CT_BYTES] = {&leaf_bytes, true},
	[NFT_CT_AVGPKT] = {&leaf_avgpkt, true},
	[NFT_CT_ZONE] = {&leaf_zone, true},
	[NFT_CT_SRC_IP] = {&leaf_addr4, true, 0},
	[NFT_CT_DST_IP] = {&leaf_addr4, true, 1},
	[NFT_CT_SRC_IP6] = {&leaf_addr6, true, 0},
	[NFT_CT_DST_IP6] = {&leaf_addr6, true, 1},
	[NFT_CT_ID] = {.code = "ct-id", .why = "the kernel computes ct id with a secret"},
};

static void lower_ct_get(struct lower *lw, const struct expr *e, uint32_t key, uint32_t dreg)
{
	const struct ct_key *k = key < ARRAY_SIZE(keys) ? &keys[key] : NULL;
	uint64_t dir = attr_uint(e->attrs, NFTA_CT_DIRECTION, DIR_NONE);
	uint64_t params[IR_LEAF_PARAMS] = {dir, k ? k->end : 0};
	struct ir_sel *sel;

	if (!k || !k->leaf) {
		lower_block(lw, k && k->code ? k->code : "ct-unknown", "%s",
			    k && k->why ? k->why : "nft-bpf does not know this key");
		return;
	}
	if (k->has_dir && dir > DIR_NONE) { /* nft_ct_get_init() */
		lower_block(lw, "expr-malformed", "direction %u", (uint32_t)dir);
		return;
	}
	if (k->has_dir && dir == DIR_NONE &&
	    (k->leaf == &leaf_addr || k->leaf == &leaf_addr4 || k->leaf == &leaf_addr6 ||
	     k->leaf == &leaf_port)) {
		lower_block(lw, "expr-malformed", "an address or port of no direction");
		return;
	}
	if (key == NFT_CT_EXPIRATION) {
		params[0] = lower_opt(lw)->jiffy_ms;
		if (!params[0]) {
			lower_block(lw, "ct-expiration", "the kernel's tick is not whole ms");
			return;
		}
	}
	sel = ir_leaf(lower_ir(lw), k->leaf, k->leaf->width, params);
	/* In tables of one family ct saddr has that family's width. */
	if (k->leaf == &leaf_addr && lower_family(lw) == NFPROTO_IPV4)
		sel = ir_slice(lower_ir(lw), sel, 0, 4);
	lower_set_reg(lw, dreg, sel);
}

static const char *const set_codes[] = {
	[NFT_CT_MARK] = "ct-set-mark",
	[NFT_CT_LABELS] = "ct-set-label",
	[NFT_CT_ZONE] = "ct-set-zone",
	[NFT_CT_EVENTMASK] = "ct-set-event",
};

static void lower_ct(struct lower *lw, const struct expr *e)
{
	uint32_t key = (uint32_t)attr_uint(e->attrs, NFTA_CT_KEY, UINT32_MAX);
	const char *code = key < ARRAY_SIZE(set_codes) ? set_codes[key] : NULL;
	struct blob reg;

	if (attr_find(e->attrs, NFTA_CT_DREG, &reg))
		lower_ct_get(lw, e, key, (uint32_t)attr_uint(e->attrs, NFTA_CT_DREG, 0));
	else
		lower_block(lw, code ? code : "ct-set", "a BPF program cannot write conntrack");
}

static const struct expr_op ct EXPR_OP_TABLE = {
	.name = "ct",
	.lower = lower_ct,
};
