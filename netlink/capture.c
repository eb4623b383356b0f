/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset file into the batch that nft would commit: libnftables parses, evaluates and reports;
 * its session keeps what it would send.
 */
#include <errno.h>

#include "list.h"
#include "session.h"

static void ctx_free(struct nft_ctx **ctx)
{
	if (*ctx)
		nft_ctx_free(*ctx);
}

/* nft_ctx_add_var() writes into what it is given. */
static int add_define(struct nft_ctx *ctx, const char *define, struct diags *ds)
{
	char AUTO_FREE *copy = strdup(define);

	if (!copy)
		return -ENOMEM;
	if (!strchr(copy, '=') || nft_ctx_add_var(ctx, copy)) {
		diag_add(ds, DIAG_ERROR, "define", NULL, "%s: not of the form name=value", define);
		return -EINVAL;
	}
	return 0;
}

static int configure(struct nft_ctx *ctx, const struct nft_input *in, struct diags *ds)
{
	const char *const *p;
	int err = 0;

	if (in->out)
		nft_ctx_set_output(ctx, in->out);
	else
		nft_ctx_buffer_output(ctx);
	if (in->err)
		nft_ctx_set_error(ctx, in->err);
	else
		nft_ctx_buffer_error(ctx);
	nft_ctx_output_set_flags(ctx, nft_list_flags(&in->list) | (in->json ? NFT_CTX_OUTPUT_JSON : 0));
	for (p = in->include_dirs; p && *p; p++) {
		if (nft_ctx_add_include_path(ctx, *p))
			return -ENOMEM;
	}
	for (p = in->defines; p && *p && !err; p++)
		err = add_define(ctx, *p, ds);
	return err;
}

/* libnftables heeds variables for files only; "define name=value" is what it makes of them. */
static int run_commands(struct nft_ctx *ctx, const struct nft_input *in)
{
	char AUTO_FREE *text = NULL;
	const char *const *p;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	bool failed;

	if (!f)
		return -ENOMEM;
	for (p = in->defines; p && *p && !in->json; p++)
		fprintf(f, "define %s; ", *p);
	fputs(in->commands, f);
	failed = ferror(f);
	if (fclose(f) || failed)
		return -ENOMEM;
	return nft_run_cmd_from_buffer(ctx, text) ? -EINVAL : 0;
}

/* Each message gets a number of its own, so that an echo tells which one it answers. */
static int take_batch(struct nft_session *s, struct batch *ret)
{
	struct nlmsghdr *nlh;
	uint32_t seq = 1;
	size_t pos;

	for (pos = 0; s->captured.len - pos >= sizeof(*nlh); pos += MNL_ALIGN(nlh->nlmsg_len)) {
		nlh = (struct nlmsghdr *)(s->captured.data + pos);
		nlh->nlmsg_seq = seq++;
	}
	*ret = (struct batch){.data = TAKE_PTR(s->captured.data), .len = s->captured.len};
	s->captured = (struct nlbuf){0};
	return 0;
}

static int tell_prelude(const struct nft_session *s, struct diags *ds)
{
	if (s->prelude_error)
		diag_add(ds, DIAG_ERROR, "rehang", NULL,
			 "the kernel refuses to put its chains back on their hooks: %s",
			 strerror(-s->prelude_error));
	return -EINVAL;
}

/* The ruleset where there is none: its generation must not be 0, which means "not known". */
static struct ruleset *empty_model(void)
{
	struct ruleset *rs = ruleset_new();

	if (rs)
		rs->generation = 1;
	return rs;
}

static int run(const struct nft_session *s, const struct nft_input *in, struct diags *ds)
{
	struct nft_ctx CLEANUP(ctx_free) *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	int err;

	if (!ctx)
		return -ENOMEM;
	if (!session_is_in_between(s)) {
		diag_add(ds, DIAG_ERROR, "libnftables", NULL,
			 "libnftables goes past this program to the kernel: nothing was run");
		return -ENOTSUP;
	}
	err = configure(ctx, in, ds);
	if (err < 0)
		return err;
	if (!in->file)
		return run_commands(ctx, in);
	return nft_run_cmd_from_filename(ctx, in->file) ? -EINVAL : 0;
}

int nft_capture(const struct nft_input *in, struct diags *ds, struct batch *ret)
{
	struct ruleset CLEANUP(ruleset_freep) *empty = NULL;
	struct nft_session s = {
		.kernel = in->kernel,
		.model = in->model,
		.prelude = in->prelude,
		.rewrite = in->rewrite,
		.rewrite_arg = in->rewrite_arg,
		.judge = in->judge,
		.complete = in->complete,
		.complete_arg = in->complete_arg,
		.unchecked = in->unchecked,
		.heads_only = in->heads_only,
		.adds_only = in->adds_only,
	};
	int err;

	if (in->kernel == NFT_KERNEL_MODEL && !in->model) {
		s.model = empty = empty_model();
		if (!empty)
			return -ENOMEM;
	}
	session_begin(&s);
	err = run(&s, in, ds);
	if (s.prelude_error)
		err = tell_prelude(&s, ds);
	if (err && session_moved(&s))
		err = -ERESTART;
	if (!err)
		err = take_batch(&s, ret);
	session_end(&s);
	return err;
}
