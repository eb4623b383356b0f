/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the run time share; nobody else includes it.
 */
#ifndef NFT_BPF_RUNTIME_PRIV_H
#define NFT_BPF_RUNTIME_PRIV_H

#include <linux/bpf.h>
#include <linux/netfilter.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "root.h"
#include "runtime.h"

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define AUTO_CLOSE CLEANUP(close_fd)

/* As programs read it: bpf_ktime_get_ns(). */
static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
static inline uint64_t ms_since(uint64_t ns)
{
	uint64_t now = now_ns();

	return now > ns ? (now - ns) / 1000000 : 0;
}
static inline double now_ms(void)
{
	return (double)now_ns() / 1e6;
}

/* The program that a chain of this generation runs in, and where it hangs. */
struct root {
	char name[40]; /* "v4-input-0" */
	uint8_t pf, hook;
	int32_t priority; /* as attached */
	bool fresh;	  /* attached by this process */
	bool used;	  /* has a program in the generation being made */
	int slots, verdicts;
};

struct packets_bytes {
	uint64_t packets, bytes;
};

/* Where the kernel runs a base chain. */
struct live_hook {
	uint8_t family;
	uint32_t hook;
	int32_t priority;
};

/* What the kernel's own counter says where a model shows the sum with ours. */
struct raw_counter {
	const void *owner; /* struct rule or struct object of the model; maybe gone since */
	uint64_t handle;
	uint32_t expr;
	struct packets_bytes value;
};

struct runtime {
	char *base;	/* bpffs */
	char *dir;	/* base/nft-bpf/net-INODE */
	ino_t netns;
	uint64_t cookie;
	int lock;	/* descriptor of dir, locked; -1 when read only */
	bool read_only;
	int words_fd;	/* map "nb_generation"; -1: not made yet */
	struct word *words; /* by enum rt_word, mapped; NULL: not made yet */
	size_t words_size;
	bool foreign_words; /* of another layout: decides, but no root of ours can read it */
	struct root *roots;
	size_t n_roots;
	struct live_hook *live; /* base chains on their hooks at the last rt_model() */
	size_t n_live;
	struct raw_counter *raw; /* of the last rt_model(), by owner and expr */
	size_t n_raw;
	struct packets_bytes *snapshot; /* of the current generation's counters, then */
	size_t n_snapshot;
	struct shown *shown; /* dynamic_shown.c: elements of the last rt_model() */
	size_t n_shown;
	struct elem_bases *bases; /* elem_carry.c: what a new generation began with */
	struct elem_shown *elem_shown; /* elem_states.c: of anonymous sets at the last rt_model() */
};

/* ---- stop.c ---- */

/* Kills this process when $NFT_BPF_STOP_AT is @step: what a crash there leaves is tested. */
void rt_stop_at(const char *step);

/* ---- bpf.c: what libbpf 1.1 does not know, and small map work ---- */

enum {
	RT_PROG_TYPE_NETFILTER = 32,
	RT_ATTACH_NETFILTER = 45,
};

int rt_link_create(int prog_fd, uint8_t pf, uint8_t hook, int32_t priority);
/* An mmapable array of @n values of @size bytes, mapped; *ret_fd is the map. */
int rt_array_create(const char *name, uint32_t size, uint32_t n, int *ret_fd, void **ret_map,
		    size_t *ret_size);
/* Maps an existing one; its length is what the kernel says. -EINVAL when it is not of that kind. */
int rt_array_map(int fd, bool writable, void **ret_map, size_t *ret_size, uint32_t *ret_value_size,
		 uint32_t *ret_n);
/*
 * lazy.c: the same, writable, for a few accesses to what may be large. One at a time; not for the
 * kernel to read from or write to.
 */
int rt_array_map_lazy(int fd, void **ret_map, size_t *ret_size);
void rt_array_unmap(void *map, size_t size);
/* Returns when no program (and no packet) is under way that began before the call. */
int rt_wait_programs(void);
int rt_wait_prepare(void); /* else what cannot be had for it is told by the first wait */
/* A descriptor of a program that accepts all, or -errno. */
int rt_accepting_program(void);
#define RT_ACCEPTING "nb_accept" /* its name */

/* ---- bpffs.c ---- */

/* The bpffs to use, as a path; mounted when @mount and it was not. -ENOENT: there is none. */
int bpffs_find(bool mount, struct diags *ds, char **ret);
/* "base/nft-bpf" and so on: formats, -ENOMEM. */
int path_printf(char **ret, const char *fmt, ...) PRINTF_LIKE(2, 3);
int dir_remove(const char *path); /* with all in it; a path that is not there is fine */
int dir_clear(const char *path);  /* all in it */
/* Calls @fn for each entry but dots, in no order, until it fails; no such directory is empty. */
int dir_each(const char *path, int (*fn)(void *arg, const char *name), void *arg);
int rt_pin(int fd, const char *path, struct diags *ds);

/* ---- open.c ---- */

/* Says once what failed and hands the error through. */
int rt_error(struct diags *ds, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Removes everything of the namespace's; @rt may be used on. */
int rt_forget(struct runtime *rt);
int rt_netns_self(ino_t *ret_inode, uint64_t *ret_cookie);
/* Read only, any namespace. */
int rt_open_dir(const char *base, ino_t netns, struct diags *ds, struct runtime **ret);

/* ---- root.c ---- */

int roots_scan(struct runtime *rt, struct diags *ds);
void roots_close(struct runtime *rt);
/* The map of words that attached roots read, whose pin is gone; -ENOENT: no root has one. */
int roots_find_words(struct runtime *rt);
/* The root at exactly that place, attached if need be. -EBUSY: the place is taken. */
int root_get(struct runtime *rt, uint8_t pf, uint8_t hook, int32_t priority, uint32_t verdict,
	     struct diags *ds, struct root **ret);
struct root *root_find(struct runtime *rt, uint8_t pf, uint8_t hook, int32_t priority);
int root_set_slot(struct root *r, uint32_t parity, int prog_fd); /* prog_fd -1: empties it */
uint32_t root_program(const struct root *r, uint32_t parity); /* its id; 0: none */
bool root_has_program(const struct root *r, uint32_t parity);
/* One that is not just there to accept all. */
bool root_decides(const struct root *r, uint32_t parity);
int root_set_verdict(struct root *r, uint32_t parity, uint32_t verdict);
/* A descriptor of the root's link, or -errno. */
int root_link(const struct runtime *rt, uint8_t pf, uint8_t hook, int32_t priority);
int root_remove(struct runtime *rt, struct root *r); /* detaches */
const char *hook_name(uint8_t hook);

/* ---- gen.c ---- */

/* The map of words, made when @create. */
int gen_words(struct runtime *rt, bool create, struct diags *ds);
uint32_t gen_current(const struct runtime *rt); /* 0: nothing was ever loaded */
bool gen_exists(const struct runtime *rt, uint32_t gen);
/* Numbers of the generations that have a directory, ascending. */
int gen_list(const struct runtime *rt, uint32_t **ret, size_t *ret_n);
/* Does a program of the current generation decide, of which no manifest says what it stands for? */
bool gen_is_lost(const struct runtime *rt);
void gen_flip(struct runtime *rt, uint32_t gen); /* one store: all hooks decide by @gen now */
int gen_drop(struct runtime *rt, uint32_t gen); /* its pins */
int gen_pin(struct runtime *rt, uint32_t gen, const char *name, int fd, struct diags *ds);
int gen_get(const struct runtime *rt, uint32_t gen, const char *name, int *ret_fd);

#endif
