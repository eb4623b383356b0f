/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_tables sets into the IR's; their elements are the matter of sets_elem.c.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "attr.h"
#include "lower_priv.h"
#include "set_table.h"

#ifndef NFT_SET_EXPR
#define NFT_SET_EXPR 0x100
#endif

const struct set *lower_named_set(const struct table *t, struct blob attrs, uint16_t name_attr,
				  uint16_t id_attr)
{
	const char *name = attr_str(attrs, name_attr);
	const struct set *s = name ? table_find_set(t, name) : NULL;

	/* Anonymous sets of a batch may still go by their number. */
	if (!s && attr_uint(attrs, id_attr, 0))
		s = table_find_set_id(t, (uint32_t)attr_uint(attrs, id_attr, 0));
	return s;
}

const struct set *lower_find_set(struct lower *lw, const struct expr *e, uint16_t name_attr,
				 uint16_t id_attr)
{
	const struct set *s = lower_named_set(lower_table(lw), e->attrs, name_attr, id_attr);
	const char *name = attr_str(e->attrs, name_attr);

	if (!s)
		lower_block(lw, "set-missing", "there is no set %s",
			    name ? name : "of that number");
	return s;
}

/* ---- a set ---- */

static void set_fields(struct lower *lw, const struct set *s, struct ir_set *out)
{
	uint32_t i;

	out->n_fields = s->field_len && s->n_fields ? s->n_fields : 1;
	out->field_width = arena_alloc(lw->ir->arena, out->n_fields);
	out->field_width[0] = (uint8_t)s->key_len;
	if (out->n_fields > 1)
		for (i = 0; i < out->n_fields; i++)
			out->field_width[i] = (uint8_t)ROUND_UP(s->field_len[i], 4);
	out->ranged = out->n_fields > 1 && s->flags & NFT_SET_INTERVAL;
}

static void set_header(struct lower *lw, struct lower_set *ls)
{
	const struct set *s = ls->origin;
	const struct table *t = s->table;
	const char *suffix = !ls->pf ? "" : ls->pf == NFPROTO_IPV4 ? "@v4" : "@v6";
	struct ir_set *out;

	out = ir_set_new(lw->ir, arena_printf(lw->ir->arena, "%s:%s:%s%s", family_name(t->family),
					      t->name, s->name, suffix));
	out->origin = s;
	out->width = (uint16_t)s->key_len;
	out->kind = IR_SET;
	if (s->flags & NFT_SET_MAP)
		out->kind = s->data_type == NFT_DATA_VERDICT ? IR_VERDICT_MAP : IR_DATA_MAP;
	if (out->kind == IR_DATA_MAP)
		out->data_width = (uint16_t)s->data_len;
	out->is_mutable = !(s->flags & NFT_SET_CONSTANT);
	out->has_timeout = s->flags & NFT_SET_TIMEOUT;
	out->size = s->size;
	out->n_states = s->flags & NFT_SET_OBJECT ? 1 /* the object's */ : lower_elem_exprs(s);
	out->keeps = out->n_states && !(s->flags & NFT_SET_OBJECT);
	set_fields(lw, s, out);
	ls->set = out;
}

/* nf_tables_newset(): the fields, each padded to a word, are the key. */
static bool fields_fit(const struct set *s)
{
	uint32_t sum = 0, i;

	if (!s->field_len || s->n_fields <= 1)
		return true;
	for (i = 0; i < s->n_fields; i++) {
		if (!s->field_len[i] || s->field_len[i] > IR_MAX_WIDTH)
			return false;
		sum += ROUND_UP((uint32_t)s->field_len[i], 4);
	}
	return sum == s->key_len;
}

/* What is known before its elements are looked at. */
static bool set_check(const struct lower *lw, struct lower_set *ls)
{
	const struct set *s = ls->origin;
	uint32_t data =
		s->flags & NFT_SET_MAP && s->data_type != NFT_DATA_VERDICT ? s->data_len : 1;

	if (lower_set_is_filled(lw, s) && !lower_set_is_dynamic(lw, s)) {
		ls->code = "set-dynamic";
		ls->why = "rules add elements to the set";
	} else if (!s->elems_known) {
		ls->code = "set-elements";
		ls->why = "the elements were not read";
	} else if (!(s->flags & NFT_SET_CONSTANT) && !lw->opt->named_sets) {
		ls->code = "set-named";
		ls->why = "elements of named sets can change, which has no lowering yet";
	} else if (!s->key_len || s->key_len > IR_MAX_WIDTH || !data || data > IR_MAX_WIDTH) {
		ls->code = "set-width";
		ls->why = "the key or the data is wider than the registers, or nothing";
	} else if (!fields_fit(s)) {
		ls->code = "set-width";
		ls->why = "the fields are not as wide as the key";
	}
	return !ls->code;
}

