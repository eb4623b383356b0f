/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf(2) where libbpf 1.1 and its headers are older than netfilter programs (Linux 6.4), and the
 * few things done to maps all over the run time.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>

#include "priv.h"

/* bpf_attr.link_create for BPF_NETFILTER. */
struct link_create_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint32_t pf, hooknum;
	int32_t priority;
	uint32_t nf_flags;
};

int rt_link_create(int prog_fd, uint8_t pf, uint8_t hook, int32_t priority)
{
	struct link_create_attr attr = {
		.prog_fd = (uint32_t)prog_fd,
		.attach_type = RT_ATTACH_NETFILTER,
		.pf = pf,
		.hooknum = hook,
		.priority = priority,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

static int create_mmapable(const char *name, uint32_t size, uint32_t n, int *ret_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), size, n, &opts);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

int rt_array_map(int fd, bool writable, void **ret_map, size_t *ret_size, uint32_t *ret_value_size,
		 uint32_t *ret_n)
{
	struct bpf_map_info info = { 0 };
	uint32_t info_len = sizeof(info);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size;
	void *map;

	if (bpf_obj_get_info_by_fd(fd, &info, &info_len) < 0)
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || !(info.map_flags & BPF_F_MMAPABLE))
		return -EINVAL;
	/* array_map_alloc(): values are padded to 8 bytes, the whole to pages. */
	size = ROUND_UP((size_t)ROUND_UP(info.value_size, 8) * info.max_entries, page);
	map = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*ret_map = map;
	*ret_size = size;
	if (ret_value_size)
		*ret_value_size = info.value_size;
	if (ret_n)
		*ret_n = info.max_entries;
	return 0;
}

int rt_array_create(const char *name, uint32_t size, uint32_t n, int *ret_fd, void **ret_map,
		    size_t *ret_size)
{
	int AUTO_CLOSE fd = -1;
	int err = create_mmapable(name, size, n, &fd);

	if (!err)
		err = rt_array_map(fd, true, ret_map, ret_size, NULL, NULL);
	if (err)
		return err;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static struct { /* what is waited with, once made there until the process ends */
	int inner, outer;
} waiting = { -1, -1 };

int rt_wait_prepare(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	if (waiting.inner < 0)
		waiting.inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nb_wait", sizeof(uint32_t), 4, 1, NULL);
	if (waiting.inner < 0)
		return waiting.inner;
	opts.inner_map_fd = (uint32_t)waiting.inner;
	if (waiting.outer < 0)
		waiting.outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "nb_wait", sizeof(uint32_t), 4,
					       1, &opts);
	return MIN(waiting.outer, 0);
}

/*
 * maybe_wait_bpf_programs(): an update of a map of maps returns after a grace period, which ends
 * every packet's way through a hook (nf_hook_slow() runs in one read-side section) as well.
 */
int rt_wait_programs(void)
{
	uint32_t key = 0;
	int err = rt_wait_prepare();

	return err ? err : bpf_map_update_elem(waiting.outer, &key, &waiting.inner, BPF_ANY);
}

int rt_accepting_program(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = NF_ACCEPT },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)RT_ATTACH_NETFILTER);

	return bpf_prog_load((enum bpf_prog_type)RT_PROG_TYPE_NETFILTER, RT_ACCEPTING, "GPL", insns,
			     ARRAY_SIZE(insns), &opts);
}
