/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "../netlink/nft.h"
#include "difftest.h"

void dt_pin_cpu(unsigned int n)
{
	cpu_set_t have, one;
	int count;

	if (sched_getaffinity(0, sizeof(have), &have))
		return;
	count = CPU_COUNT(&have);
	CPU_ZERO(&one);
	for (unsigned int cpu = 0, k = n % (unsigned int)MAX(count, 1); cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &have) && k-- == 0) {
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			return;
		}
}

/* The ruleset as nft lists it: a rule a line, no includes, no variables. */
static char *listed(const struct difftest *dt)
{
	struct nft_list_options opt = {.stateless = true};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int err;

	if (!f)
		return NULL;
	err = nft_list(dt->model, "list ruleset", &opt, f, stderr);
	if (fclose(f) || err) {
		free(text);
		return NULL;
	}
	return text;
}

static void report(const struct difftest *dt)
{
	if (dt->opt->json)
		dt_report_json(dt, stdout);
	else
		dt_report(dt, stdout);
}

static int test_file(const struct difftest_options *o)
{
	struct difftest dt = {.opt = o, .text = o->text};
	AUTO_FREE char *text = NULL;
	struct list sent;
	int err, status;

	diags_init(&dt.ds);
	list_init(&sent);
	if (o->shrink)
		dt.sent = &sent;
	err = lab_new(&dt.ds, &dt.lab);
	if (!err)
		err = dt_test(&dt);
	if (!err)
		report(&dt);
	dt_print_diags(&dt, err);
	status = err ? DT_EXIT_FAILED : dt_differs(&dt.result) ? DT_EXIT_DIFFERENT : DT_EXIT_EQUAL;
	if (status == DT_EXIT_DIFFERENT && o->shrink)
		text = listed(&dt);
	dt_fini(&dt);
	if (text)
		dt_reproduce(o, dt.lab, text, &sent, stdout);
	packets_free(&sent);
	lab_free(dt.lab);
	return status;
}

int difftest_main(int argc, char **argv)
{
	struct difftest_options o = {.seed = 1, .jobs = 1};
	int status = dt_options_parse(&o, argc, argv);

	setenv("NFT_BPF_FRONTS", "all", 0); /* also those that would not pay */
	if (status < 0) {
		if (!o.random || o.jobs == 1)
			dt_pin_cpu((unsigned int)getpid());
		status = o.random ? dt_random(&o) : test_file(&o);
	}
	dt_options_fini(&o);
	return status;
}
