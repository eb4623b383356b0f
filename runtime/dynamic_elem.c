/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of sets that packets change: from the map into the model, and the other way.
 */
#include <errno.h>
#include <stdio.h>

#include <bpf/bpf.h>
#include <linux/netfilter/nf_tables.h>

#include "../compiler/attr.h"
#include "../compiler/dynamic.h"
#include "../netlink/nlattr.h"
#include "dynamic.h"
#include "priv.h"

#ifndef NFTA_LAST_MAX
enum { NFTA_LAST_SET = 1, NFTA_LAST_MSECS = 2 };
#endif
enum { CLAIMED = 2 }; /* bpf/dynset.bpf.c */
#define BATCH 512

/* ---- into the map ---- */

static uint64_t timeout_of(const struct set *s, const struct set_elem *e)
{
	uint64_t ms = e->timeout ? e->timeout : s->timeout;

	return s->flags & NFT_SET_TIMEOUT && ms != UINT64_MAX ? ms * 1000000 : 0;
}

/* All but what it keeps, which begins where is returned. */
static uint8_t *put_head(const struct set *s, const struct set_elem *e, bool has_state, uint64_t now,
			 uint8_t *key, uint8_t *value)
{
	struct dyn_value v = { .timeout = timeout_of(s, e), .flags = has_state ? DYN_HAS_STATE : 0 };

	if (v.timeout)
		v.expires = now + (e->expiration ? e->expiration * 1000000 : v.timeout);
	memcpy(key, e->key, s->key_len);
	memcpy(value, &v, sizeof(v));
	value += sizeof(v);
	if (!(s->flags & NFT_SET_MAP))
		return value;
	if (e->data)
		memcpy(value, e->data, s->data_len);
	return value + ROUND_UP(s->data_len, 8u);
}

static uint8_t *put_state(const char *expr, const struct exprs *es, uint32_t i, uint64_t now,
			  uint8_t *at)
{
	struct blob attrs = { 0 };
	uint64_t words[2];

	if (i < es->n)
		attrs = es->array[i].attrs;
	dyn_expr_init(expr, attrs, now, words);
	memcpy(at, words, dyn_state_size(expr));
	return at + dyn_state_size(expr);
}

void dynamic_put(const struct ir *ir, const struct ir_set *set, const struct set_elem *e,
		 uint8_t *key, uint8_t *value)
{
	uint8_t *at;

	memset(key, 0, dyn_key_size(set));
	memset(value, 0, dyn_value_size(set));
	at = put_head(set->origin, e, e->exprs.n, ir->read_ns, key, value);
	for (uint32_t i = 0; i < set->n_like; i++)
		at = put_state(set->like[i]->op->name, &e->exprs, i, ir->read_ns, at);
}

void dynamic_put_new(const struct mf_dynamic *d, const struct set *s, const struct set_elem *e,
		     uint8_t *key, uint8_t *value)
{
	const struct exprs *es = e->exprs.n ? &e->exprs : &s->exprs;
	uint64_t now = now_ns();
	uint8_t *at = put_head(s, e, es->n, now, key, value);

	for (uint32_t i = 0; i < d->n_exprs; i++)
		at = put_state(d->exprs[i].name, es, i, now, at);
}

/* ---- expressions as text ---- */

char *dynamic_hex(struct blob b)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = b.data;
	char *s = malloc(2 * (size_t)b.len + 1);

	for (uint32_t i = 0; s && i < b.len; i++) {
		s[2 * i] = digits[p[i] >> 4];
		s[2 * i + 1] = digits[p[i] & 15];
	}
	if (s)
		s[2 * (size_t)b.len] = '\0';
	return s;
}

static uint8_t *unhex(const char *s, uint32_t *ret_len)
{
	uint32_t n = (uint32_t)strlen(s) / 2;
	uint8_t *p = malloc(MAX(n, 1u));
	unsigned int byte;

	for (uint32_t i = 0; p && i < n; i++)
		p[i] = sscanf(s + 2 * i, "%2x", &byte) == 1 ? (uint8_t)byte : 0;
	*ret_len = n;
	return p;
}

bool dynamic_same_exprs(const struct mf_expr *exprs, uint32_t n, const struct exprs *es)
{
	bool same = n == (es ? es->n : 0);

	for (uint32_t i = 0; same && i < n; i++) {
		struct expr e = { .name = exprs[i].name };
		uint8_t AUTO_FREE *attrs = unhex(exprs[i].hex, &e.attrs.len);

		e.attrs.data = attrs;
		same = attrs && dyn_same_expr(&e, &es->array[i]);
	}
	return same;
}

