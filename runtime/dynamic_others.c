/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What others, plain nft above all, did to the kernel's own set while a map was the truth. Looked at where
 * the kernel's ruleset is not as nft-bpf left it.
 *
 * Where packets only count in elements, both sets have the same ones, so the kernel's has what others
 * added and lacks what they deleted. Where rules add elements too, what it lacks may be theirs; what it
 * has more is somebody's all the same. Where rules delete elements it may be that, so nothing is known.
 */
#include <errno.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "dynamic.h"
#include "priv.h"

/* Of one rule, of all: the strongest. */
static enum mf_packets packets_of(const struct rule *r, const struct set *s)
{
	enum mf_packets all = MF_PACKETS_NONE, is;

	for (uint32_t i = 0; i < r->exprs.n; i++) {
		const struct expr *e = &r->exprs.array[i];
		const char *name =
			strcmp(e->name, "dynset") == 0 ? attr_str(e->attrs, NFTA_DYNSET_SET_NAME) : NULL;

		if (!name || strcmp(name, s->name) != 0)
			continue;
		is = attr_uint(e->attrs, NFTA_DYNSET_OP, NFT_DYNSET_OP_ADD) == NFT_DYNSET_OP_DELETE ?
			     MF_PACKETS_DELETE :
			     MF_PACKETS_ADD;
		all = MAX(all, is);
	}
	return all;
}

enum mf_packets dynamic_packets(const struct set *s)
{
	enum mf_packets all = MF_PACKETS_NONE, is;
	const struct chain *c;
	const struct rule *r;

	list_for_each(c, &s->table->chains, node) {
		list_for_each(r, &c->rules, node) {
			is = packets_of(r, s);
			all = MAX(all, is);
		}
	}
	return all;
}

bool dynamic_heeds_others(const struct mf_dynamic *d, const struct set *s)
{
	return s->elems_known && (d->packets == MF_PACKETS_NONE || d->packets == MF_PACKETS_ADD);
}

int dynamic_set_aside(const struct set *s, struct ruleset **ret, struct set **ret_set)
{
	struct ruleset *rs = ruleset_new();
	struct table *t = rs ? table_new(rs, s->table->family, s->table->name) : NULL;
	struct set *aside = t ? set_new(t, s->name) : NULL;

	*ret = rs;
	if (!aside)
		return -ENOMEM;
	aside->flags = s->flags;
	aside->key_len = s->key_len;
	aside->data_len = s->data_len;
	aside->timeout = s->timeout;
	*ret_set = aside;
	return 0;
}

/* All but the key and the comment, which the kernel's set has. */
static void move_elem(struct set_elem *to, struct set_elem *from)
{
	free(to->data);
	exprs_fini(&to->exprs);
	to->data = TAKE_PTR(from->data);
	to->exprs = from->exprs;
	from->exprs = (struct exprs){ 0 };
	to->timeout = from->timeout;
	to->expiration = from->expiration;
}

static bool has_other_data(const struct set *s, const struct set_elem *a, const struct set_elem *b)
{
	return a->data && b->data && memcmp(a->data, b->data, s->data_len) != 0;
}

/* The map is filled before the kernel has the elements: its times begin as much earlier as a load takes. */
enum { LOAD_MS = 60000 };

/* Was it deleted and made anew, with another time? */
static bool has_other_time(const struct set_elem *e, const struct set_elem *in_map)
{
	return e->timeout != in_map->timeout || !e->expiration != !in_map->expiration ||
	       e->expiration > in_map->expiration + LOAD_MS;
}

int dynamic_heed_others(const struct mf_dynamic *d, struct set *s, struct set *map)
{
	for (size_t i = 0; i < map->n_elems; i++) {
		struct set_elem *from = &map->elems[i], *to;

		to = set_elem_get(s, from->key, NULL, 0, d->packets == MF_PACKETS_ADD);
		if (!to && d->packets == MF_PACKETS_ADD)
			return -ENOMEM;
		if (to && d->packets == MF_PACKETS_NONE && has_other_data(s, to, from))
			from->timeout++; /* another element: dynamic_commit() sees that it changed */
		else if (to && d->packets == MF_PACKETS_NONE && has_other_time(to, from))
			continue; /* here, too */
		else if (to)
			move_elem(to, from);
	}
	s->elsewhere = true;
	return 0;
}
