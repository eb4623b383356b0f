/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model as nft prints it: libnftables lists, the model answers in the kernel's place.
 */
#include "list.h"

#include <errno.h>

#include "session.h"

static void ctx_free(struct nft_ctx **ctx)
{
	if (*ctx)
		nft_ctx_free(*ctx);
}

unsigned int nft_list_flags(const struct nft_list_options *opt)
{
	return (opt->json ? NFT_CTX_OUTPUT_JSON : 0) |
	       (opt->handles ? NFT_CTX_OUTPUT_HANDLE : 0) |
	       (opt->stateless ? NFT_CTX_OUTPUT_STATELESS : 0) |
	       (opt->terse ? NFT_CTX_OUTPUT_TERSE : 0) |
	       (opt->numeric ? NFT_CTX_OUTPUT_NUMERIC_ALL : 0);
}

static int run(const struct nft_session *s, const char *command,
	       const struct nft_list_options *opt, FILE *out, FILE *err)
{
	struct nft_ctx CLEANUP(ctx_free) *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!ctx)
		return -ENOMEM;
	if (!session_is_in_between(s))
		return -ENOTSUP;
	nft_ctx_set_output(ctx, out);
	if (err)
		nft_ctx_set_error(ctx, err);
	else
		nft_ctx_buffer_error(ctx);
	nft_ctx_output_set_flags(ctx, nft_list_flags(opt));
	return nft_run_cmd_from_buffer(ctx, command) ? -EINVAL : 0;
}

int nft_list_numbered(const struct ruleset *rs, const char *command,
		      const struct nft_list_options *opt, bool numbered, FILE *out, FILE *err)
{
	struct nft_session s = {
		.kernel = NFT_KERNEL_MODEL,
		.model = rs,
		.numbered = numbered,
	};
	int ret;

	session_begin(&s);
	ret = run(&s, command, opt, out, err);
	session_end(&s);
	return ret;
}

int nft_list(const struct ruleset *rs, const char *command, const struct nft_list_options *opt,
	     FILE *out, FILE *err)
{
	return nft_list_numbered(rs, command, opt, false, out, err);
}
