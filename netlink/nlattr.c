/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink attributes: reading into tables, writing into a growing buffer. libmnl's own writers work
 * on buffers of a fixed size; a batch of a large ruleset has none.
 */
#include "nlattr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>

#define NAME_MAX_LEN 256 /* NFT_NAME_MAXLEN */

int nltb_parse(struct nltb *tb, const void *payload, size_t len)
{
	const struct nlattr *attr = payload;
	size_t left = len, step;
	uint16_t type;

	memset(tb, 0, sizeof(*tb));
	while (left >= sizeof(*attr)) {
		if (attr->nla_len < sizeof(*attr) || attr->nla_len > left)
			return -EINVAL;
		type = mnl_attr_get_type(attr);
		if (type < NLTB_MAX)
			tb->attr[type] = attr;
		step = MIN((size_t)MNL_ALIGN(attr->nla_len), left);
		attr = (const struct nlattr *)((const uint8_t *)attr + step);
		left -= step;
	}
	return 0;
}

int nltb_parse_message(struct nltb *tb, const struct nlmsghdr *nlh)
{
	size_t head = sizeof(*nlh) + sizeof(struct nfgenmsg);

	if (nlh->nlmsg_len < head)
		return -EINVAL;
	return nltb_parse(tb, (const uint8_t *)nlh + head, nlh->nlmsg_len - head);
}

int nltb_parse_nested(struct nltb *tb, const struct nlattr *nest)
{
	return nltb_parse(tb, nest + 1, nest->nla_len - sizeof(*nest));
}

struct blob nlattr_blob(const struct nlattr *attr)
{
	if (!attr)
		return (struct blob){0};
	return (struct blob){attr + 1, (uint32_t)(attr->nla_len - sizeof(*attr))};
}

struct blob nltb_blob(const struct nltb *tb, unsigned int type)
{
	return nlattr_blob(tb->attr[type]);
}

uint32_t nltb_u32(const struct nltb *tb, unsigned int type, uint32_t dflt)
{
	struct blob v = nltb_blob(tb, type);
	uint32_t be;

	if (v.len < sizeof(be))
		return dflt;
	memcpy(&be, v.data, sizeof(be));
	return ntohl(be);
}

uint64_t nltb_u64(const struct nltb *tb, unsigned int type, uint64_t dflt)
{
	struct blob v = nltb_blob(tb, type);
	uint64_t be;

	if (v.len < sizeof(be))
		return dflt;
	memcpy(&be, v.data, sizeof(be));
	return be64toh(be);
}

const char *nltb_str(const struct nltb *tb, unsigned int type)
{
	struct blob v = nltb_blob(tb, type);
	const char *end;

	if (!v.len)
		return NULL;
	end = memchr(v.data, '\0', v.len);
	if (!end || end == v.data || end - (const char *)v.data >= NAME_MAX_LEN)
		return NULL;
	return v.data;
}

int nlmsg_nft_type(const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_len < sizeof(*nlh) + sizeof(struct nfgenmsg) ||
	    nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return -1;
	return nlh->nlmsg_type & 0xff;
}

/* ---- writing ---- */

void nlbuf_fini(struct nlbuf *b)
{
	free(b->data);
	*b = (struct nlbuf){0};
}

void nlbuf_reserve(struct nlbuf *b, size_t len)
{
	size_t need = b->len + len, capacity = b->capacity;
	uint8_t *data;

	if (b->failed || need <= capacity)
		return;
	capacity = MAX(need, capacity ? 2 * capacity : 4096);
	data = realloc(b->data, capacity);
	b->failed = !data;
	if (!data)
		return;
	b->data = data;
	b->capacity = capacity;
}

/* @len more bytes, zeroed up to the next multiple of 4; NULL once failed. */
static uint8_t *extend(struct nlbuf *b, size_t len)
{
	size_t need = b->len + MNL_ALIGN(len);
	uint8_t *data;

	nlbuf_reserve(b, MNL_ALIGN(len));
	if (b->failed)
		return NULL;
	data = b->data + b->len;
	memset(data + len, 0, MNL_ALIGN(len) - len);
	b->len = need;
	return data;
}

void nlbuf_begin(struct nlbuf *b, const struct nlmsg_head *head)
{
	struct nlmsghdr *nlh;
	struct nfgenmsg *nfg;

	b->message = b->len;
	nlh = (struct nlmsghdr *)extend(b, sizeof(*nlh) + sizeof(*nfg));
	if (!nlh)
		return;
	*nlh = (struct nlmsghdr){
		.nlmsg_len = sizeof(*nlh) + sizeof(*nfg),
		.nlmsg_type = head->type,
		.nlmsg_flags = head->flags,
		.nlmsg_seq = head->seq,
		.nlmsg_pid = head->portid,
	};
	nfg = (struct nfgenmsg *)(nlh + 1);
	*nfg = (struct nfgenmsg){
		.nfgen_family = head->family,
		.version = NFNETLINK_V0,
		.res_id = htons(head->res_id),
	};
}

void nlbuf_end(struct nlbuf *b)
{
	if (!b->failed)
		((struct nlmsghdr *)(b->data + b->message))->nlmsg_len =
			(uint32_t)(b->len - b->message);
}

void nlbuf_raw(struct nlbuf *b, const void *data, size_t len)
{
	uint8_t *p = extend(b, len);

	if (p && len)
		memcpy(p, data, len);
}

void nlbuf_put(struct nlbuf *b, uint16_t type, const void *data, size_t len)
{
	struct nlattr attr = {.nla_len = (uint16_t)(sizeof(attr) + len), .nla_type = type};
	uint8_t *p;

	if (sizeof(attr) + len > UINT16_MAX) {
		b->failed = true;
		return;
	}
	p = extend(b, sizeof(attr) + len);
	if (!p)
		return;
	memcpy(p, &attr, sizeof(attr));
	if (len)
		memcpy(p + sizeof(attr), data, len);
}

void nlbuf_put_blob(struct nlbuf *b, uint16_t type, struct blob blob)
{
	nlbuf_put(b, type, blob.data, blob.len);
}

void nlbuf_put_str(struct nlbuf *b, uint16_t type, const char *s)
{
	nlbuf_put(b, type, s, strlen(s) + 1);
}

void nlbuf_put_be32(struct nlbuf *b, uint16_t type, uint32_t v)
{
	v = htonl(v);
	nlbuf_put(b, type, &v, sizeof(v));
}

void nlbuf_put_be64(struct nlbuf *b, uint16_t type, uint64_t v)
{
	v = htobe64(v);
	nlbuf_put(b, type, &v, sizeof(v));
}

size_t nlbuf_nest(struct nlbuf *b, uint16_t type)
{
	size_t nest = b->len;

	nlbuf_put(b, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void nlbuf_nest_end(struct nlbuf *b, size_t nest)
{
	size_t len = b->len - nest;

	if (len > UINT16_MAX)
		b->failed = true;
	if (!b->failed)
		((struct nlattr *)(b->data + nest))->nla_len = (uint16_t)len;
}
