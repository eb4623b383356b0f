/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR's text: whatever is read is printed such that it is read again as the same; what is sound
 * is run and optimised.
 */
#include "tests/fuzz/equal.h"

const char fuzz_name[] = "ir_text";

static void check_sound(struct ir *ir, const char *text, size_t size)
{
	struct ir *after = equal_parse(text, size);
	char *why;

	equal_optimise(after, EQUAL_ALL);
	why = ir_check(after);
	FUZZ_HOLDS(!why, "%s", why);
	equal_check(ir, after, (struct fuzz_in){(const uint8_t *)text, size}, "optimised");
	ir_free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ir *ir = equal_parse((const char *)data, size);
	AUTO_FREE char *why = NULL;

	if (!ir)
		return 0;
	equal_check_text(ir);
	why = ir_check(ir);
	if (!why)
		check_sound(ir, (const char *)data, size);
	ir_free(ir);
	return 0;
}
