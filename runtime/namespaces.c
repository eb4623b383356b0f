/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking for network namespaces: a pinned link keeps its own alive for ever, so whether somebody
 * still uses it has to be seen elsewhere, in /proc and among the mounts.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "namespaces.h"
#include "priv.h"

struct inodes {
	ino_t *array;
	size_t n, room;
};

static int inodes_add(struct inodes *s, ino_t inode)
{
	if (s->n && s->array[s->n - 1] == inode)
		return 0; /* neighbours in /proc mostly share theirs */
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		ino_t *array = realloc(s->array, room * sizeof(*array));

		if (!array)
			return -ENOMEM;
		s->array = array;
		s->room = room;
	}
	s->array[s->n++] = inode;
	return 0;
}

static int compare_inodes(const void *pa, const void *pb)
{
	ino_t a = *(const ino_t *)pa, b = *(const ino_t *)pb;

	return a < b ? -1 : a > b;
}

static void inodes_sort(struct inodes *s)
{
	if (s->n)
		qsort(s->array, s->n, sizeof(*s->array), compare_inodes);
}

bool netns_is_among(ino_t netns, const ino_t *sorted, size_t n)
{
	return n && bsearch(&netns, sorted, n, sizeof(*sorted), compare_inodes);
}

/* ---- with state ---- */

static int add_state(void *arg, const char *name)
{
	unsigned long inode;
	int len = 0;

	if (sscanf(name, "net-%lu%n", &inode, &len) != 1 || name[len])
		return 0;
	return inodes_add(arg, (ino_t)inode);
}

int netns_with_state(const char *base, ino_t **ret, size_t *ret_n)
{
	struct inodes s = { 0 };
	char AUTO_FREE *dir = NULL;
	int err = path_printf(&dir, "%s/nft-bpf", base);

	if (!err)
		err = dir_each(dir, add_state, &s);
	if (err) {
		free(s.array);
		return err;
	}
	inodes_sort(&s);
	*ret = s.array;
	*ret_n = s.n;
	return 0;
}

/* ---- names ---- */

struct naming {
	ino_t netns;
	char *name;
};

static int match_name(void *arg, const char *name)
{
	struct naming *nm = arg;
	char AUTO_FREE *path = NULL;
	struct stat st;
	int err = path_printf(&path, "/run/netns/%s", name);

	if (err)
		return err;
	if (nm->name || stat(path, &st) < 0 || st.st_ino != nm->netns)
		return 0;
	nm->name = strdup(name);
	return nm->name ? 0 : -ENOMEM;
}

int netns_name(ino_t netns, char **ret)
{
	struct naming nm = { .netns = netns };
	int err = dir_each("/run/netns", match_name, &nm);

	if (err && err != -EACCES) {
		free(nm.name);
		return err;
	}
	*ret = nm.name;
	return 0;
}

/* ---- alive ---- */

struct living {
	struct inodes found;
	ino_t mount_namespace; /* of the process before: its mounts are known */
	unsigned int hidden;
	const char *pid;
};

static int add_link(struct living *lv, const char *path)
{
	char target[64];
	unsigned long inode;
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0) {
		lv->hidden += errno == EACCES || errno == EPERM;
		return 0;
	}
	target[n] = '\0';
	if (sscanf(target, "net:[%lu]", &inode) != 1)
		return 0;
	return inodes_add(&lv->found, (ino_t)inode);
}

static int add_thread(void *arg, const char *tid)
{
	struct living *lv = arg;
	char path[128];

	snprintf(path, sizeof(path), "/proc/%s/task/%s/ns/net", lv->pid, tid);
	return add_link(lv, path);
}

static int add_descriptor(void *arg, const char *fd)
{
	struct living *lv = arg;
	char path[128];

	snprintf(path, sizeof(path), "/proc/%s/fd/%s", lv->pid, fd);
	return add_link(lv, path);
}

/* "36 35 0:4 net:[4026532178] /run/netns/a rw shared:1 - nsfs nsfs rw" */
static int add_mounts(struct living *lv)
{
	char path[64], *line = NULL;
	size_t room = 0;
	unsigned long inode;
	int err = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/mountinfo", lv->pid);
	f = fopen(path, "re");
	while (f && !err && getline(&line, &room, f) > 0)
		if (sscanf(line, "%*s %*s %*s net:[%lu]", &inode) == 1)
			err = inodes_add(&lv->found, (ino_t)inode);
	free(line);
	if (f)
		fclose(f);
	return err;
}

static int add_process(void *arg, const char *pid)
{
	struct living *lv = arg;
	struct stat st;
	char path[64];
	int err;

	if (!isdigit((unsigned char)*pid))
		return 0;
	lv->pid = pid;
	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	err = dir_each(path, add_thread, lv);
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	if (!err)
		err = dir_each(path, add_descriptor, lv);
	/* A process may end or be hidden while we look. */
	if (err && err != -ENOMEM)
		err = 0;
	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	if (!err && stat(path, &st) == 0 && st.st_ino != lv->mount_namespace) {
		lv->mount_namespace = st.st_ino;
		err = add_mounts(lv);
	}
	return err;
}

int netns_alive(ino_t **ret, size_t *ret_n, unsigned int *ret_hidden)
{
	struct living lv = { 0 };
	int err = dir_each("/proc", add_process, &lv);

	if (err) {
		free(lv.found.array);
		return err;
	}
	inodes_sort(&lv.found);
	*ret = lv.found.array;
	*ret_n = lv.found.n;
	*ret_hidden = lv.hidden;
	return 0;
}
