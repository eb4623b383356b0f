/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of named sets that are changed between packets: by nft in the one namespace, by nft-bpf, as
 * its user would, in the other.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "difftest.h"

enum { MAX_DRAWS = 8 }; /* nft refuses some, as what was deleted before */

/* In the namespace of the thread; its exit status, or -errno. */
static int run_self(char *command, bool quiet)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (quiet && !freopen("/dev/null", "w", stderr))
			_exit(126);
		execl("/proc/self/exe", "nft-bpf", command, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EPROTO;
}

static int change_nft(struct difftest *dt, const char *command)
{
	AUTO_FREE char *message = NULL;
	int err = lab_enter(dt->lab, SIDE_NFT);

	if (err)
		return err;
	err = dt_run_nft(dt->opt, NULL, command, false, &message);
	lab_leave(dt->lab);
	return err;
}

static int change_bpf(struct difftest *dt, char *command)
{
	int err = lab_enter(dt->lab, SIDE_BPF);

	if (err)
		return err;
	err = run_self(command, dt->opt->quiet);
	lab_leave(dt->lab);
	if (err > 0)
		fprintf(stderr, "nft-bpf: difftest: nft takes it, nft-bpf does not: %s\n", command);
	return err > 0 ? -EPROTO : err;
}

int dt_change(struct difftest *dt)
{
	for (int i = 0; i < MAX_DRAWS; i++) {
		AUTO_FREE char *command = edit_draw_change(dt->text, &dt->changes);
		int err = command ? change_nft(dt, command) : -EINVAL;

		if (err == -EINVAL)
			continue;
		dt->result.n_changes += !err;
		return err ? err : change_bpf(dt, command);
	}
	return 0;
}
