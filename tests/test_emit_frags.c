/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emission, packets in pieces: random decision lists on packets of which only a part is linear, sent
 * through a TAP device with IFF_NAPI_FRAGS, count as the evaluator does. Needs root; makes a network
 * namespace of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bpf_run.h"
#include "ir_random.h"

enum { CPUS = 64, LISTS = 12 };

static int tap = -1;
static uint8_t tap_mac[6];

static bool set_up_tap(void)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_NAPI | IFF_NAPI_FRAGS};
	struct ethtool_value no_gro = {.cmd = ETHTOOL_SGRO, .data = 0};
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(req.ifr_name, "frags");
	tap = open("/dev/net/tun", O_RDWR);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &req) || ioctl(sock, SIOCGIFHWADDR, &req))
		return false;
	memcpy(tap_mac, req.ifr_hwaddr.sa_data, 6);
	req.ifr_data = (void *)&no_gro;
	if (ioctl(sock, SIOCETHTOOL, &req))
		return false;
	req.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &req))
		return false;
	close(sock);
	return true;
}

/* BPF_LINK_CREATE for a netfilter program; libbpf 1.1 does not know it. */
static int attach(struct bpf_program *prog, uint8_t pf, uint8_t hook)
{
	struct {
		uint32_t prog_fd, target_fd, attach_type, flags, pf, hook;
		int32_t priority;
		uint32_t nf_flags;
	} attr = {.prog_fd = (uint32_t)bpf_program__fd(prog),
		  .attach_type = 45,
		  .pf = pf,
		  .hook = hook};

	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* The frame in up to 8 pieces, the first of which is linear. */
static void send_pieces(struct rnd *r, const struct rnd_packet *p)
{
	struct iovec iov[8];
	uint32_t at = 0;
	int n = 0;

	while (at < p->len) {
		uint32_t len = n ? 1 + rnd_below(r, 20) : 14 + rnd_below(r, 60);

		if (n == 7 || at + len > p->len)
			len = p->len - at;
		iov[n].iov_base = (void *)(p->frame + at);
		iov[n++].iov_len = len;
		at += len;
	}
	assert_int_equal(writev(tap, iov, n), p->len);
}

static void compare(struct rnd *r, struct bpf_run *run, uint8_t hook)
{
	uint64_t (*counted)[2] = calloc(r->ir->n_counters + 1, sizeof(*counted));
	struct ir_env state, env;
	unsigned int n_bad = 0;

	assert_int_equal(ir_env_init_state(&state, r->ir), 0);
	for (uint32_t i = 0; i < RND_PACKETS && !n_bad; i++) {
		rnd_env(r, &r->packets[i], hook, &env);
		env.shared = state.shared;
		env.elems = state.elems;
		env.counters = state.counters;
		ir_eval_prog(&r->ir->progs[0], &env);
		send_pieces(r, &r->packets[i]);
		assert_int_equal(bpf_run_counters(run, r->ir, CPUS, counted), 0);
		for (uint32_t k = 0; k < r->ir->n_counters; k++) {
			if (counted[k][0] == state.counters[k].packets &&
			    counted[k][1] == state.counters[k].bytes)
				continue;
			print_message("packet %u, counter %u: %lu, not %lu\n", i, k,
				      (unsigned long)counted[k][0],
				      (unsigned long)state.counters[k].packets);
			n_bad++;
		}
	}
	assert_int_equal(n_bad, 0);
	ir_env_fini_state(&state);
	free(counted);
}

static void run_list(uint64_t seed, uint8_t pf)
{
	static const struct emit_options options = {.cpus = CPUS};
	struct rnd *r = calloc(1, sizeof(*r));
	struct emitted e = {0};
	struct bpf_run run;
	struct diags ds;
	int link;

	r->x = 0x9e3779b97f4a7c15ull * (seed + 1);
	r->pf = pf;
	r->real = true;
	memcpy(r->dst_mac, tap_mac, 6);
	rnd_program(r, NF_INET_PRE_ROUTING, 1, 0, 40);
	diags_init(&ds);
	assert_int_equal(emit_open(&ds)->compile(r->ir, &options, &ds, &e), 0);
	assert_int_equal(bpf_run_load(&run, &e, 0), 0);
	link = attach(bpf_object__find_program_by_name(run.obj, "random"), pf,
		      NF_INET_PRE_ROUTING);
	assert_true(link >= 0);
	compare(r, &run, NF_INET_PRE_ROUTING);
	close(link);
	bpf_run_fini(&run);
	emitted_fini(&e);
	diags_fini(&ds);
	ir_free(r->ir);
	free(r);
}

static void test_v4(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < LISTS; seed++)
		run_list(seed, NFPROTO_IPV4);
}

static void test_v6(void **state)
{
	(void)state;
	for (uint64_t seed = 50; seed < 50 + LISTS; seed++)
		run_list(seed, NFPROTO_IPV6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_v4), cmocka_unit_test(test_v6)};

	if (unshare(CLONE_NEWNET) || !set_up_tap()) {
		printf("1..0 # SKIP no TAP device with fragments here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
