/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * match, target: xtables in rulesets of iptables-nft (net/netfilter/nft_compat.c). Matches with an
 * exact meaning are lowered (match_*.c); of targets none is: ACCEPT, DROP, RETURN and jumps come as
 * verdicts of nf_tables.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "match.h"

extern const struct match_op __start_match_ops[] __attribute__((weak, visibility("hidden")));
extern const struct match_op __stop_match_ops[] __attribute__((weak, visibility("hidden")));

/* ---- the transport header, whole or not ---- */

enum { HEAD_WHOLE, HEAD_SHORT, HEAD_EVIL, HEAD_LATER };

/*
 * nft_set_pktinfo_ipv6() gives a fragment's offset in bytes, a multiple of 8: no IPv6 fragment is
 * at offset 1. Where no transport protocol is known the kernel would look at the IPv6 header
 * instead; rules of iptables ask for the protocol first.
 */
static bool eval_head(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	struct ir_transport t = ir_packet_transport(env);

	if (!t.l4proto_known)
		return false;
	if (t.frag_offset)
		*out = t.frag_offset == 1 && env->pf == NFPROTO_IPV4 ? HEAD_EVIL : HEAD_LATER;
	else
		*out = t.offset + sel->param[0] <= env->len ? HEAD_WHOLE : HEAD_SHORT;
	return true;
}

static const struct ir_leaf leaf_head IR_LEAF_TABLE = {
	.name = "xt head",
	.helper = "xt_head",
	.width = 1,
	.n_params = 1, /* bytes */
	.partial = true,
	.cost = 4,
	.eval = eval_head,
};

/* What is to be done with each; what is not in it ends the rule. */
static struct ir_set *head_set(struct ir *ir, bool evil)
{
	static const uint8_t keys[] = {HEAD_WHOLE, HEAD_SHORT, HEAD_EVIL};
	const char *name = evil ? "xt:head:evil" : "xt:head";
	struct ir_set *set = ir_set_find(ir, name);
	struct ir_elem e;
	uint32_t i;

	if (set)
		return set;
	set = ir_set_new(ir, name);
	set->kind = IR_VERDICT_MAP;
	set->width = 1;
	set->n_fields = 1;
	set->field_width = arena_memdup(ir->arena, "\1", 1);
	for (i = 0; i < (evil ? 3u : 2u); i++) {
		e = (struct ir_elem){
			.lo = &keys[i],
			.hi = &keys[i],
			.verdict = {.code = i ? IR_DROP : IR_CONTINUE},
		};
		ARENA_PUSH(ir->arena, set->elems, set->n_elems, e);
	}
	return set;
}

void match_head(struct lower *lw, uint32_t need, bool evil)
{
	lower_vmap(lw, match_leaf(lw, "xt head", 1, need, 0), head_set(lower_ir(lw), evil));
}

/* ---- for match_*.c ---- */

struct ir_sel *match_leaf(struct lower *lw, const char *name, uint32_t width, uint64_t p0,
			  uint64_t p1)
{
	const uint64_t params[IR_LEAF_PARAMS] = {p0, p1};

	return ir_leaf(lower_ir(lw), ir_leaf_find(name), width, params);
}

void match_range(struct lower *lw, struct ir_sel *sel, const void *lo, const void *hi, bool invert)
{
	lower_guard(lw, invert ? IR_NOT_RANGE : IR_RANGE, sel, lo, hi);
}

static void put_be(uint8_t *out, uint64_t n, uint32_t width)
{
	while (width--) {
		out[width] = (uint8_t)n;
		n >>= 8;
	}
}

void match_number(struct lower *lw, struct ir_sel *sel, uint64_t lo, uint64_t hi, bool invert)
{
	uint8_t first[8], last[8];

	put_be(first, lo, sel->width);
	put_be(last, hi, sel->width);
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sel->width > 1)
		sel = ir_bswap(lower_ir(lw), sel, sel->width);
	match_range(lw, sel, first, last, invert);
}

void match_mask(struct lower *lw, struct ir_sel *sel, const void *mask, const void *value,
		bool invert)
{
	struct ir *ir = lower_ir(lw);

	sel = ir_binary(ir, IR_AND, sel, ir_const(ir, mask, sel->width));
	lower_guard(lw, invert ? IR_NE : IR_EQ, sel, value, value);
}

