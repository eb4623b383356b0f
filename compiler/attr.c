/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink attributes, read in place: struct nlattr and its payload, padded to 4 bytes. Nothing is
 * trusted: a length that does not fit ends the walk.
 */
#include "attr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

bool attr_next(struct blob attrs, uint32_t *pos, uint16_t *ret_type, struct blob *ret_value)
{
	struct nlattr nla;
	uint32_t left;

	if (*pos >= attrs.len)
		return false;
	left = attrs.len - *pos;
	if (left < sizeof(nla))
		return false;
	memcpy(&nla, (const uint8_t *)attrs.data + *pos, sizeof(nla));
	if (nla.nla_len < sizeof(nla) || nla.nla_len > left)
		return false;
	*ret_type = nla.nla_type & NLA_TYPE_MASK;
	ret_value->data = (const uint8_t *)attrs.data + *pos + sizeof(nla);
	ret_value->len = nla.nla_len - (uint32_t)sizeof(nla);
	/* The last attribute may come without its padding. */
	*pos += MIN((uint32_t)NLA_ALIGN(nla.nla_len), left);
	return true;
}

bool attr_find(struct blob attrs, uint16_t type, struct blob *ret_value)
{
	struct blob value;
	uint32_t pos = 0;
	uint16_t t;

	while (attr_next(attrs, &pos, &t, &value)) {
		if (t == type) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

uint64_t attr_uint(struct blob attrs, uint16_t type, uint64_t dflt)
{
	struct blob v;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	if (!attr_find(attrs, type, &v))
		return dflt;
	switch (v.len) {
	case 1:
		return *(const uint8_t *)v.data;
	case 2:
		memcpy(&u16, v.data, 2);
		return ntohs(u16);
	case 4:
		memcpy(&u32, v.data, 4);
		return ntohl(u32);
	case 8:
		memcpy(&u64, v.data, 8);
		return be64toh(u64);
	}
	return dflt;
}

const char *attr_str(struct blob attrs, uint16_t type)
{
	struct blob v;

	if (!attr_find(attrs, type, &v) || !memchr(v.data, '\0', v.len))
		return NULL;
	return v.data;
}

bool attr_data(struct blob attrs, uint16_t type, struct blob *ret_value)
{
	struct blob nest;

	return attr_find(attrs, type, &nest) && attr_find(nest, NFTA_DATA_VALUE, ret_value);
}
