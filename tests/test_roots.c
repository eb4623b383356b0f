/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Roots, generations and the lock, with programs of two instructions, in a network namespace and
 * on a bpffs of the test's own. Whether a packet passes is asked with a UDP datagram over lo.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "../runtime/priv.h"

static struct diags ds;

static int verdict_prog(int verdict)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)RT_ATTACH_NETFILTER);
	int fd = bpf_prog_load((enum bpf_prog_type)RT_PROG_TYPE_NETFILTER, "test", "GPL", insns,
			       ARRAY_SIZE(insns), &opts);

	assert_true(fd >= 0);
	return fd;
}

static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

/*
 * Input over lo: the sender sees nothing of a drop, the receiver does. Of a datagram that passes it
 * may be a little late, when ksoftirqd is busy.
 */
static bool arrives(int patience_ms)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t len = sizeof(to);
	int rx = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), tx = socket(AF_INET, SOCK_DGRAM, 0);
	char c = 'x';
	bool got;

	assert_int_equal(bind(rx, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(getsockname(rx, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(sendto(tx, &c, 1, 0, (struct sockaddr *)&to, len), 1);
	got = poll(&(struct pollfd){ .fd = rx, .events = POLLIN }, 1, patience_ms) == 1;
	close(rx);
	close(tx);
	return got;
}

static bool passes(void)
{
	return arrives(20000);
}

static bool is_dropped(void)
{
	return !arrives(50);
}

static struct runtime *open_rt(void)
{
	struct runtime *rt = NULL;
	struct rt_options opt = { .wait_lock = false };

	assert_int_equal(rt_open(&opt, &ds, &rt), 0);
	return rt;
}

/* A generation of one program at input 0, decided on at once. */
static void load(struct runtime *rt, int verdict)
{
	uint32_t gen = gen_current(rt) + 1;
	int prog = verdict_prog(verdict);
	struct root *r;

	assert_int_equal(gen_words(rt, true, &ds), 0);
	assert_int_equal(root_get(rt, NFPROTO_IPV4, NF_INET_LOCAL_IN, 0, NF_DROP, &ds, &r), 0);
	assert_int_equal(root_set_slot(r, gen & 1, prog), 0);
	gen_flip(rt, gen);
	close(prog);
}

static void test_flip(void **state UNUSED)
{
	struct runtime *rt = open_rt();

	assert_true(passes());
	load(rt, NF_DROP);
	assert_true(is_dropped());
	load(rt, NF_ACCEPT);
	assert_true(passes());
	load(rt, NF_DROP);
	assert_true(is_dropped());
	rt_close(rt);
	assert_true(is_dropped()); /* outlives the descriptors */
}

static void test_reopen(void **state UNUSED)
{
	struct runtime *rt = open_rt();

	assert_int_equal(gen_current(rt), 3);
	assert_int_equal(rt->n_roots, 1);
	assert_string_equal(rt->roots[0].name, "v4-input-0");
	load(rt, NF_ACCEPT);
	assert_true(passes());
	rt_close(rt);
}

/* What a root says when its slot is empty is set per parity. */
static void test_empty_slot(void **state UNUSED)
{
	struct runtime *rt = open_rt();
	uint32_t gen = gen_current(rt) + 1;
	struct root *r = root_find(rt, NFPROTO_IPV4, NF_INET_LOCAL_IN, 0);

	assert_non_null(r);
	assert_int_equal(root_set_slot(r, gen & 1, -1), 0);
	assert_int_equal(root_set_slot(r, gen & 1, -1), 0); /* empty already */
	assert_int_equal(root_set_verdict(r, gen & 1, NF_DROP), 0);
	assert_true(passes());
	gen_flip(rt, gen);
	assert_true(is_dropped());
	assert_int_equal(root_set_verdict(r, gen & 1, NF_ACCEPT), 0);
	assert_true(passes());
	rt_close(rt);
}

static void test_taken(void **state UNUSED)
{
	struct runtime *rt = open_rt();
	struct root *r;
	int prog = verdict_prog(NF_ACCEPT);
	int link = rt_link_create(prog, NFPROTO_IPV4, NF_INET_LOCAL_IN, 7);

	assert_true(link >= 0);
	assert_int_equal(root_get(rt, NFPROTO_IPV4, NF_INET_LOCAL_IN, 7, NF_DROP, &ds, &r), -EBUSY);
	close(link);
	assert_int_equal(root_get(rt, NFPROTO_IPV4, NF_INET_LOCAL_IN, 7, NF_DROP, &ds, &r), 0);
	assert_true(passes()); /* not in this generation */
	assert_int_equal(root_remove(rt, r), 0);
	assert_int_equal(rt->n_roots, 1);
	close(prog);
	rt_close(rt);
}

/* A directory without a link pin is what a killed process leaves: it goes. */
static void test_half_made_root(void **state UNUSED)
{
	struct runtime *rt = open_rt();
	char path[256];

	snprintf(path, sizeof(path), "%s/roots/v6-output--5", rt->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	rt_close(rt);
	rt = open_rt();
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rt->n_roots, 1);
	rt_close(rt);
}

static void test_lock(void **state UNUSED)
{
	struct rt_options opt = { .wait_lock = false };
	struct runtime *rt = open_rt(), *other = NULL;

	assert_int_equal(rt_open(&opt, &ds, &other), -EBUSY);
	opt.read_only = true;
	assert_int_equal(rt_open(&opt, &ds, &other), 0);
	rt_close(other);
	rt_close(rt);
}

static void test_remove(void **state UNUSED)
{
	struct runtime *rt = open_rt();
	char path[256];

	snprintf(path, sizeof(path), "%s", rt->dir);
	assert_int_equal(root_remove(rt, &rt->roots[0]), 0);
	assert_true(passes());
	assert_int_equal(dir_clear(rt->dir), 0);
	rt_close(rt);
	assert_int_equal(access(path, F_OK), -1);
}

/* State whose cookie is not ours belongs to a namespace that is gone. */
static void test_stale(void **state UNUSED)
{
	struct runtime *rt = open_rt();

	load(rt, NF_ACCEPT);
	rt->words[RT_WORD_COOKIE_LOW].value ^= 1;
	rt_close(rt);
	rt = open_rt();
	assert_int_equal(gen_current(rt), 0);
	assert_int_equal(rt->n_roots, 0);
	rt_close(rt);
}

static void test_wait(void **state UNUSED)
{
	assert_int_equal(rt_wait_programs(), 0);
}

static int setup(void **state UNUSED)
{
	static char dir[] = "/tmp/test_roots.XXXXXX";

	diags_init(&ds);
	if (!mkdtemp(dir) || mount("bpf", dir, "bpf", 0, NULL) < 0)
		return -1;
	rmdir(dir);
	setenv("NFT_BPF_BPFFS", dir, 1);
	lo_up();
	return 0;
}

static int teardown(void **state UNUSED)
{
	struct diag *d;

	list_for_each(d, &ds.list, node) {
		char AUTO_FREE *text = diag_format(d);

		print_message("# %s\n", text);
	}
	diags_fini(&ds);
	umount2(getenv("NFT_BPF_BPFFS"), MNT_DETACH);
	rmdir(getenv("NFT_BPF_BPFFS"));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flip),	   cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_empty_slot), cmocka_unit_test(test_taken),
		cmocka_unit_test(test_half_made_root), cmocka_unit_test(test_lock),
		cmocka_unit_test(test_remove),	   cmocka_unit_test(test_stale),
		cmocka_unit_test(test_wait),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("1..0 # SKIP needs root for namespaces and BPF\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
