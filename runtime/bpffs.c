/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where pins go: a bpffs that outlives this process, and the few file operations on it.
 *
 * A bpffs mounted in a mount namespace of its own (`ip netns exec` makes one, and hides /sys/fs/bpf
 * in it) goes with that namespace, and with it all pins: the firewall would be gone when the
 * command ends. So the bpffs is looked for where our outermost ancestor sees it, through
 * /proc/PID/root, and mounted there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#include "priv.h"

int path_printf(char **ret, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	*ret = s;
	return 0;
}

/* pidfd_info() of Linux 6.13, PIDFD_INFO_SIZE_VER0: newer than the headers we must build with. */
struct pidfd_info_0 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ids[8], spare;
};
#define PIDFD_GET_INFO_0 _IOWR(0xff, 11, struct pidfd_info_0)
#define PIDFD_INFO_PID_0 1

/* -1: the kernel is older. */
static pid_t parent_by_pidfd(pid_t pid)
{
	struct pidfd_info_0 info = {.mask = PIDFD_INFO_PID_0};
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), err;

	if (fd < 0)
		return -1;
	err = ioctl(fd, PIDFD_GET_INFO_0, &info);
	close(fd);
	return err < 0 || !(info.mask & PIDFD_INFO_PID_0) ? -1 : (pid_t)info.ppid;
}

static pid_t parent_by_proc(pid_t pid)
{
	char path[64], line[256];
	const char *end = NULL;
	pid_t parent = 0;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, line, sizeof(line) - 1);
		close(fd);
	}
	/* "PID (NAME) STATE PPID": a name may have brackets in it. */
	line[MAX(n, (ssize_t)0)] = '\0';
	end = strrchr(line, ')');
	if (!end || sscanf(end, ") %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* 0: it has none that we can see. */
static pid_t parent_of(pid_t pid)
{
	pid_t parent = parent_by_pidfd(pid);

	return parent >= 0 ? parent : parent_by_proc(pid);
}

/* The outermost ancestor whose file systems we may look at; asked from there inwards. */
static pid_t outermost(void)
{
	pid_t ancestors[64] = {0}, pid;
	char path[64];
	size_t n = 0;

	for (pid = getppid(); pid > 0; pid = parent_of(pid)) {
		n = MIN(n + 1, ARRAY_SIZE(ancestors));
		ancestors[n - 1] = pid;
	}
	while (n-- > 0) {
		snprintf(path, sizeof(path), "/proc/%d/root/proc", (int)ancestors[n]);
		if (access(path, R_OK) == 0)
			return ancestors[n];
	}
	return getpid();
}

static bool same_mount_namespace(pid_t pid)
{
	struct stat a, b;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return stat(path, &a) == 0 && stat("/proc/self/ns/mnt", &b) == 0 && a.st_ino == b.st_ino;
}

static bool is_bpffs(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && (unsigned long)st.f_type == BPF_FS_MAGIC;
}

/* mount(2) acts on the caller's mount namespace only: a child goes there. */
static int mount_in(pid_t pid, const char *path)
{
	char ns[64];
	pid_t child;
	int status;

	snprintf(ns, sizeof(ns), "/proc/%d/ns/mnt", (int)pid);
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		int fd = open(ns, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
			_exit(errno);
		_exit(mount("bpf", path, "bpf", 0, "mode=0700") < 0 ? errno : 0);
	}
	if (waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int bpffs_mount(pid_t pid, const char *inside, const char *seen)
{
	int err;

	if (same_mount_namespace(pid))
		err = mount("bpf", inside, "bpf", 0, "mode=0700") < 0 ? -errno : 0;
	else
		err = mount_in(pid, inside);
	/* Somebody else may have been quicker. */
	return is_bpffs(seen) ? 0 : err ?: -ENOENT;
}

int bpffs_find(bool mount, struct diags *ds, char **ret)
{
	const char *inside = getenv("NFT_BPF_BPFFS");
	pid_t pid = inside ? getpid() : outermost();
	char AUTO_FREE *seen = NULL;
	int err;

	if (!inside)
		inside = "/sys/fs/bpf";
	if (same_mount_namespace(pid))
		err = path_printf(&seen, "%s", inside);
	else
		err = path_printf(&seen, "/proc/%d/root%s", (int)pid, inside);
	if (err)
		return err;
	if (!is_bpffs(seen)) {
		if (!mount)
			return -ENOENT;
		err = bpffs_mount(pid, inside, seen);
		if (err)
			return rt_error(ds, err, "%s: cannot mount bpffs", inside);
	}
	*ret = TAKE_PTR(seen);
	return 0;
}

int dir_each(const char *path, int (*fn)(void *arg, const char *name), void *arg)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int err = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			err = fn(arg, e->d_name);
	closedir(d);
	return err;
}

static int entry_remove(void *arg, const char *name)
{
	char AUTO_FREE *path = NULL;
	struct stat st;
	int err = path_printf(&path, "%s/%s", (const char *)arg, name);

	if (err)
		return err;
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return dir_remove(path);
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int dir_clear(const char *path)
{
	return dir_each(path, entry_remove, (void *)path);
}

int dir_remove(const char *path)
{
	int err = dir_clear(path);

	if (!err && rmdir(path) < 0 && errno != ENOENT)
		err = -errno;
	return err;
}

int rt_pin(int fd, const char *path, struct diags *ds)
{
	int err = bpf_obj_pin(fd, path);

	return err < 0 ? rt_error(ds, err, "%s: cannot pin", path) : 0;
}
