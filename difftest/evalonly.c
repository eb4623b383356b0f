/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset is lowered several times and optimised up to each pass, and all are evaluated packet by
 * packet. Verdicts must agree, and after each packet all counters and other state.
 */
#include "evalonly.h"

#include <errno.h>
#include <stdio.h>

#include "../netlink/nfnl.h"
#include "gen.h"
#include "rulegen.h"

/* The rules as they were lowered, and as each pass of the optimiser left them. */
struct stage {
	const char *after; /* the pass; NULL: none */
	struct lower_result lowered;
	struct ir_env env;
	uint8_t buf[65536 + 64];
};

struct stages {
	struct stage at[1 + N_OPT_PASSES];
};

#define LAST_STAGE N_OPT_PASSES

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

static bool same_state(const struct stage *a, const struct stage *b)
{
	const struct ir *ir = a->lowered.ir;

	return ir->n_counters == b->lowered.ir->n_counters &&
	       ir_env_state_size(ir) == ir_env_state_size(b->lowered.ir) &&
	       memcmp(a->env.counters, b->env.counters,
		      ir->n_counters * sizeof(*a->env.counters)) == 0 &&
	       memcmp(a->env.shared, b->env.shared, ir_env_state_size(ir)) == 0;
}

static void differ(struct evalonly_result *r, const struct stage *s, const struct ir_prog *prog,
		   const struct packet *p, const char *what)
{
	r->n_different++;
	if (r->what || asprintf(&r->what, "%s after %s: %s", prog->name, s->after, what) < 0)
		return;
	r->packet = packet_dup(p);
}

/* Clocks stand still while all look. */
static uint8_t eval_stage(const struct lab *lab, struct stages *st, unsigned int i,
			  const struct packet *p, uint32_t prog)
{
	struct stage *s = &st->at[i];
	const struct ir_prog *pr = &s->lowered.ir->progs[prog];

	flow_predict(lab, p, pr->hook, s->buf, &s->env);
	s->env.now_ns = st->at[0].env.now_ns;
	s->env.time_ns = st->at[0].env.time_ns;
	return ir_eval_prog(pr, &s->env);
}

static void eval_packet(const struct lab *lab, struct stages *st, const struct packet *p,
			uint32_t prog, struct evalonly_result *r)
{
	const struct ir_prog *pr = &st->at[0].lowered.ir->progs[prog];
	uint8_t before = eval_stage(lab, st, 0, p, prog);

	for (unsigned int i = 1; i <= LAST_STAGE; i++) {
		const struct stage *s = &st->at[i];

		r->n_verdicts++;
		if (eval_stage(lab, st, i, p, prog) != before)
			differ(r, s, pr, p,
			       before ? "accept became drop" : "drop became accept");
		else if (!same_state(&st->at[0], s))
			differ(r, s, pr, p, "counters or other state differ");
	}
}

static void eval_packets(const struct lab *lab, struct stages *st, struct list *packets,
			 struct evalonly_result *r)
{
	const struct ir *ir = st->at[0].lowered.ir;
	struct packet *p;

	list_for_each(p, packets, node) {
		r->n_packets++;
		for (uint32_t i = 0; i < ir->n_progs && !r->n_different; i++)
			if (ir->progs[i].pf == p->pf)
				eval_packet(lab, st, p, i, r);
	}
}

static int optimise(struct stage *s, enum opt_pass pass, uint64_t seed, struct diags *ds)
{
	struct opt_options opt = {
		.seed = seed, .least_alike = seed & 1 ? 2 : 0, .stop = true, .last = pass};
	char *wrong;

	s->after = opt_pass_name[pass];
	opt_run(s->lowered.ir, &opt);
	wrong = ir_check(s->lowered.ir);
	if (!wrong)
		return 0;
	diag_add(ds, DIAG_ERROR, "ir-check", NULL, "after %s: %s", s->after, wrong);
	free(wrong);
	return -EPROTO;
}

static int lower_stages(struct stages *st, const struct ruleset *rs, uint64_t seed, struct diags *ds)
{
	struct lower_options lower = {.seed = 1, .named_sets = true};

	for (unsigned int i = 0; i <= LAST_STAGE; i++) {
		struct stage *s = &st->at[i];
		int err = lower_ruleset(rs, &lower, ds, &s->lowered);

		if (!err && i)
			err = optimise(s, (enum opt_pass)(i - 1), seed, ds);
		if (!err && s->lowered.ir->n_progs != st->at[0].lowered.ir->n_progs)
			err = -EPROTO;
		if (!err)
			err = ir_env_init_state(&s->env, s->lowered.ir);
		if (err)
			return err;
	}
	return 0;
}

static void count_lookups(const struct ir *ir, struct evalonly_result *r)
{
	for (uint32_t c = 0; c < ir->n_chains; c++)
		for (uint32_t i = 0; i < ir->chains[c]->n_rules; i++) {
			const struct ir_rule *rule = &ir->chains[c]->rules[i];

			for (uint32_t k = 0; k < rule->n_steps; k++)
				if (rule->steps[k].kind == IR_DISPATCH)
					r->n_lookups[rule->steps[k].dispatch->form % EVALONLY_FORMS]++;
		}
}

/* By what is printed, where templates do not show. */
static void note_changes(const struct stages *st, struct evalonly_result *r)
{
	char *before = ir_to_text(st->at[0].lowered.ir);

	for (unsigned int i = 1; i <= LAST_STAGE; i++) {
		char *after = ir_to_text(st->at[i].lowered.ir);

		r->changed[i - 1] = before && after &&
				    (strcmp(before, after) != 0 ||
				     st->at[i].lowered.ir->n_templates !=
					     st->at[i - 1].lowered.ir->n_templates);
		free(before);
		before = after;
	}
	free(before);
}

static int run_stages(const struct lab *lab, struct stages *st, uint64_t seed, size_t n,
		      struct evalonly_result *r)
{
	const struct lower_result *before = &st->at[0].lowered;
	struct gen *g = gen_new(lab, before->ir, seed);
	int err;

	if (!g)
		return -ENOMEM;
	r->n_chains = before->n_chains;
	for (uint32_t i = 0; i < before->n_chains; i++)
		r->n_chains_compiled += before->chains[i].compiled;
	note_changes(st, r);
	count_lookups(st->at[LAST_STAGE].lowered.ir, r);
	err = gen_run(g, n);
	if (!err)
		eval_packets(lab, st, &g->packets, r);
	gen_free(g);
	return err;
}

int evalonly_run(const struct lab *lab, const char *text, uint64_t seed, size_t n,
		 struct diags *ds, char **ret_message, struct evalonly_result *r)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	struct stages *st;
	int err = read_model(text, ds, ret_message, &rs);

	if (err)
		return err;
	st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	err = lower_stages(st, rs, seed, ds);
	if (!err)
		err = run_stages(lab, st, seed, n, r);
	for (unsigned int i = 0; i <= LAST_STAGE; i++) {
		ir_env_fini_state(&st->at[i].env);
		lower_result_fini(&st->at[i].lowered);
	}
	free(st);
	return err;
}
