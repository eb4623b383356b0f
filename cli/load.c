/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf -f FILE, nft-bpf NFT COMMAND, take, sync and give: what changes the ruleset that runs.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "../compiler/emit/emit.h"
#include "../netlink/nfnl.h"
#include "../runtime/runtime.h"
#include "cli.h"

#define MAX_ATTEMPTS 10 /* at a ruleset that others keep changing */

static void print_times(const struct cli *cli, const struct rt_plan *plan)
{
	if (cli->verbose)
		fprintf(stderr,
			"nft-bpf: lowering %.1f ms, %s %.1f ms, verifier %.1f ms, commit %.1f ms\n",
			plan->ms_lower, plan->reused ? "code used again" : "LLVM", plan->ms_compile,
			plan->ms_verify, plan->ms_commit);
}

/* Opening libLLVM takes some 20 ms, in which libnftables and the kernel look at the file. */
static void *open_backend(void *arg)
{
	struct diags unheard; /* whoever needs the backend asks again, and is told */

	(void)arg;
	diags_init(&unheard);
	emit_open(&unheard);
	diags_fini(&unheard);
	return NULL;
}

static int capture(struct cli *cli, const struct runtime *rt, const struct nft_input *in,
		   struct batch *ret)
{
	pthread_t opener;
	bool opening = in->file && !rt_may_reuse(rt) &&
		       pthread_create(&opener, NULL, open_backend, NULL) == 0;
	int err = nft_capture(in, &cli->diags, ret);

	/* Before anything forks. */
	if (opening)
		pthread_join(opener, NULL);
	return err;
}

/*
 * The kernel refused what it was to commit, or the model did before: now in nft's words, which point
 * into the input. 0: it would be taken, so the trouble is elsewhere.
 */
static int explain_refusal(struct runtime *rt, const struct nft_input *input)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL, *all = NULL;
	CLEANUP(batch_fini) struct batch batch = {0};
	FILE *null = fopen("/dev/null", "w");
	struct nft_input in = *input;
	struct diags unheard;
	int err;

	diags_init(&unheard);
	err = null ? rt_model_heads(rt, true, &unheard, &rs) : -errno;
	if (!err)
		err = rt_model(rt, &unheard, &all);
	in.model = rs;
	in.rewrite = rt_rewrite;
	in.rewrite_arg = rs;
	in.judge = all;
	in.out = null; /* what it prints was printed before */
	if (!err)
		err = cli_input_rewind(input) ? nft_capture(&in, &unheard, &batch) : 0;
	diags_fini(&unheard);
	if (null)
		fclose(null);
	return err == -EINVAL ? err : 0;
}

/* Not of the input, but of the run time or the moment. */
static bool is_refusal(int err)
{
	return err < 0 && err != -ERESTART && err != -ENOMEM;
}

/* The ruleset that an input is for. */
struct reading {
	struct cli *cli;
	struct runtime *rt;
	struct ruleset *heads; /* all that was read at first; or NULL */
	struct ruleset *all;   /* or NULL */
};

static void reading_fini(struct reading *rd)
{
	ruleset_free(rd->heads);
	ruleset_free(rd->all);
}

/* nft_input.complete: heads are not enough. They live on for whoever still points into them. */
static int complete(void *arg, const struct ruleset **ret)
{
	struct reading *rd = arg;
	int err = rd->all ? 0 : rt_model(rd->rt, &rd->cli->diags, &rd->all);

	if (!err)
		*ret = rd->all;
	return err;
}

/* Reads the ruleset as it is, then the input on top of it. */
static int read_all(struct cli *cli, struct runtime *rt, struct nft_input *in, struct ruleset **ret,
		    struct batch *ret_batch)
{
	CLEANUP(reading_fini) struct reading rd = {.cli = cli, .rt = rt};
	uint32_t generation;
	int err;

	if (cli_input_replaces(in)) {
		err = rt_model_heads(rt, false, &cli->diags, &rd.heads);
		in->complete = complete;
		in->complete_arg = &rd;
	} else {
		err = rt_model(rt, &cli->diags, &rd.all);
	}
	if (err)
		return err;
	in->model = in->rewrite_arg = rd.heads ? rd.heads : rd.all;
	in->rewrite = rt_rewrite;
	in->unchecked = cli_input_rewind(in);
	generation = in->model->generation;
	err = capture(cli, rt, in, ret_batch);
	if (!err && rd.heads && !rd.all && ret_batch->len && !batch_replaces_all(ret_batch, rd.heads)) {
		/* It did not mean what it looked like: all is needed. */
		err = rt_model(rt, &cli->diags, &rd.all);
		if (!err && rd.all->generation != generation)
			err = -ERESTART;
	}
	if (!err)
		*ret = rd.all ? TAKE_PTR(rd.all) : TAKE_PTR(rd.heads);
	return err;
}

