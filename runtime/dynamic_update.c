/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of sets that packets change, added and deleted by commands while programs run: whether it can
 * be done is asked of the map, which is the truth, before the kernel's set is changed; then the map is.
 */
#include <errno.h>

#include <bpf/bpf.h>
#include <linux/netfilter/nf_tables.h>

#include "../compiler/dynamic.h"
#include "dynamic_priv.h"

enum { CLAIMED = 2 }; /* bpf/dynset.bpf.c */

struct dyn_map {
	int fd;
	uint32_t key_size, value_size, room;
	uint8_t *key, *value, *is; /* buffers */
	const struct mf_dynamic *d;
	const struct set *s;
	uint64_t now;
};

static void dyn_map_close(struct dyn_map *dm)
{
	close_fd(&dm->fd);
	free(dm->key);
	free(dm->value);
	free(dm->is);
}

static uint32_t value_size(const struct mf_dynamic *d, const struct set *s)
{
	uint32_t size = sizeof(struct dyn_value);

	if (s->flags & NFT_SET_MAP)
		size += ROUND_UP(s->data_len, 8u);
	for (uint32_t i = 0; i < d->n_exprs; i++)
		size += dyn_state_size(d->exprs[i].name);
	return size;
}

static int dyn_map_open(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
			const struct set *s, struct dyn_map *dm)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	*dm = (struct dyn_map){ .fd = dynamic_map(rt, gen, d->id), .d = d, .s = s, .now = now_ns() };
	if (dm->fd < 0)
		return dm->fd;
	if (bpf_obj_get_info_by_fd(dm->fd, &info, &len) < 0)
		return -errno;
	dm->key_size = info.key_size;
	dm->value_size = info.value_size;
	dm->room = info.max_entries;
	if (dm->key_size != ROUND_UP(s->key_len, 8u) || dm->value_size != value_size(d, s))
		return -EINVAL;
	dm->key = calloc(1, dm->key_size);
	dm->value = calloc(1, dm->value_size);
	dm->is = calloc(1, dm->value_size);
	return dm->key && dm->value && dm->is ? 0 : -ENOMEM;
}

/* nft_set_elem_expired(); what is in the works is on its way out, or back in a moment. */
static bool is_live(const struct dyn_map *dm, const uint8_t *value)
{
	struct dyn_value v;

	memcpy(&v, value, sizeof(v));
	return !v.expires || (v.expires > CLAIMED && v.expires > dm->now);
}

static bool has(struct dyn_map *dm, const struct set_elem *e)
{
	memset(dm->key, 0, dm->key_size);
	memcpy(dm->key, e->key, dm->s->key_len);
	return bpf_map_lookup_elem(dm->fd, dm->key, dm->is) == 0 && is_live(dm, dm->is);
}

const struct mf_dynamic *dynamic_find(const struct runtime *rt, uint32_t gen,
				      const struct manifest *m, const struct set *s)
{
	const struct mf_dynamic *d = dynamic_named(m, s);
	int AUTO_CLOSE fd = d ? dynamic_map(rt, gen, d->id) : -ENOENT;

	return fd == -ENOENT ? NULL : d; /* one that no program uses has no map */
}

/* ---- asking ---- */

static int count_live(void *arg, const uint8_t *key UNUSED, const uint8_t *value)
{
	struct dyn_map *dm = arg;

	/* Room is made of those whose time is up when it is needed. */
	if (is_live(dm, value) && dm->room)
		dm->room--;
	return 0;
}

/* A time that an element gets anew would be written beside packets that count in it. */
static bool is_the_same(const struct dyn_map *dm, const struct set_elem *e)
{
	const uint8_t *data = dm->is + sizeof(struct dyn_value);

	return !e->timeout && !e->expiration &&
	       (!e->data || memcmp(data, e->data, dm->s->data_len) == 0);
}

static bool keeps_alike(const struct dyn_map *dm, const struct set_elem *e)
{
	const struct exprs *es = e->exprs.n ? &e->exprs : &dm->s->exprs;

	return !es->n || dynamic_same_exprs(dm->d->exprs, dm->d->n_exprs, es);
}

int dynamic_can_add(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
		    const struct set *s)
{
	struct dyn_map CLEANUP(dyn_map_close) dm;
	int err = dyn_map_open(rt, gen, d, s, &dm);
	size_t n = 0;

	for (size_t i = 0; !err && i < s->n_elems; i++) {
		const struct set_elem *e = &s->elems[i];

		if (!e->key || !keeps_alike(&dm, e))
			err = -EOPNOTSUPP;
		else if (!has(&dm, e))
			n++;
		else if (!is_the_same(&dm, e))
			err = -EOPNOTSUPP;
	}
	if (!err && n)
		err = dynamic_each(dm.fd, dm.key_size, dm.value_size, count_live, &dm);
	if (err)
		return -EOPNOTSUPP;
	/* The long way tells that it is full, or gets a larger map for one without a size. */
	return n <= dm.room ? 0 : -EOPNOTSUPP;
}

int dynamic_can_delete(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
		       const struct set *s)
{
	struct dyn_map CLEANUP(dyn_map_close) dm;
	int err = dyn_map_open(rt, gen, d, s, &dm);

	for (size_t i = 0; !err && i < s->n_elems; i++)
		if (!s->elems[i].key || !has(&dm, &s->elems[i]))
			err = -EOPNOTSUPP;
	return err ? -EOPNOTSUPP : 0;
}

/* ---- doing ---- */

static int drop_expired(void *arg, const uint8_t *key, const uint8_t *value)
{
	struct dyn_map *dm = arg;

	if (!is_live(dm, value))
		bpf_map_delete_elem(dm->fd, key);
	return 0;
}

static int put(struct dyn_map *dm, const struct set_elem *e)
{
	int err;

	if (has(dm, e))
		return 0;
	memset(dm->value, 0, dm->value_size);
	dynamic_put_new(dm->d, dm->s, e, dm->key, dm->value);
	/* One whose time is up may lie there yet. */
	bpf_map_delete_elem(dm->fd, dm->key);
	err = bpf_map_update_elem(dm->fd, dm->key, dm->value, BPF_NOEXIST);
	return err == -EEXIST ? 0 : err;
}

int dynamic_add(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
		const struct set *s)
{
	struct dyn_map CLEANUP(dyn_map_close) dm;
	int err = dyn_map_open(rt, gen, d, s, &dm);

	for (size_t i = 0; !err && i < s->n_elems; i++) {
		err = put(&dm, &s->elems[i]);
		if (err == -E2BIG)
			err = dynamic_each(dm.fd, dm.key_size, dm.value_size, drop_expired, &dm);
		else
			continue;
		if (!err)
			err = put(&dm, &s->elems[i]);
	}
	return err;
}

int dynamic_delete(const struct runtime *rt, uint32_t gen, const struct mf_dynamic *d,
		   const struct set *s)
{
	struct dyn_map CLEANUP(dyn_map_close) dm;
	int err = dyn_map_open(rt, gen, d, s, &dm);

	for (size_t i = 0; !err && i < s->n_elems; i++) {
		memset(dm.key, 0, dm.key_size);
		memcpy(dm.key, s->elems[i].key, s->key_len);
		err = bpf_map_delete_elem(dm.fd, dm.key);
		if (err == -ENOENT) /* it may have gone by itself */
			err = 0;
	}
	return err;
}
