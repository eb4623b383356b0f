/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rt: the route of a packet. nft_rt_get_eval() decides.
 */
#include "route.h"

enum { AF_INET = 2, RTF_GATEWAY = 2, RTF_CACHE = 0x01000000 };

/* rt_nexthop() */
NB_LEAF(rt_nexthop4)
{
	const void *dst = nb_valid_dst(p);
	const struct rtable *rt;

	if (!dst)
		return false;
	rt = bpf_rdonly_cast(dst, bpf_core_type_id_kernel(struct rtable));
	out[0] = rt->rt_gw_family == AF_INET ? bpf_ntohl(rt->rt_gw4) : nb_get(nb_data(p) + 16, 4);
	return true;
}

/* rt6_nexthop() */
NB_LEAF(rt_nexthop6)
{
	const void *dst = nb_valid_dst(p);
	const struct rt6_info *rt;

	if (!dst)
		return false;
	rt = bpf_rdonly_cast(dst, bpf_core_type_id_kernel(struct rt6_info));
	if (rt->rt6i_flags & RTF_GATEWAY) {
		out[0] = nb_get(rt->rt6i_gateway.in6_u.u6_addr8, 8);
		out[1] = nb_get(rt->rt6i_gateway.in6_u.u6_addr8 + 8, 8);
	} else if (rt->rt6i_flags & RTF_CACHE) {
		out[0] = nb_get(rt->rt6i_dst.addr.in6_u.u6_addr8, 8);
		out[1] = nb_get(rt->rt6i_dst.addr.in6_u.u6_addr8 + 8, 8);
	} else {
		out[0] = nb_get(nb_data(p) + 24, 8);
		out[1] = nb_get(nb_data(p) + 32, 8);
	}
	return true;
}

NB_LEAF(rt_ipsec)
{
	const struct dst_entry *dst = nb_valid_dst(p);

	if (!dst)
		return false;
	out[0] = dst->xfrm != NULL;
	return true;
}
