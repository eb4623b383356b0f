/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applying set messages: nf_tables_newset(), nf_tables_delset().
 */
#include "apply.h"

#include <errno.h>

#define SET_DATA_MAX 64 /* NFT_DATA_VALUE_MAXLEN */
#define SET_FIELDS_MAX 16

/* NFTA_SET_DESC_CONCAT: bytes of each field. */
static int read_fields(struct set *s, const struct nlattr *concat)
{
	uint8_t fields[SET_FIELDS_MAX];
	const struct nlattr *attr;
	struct nltb tb;
	uint32_t n = 0;

	mnl_attr_for_each_nested(attr, concat) {
		if (n == SET_FIELDS_MAX || nltb_parse_nested(&tb, attr) < 0)
			return -EINVAL;
		fields[n++] = (uint8_t)nltb_u32(&tb, NFTA_SET_FIELD_LEN, 0);
	}
	if (!n)
		return 0;
	free(s->field_len);
	s->field_len = malloc(n);
	if (!s->field_len)
		return -ENOMEM;
	memcpy(s->field_len, fields, n);
	s->n_fields = n;
	return 0;
}

static int read_desc(struct set *s, const struct nlattr *desc)
{
	struct nltb tb;

	if (!desc)
		return 0;
	if (nltb_parse_nested(&tb, desc) < 0)
		return -EINVAL;
	s->size = nltb_u32(&tb, NFTA_SET_DESC_SIZE, 0);
	return nltb_has(&tb, NFTA_SET_DESC_CONCAT) ?
		       read_fields(s, tb.attr[NFTA_SET_DESC_CONCAT]) :
		       0;
}

static int check_lengths(const struct set *s)
{
	if (!s->key_len || s->key_len > SET_DATA_MAX)
		return -EINVAL;
	if (s->flags & NFT_SET_MAP && (!s->data_len || s->data_len > SET_DATA_MAX))
		return -EINVAL;
	return 0;
}

static int fill(struct set *s, const struct apply *ap)
{
	struct blob userdata = nltb_blob(&ap->tb, NFTA_SET_USERDATA);
	const struct nltb *tb = &ap->tb;
	int err;

	s->handle = nltb_u64(tb, NFTA_SET_HANDLE, s->handle);
	s->flags = nltb_u32(tb, NFTA_SET_FLAGS, 0);
	s->key_type = nltb_u32(tb, NFTA_SET_KEY_TYPE, 0);
	s->key_len = nltb_u32(tb, NFTA_SET_KEY_LEN, 0);
	s->data_type = nltb_u32(tb, NFTA_SET_DATA_TYPE, 0);
	s->data_len = nltb_u32(tb, NFTA_SET_DATA_LEN, 0);
	if (s->data_type == NFT_DATA_VERDICT)
		s->data_len = 16; /* sizeof(struct nft_verdict), as the kernel tells it */
	s->obj_type = nltb_u32(tb, NFTA_SET_OBJ_TYPE, 0);
	s->policy = nltb_u32(tb, NFTA_SET_POLICY, 0);
	s->timeout = nltb_u64(tb, NFTA_SET_TIMEOUT, 0);
	s->gc_interval = nltb_u32(tb, NFTA_SET_GC_INTERVAL, 0);
	err = check_lengths(s);
	if (!err)
		err = read_desc(s, tb->attr[NFTA_SET_DESC]);
	if (!err)
		err = apply_exprs(ap, s->table, tb->attr[NFTA_SET_EXPRESSIONS],
				  tb->attr[NFTA_SET_EXPR], &s->exprs);
	return err ? err : blob_set(&s->userdata, userdata.data, userdata.len);
}

/* nft_set_is_same(), as far as it matters here. */
static int check_same(const struct apply *ap, const struct set *s)
{
	if (nltb_u32(&ap->tb, NFTA_SET_FLAGS, 0) == s->flags &&
	    nltb_u32(&ap->tb, NFTA_SET_KEY_LEN, 0) == s->key_len &&
	    nltb_u32(&ap->tb, NFTA_SET_KEY_TYPE, 0) == s->key_type &&
	    nltb_u32(&ap->tb, NFTA_SET_DATA_TYPE, 0) == s->data_type)
		return 0;
	return apply_error(ap, -EEXIST, s->table->name, NULL, "set %s exists with another type",
			   s->name);
}

/* A set that is declared again takes timeout and size of the new declaration. */
static int update_set(const struct apply *ap, struct set *s)
{
	uint32_t id = nltb_u32(&ap->tb, NFTA_SET_ID, 0), size = s->size;
	int err;

	if (ap->flags & NLM_F_EXCL)
		return apply_error(ap, -EEXIST, s->table->name, NULL, "set %s exists", s->name);
	if (ap->flags & NLM_F_REPLACE)
		return -EOPNOTSUPP;
	err = check_same(ap, s);
	if (err < 0)
		return err;
	s->timeout = nltb_u64(&ap->tb, NFTA_SET_TIMEOUT, s->timeout);
	s->gc_interval = nltb_u32(&ap->tb, NFTA_SET_GC_INTERVAL, s->gc_interval);
	err = read_desc(s, ap->tb.attr[NFTA_SET_DESC]);
	if (!s->size)
		s->size = size;
	return err ? err : set_set_id(s, id);
}

static int new_set(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_SET_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_SET_NAME);
	struct set *s;
	int err;

	if (!t)
		return -ENOENT;
	if (!name)
		return -EINVAL;
	s = table_find_set(t, name);
	if (s && ap->src == APPLY_REQUEST)
		return update_set(ap, s);
	if (s) /* an event tells changes of timeout and size */
		return s->handle == nltb_u64(&ap->tb, NFTA_SET_HANDLE, 0) ?
			       (s->timeout = nltb_u64(&ap->tb, NFTA_SET_TIMEOUT, 0),
				read_desc(s, ap->tb.attr[NFTA_SET_DESC])) :
			       -EEXIST;
	s = set_new(t, name);
	if (!s)
		return -ENOMEM;
	err = fill(s, ap);
	if (!err && ap->src == APPLY_REQUEST)
		err = set_set_id(s, nltb_u32(&ap->tb, NFTA_SET_ID, 0));
	if (err)
		set_free(s);
	return err;
}

static int delete_set(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_SET_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_SET_NAME);
	struct set *s = NULL;

	if (!t)
		return -ENOENT;
	if (nltb_has(&ap->tb, NFTA_SET_HANDLE) && ap->src == APPLY_REQUEST)
		s = table_find_set_handle(t, nltb_u64(&ap->tb, NFTA_SET_HANDLE, 0));
	else if (name)
		s = table_find_set(t, name);
	if (!s && (ap->destroy || ap->src == APPLY_EVENT))
		return 0;
	if (!s)
		return apply_error(ap, -ENOENT, t->name, NULL, "no such set: %s",
				   name ? name : "");
	if (s->refs && ap->src == APPLY_REQUEST)
		return apply_error(ap, -EBUSY, t->name, NULL, "set %s is in use", s->name);
	set_drop(s);
	return 0;
}

int apply_set(struct apply *ap)
{
	return ap->type == NFT_MSG_NEWSET ? new_set(ap) : delete_set(ap);
}
