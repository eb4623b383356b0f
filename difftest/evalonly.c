/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset is lowered twice, one of the two is optimised, and both are evaluated packet by packet.
 * Verdicts must agree, and after each packet all counters and other state.
 */
#include "evalonly.h"

#include <errno.h>
#include <stdio.h>

#include "../compiler/opt/opt.h"
#include "../netlink/nfnl.h"
#include "gen.h"
#include "rulegen.h"

struct pair {
	struct lower_result before, after;
	struct ir_env env_before, env_after;
	uint8_t buf[2][65536 + 64];
};

void evalonly_result_fini(struct evalonly_result *r)
{
	free(r->what);
	packet_free(r->packet);
	*r = (struct evalonly_result){0};
}

struct lab *evalonly_lab(void)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	if (!lab)
		return NULL;
	for (unsigned int i = 0; i < N_SIDES; i++) {
		lab->side[i].netns = -1;
		memset(lab->side[i].fd, 0xff, sizeof(lab->side[i].fd));
	}
	lab->home = -1;
	lab->devs[0] = (struct lab_dev){.name = "lo", .ifindex = LAB_LO, .is_lo = true};
	for (uint32_t i = 0; i < RULEGEN_DEVS; i++) {
		struct lab_dev *d = &lab->devs[i + 1];

		snprintf(d->name, sizeof(d->name), "%s", rulegen_devs[i]);
		d->ifindex = i + 2;
		d->is_tun = strncmp(d->name, "wg", 2) == 0;
		memcpy(d->mac, (uint8_t[]){2, 0, 0x5e, 0, 0, (uint8_t)(i + 1)}, 6);
	}
	lab->n_devs = RULEGEN_DEVS + 1;
	return lab;
}

/* The model of a text, as the kernel would have it. */
static int read_model(const char *text, struct diags *ds, char **ret_message, struct ruleset **ret)
{
	struct nft_input in = {.commands = text, .kernel = NFT_KERNEL_MODEL};
	CLEANUP(ruleset_freep) struct ruleset *rs = ruleset_new();
	struct batch batch = {0};
	char *message = NULL;
	size_t size;
	FILE *f = open_memstream(&message, &size);
	int err;

	if (!f || !rs)
		return -ENOMEM;
	in.out = in.err = f;
	err = nft_capture(&in, ds, &batch);
	fclose(f);
	*ret_message = message;
	if (!err)
		err = apply_batch(rs, &batch, ds);
	batch_fini(&batch);
	if (!err)
		*ret = TAKE_PTR(rs);
	return err;
}

static bool same_state(const struct pair *p)
{
	const struct ir *a = p->before.ir, *b = p->after.ir;

	return a->n_counters == b->n_counters && a->shared_state_size == b->shared_state_size &&
	       memcmp(p->env_before.counters, p->env_after.counters,
		      a->n_counters * sizeof(*p->env_before.counters)) == 0 &&
	       memcmp(p->env_before.shared, p->env_after.shared, a->shared_state_size) == 0;
}

static void differ(struct evalonly_result *r, const struct ir_prog *prog, const struct packet *p,
		   const char *what)
{
	r->n_different++;
	if (r->what || asprintf(&r->what, "%s: %s", prog->name, what) < 0)
		return;
	r->packet = packet_dup(p);
}

/* Clocks stand still while both look. */
static void eval_pair(const struct lab *lab, struct pair *pair, const struct packet *p,
		      uint32_t prog, struct evalonly_result *r)
{
	const struct ir_prog *a = &pair->before.ir->progs[prog], *b = &pair->after.ir->progs[prog];
	uint8_t va, vb;

	flow_predict(lab, p, a->hook, pair->buf[0], &pair->env_before);
	flow_predict(lab, p, b->hook, pair->buf[1], &pair->env_after);
	pair->env_after.now_ns = pair->env_before.now_ns;
	pair->env_after.time_ns = pair->env_before.time_ns;
	va = ir_eval_prog(a, &pair->env_before);
	vb = ir_eval_prog(b, &pair->env_after);
	r->n_verdicts++;
	if (va != vb)
		differ(r, a, p, va ? "accept became drop" : "drop became accept");
	else if (!same_state(pair))
		differ(r, a, p, "counters or other state differ");
}

static void eval_packets(const struct lab *lab, struct pair *pair, struct list *packets,
			 struct evalonly_result *r)
{
	struct packet *p;

	list_for_each(p, packets, node) {
		r->n_packets++;
		for (uint32_t i = 0; i < pair->before.ir->n_progs && !r->n_different; i++)
			if (pair->before.ir->progs[i].pf == p->pf)
				eval_pair(lab, pair, p, i, r);
	}
}

static int lower_pair(struct pair *pair, const struct ruleset *rs, uint64_t seed, struct diags *ds)
{
	struct lower_options lower = {.seed = 1, .named_sets = true};
	struct opt_options opt = {.seed = seed};
	char *wrong;
	int err = lower_ruleset(rs, &lower, ds, &pair->before);

	if (!err)
		err = lower_ruleset(rs, &lower, ds, &pair->after);
	if (err)
		return err;
	opt_run(pair->after.ir, &opt);
	wrong = ir_check(pair->after.ir);
	if (wrong) {
		diag_add(ds, DIAG_ERROR, "ir-check", NULL, "after the optimiser: %s", wrong);
		free(wrong);
		return -EPROTO;
	}
	if (pair->before.ir->n_progs != pair->after.ir->n_progs)
		return -EPROTO;
	err = ir_env_init_state(&pair->env_before, pair->before.ir);
	return err ? err : ir_env_init_state(&pair->env_after, pair->after.ir);
}

static int run_pair(const struct lab *lab, struct pair *pair, uint64_t seed, size_t n,
		    struct evalonly_result *r)
{
	struct gen *g = gen_new(lab, pair->before.ir, seed);
	int err;

	if (!g)
		return -ENOMEM;
	r->n_chains = pair->before.n_chains;
	for (uint32_t i = 0; i < pair->before.n_chains; i++)
		r->n_chains_compiled += pair->before.chains[i].compiled;
	err = gen_run(g, n);
	if (!err)
		eval_packets(lab, pair, &g->packets, r);
	gen_free(g);
	return err;
}

int evalonly_run(const struct lab *lab, const char *text, uint64_t seed, size_t n,
		 struct diags *ds, char **ret_message, struct evalonly_result *r)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	struct pair *pair;
	int err = read_model(text, ds, ret_message, &rs);

	if (err)
		return err;
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		return -ENOMEM;
	err = lower_pair(pair, rs, seed, ds);
	if (!err)
		err = run_pair(lab, pair, seed, n, r);
	ir_env_fini_state(&pair->env_before);
	ir_env_fini_state(&pair->env_after);
	lower_result_fini(&pair->before);
	lower_result_fini(&pair->after);
	free(pair);
	return err;
}
