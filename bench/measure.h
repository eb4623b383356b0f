/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

/*
 * Runs ARGV in the network namespace and prints its exit status, elapsed and CPU time (seconds) and
 * peak resident memory (KiB) as a line of JSON. It is killed after TIMEOUT seconds. 0 or -errno.
 */
int measure_command(const char *netns, unsigned int timeout, char **argv);

#endif
