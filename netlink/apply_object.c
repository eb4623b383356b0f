/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applying messages of named objects (nf_tables_newobj(), nf_tables_delobj()) and flowtables
 * (nf_tables_newflowtable(), nf_tables_delflowtable()).
 */
#include "apply.h"

#include <errno.h>

#include "../compiler/attr.h"

#define OBJECT_SYNPROXY 10 /* NFT_OBJECT_SYNPROXY */

/*
 * The object's data as the kernel would tell it: nft sends the name of a conntrack helper without
 * its terminating NUL.
 */
static int set_data(struct object *o, struct blob data)
{
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};
	char name[64] = {0};
	struct blob value;
	uint32_t pos = 0;
	uint16_t type;

	if (o->type != NFT_OBJECT_CT_HELPER)
		return blob_set(&o->attrs, data.data, data.len);
	while (attr_next(data, &pos, &type, &value)) {
		if (type == NFTA_CT_HELPER_NAME && value.len) {
			memcpy(name, value.data, MIN(value.len, sizeof(name) - 1));
			nlbuf_put_str(&b, type, name);
		} else {
			nlbuf_put_blob(&b, type, value);
		}
	}
	return b.failed ? -ENOMEM : blob_set(&o->attrs, b.data, (uint32_t)b.len);
}

/* nft_quota_obj_update(): limit and flags are the new ones, what is consumed stays. */
static int update_quota(struct object *o, struct blob data)
{
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};
	uint64_t consumed = attr_uint(o->attrs, NFTA_QUOTA_CONSUMED, 0);

	nlbuf_put_be64(&b, NFTA_QUOTA_BYTES, attr_uint(data, NFTA_QUOTA_BYTES, 0));
	nlbuf_put_be64(&b, NFTA_QUOTA_CONSUMED, consumed);
	nlbuf_put_be32(&b, NFTA_QUOTA_FLAGS, (uint32_t)attr_uint(data, NFTA_QUOTA_FLAGS, 0));
	if (b.failed)
		return -ENOMEM;
	return blob_set(&o->attrs, b.data, (uint32_t)b.len);
}

/* nf_tables_updobj(): types that cannot be updated stay as they are. */
static int update_object(const struct apply *ap, struct object *o)
{
	struct blob data = nltb_blob(&ap->tb, NFTA_OBJ_DATA);

	if (ap->flags & NLM_F_EXCL)
		return apply_error(ap, -EEXIST, o->table->name, NULL, "object %s exists",
				   o->name);
	if (ap->flags & NLM_F_REPLACE)
		return -EOPNOTSUPP;
	switch (o->type) {
	case NFT_OBJECT_QUOTA:
		return update_quota(o, data);
	case OBJECT_SYNPROXY:
		return blob_set(&o->attrs, data.data, data.len);
	}
	return 0;
}

static int new_object(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_OBJ_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_OBJ_NAME);
	uint32_t type = nltb_u32(&ap->tb, NFTA_OBJ_TYPE, NFT_OBJECT_UNSPEC);
	struct blob data = nltb_blob(&ap->tb, NFTA_OBJ_DATA);
	struct blob userdata = nltb_blob(&ap->tb, NFTA_OBJ_USERDATA);
	struct object *o;
	int err;

	if (!t)
		return -ENOENT;
	if (!name || type == NFT_OBJECT_UNSPEC)
		return -EINVAL;
	o = table_find_object(t, type, name);
	if (o && ap->src == APPLY_REQUEST)
		return update_object(ap, o);
	if (!o)
		o = object_new(t, type, name);
	if (!o)
		return -ENOMEM;
	o->handle = nltb_u64(&ap->tb, NFTA_OBJ_HANDLE, o->handle);
	err = set_data(o, data);
	return err ? err : blob_set(&o->userdata, userdata.data, userdata.len);
}

static int delete_object(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_OBJ_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_OBJ_NAME);
	uint32_t type = nltb_u32(&ap->tb, NFTA_OBJ_TYPE, NFT_OBJECT_UNSPEC);
	struct object *o = NULL;

	if (!t)
		return -ENOENT;
	if (nltb_has(&ap->tb, NFTA_OBJ_HANDLE) && ap->src == APPLY_REQUEST)
		o = table_find_object_handle(t, type, nltb_u64(&ap->tb, NFTA_OBJ_HANDLE, 0));
	else if (name)
		o = table_find_object(t, type, name);
	if (!o && (ap->destroy || ap->src == APPLY_EVENT))
		return 0;
	if (!o)
		return apply_error(ap, -ENOENT, t->name, NULL, "no such object: %s",
				   name ? name : "");
	if (o->refs && ap->src == APPLY_REQUEST)
		return apply_error(ap, -EBUSY, t->name, NULL, "object %s is in use", o->name);
	object_free(o);
	return 0;
}

