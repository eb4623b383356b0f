/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * meta: what the kernel knows of a packet beside its bytes (nft_meta_get_eval()).
 *
 * Missing devices give index 0 and name "" and matching goes on; their type, group and kind end the
 * rule. Numbers are in host order, the protocol in network order.
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "../attr.h"
#include "../ir_eval.h"
#include "../lower.h"

/* Newer than the headers of Debian 12. */
enum { META_BRI_BROUTE = 35, META_BRI_IIFHWADDR = 37 };

static bool put(uint8_t *out, const void *value, size_t size)
{
	memcpy(out, value, size);
	return true;
}

static bool put_u8(uint8_t *out, uint8_t v)
{
	*out = v;
	return true;
}

static bool put_u16(uint8_t *out, uint16_t v)
{
	return put(out, &v, sizeof(v));
}

static bool put_u32(uint8_t *out, uint32_t v)
{
	return put(out, &v, sizeof(v));
}

/* A leaf of constant width: its evaluation, then its row. */
#define META_LEAF(id, label, bytes, can_fail, ns, ...)                                          \
	static bool eval_##id(const struct ir_sel *sel UNUSED, const struct ir_env *env UNUSED, \
			      uint8_t *out)                                                     \
	{                                                                                       \
		__VA_ARGS__                                                                     \
	}                                                                                       \
	static const struct ir_leaf leaf_##id IR_LEAF_TABLE = {                                 \
		.name = "meta " label,                                                          \
		.helper = "meta_" #id,                                                          \
		.width = (bytes),                                                               \
		.partial = (can_fail),                                                          \
		.cost = (ns),                                                                   \
		.eval = eval_##id,                                                              \
	}

META_LEAF(len, "len", 4, false, 1, { return put_u32(out, env->len); });
META_LEAF(mark, "mark", 4, false, 1, { return put_u32(out, env->mark); });
META_LEAF(priority, "priority", 4, false, 1, { return put_u32(out, env->priority); });
META_LEAF(cpu, "cpu", 4, false, 1, { return put_u32(out, env->cpu); });
META_LEAF(iif, "iif", 4, false, 2, { return put_u32(out, env->in.ifindex); });
META_LEAF(oif, "oif", 4, false, 2, { return put_u32(out, env->out.ifindex); });
META_LEAF(iifname, "iifname", 16, false, 5, { return put(out, env->in.name, 16); });
META_LEAF(oifname, "oifname", 16, false, 5, { return put(out, env->out.name, 16); });
META_LEAF(sdif, "sdif", 4, false, 4, { return put_u32(out, env->in.sdif); });

META_LEAF(protocol, "protocol", 2, false, 1, {
	return put_u8(out, (uint8_t)(env->protocol >> 8)) &&
	       put_u8(out + 1, (uint8_t)env->protocol);
});

META_LEAF(l4proto, "l4proto", 1, true, 1, {
	struct ir_transport t = ir_packet_transport(env);

	return t.l4proto_known && put_u8(out, t.l4proto);
});

META_LEAF(iiftype, "iiftype", 2, true, 2,
	  { return env->in.ifindex && put_u16(out, env->in.type); });
META_LEAF(oiftype, "oiftype", 2, true, 2,
	  { return env->out.ifindex && put_u16(out, env->out.type); });
META_LEAF(iifgroup, "iifgroup", 4, true, 2,
	  { return env->in.ifindex && put_u32(out, env->in.group); });
META_LEAF(oifgroup, "oifgroup", 4, true, 2,
	  { return env->out.ifindex && put_u32(out, env->out.group); });
/* A device without rtnl_link_ops has no kind. */
META_LEAF(iifkind, "iifkind", 16, true, 30,
	  { return env->in.ifindex && env->in.kind[0] && put(out, env->in.kind, 16); });
META_LEAF(oifkind, "oifkind", 16, true, 30,
	  { return env->out.ifindex && env->out.kind[0] && put(out, env->out.kind, 16); });

META_LEAF(skuid, "skuid", 4, true, 10, { return env->has_sock && put_u32(out, env->skuid); });
META_LEAF(skgid, "skgid", 4, true, 10, { return env->has_sock && put_u32(out, env->skgid); });
META_LEAF(cgroup, "cgroup", 4, true, 8, { return env->has_sock && put_u32(out, env->cgroup); });
META_LEAF(rtclassid, "rtclassid", 4, true, 4,
	  { return env->has_dst && put_u32(out, env->rtclassid); });

