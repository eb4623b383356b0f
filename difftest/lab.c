/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making the two namespaces and their devices.
 *
 * Devices are IFF_NOARP and not IFF_MULTICAST: no neighbour has to be resolved, no address to be
 * probed, no group to be reported, so that not a packet moves unless we send it. They have to be so
 * before forwarding is turned on, or they join the routers' groups and report that.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ct.h"
#include "probe_user.h"

static int fail(struct diags *ds, int err, const char *what)
{
	diag_add(ds, DIAG_ERROR, "difftest-lab", NULL, "scratch namespace: %s: %s", what,
		 strerror(-err));
	return err;
}

int lab_enter(const struct lab *lab, enum lab_side_id side)
{
	return setns(lab->side[side].netns, CLONE_NEWNET) ? -errno : 0;
}

void lab_leave(const struct lab *lab)
{
	int err = setns(lab->home, CLONE_NEWNET);

	if (err) { /* nothing may run in the wrong namespace */
		perror("nft-bpf: cannot return to the own network namespace");
		abort();
	}
}

int lab_sysctl(const char *name, const char *value)
{
	AUTO_FREE char *path = NULL;
	size_t len = strlen(value);
	int fd, err = 0;

	if (asprintf(&path, "/proc/sys/%s", name) < 0)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (write(fd, value, len) != (ssize_t)len)
		err = -errno;
	close(fd);
	return err;
}

/* Before there are devices, which take over what is the default then. */
static void set_sysctls(void)
{
	static const char *const set[][2] = {
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		{"net/ipv4/conf/all/accept_local", "1"},
		{"net/ipv4/conf/all/route_localnet", "1"},
		{"net/ipv4/conf/all/accept_source_route", "1"},
		{"net/ipv4/conf/default/accept_source_route", "1"},
		{"net/ipv4/conf/all/send_redirects", "0"},
		{"net/ipv4/conf/default/send_redirects", "0"},
		{"net/ipv4/icmp_ratelimit", "0"},
		{"net/ipv4/icmp_msgs_per_sec", "1000000000"},
		{"net/ipv4/icmp_msgs_burst", "1000000000"},
		{"net/ipv4/ip_early_demux", "0"},
		{"net/ipv6/conf/all/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_dad", "0"},
		{"net/ipv6/conf/default/addr_gen_mode", "1"},
		{"net/ipv6/conf/default/accept_ra", "0"},
		{"net/ipv6/conf/default/router_solicitations", "0"},
		{"net/ipv6/icmp/ratelimit", "0"},
		{"net/ipv6/auto_flowlabels", "0"},
		{"net/netfilter/nf_conntrack_acct", "1"},
		/* Nothing is sent because a time is over. */
		{"net/ipv4/ipfrag_time", "100000"},
		{"net/ipv6/ip6frag_time", "100000"},
		{"net/netfilter/nf_conntrack_frag6_timeout", "100000"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(set); i++)
		lab_sysctl(set[i][0], set[i][1]);
}

static int side_new(struct lab *lab, enum lab_side_id id)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		int err = -errno;

		lab_leave(lab);
		return err;
	}
	lab->side[id].netns = fd;
	set_sysctls();
	lab_leave(lab);
	return 0;
}

int lab_new(struct diags *ds, struct lab **ret)
{
	CLEANUP(lab_freep) struct lab *lab = calloc(1, sizeof(*lab));
	int err;

	if (!lab)
		return -ENOMEM;
	for (unsigned int i = 0; i < N_SIDES; i++) {
		lab->side[i].netns = -1;
		memset(lab->side[i].fd, 0xff, sizeof(lab->side[i].fd));
	}
	lab->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (lab->home < 0)
		return fail(ds, -errno, "cannot open the own one");
	for (unsigned int i = 0; i < N_SIDES; i++) {
		err = side_new(lab, i);
		if (err)
			return fail(ds, err, "cannot be made");
	}
	lab->devs[0] = (struct lab_dev){.name = "lo", .ifindex = LAB_LO, .is_lo = true,
					.v4 = {127, 0, 0, 1}, .v6 = {[15] = 1}};
	lab->n_devs = 1;
	*ret = TAKE_PTR(lab);
	return 0;
}

