/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lowering has to know of this machine and process.
 */
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include "priv.h"

/* NFT_BPF_FRONTS: all of them, or none. */
static enum lower_fronts fronts(void)
{
	const char *which = getenv("NFT_BPF_FRONTS");

	if (which && strcmp(which, "all") == 0)
		return LOWER_ALL_FRONTS;
	return which && strcmp(which, "none") == 0 ? LOWER_NO_FRONTS : LOWER_FRONTS_THAT_PAY;
}

void rt_lower_options(struct lower_options *o)
{
	struct timex tx = { 0 };
	struct timezone tz = { 0 };
	struct timespec tick;
	struct stat ns;

	if (getrandom(&o->seed, sizeof(o->seed), GRND_NONBLOCK) < 0)
		o->seed = (uint32_t)time(NULL);
	o->named_sets = true;
	o->fronts = fronts();
	o->dynamic_sets = true;
	if (!o->read_ns)
		o->read_ns = now_ns();
	if (adjtimex(&tx) >= 0)
		o->tai_offset = tx.tai;
	if (syscall(SYS_gettimeofday, NULL, &tz) == 0)
		o->minuteswest = tz.tz_minuteswest;
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 && tick.tv_nsec % 1000000 == 0)
		o->jiffy_ms = (uint32_t)(tick.tv_nsec / 1000000);
	/* PROC_CGROUP_INIT_INO */
	o->init_cgroup_ns = stat("/proc/self/ns/cgroup", &ns) == 0 && ns.st_ino == 0xeffffffb;
}
