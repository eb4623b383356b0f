/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libbpf, opened when something of it is needed (compiler/library.h). The plain system calls are
 * made here.
 */
#define LIBBPF_API __attribute__((visibility("hidden")))
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../compiler/library.h"

#define SONAME "libbpf.so.1"

#define FUNCTIONS(F)                                                                               \
	F(int, bpf_link_detach, (int fd), (fd))                                                    \
	F(int, bpf_map__fd, (const struct bpf_map *m), (m))                                        \
	F(const char *, bpf_map__name, (const struct bpf_map *m), (m))                             \
	F(int, bpf_map__reuse_fd, (struct bpf_map * m, int fd), (m, fd))                           \
	F(__u32, bpf_map__value_size, (const struct bpf_map *m), (m))                              \
	F(int, bpf_map_create,                                                                     \
	  (enum bpf_map_type type, const char *name, __u32 key, __u32 value, __u32 n,              \
	   const struct bpf_map_create_opts *opts),                                                \
	  (type, name, key, value, n, opts))                                                       \
	F(int, bpf_map_get_fd_by_id, (__u32 id), (id))                                             \
	F(int, bpf_map_lookup_batch,                                                               \
	  (int fd, void *in, void *out, void *keys, void *values, __u32 *n,                        \
	   const struct bpf_map_batch_opts *opts),                                                 \
	  (fd, in, out, keys, values, n, opts))                                                    \
	F(void, bpf_object__close, (struct bpf_object * o), (o))                                   \
	F(struct bpf_map *, bpf_object__find_map_by_name,                                          \
	  (const struct bpf_object *o, const char *name), (o, name))                               \
	F(int, bpf_object__find_map_fd_by_name, (const struct bpf_object *o, const char *name),    \
	  (o, name))                                                                               \
	F(struct bpf_program *, bpf_object__find_program_by_name,                                  \
	  (const struct bpf_object *o, const char *name), (o, name))                               \
	F(int, bpf_object__load, (struct bpf_object * o), (o))                                     \
	F(struct bpf_map *, bpf_object__next_map,                                                  \
	  (const struct bpf_object *o, const struct bpf_map *m), (o, m))                           \
	F(struct bpf_program *, bpf_object__next_program,                                          \
	  (const struct bpf_object *o, struct bpf_program *p), (o, p))                             \
	F(struct bpf_object *, bpf_object__open_mem,                                               \
	  (const void *data, size_t len, const struct bpf_object_open_opts *opts),                 \
	  (data, len, opts))                                                                       \
	F(int, bpf_prog_get_fd_by_id, (__u32 id), (id))                                            \
	F(int, bpf_prog_load,                                                                      \
	  (enum bpf_prog_type type, const char *name, const char *license,                         \
	   const struct bpf_insn *insns, size_t n, const struct bpf_prog_load_opts *opts),         \
	  (type, name, license, insns, n, opts))                                                   \
	F(int, bpf_program__fd, (const struct bpf_program *p), (p))                                \
	F(const char *, bpf_program__name, (const struct bpf_program *p), (p))                     \
	F(const char *, bpf_program__section_name, (const struct bpf_program *p), (p))             \
	F(int, bpf_program__set_expected_attach_type,                                              \
	  (struct bpf_program * p, enum bpf_attach_type type), (p, type))                          \
	F(int, bpf_program__set_log_buf, (struct bpf_program * p, char *log, size_t size),         \
	  (p, log, size))                                                                          \
	F(int, bpf_program__set_type, (struct bpf_program * p, enum bpf_prog_type type),           \
	  (p, type))                                                                               \
	F(int, libbpf_num_possible_cpus, (void), ())                                               \
	F(int, ring_buffer__consume, (struct ring_buffer * r), (r))                                \
	F(void, ring_buffer__free, (struct ring_buffer * r), (r))                                  \
	F(struct ring_buffer *, ring_buffer__new,                                                  \
	  (int fd, ring_buffer_sample_fn fn, void *arg, const struct ring_buffer_opts *opts),      \
	  (fd, fn, arg, opts))

static struct {
	void *so;
	FUNCTIONS(LIBRARY_MEMBER)
	__typeof__(&libbpf_set_print) set_print;
	libbpf_print_fn_t print;
	bool has_print;
} lib;

static __attribute__((cold)) void open_library(void)
{
	lib.so = library_open(SONAME);
	FUNCTIONS(LIBRARY_RESOLVE)
	lib.set_print = (__typeof__(lib.set_print))library_symbol(lib.so, "libbpf_set_print");
	if (lib.has_print)
		lib.set_print(lib.print);
}

FUNCTIONS(LIBRARY_FORWARD)

libbpf_print_fn_t libbpf_set_print(libbpf_print_fn_t fn)
{
	libbpf_print_fn_t before = lib.print;

	lib.print = fn;
	lib.has_print = true;
	if (lib.so)
		lib.set_print(fn);
	return before;
}

/* ---- system calls ---- */

static int sys_bpf(int cmd, union bpf_attr *attr, size_t size)
{
	long ret = syscall(SYS_bpf, cmd, attr, size);

	return ret < 0 ? -errno : (int)ret;
}

#define SIZE_TO(member) (offsetof(union bpf_attr, member) + sizeof(((union bpf_attr *)NULL)->member))

int bpf_obj_get(const char *path)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = (uintptr_t)path;
	return sys_bpf(BPF_OBJ_GET, &attr, SIZE_TO(file_flags));
}

int bpf_obj_pin(int fd, const char *path)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = (uintptr_t)path;
	attr.bpf_fd = (__u32)fd;
	return sys_bpf(BPF_OBJ_PIN, &attr, SIZE_TO(file_flags));
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *len)
{
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (__u32)fd;
	attr.info.info_len = *len;
	attr.info.info = (uintptr_t)info;
	err = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, SIZE_TO(info));
	if (!err)
		*len = attr.info.info_len;
	return err;
}

static int element(int cmd, int fd, const void *key, const void *value, __u64 flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (__u32)fd;
	attr.key = (uintptr_t)key;
	attr.value = (uintptr_t)value;
	attr.flags = flags;
	return sys_bpf(cmd, &attr, SIZE_TO(flags));
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	return element(BPF_MAP_LOOKUP_ELEM, fd, key, value, 0);
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	return element(BPF_MAP_UPDATE_ELEM, fd, key, value, flags);
}

int bpf_map_delete_elem(int fd, const void *key)
{
	return element(BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
}
