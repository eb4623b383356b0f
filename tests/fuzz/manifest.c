/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Manifests, which a version to come may have written, or a hand: what is read is printed, where it
 * has all that this version writes, such that it is read again as the same.
 */
#include "runtime/manifest.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "manifest";

/* What others do with one. */
static void use(const struct manifest *m)
{
	for (uint32_t i = 0; i < m->n_chains; i++) {
		const struct rt_chain_status *st = &m->chains[i].st;
		const struct mf_chain *c =
			manifest_find_chain(m, st->family, st->table, st->name);

		FUZZ_HOLDS(c && c <= &m->chains[i], "chain %s is not found", st->name);
	}
	for (uint32_t i = 0; i < m->n_tables; i++)
		FUZZ_HOLDS(manifest_has_table(m, m->tables[i].family, m->tables[i].name),
			   "table %s is not found", m->tables[i].name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(manifest_freep) struct manifest *m = NULL;
	CLEANUP(manifest_freep) struct manifest *again = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *same = NULL;

	if (manifest_parse((const char *)data, size, &m) < 0)
		return 0;
	use(m);
	text = m->format == MANIFEST_FORMAT ? manifest_print(m) : NULL;
	if (!text)
		return 0; /* names that are printed as they are and are not UTF-8 */
	FUZZ_HOLDS(manifest_parse(text, strlen(text), &again) == 0, "%s", text);
	same = manifest_print(again);
	FUZZ_HOLDS(same, "%s", text);
	FUZZ_HOLDS(strcmp(text, same) == 0, "%s\n%s", text, same);
	return 0;
}
