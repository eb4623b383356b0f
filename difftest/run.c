/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One packet after the other, into the one namespace and then the other.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <unistd.h>

#include "ct.h"
#include "difftest.h"

#define SETTLE_US    3000
#define SETTLE_TURNS 3000
#define CHANGE_AFTER 80 /* packets */

static int place(struct difftest *dt, const struct packet *p)
{
	bool v4 = p->pf == NFPROTO_IPV4;

	if (p->len < (v4 ? 20u : 40u) || !p->oif)
		return 0;
	/* What leaves by a socket leaves by the device the socket is bound to. */
	if (p->is_local && p->oif != LAB_LO)
		return 0;
	return route_place(dt->lab, v4 ? AF_INET : AF_INET6, p->data + (v4 ? 16 : 24), p->oif);
}

static int send_both(struct difftest *dt, const struct packet *p)
{
	for (unsigned int i = 0; i < N_SIDES; i++) {
		int err = lab_inject(dt->lab, i, p);

		dt->result.n_sent += i == 0 && err == 0;
		dt->trail[i].n = 0;
		err = probes_drain(dt->lab->side[i].probes, &dt->trail[i]);
		if (err)
			return err;
	}
	return 0;
}

/* softnet_seq_show(): the twelfth number of a CPU's line counts packets in its backlog. */
static bool backlog_is_empty(void)
{
	FILE *f = fopen("/proc/net/softnet_stat", "re");
	bool empty = true;
	char line[256];
	unsigned int n;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*x %*x %*x %*x %*x %*x %*x %*x %*x %*x %*x %x", &n) == 1 && n)
			empty = false;
	if (f)
		fclose(f);
	return empty;
}

/*
 * What passes a backlog queue (loopback) may be late when ksoftirqd is busy: trails that differ are
 * looked at once more when all is through.
 */
static int settle(struct difftest *dt)
{
	unsigned int turns = 0;

	if (dt_trails_agree(dt))
		return 0;
	do
		usleep(SETTLE_US);
	while (!backlog_is_empty() && ++turns < SETTLE_TURNS);
	for (unsigned int i = 0; i < N_SIDES; i++) {
		int err = probes_drain(dt->lab->side[i].probes, &dt->trail[i]);

		if (err)
			return err;
	}
	return 0;
}

static bool any_event(const struct difftest *dt, bool (*is)(const struct probe_event *ev))
{
	bool found[N_SIDES] = {false};

	for (unsigned int i = 0; i < N_SIDES; i++)
		for (size_t k = 0; k < dt->trail[i].n; k++)
			found[i] |= is(&dt->trail[i].events[k]);
	return found[SIDE_NFT] && found[SIDE_BPF];
}

static bool is_gso(const struct probe_event *ev)
{
	return ev->gso_size != 0;
}

/* Set when a handshake is complete (nf_conntrack_tcp_packet()). */
static bool is_assured(const struct probe_event *ev)
{
	return ev->has_ct && ev->ct_status & IPS_ASSURED;
}

/* As the probes saw it, so that a report tells what was sent indeed. */
static void count_kinds(struct difftest *dt, const struct packet *p)
{
	dt->result.n_gso += any_event(dt, is_gso);
	dt->result.n_talk += p->is_talk && dt->trail[SIDE_NFT].n && dt->trail[SIDE_BPF].n;
	dt->result.n_talk_assured += p->is_talk && any_event(dt, is_assured);
}

static int run_one(struct difftest *dt, const struct packet *p)
{
	int err;

	/* A destination that cannot be placed is the same on both sides. */
	place(dt, p);
	ct_prepare(dt->lab, p);
	err = send_both(dt, p);
	if (!err)
		err = settle(dt);
	if (!err)
		count_kinds(dt, p);
	if (!err)
		dt_compare(dt, p, dt->result.n_packets++);
	return err;
}

static bool is_later_fragment(const struct packet *p)
{
	return packet_find_l4(p->pf, p->data, p->len).later_fragment;
}

int dt_run(struct difftest *dt, struct list *packets)
{
	struct packet *p;
	size_t n = 0;
	int err = 0;

	list_for_each(p, packets, node) {
		if (!err && dt->changes_sets && ++n % CHANGE_AFTER == 0)
			err = dt_change(dt);
		if (!err && !is_later_fragment(p))
			err = run_one(dt, p);
	}
	if (!err)
		err = dt_compare_counters(dt);
	list_for_each(p, packets, node) {
		if (err || !is_later_fragment(p))
			continue;
		dt->n_fragments_sent++;
		err = run_one(dt, p);
	}
	return err;
}
