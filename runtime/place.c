/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * At which priority a program's root may hang.
 *
 * What matters is the order in which a packet meets things, so a root may move within the gap
 * around its chains' priority that no other hook is in. It has to move where the kernel refuses the
 * place: nf_hook_entries_grow() allows a BPF program no priority that anything else has, be it a
 * chain we are about to take off its hook. Chains of one priority run in the reverse order of their
 * registration; what has to run before an interpreted chain of the same priority goes below it,
 * what runs after goes above, and what would have to be on both sides cannot be compiled.
 */
#include <errno.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>

#include "place.h"

/*
 * Priorities at which the kernel or iptables may have hooks, or get them later (enum
 * nf_ip_hook_priorities, IPVS's beside NAT's): never crossed, whether they are there or not.
 */
static const int32_t known[] = {
	NF_IP_PRI_RAW_BEFORE_DEFRAG, NF_IP_PRI_CONNTRACK_DEFRAG, NF_IP_PRI_RAW,
	NF_IP_PRI_SELINUX_FIRST,     NF_IP_PRI_CONNTRACK,	 NF_IP_PRI_MANGLE,
	NF_IP_PRI_NAT_DST,	     NF_IP_PRI_NAT_DST + 1,	 NF_IP_PRI_NAT_DST + 2,
	NF_IP_PRI_FILTER,	     NF_IP_PRI_SECURITY,	 NF_IP_PRI_NAT_SRC - 2,
	NF_IP_PRI_NAT_SRC - 1,	     NF_IP_PRI_NAT_SRC,		 NF_IP_PRI_SELINUX_LAST,
	NF_IP_PRI_CONNTRACK_HELPER,
};

#define MAX_TRIES 64 /* candidates each way */

static void bound(struct place_gap *gap, int64_t priority, bool before)
{
	if (before)
		gap->low = MAX(gap->low, priority);
	else
		gap->high = MIN(gap->high, priority);
}

/* iptables' own can be asked for (iptables.c). */
static bool is_kernels(int32_t priority)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == priority)
			return priority != NF_IP_PRI_RAW && priority != NF_IP_PRI_MANGLE &&
			       priority != NF_IP_PRI_FILTER && priority != NF_IP_PRI_SECURITY;
	return false;
}

/* Does the interpreter run @c for packets of @pf? */
static bool is_interpreted(const struct lower_chain *lc, uint8_t pf, uint8_t hook)
{
	const struct table *t = lc->base->table;

	return !lc->compiled && !(t->flags & NFT_TABLE_F_DORMANT) && lc->base->hooknum == hook &&
	       (t->family == pf || t->family == NFPROTO_INET);
}

/* How many of the program's chains run before @other, which is of the same priority. */
static uint32_t count_before(const struct ir_prog *p, const struct chain *other)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n_bases; i++)
		n += p->bases[i]->origin->seq >= other->seq; /* the same: it runs in front of it */
	return n;
}

int place_gap(const struct lower_result *lr, const struct ir_prog *p, struct place_gap *ret)
{
	struct place_gap gap = { .low = INT32_MIN, .high = INT32_MAX };

	/* One of a hook's own priority may run before the chain that this is to run in front of. */
	if (p->bases[0]->is_front && is_kernels(p->priority))
		return -EBUSY;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] != p->priority)
			bound(&gap, known[i], known[i] < p->priority);
	for (uint32_t i = 0; i < lr->n_chains; i++) {
		const struct chain *other = lr->chains[i].base;
		uint32_t before;

		if (!is_interpreted(&lr->chains[i], p->pf, p->hook))
			continue;
		if (other->priority != p->priority) {
			bound(&gap, other->priority, other->priority < p->priority);
			continue;
		}
		before = count_before(p, other);
		if (before != 0 && before != p->n_bases)
			return -EBUSY;
		bound(&gap, other->priority, before == 0);
	}
	if (gap.low + 1 >= gap.high)
		return -EBUSY;
	*ret = gap;
	return 0;
}

bool place_candidate(const struct place_gap *gap, int32_t wanted, uint32_t k, int32_t *ret)
{
	int64_t up = MAX(wanted, gap->low + 1), down = MIN(wanted, gap->high) - 1;
	int64_t n_up = MAX(0, MIN(gap->high - up, MAX_TRIES));
	int64_t n_down = MAX(0, MIN(down - gap->low, MAX_TRIES));

	if (k < n_up)
		*ret = (int32_t)(up + k);
	else if (k - n_up < n_down)
		*ret = (int32_t)(down - (k - n_up));
	else
		return false;
	return true;
}