META_LEAF(secmark, "secmark", 4, false, 1, { return put_u32(out, env->secmark); });
META_LEAF(secpath, "secpath", 1, false, 4, { return put_u8(out, env->n_xfrm_in > 0); });

/* nft_meta_get_eval_pkttype_lo(): what loops back has its type from its address. */
META_LEAF(pkttype, "pkttype", 1, false, 2, {
	if (env->pkttype != PACKET_LOOPBACK)
		return put_u8(out, env->pkttype);
	if (env->pf == NFPROTO_IPV6 || (env->len >= 20 && (env->data[16] & 0xf0) == 0xe0))
		return put_u8(out, PACKET_MULTICAST);
	return put_u8(out, PACKET_BROADCAST);
});

/*
 * nft_meta_get_eval_time(). The first parameter is what CLOCK_TAI, which programs can read, is ahead
 * of CLOCK_REALTIME in seconds; the second the host's time zone, in minutes west.
 */
static bool eval_time(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	return put(out, &env->time_ns, 8);
}

static bool eval_hour(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	return put_u32(out, (uint32_t)(env->time_ns / 1000000000 % 86400));
}

static bool eval_day(const struct ir_sel *sel, const struct ir_env *env, uint8_t *out)
{
	int64_t secs = (int64_t)(env->time_ns / 1000000000) - 60 * (int64_t)sel->param[1];

	/* div_u64(), and the epoch was a Thursday. */
	return put_u8(out, (uint8_t)((4 + (uint32_t)((uint64_t)secs / 86400)) % 7));
}

/* Both are signed, of 32 bits. */
static bool takes_offsets(const struct ir_sel *sel)
{
	const uint64_t *param = sel->param;

	return (int64_t)param[0] == (int32_t)param[0] && (int64_t)param[1] == (int32_t)param[1];
}

#define TIME_LEAF(id, bytes, n)                                                                    \
	static const struct ir_leaf leaf_##id IR_LEAF_TABLE = {                                    \
		.name = "meta " #id,                                                               \
		.helper = "meta_" #id,                                                             \
		.width = bytes,                                                                    \
		.n_params = n,                                                                     \
		.takes = takes_offsets,                                                            \
		.cost = 45,                                                                        \
		.eval = eval_##id,                                                                 \
	}
TIME_LEAF(time, 8, 1);
TIME_LEAF(hour, 4, 1);
TIME_LEAF(day, 1, 2);

static bool eval_random(const struct ir_sel *sel UNUSED, const struct ir_env *env, uint8_t *out)
{
	return put_u32(out, env->random ? env->random(env->random_arg) : 0);
}

static const struct ir_leaf leaf_random IR_LEAF_TABLE = {
	.name = "meta random",
	.helper = "meta_random",
	.width = 4,
	.impure = true,
	.cost = 20,
	.eval = eval_random,
};

