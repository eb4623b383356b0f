/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading, attaching and reading the probes of a namespace (probe.h, probe.bpf.c).
 */
#ifndef NFT_BPF_DIFFTEST_PROBE_USER_H
#define NFT_BPF_DIFFTEST_PROBE_USER_H

#include "lab.h"
#include "probe.h"

/* What one packet did, in order. */
struct trail {
	struct probe_event *events;
	size_t n, size;
};
void trail_fini(struct trail *t);

/* A place between two priorities of a hook where a probe looks. */
struct probe_gap {
	uint8_t pf, hook, pos;
	int32_t after, before; /* exclusive */
};

int probes_new(struct diags *ds, struct probes **ret);
void probes_free(struct probes *ps);

/*
 * Attaches a probe in this gap in both namespaces or in neither: -EBUSY when there is no room. To
 * be called when the ruleset is in place, because a link's priority has to be free.
 */
int probes_attach(struct lab *lab, const struct probe_gap *gap);
void probes_detach(struct lab *lab);

/* The next packets from this device (its place in lab->devs) get these. */
int probes_set_ingress(struct lab *lab, enum lab_side_id side, unsigned int dev, uint32_t mark,
		       uint32_t priority);

/* Appends what was told since the last call to @t. -ENOSPC: some was lost. */
int probes_drain(struct probes *ps, struct trail *t);

#endif
