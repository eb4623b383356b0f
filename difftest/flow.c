/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rules see of a packet at a hook: foretold from the packet, or as a probe saw it.
 */
#include "flow.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <time.h>

const int8_t flow_hooks[N_FLOWS][5] = {
	[FLOW_INPUT] = {NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, -1},
	[FLOW_FORWARD] = {NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_POST_ROUTING, -1},
	[FLOW_OUTPUT] = {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, -1},
	[FLOW_LOOP] = {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING,
		       NF_INET_LOCAL_IN, -1},
};

bool flow_has_hook(enum flow f, uint8_t hook)
{
	for (const int8_t *h = flow_hooks[f]; *h >= 0; h++)
		if (*h == hook)
			return true;
	return false;
}

void flow_dev(const struct lab_dev *d, struct ir_dev *ret)
{
	*ret = (struct ir_dev){0};
	if (!d)
		return;
	ret->ifindex = d->ifindex;
	memcpy(ret->name, d->name, sizeof(ret->name));
	ret->group = d->group;
	if (d->is_lo) {
		ret->type = ARPHRD_LOOPBACK;
		return;
	}
	memcpy(ret->kind, "tun", 4);
	ret->type = d->is_tun ? ARPHRD_NONE : ARPHRD_ETHER;
}

static void predict_devs(const struct lab *lab, const struct packet *p, uint8_t hook,
			 struct ir_env *env)
{
	bool has_in = hook == NF_INET_PRE_ROUTING || hook == NF_INET_LOCAL_IN ||
		      hook == NF_INET_FORWARD || (hook == NF_INET_POST_ROUTING && !p->is_local);
	bool has_out = hook == NF_INET_LOCAL_OUT || hook == NF_INET_FORWARD ||
		       hook == NF_INET_POST_ROUTING;
	uint32_t in = p->is_local ? LAB_LO : p->iif;

	flow_dev(has_in ? lab_dev_by_index(lab, in) : NULL, &env->in);
	flow_dev(has_out ? lab_dev_by_index(lab, p->oif) : NULL, &env->out);
}

static void predict_mac(const struct lab *lab, const struct packet *p, struct ir_env *env,
			uint8_t *mac)
{
	const struct lab_dev *d = lab_dev_by_index(lab, p->iif);
	uint16_t proto = htons(env->protocol);

	env->mac_len = 0;
	if (p->is_local || !d || d->is_tun)
		return;
	memcpy(mac, p->own_dst_mac ? p->dst_mac : d->mac, 6);
	memcpy(mac + 6, p->src_mac, 6);
	memcpy(mac + 12, &proto, 2);
	env->mac = mac;
	env->mac_len = 14;
}

static void predict_tuple(const struct packet *p, struct ir_env *env)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);
	uint32_t n = p->pf == NFPROTO_IPV4 ? 4 : 16, at = p->pf == NFPROTO_IPV4 ? 12 : 8;

	env->ct.protocol = (uint8_t)l4.proto;
	memset(env->ct.addr, 0, sizeof(env->ct.addr));
	if (p->len < at + 2 * n)
		return;
	for (int dir = 0; dir < 2; dir++)
		for (int end = 0; end < 2; end++) {
			int from = dir ^ end ^ (p->ct_reply ? 1 : 0);

			memcpy(env->ct.addr[dir][end], p->data + at + n * (uint32_t)from, n);
			if (l4.offset + 4 <= p->len)
				memcpy(env->ct.port[dir][end], p->data + l4.offset + 2 * from, 2);
		}
}

static void predict_ct(const struct packet *p, struct ir_env *env)
{
	static const uint8_t ctinfo[] = {
		[CT_AS_IT_IS] = 2, [CT_NEW] = 2, [CT_ESTABLISHED] = 0, [CT_RELATED] = 1,
		[CT_INVALID] = 0,
	};

	env->has_ct = p->ct != CT_INVALID;
	env->ctinfo = (uint8_t)(ctinfo[p->ct] + (p->ct_reply && p->ct == CT_ESTABLISHED ? 3 : 0));
	env->ct.mark = p->ct_mark;
	env->ct.status = p->ct_status;
	env->ct.dir = p->ct_reply;
	env->ct.l3proto = p->pf;
	predict_tuple(p, env);
}

