/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user space end of the probes.
 *
 * libbpf 1.1 knows neither netfilter programs nor TCX links; both take a bpf(2) call of our own.
 */
#include "probe_user.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROG_TYPE_NETFILTER 32
#define ATTACH_NETFILTER    45
#define ATTACH_TCX_INGRESS  46
#define MAX_LINKS	    512

struct probes {
	struct bpf_object *obj;
	struct ring_buffer *ring;
	struct trail *into; /* while draining */
	int drain_err;
	struct probe_ingress *ingress;
	int lost_fd;
	int prog[PROBE_POSITIONS];
	int links[MAX_LINKS];
	unsigned int n_links;
	int dev_link[LAB_MAX_DEVS]; /* of set_ingress; -1: not attached */
};

/* probe_object.S */
extern const char difftest_probe_obj[], difftest_probe_obj_end[];

/* union bpf_attr of BPF_LINK_CREATE, for kernels newer than the headers. */
struct link_create {
	uint32_t prog_fd, target, attach_type, flags;
	union {
		struct {
			uint32_t pf, hooknum;
			int32_t priority;
			uint32_t nf_flags;
		};
		struct {
			uint32_t relative;
			uint64_t expected_revision;
		};
	};
};

static int link_create(struct link_create *attr)
{
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, attr, sizeof(*attr));

	return fd < 0 ? -errno : fd;
}

void trail_fini(struct trail *t)
{
	free(t->events);
	*t = (struct trail){0};
}

static int on_event(void *arg, void *data, size_t size)
{
	struct probes *ps = arg;
	struct trail *t = ps->into;

	if (size < sizeof(struct probe_event))
		return 0;
	if (t->n == t->size) {
		size_t n = t->size ? t->size * 2 : 16;
		void *p = reallocarray(t->events, n, sizeof(*t->events));

		if (!p) {
			ps->drain_err = -ENOMEM;
			return 0;
		}
		t->events = p;
		t->size = n;
	}
	memcpy(&t->events[t->n++], data, sizeof(*t->events));
	return 0;
}

int probes_drain(struct probes *ps, struct trail *t)
{
	uint32_t zero = 0;
	uint64_t lost = 0;

	ps->into = t;
	ps->drain_err = 0;
	ring_buffer__consume(ps->ring);
	if (bpf_map_lookup_elem(ps->lost_fd, &zero, &lost) == 0 && lost) {
		lost = 0;
		bpf_map_update_elem(ps->lost_fd, &zero, &lost, 0);
		return -ENOSPC;
	}
	return ps->drain_err;
}

static int keep_link(struct probes *ps, int fd)
{
	if (fd < 0)
		return fd;
	if (ps->n_links == MAX_LINKS) {
		close(fd);
		return -ENOSPC;
	}
	ps->links[ps->n_links++] = fd;
	return 0;
}

/* Attaching waits for RCU, so only devices whose packets need it get the program. */
static int attach_ingress(struct lab *lab, enum lab_side_id side, unsigned int dev)
{
	struct probes *ps = lab->side[side].probes;
	struct bpf_program *p = bpf_object__find_program_by_name(ps->obj, "set_ingress");
	struct link_create attr = {.prog_fd = (uint32_t)bpf_program__fd(p),
				   .target = lab->devs[dev].ifindex,
				   .attach_type = ATTACH_TCX_INGRESS};
	int fd, err = lab_enter(lab, side);

	if (err)
		return err;
	fd = link_create(&attr);
	lab_leave(lab);
	if (fd < 0)
		return fd;
	ps->dev_link[dev] = fd;
	return 0;
}

int probes_set_ingress(struct lab *lab, enum lab_side_id side, unsigned int dev, uint32_t mark,
		       uint32_t priority)
{
	struct probes *ps = lab->side[side].probes;

	ps->ingress->mark = mark;
	ps->ingress->priority = priority;
	if ((!mark && !priority) || ps->dev_link[dev] >= 0)
		return 0;
	return attach_ingress(lab, side, dev);
}