/* ---- into the model ---- */

struct reading {
	const struct mf_dynamic *d;
	struct set *s;
	struct expr *exprs; /* of d */
	uint32_t state_at;
	uint64_t now;
	uint32_t key_size, value_size;
};

static void write_last(struct nlbuf *b, uint64_t ns, uint64_t now)
{
	nlbuf_put_be32(b, NFTA_LAST_SET, ns != 0);
	nlbuf_put_be64(b, NFTA_LAST_MSECS, ns && now > ns ? (now - ns) / 1000000 : 0);
}

/* As the kernel tells it: nft_counter_do_dump(), nft_quota_do_dump(), nft_last_dump(). */
static void write_state(struct nlbuf *b, const struct expr *e, const uint64_t *words, uint64_t now)
{
	uint64_t quota = attr_uint(e->attrs, NFTA_QUOTA_BYTES, 0);

	if (strcmp(e->name, "counter") == 0) {
		nlbuf_put_be64(b, NFTA_COUNTER_BYTES, words[1]);
		nlbuf_put_be64(b, NFTA_COUNTER_PACKETS, words[0]);
	} else if (strcmp(e->name, "quota") == 0) {
		nlbuf_put_be64(b, NFTA_QUOTA_BYTES, quota);
		nlbuf_put_be64(b, NFTA_QUOTA_CONSUMED, MIN(words[0], quota));
		nlbuf_put_be32(b, NFTA_QUOTA_FLAGS,
			       (uint32_t)attr_uint(e->attrs, NFTA_QUOTA_FLAGS, 0) & NFT_QUOTA_F_INV);
	} else if (strcmp(e->name, "last") == 0) {
		write_last(b, words[0], now);
	} else {
		nlbuf_raw(b, e->attrs.data, e->attrs.len);
	}
}

static int read_exprs(const struct reading *rd, const uint8_t *value, struct exprs *ret)
{
	struct nlbuf b = { 0 };
	uint32_t at = rd->state_at;
	int err;

	for (uint32_t i = 0; i < rd->d->n_exprs; i++) {
		size_t elem = nlbuf_nest(&b, NFTA_LIST_ELEM), data;
		uint64_t words[2] = { 0 };

		memcpy(words, value + at, dyn_state_size(rd->exprs[i].name));
		nlbuf_put_str(&b, NFTA_EXPR_NAME, rd->exprs[i].name);
		data = nlbuf_nest(&b, NFTA_EXPR_DATA);
		write_state(&b, &rd->exprs[i], words, rd->now);
		nlbuf_nest_end(&b, data);
		nlbuf_nest_end(&b, elem);
		at += dyn_state_size(rd->exprs[i].name);
	}
	err = b.failed ? -ENOMEM : exprs_init(ret, b.data, (uint32_t)b.len);
	nlbuf_fini(&b);
	return err;
}

static void read_times(const struct reading *rd, const struct dyn_value *v, struct set_elem *e)
{
	uint64_t ms = v->timeout / 1000000;

	if (!(rd->s->flags & NFT_SET_TIMEOUT))
		return;
	/* The kernel's are whole ticks, of 10 ms at most. */
	if (!v->timeout)
		e->timeout = rd->s->timeout ? UINT64_MAX : 0;
	else if (ms > rd->s->timeout || ms + 10 <= rd->s->timeout)
		e->timeout = ms;
	if (v->expires)
		e->expiration = MAX((v->expires - rd->now) / 1000000, (uint64_t)1);
}

static int read_one(void *arg, const uint8_t *key, const uint8_t *value)
{
	const struct reading *rd = arg;
	struct set_elem *e;
	struct dyn_value v;

	memcpy(&v, value, sizeof(v));
	if (v.expires && (v.expires <= CLAIMED || v.expires <= rd->now))
		return 0;
	e = set_elem_get(rd->s, key, NULL, 0, true);
	if (!e)
		return -ENOMEM;
	read_times(rd, &v, e);
	if (rd->s->flags & NFT_SET_MAP) {
		free(e->data);
		e->data = malloc(rd->s->data_len);
		if (!e->data)
			return -ENOMEM;
		memcpy(e->data, value + sizeof(v), rd->s->data_len);
	}
	exprs_fini(&e->exprs);
	return v.flags & DYN_HAS_STATE && rd->d->n_exprs ? read_exprs(rd, value, &e->exprs) : 0;
}