void match_port(struct lower *lw, struct ir_sel *port, uint16_t lo, uint16_t hi, bool invert)
{
	const uint8_t first[] = {(uint8_t)(lo >> 8), (uint8_t)lo};
	const uint8_t last[] = {(uint8_t)(hi >> 8), (uint8_t)hi};

	match_range(lw, port, first, last, invert);
}

/* ---- the expressions ---- */

/* Why not, of those that are common; what is not here is match-other. */
static const char *const match_codes[] = {
	"match-addrtype",  "match-bpf",	      "match-cgroup",	 "match-cluster",
	"match-connbytes", "match-connlabel", "match-connlimit", "match-conntrack",
	"match-devgroup",  "match-ecn",	      "match-hashlimit", "match-helper",
	"match-ipvs",	   "match-length",    "match-limit",	 "match-multiport",
	"match-osf",	   "match-owner",     "match-physdev",	 "match-pkttype",
	"match-policy",	   "match-quota",     "match-realm",	 "match-recent",
	"match-rpfilter",  "match-set",	      "match-socket",	 "match-statistic",
	"match-string",	   "match-tcp",	      "match-tcpmss",	 "match-time",
	"match-u32",
};
static const char *const target_codes[] = {
	"target-AUDIT",	 "target-CHECKSUM", "target-CLASSIFY",	 "target-CONNMARK",
	"target-CT",	 "target-DNAT",	    "target-DSCP",	 "target-HL",
	"target-LOG",	 "target-MARK",	    "target-MASQUERADE", "target-NETMAP",
	"target-NFLOG",	 "target-NFQUEUE",  "target-NOTRACK",	 "target-REDIRECT",
	"target-REJECT", "target-SET",	    "target-SNAT",	 "target-SYNPROXY",
	"target-TCPMSS", "target-TEE",	    "target-TOS",	 "target-TPROXY",
	"target-TRACE",	 "target-TTL",
};

static const char *code_of(const char *const *codes, size_t n, const char *name, const char *other)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(strchr(codes[i], '-') + 1, name) == 0)
			return codes[i];
	return other;
}

static const struct match_op *find(const char *name, uint32_t rev, uint8_t pf, uint32_t size)
{
	const struct match_op *op;

	for (op = __start_match_ops; op < __stop_match_ops; op++)
		if (strcmp(op->name, name) == 0 && (!op->family || op->family == pf) &&
		    rev >= op->rev_first && rev <= op->rev_last &&
		    size >= op->size[rev - op->rev_first])
			return op;
	return NULL;
}

static void lower_match(struct lower *lw, const struct expr *e)
{
	const char *name = attr_str(e->attrs, NFTA_MATCH_NAME);
	uint32_t rev = (uint32_t)attr_uint(e->attrs, NFTA_MATCH_REV, UINT32_MAX);
	_Alignas(16) uint8_t info[MATCH_INFO_MAX] = {0};
	const struct match_op *op;
	struct blob bytes = {0};

	if (!name || !attr_find(e->attrs, NFTA_MATCH_INFO, &bytes)) {
		lower_block(lw, "expr-malformed", "a match without name or data");
		return;
	}
	op = find(name, rev, lower_pf(lw), bytes.len);
	if (!op) {
		lower_block(lw, code_of(match_codes, ARRAY_SIZE(match_codes), name, "match-other"),
			    "xtables match %s, revision %u, has no lowering", name, rev);
		return;
	}
	memcpy(info, bytes.data, MIN(bytes.len, (uint32_t)sizeof(info)));
	op->lower(lw, rev, info);
}

static void lower_target(struct lower *lw, const struct expr *e)
{
	const char *name = attr_str(e->attrs, NFTA_TARGET_NAME);

	lower_block(
		lw,
		code_of(target_codes, ARRAY_SIZE(target_codes), name ? name : "", "target-other"),
		"xtables target %s has no lowering", name ? name : "without a name");
}

static const struct expr_op match EXPR_OP_TABLE = {
	.name = "match",
	.lower = lower_match,
};
static const struct expr_op target EXPR_OP_TABLE = {
	.name = "target",
	.lower = lower_target,
};
