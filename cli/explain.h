/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What explain's files share: a chain's parts of the answer. */
#ifndef NFT_BPF_CLI_EXPLAIN_H
#define NFT_BPF_CLI_EXPLAIN_H

#include <jansson.h>

#include "../compiler/ir.h"

/* The runs of rules of @c that became look-ups (@ir: optimised), one line each; as an array. */
void explain_look_ups(const struct ir *ir, const struct chain *c);
json_t *explain_look_ups_json(const struct ir *ir, const struct chain *c);
json_t *explain_parted_json(const struct ir *ir, const struct chain *c);

/* The sets of a table that compiled rules look up: which structure each one is, one line each. */
void explain_sets(const struct ir *ir, const struct table *table);
json_t *explain_sets_json(const struct ir *ir); /* of all tables */

#endif