void flow_predict(const struct lab *lab, const struct packet *p, uint8_t hook, uint8_t *buf,
		  struct ir_env *env)
{
	struct timespec ts;

	memcpy(buf + 18, p->data, p->len);
	env->pf = p->pf;
	env->hook = hook;
	env->data = buf + 18;
	env->len = p->len;
	env->protocol = p->pf == NFPROTO_IPV4 ? ETH_P_IP : ETH_P_IPV6;
	if (!p->is_local && (hook == NF_INET_FORWARD || hook == NF_INET_POST_ROUTING))
		buf[18 + (p->pf == NFPROTO_IPV4 ? 8 : 7)]--;
	predict_devs(lab, p, hook, env);
	predict_mac(lab, p, env, buf);
	env->mark = p->mark;
	env->priority = p->priority;
	env->pkttype = PACKET_HOST;
	if (p->own_dst_mac && (p->dst_mac[0] & 1))
		env->pkttype = p->dst_mac[0] == 0xff ? PACKET_BROADCAST : PACKET_MULTICAST;
	if (p->is_local && p->oif == LAB_LO && hook != NF_INET_PRE_ROUTING &&
	    hook != NF_INET_LOCAL_IN)
		env->pkttype = PACKET_HOST;
	env->has_sock = p->is_local && (hook == NF_INET_LOCAL_OUT || hook == NF_INET_POST_ROUTING);
	env->skuid = p->uid;
	env->skgid = p->gid;
	env->has_dst = hook != NF_INET_PRE_ROUTING;
	predict_ct(p, env);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	env->now_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	clock_gettime(CLOCK_REALTIME, &ts);
	env->time_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void flow_from_event(const struct lab *lab, const struct probe_event *ev, const struct packet *p,
		     uint8_t *buf, struct ir_env *env)
{
	struct timespec mono, real;

	memset(buf, 0, ev->len);
	if (p && p->len == ev->len)
		memcpy(buf, p->data, p->len);
	memcpy(buf, ev->data, ev->data_len);
	env->pf = ev->pf;
	env->hook = ev->hook;
	env->data = buf;
	env->len = ev->len;
	env->mac = ev->mac;
	env->mac_len = ev->mac_len;
	env->protocol = ev->protocol;
	flow_dev(lab_dev_by_index(lab, ev->iif), &env->in);
	flow_dev(lab_dev_by_index(lab, ev->oif), &env->out);
	env->mark = ev->mark;
	env->priority = ev->priority;
	env->cpu = ev->cpu;
	env->pkttype = ev->pkttype;
	env->has_sock = ev->has_sock;
	env->skuid = ev->skuid;
	env->skgid = ev->skgid;
	env->has_dst = ev->hook != NF_INET_PRE_ROUTING;
	env->skb_hash = ev->hash;
	env->has_ct = ev->has_ct;
	env->is_template = ev->is_template;
	env->ctinfo = ev->ctinfo;
	env->ct.mark = ev->ct_mark;
	env->ct.status = ev->ct_status;
	env->ct.dir = ev->ct_dir;
	env->ct.l3proto = ev->ct_l3proto;
	env->ct.protocol = ev->ct_protocol;
	memcpy(env->ct.addr, ev->ct_addr, sizeof(env->ct.addr));
	memcpy(env->ct.port, ev->ct_port, sizeof(env->ct.port));
	env->ct.zone[0] = env->ct.zone[1] = ev->ct_zone;
	env->now_ns = ev->now_ns;
	/* The probe cannot read CLOCK_REALTIME: its time, moved by today's difference. */
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	env->time_ns = ev->now_ns +
		       (uint64_t)(real.tv_sec - mono.tv_sec) * 1000000000u +
		       (uint64_t)real.tv_nsec - (uint64_t)mono.tv_nsec;
}
