/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model, and messages applied to it, without a kernel: anonymous sets and chains, refusals,
 * malformed messages, the indexes behind the find functions.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "../netlink/nlattr.h"
#include "netlink_model.h"

static const char rich[] =
	"table inet t {\n"
	" counter cnt {\n packets 5 bytes 6\n }\n"
	" set s {\n type ipv4_addr . inet_service\n flags interval\n"
	" elements = { 1.0.0.0/8 . 1-2 }\n }\n"
	" map m {\n type ipv4_addr : verdict\n flags interval\n }\n"
	" set d {\n type ipv4_addr\n timeout 1m\n flags dynamic,timeout\n }\n"
	" chain other {\n counter return\n }\n"
	" chain c {\n type filter hook input priority 0; policy drop;\n"
	" tcp dport { 1, 2, 5-9 } accept comment \"ends # handle 5\"\n"
	" tcp dport vmap { 1 : jump other, 2 : drop }\n"
	" ip saddr vmap @m\n"
	" counter name cnt update @d { ip saddr limit rate 5/second }\n"
	" counter name tcp dport map { 22 : \"cnt\" }\n"
	" ip saddr 1.1.1.1 jump {\n ip daddr { 2.2.2.2, 3.3.3.3 } drop\n log prefix \"x\"\n }\n"
	" }\n}\n"
	"add element inet t m { 10.0.0.0/8 : jump other }\n";

static void test_anonymous(void **state UNUSED)
{
	struct ruleset *rs = model_of_text(rich);
	struct table *t = ruleset_find_table(rs, NFPROTO_INET, "t");
	struct chain *c = table_find_chain(t, "c"), *inner;
	struct set *anonymous = table_find_set(t, "__set0");
	struct rule *r;

	assert_int_equal(c->n_rules, 6);
	assert_true(c->is_base);
	assert_int_equal(c->policy, NF_DROP);
	assert_non_null(anonymous);
	assert_int_equal(anonymous->id, 0);
	assert_non_null(table_find_set(t, "__map0"));
	inner = table_find_chain(t, "__chain1");
	assert_non_null(inner);
	assert_true(inner->flags & NFT_CHAIN_BINDING);
	assert_int_equal(inner->n_rules, 2);
	assert_int_equal(table_find_chain(t, "other")->refs, 2);
	r = list_entry(c->rules.next, struct rule, node);
	assert_string_equal(rule_comment(r), "ends # handle 5");
	assert_string_equal(r->exprs.array[r->exprs.n - 2].name, "lookup");
	ruleset_free(rs);
}

static void test_rule_texts(void **state UNUSED)
{
	static const char *const expected[] = {
		"tcp dport { 1-2, 5-9 } accept comment \"ends # handle 5\"",
		"tcp dport vmap { 1 : jump other, 2 : drop }",
		"ip saddr vmap @m",
		"counter name \"cnt\" update @d { ip saddr limit rate 5/second }",
		"counter name tcp dport map { 22 : \"cnt\" }",
		"ip saddr 1.1.1.1 jump { ... }",
	};
	struct ruleset *rs = model_of_text(rich);
	struct table *t = ruleset_find_table(rs, NFPROTO_INET, "t");
	struct rule_texts *rt;
	struct rule *r, stranger = {0};
	size_t i = 0;

	assert_int_equal(rule_texts_new(rs, &rt), 0);
	list_for_each(r, &table_find_chain(t, "c")->rules, node)
		assert_string_equal(rule_text(rt, r), expected[i++]);
	r = list_entry(table_find_chain(t, "__chain1")->rules.next, struct rule, node);
	assert_string_equal(rule_text(rt, r), "ip daddr { 2.2.2.2, 3.3.3.3 } drop");
	assert_null(rule_text(rt, &stranger));
	rule_texts_free(rt);
	ruleset_free(rs);
}

