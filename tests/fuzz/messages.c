/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_tables messages into the model: as a batch, a dump or events. What the model then says it holds
 * makes the same model again; its base chains can be taken off their hooks; and any message may be a
 * question to it.
 *
 * The first byte says where the messages come from and whether lengths are mended first: then what
 * libFuzzer inserts and cuts is still read as attributes.
 */
#include <errno.h>
#include <linux/netfilter.h>

#include "netlink/nfnl.h"
#include "netlink/nlattr.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "messages";

enum { HOW_SOURCE = 3, HOW_MENDED = 4 };

/* ---- lengths ---- */

static void mend_attrs(uint8_t *data, size_t len, int depth)
{
	struct nlattr nla;

	while (len >= sizeof(nla)) {
		memcpy(&nla, data, sizeof(nla));
		if (nla.nla_len < sizeof(nla) || nla.nla_len > len)
			nla.nla_len = (uint16_t)MIN(len, nla.nla_len & 1 ? 8u : UINT16_MAX);
		memcpy(data, &nla, sizeof(nla));
		if (nla.nla_type & NLA_F_NESTED && depth < 8)
			mend_attrs(data + sizeof(nla), nla.nla_len - sizeof(nla), depth + 1);
		data += MIN((size_t)MNL_ALIGN(nla.nla_len), len);
		len -= MIN((size_t)MNL_ALIGN(nla.nla_len), len);
	}
}

static void mend(uint8_t *data, size_t len)
{
	const size_t head = sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg);

	while (len >= head) {
		struct nlmsghdr nlh;

		memcpy(&nlh, data, sizeof(nlh));
		if (nlh.nlmsg_len < head || nlh.nlmsg_len > len)
			nlh.nlmsg_len = (uint32_t)len;
		nlh.nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (nlh.nlmsg_type & 0x1f));
		memcpy(data, &nlh, sizeof(nlh));
		mend_attrs(data + head, nlh.nlmsg_len - head, 0);
		data += MIN((size_t)MNL_ALIGN(nlh.nlmsg_len), len);
		len -= MIN((size_t)MNL_ALIGN(nlh.nlmsg_len), len);
	}
}

/* ---- what the model holds ---- */

static void ask(const struct ruleset *rs, int type, const struct set *s, struct nlbuf *out)
{
	struct nlmsg_head head = {
		.type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		.flags = NLM_F_REQUEST | NLM_F_DUMP,
		.family = s ? s->table->family : NFPROTO_UNSPEC,
	};
	struct nlbuf CLEANUP(nlbuf_fini) b = {0};
	uint8_t *data = NULL;
	size_t len = 0;
	int err;

	nlbuf_begin(&b, &head);
	if (s) {
		nlbuf_put_str(&b, NFTA_SET_ELEM_LIST_TABLE, s->table->name);
		nlbuf_put_str(&b, NFTA_SET_ELEM_LIST_SET, s->name);
	}
	nlbuf_end(&b);
	err = serve_request(rs, (const struct nlmsghdr *)b.data, &data, &len);
	FUZZ_HOLDS(err == 0, "type %d: %d", type, err);
	nlbuf_raw(out, data, len);
	free(data);
}

static void dump(const struct ruleset *rs, struct nlbuf *out)
{
	const struct table *t;
	const struct set *s;

	ask(rs, NFT_MSG_GETTABLE, NULL, out);
	ask(rs, NFT_MSG_GETCHAIN, NULL, out);
	ask(rs, NFT_MSG_GETSET, NULL, out);
	ask(rs, NFT_MSG_GETOBJ, NULL, out);
	ask(rs, NFT_MSG_GETFLOWTABLE, NULL, out);
	ask(rs, NFT_MSG_GETRULE, NULL, out);
	list_for_each(t, &rs->tables, node)
		list_for_each(s, &t->sets, node)
			ask(rs, NFT_MSG_GETSETELEM, s, out);
}

/* Calls @fn for each message that is one of nf_tables. */
static void for_each(const uint8_t *data, size_t len,
		     void (*fn)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	size_t pos = 0;

	while (len - pos >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(data + pos);

		if (nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > len - pos)
			return;
		fn(nlh, arg);
		pos += MIN((size_t)MNL_ALIGN(nlh->nlmsg_len), len - pos);
	}
}

static void apply_told(const struct nlmsghdr *nlh, void *arg)
{
	int err = nlmsg_nft_type(nlh) < 0 ? 0 : apply_message(arg, nlh, APPLY_DUMP, NULL);

	FUZZ_HOLDS(err == 0, "type %d: %d", nlmsg_nft_type(nlh), err);
}

static void check_dump(const struct ruleset *rs)
{
	struct nlbuf CLEANUP(nlbuf_fini) first = {0}, CLEANUP(nlbuf_fini) second = {0};
	struct ruleset CLEANUP(ruleset_freep) *again = ruleset_new();

	dump(rs, &first);
	again->generation = rs->generation;
	for_each(first.data, first.len, apply_told, again);
	dump(again, &second);
	FUZZ_HOLDS(first.len == second.len && memcmp(first.data, second.data, first.len) == 0,
		   "told again it is another (%zu and %zu bytes)", first.len, second.len);
}

/* ---- messages ---- */

struct applying {
	struct ruleset *rs;
	struct diags ds;
	enum apply_source src;
};

static void apply_any(const struct nlmsghdr *nlh, void *arg)
{
	struct applying *a = arg;

	apply_message(a->rs, nlh, a->src, &a->ds);
}

static void ask_any(const struct nlmsghdr *nlh, void *arg)
{
	struct applying *a = arg;
	uint8_t *data = NULL;
	size_t len;

	serve_request(a->rs, nlh, &data, &len);
	free(data);
}

/* Off their hooks and on them again: the batches are made, and the model takes them. */
static void rehang(struct ruleset *rs, bool parked, struct diags *ds)
{
	struct batch_builder CLEANUP(batch_builder_freep) *bb = batch_builder_new();
	struct batch CLEANUP(batch_fini) b = {0};
	struct table *t;
	struct chain *c;

	list_for_each(t, &rs->tables, node)
		list_for_each(c, &t->chains, node)
			if (c->is_base)
				batch_rehang_chain(bb, c, parked);
	if (batch_builder_take(bb, &b) == 0)
		apply_batch(rs, &b, ds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct applying a = {0};
	struct batch b = {0};
	uint8_t how;

	if (!size)
		return 0;
	how = *data;
	a.rs = ruleset_new();
	b.len = size - 1;
	b.data = malloc(MAX(b.len, 1u));
	memcpy(b.data, data + 1, b.len);
	diags_init(&a.ds);
	if (how & HOW_MENDED)
		mend(b.data, b.len);
	if ((how & HOW_SOURCE) == APPLY_REQUEST) {
		apply_batch(a.rs, &b, &a.ds);
	} else {
		a.src = (how & HOW_SOURCE) == APPLY_DUMP ? APPLY_DUMP : APPLY_EVENT;
		for_each(b.data, b.len, apply_any, &a);
	}
	check_dump(a.rs);
	for_each(b.data, b.len, ask_any, &a);
	rehang(a.rs, true, &a.ds);
	rehang(a.rs, false, &a.ds);
	check_dump(a.rs);
	diags_fini(&a.ds);
	batch_fini(&b);
	ruleset_free(a.rs);
	return 0;
}
