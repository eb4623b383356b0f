/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink attributes of nf_tables messages: tables of them to read, a growing buffer to write.
 *
 * Reading trusts nothing. Writing latches failure: the last call says whether all went well.
 */
#ifndef NFT_BPF_NETLINK_NLATTR_H
#define NFT_BPF_NETLINK_NLATTR_H

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "../compiler/util.h"

/* Newer than the headers we must build with. */
#define NFT_BPF_MSG_GETRULE_RESET     25
#define NFT_BPF_MSG_DESTROYTABLE      26
#define NFT_BPF_MSG_DESTROYCHAIN      27
#define NFT_BPF_MSG_DESTROYRULE	      28
#define NFT_BPF_MSG_DESTROYSET	      29
#define NFT_BPF_MSG_DESTROYSETELEM    30
#define NFT_BPF_MSG_DESTROYOBJ	      31
#define NFT_BPF_MSG_DESTROYFLOWTABLE  32
#define NFT_BPF_MSG_GETSETELEM_RESET  33
#define NFT_BPF_SET_ELEM_CATCHALL     0x2

/* ---- reading ---- */

/* Attributes by type; of a repeated one the last. */
#define NLTB_MAX 32
struct nltb {
	const struct nlattr *attr[NLTB_MAX];
};
/* -EINVAL when a length does not fit. Unknown types are passed over. */
int nltb_parse(struct nltb *tb, const void *payload, size_t len);
int nltb_parse_message(struct nltb *tb, const struct nlmsghdr *nlh);
int nltb_parse_nested(struct nltb *tb, const struct nlattr *nest);

static inline bool nltb_has(const struct nltb *tb, unsigned int type)
{
	return tb->attr[type] != NULL;
}
/* Host order; @dflt when absent or too short. */
uint32_t nltb_u32(const struct nltb *tb, unsigned int type, uint32_t dflt);
uint64_t nltb_u64(const struct nltb *tb, unsigned int type, uint64_t dflt);
/* NULL when absent, empty, unterminated or longer than a name may be. */
const char *nltb_str(const struct nltb *tb, unsigned int type);
struct blob nltb_blob(const struct nltb *tb, unsigned int type);
struct blob nlattr_blob(const struct nlattr *attr);

/* nf_tables message number (NFT_MSG_*), or -1 for a message that is none. */
int nlmsg_nft_type(const struct nlmsghdr *nlh);
static inline const struct nfgenmsg *nlmsg_nfgen(const struct nlmsghdr *nlh)
{
	return (const struct nfgenmsg *)(nlh + 1);
}

/* ---- writing ---- */

struct nlbuf {
	uint8_t *data;
	size_t len, capacity;
	size_t message; /* where the one under construction starts */
	bool failed;	/* out of memory, or an attribute of over 64 kB */
};
void nlbuf_fini(struct nlbuf *b);

struct nlmsg_head {
	uint16_t type; /* nlmsg_type */
	uint16_t flags;
	uint32_t seq;
	uint32_t portid;
	uint8_t family;
	uint16_t res_id; /* host order */
};
/* With the nfgenmsg of nf_tables behind the header. */
void nlbuf_begin(struct nlbuf *b, const struct nlmsg_head *head);
void nlbuf_end(struct nlbuf *b);
/* Room for @len more bytes at once. */
void nlbuf_reserve(struct nlbuf *b, size_t len);
/* Bytes as they are, padded to 4. */
void nlbuf_raw(struct nlbuf *b, const void *data, size_t len);

void nlbuf_put(struct nlbuf *b, uint16_t type, const void *data, size_t len);
void nlbuf_put_blob(struct nlbuf *b, uint16_t type, struct blob blob);
void nlbuf_put_str(struct nlbuf *b, uint16_t type, const char *s);
void nlbuf_put_be32(struct nlbuf *b, uint16_t type, uint32_t v);
void nlbuf_put_be64(struct nlbuf *b, uint16_t type, uint64_t v);
size_t nlbuf_nest(struct nlbuf *b, uint16_t type);
void nlbuf_nest_end(struct nlbuf *b, size_t nest);

#endif