static void test_refusals(void **state UNUSED)
{
	static const struct {
		const char *commands;
		int err;
	} cases[] = {
		{"add rule ip nothing c accept", -ENOENT},
		{"add table ip t\ncreate table ip t", -EEXIST},
		{"add table ip t\nadd chain ip t a\nadd rule ip t a jump b", -ENOENT},
		{"delete table ip t", -ENOENT},
		{"add table ip t\nadd chain ip t a\nadd chain ip t b\nadd rule ip t a jump b\n"
		 "delete chain ip t b",
		 -EBUSY},
		{"add table ip t\nadd set ip t s { type ipv4_addr; }\nadd chain ip t a\n"
		 "add rule ip t a ip saddr @s drop\ndelete set ip t s",
		 -EBUSY},
	};
	struct nft_input in = {0};
	struct ruleset *rs;
	struct batch b;
	struct diags ds;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		b = (struct batch){0};
		in.commands = cases[i].commands;
		/* Where libnftables refuses by itself there is nothing left to refuse. */
		if (capture(&in, &b, NULL) != 0)
			continue;
		diags_init(&ds);
		rs = ruleset_new();
		assert_int_equal(apply_batch(rs, &b, &ds), cases[i].err);
		assert_int_equal(ds.count[DIAG_ERROR], 1);
		ruleset_free(rs);
		diags_fini(&ds);
		batch_fini(&b);
	}
}

/* nft 1.0.6 has no destroy: the message by hand. */
static int destroy(struct ruleset *rs, int type, const char *table, uint16_t name_type,
		   const char *name)
{
	struct nlmsg_head head = {
		.type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		.flags = NLM_F_REQUEST,
		.family = NFPROTO_INET,
	};
	struct nlbuf b = {0};
	int err;

	nlbuf_begin(&b, &head);
	nlbuf_put_str(&b, NFTA_TABLE_NAME, table);
	if (name)
		nlbuf_put_str(&b, name_type, name);
	nlbuf_end(&b);
	err = apply_message(rs, (struct nlmsghdr *)b.data, APPLY_REQUEST, NULL);
	nlbuf_fini(&b);
	return err;
}

static void test_destroy(void **state UNUSED)
{
	struct ruleset *rs = model_of_text(rich);
	struct table *t = ruleset_find_table(rs, NFPROTO_INET, "t");

	assert_int_equal(destroy(rs, NFT_BPF_MSG_DESTROYCHAIN, "t", NFTA_CHAIN_NAME, "no"), 0);
	assert_int_equal(destroy(rs, NFT_MSG_DELCHAIN, "t", NFTA_CHAIN_NAME, "no"), -ENOENT);
	assert_int_equal(destroy(rs, NFT_BPF_MSG_DESTROYCHAIN, "t", NFTA_CHAIN_NAME, "c"), 0);
	assert_null(table_find_chain(t, "c"));
	/* What only its rules used is gone too. */
	assert_null(table_find_set(t, "__set0"));
	assert_null(table_find_chain(t, "__chain1"));
	assert_int_equal(destroy(rs, NFT_BPF_MSG_DESTROYSET, "t", NFTA_SET_NAME, "m"), 0);
	assert_null(table_find_set(t, "m"));
	assert_int_equal(destroy(rs, NFT_BPF_MSG_DESTROYCHAIN, "t", NFTA_CHAIN_NAME, "other"), 0);
	assert_int_equal(destroy(rs, NFT_BPF_MSG_DESTROYTABLE, "t", 0, NULL), 0);
	assert_int_equal(destroy(rs, NFT_BPF_MSG_DESTROYTABLE, "t", 0, NULL), 0);
	assert_true(list_is_empty(&rs->tables));
	ruleset_free(rs);
}

