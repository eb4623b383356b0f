/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets that packets change: their maps (compiler/dynamic.h) from one generation to the next, into
 * the model, and back into the kernel's sets.
 */
#ifndef NFT_BPF_RUNTIME_DYNAMIC_H
#define NFT_BPF_RUNTIME_DYNAMIC_H

#include "../compiler/ir.h"
#include "manifest.h"

struct bpf_object;
struct batch_builder;
struct rt_plan;

/* Before an object is loaded: sets that stay as they are keep their maps. */
int dynamic_bring(struct runtime *rt, const struct ir *ir, struct bpf_object *obj);
/* Fills the maps of all others; none of them decides yet. */
int dynamic_fill(const struct ir *ir, struct diags *ds);
int dynamic_pin(struct runtime *rt, uint32_t gen, const struct ir *ir, struct diags *ds);
int dynamic_make(const struct ir *ir, struct manifest *m); /* manifest_make()'s part */
/* Handles of the sets, when all is committed: elements are those of this very set. */
int dynamic_note_handles(struct runtime *rt, uint32_t gen, const struct manifest *m,
			 struct diags *ds);

/* dynamic_shown.c */

/* The current generation's elements into the model; what it was shown is remembered. */
int dynamic_overlay(struct runtime *rt, const struct manifest *m, struct ruleset *rs,
		    struct diags *ds);
void dynamic_forget(struct runtime *rt); /* what was shown */
/* What a batch changed of what was shown, into the maps that stay. When it is committed. */
int dynamic_commit(struct runtime *rt, uint32_t gen, const struct ir *ir, struct diags *ds);

/* dynamic_give.c */

/* Is it a set whose elements no new program keeps? */
bool dynamic_is_leaving(const struct ir *ir, const struct set *s);
/* Elements of sets that leave, from the model into the kernel's sets. */
void dynamic_give(const struct ruleset *rs, const struct ir *ir, struct batch_builder *bb);
/* Those that packets added to generation @gen since. */
int dynamic_give_rest(struct runtime *rt, uint32_t gen, const struct manifest *m,
		      const struct ruleset *rs, const struct ir *ir, struct batch_builder *bb);

/* dynamic_elem.c */

/* One element of the model as key and value; buffers are as large as the map says. */
void dynamic_put(const struct ir *ir, const struct ir_set *set, const struct set_elem *e,
		 uint8_t *key, uint8_t *value);
/* The same of a running generation's set, and of an element that comes now. Buffers are zeros. */
void dynamic_put_new(const struct mf_dynamic *d, const struct set *s, const struct set_elem *e,
		     uint8_t *key, uint8_t *value);
typedef int (*dynamic_fn)(void *arg, const uint8_t *key, const uint8_t *value);
/* Calls @fn for each element of a map, until it fails. */
int dynamic_each(int fd, uint32_t key_size, uint32_t value_size, dynamic_fn fn, void *arg);
/* The other way round, into a set of the model: all elements of the map @fd that have not expired. */
int dynamic_read(int fd, const struct mf_dynamic *d, struct set *s);
struct exprs;
/* Do they keep alike? @es NULL: nothing. */
bool dynamic_same_exprs(const struct mf_expr *exprs, uint32_t n, const struct exprs *es);
char *dynamic_hex(struct blob b);

/* dynamic_others.c: what others did to the kernel's own set */

enum mf_packets dynamic_packets(const struct set *s); /* by the rules of its table */
/* Can it be told? */
bool dynamic_heeds_others(const struct mf_dynamic *d, const struct set *s);
/* A set like @s, without elements, in a ruleset of its own. */
int dynamic_set_aside(const struct set *s, struct ruleset **ret, struct set **ret_set);
/* @s has the elements of the kernel's set, @map those of the map: now @s has what is to be. Takes from @map. */
int dynamic_heed_others(const struct mf_dynamic *d, struct set *s, struct set *map);

/* dynamic_update.c: elements of the batch, in sets of the running generation @gen */

/* The set of the manifest that @s is, if its map is the truth; or NULL. */
const struct mf_dynamic *dynamic_find(const struct runtime *rt, uint32_t gen,
				      const struct manifest *m, const struct set *s);
/*
 * Can the elements that @s was read with be added, or deleted, in place, and will the kernel's set and
 * the map say the same? -EOPNOTSUPP: no, or not without saying why; -ENFILE: the set is full.
 */
int dynamic_can_add(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
		    const struct set *s);
int dynamic_can_delete(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
		       const struct set *s);
/* Does it. What packets did meanwhile counts: one that they added stays theirs. */
int dynamic_add(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
		const struct set *s);
int dynamic_delete(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
		   const struct set *s);

#endif
