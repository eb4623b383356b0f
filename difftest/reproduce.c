/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a difference to a reproducer: the smallest ruleset and packets that still show one.
 */
#include <errno.h>
#include <time.h>

#include "difftest.h"
#include "replay.h"
#include "shrink.h"

#define DEFAULT_SECONDS 300

struct attempt {
	const struct difftest_options *opt;
	struct lab *lab;
};

static bool still_differs(void *arg, const char *text, struct list *packets)
{
	const struct attempt *a = arg;
	struct difftest_options opt = *a->opt;
	struct difftest dt = {.opt = &opt, .text = text, .packets = packets, .lab = a->lab};
	bool differs;

	opt.quiet = true;
	opt.verbose = false;
	diags_init(&dt.ds);
	differs = dt_test(&dt) == 0 && dt_differs(&dt.result);
	dt_fini(&dt);
	return differs;
}

static double in_seconds(unsigned int n)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + n;
}

static void move_packets(struct list *from, struct list *to)
{
	list_init(to);
	while (!list_is_empty(from)) {
		struct list *n = from->next;

		list_remove(n);
		list_append(to, n);
	}
}

static void print_reproducer(const struct shrink *s, const struct lab *lab, FILE *out)
{
	struct packet *p;

	fprintf(out, "# nft-bpf difftest --replay -f THIS-FILE\n");
	list_for_each(p, &s->packets, node) {
		replay_print(lab, p, out);
	}
	fputs(s->text, out);
}

int dt_reproduce(const struct difftest_options *o, struct lab *lab, const char *text,
		 struct list *packets, FILE *out)
{
	struct attempt a = {.opt = o, .lab = lab};
	struct shrink s = {.fails = still_differs, .arg = &a, .text = strdup(text),
			   .until = in_seconds(o->seconds ? o->seconds : DEFAULT_SECONDS)};
	bool again;

	if (!s.text)
		return -ENOMEM;
	move_packets(packets, &s.packets);
	again = still_differs(&a, s.text, &s.packets);
	if (again) {
		shrink_run(&s);
		print_reproducer(&s, lab, out);
	} else {
		fprintf(stderr, "nft-bpf: difftest: the difference does not show again\n");
	}
	move_packets(&s.packets, packets);
	free(s.text);
	return again ? 0 : -EAGAIN;
}
