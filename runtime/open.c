/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening the state of a network namespace, and keeping other nft-bpf processes out meanwhile.
 *
 * The lock is flock() on the namespace's directory, which a dead process cannot hold. The directory
 * goes away with the last state, so after locking one looks whether it is still the one of that
 * name.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <bpf/libbpf.h>

#include "dynamic.h"
#include "elem_states.h"
#include "priv.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

int rt_error(struct diags *ds, int err, const char *fmt, ...)
{
	char AUTO_FREE *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	diag_add(ds, DIAG_ERROR, "run-time", NULL, "%s: %s", text ? text : "run time",
		 strerror(-err));
	return err;
}

/* By the socket where that is allowed: a path below /proc takes ten times as long. */
static int netns_inode(int socket, ino_t *ret)
{
	int AUTO_CLOSE ns = ioctl(socket, SIOCGSKNS);
	struct stat st;

	if (ns >= 0 ? fstat(ns, &st) < 0 : stat("/proc/thread-self/ns/net", &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

int rt_netns_self(ino_t *ret_inode, uint64_t *ret_cookie)
{
	int AUTO_CLOSE fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret_cookie);
	uint64_t cookie = 0;
	ino_t inode = 0;
	int err;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		return -errno;
	err = netns_inode(fd, &inode);
	if (err)
		return err;
	*ret_inode = inode;
	*ret_cookie = cookie;
	return 0;
}

static struct runtime *runtime_new(const char *base, ino_t netns)
{
	struct runtime *rt = calloc(1, sizeof(*rt));

	if (!rt)
		return NULL;
	rt->lock = rt->words_fd = -1;
	rt->netns = netns;
	rt->base = strdup(base);
	if (!rt->base ||
	    path_printf(&rt->dir, "%s/nft-bpf/net-%lu", base, (unsigned long)netns) < 0) {
		rt_close(rt);
		return NULL;
	}
	return rt;
}

static int make_dirs(struct runtime *rt, struct diags *ds)
{
	char AUTO_FREE *top = NULL;
	int err = path_printf(&top, "%s/nft-bpf", rt->base);

	if (err)
		return err;
	if (mkdir(top, 0700) < 0 && errno != EEXIST)
		return rt_error(ds, -errno, "%s: cannot make directory", top);
	if (mkdir(rt->dir, 0700) < 0 && errno != EEXIST)
		return rt_error(ds, -errno, "%s: cannot make directory", rt->dir);
	return 0;
}

static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static int take_lock(struct runtime *rt, bool wait, struct diags *ds)
{
	for (;;) {
		int AUTO_CLOSE fd = -1;
		int err = make_dirs(rt, ds);

		if (err)
			return err;
		fd = open(rt->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return rt_error(ds, -errno, "%s: cannot open", rt->dir);
		while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
			if (errno == EWOULDBLOCK) {
				diag_add(ds, DIAG_ERROR, "locked", NULL,
					 "another nft-bpf is at work in this network namespace");
				return -EBUSY;
			}
			if (errno != EINTR)
				return rt_error(ds, -errno, "%s: cannot lock", rt->dir);
		}
		if (!still_there(fd, rt->dir))
			continue;
		rt->lock = fd;
		fd = -1;
		return 0;
	}
}

int rt_forget(struct runtime *rt)
{
	if (rt->words)
		munmap(rt->words, rt->words_size);
	close_fd(&rt->words_fd);
	rt->words = NULL;
	rt->words_fd = -1;
	rt->foreign_words = false;
	return dir_clear(rt->dir);
}

/* Inodes of namespaces are used again: state of another cookie is a dead namespace's. */
static int wipe_if_stale(struct runtime *rt, struct diags *ds)
{
	uint64_t cookie;

	if (!rt->words)
		return 0;
	cookie = (uint64_t)rt->words[RT_WORD_COOKIE_HIGH].value << 32 |
		 rt->words[RT_WORD_COOKIE_LOW].value;
	if (cookie == rt->cookie)
		return 0;
	diag_add(ds, DIAG_NOTE, "stale-state", NULL,
		 "%s: left over from a network namespace that is gone; %s", rt->dir,
		 rt->read_only ? "the next load removes it" : "removed");
	return rt->read_only ? -ENOENT : rt_forget(rt);
}

static int say_nothing(enum libbpf_print_level level UNUSED, const char *fmt UNUSED,
		       va_list ap UNUSED)
{
	return 0;
}

/* Libraries do not print, and each root takes two descriptors. */
static void prepare_process(void)
{
	struct rlimit limit;

	libbpf_set_print(say_nothing);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int rt_open(const struct rt_options *opt, struct diags *ds, struct runtime **ret)
{
	struct runtime CLEANUP(rt_closep) *rt = NULL;
	char AUTO_FREE *base = NULL;
	uint64_t cookie;
	ino_t inode;
	int err;

	prepare_process();
	err = rt_netns_self(&inode, &cookie);
	if (err)
		return rt_error(ds, err, "cannot tell the network namespace");
	err = bpffs_find(!opt->read_only, ds, &base);
	if (err)
		return err;
	rt = runtime_new(base, inode);
	if (!rt)
		return -ENOMEM;
	rt->cookie = cookie;
	rt->read_only = opt->read_only;
	if (rt->read_only && access(rt->dir, F_OK) < 0)
		return errno == ENOENT ? -ENOENT : rt_error(ds, -errno, "%s: cannot look", rt->dir);
	if (!rt->read_only)
		err = take_lock(rt, opt->wait_lock, ds);
	if (!err)
		err = gen_words(rt, false, ds);
	if (!err)
		err = wipe_if_stale(rt, ds);
	if (!err && !opt->elements)
		err = roots_scan(rt, ds);
	if (err)
		return err;
	*ret = TAKE_PTR(rt);
	return 0;
}

int rt_open_roots(struct runtime *rt, struct diags *ds)
{
	return roots_scan(rt, ds);
}

int rt_open_dir(const char *base, ino_t netns, struct diags *ds, struct runtime **ret)
{
	struct runtime CLEANUP(rt_closep) *rt = runtime_new(base, netns);
	int err;

	if (!rt)
		return -ENOMEM;
	prepare_process();
	rt->read_only = true;
	err = gen_words(rt, false, ds);
	if (!err)
		err = roots_scan(rt, ds);
	if (err)
		return err;
	*ret = TAKE_PTR(rt);
	return 0;
}

void rt_close(struct runtime *rt)
{
	if (!rt)
		return;
	roots_close(rt);
	if (rt->words)
		munmap(rt->words, rt->words_size);
	if (rt->words_fd >= 0)
		close(rt->words_fd);
	if (rt->lock >= 0) {
		rmdir(rt->dir); /* fails while there is anything in it */
		close(rt->lock);
	}
	free(rt->live);
	free(rt->raw);
	dynamic_forget(rt);
	elem_states_forget(rt);
	elem_states_forget_shown(rt);
	free(rt->snapshot);
	free(rt->dir);
	free(rt->base);
	free(rt);
}

void rt_closep(struct runtime **rt)
{
	rt_close(*rt);
}
