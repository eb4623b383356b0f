/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps of sets: one ARRAY of a single value each, mapped, laid out as classify.h says.
 */
#ifndef NFT_BPF_RUNTIME_SETS_H
#define NFT_BPF_RUNTIME_SETS_H

#include "../compiler/ir.h"

struct bpf_object;

struct runtime;

/*
 * kept.c: sets of which the running generation has a map that says the same keep it, if the kernel's
 * ruleset, of generation @ruleset, is as we left it. Before anything is compiled, since programs
 * are made for the map that they read.
 */
void sets_keep(const struct runtime *rt, uint32_t ruleset, const struct ir *ir);
/*
 * Makes and fills the maps that an object compiled with maps_elsewhere expects: of sets, but for those
 * that stay, of dispatches and templates, and the state. Before it is loaded.
 */
int sets_bring(const struct runtime *rt, const struct ir *ir, struct bpf_object *obj);
/*
 * The map "set_use": by set id, which indexes of its blob are free. Those given up go round: one is
 * given away again only when no packet can still be reading by it.
 */
struct set_use {
	uint32_t next;	  /* from here on to the capacity none was ever used */
	uint32_t n_freed; /* in freed[]; more than fit are lost until the map is made anew */
	/* Of a set whose elements keep something (elem_states.c): its handle, or of an anonymous one
	 * its rule's, with the expression; 0: not known yet. */
	uint64_t handle;
	uint32_t expr;
	uint32_t given; /* 1 + the ruleset's generation that has all of it in the kernel's set */
	uint32_t freed[122];
};
int sets_make_use(const struct runtime *rt, const struct ir *ir, int *ret_fd);
/* A generation's, to be unmapped. -ENOENT: it has none. */
int sets_use_map(const struct runtime *rt, uint32_t gen, bool writable, struct set_use **ret, uint32_t *ret_n,
			     size_t *ret_size);
#define SETS_PLACEHOLDER 64 /* bytes of such a map in the object */
/* Closes an object that may have got such maps. NULL is fine. */
void sets_close_object(struct bpf_object *obj);

#endif
