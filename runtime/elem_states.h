/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What elements of sets keep in the sets' maps (compiler/set_table.h): listed, taken over by the next
 * generation, given back.
 */
#ifndef NFT_BPF_RUNTIME_ELEM_STATES_H
#define NFT_BPF_RUNTIME_ELEM_STATES_H

#include "../compiler/ir.h"
#include "manifest.h"

/* The part of @s that tells what elements keep; manifest_make()'s. */
int elem_states_make(const struct ir *ir, const struct ir_set *set, struct mf_set *s);
/* The current generation's, of manifest @m, into the model. */
int elem_states_overlay(struct runtime *rt, const struct manifest *m, struct ruleset *rs,
			struct diags *ds);
/*
 * Maps of @gen that did not stay begin with what the current one's elements keep, where these stay;
 * what packets do until the old programs have stopped is added then. @m NULL: there was nothing.
 */
int elem_states_begin(struct runtime *rt, const struct manifest *m, uint32_t gen,
		      const struct ruleset *rs, const struct ir *ir, struct diags *ds);
void elem_states_carry(struct runtime *rt);
void elem_states_forget(struct runtime *rt); /* what elem_states_begin() noted for that */
void elem_states_forget_shown(struct runtime *rt); /* what elem_states_overlay() did */
/* Which sets those of @m are, as far as the model's rules and sets have handles by now. */
int elem_states_note_known(struct runtime *rt, uint32_t gen, const struct manifest *m,
			   const struct ruleset *rs);
/* The same of sets that the batch made, now that all is committed. */
int elem_states_note_handles(struct runtime *rt, uint32_t gen, const struct manifest *m,
			     struct diags *ds);
/*
 * The kernel's elements are about to get what those of sets that leave keep, with the commit that
 * makes the ruleset's generation @ruleset: from then on it is not to be added to them. GIVEN_NEVER:
 * they did not after all.
 */
#define GIVEN_NEVER UINT32_MAX
void elem_states_note_given(struct runtime *rt, const struct manifest *m, const struct ruleset *rs,
			    const struct ir *ir, uint32_t ruleset);
/* May the map of the manifest's set be that of @s? */
bool elem_states_same_set(const struct runtime *rt, const struct mf_set *mf, const struct set *s);

/* A new element's record: its kind, and what it begins with. -ENOENT: programs know no such kind. */
int elem_states_init(const struct mf_set *mf, const struct set *s, const struct set_elem *e,
		     uint32_t *record);

#endif
