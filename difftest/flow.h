/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways a packet takes through the hooks, and what rules see of it there.
 */
#ifndef NFT_BPF_DIFFTEST_FLOW_H
#define NFT_BPF_DIFFTEST_FLOW_H

#include "../compiler/ir_eval.h"
#include "lab.h"
#include "probe.h"

enum flow {
	FLOW_INPUT,   /* device -> prerouting, input */
	FLOW_FORWARD, /* device -> prerouting, forward, postrouting -> device */
	FLOW_OUTPUT,  /* socket -> output, postrouting -> device */
	FLOW_LOOP,    /* socket -> output, postrouting -> lo -> prerouting, input */
	N_FLOWS,
};
/* Hooks in order, -1 behind the last. */
extern const int8_t flow_hooks[N_FLOWS][5];
bool flow_has_hook(enum flow f, uint8_t hook);
static inline bool flow_is_local(enum flow f)
{
	return f == FLOW_OUTPUT || f == FLOW_LOOP;
}

void flow_dev(const struct lab_dev *d, struct ir_dev *ret);

/*
 * What the packet will meet at @hook, as far as it can be told before. @buf: room for the packet's
 * bytes, which env->data points to. State and callbacks of @env are left alone.
 */
void flow_predict(const struct lab *lab, const struct packet *p, uint8_t hook, uint8_t *buf,
		  struct ir_env *env);

/* What it met, as a probe told; @p: the packet that was sent, for bytes beyond the probe's. */
void flow_from_event(const struct lab *lab, const struct probe_event *ev, const struct packet *p,
		     uint8_t *buf, struct ir_env *env);

#endif