static int load(struct probes *ps)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "difftest_probe");
	struct bpf_program *p;
	unsigned int n = 0;
	int err;

	ps->obj = bpf_object__open_mem(difftest_probe_obj,
				       (size_t)(difftest_probe_obj_end - difftest_probe_obj), &opts);
	if (!ps->obj)
		return -errno;
	bpf_object__for_each_program(p, ps->obj) {
		if (strcmp(bpf_program__section_name(p), "netfilter") != 0)
			continue;
		bpf_program__set_type(p, PROG_TYPE_NETFILTER);
		bpf_program__set_expected_attach_type(p, ATTACH_NETFILTER);
	}
	err = bpf_object__load(ps->obj);
	if (err)
		return err;
	bpf_object__for_each_program(p, ps->obj)
		if (strcmp(bpf_program__section_name(p), "netfilter") == 0)
			ps->prog[n++] = bpf_program__fd(p);
	return n == PROBE_POSITIONS ? 0 : -EINVAL;
}

static int open_maps(struct probes *ps)
{
	int in = bpf_object__find_map_fd_by_name(ps->obj, "ingress");
	int events = bpf_object__find_map_fd_by_name(ps->obj, "events");
	void *p;

	ps->lost_fd = bpf_object__find_map_fd_by_name(ps->obj, "lost");
	p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, in, 0);
	if (p == MAP_FAILED)
		return -errno;
	ps->ingress = p;
	ps->ring = ring_buffer__new(events, on_event, ps, NULL);
	return ps->ring ? 0 : -errno;
}

static int keep_silent(enum libbpf_print_level level UNUSED, const char *fmt UNUSED,
		       va_list args UNUSED)
{
	return 0;
}

int probes_new(struct diags *ds, struct probes **ret)
{
	libbpf_print_fn_t old = libbpf_set_print(keep_silent);
	struct probes *ps = calloc(1, sizeof(*ps));
	int err;

	if (!ps)
		return -ENOMEM;
	memset(ps->dev_link, 0xff, sizeof(ps->dev_link));
	err = load(ps);
	if (!err)
		err = open_maps(ps);
	libbpf_set_print(old);
	if (err) {
		diag_add(ds, DIAG_ERROR, "difftest-lab", NULL, "probe programs: %s", strerror(-err));
		probes_free(ps);
		return err;
	}
	*ret = ps;
	return 0;
}

static void close_links(struct probes *ps, unsigned int keep)
{
	while (ps->n_links > keep)
		close(ps->links[--ps->n_links]);
}

void probes_free(struct probes *ps)
{
	if (!ps)
		return;
	close_links(ps, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ps->dev_link); i++)
		if (ps->dev_link[i] >= 0)
			close(ps->dev_link[i]);
	if (ps->ring)
		ring_buffer__free(ps->ring);
	if (ps->ingress)
		munmap(ps->ingress, (size_t)sysconf(_SC_PAGESIZE));
	if (ps->obj)
		bpf_object__close(ps->obj);
	free(ps);
}

/* The highest free priority of the gap: what stands at its lower end may have been moved up. */
static int attach_side(struct probes *ps, const struct probe_gap *gap)
{
	struct link_create attr = {.prog_fd = (uint32_t)ps->prog[gap->pos],
				   .attach_type = ATTACH_NETFILTER,
				   .pf = gap->pf,
				   .hooknum = gap->hook};
	int64_t prio = (int64_t)gap->before - 1;
	int err = -EBUSY;

	for (int tries = 0; tries < 8 && prio > gap->after && err == -EBUSY; tries++, prio--) {
		attr.priority = (int32_t)prio;
		err = link_create(&attr);
	}
	return keep_link(ps, err);
}

int probes_attach(struct lab *lab, const struct probe_gap *gap)
{
	for (unsigned int i = 0; i < N_SIDES; i++) {
		int err = lab_enter(lab, i);

		if (err)
			return err;
		err = attach_side(lab->side[i].probes, gap);
		lab_leave(lab);
		if (err && i > 0)
			close_links(lab->side[0].probes, lab->side[0].probes->n_links - 1);
		if (err)
			return err;
	}
	return 0;
}

void probes_detach(struct lab *lab)
{
	for (unsigned int i = 0; i < N_SIDES; i++)
		if (lab->side[i].probes)
			close_links(lab->side[i].probes, 0);
}
