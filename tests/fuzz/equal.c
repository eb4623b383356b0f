/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An IR against itself: equal.h.
 */
#include "tests/fuzz/equal.h"

#include <linux/netfilter.h>

#include "compiler/opt/opt.h"

enum { N_PACKETS = 6, PACKET_SIZE = 160 };

struct ir *equal_parse(const char *text, size_t len)
{
	struct ir *ir = NULL;
	struct diags ds;

	diags_init(&ds);
	if (ir_parse(text, len, "fuzz", &ds, &ir))
		FUZZ_HOLDS(ds.count[DIAG_ERROR] == 1, "%u errors", ds.count[DIAG_ERROR]);
	diags_fini(&ds);
	return ir;
}

void equal_check_text(const struct ir *ir)
{
	AUTO_FREE char *text = ir_to_text(ir), *again = NULL;
	struct ir *back = equal_parse(text, strlen(text));

	FUZZ_HOLDS(back, "not read back:\n%s", text);
	again = ir_to_text(back);
	FUZZ_HOLDS(strcmp(text, again) == 0, "read back otherwise:\n%s\n--- again:\n%s", text,
		   again);
	ir_free(back);
}

void equal_optimise(struct ir *ir, int stage)
{
	uint8_t *hooks;
	struct opt_ends ends;

	if (stage == EQUAL_ALL) {
		opt_run(ir, &(struct opt_options){.seed = 7});
		return;
	}
	hooks = opt_hooks(ir);
	opt_ends_init(&ends, ir);
	for (uint32_t i = 0; i < ir->n_chains; i++) {
		struct opt_chain oc = {.ir = ir, .chain = ir->chains[i]};

		if (!oc.chain->lowered)
			continue;
		opt_read(&ends, &oc);
		opt_dead(&oc, hooks[i]);
	}
}

/* ---- packets ---- */

static uint32_t no_chance(void *arg)
{
	return *(uint32_t *)arg;
}

static void take_dev(struct fuzz_in *in, struct ir_dev *d)
{
	uint8_t how = fuzz_byte(in);

	*d = (struct ir_dev){.ifindex = how & 3};
	if (!d->ifindex)
		return;
	snprintf(d->name, sizeof(d->name), "eth%u", how & 3u);
	d->type = how & 4 ? 1 : 0xfffe;
	d->group = how >> 3 & 3;
	d->sdif = how >> 5;
}

static void take_ct(struct fuzz_in *in, struct ir_env *env)
{
	uint8_t how = fuzz_byte(in);

	env->has_ct = how & 1;
	env->ctinfo = env->has_ct ? how >> 1 & 3 : how & 2 ? 7 : 0;
	if (!env->has_ct)
		return;
	env->ct.dir = how >> 3 & 1;
	env->ct.has_acct = how & 0x10;
	env->ct.status = fuzz_byte(in);
	env->ct.mark = fuzz_byte(in);
	env->ct.l3proto = env->pf == NFPROTO_IPV4 ? 2 : 10;
	env->ct.bytes[0] = env->ct.packets[1] = fuzz_byte(in);
}

/* The bytes, with the lengths and versions that get a packet as far as to a rule. */
static void take_packet(struct fuzz_in *in, struct ir_env *env, uint8_t *buf, uint32_t *chance)
{
	static const uint8_t protos[] = {6, 17, 1, 58, 132, 44, 0, 51};
	uint8_t how = fuzz_byte(in), *ip = buf + 16;
	uint32_t least = env->pf == NFPROTO_IPV4 ? 20 : 40;

	memset(buf, 0, PACKET_SIZE);
	for (uint32_t i = 0, n = fuzz_below(in, PACKET_SIZE); i < n && in->left; i++)
		buf[PACKET_SIZE - 1 - (i + 48) % PACKET_SIZE] = fuzz_byte(in);
	env->len = how & 1 ? PACKET_SIZE - 16 : least + fuzz_below(in, PACKET_SIZE - 16 - least);
	env->data = ip;
	env->mac = buf + 2;
	env->mac_len = how & 2 ? 14 : 0;
	if (env->pf == NFPROTO_IPV4) {
		ip[0] = (uint8_t)(how & 4 ? 0x40 | MAX(5, ip[0] & 0xf) : 0x45);
		ip[6] &= how & 8 ? 0x3f : 0;
		ip[7] &= how & 8 ? 0xff : 0;
	} else {
		ip[0] = 0x60;
	}
	ip[env->pf == NFPROTO_IPV4 ? 9 : 6] = protos[how >> 4 & 7];
	env->protocol = env->pf == NFPROTO_IPV4 ? 0x0800 : 0x86dd;
	env->mark = fuzz_byte(in) & 3;
	/* Which devices there are at a hook is what the optimiser goes by. */
	if (env->hook != NF_INET_LOCAL_OUT)
		take_dev(in, &env->in);
	if (env->hook >= NF_INET_FORWARD)
		take_dev(in, &env->out);
	take_ct(in, env);
	env->has_sock = env->has_dst = how & 0x80;
	env->now_ns = 1000000000ull * (1 + fuzz_byte(in));
	env->time_ns = env->now_ns;
	*chance = fuzz_u32(in);
}

