/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Models of rulesets without a kernel, for tests: text in, model, text out.
 */
#ifndef NFT_BPF_TESTS_NETLINK_MODEL_H
#define NFT_BPF_TESTS_NETLINK_MODEL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "../netlink/nfnl.h"

UNUSED static int capture_with(enum nft_kernel kernel, struct nft_input *in, struct batch *ret,
			       char **ret_said)
{
	char *said = NULL;
	size_t len = 0;
	struct diags ds;
	int err;

	diags_init(&ds);
	in->kernel = kernel;
	in->err = in->out = open_memstream(&said, &len);
	err = nft_capture(in, &ds, ret);
	fclose(in->err);
	if (ret_said)
		*ret_said = said;
	else
		free(said);
	diags_fini(&ds);
	return err;
}

UNUSED static int capture(struct nft_input *in, struct batch *ret, char **ret_said)
{
	return capture_with(NFT_KERNEL_MODEL, in, ret, ret_said);
}

UNUSED static struct ruleset *model_of(struct nft_input *in)
{
	struct ruleset *rs = ruleset_new();
	struct batch b = {0};
	char *said;

	rs->generation = 1;
	if (capture(in, &b, &said) != 0)
		fail_msg("%s", said);
	assert_int_equal(apply_batch(rs, &b, NULL), 0);
	batch_fini(&b);
	free(said);
	return rs;
}

UNUSED static struct ruleset *model_of_text(const char *commands)
{
	struct nft_input in = {.commands = commands};

	return model_of(&in);
}

UNUSED static char *list(const struct ruleset *rs, struct nft_list_options opt)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(nft_list(rs, "list ruleset", &opt, out, stderr), 0);
	fclose(out);
	return text;
}

UNUSED static void assert_lists(const struct ruleset *rs, const char *expected)
{
	char *text = list(rs, (struct nft_list_options){0});

	assert_string_equal(text, expected);
	free(text);
}

#endif
