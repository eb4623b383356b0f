/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD: one call of a process fails, as the kernel or libc may let any of them fail.
 *
 *	FAULT=KIND:N[+]:ERRNO	the Nth call of a kind does, with + also all behind it; N 0: they are counted
 *	FAULT_LOG=FILE		a line for each call that was made fail; or their number at each step of a
 *				takeover (where NFT_BPF_STOP_AT is asked for), and at the end
 *	FAULT_BEHIND=N:COMMAND	instead: is run behind the Nth commit, as if others had waited for it
 *	FAULT_AT=STEP:COMMAND	instead: is run at that step of a takeover (NFT_BPF_STOP_AT); then what is
 *				behind ";;", at one that comes later
 *
 * Kinds are bpf (bpf(2), all of its commands), netlink (sockets, what is sent and received), file (what
 * changes or opens files), memory (what the program itself allocates, not its libraries), process
 * (threads, children, libraries). A call that comes before the Nth is let through, so over all N until
 * nothing is logged any more every call of a command has failed once.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static char kind[16];
static long n, at;
static bool on_and_on;
static int code;
static uintptr_t text, text_end; /* of the program */

static int find_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		text = info->dlpi_addr + p->p_vaddr;
		text_end = text + p->p_memsz;
	}
	return 1; /* the program comes first */
}

static __attribute__((constructor)) void prepare(void)
{
	const char *fault = getenv("FAULT");
	char plus[2] = "";

	if (!fault)
		return;
	dl_iterate_phdr(find_program, NULL);
	if (sscanf(fault, "%15[a-z]:%ld%1[+]:%d", kind, &at, plus, &code) != 4 &&
	    sscanf(fault, "%15[a-z]:%ld:%d", kind, &at, &code) != 3)
		_exit(99);
	on_and_on = *plus;
}

/* Nothing here may allocate. */
static void note(const char *what, long detail)
{
	const char *path = getenv("FAULT_LOG");
	char line[128];
	int fd, len;

	len = snprintf(line, sizeof(line), "%s %ld\n", what, detail);
	fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
	if (fd < 0)
		return;
	(void)!write(fd, line, (size_t)len);
	close(fd);
}

static __attribute__((destructor)) void count(void)
{
	if (*kind && !at)
		note("calls", n);
}

static bool fails(const char *of, const char *what, long detail)
{
	long number;

	if (strcmp(of, kind) != 0)
		return false;
	number = __atomic_add_fetch(&n, 1, __ATOMIC_RELAXED);
	if (number != at && !(on_and_on && number > at))
		return false;
	note(what, detail);
	errno = code;
	return true;
}

/* The first of FAULT_AT's. */
static char *next_step(const char *list)
{
	static char step[32];
	size_t len = strcspn(list, ":");

	snprintf(step, sizeof(step), "%.*s", (int)len, list);
	return step;
}

EXPORT char *getenv(const char *name)
{
	static __typeof__(&getenv) next;
	const char *list;

	if (!next)
		next = NEXT(getenv);
	if (strcmp(name, "NFT_BPF_STOP_AT") != 0)
		return next(name);
	if (*kind && !at)
		note("calls", n);
	list = next("FAULT_AT");
	return list ? next_step(list) : next(name);
}

static void run(const char *command)
{
	unsetenv("LD_PRELOAD");
	if (system(command) != 0)
		note("command", -1);
}

EXPORT int kill(pid_t pid, int signal)
{
	const char *list = NEXT(getenv)("FAULT_AT");
	char *steps = list && pid == getpid() ? strdup(list) : NULL, *rest;

	if (!steps)
		return NEXT(kill)(pid, signal);
	rest = strstr(steps, ";;");
	if (rest) {
		*rest = 0;
		setenv("FAULT_AT", rest + 2, 1);
	} else {
		unsetenv("FAULT_AT");
	}
	run(strchr(steps, ':') + 1);
	free(steps);
	return 0;
}

/* ---- bpf ---- */

EXPORT long syscall(long number, ...)
{
	static __typeof__(&syscall) next;
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!next)
		next = NEXT(syscall);
	if (number == SYS_bpf && fails("bpf", "bpf", a[0]))
		return -1;
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- netlink ---- */

static bool is_netlink(int fd)
{
	socklen_t len = sizeof(int);
	int domain = 0;

	return strcmp(kind, "netlink") == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK;
}

