/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnftables, opened when something of it is needed (compiler/library.h).
 */
#include <stddef.h>
#pragma GCC visibility push(hidden)
#include <nftables/libnftables.h>
#pragma GCC visibility pop

#include "../compiler/library.h"

#define SONAME "libnftables.so.1"

#define FUNCTIONS(F)                                                                               \
	F(struct nft_ctx *, nft_ctx_new, (uint32_t flags), (flags))                                \
	F(int, nft_ctx_add_include_path, (struct nft_ctx *ctx, const char *path), (ctx, path))     \
	F(int, nft_ctx_add_var, (struct nft_ctx *ctx, const char *var), (ctx, var))                \
	F(int, nft_ctx_buffer_error, (struct nft_ctx *ctx), (ctx))                                 \
	F(int, nft_ctx_buffer_output, (struct nft_ctx *ctx), (ctx))                                \
	F(void, nft_ctx_free, (struct nft_ctx *ctx), (ctx))                                        \
	F(const char *, nft_ctx_get_error_buffer, (struct nft_ctx *ctx), (ctx))                    \
	F(void, nft_ctx_output_set_flags, (struct nft_ctx *ctx, unsigned int flags), (ctx, flags)) \
	F(void, nft_ctx_set_dry_run, (struct nft_ctx *ctx, bool dry), (ctx, dry))                  \
	F(FILE *, nft_ctx_set_error, (struct nft_ctx *ctx, FILE *f), (ctx, f))                     \
	F(FILE *, nft_ctx_set_output, (struct nft_ctx *ctx, FILE *f), (ctx, f))                    \
	F(int, nft_run_cmd_from_buffer, (struct nft_ctx *ctx, const char *text), (ctx, text))      \
	F(int, nft_run_cmd_from_filename, (struct nft_ctx *ctx, const char *name), (ctx, name))

static struct {
	void *so;
	FUNCTIONS(LIBRARY_MEMBER)
} lib;

static __attribute__((cold)) void open_library(void)
{
	lib.so = library_open(SONAME);
	FUNCTIONS(LIBRARY_RESOLVE)
}

FUNCTIONS(LIBRARY_FORWARD)
