/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A large array map, mapped where it is touched.
 *
 * The kernel fills in every page of such a mapping at once (array_map_mmap(): remap_vmalloc_range()),
 * which for a set of a million elements takes longer than all else that adding one to it takes. So
 * its place is only reserved, and an access to it brings the part that it falls into: the handler of
 * the fault maps that and lets the access begin again.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "priv.h"

#define WINDOW	   ((size_t)64 << 10)
#define WORTH_IT   (16 * WINDOW)

/* One at a time; what its handler needs. */
static struct {
	uint8_t *base;
	size_t size;
	int fd;
	struct sigaction before;
} lazy = {.fd = -1};

static void on_fault(int sig UNUSED, siginfo_t *info, void *context UNUSED)
{
	size_t at = (size_t)((uint8_t *)info->si_addr - lazy.base), len;
	int was = errno;

	if ((uint8_t *)info->si_addr >= lazy.base && at < lazy.size) {
		at -= at % WINDOW;
		len = MIN(WINDOW, lazy.size - at);
		if (mmap(lazy.base + at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 lazy.fd, (off_t)at) != MAP_FAILED) {
			errno = was;
			return;
		}
	}
	/* Not ours: the access fails again, as it would have. */
	sigaction(SIGSEGV, &lazy.before, NULL);
}

static int reserve(int fd, size_t size)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	void *base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return -errno;
	lazy.fd = dup(fd);
	lazy.base = base;
	lazy.size = size;
	if (lazy.fd >= 0 && sigaction(SIGSEGV, &act, &lazy.before) == 0)
		return 0;
	rt_array_unmap(base, size);
	return -errno;
}

int rt_array_map_lazy(int fd, void **ret_map, size_t *ret_size)
{
	struct bpf_map_info info = {0};
	uint32_t info_len = sizeof(info);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size;
	int err;

	if (bpf_obj_get_info_by_fd(fd, &info, &info_len) < 0)
		return -errno;
	size = ROUND_UP((size_t)ROUND_UP(info.value_size, 8) * info.max_entries, page);
	if (lazy.base || size < WORTH_IT || info.type != BPF_MAP_TYPE_ARRAY ||
	    !(info.map_flags & BPF_F_MMAPABLE))
		return rt_array_map(fd, true, ret_map, ret_size, NULL, NULL);
	err = reserve(fd, size);
	if (err)
		return err;
	*ret_map = lazy.base;
	*ret_size = size;
	return 0;
}

void rt_array_unmap(void *map, size_t size)
{
	munmap(map, size);
	if (map != lazy.base)
		return;
	sigaction(SIGSEGV, &lazy.before, NULL);
	if (lazy.fd >= 0)
		close(lazy.fd);
	lazy.base = NULL;
	lazy.fd = -1;
}
