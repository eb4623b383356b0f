/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that start inside the kernel: an XDP program run on live frames in the name of a veth,
 * so that a packet costs its way through the stack and nothing of a wire or a socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "inject.h"

/* Newer than the oldest headers that this builds with. */
#define PROG_TYPE_NETFILTER   32
#define ATTACH_TYPE_NETFILTER 45
#define PF_IPV4		      2
#define MAX_LINKS	      64
#define BATCH		      64 /* what a NAPI poll hands up at once */

struct placed {
	char netns[64], program[16];
	int fd;
};

struct injector {
	struct bpf_object *obj;
	struct bench_packet *packets;
	struct bench_state *state;
	size_t n_packets;
	struct placed links[MAX_LINKS];
};

/* Ethernet to 02:00:00:00:00:01, IPv4, 50 bytes, DF, TTL 64; TCP header length and window. */
static const unsigned char frame_template[BENCH_FRAME] = {
	[0] = 0x02,  [5] = 0x01, [12] = 0x08, [14] = 0x45, [17] = 50,
	[20] = 0x40, [22] = 64,	 [46] = 0x50, [48] = 0xff, [49] = 0xff,
};

int netns_switch(const char *name)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Lives as long as the process: there is one injector. */
static void *map_memory(struct bpf_object *obj, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(obj, name);
	size_t size = bpf_map__value_size(bpf_object__find_map_by_name(obj, name));
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct injector *injector_open(const char *object)
{
	struct injector *in = calloc(1, sizeof(*in));
	struct bpf_program *prog;

	if (!in)
		return NULL;
	in->obj = bpf_object__open_file(object, NULL);
	if (!in->obj)
		goto fail;
	bpf_object__for_each_program(prog, in->obj)
	{
		if (strcmp(bpf_program__section_name(prog), "netfilter"))
			continue;
		bpf_program__set_type(prog, PROG_TYPE_NETFILTER);
		bpf_program__set_expected_attach_type(prog, ATTACH_TYPE_NETFILTER);
	}
	errno = -bpf_object__load(in->obj);
	if (errno)
		goto fail;
	in->packets = map_memory(in->obj, ".bss.packets");
	in->state = map_memory(in->obj, ".bss.state");
	if (in->packets && in->state)
		return in;
fail:
	injector_close(in);
	return NULL;
}

void injector_close(struct injector *in)
{
	int err = errno;

	for (size_t i = 0; i < MAX_LINKS; i++)
		if (in->links[i].program[0])
			close(in->links[i].fd);
	bpf_object__close(in->obj);
	free(in);
	errno = err;
}

static unsigned short ipv4_check(const struct bench_packet *p)
{
	unsigned char header[20];
	unsigned int sum = 0;

	memcpy(header, frame_template + 14, sizeof(header));
	header[9] = p->protocol;
	memcpy(header + 12, &p->saddr, 4);
	memcpy(header + 16, &p->daddr, 4);
	for (size_t i = 0; i < sizeof(header); i += 2)
		sum += header[i] << 8 | header[i + 1];
	sum = (sum >> 16) + (sum & 0xffff);
	return htons(~(sum + (sum >> 16)) & 0xffff);
}

int inject_packets(struct injector *in, const char *file)
{
	FILE *f = fopen(file, "re");

	if (!f)
		return -errno;
	in->n_packets = fread(in->packets, sizeof(*in->packets), BENCH_PACKETS, f);
	fclose(f);
	for (size_t i = 0; i < in->n_packets; i++) {
		in->packets[i].check = ipv4_check(&in->packets[i]);
		if (in->packets[i].protocol == IPPROTO_UDP)
			in->packets[i].l4 = htons(BENCH_FRAME - 34);
	}
	in->state->count = in->n_packets;
	return in->n_packets ? 0 : -ENODATA;
}

size_t inject_packet_count(const struct injector *in)
{
	return in->n_packets;
}

const struct bench_packet *inject_packet(const struct injector *in, size_t i)
{
	return &in->packets[i];
}

/* libbpf has bpf_program__attach_netfilter() from 1.3 on. */
static int link_create(int prog_fd, unsigned int hook, int priority)
{
	struct {
		__u32 prog_fd, target_fd, attach_type, flags, pf, hooknum;
		__s32 priority;
		__u32 nf_flags;
	} attr = {
		.prog_fd = prog_fd,
		.attach_type = ATTACH_TYPE_NETFILTER,
		.pf = PF_IPV4,
		.hooknum = hook,
		.priority = priority,
	};
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

int inject_attach(struct injector *in, const struct inject_place *place)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(in->obj, place->program);
	struct placed *slot = in->links;
	int fd, err;

	if (!prog)
		return -EINVAL;
	while (slot < in->links + MAX_LINKS && slot->program[0])
		slot++;
	if (slot == in->links + MAX_LINKS)
		return -ENOSPC;
	err = netns_switch(place->netns);
	if (err)
		return err;
	fd = link_create(bpf_program__fd(prog), place->hook, place->priority);
	if (fd < 0)
		return fd;
	slot->fd = fd;
	snprintf(slot->netns, sizeof(slot->netns), "%s", place->netns);
	snprintf(slot->program, sizeof(slot->program), "%s", place->program);
	return 0;
}

void inject_detach(struct injector *in, const char *netns, const char *program)
{
	for (struct placed *l = in->links; l < in->links + MAX_LINKS; l++) {
		if (!l->program[0] || strcmp(l->netns, netns))
			continue;
		if (program && strcmp(l->program, program))
			continue;
		close(l->fd);
		l->program[0] = 0;
	}
}

int inject_run(struct injector *in, const char *netns, const char *dev, unsigned int count,
	       struct inject_result *ret_result)
{
	struct xdp_md md = {.data_end = BENCH_FRAME};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame_template, .data_size_in = BENCH_FRAME,
		    .ctx_in = &md, .ctx_size_in = sizeof(md), .repeat = count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	int prog = bpf_program__fd(bpf_object__find_program_by_name(in->obj, "gen"));
	int err = netns_switch(netns);

	if (err)
		return err;
	md.ingress_ifindex = if_nametoindex(dev);
	if (!md.ingress_ifindex)
		return -ENODEV;
	in->state->passed = 0;
	err = bpf_prog_test_run_opts(prog, &opts);
	if (err)
		return err;
	ret_result->packets = count;
	ret_result->passed = in->state->passed;
	ret_result->ns = opts.duration;
	return 0;
}

int inject_check(struct injector *in, const char *netns, const char *dev, unsigned int count,
		 struct inject_result *ret_result, const unsigned char **ret_verdicts)
{
	int err;

	if (count > in->n_packets)
		return -ERANGE;
	memset(in->state->verdict, 0, sizeof(in->state->verdict));
	in->state->next = 0;
	err = inject_run(in, netns, dev, count, ret_result);
	if (err)
		return err;
	*ret_verdicts = in->state->verdict;
	return 0;
}
