/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The evaluator: the IR run in C, for the unprivileged oracle. It is written to be right, not fast,
 * and follows the kernel's interpreter (nft_do_chain()) step by step.
 */
#ifndef NFT_BPF_COMPILER_IR_EVAL_H
#define NFT_BPF_COMPILER_IR_EVAL_H

#include "ir.h"

/* A network device as a rule sees it; index 0: there is none. */
struct ir_dev {
	uint32_t ifindex;
	char name[16]; /* IFNAMSIZ, zero-padded */
	char kind[16]; /* rtnl_link_ops->kind, zero-padded; "" for none */
	uint16_t type; /* ARPHRD_* */
	uint32_t group;
	uint32_t sdif; /* master's index as inet_sdif() gives it; 0: none */
};

/* A limit's state, when its bucket was empty: so long ago that it is full. */
#define IR_LIMIT_FULL (-(1ll << 62))

struct ir_ct {
	uint32_t status, mark, secmark, expiration_ms;
	uint8_t dir; /* of this packet: IP_CT_DIR_* */
	uint8_t l3proto, protocol;
	uint8_t addr[2][2][16]; /* [dir][0 src, 1 dst]; v4 in the first 4 bytes */
	uint8_t port[2][2][2];	/* network order */
	uint16_t zone[3]; /* [dir]; [2]: whatever the direction */
	uint32_t id;
	uint8_t labels[16];
	char helper[16];
	bool has_helper, has_acct;
	uint64_t bytes[2], packets[2];
};

/* What one packet meets. All integers in host order unless said. Owned by the caller. */
struct ir_env {
	uint8_t pf, hook;
	/* From the network header on; len is skb->len. */
	const uint8_t *data;
	uint32_t len;
	/* The link layer header before it; mac_len 0: none (output). */
	const uint8_t *mac;
	uint32_t mac_len;
	struct ir_dev in, out;
	uint32_t mark, priority, cpu, cgroup, secmark;
	uint8_t pkttype;
	uint16_t protocol; /* ETH_P_*, host order */
	bool has_sock;
	uint32_t skuid, skgid;
	uint32_t sk_mark;
	bool sk_transparent, sk_wildcard;
	uint64_t sk_cgroup[8]; /* id of the cgroup at each level; 0: not that deep */
	bool has_dst; /* a route, and what it says */
	uint32_t rtclassid;
	uint8_t nexthop[16]; /* v4 in the first 4 bytes */
	bool dst_xfrm;
	/* IPsec: what it was unpacked by, first to last; what its route packs it by. */
	struct ir_xfrm {
		uint32_t reqid;
		uint8_t spi[4];
		bool has_addr; /* of a mode that has addresses */
		uint8_t family; /* NFPROTO_* */
		uint8_t saddr[16], daddr[16];
	} xfrm_in[6], xfrm_out[6];
	uint8_t n_xfrm_in, n_xfrm_out;
	uint64_t now_ns;  /* CLOCK_MONOTONIC: limits, expiry */
	uint64_t read_ns; /* the same when the ruleset was read: ir_elem.expires counts from it */
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint32_t skb_hash;
	uint32_t (*random)(void *arg);
	void *random_arg;
	/* Conntrack: ctinfo is the low bits of skb->_nfct; 7 untracked. has_ct: a connection is set. */
	bool has_ct, is_template;
	uint8_t ctinfo;
	struct ir_ct ct;

	/* State between packets; ir_state_area_new() makes them. */
	uint8_t *shared;	/* ir_env_state_size() bytes */
	uint8_t *elems;		/* what elements keep: behind it */
	struct ir_counter {
		uint64_t packets, bytes;
	} *counters;		/* ir->n_counters */

	/* What happened. */
	const struct ir_rule *decided_by; /* NULL: the policy */
	void (*on_rule)(void *arg, const struct ir_rule *rule, bool matched);
	void *on_rule_arg;

	/*
	 * Private: values of impure selectors in the running rule; the one its dispatch chose; the
	 * record of the running chain, if it is one of a template.
	 */
	struct ir_scratch *scratch;
	const struct ir_rule *dispatched_to;
	const uint32_t *record;
};

int ir_env_init_state(struct ir_env *env, const struct ir *ir); /* -ENOMEM */
static inline uint32_t ir_env_state_size(const struct ir *ir)
{
	return ir->shared_state_size + ir->elem_state_size;
}
void ir_env_fini_state(struct ir_env *env);

/* Runs one base chain: NF_ACCEPT or NF_DROP. */
uint8_t ir_eval_chain(const struct ir_chain *base, struct ir_env *env);
/*
 * The element of @set that @key (set->width bytes) hits, the catch-all if none does; NULL: a miss.
 * Expired elements are not there.
 */
const struct ir_elem *ir_eval_lookup(const struct ir_set *set, const struct ir_env *env,
				     const uint8_t *key);
/* All base chains of a program in order: the first drop is final. */
uint8_t ir_eval_prog(const struct ir_prog *prog, struct ir_env *env);
/* A selector's value into @out (sel->width bytes); false: it has none. */
bool ir_eval_sel(const struct ir_sel *sel, struct ir_env *env, uint8_t *out);

/*
 * nft_set_pktinfo_ipv4/6(): where the transport header is. l4proto_known false: a truncated IPv6
 * chain, transport loads and meta l4proto have no value.
 */
struct ir_transport {
	bool l4proto_known;
	uint8_t l4proto;
	uint32_t offset;
	uint16_t frag_offset; /* in 8-byte units; not 0: a later fragment */
};
struct ir_transport ir_packet_transport(const struct ir_env *env);

#endif