void lab_free(struct lab *lab)
{
	if (!lab)
		return;
	for (unsigned int i = 0; i < N_SIDES; i++) {
		struct lab_side *s = &lab->side[i];

		probes_free(s->probes);
		route_close(s);
		ct_close(s);
		for (unsigned int d = 0; d < lab->n_devs; d++)
			if (s->fd[d] >= 0)
				close(s->fd[d]);
		if (s->netns >= 0)
			close(s->netns);
	}
	placements_free(lab->placements);
	if (lab->home >= 0)
		close(lab->home);
	free(lab);
}

void lab_freep(struct lab **lab)
{
	lab_free(*lab);
}

const struct lab_dev *lab_dev_by_index(const struct lab *lab, uint32_t ifindex)
{
	for (unsigned int i = 0; i < lab->n_devs; i++)
		if (lab->devs[i].ifindex == ifindex)
			return &lab->devs[i];
	return NULL;
}

const struct lab_dev *lab_dev_by_name(const struct lab *lab, const char *name)
{
	for (unsigned int i = 0; i < lab->n_devs; i++)
		if (strcmp(lab->devs[i].name, name) == 0)
			return &lab->devs[i];
	return NULL;
}

/* Devices that have no link layer header on a real host have none here. */
static bool name_is_l3(const char *name)
{
	static const char *const prefix[] = {"tun", "wg", "ppp", "tailscale", "ipsec", "vti", "sit"};

	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		if (strncmp(name, prefix[i], strlen(prefix[i])) == 0)
			return true;
	return false;
}

