/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One test: a ruleset, packets, a result. Namespaces outlive it, so that many can be run.
 */
#include <errno.h>
#include <stdio.h>

#include "difftest.h"
#include "gen.h"
#include "pcap.h"
#include "replay.h"

bool dt_differs(const struct dt_result *r)
{
	for (size_t i = 0; i < r->n_counters; i++)
		if (!r->counters[i].excused)
			return true;
	return r->count[DT_BUG] || r->count[DT_EVAL] || r->count[DT_ENV];
}

/* Hands the packets of @from over to whoever wants to see them again. */
static void keep_sent(struct difftest *dt, struct list *from)
{
	while (dt->sent && !list_is_empty(from)) {
		struct list *n = from->next;

		list_remove(n);
		list_append(dt->sent, n);
	}
}

static int run_generated(struct difftest *dt)
{
	struct gen *g = gen_new(dt->lab, dt->lowered.ir, dt->opt->seed);
	size_t n = dt->opt->packets;
	int err;

	if (!g)
		return -ENOMEM;
	if (!n)
		n = MAX((size_t)500, MIN(g->n_targets * 16, (size_t)20000));
	err = gen_run(g, n);
	if (!err)
		err = dt_run(dt, &g->packets);
	keep_sent(dt, &g->packets);
	gen_free(g);
	return err;
}

static int run_pcap(struct difftest *dt)
{
	struct list packets;
	int err;

	list_init(&packets);
	err = pcap_packets(dt->opt->pcap, dt->lab, &dt->ds, &packets);
	if (!err)
		err = dt_run(dt, &packets);
	keep_sent(dt, &packets);
	packets_free(&packets);
	return err;
}

static int run_replay(struct difftest *dt)
{
	struct list packets;
	int err;

	list_init(&packets);
	err = replay_packets(dt->lab, dt->text, &dt->ds, &packets);
	if (!err)
		err = dt_run(dt, &packets);
	keep_sent(dt, &packets);
	packets_free(&packets);
	return err;
}

static int send_packets(struct difftest *dt)
{
	int err = 0;

	if (dt->packets)
		return dt_run(dt, dt->packets);
	if (dt->opt->replay)
		return run_replay(dt);
	if (dt->opt->pcap)
		err = run_pcap(dt);
	if (!err && (!dt->opt->pcap || dt->opt->packets))
		err = run_generated(dt);
	return err;
}

int dt_test(struct difftest *dt)
{
	int err = dt_load(dt);

	if (!err)
		err = dt_attach_probes(dt);
	if (err)
		return err;
	dt->eval = eval_check_new(dt);
	if (!dt->eval)
		return -ENOMEM;
	err = send_packets(dt);
	if (!err)
		err = dt_compare_counters(dt);
	if (!err)
		eval_check_coverage(dt->eval, &dt->result);
	return err;
}

void dt_fini(struct difftest *dt)
{
	for (unsigned int i = 0; i < N_SIDES; i++)
		trail_fini(&dt->trail[i]);
	eval_check_free(dt->eval);
	dt_unload(dt);
	edit_fini(&dt->edit);
	dt_result_fini(&dt->result);
	diags_fini(&dt->ds);
}

void dt_print_diags(const struct difftest *dt, int err)
{
	const struct diag *d;

	list_for_each(d, &dt->ds.list, node) {
		AUTO_FREE char *text = NULL;

		if (d->level < DIAG_WARNING && !dt->opt->verbose)
			continue;
		text = diag_format(d);
		fprintf(stderr, "nft-bpf: %s\n", text ? text : "out of memory");
	}
	if (err && !dt->ds.count[DIAG_ERROR])
		fprintf(stderr, "nft-bpf: difftest: %s\n", strerror(-err));
}