EXPORT int socket(int domain, int type, int protocol)
{
	if (domain == AF_NETLINK && fails("netlink", "socket", protocol))
		return -1;
	return NEXT(socket)(domain, type, protocol);
}

EXPORT int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (is_netlink(fd) && fails("netlink", "bind", 0))
		return -1;
	return NEXT(bind)(fd, addr, len);
}

EXPORT ssize_t send(int fd, const void *data, size_t len, int flags)
{
	if (is_netlink(fd) && fails("netlink", "send", (long)len))
		return -1;
	return NEXT(send)(fd, data, len, flags);
}

EXPORT ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *addr,
		      socklen_t addr_len)
{
	if (is_netlink(fd) && fails("netlink", "sendto", (long)len))
		return -1;
	return NEXT(sendto)(fd, data, len, flags, addr, addr_len);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	static int commits;
	const char *behind;
	ssize_t len;

	if (is_netlink(fd) && fails("netlink", "sendmsg", (long)msg->msg_iovlen))
		return -1;
	len = NEXT(sendmsg)(fd, msg, flags);
	behind = NEXT(getenv)("FAULT_BEHIND");
	if (len > 0 && behind && ++commits == atoi(behind))
		run(strchr(behind, ':') + 1);
	return len;
}

/* Of an overrun what was to be received is lost. */
EXPORT ssize_t recv(int fd, void *data, size_t len, int flags)
{
	const bool fault = is_netlink(fd) && fails("netlink", "recv", flags);

	if (fault && code == ENOBUFS)
		NEXT(recv)(fd, data, len, MSG_DONTWAIT);
	if (fault)
		errno = code;
	return fault ? -1 : NEXT(recv)(fd, data, len, flags);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	if (is_netlink(fd) && fails("netlink", "recvmsg", flags))
		return -1;
	return NEXT(recvmsg)(fd, msg, flags);
}

/* ---- files ---- */

EXPORT int mkdir(const char *path, mode_t mode)
{
	return fails("file", "mkdir", 0) ? -1 : NEXT(mkdir)(path, mode);
}

EXPORT int rmdir(const char *path)
{
	return fails("file", "rmdir", 0) ? -1 : NEXT(rmdir)(path);
}

EXPORT int unlink(const char *path)
{
	return fails("file", "unlink", 0) ? -1 : NEXT(unlink)(path);
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return fails("file", "open", flags) ? -1 : NEXT(open)(path, flags, mode);
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	return fails("file", "fopen", 0) ? NULL : NEXT(fopen)(path, mode);
}

EXPORT DIR *opendir(const char *path)
{
	return fails("file", "opendir", 0) ? NULL : NEXT(opendir)(path);
}

EXPORT int dup(int fd)
{
	return fails("file", "dup", fd) ? -1 : NEXT(dup)(fd);
}

EXPORT int fstat(int fd, struct stat *st)
{
	return fails("file", "fstat", fd) ? -1 : NEXT(fstat)(fd, st);
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool allocation_fails(const void *from, const char *what, size_t size)
{
	const uintptr_t caller = (uintptr_t)from;

	return caller >= text && caller < text_end && fails("memory", what, (long)size);
}

EXPORT void *malloc(size_t size)
{
	return allocation_fails(__builtin_return_address(0), "malloc", size) ? NULL :
									       __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return allocation_fails(__builtin_return_address(0), "calloc", count * size) ?
		       NULL :
		       __libc_calloc(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	return allocation_fails(__builtin_return_address(0), "realloc", size) ?
		       NULL :
		       __libc_realloc(old, size);
}

EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (allocation_fails(__builtin_return_address(0), "mmap", len))
		return MAP_FAILED;
	return (void *)NEXT(syscall)(SYS_mmap, addr, len, prot, flags, fd, offset);
}

/* ---- processes, threads, libraries ---- */

EXPORT pid_t fork(void)
{
	return fails("process", "fork", 0) ? -1 : NEXT(fork)();
}

EXPORT int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	return fails("process", "pthread_create", 0) ? code :
						       NEXT(pthread_create)(ret, attr, run, arg);
}

/* dlerror() is what it was. */
EXPORT void *dlopen(const char *path, int flags)
{
	return fails("process", "dlopen", 0) ? NULL : NEXT(dlopen)(path, flags);
}