/* ---- both sides ---- */

/* What happens to a packet that is lent by another one's environment. */
static void lend(struct ir_env *to, const struct ir_env *from)
{
	struct ir_env own = *to;

	*to = *from;
	to->shared = own.shared;
	to->elems = own.elems;
	to->counters = own.counters;
	to->scratch = own.scratch;
	to->decided_by = NULL;
	to->dispatched_to = NULL;
}

static bool same_rule(const struct ir_rule *a, const struct ir_rule *b)
{
	if (!a || !b)
		return a == b;
	return a->index == b->index && a->handle == b->handle &&
	       ir_rule_chain(a)->id == ir_rule_chain(b)->id;
}

static bool same_state(const struct ir *ir, const struct ir_env *a, const struct ir_env *b)
{
	return memcmp(a->counters, b->counters, ir->n_counters * sizeof(*a->counters)) == 0 &&
	       memcmp(a->shared, b->shared, ir_env_state_size(ir)) == 0;
}

struct sides {
	struct ir *ir[2];
	struct ir_env env[2];
	const char *what;
};

static void differ(const struct sides *s, const char *how)
{
	AUTO_FREE char *before = ir_to_text(s->ir[0]), *after = ir_to_text(s->ir[1]);

	FUZZ_HOLDS(false, "%s: %s\n%s\n--- after:\n%s", s->what, how, before, after);
}

static void run(struct sides *s, uint32_t prog, const struct ir_env *packet)
{
	uint8_t verdict[2];

	for (int k = 0; k < 2; k++) {
		lend(&s->env[k], packet);
		verdict[k] = ir_eval_prog(&s->ir[k]->progs[prog], &s->env[k]);
	}
	if (verdict[0] != verdict[1])
		differ(s, verdict[0] ? "accept became drop" : "drop became accept");
	if (!same_rule(s->env[0].decided_by, s->env[1].decided_by))
		differ(s, "another rule decides");
	if (!same_state(s->ir[0], &s->env[0], &s->env[1]))
		differ(s, "counters or other state");
}

void equal_check(struct ir *before, struct ir *after, struct fuzz_in in, const char *what)
{
	struct sides s = {.ir = {before, after}, .what = what};
	uint8_t buf[PACKET_SIZE];
	uint32_t chance;

	FUZZ_HOLDS(before->n_progs == after->n_progs, "%s", what);
	for (int k = 0; k < 2; k++)
		if (ir_env_init_state(&s.env[k], s.ir[k]))
			abort();
	if (before->n_counters != after->n_counters ||
	    ir_env_state_size(before) != ir_env_state_size(after))
		differ(&s, "state of another size");
	for (int i = 0; i < N_PACKETS; i++)
		for (uint32_t p = 0; p < before->n_progs; p++) {
			struct ir_env env = {.random = no_chance, .random_arg = &chance};

			env.pf = before->progs[p].pf;
			env.hook = before->progs[p].hook;
			take_packet(&in, &env, buf, &chance);
			run(&s, p, &env);
		}
	for (int k = 0; k < 2; k++)
		ir_env_fini_state(&s.env[k]);
}
