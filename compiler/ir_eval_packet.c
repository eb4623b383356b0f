/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the transport header of a packet is, as nf_tables sees it.
 */
#include <linux/netfilter.h>

#include "ir_eval.h"

enum { /* IPv6 next header values that ipv6_ext_hdr() knows */
       HDR_HOP = 0,
       HDR_ROUTING = 43,
       HDR_FRAGMENT = 44,
       HDR_AUTH = 51,
       HDR_NONE = 59,
       HDR_DEST = 60,
};

/* nft_set_pktinfo_ipv4(): the network layer has seen to it that the header is whole. */
static struct ir_transport transport_v4(const struct ir_env *env)
{
	struct ir_transport t = {0};

	if (env->len < 20)
		return t;
	t.l4proto_known = true;
	t.l4proto = env->data[9];
	t.offset = (env->data[0] & 0xf) * 4u;
	t.frag_offset = (uint16_t)((env->data[6] << 8 | env->data[7]) & 0x1fff);
	return t;
}

/* An extension header to go past; "no next header" is where the walk ends. */
static bool is_extension(uint8_t proto)
{
	return proto == HDR_HOP || proto == HDR_ROUTING || proto == HDR_FRAGMENT ||
	       proto == HDR_AUTH || proto == HDR_DEST;
}

static bool has(const struct ir_env *env, uint32_t at, uint32_t n)
{
	return at <= env->len && n <= env->len - at;
}

/*
 * nft_set_pktinfo_ipv6(): ipv6_find_hdr() without a target and with IP6_FH_F_AUTH. In a later
 * fragment the protocol is what its fragment header names, unless that is one more extension
 * header; the offset stays at the fragment header.
 */
static struct ir_transport transport_v6(const struct ir_env *env)
{
	struct ir_transport t = {0};
	uint32_t at = 40;
	uint8_t proto;

	if (env->len < 40)
		return t;
	proto = env->data[6];
	while (is_extension(proto)) {
		const uint8_t *h = env->data + at;
		uint32_t len;

		if (!has(env, at, proto == HDR_ROUTING || proto == HDR_FRAGMENT ? 4 : 2))
			return t;
		len = (h[1] + 1u) * 8;
		if (proto == HDR_AUTH)
			break;
		if (proto == HDR_FRAGMENT) {
			t.frag_offset = (uint16_t)(h[2] << 8 | h[3]) >> 3;
			if (t.frag_offset && is_extension(h[0]))
				return (struct ir_transport){0};
			len = 8;
		}
		proto = h[0];
		if (t.frag_offset)
			break;
		at += len;
	}
	t.l4proto_known = true;
	t.l4proto = proto;
	t.offset = at;
	return t;
}

struct ir_transport ir_packet_transport(const struct ir_env *env)
{
	return env->pf == NFPROTO_IPV4 ? transport_v4(env) : transport_v6(env);
}
