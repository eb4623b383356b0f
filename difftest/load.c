/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Getting the ruleset into both namespaces: devices first, as its text wants them.
 *
 * nft looks up the devices of iif and oif while it reads a file, so they have to be there before:
 * nft itself names the missing ones, in its messages. Names that are only compared (iifname) are
 * found in the lowered rules.
 */
#include <ctype.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <stdio.h>

#include "../netlink/nfnl.h"
#include "../runtime/runtime.h"
#include "ct.h"
#include "devices.h"
#include "difftest.h"
#include "replay.h"

#define MAX_DRAWS 8 /* of edits that nft may refuse */

static int ctx_options(struct nft_ctx *ctx, const struct difftest_options *opt)
{
	for (const char **d = opt->defines; d && *d; d++)
		if (nft_ctx_add_var(ctx, *d))
			return -EINVAL;
	for (const char **i = opt->includes; i && *i; i++)
		if (nft_ctx_add_include_path(ctx, *i))
			return -EINVAL;
	return 0;
}

int dt_run_nft(const struct difftest_options *opt, const char *file, const char *text, bool dry_run,
	       char **ret_message)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	int err;

	if (!ctx)
		return -ENOMEM;
	nft_ctx_set_dry_run(ctx, dry_run);
	nft_ctx_buffer_output(ctx);
	nft_ctx_buffer_error(ctx);
	err = ctx_options(ctx, opt);
	if (!err)
		err = file ? nft_run_cmd_from_filename(ctx, file) :
			     nft_run_cmd_from_buffer(ctx, text);
	*ret_message = strdup(nft_ctx_get_error_buffer(ctx));
	nft_ctx_free(ctx);
	return err ? -EINVAL : 0;
}

/* The file as nft is to read it; NULL: its text was kept. */
static const char *file_of(const struct difftest *dt, enum lab_side_id side)
{
	if (side == SIDE_BPF && dt->opt->against)
		return dt->opt->against;
	return dt->text ? NULL : dt->opt->file;
}

static const char *text_of(const struct difftest *dt, enum lab_side_id side)
{
	return side == SIDE_BPF && dt->edit.before ? dt->edit.before : dt->text;
}

/* Loads, which does all or nothing, until no device is missing any more. */
static int load_side(struct difftest *dt, enum lab_side_id side)
{
	for (int round = 0; round < LAB_MAX_DEVS; round++) {
		AUTO_FREE char *message = NULL;
		int err = lab_enter(dt->lab, side), added;

		if (err)
			return err;
		err = dt_run_nft(dt->opt, file_of(dt, side), text_of(dt, side), false, &message);
		lab_leave(dt->lab);
		if (!err)
			return 0;
		added = devices_from_message(dt->lab, message, &dt->ds);
		if (added < 0)
			return added;
		if (!added) {
			if (!dt->opt->quiet)
				fputs(message, stderr);
			return -EINVAL;
		}
	}
	return -EINVAL;
}

static void flush(void)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!ctx)
		return;
	nft_run_cmd_from_buffer(ctx, "flush ruleset");
	nft_ctx_free(ctx);
}

/* nft 1.0.6 has elements in a set's definition that it does not take alone. */
static int check_change(struct difftest *dt)
{
	AUTO_FREE char *message = NULL;
	int err = lab_enter(dt->lab, SIDE_BPF);

	if (err)
		return err;
	err = dt_run_nft(dt->opt, NULL, dt->edit.change, true, &message);
	if (err)
		flush();
	lab_leave(dt->lab);
	return err;
}

/* The ruleset as it was before, if there is one rule or element of it that nft takes changed. */
static int load_before(struct difftest *dt)
{
	struct rng rng = {.state = dt->opt->seed};
	struct difftest_options quiet = *dt->opt;
	const struct difftest_options *opt = dt->opt;
	int err = -EINVAL;

	quiet.quiet = true;
	dt->opt = &quiet;
	for (int i = 0; i < MAX_DRAWS && err == -EINVAL; i++) {
		edit_fini(&dt->edit);
		err = edit_draw(dt->text, opt->random, &rng, &dt->edit);
		if (!err)
			err = load_side(dt, SIDE_BPF);
		if (!err)
			err = check_change(dt);
	}
	dt->opt = opt;
	if (err == -EINVAL || err == -ENOENT) {
		edit_fini(&dt->edit);
		return load_side(dt, SIDE_BPF);
	}
	dt->result.n_edited += !err;
	return err;
}

static int dump_model(struct difftest *dt)
{
	int err = lab_enter(dt->lab, SIDE_NFT);

	if (err)
		return err;
	err = dump_ruleset(&(struct dump_options){0}, &dt->ds, &dt->model);
	lab_leave(dt->lab);
	return err;
}

static bool is_same_chain(const struct chain *a, const struct chain *b)
{
	return a->table->family == b->table->family && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->table->name, b->table->name) == 0;
}

