/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-gen OBJECT reads commands from standard input and answers each with one line of JSON;
 * bench-gen exec NETNS TIMEOUT COMMAND… measures a loader. bench/run speaks to both.
 *
 *   packets FILE                    the mix (struct bench_packet)
 *   attach NETNS PROGRAM HOOK PRIO  PROGRAM: late, check or empty
 *   detach NETNS [PROGRAM]
 *   run NETNS DEV COUNT             sends, and says ns per packet and how many got past
 *   check NETNS DEV COUNT FILE      sends the mix's first, writes a byte for each: 1 if it got past
 *   flows NETNS                     opens a UDP flow for each packet, which is then its answer
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inject.h"
#include "measure.h"

#define MAX_WORDS 8

static int print_result(const struct inject_result *r)
{
	printf("{\"ns\": %.1f, \"packets\": %llu, \"passed\": %llu}\n", r->ns, r->packets,
	       r->passed);
	return 0;
}

static int cmd_packets(struct injector *in, char **words)
{
	int err = inject_packets(in, words[1]);

	if (err)
		return err;
	printf("{\"packets\": %zu}\n", inject_packet_count(in));
	return 0;
}

static int cmd_attach(struct injector *in, char **words)
{
	const struct inject_place place = {
		.netns = words[1],
		.program = words[2],
		.hook = atoi(words[3]),
		.priority = atoi(words[4]),
	};
	int err = inject_attach(in, &place);

	if (err)
		return err;
	puts("{}");
	return 0;
}

static int cmd_detach(struct injector *in, char **words)
{
	inject_detach(in, words[1], words[2]);
	puts("{}");
	return 0;
}

static int cmd_run(struct injector *in, char **words)
{
	struct inject_result r;
	int err = inject_run(in, words[1], words[2], strtoul(words[3], NULL, 10), &r);

	return err ? err : print_result(&r);
}

static int cmd_check(struct injector *in, char **words)
{
	const unsigned char *verdicts;
	struct inject_result r;
	int err = inject_check(in, words[1], words[2], strtoul(words[3], NULL, 10), &r, &verdicts);
	FILE *f;

	if (err)
		return err;
	f = fopen(words[4], "we");
	if (!f)
		return -errno;
	if (fwrite(verdicts, 1, r.packets, f) != r.packets)
		err = -EIO;
	if (fclose(f) != 0 || err)
		return -EIO;
	return print_result(&r);
}

/* A local socket sends the first packet, so the mix's packet is the reply of an entry. */
static int open_flow(const struct bench_packet *p)
{
	struct sockaddr_in here = {
		.sin_family = AF_INET, .sin_addr.s_addr = p->daddr, .sin_port = p->dport};
	struct sockaddr_in there = {
		.sin_family = AF_INET, .sin_addr.s_addr = p->saddr, .sin_port = p->sport};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0, one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    sendto(fd, "", 1, 0, (struct sockaddr *)&there, sizeof(there)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int cmd_flows(struct injector *in, char **words)
{
	int err = netns_switch(words[1]);

	for (size_t i = 0; i < inject_packet_count(in) && !err; i++)
		err = open_flow(inject_packet(in, i));
	if (err)
		return err;
	puts("{}");
	return 0;
}

static const struct {
	const char *name;
	int words;
	int (*run)(struct injector *in, char **words);
} driver_commands[] = {
	{"packets", 2, cmd_packets}, {"attach", 5, cmd_attach}, {"detach", 2, cmd_detach},
	{"run", 4, cmd_run},	     {"check", 5, cmd_check},	{"flows", 2, cmd_flows},
};

static int run_command(struct injector *in, char *line)
{
	char *words[MAX_WORDS] = {0}, *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(line, " \n", &save); w && n < MAX_WORDS - 1;
	     w = strtok_r(NULL, " \n", &save))
		words[n++] = w;
	for (size_t i = 0; i < sizeof(driver_commands) / sizeof(driver_commands[0]); i++)
		if (n && !strcmp(words[0], driver_commands[i].name))
			return (int)n < driver_commands[i].words
				       ? -EINVAL
				       : driver_commands[i].run(in, words);
	return -ENOSYS;
}

static int drive(const char *object)
{
	struct injector *in = injector_open(object);
	char line[1024];

	if (!in) {
		fprintf(stderr, "bench-gen: %s: %s\n", object, strerror(errno));
		return EXIT_FAILURE;
	}
	while (fgets(line, sizeof(line), stdin)) {
		int err = run_command(in, line);

		if (err)
			printf("{\"error\": \"%s\"}\n", strerror(-err));
		fflush(stdout);
	}
	injector_close(in);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int err;

	if (argc >= 5 && !strcmp(argv[1], "exec")) {
		err = measure_command(argv[2], atoi(argv[3]), argv + 4);
		if (err)
			fprintf(stderr, "bench-gen: %s: %s\n", argv[2], strerror(-err));
		return err ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (argc != 2) {
		fputs("usage: bench-gen OBJECT | bench-gen exec NETNS TIMEOUT COMMAND…\n", stderr);
		return 2;
	}
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	return drive(argv[1]);
}
