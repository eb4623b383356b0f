/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of named sets that are changed between packets: by nft in the one namespace, in the other as
 * users of nft-bpf do, with it or with nft and nft-bpf sync.
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

static int with_nft(const struct difftest *dt, const char *command)
{
	AUTO_FREE char *message = NULL;

	return dt_run_nft(dt->opt, NULL, command, false, &message);
}

static int change_nft(struct difftest *dt, const char *command)
{
	int err = lab_enter(dt->lab, SIDE_NFT);

	if (err)
		return err;
	err = with_nft(dt, command);
	lab_leave(dt->lab);
	return err;
}

static int change_bpf(struct difftest *dt, char *command)
{
	char sync[] = "sync";
	bool syncs = rng_one_in(&dt->changes, 3);
	int err = lab_enter(dt->lab, SIDE_BPF);

	if (err)
		return err;
	if (!dt->opt->quiet)
		fprintf(stderr, "# %s%s\n", command, syncs ? ", by sync" : "");
	err = syncs ? with_nft(dt, command) : 0;
	if (!err)
		err = run_self(syncs ? sync : command, dt->opt->quiet);
	lab_leave(dt->lab);
	if (err)
		fprintf(stderr, "nft-bpf: difftest: not done%s: %s\n", syncs ? " by sync" : "", command);
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
