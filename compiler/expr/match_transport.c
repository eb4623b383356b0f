/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xtables matches of the transport header: tcp, udp, multiport, icmp, esp, ah (xt_tcpudp.c,
 * xt_multiport.c, xt_esp.c, ipt_ah.c).
 */
#include <linux/netfilter.h>
#include <linux/netfilter/xt_esp.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv4/ipt_ah.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "match.h"

static struct ir_sel *th(struct lower *lw, uint32_t at, uint32_t width)
{
	return match_leaf(lw, "load th", width, at, 0);
}

static void lower_tcp(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_tcp *t = info;

	if (t->option) {
		lower_block(lw, "match-tcp", "an option of TCP has no lowering");
		return;
	}
	match_head(lw, 20, true);
	match_port(lw, th(lw, 0, 2), t->spts[0], t->spts[1], t->invflags & XT_TCP_INV_SRCPT);
	match_port(lw, th(lw, 2, 2), t->dpts[0], t->dpts[1], t->invflags & XT_TCP_INV_DSTPT);
	match_mask(lw, th(lw, 13, 1), &t->flg_mask, &t->flg_cmp, t->invflags & XT_TCP_INV_FLAGS);
}

static const struct match_op tcp MATCH_OP_TABLE = {
	.name = "tcp",
	.size = {sizeof(struct xt_tcp)},
	.lower = lower_tcp,
};

static void lower_udp(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_udp *u = info;

	match_head(lw, 8, false);
	match_port(lw, th(lw, 0, 2), u->spts[0], u->spts[1], u->invflags & XT_UDP_INV_SRCPT);
	match_port(lw, th(lw, 2, 2), u->dpts[0], u->dpts[1], u->invflags & XT_UDP_INV_DSTPT);
}

static const struct match_op udp MATCH_OP_TABLE = {
	.name = "udp",
	.size = {sizeof(struct xt_udp)},
	.lower = lower_udp,
};

/* ---- icmp ---- */

/* Type and code as one number: the codes of a type are a range. */
static void lower_type_code(struct lower *lw, uint8_t type, const uint8_t *code, bool invert)
{
	const uint8_t lo[] = {type, code[0]}, hi[] = {type, code[1]};

	match_range(lw, th(lw, 0, 2), lo, hi, invert);
}

static void lower_icmp(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	static const uint8_t zero[2], ones[2] = {0xff, 0xff};
	const struct ipt_icmp *i = info;

	match_head(lw, 8, false);
	if (i->type == 0xff) /* any */
		match_range(lw, th(lw, 0, 2), zero, ones, i->invflags & IPT_ICMP_INV);
	else
		lower_type_code(lw, i->type, i->code, i->invflags & IPT_ICMP_INV);
}

static const struct match_op icmp MATCH_OP_TABLE = {
	.name = "icmp",
	.family = NFPROTO_IPV4,
	.size = {sizeof(struct ipt_icmp)},
	.lower = lower_icmp,
};

static void lower_icmp6(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct ip6t_icmp *i = info;

	match_head(lw, 8, false);
	lower_type_code(lw, i->type, i->code, i->invflags & IP6T_ICMP_INV);
}

static const struct match_op icmp6 MATCH_OP_TABLE = {
	.name = "icmp6",
	.family = NFPROTO_IPV6,
	.size = {sizeof(struct ip6t_icmp)},
	.lower = lower_icmp6,
};

/* ---- esp, ah: the index of the security association ---- */

static void match_spi(struct lower *lw, uint32_t at, const uint32_t *spis, bool invert)
{
	const uint32_t lo = __builtin_bswap32(spis[0]), hi = __builtin_bswap32(spis[1]);

	match_range(lw, th(lw, at, 4), &lo, &hi, invert);
}

static void lower_esp(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_esp *e = info;

	match_head(lw, 8, false);
	match_spi(lw, 0, e->spis, e->invflags & XT_ESP_INV_SPI);
}

static const struct match_op esp MATCH_OP_TABLE = {
	.name = "esp",
	.size = {sizeof(struct xt_esp)},
	.lower = lower_esp,
};

static void lower_ah(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct ipt_ah *a = info;

	match_head(lw, 12, false);
	match_spi(lw, 4, a->spis, a->invflags & IPT_AH_INV_SPI);
}