/* What the data path cannot hold is known before anything is emitted. */
static bool set_has_form(const struct lower *lw, struct lower_set *ls)
{
	const struct set_table *t;
	AUTO_FREE char *why = NULL;
	int err = set_table_get(lw->ir, ls->set, &t, &why);

	if (!err)
		return true;
	ls->code = "set-form";
	ls->why = arena_printf(lw->arena, "%s", why ? why : "out of memory");
	return false;
}

/* The same verdict map for packets of the other protocol family. */
static const struct lower_set *twin(struct lower *lw, const struct set *s, uint8_t pf)
{
	uint8_t other = pf == NFPROTO_IPV4 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	uint64_t h = ir_hash_u64(ir_hash_u64(IR_HASH_INIT, (uintptr_t)s), other);
	const struct lower_set *ls;
	size_t pos = 0;

	while (pf && (ls = ir_index_next(&lw->set_index, h, &pos)))
		if (ls->origin == s && ls->pf == other)
			return ls;
	return NULL;
}

static struct lower_set *set_get(struct lower *lw, const struct set *s)
{
	uint8_t pf = s->data_type == NFT_DATA_VERDICT && s->flags & NFT_SET_MAP &&
				     lower_family(lw) == NFPROTO_INET
			     ? lower_pf(lw)
			     : 0;
	uint64_t h = ir_hash_u64(ir_hash_u64(IR_HASH_INIT, (uintptr_t)s), pf);
	struct lower_set *ls;
	size_t pos = 0;

	while ((ls = ir_index_next(&lw->set_index, h, &pos)))
		if (ls->origin == s && ls->pf == pf)
			return ls;
	ls = ARENA_NEW(lw->ir->arena, struct lower_set);
	ls->origin = s;
	ls->pf = pf;
	ls->twin = twin(lw, s, pf);
	ir_index_add(&lw->set_index, lw->ir->arena, h, ls);
	if (!set_check(lw, ls))
		return ls;
	set_header(lw, ls);
	if ((lower_set_is_dynamic(lw, s) && !lower_set_dynamic(lw, ls)) ||
	    !lower_set_elems(lw, ls) || !set_has_form(lw, ls)) {
		ls->set = NULL;
		lw->ir->n_sets--; /* the last one made */
	}
	return ls;
}

struct ir_set *lower_set(struct lower *lw, const struct set *set)
{
	struct lower_set *ls;
	uint32_t i;

	if (lw->front && !front_can_use_set(lw, set)) {
		front_unknown(lw);
		return NULL;
	}
	ls = set_get(lw, set);
	if (!ls->set) {
		lower_block(lw, ls->code, "set %s: %s", set->name, ls->why);
		return NULL;
	}
	for (i = 0; i < ls->n_targets; i++)
		lower_enter(lw, ls->targets[i]);
	if (ls->set->is_dynamic)
		ARENA_PUSH(lw->ir->arena, lw->info->dynamic, lw->info->n_dynamic, ls->set);
	return ls->set;
}

static bool elem_holds(const struct ir_set *set, const struct ir_elem *e, const uint8_t *key)
{
	uint32_t at = 0, i;

	if (!e->lo)
		return true; /* the catch-all, the last one */
	for (i = 0; i < (set->ranged ? set->n_fields : 1); i++) {
		uint32_t width = set->ranged ? set->field_width[i] : set->width;

		if (memcmp(key + at, e->lo + at, width) < 0 ||
		    memcmp(key + at, e->hi + at, width) > 0)
			return false;
		at += width;
	}
	return true;
}

const struct ir_elem *lower_set_find(const struct ir_set *set, const uint8_t *key)
{
	size_t i;

	for (i = 0; i < set->n_elems; i++)
		if (elem_holds(set, &set->elems[i], key))
			return &set->elems[i];
	return NULL;
}
