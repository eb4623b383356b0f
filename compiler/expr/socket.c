/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket: of the socket a packet belongs to (nft_socket_eval()). Where a packet comes in and has no
 * socket yet, the kernel looks one up; a BPF program cannot. In the output hook there is nothing to
 * look up.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

#define IN_HOOKS (1u << NF_INET_PRE_ROUTING | 1u << NF_INET_LOCAL_IN)

static bool eval_mark(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	memcpy(out, &env->sk_mark, 4);
	return env->has_sock;
}

static bool eval_wildcard(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	*out = env->sk_wildcard;
	return env->has_sock;
}

static bool eval_cgroupv2(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	uint64_t level = sel->param[0];

	if (!env->has_sock || level >= ARRAY_SIZE(env->sk_cgroup) || !env->sk_cgroup[level])
		return false;
	memcpy(out, &env->sk_cgroup[level], 8);
	return true;
}

static const struct ir_leaf leaf_mark IR_LEAF_TABLE = {
	.name = "socket mark",
	.helper = "socket_mark",
	.width = 4,
	.partial = true,
	.cost = 6,
	.eval = eval_mark,
};
static const struct ir_leaf leaf_wildcard IR_LEAF_TABLE = {
	.name = "socket wildcard",
	.helper = "socket_wildcard",
	.width = 1,
	.partial = true,
	.cost = 6,
	.eval = eval_wildcard,
};
static const struct ir_leaf leaf_cgroupv2 IR_LEAF_TABLE = {
	.name = "socket cgroupv2",
	.helper = "socket_cgroupv2",
	.width = 8,
	.n_params = 1, /* the level */
	.partial = true,
	.cost = 40,
	.eval = eval_cgroupv2,
};

static const struct ir_leaf *const leaves[] = {
	[NFT_SOCKET_MARK] = &leaf_mark,
	[NFT_SOCKET_WILDCARD] = &leaf_wildcard,
	[NFT_SOCKET_CGROUPV2] = &leaf_cgroupv2,
};

static void lower_socket(struct lower *lw, const struct expr *e)
{
	uint32_t key = (uint32_t)attr_uint(e->attrs, NFTA_SOCKET_KEY, UINT32_MAX);
	uint64_t level = attr_uint(e->attrs, NFTA_SOCKET_LEVEL, 0);

	if (key >= ARRAY_SIZE(leaves) || !leaves[key]) {
		lower_block(lw,
			    key == NFT_SOCKET_TRANSPARENT ? "socket-transparent" : "socket-unknown",
			    "this key has no lowering yet");
		return;
	}
	if (level > UINT8_MAX) { /* nft_socket_init() */
		lower_block(lw, "expr-malformed", "level %u", (uint32_t)level);
		return;
	}
	/* nft_socket_cgroup_subtree_level(): levels count from the root of who made the rule. */
	if (key == NFT_SOCKET_CGROUPV2 && !lower_opt(lw)->init_cgroup_ns)
		lower_block(lw, "socket-cgroup-ns",
			    "a cgroup namespace hides how deep its root is");
	lower_block_hooks(lw, IN_HOOKS, "socket-lookup",
			  "a BPF program cannot look up the socket of a received packet");
	lower_set_reg(lw, (uint32_t)attr_uint(e->attrs, NFTA_SOCKET_DREG, 0),
		      ir_leaf(lower_ir(lw), leaves[key], leaves[key]->width, &level));
}

static const struct expr_op socket_op EXPR_OP_TABLE = {
	.name = "socket",
	.lower = lower_socket,
};