static const struct match_op ah MATCH_OP_TABLE = {
	.name = "ah",
	.family = NFPROTO_IPV4,
	.size = {sizeof(struct ipt_ah)},
	.lower = lower_ah,
};

/* ---- multiport ---- */

struct ports {
	uint16_t lo, hi;
};

static int cmp_ports(const void *a, const void *b)
{
	return (int)((const struct ports *)a)->lo - (int)((const struct ports *)b)->lo;
}

/* Sorted and disjoint, as a set's elements are. */
static uint32_t read_ports(const struct xt_multiport_v1 *m, struct ports *ret)
{
	uint32_t i, n = 0, out = 0;

	for (i = 0; i < m->count && i < XT_MULTI_PORTS; i++) {
		struct ports p = {m->ports[i], m->ports[i]};

		if (m->pflags[i] && i + 1 < XT_MULTI_PORTS)
			p.hi = m->ports[++i];
		if (p.lo <= p.hi)
			ret[n++] = p;
	}
	qsort(ret, n, sizeof(*ret), cmp_ports);
	for (i = 0; i < n; i++) {
		if (out && ret[i].lo <= ret[out - 1].hi)
			ret[out - 1].hi = MAX(ret[out - 1].hi, ret[i].hi);
		else
			ret[out++] = ret[i];
	}
	return out;
}

static const uint8_t *port_bytes(struct ir *ir, uint16_t port)
{
	const uint8_t bytes[] = {(uint8_t)(port >> 8), (uint8_t)port};

	return arena_memdup(ir->arena, bytes, sizeof(bytes));
}

/* The ports; of kind map also, as a number, whether it is one of them. */
static struct ir_set *port_set(struct lower *lw, const struct xt_multiport_v1 *m,
			       enum ir_set_kind kind)
{
	static const uint8_t no = 0, yes = 1;
	struct ir *ir = lower_ir(lw);
	struct ports ports[XT_MULTI_PORTS];
	uint32_t n = read_ports(m, ports), i;
	struct ir_set *set;

	set = ir_set_new(ir, arena_printf(ir->arena, "xt:ports:%u", ir->n_sets));
	set->kind = kind;
	set->width = 2;
	set->data_width = kind == IR_DATA_MAP;
	set->n_fields = 1;
	set->field_width = arena_memdup(ir->arena, "\2", 1);
	for (i = 0; i < n; i++) {
		struct ir_elem e = {
			.lo = port_bytes(ir, ports[i].lo),
			.data = kind == IR_DATA_MAP ? &yes : NULL,
		};

		e.hi = ports[i].hi == ports[i].lo ? e.lo : port_bytes(ir, ports[i].hi);
		set->intervals |= e.hi != e.lo;
		ARENA_PUSH(ir->arena, set->elems, set->n_elems, e);
	}
	if (kind == IR_DATA_MAP)
		ARENA_PUSH(ir->arena, set->elems, set->n_elems, (struct ir_elem){.data = &no});
	return set;
}

/* One of two ports: both are looked up, and one must be there. */
static void either_port(struct lower *lw, const struct xt_multiport_v1 *m)
{
	static const uint8_t one = 1;
	struct ir_set *set = port_set(lw, m, IR_DATA_MAP);
	struct ir *ir = lower_ir(lw);
	struct ir_sel *found = ir_binary(ir, IR_OR, ir_map(ir, th(lw, 0, 2), set),
					 ir_map(ir, th(lw, 2, 2), set));

	match_range(lw, found, &one, &one, m->invert);
}

static void lower_multiport(struct lower *lw, uint32_t rev UNUSED, const void *info)
{
	const struct xt_multiport_v1 *m = info;

	match_head(lw, 4, false);
	if (m->flags == XT_MULTIPORT_EITHER)
		either_port(lw, m);
	else
		lower_guard_set(lw, m->invert ? IR_NOT_IN : IR_IN,
				th(lw, m->flags == XT_MULTIPORT_SOURCE ? 0 : 2, 2),
				port_set(lw, m, IR_SET));
}

static const struct match_op multiport MATCH_OP_TABLE = {
	.name = "multiport",
	.rev_first = 1,
	.rev_last = 1,
	.size = {sizeof(struct xt_multiport_v1)},
	.lower = lower_multiport,
};
