/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entering a network namespace. `ip netns exec` also remounts /sys and so hides bpffs; setns(2)
 * leaves all mounts alone, so pins are where they are for everybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"

int netns_enter(const char *name, struct diags *ds)
{
	AUTO_FREE char *path = NULL;
	int fd, err = 0;

	if (strchr(name, '/'))
		path = strdup(name);
	else if (asprintf(&path, "/run/netns/%s", name) < 0)
		path = NULL;
	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
		err = -errno;
		diag_add(ds, DIAG_ERROR, "netns", NULL, "network namespace %s: %s", name,
			 strerror(-err));
	}
	if (fd >= 0)
		close(fd);
	return err;
}