static int tap_open(const struct lab_dev *d)
{
	struct ifreq ifr = {.ifr_flags = IFF_NO_PI | IFF_VNET_HDR};
	int index = (int)d->ifindex, err;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	ifr.ifr_flags |= d->is_tun ? IFF_TUN : IFF_TAP;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", d->name);
	/* Persistent: closing one waits for RCU, while a namespace's end takes all of them along,
	 * behind our back. What leaves by a device stays in its queue until that is full. */
	if (ioctl(fd, TUNSETIFINDEX, &index) == 0 && ioctl(fd, TUNSETIFF, &ifr) == 0 &&
	    ioctl(fd, TUNSETPERSIST, 1) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int set_flags(const struct lab_dev *d, int flags)
{
	struct ifreq ifr = {.ifr_flags = (short)flags};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (s < 0)
		return -errno;
	memcpy(ifr.ifr_name, d->name, IFNAMSIZ);
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		err = -errno;
	close(s);
	return err;
}

static uint32_t free_index(const struct lab *lab)
{
	uint32_t i = 2;

	while (lab_dev_by_index(lab, i))
		i++;
	return i;
}

int lab_add_dev(struct lab *lab, const char *name, uint32_t ifindex, struct diags *ds)
{
	struct lab_dev d = {.ifindex = ifindex};
	unsigned int n = lab->n_devs;

	if (lab_dev_by_name(lab, name) || (ifindex && lab_dev_by_index(lab, ifindex)))
		return 0;
	if (n == LAB_MAX_DEVS)
		return fail(ds, -ENOSPC, "too many devices");
	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return fail(ds, -EINVAL, name);
	if (!ifindex)
		d.ifindex = free_index(lab);
	memcpy(d.name, name, strlen(name));
	d.is_tun = name_is_l3(name);
	memcpy(d.mac, (uint8_t[]){2, 0, 0x5e, 0, n >> 8, n}, 6);
	/* Addresses that rulesets do not use: 198.18.0.0/15 is for benchmarks (RFC 2544). */
	memcpy(d.v4, (uint8_t[]){198, 19, 250, n}, 4);
	memcpy(d.v6, (uint8_t[16]){0x20, 0x01, 0, 2, 0xd1, 0xff, [15] = n}, 16);
	lab->devs[n] = d;
	for (unsigned int i = 0; i < N_SIDES; i++) {
		int fd, err = lab_enter(lab, i);

		if (err)
			return fail(ds, err, "cannot be entered");
		fd = tap_open(&d);
		if (fd >= 0)
			err = set_flags(&d, IFF_NOARP);
		lab_leave(lab);
		if (fd < 0 || err)
			return fail(ds, fd < 0 ? fd : err, name);
		lab->side[i].fd[n] = fd;
	}
	lab->n_devs++;
	return 0;
}

static void set_forwarding(void)
{
	lab_sysctl("net/ipv4/ip_forward", "1");
	lab_sysctl("net/ipv6/conf/all/forwarding", "1");
	/* Later devices get it one by one, when they are no longer IFF_MULTICAST. */
	lab_sysctl("net/ipv6/conf/default/forwarding", "0");
}

static int dev_ioctl(int s, const struct lab_dev *d, unsigned long request, struct ifreq *ifr)
{
	memcpy(ifr->ifr_name, d->name, IFNAMSIZ);
	return ioctl(s, request, ifr) ? -errno : 0;
}

static int dev_up(int s, const struct lab_dev *d)
{
	struct ifreq ifr = {0};
	int err;

	if (!d->is_lo && !d->is_tun) {
		ifr.ifr_hwaddr.sa_family = 1; /* ARPHRD_ETHER */
		memcpy(ifr.ifr_hwaddr.sa_data, d->mac, 6);
		err = dev_ioctl(s, d, SIOCSIFHWADDR, &ifr);
		if (err)
			return err;
	}
	ifr.ifr_mtu = d->is_lo ? 65536 : 60000;
	err = dev_ioctl(s, d, SIOCSIFMTU, &ifr);
	if (err)
		return err;
	ifr.ifr_flags = d->is_lo ? IFF_UP | IFF_LOOPBACK : IFF_UP | IFF_NOARP;
	return dev_ioctl(s, d, SIOCSIFFLAGS, &ifr);
}

static int side_start(struct lab *lab, struct lab_side *side)
{
	char forwarding[64];
	int s, err = 0;

	if (!side->rt) {
		set_forwarding();
		err = route_open(side);
		if (!err)
			err = ct_open(side);
	}
	if (err)
		return err;
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	for (unsigned int i = lab->n_started; i < lab->n_devs && !err; i++) {
		const struct lab_dev *d = &lab->devs[i];

		err = dev_up(s, d);
		if (d->is_lo || err)
			continue;
		snprintf(forwarding, sizeof(forwarding), "net/ipv6/conf/%s/forwarding", d->name);
		lab_sysctl(forwarding, "1");
		if (d->group)
			err = route_set_group(side, d);
		if (err)
			break;
		err = route_add_addr(side, d, AF_INET);
		if (!err)
			err = route_add_addr(side, d, AF_INET6);
		if (!err)
			err = route_add_default(side, d, AF_INET);
		if (!err)
			err = route_add_default(side, d, AF_INET6);
	}
	close(s);
	return err;
}

int lab_start(struct lab *lab, struct diags *ds)
{
	for (unsigned int i = 0; i < N_SIDES; i++) {
		int err = lab_enter(lab, i);

		if (err)
			return fail(ds, err, "cannot be entered");
		err = side_start(lab, &lab->side[i]);
		if (!err && !lab->side[i].probes)
			err = probes_new(ds, &lab->side[i].probes);
		lab_leave(lab);
		if (err)
			return fail(ds, err, "cannot be set up");
	}
	lab->n_started = lab->n_devs;
	return 0;
}
