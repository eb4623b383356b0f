/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time and memory of a loader. A program of its own starts it: a child's peak memory counts what
 * its parent had when it was forked, so the parent has to be small.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inject.h"
#include "measure.h"

static pid_t child;

static void kill_child(int sig)
{
	(void)sig;
	kill(-child, SIGKILL);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
	return tv.tv_sec + tv.tv_usec / 1e6;
}

int measure_command(const char *netns, unsigned int timeout, char **argv)
{
	int status, err = netns_switch(netns);
	struct rusage ru;
	double begin;

	if (err)
		return err;
	begin = now();
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		setpgid(0, 0);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	signal(SIGALRM, kill_child);
	alarm(timeout);
	while (wait4(child, &status, 0, &ru) < 0)
		if (errno != EINTR)
			return -errno;
	printf("{\"status\": %d, \"timeout\": %s, \"seconds\": %.6f, \"user\": %.6f, "
	       "\"system\": %.6f, \"peak_kib\": %ld}\n",
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	       WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "true" : "false", now() - begin,
	       seconds(ru.ru_utime), seconds(ru.ru_stime), ru.ru_maxrss);
	return 0;
}