int dynamic_each(int fd, uint32_t key_size, uint32_t value_size, dynamic_fn fn, void *arg)
{
	uint8_t AUTO_FREE *keys = malloc((size_t)BATCH * key_size);
	uint8_t AUTO_FREE *values = malloc((size_t)BATCH * value_size);
	uint32_t n, in = 0, out = 0, room = BATCH;
	bool first = true;
	int err = 0, last = 0;

	while (!err && !last && keys && values) {
		n = room;
		last = bpf_map_lookup_batch(fd, first ? NULL : &in, &out, keys, values, &n, NULL);
		if (last == -ENOSPC && room < 1u << 20) { /* a bucket with more elements than that */
			uint8_t *k = realloc(keys, 2 * (size_t)room * key_size);

			keys = k ? k : keys;
			free(values);
			room *= 2;
			values = k ? malloc((size_t)room * value_size) : NULL;
			last = 0;
			continue;
		}
		if (last && last != -ENOENT)
			return last;
		for (uint32_t i = 0; !err && i < n; i++)
			err = fn(arg, keys + (size_t)i * key_size,
				 values + (size_t)i * value_size);
		in = out;
		first = false;
	}
	return keys && values ? err : -ENOMEM;
}

/* Comments live in the kernel's set: those of elements that are there. */
struct comment {
	uint8_t *key;
	struct blob data;
};

static int take_comments(struct set *s, struct comment **ret, size_t *ret_n)
{
	struct comment *c = calloc(s->n_elems + 1, sizeof(*c));
	size_t n = 0;

	for (size_t i = 0; c && i < s->n_elems; i++) {
		struct set_elem *e = &s->elems[i];

		if (!e->key || !e->userdata.len)
			continue;
		c[n].key = malloc(s->key_len);
		if (!c[n].key)
			break;
		memcpy(c[n].key, e->key, s->key_len);
		c[n++].data = e->userdata;
		e->userdata = (struct blob){ 0 };
	}
	*ret = c;
	*ret_n = n;
	return c ? 0 : -ENOMEM;
}

static void put_comments(struct set *s, struct comment *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct set_elem *e = set_elem_get(s, c[i].key, NULL, 0, false);

		if (e && !e->userdata.len) {
			e->userdata = c[i].data;
			c[i].data = (struct blob){ 0 };
		}
		blob_fini(&c[i].data);
		free(c[i].key);
	}
	free(c);
}

static int fill_set(struct reading *rd, int fd)
{
	struct comment *comments;
	size_t n_comments;
	int err = take_comments(rd->s, &comments, &n_comments);

	if (err)
		return err;
	set_flush(rd->s);
	err = dynamic_each(fd, rd->key_size, rd->value_size, read_one, rd);
	put_comments(rd->s, comments, n_comments);
	rd->s->elsewhere = true;
	return err;
}

int dynamic_read(int fd, const struct mf_dynamic *d, struct set *s)
{
	struct expr AUTO_FREE *exprs = calloc(MAX(d->n_exprs, 1u), sizeof(*exprs));
	struct reading rd = { .d = d, .s = s, .exprs = exprs, .state_at = sizeof(struct dyn_value),
			      .now = now_ns() };
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), size;
	int err = exprs ? 0 : -ENOMEM;

	if (!err && bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		err = -errno;
	if (s->flags & NFT_SET_MAP)
		rd.state_at += ROUND_UP(s->data_len, 8u);
	size = rd.state_at;
	for (uint32_t i = 0; !err && i < d->n_exprs; i++) {
		exprs[i].name = d->exprs[i].name;
		exprs[i].attrs.data = unhex(d->exprs[i].hex, &exprs[i].attrs.len);
		size += dyn_state_size(exprs[i].name);
		err = exprs[i].attrs.data ? 0 : -ENOMEM;
	}
	if (!err && (info.key_size != ROUND_UP(s->key_len, 8u) || info.value_size != size))
		err = -EINVAL;
	rd.key_size = info.key_size;
	rd.value_size = info.value_size;
	if (!err)
		err = fill_set(&rd, fd);
	for (uint32_t i = 0; exprs && i < d->n_exprs; i++)
		free((void *)exprs[i].attrs.data);
	return err;
}
