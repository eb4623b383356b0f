/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

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

static int test_file(const struct difftest_options *o)
{
	struct difftest dt = {.opt = o, .text = o->text};
	int err, status;

	diags_init(&dt.ds);
	err = lab_new(&dt.ds, &dt.lab);
	if (!err)
		err = dt_test(&dt);
	if (!err && o->json)
		dt_report_json(&dt, stdout);
	else if (!err)
		dt_report(&dt, stdout);
	dt_print_diags(&dt, err);
	status = err ? DT_EXIT_FAILED : dt_differs(&dt.result) ? DT_EXIT_DIFFERENT : DT_EXIT_EQUAL;
	dt_fini(&dt);
	lab_free(dt.lab);
	return status;
}

int difftest_main(int argc, char **argv)
{
	struct difftest_options o = {.seed = 1, .jobs = 1};
	int status = dt_options_parse(&o, argc, argv);

	if (status < 0) {
		if (!o.random || o.jobs == 1)
			dt_pin_cpu((unsigned int)getpid());
		status = o.random ? dt_random(&o) : test_file(&o);
	}
	dt_options_fini(&o);
	return status;
}