static void test_set_index(void **state UNUSED)
{
	struct ruleset *rs = ruleset_new();
	struct set *s = set_new(table_new(rs, NFPROTO_IPV4, "t"), "s");
	struct set_elem *e;
	uint32_t i, n = 20000, key;

	s->key_len = sizeof(key);
	for (i = 0; i < n; i++) {
		key = i * 2654435761u;
		e = set_elem_get(s, (uint8_t *)&key, NULL, 0, true);
		e->timeout = i + 1;
		e = set_elem_get(s, (uint8_t *)&key, NULL, NFT_SET_ELEM_INTERVAL_END, true);
		e->timeout = 2 * n + i;
	}
	assert_int_equal(s->n_elems, 2 * n);
	for (i = 0; i < n; i += 3) {
		key = i * 2654435761u;
		set_elem_delete(s, set_elem_get(s, (uint8_t *)&key, NULL, 0, false));
	}
	for (i = 0; i < n; i++) {
		key = i * 2654435761u;
		e = set_elem_get(s, (uint8_t *)&key, NULL, 0, false);
		assert_int_equal(e ? e->timeout : 0, i % 3 ? i + 1 : 0);
		e = set_elem_get(s, (uint8_t *)&key, NULL, NFT_SET_ELEM_INTERVAL_END, false);
		assert_int_equal(e->timeout, 2 * n + i);
	}
	assert_null(set_elem_get(s, NULL, NULL, 0, false));
	assert_non_null(set_elem_get(s, NULL, NULL, 0, true));
	assert_non_null(set_elem_get(s, NULL, NULL, 0, false));
	ruleset_free(rs);
}

static void test_names(void **state UNUSED)
{
	struct ruleset *rs = ruleset_new();
	struct table *t = table_new(rs, NFPROTO_IPV4, "t");
	struct chain *c;
	char name[32];
	int i;

	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		chain_set_id(chain_new(t, name), (uint32_t)i + 1);
	}
	for (i = 0; i < 2000; i += 2) {
		snprintf(name, sizeof(name), "chain%d", i);
		chain_free(table_find_chain(t, name));
	}
	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		c = table_find_chain(t, name);
		assert_int_equal(c != NULL, i % 2);
		assert_ptr_equal(table_find_chain_id(t, (uint32_t)i + 1), c);
	}
	chain_rename(c, "renamed");
	assert_ptr_equal(table_find_chain(t, "renamed"), c);
	assert_null(table_find_chain(t, name));
	ruleset_free(rs);
}

/* ---- malformed messages: any error, no crash (run it with --enable-asan --enable-ubsan) ---- */

static void apply_copy(const struct batch *b, const struct nlmsghdr *victim, const uint8_t *bytes,
		       size_t len)
{
	struct ruleset *rs = ruleset_new();
	const struct nlmsghdr *nlh;
	struct nlmsghdr *copy;
	size_t pos;

	for (pos = 0; pos < b->len; pos += NLMSG_ALIGN(nlh->nlmsg_len)) {
		nlh = (const struct nlmsghdr *)(b->data + pos);
		if (nlh == victim)
			break;
		apply_message(rs, nlh, APPLY_REQUEST, NULL);
	}
	copy = malloc(len); /* of just this size, for the sanitizer to see any byte beyond */
	memcpy(copy, bytes, len);
	copy->nlmsg_len = (uint32_t)len;
	apply_message(rs, copy, APPLY_REQUEST, NULL);
	apply_message(rs, copy, APPLY_EVENT, NULL);
	apply_message(rs, copy, APPLY_DUMP, NULL);
	free(copy);
	ruleset_free(rs);
}

static void test_malformed(void **state UNUSED)
{
	struct nft_input in = {.commands = rich};
	struct batch b = {0};
	const struct nlmsghdr *nlh;
	uint8_t *bytes;
	size_t pos, len;
	int i, n;

	assert_int_equal(capture(&in, &b, NULL), 0);
	srand(7);
	for (pos = 0; pos < b.len; pos += NLMSG_ALIGN(nlh->nlmsg_len)) {
		nlh = (const struct nlmsghdr *)(b.data + pos);
		for (len = sizeof(*nlh); len < nlh->nlmsg_len; len += 3)
			apply_copy(&b, nlh, (const uint8_t *)nlh, len);
		bytes = malloc(nlh->nlmsg_len);
		for (i = 0; i < 200; i++) {
			memcpy(bytes, nlh, nlh->nlmsg_len);
			for (n = 1 + i % 4; n; n--)
				bytes[16 + (size_t)rand() % (nlh->nlmsg_len - 16)] =
					(uint8_t)rand();
			apply_copy(&b, nlh, bytes, nlh->nlmsg_len);
		}
		free(bytes);
	}
	b.len -= 5;
	struct ruleset *rs = ruleset_new();
	assert_int_not_equal(apply_batch(rs, &b, NULL), 0);
	ruleset_free(rs);
	batch_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_rule_texts),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_set_index),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