/*
 * What an attempt has made. The last one's is left to the end of the process: to free a million
 * elements one by one takes a tenth of a second.
 */
static struct loading {
	struct ruleset *rs;
	struct batch batch;
	struct rt_plan plan;
} loading;

static void loading_fini(struct loading *l)
{
	rt_plan_fini(&l->plan);
	batch_fini(&l->batch);
	ruleset_free(l->rs);
	*l = (struct loading){0};
}

/* -ERESTART: the ruleset moved meanwhile. */
static int load_once(struct cli *cli, struct runtime *rt, const struct nft_input *input,
		     const struct rt_load_options *opt, struct loading *l)
{
	struct nft_input in = {0};
	struct diags said;
	int err;

	if (input)
		in = *input;
	err = input ? read_all(cli, rt, &in, &l->rs, &l->batch) :
		      rt_model(rt, &cli->diags, &l->rs);
	if (err < 0 || (input && l->batch.len == 0))
		return err;
	diags_init(&said);
	err = rt_load(rt, l->rs, input ? &l->batch : NULL, opt, &said, &l->plan);
	if (err == -ERESTART)
		diags_fini(&said); /* it is tried again */
	if (in.unchecked && l->plan.unchanged && is_refusal(err) &&
	    explain_refusal(rt, input) < 0) {
		diags_fini(&said);
		err = -EINVAL;
	}
	diags_move(&cli->diags, &said);
	/* The report names chains of the model, so it has to be made while that lives. */
	if (err == 0 || (err == -EOPNOTSUPP && opt->require_bpf))
		cli_report_fallbacks(cli, &l->plan.lowered);
	return err;
}

/* Where it has to be explained what is wrong, by libnftables. */
static int capture_elements(struct cli *cli, struct nft_input *in, struct batch *ret)
{
	int err = -EOPNOTSUPP;

	if (in->commands && in->unchecked)
		err = nft_capture_plain(in->commands, in->model, ret);
	return err == -EOPNOTSUPP ? nft_capture(in, &cli->diags, ret) : err;
}

/*
 * 0; -EOPNOTSUPP: not that simple, and nothing was changed; -ERESTART: taking over does the rest.
 * *@ret_refused: by the kernel.
 */
static int update_once(struct cli *cli, struct runtime *rt, struct nft_input *in, struct diags *ds,
		       bool *ret_refused)
{
	const struct dump_options opt = {.sets_only = true};
	CLEANUP(ruleset_freep) struct ruleset *heads = NULL;
	CLEANUP(batch_fini) struct batch batch = {0};
	bool in_kernel;
	int err = dump_ruleset(&opt, &cli->diags, &heads);

	in->model = heads;
	in->heads_only = true;
	if (!err && !cli_input_rewind(in))
		err = -EOPNOTSUPP;
	if (!err)
		err = capture_elements(cli, in, &batch);
	*ret_refused = err == -EINVAL && !in->err;
	if (err < 0 || batch.len == 0)
		return err == -ERESTART ? -EOPNOTSUPP : err; /* it is being changed by others */
	err = rt_update(rt, heads, &batch, in->adds_only, ds, &in_kernel);
	*ret_refused = is_refusal(err) && err != -EOPNOTSUPP && !in_kernel;
	/* Somebody else's commit came first. */
	return err == -ERESTART && !in_kernel ? -EOPNOTSUPP : err;
}

static int update(struct cli *cli, struct runtime *rt, const struct nft_input *input, bool adds)
{
	struct nft_input in = *input;
	bool refused = false;
	struct diags said;
	int err;

	diags_init(&said);
	in.unchecked = true;
	in.adds_only = adds;
	/* Who does not know the elements that are there may find something else wrong than nft. */
	in.err = NULL;
	err = update_once(cli, rt, &in, &said, &refused);
	in.err = input->err;
	if (refused) {
		/* Once more with all that libnftables wants to know: to explain it, if not to do it. */
		diags_fini(&said);
		in.unchecked = in.adds_only = false;
		err = update_once(cli, rt, &in, &said, &refused);
	}
	/* Of what the kernel itself calls not supported the long way speaks. */
	if (err == -EOPNOTSUPP)
		diags_fini(&said);
	else
		diags_move(&cli->diags, &said);
	return err;
}