/* @made: what the run time made of it. */
static void note_left(struct difftest *dt, const struct lower_result *made)
{
	const struct lower_result *l = &dt->lowered;

	for (uint32_t i = 0, k = 0; i < l->n_chains; i++) {
		uint32_t n = 0;

		/* Both are in listing order. */
		while (n < made->n_chains &&
		       !is_same_chain(l->chains[i].base, made->chains[(k + n) % made->n_chains].base))
			n++;
		k += n;
		dt->left[i] = n == made->n_chains || !made->chains[k % made->n_chains].compiled;
	}
}

/* What the live ruleset, or @change on top of it, is made into. */
static int load_bpf(struct difftest *dt, const char *change)
{
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	CLEANUP(batch_fini) struct batch batch = {0};
	struct nft_input in = {
		.commands = change, .kernel = NFT_KERNEL_REAL, .rewrite = rt_rewrite,
		.include_dirs = (const char *const *)dt->opt->includes,
		.defines = (const char *const *)dt->opt->defines,
		.out = stderr, .err = stderr};
	struct rt_load_options opt = {.require_bpf = false};
	struct rt_plan plan = {0};
	int err = rt_open(&(struct rt_options){.wait_lock = true}, &dt->ds, &rt);

	if (!err)
		err = rt_model(rt, &dt->ds, &rs);
	in.model = in.rewrite_arg = rs;
	if (!err && change)
		err = nft_capture(&in, &dt->ds, &batch);
	if (!err)
		err = rt_load(rt, rs, change ? &batch : NULL, &opt, &dt->ds, &plan);
	if (err)
		return err;
	dt->loaded = true;
	dt->result.n_reused += change && plan.reused;
	dt->result.n_chains = plan.lowered.n_chains;
	dt->result.n_chains_compiled = 0;
	for (uint32_t i = 0; i < plan.lowered.n_chains; i++)
		dt->result.n_chains_compiled += plan.lowered.chains[i].compiled;
	note_left(dt, &plan.lowered);
	rt_plan_fini(&plan);
	return 0;
}

static int take(struct difftest *dt)
{
	int err = load_bpf(dt, NULL);

	if (!err && dt->edit.change) {
		err = load_bpf(dt, dt->edit.change);
		/* That nft refuses the ruleset would pass for its fault. */
		if (err == -EINVAL)
			err = -EPROTO;
	}
	return err;
}

int dt_load(struct difftest *dt)
{
	struct lower_options lower = {
		.named_sets = true, .fronts = LOWER_ALL_FRONTS};
	int err;

	if (!dt->text)
		err = devices_from_file(dt->lab, dt->opt->file, &dt->ds);
	else
		err = devices_from_text(dt->lab, dt->text, &dt->ds);
	if (!err && dt->opt->replay)
		err = replay_devices(dt->lab, dt->text, &dt->ds);
	if (!err)
		err = load_side(dt, SIDE_NFT);
	if (!err)
		err = dt->opt->edit ? load_before(dt) : load_side(dt, SIDE_BPF);
	/* One to come from and one to go to, at least. */
	if (!err)
		err = lab_add_dev(dt->lab, "difftest0", 0, &dt->ds);
	if (!err)
		err = lab_add_dev(dt->lab, "difftest1", 0, &dt->ds);
	if (!err)
		err = dump_model(dt);
	if (!err) /* of another ruleset on the other side nothing is known */
		dt->reads_ids = dt->opt->against || dt_reads_ids(dt->model);
	if (!err)
		err = lower_ruleset(dt->model, &lower, &dt->ds, &dt->lowered);
	if (!err) {
		dt->left = calloc(dt->lowered.n_chains + 1u, sizeof(*dt->left));
		err = dt->left ? devices_from_ir(dt->lab, dt->lowered.ir, &dt->ds) : -ENOMEM;
	}
	if (!err)
		err = lab_start(dt->lab, &dt->ds);
	if (err || dt->opt->against)
		return err;
	err = lab_enter(dt->lab, SIDE_BPF);
	if (err)
		return err;
	err = take(dt);
	lab_leave(dt->lab);
	return err;
}

/* A pinned link would keep the namespace alive. */
static void give(struct difftest *dt)
{
	CLEANUP(rt_closep) struct runtime *rt = NULL;

	if (rt_open(&(struct rt_options){.wait_lock = true}, &dt->ds, &rt) == 0)
		rt_give(rt, &dt->ds);
}

void dt_unload(struct difftest *dt)
{
	if (!dt->lab)
		return;
	probes_detach(dt->lab);
	for (unsigned int i = 0; i < N_SIDES; i++) {
		if (lab_enter(dt->lab, i))
			continue;
		if (i == SIDE_BPF && dt->loaded)
			give(dt);
		flush();
		ct_flush(&dt->lab->side[i]);
		lab_leave(dt->lab);
	}
	free(dt->left);
	lower_result_fini(&dt->lowered);
	ruleset_free(dt->model);
}