int apply_object(struct apply *ap)
{
	return ap->type == NFT_MSG_NEWOBJ ? new_object(ap) : delete_object(ap);
}

/* ---- flowtables ---- */

static int new_flowtable(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_FLOWTABLE_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_FLOWTABLE_NAME);
	char **devices = NULL, **d;
	struct flowtable *f;
	struct nltb hook = {0};
	int err = 0;

	if (!t)
		return -ENOENT;
	if (!name)
		return -EINVAL;
	if (nltb_has(&ap->tb, NFTA_FLOWTABLE_HOOK))
		err = nltb_parse_nested(&hook, ap->tb.attr[NFTA_FLOWTABLE_HOOK]);
	if (!err)
		err = apply_devices(hook.attr[NFTA_FLOWTABLE_HOOK_DEVS], NULL, &devices);
	if (err < 0)
		return err;
	f = table_find_flowtable(t, name);
	if (f && ap->src == APPLY_REQUEST && ap->flags & NLM_F_EXCL)
		err = apply_error(ap, -EEXIST, t->name, NULL, "flowtable %s exists", name);
	if (!f)
		f = flowtable_new(t, name);
	if (!f)
		err = -ENOMEM;
	if (!err && nltb_has(&hook, NFTA_FLOWTABLE_HOOK_NUM)) {
		f->hooknum = nltb_u32(&hook, NFTA_FLOWTABLE_HOOK_NUM, 0);
		f->priority = (int32_t)nltb_u32(&hook, NFTA_FLOWTABLE_HOOK_PRIORITY, 0);
	}
	for (d = devices; !err && d && *d; d++) {
		if (!devices_have(f->devices, *d))
			err = devices_add(&f->devices, *d);
	}
	devices_free(&devices);
	if (err)
		return err;
	f->flags = nltb_u32(&ap->tb, NFTA_FLOWTABLE_FLAGS, f->flags);
	f->handle = nltb_u64(&ap->tb, NFTA_FLOWTABLE_HANDLE, f->handle);
	return 0;
}

/* nft_delflowtable_hook(): with devices only these go; an event of a deletion lists all. */
static int delete_flowtable_devices(const struct apply *ap, struct flowtable *f,
				    bool *ret_all_gone)
{
	char **devices = NULL, **d;
	struct nltb hook;
	int err;

	*ret_all_gone = true;
	if (!nltb_has(&ap->tb, NFTA_FLOWTABLE_HOOK))
		return 0;
	err = nltb_parse_nested(&hook, ap->tb.attr[NFTA_FLOWTABLE_HOOK]);
	if (!err)
		err = apply_devices(hook.attr[NFTA_FLOWTABLE_HOOK_DEVS], NULL, &devices);
	if (err < 0)
		return err;
	for (d = devices; d && *d; d++)
		devices_remove(&f->devices, *d);
	*ret_all_gone = ap->src != APPLY_REQUEST && !f->devices;
	devices_free(&devices);
	return 0;
}

static int delete_flowtable(struct apply *ap)
{
	struct table *t = apply_find_table(ap, NFTA_FLOWTABLE_TABLE);
	const char *name = nltb_str(&ap->tb, NFTA_FLOWTABLE_NAME);
	struct flowtable *f = NULL;
	bool all_gone;
	int err;

	if (!t)
		return -ENOENT;
	if (nltb_has(&ap->tb, NFTA_FLOWTABLE_HANDLE) && ap->src == APPLY_REQUEST)
		f = table_find_flowtable_handle(t,
						nltb_u64(&ap->tb, NFTA_FLOWTABLE_HANDLE, 0));
	else if (name)
		f = table_find_flowtable(t, name);
	if (!f && (ap->destroy || ap->src == APPLY_EVENT))
		return 0;
	if (!f)
		return apply_error(ap, -ENOENT, t->name, NULL, "no such flowtable: %s",
				   name ? name : "");
	err = delete_flowtable_devices(ap, f, &all_gone);
	if (!err && all_gone)
		flowtable_free(f);
	return err;
}

int apply_flowtable(struct apply *ap)
{
	return ap->type == NFT_MSG_NEWFLOWTABLE ? new_flowtable(ap) : delete_flowtable(ap);
}