static void explain_end(struct cli *cli, int err, bool in_kernel)
{
	if (in_kernel)
		diag_add(&cli->diags, DIAG_ERROR, "unfinished", NULL,
			 "the kernel's set has what it was told, but not the programs: nft-bpf sync goes on");
	else if (err == -ERESTART)
		diag_add(&cli->diags, DIAG_ERROR, "busy", NULL,
			 "the ruleset is being changed by others all the time; nothing was changed");
}

static int load(struct cli *cli, const struct nft_input *input)
{
	bool adds = false, in_kernel = false;
	const bool elements = input && !cli->check && cli_input_is_elements(input, &adds);
	const struct rt_options open_opt = {.wait_lock = true, .elements = elements};
	const struct rt_load_options opt = {
		.require_bpf = cli->require_bpf,
		.check = cli->check,
	};
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	struct progress *progress;
	int err = 0;

	err = rt_open(&open_opt, &cli->diags, &rt);
	if (err < 0)
		return cli_status(cli, err, "opening our state");
	progress = progress_start(input ? "loading" : "taking over");
	if (elements) {
		err = update(cli, rt, input, adds);
		if (err != -EOPNOTSUPP && err != -ERESTART) {
			progress_end(progress);
			return cli_nft_status(cli, err, "changing elements");
		}
		in_kernel = err == -ERESTART;
		if (in_kernel)
			input = NULL;
		err = rt_open_roots(rt, &cli->diags);
	}
	for (int attempt = 0; !err && attempt < MAX_ATTEMPTS; attempt++) {
		err = load_once(cli, rt, input, &opt, &loading);
		if (err != -ERESTART || attempt == MAX_ATTEMPTS - 1)
			break;
		loading_fini(&loading);
		err = 0;
	}
	progress_end(progress);
	if (err)
		explain_end(cli, err, in_kernel);
	else
		print_times(cli, &loading.plan);
	/* Of -EOPNOTSUPP under --require-bpf the report of chains has spoken. */
	if (err == -EOPNOTSUPP && cli->require_bpf)
		return EXIT_ERROR;
	return cli_nft_status(cli, err, input ? "loading" : "taking over");
}

int cmd_load(struct cli *cli, int argc, char **argv)
{
	struct nft_input in;
	bool done = false;
	int status = cli_get_element(cli, &done);

	(void)argc;
	(void)argv;
	if (status == EXIT_OK && !done)
		status = cli_input(cli, &in);
	if (status != EXIT_OK || done)
		return status;
	in.kernel = NFT_KERNEL_REAL;
	return load(cli, &in);
}

int cmd_take(struct cli *cli, int argc, char **argv)
{
	if (argc > 1)
		return cli_usage_error("take: \"%s\" is too much", argv[1]);
	return load(cli, NULL);
}

/* Nothing is loaded, or all is as it was left: nothing to do. */
int cmd_sync(struct cli *cli, int argc, char **argv)
{
	const struct rt_options opt = {.read_only = true};
	struct rt_status st = {0};
	struct runtime *rt = NULL;
	bool stale = false;
	int err;

	if (argc > 1)
		return cli_usage_error("sync: \"%s\" is too much", argv[1]);
	err = rt_open(&opt, &cli->diags, &rt);
	if (err == -ENOENT)
		return EXIT_OK;
	if (!err)
		err = rt_status(rt, &cli->diags, &st);
	if (!err)
		stale = st.lost || (st.n_progs && (st.moved_on || st.unfinished || st.damaged));
	rt_status_fini(&st);
	rt_close(rt);
	if (err < 0)
		return cli_status(cli, err, "sync");
	return stale ? load(cli, NULL) : EXIT_OK;
}

int cmd_give(struct cli *cli, int argc, char **argv)
{
	const struct rt_options opt = {.wait_lock = true};
	CLEANUP(rt_closep) struct runtime *rt = NULL;
	struct progress *progress;
	int err;

	if (argc > 1)
		return cli_usage_error("give: \"%s\" is too much", argv[1]);
	err = rt_open(&opt, &cli->diags, &rt);
	if (err < 0)
		return cli_status(cli, err, "give");
	progress = progress_start("handing back");
	err = rt_give(rt, &cli->diags);
	progress_end(progress);
	return cli_status(cli, err, "give");
}
