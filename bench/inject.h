/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generator: its programs, the places they sit at in each namespace, and runs of packets.
 * All functions return 0 or -errno.
 */
#ifndef BENCH_INJECT_H
#define BENCH_INJECT_H

#include <stddef.h>

#include "gen.h"

struct injector;

struct inject_place {
	const char *netns, *program; /* late, check or empty */
	unsigned int hook;
	int priority;
};

struct inject_result {
	unsigned long long packets, passed;
	double ns; /* per packet, by the kernel's clock around the run */
};

/* Reads the BPF object. NULL with errno set when that fails; libbpf has said why. */
struct injector *injector_open(const char *object);
void injector_close(struct injector *in);

/* The mix: records of struct bench_packet; checksums are filled in here. */
int inject_packets(struct injector *in, const char *file);
size_t inject_packet_count(const struct injector *in);
const struct bench_packet *inject_packet(const struct injector *in, size_t i);

int inject_attach(struct injector *in, const struct inject_place *place);
/* Takes PROGRAM off in NETNS; NULL: all of that namespace. */
void inject_detach(struct injector *in, const char *netns, const char *program);

/* Sends the next COUNT packets of the mix, over and over, into DEV of NETNS. */
int inject_run(struct injector *in, const char *netns, const char *dev, unsigned int count,
	       struct inject_result *ret_result);
/* The same with the mix's first COUNT packets; RET_VERDICTS has 1 for each that got past. */
int inject_check(struct injector *in, const char *netns, const char *dev, unsigned int count,
		 struct inject_result *ret_result, const unsigned char **ret_verdicts);

int netns_switch(const char *name);

#endif
