/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the probes go: one into each gap between two priorities at which something runs.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "difftest.h"

/* What the kernel itself has there when rules ask for it: defragmentation and conntrack. */
static const int32_t kernel_prios[] = {-400, -200};

static void add_prio(struct dt_hook *h, int32_t prio)
{
	unsigned int at = 0;

	while (at < h->n && h->prio[at] < prio)
		at++;
	if ((at < h->n && h->prio[at] == prio) || h->n == DT_PRIOS)
		return;
	memmove(&h->prio[at + 1], &h->prio[at], (h->n - at) * sizeof(h->prio[0]));
	h->prio[at] = prio;
	h->n++;
}

/*
 * Nat chains run inside of the one hook of NAT, whatever their own priorities, which order them among
 * each other (nf_nat_register_fn()). That hook drops packets itself, also where its chains accept:
 * those of related connections that are too short for an ICMP error (nf_nat_icmp_reply_translation()).
 */
int32_t dt_runs_at(const struct chain *c)
{
	bool dst = c->hooknum == NF_INET_PRE_ROUTING || c->hooknum == NF_INET_LOCAL_OUT;

	if (c->type && strcmp(c->type, "nat") == 0)
		return dst ? NF_IP_PRI_NAT_DST : NF_IP_PRI_NAT_SRC;
	return c->priority;
}

static void add_chain(struct difftest *dt, const struct chain *c)
{
	uint8_t family = c->table->family;

	if (!c->is_base || c->hooknum >= NF_INET_NUMHOOKS)
		return;
	if (family == NFPROTO_IPV4 || family == NFPROTO_INET)
		add_prio(&dt->hooks[0][c->hooknum], dt_runs_at(c));
	if (family == NFPROTO_IPV6 || family == NFPROTO_INET)
		add_prio(&dt->hooks[1][c->hooknum], dt_runs_at(c));
}

static void collect(struct difftest *dt)
{
	struct table *t;
	struct chain *c;

	list_for_each(t, &dt->model->tables, node)
		list_for_each(c, &t->chains, node)
			add_chain(dt, c);
	for (unsigned int pf = 0; pf < 2; pf++)
		for (unsigned int h = 0; h < 5; h++)
			for (size_t k = 0; k < ARRAY_SIZE(kernel_prios); k++)
				add_prio(&dt->hooks[pf][h], kernel_prios[k]);
}

static int attach_hook(struct difftest *dt, uint8_t pf, uint8_t hook)
{
	struct dt_hook *h = &dt->hooks[dt_pf_index(pf)][hook];

	for (unsigned int i = 0; i <= h->n; i++) {
		struct probe_gap gap = {.pf = pf, .hook = hook, .pos = (uint8_t)i};
		int err;

		gap.after = i ? h->prio[i - 1] : INT_MIN;
		gap.before = i < h->n ? h->prio[i] : INT_MAX;
		err = probes_attach(dt->lab, &gap);
		if (err && err != -EBUSY)
			return err;
		if (!err)
			h->has |= 1u << i;
	}
	return 0;
}

int dt_attach_probes(struct difftest *dt)
{
	static const uint8_t pfs[] = {NFPROTO_IPV4, NFPROTO_IPV6};

	collect(dt);
	for (size_t i = 0; i < ARRAY_SIZE(pfs); i++)
		for (uint8_t hook = 0; hook < 5; hook++) {
			int err = attach_hook(dt, pfs[i], hook);

			if (err) {
				diag_add(&dt->ds, DIAG_ERROR, "difftest-lab", NULL,
					 "probe: cannot be attached: %s", strerror(-err));
				return err;
			}
		}
	return 0;
}
