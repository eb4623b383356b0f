/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removing what is left of network namespaces that nobody can reach any more.
 *
 * Our own pinned links keep such a namespace alive; with them gone it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "namespaces.h"
#include "priv.h"

#define INITIAL_PID_NAMESPACE 0xEFFFFFFCul /* PROC_PID_INIT_INO */

/* Elsewhere we would take the namespaces of processes that we cannot see for dead. */
static int see_all_processes(struct diags *ds)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == INITIAL_PID_NAMESPACE)
		return 0;
	diag_add(ds, DIAG_ERROR, "gc-pid-namespace", NULL,
		 "gc must run where all processes can be seen, in the initial pid namespace");
	return -EPERM;
}

/* 0: gone; 1: in use by another nft-bpf. */
static int collect(const char *base, ino_t netns, bool dry_run)
{
	char AUTO_FREE *dir = NULL;
	int AUTO_CLOSE fd = -1;
	int err = path_printf(&dir, "%s/nft-bpf/net-%lu", base, (unsigned long)netns);

	if (err)
		return err;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 1 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 1 : -errno;
	return dry_run ? 0 : dir_remove(dir);
}

static int collect_dead(const char *base, bool dry_run, struct diags *ds, ino_t **ret, size_t *ret_n)
{
	ino_t AUTO_FREE *known = NULL;
	ino_t AUTO_FREE *alive = NULL;
	ino_t AUTO_FREE *dead = NULL;
	size_t n_known = 0, n_alive = 0, n = 0;
	unsigned int hidden = 0;
	/* In this order: what is made in between is not among the known ones. */
	int err = netns_with_state(base, &known, &n_known);

	if (!err)
		err = netns_alive(&alive, &n_alive, &hidden);
	if (err)
		return rt_error(ds, err, "cannot look for network namespaces");
	if (hidden)
		diag_add(ds, DIAG_NOTE, "gc-hidden", NULL,
			 "%u processes could not be looked into", hidden);
	dead = calloc(MAX(n_known, (size_t)1), sizeof(*dead));
	if (!dead)
		return -ENOMEM;
	for (size_t i = 0; i < n_known; i++) {
		if (netns_is_among(known[i], alive, n_alive))
			continue;
		err = collect(base, known[i], dry_run);
		if (err < 0)
			return rt_error(ds, err, "network namespace %lu: cannot remove its state",
					(unsigned long)known[i]);
		if (!err)
			dead[n++] = known[i];
	}
	*ret = TAKE_PTR(dead);
	*ret_n = n;
	return 0;
}

int rt_gc(bool dry_run, struct diags *ds, ino_t **ret_inodes, size_t *ret_n)
{
	char AUTO_FREE *base = NULL;
	int err = see_all_processes(ds);

	if (err)
		return err;
	err = bpffs_find(false, ds, &base);
	if (err == -ENOENT) {
		*ret_inodes = NULL;
		*ret_n = 0;
		return 0;
	}
	return err ? err : collect_dead(base, dry_run, ds, ret_inodes, ret_n);
}
