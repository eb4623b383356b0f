/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of the IR's text form.
 */
#include "ir_names.h"

#include <linux/netfilter.h>

const char *const ir_op_names[] = {
	[IR_AND] = "and", [IR_OR] = "or",	[IR_XOR] = "xor",	[IR_SHL] = "shl",
	[IR_SHR] = "shr", [IR_BSWAP] = "bswap", [IR_CONCAT] = "concat", [IR_SLICE] = "slice",
	[IR_MAP] = "map", [IR_SCALE] = "scale", [IR_JHASH] = "jhash",
};

const char *const ir_guard_names[] = {
	[IR_EQ] = "eq", [IR_NE] = "ne",		[IR_RANGE] = "range", [IR_NOT_RANGE] = "not_range",
	[IR_IN] = "in", [IR_NOT_IN] = "not_in",
};

const char *const ir_verdict_names[] = {
	[IR_CONTINUE] = "continue", [IR_ACCEPT] = "accept", [IR_DROP] = "drop",
	[IR_RETURN] = "return",	    [IR_JUMP] = "jump",	    [IR_GOTO] = "goto",
};

const char *const ir_set_kind_names[] = {
	[IR_SET] = "set",
	[IR_DATA_MAP] = "map",
	[IR_VERDICT_MAP] = "vmap",
};

const char *const ir_form_names[] = {
	[IR_FORM_CODE] = "code",
	[IR_FORM_HASH] = "hash",
	[IR_FORM_TREE] = "tree",
	[IR_FORM_BOXES] = "boxes",
};

static const char *const hook_names[] = {
	[NF_INET_PRE_ROUTING] = "prerouting",	[NF_INET_LOCAL_IN] = "input",
	[NF_INET_FORWARD] = "forward",		[NF_INET_LOCAL_OUT] = "output",
	[NF_INET_POST_ROUTING] = "postrouting",
};

int ir_name_find(const char *const *names, size_t n, const char *word)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (names[i] && strcmp(names[i], word) == 0)
			return (int)i;
	return -1;
}

const char *ir_hook_name(uint8_t hook)
{
	return hook < ARRAY_SIZE(hook_names) ? hook_names[hook] : "unknown";
}

int ir_hook_find(const char *word)
{
	return IR_NAME_FIND(hook_names, word);
}

const char *ir_pf_name(uint8_t pf)
{
	return pf == NFPROTO_IPV4 ? "v4" : pf == NFPROTO_IPV6 ? "v6" : "unknown";
}

uint8_t ir_pf_find(const char *word)
{
	if (strcmp(word, "v4") == 0)
		return NFPROTO_IPV4;
	return strcmp(word, "v6") == 0 ? NFPROTO_IPV6 : 0;
}

uint8_t ir_family_find(const char *word)
{
	static const uint8_t families[] = {NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		if (strcmp(family_name(families[i]), word) == 0)
			return families[i];
	return 0;
}
