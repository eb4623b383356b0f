/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model's objects as attributes of nf_tables messages: as the kernel tells them (to libnftables,
 * serve.c) and as it is asked for them (batch.c).
 */
#ifndef NFT_BPF_NETLINK_WRITE_H
#define NFT_BPF_NETLINK_WRITE_H

#include "../compiler/ruleset.h"
#include "nlattr.h"

enum write_as {
	WRITE_TOLD,    /* with handles and use counts */
	WRITE_REQUEST, /* without: the kernel gives new ones */
};

void write_table(struct nlbuf *b, const struct table *t); /* as told */
/* @hooked: with its hook, if it is a base chain. A request gives an anonymous chain no name. */
void write_chain(struct nlbuf *b, const struct chain *c, enum write_as as, bool hooked);
void write_rule(struct nlbuf *b, const struct rule *r, enum write_as as, uint64_t handle);
void write_set(struct nlbuf *b, const struct set *s, enum write_as as);
/* One element into an open list; a verdict's anonymous chain by id in a request. */
void write_elem(struct nlbuf *b, const struct set *s, const struct set_elem *e, enum write_as as);
/* What it takes to delete it: nft_del_setelem(). */
void write_elem_key(struct nlbuf *b, const struct set *s, const struct set_elem *e);
void write_object(struct nlbuf *b, const struct object *o, enum write_as as);
void write_flowtable(struct nlbuf *b, const struct flowtable *f, enum write_as as);

/* A list of elements stays below this: the length of an attribute has 16 bits. */
#define WRITE_ELEMS_MAX 60000

#endif