/* By key: a leaf, or why there is none. */
static const struct meta_key {
	const struct ir_leaf *leaf;
	const char *code, *why;
} keys[] = {
	[NFT_META_LEN] = {&leaf_len},
	[NFT_META_PROTOCOL] = {&leaf_protocol},
	[NFT_META_PRIORITY] = {&leaf_priority},
	[NFT_META_MARK] = {&leaf_mark},
	[NFT_META_IIF] = {&leaf_iif},
	[NFT_META_OIF] = {&leaf_oif},
	[NFT_META_IIFNAME] = {&leaf_iifname},
	[NFT_META_OIFNAME] = {&leaf_oifname},
	[NFT_META_IIFTYPE] = {&leaf_iiftype},
	[NFT_META_OIFTYPE] = {&leaf_oiftype},
	[NFT_META_SKUID] = {&leaf_skuid},
	[NFT_META_SKGID] = {&leaf_skgid},
	[NFT_META_NFTRACE] = {NULL, "meta-nftrace", "meta nftrace cannot be read"},
	[NFT_META_RTCLASSID] = {&leaf_rtclassid},
	[NFT_META_SECMARK] = {&leaf_secmark},
	[NFT_META_L4PROTO] = {&leaf_l4proto},
	[NFT_META_BRI_IIFNAME] = {NULL, "meta-bridge", "meta ibrname is for bridges"},
	[NFT_META_BRI_OIFNAME] = {NULL, "meta-bridge", "meta obrname is for bridges"},
	[NFT_META_PKTTYPE] = {&leaf_pkttype},
	[NFT_META_CPU] = {&leaf_cpu},
	[NFT_META_IIFGROUP] = {&leaf_iifgroup},
	[NFT_META_OIFGROUP] = {&leaf_oifgroup},
	[NFT_META_CGROUP] = {&leaf_cgroup},
	[NFT_META_PRANDOM] = {&leaf_random},
	[NFT_META_SECPATH] = {&leaf_secpath},
	[NFT_META_IIFKIND] = {&leaf_iifkind},
	[NFT_META_OIFKIND] = {&leaf_oifkind},
	[NFT_META_BRI_IIFPVID] = {NULL, "meta-bridge", "meta ibrpvid is for bridges"},
	[NFT_META_BRI_IIFVPROTO] = {NULL, "meta-bridge", "meta ibrvproto is for bridges"},
	[NFT_META_TIME_NS] = {&leaf_time},
	[NFT_META_TIME_DAY] = {&leaf_day},
	[NFT_META_TIME_HOUR] = {&leaf_hour},
	[NFT_META_SDIF] = {&leaf_sdif},
	[NFT_META_SDIFNAME] = {NULL, "meta-sdifname",
			       "a BPF program cannot look up a device by index"},
	[META_BRI_BROUTE] = {NULL, "meta-bridge", "meta broute is for bridges"},
	[META_BRI_IIFHWADDR] = {NULL, "meta-bridge", "meta ibrhwaddr is for bridges"},
};

static void lower_meta_set(struct lower *lw, uint32_t key)
{
	switch (key) {
	case NFT_META_MARK:
		lower_block(lw, "meta-set-mark", "a BPF program cannot write the packet mark");
		break;
	case NFT_META_PRIORITY:
		lower_block(lw, "meta-set-priority", "a BPF program cannot write the priority");
		break;
	case NFT_META_NFTRACE:
		lower_block(lw, "meta-set-nftrace", "a BPF program cannot turn tracing on");
		break;
	case NFT_META_PKTTYPE:
		lower_block(lw, "meta-set-pkttype", "a BPF program cannot write the packet type");
		break;
	default:
		lower_block(lw, "meta-set", "a BPF program cannot write to a packet");
	}
}

static void lower_meta_get(struct lower *lw, uint32_t key, uint32_t dreg)
{
	const struct meta_key *k = key < ARRAY_SIZE(keys) ? &keys[key] : NULL;
	/* What the time needs to know of the host. */
	uint64_t params[IR_LEAF_PARAMS] = {
		(uint64_t)(int64_t)lower_opt(lw)->tai_offset,
		(uint64_t)(int64_t)lower_opt(lw)->minuteswest,
	};
	uint8_t pf = lower_pf(lw);

	if (key == NFT_META_NFPROTO) {
		lower_set_reg(lw, dreg, ir_const(lower_ir(lw), &pf, 1));
		return;
	}
	if (!k || !k->leaf) {
		lower_block(lw, k && k->code ? k->code : "meta-unknown", "%s",
			    k && k->why ? k->why : "nft-bpf does not know this key");
		return;
	}
	/* skb->dev on some kernels, the input device on others: where these are not the same. */
	if (key == NFT_META_IIFTYPE)
		lower_block_hooks(lw, 1u << NF_INET_LOCAL_OUT | 1u << NF_INET_POST_ROUTING,
				  "meta-iiftype",
				  "meta iiftype of sent packets differs between kernels");
	lower_set_reg(lw, dreg, ir_leaf(lower_ir(lw), k->leaf, k->leaf->width, params));
}

static void lower_meta(struct lower *lw, const struct expr *e)
{
	uint32_t key = (uint32_t)attr_uint(e->attrs, NFTA_META_KEY, UINT32_MAX);
	struct blob dreg;

	if (attr_find(e->attrs, NFTA_META_DREG, &dreg))
		lower_meta_get(lw, key, (uint32_t)attr_uint(e->attrs, NFTA_META_DREG, 0));
	else
		lower_meta_set(lw, key);
}

static const struct expr_op meta EXPR_OP_TABLE = {
	.name = "meta",
	.lower = lower_meta,
};
