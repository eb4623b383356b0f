/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of a live ruleset, read in three ways that must agree with what the kernel then holds: as
 * the file's batch applied to the model, as the events of nft's own commit, and as our commit of the
 * captured batch. Needs root; each change has a network namespace of its own.
 */
#include <endian.h>
#include <sched.h>
#include <sys/socket.h>

#include "netlink_model.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "../compiler/attr.h"

#define GROUP_NFTABLES 7 /* NFNLGRP_NFTABLES */

static const char setup[] =
	"table ip t {\n"
	"	counter cnt { packets 1 bytes 2\n }\n"
	"	quota q { 25 mbytes\n }\n"
	"	set s { type ipv4_addr; elements = { 1.1.1.1, 2.2.2.2, 3.3.3.3 }\n }\n"
	"	set i { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 20.0.0.1-20.0.0.9 }\n }\n"
	"	map v { type inet_service : verdict; }\n"
	"	chain other { \n tcp dport 1 counter\n }\n"
	"	chain base { type filter hook input priority 0; policy drop;\n"
	"		tcp dport 1 accept comment \"one\"\n"
	"		tcp dport 2 jump other\n"
	"		tcp dport { 3, 4 } accept\n"
	"		tcp dport 5 jump { \n ip saddr { 5.5.5.5, 6.6.6.6 } drop\n counter\n }\n"
	"		ip saddr @s drop\n"
	"	}\n"
	"}\n"
	"table inet u {\n chain c {\n type filter hook output priority 0;\n counter\n }\n }\n"
	"add element ip t v { 80 : jump other, 81 : drop }\n";

static const char *const changes[] = {
	"add rule ip t base tcp dport 9 accept",
	"insert rule ip t base tcp dport 9 accept",
	"add rule ip t base index 1 tcp dport 9 accept",
	"insert rule ip t base index 1 tcp dport 9 accept",
	"add rule ip t base index 0 tcp dport 9 accept\nadd rule ip t base index 0 tcp dport 10 accept",
	"insert rule ip t base tcp dport 9 accept\ninsert rule ip t base tcp dport 10 accept",
	"add rule ip t base tcp dport 9 accept\nadd rule ip t base tcp dport 10 accept",
	"add rule ip t base position $R2 tcp dport 9 accept",
	"insert rule ip t base position $R2 tcp dport 9 accept",
	"replace rule ip t base handle $R2 tcp dport 9 accept",
	"replace rule ip t base handle $R1 tcp dport 9 accept",
	"replace rule ip t base handle $R5 tcp dport { 9, 10 } accept",
	"delete rule ip t base handle $R3",
	"delete rule ip t base handle $R4",
	"delete rule ip t base handle $R1\nadd rule ip t base tcp dport 9 accept",
	"rename chain ip t other fresh",
	"add element ip t s { 4.4.4.4, 1.1.1.1 }",
	"delete element ip t s { 2.2.2.2 }",
	"delete element ip t v { 80 }\nadd element ip t v { 82 : goto other }",
	"add element ip t i { 30.0.0.0/24 }",
	"delete element ip t i { 10.0.0.0/8 }",
	"flush set ip t s",
	"flush chain ip t base",
	"flush chain ip t base\nadd rule ip t base accept\nadd rule ip t base drop",
	"flush table ip t",
	"flush ruleset",
	"flush ruleset ip",
	"flush ruleset\ntable ip n {\n chain c {\n tcp dport { 1, 2 } accept\n }\n }",
	"delete table ip t",
	"delete table ip t\ntable ip t {\n chain base {\n type nat hook output priority 0;\n }\n }",
	"delete chain inet u c",
	"add chain ip t base { policy accept; }",
	"add chain ip t late { type filter hook input priority 0; }\nadd rule ip t late accept",
	"add table ip t { flags dormant; }",
	"add rule ip t base tcp dport 9 jump {\n tcp sport { 1, 2 } accept\n drop\n }",
	"add rule ip t base tcp dport vmap { 1 : jump other, 2 : drop }",
	"add rule ip t base counter name cnt quota name \"q\"",
	"add quota ip t q { 50 mbytes }",
	"add counter ip t c2\nadd counter ip t cnt",
	"flush chain ip t base\ndelete set ip t s\ndelete map ip t v",
	"add set ip t d { type ipv4_addr; flags dynamic,timeout; timeout 1m; }\n"
	"add rule ip t base add @d { ip saddr counter } log prefix \"x # handle 3\"",
	"add map ip t m { type ipv4_addr : mark; counter; elements = { 1.2.3.4 : 5 } }",
	"table ip t {\n chain base {\n tcp dport 11 accept\n }\n chain more {\n return\n }\n }",
};

/* What the kernel refuses: nft says why, and nothing changes. */
static const char *const refused[] = {
	"rename chain ip t other fresh\nadd rule ip t base goto fresh",
	"add rule ip t nochain accept",
	"add rule ip t base jump nochain",
	"delete chain ip t other",
	"delete set ip t s",
	"delete table ip nothing",
	"create table ip t",
	"add chain ip t base { type filter hook output priority 0; }",
	"delete element ip t s { 9.9.9.9 }",
	"add rule ip t base masquerade",
	"add rule ip t base this is no rule",
	"replace rule ip t base handle 9999 accept",
};

static void fresh_namespace(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(system("ip link set lo up"), 0);
}

static bool run_nft(const char *commands)
{
	FILE *p = popen("nft -f /dev/stdin >/dev/null 2>&1", "w");

	fputs(commands, p);
	return pclose(p) == 0;
}

static struct ruleset *dump(void)
{
	struct ruleset *rs = NULL;
	struct diags ds;

	diags_init(&ds);
	assert_int_equal(dump_ruleset(NULL, &ds, &rs), 0);
	diags_fini(&ds);
	return rs;
}

static void assert_same(const struct ruleset *ours, const struct ruleset *kernels,
			const char *what)
{
	const struct nft_list_options opt = {0};
	char *a = list(ours, opt), *b = list(kernels, opt);

	if (strcmp(a, b) != 0)
		fail_msg("%s:\n-- ours --\n%s\n-- the kernel's --\n%s", what, a, b);
	free(a);
	free(b);
}

/* $R1… are the handles of base's rules. */
static void expand(const char *change, const struct ruleset *rs, char *out, size_t size)
{
	struct table *t = ruleset_find_table(rs, 2 /* NFPROTO_IPV4 */, "t");
	struct chain *c = table_find_chain(t, "base");
	struct rule *r;
	size_t len = 0;
	int n;

	for (; *change && len + 32 < size; change++) {
		if (change[0] != '$') {
			out[len++] = *change;
			continue;
		}
		n = change[2] - '0';
		change += 2;
		list_for_each(r, &c->rules, node) {
			if (--n == 0)
				len += (size_t)snprintf(out + len, size - len, "%llu",
							(unsigned long long)r->handle);
		}
	}
	out[len] = '\0';
}

static int open_events(void)
{
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int group = GROUP_NFTABLES;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&self, sizeof(self)), 0);
	assert_int_equal(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)),
			 0);
	return fd;
}

static int apply_events(int fd, struct ruleset *rs)
{
	static uint8_t buffer[1 << 18];
	const struct nlmsghdr *nlh;
	ssize_t n, pos;
	int err;

	while ((n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		for (pos = 0; pos < n; pos += NLMSG_ALIGN(nlh->nlmsg_len)) {
			nlh = (const struct nlmsghdr *)(buffer + pos);
			err = apply_message(rs, nlh, APPLY_EVENT, NULL);
			if (err < 0)
				return err;
		}
	}
	return 0;
}

static void check_change(const char *change)
{
	struct ruleset *before, *followed, *after, *committed;
	char commands[4096], *said = NULL;
	struct nft_input in = {.commands = commands};
	struct batch b = {0};
	struct diags ds;
	int events, err;

	fresh_namespace();
	assert_true(run_nft(setup));
	before = dump();
	followed = dump();
	expand(change, before, commands, sizeof(commands));
	/* Nothing of this may reach the ruleset. */
	if (capture_with(NFT_KERNEL_REAL, &in, &b, &said) != 0)
		fail_msg("%s: %s", commands, said);
	committed = dump();
	assert_same(before, committed, "captured only");
	ruleset_free(committed);
	assert_int_equal(apply_batch(before, &b, NULL), 0);

	events = open_events();
	assert_true(run_nft(commands));
	after = dump();
	assert_same(before, after, change);
	err = apply_events(events, followed);
	if (err != -ESTALE) {
		assert_int_equal(err, 0);
		assert_same(followed, after, "events");
		assert_int_equal(followed->generation, after->generation);
	}
	close(events);

	/* The same batch from us, in another namespace: handles are counted alike. */
	fresh_namespace();
	assert_true(run_nft(setup));
	diags_init(&ds);
	assert_int_equal(commit_batch(&b, NULL, &ds), 0);
	diags_fini(&ds);
	committed = dump();
	assert_same(committed, after, "committed by us");
	ruleset_free(committed);
	ruleset_free(before);
	ruleset_free(followed);
	ruleset_free(after);
	batch_fini(&b);
	free(said);
}

static void test_changes(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(changes); i++)
		check_change(changes[i]);
}

static void test_refused(void **state UNUSED)
{
	struct ruleset *before, *after;
	struct batch b = {0};
	char *said;
	size_t i;

	fresh_namespace();
	assert_true(run_nft(setup));
	before = dump();
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		struct nft_input in = {.commands = refused[i]};

		said = NULL;
		assert_int_equal(capture_with(NFT_KERNEL_REAL, &in, &b, &said), -EINVAL);
		if (!strstr(said, "Error") || !strchr(said, '^'))
			fail_msg("%s: said: %s", refused[i], said);
		assert_null(b.data);
		free(said);
		assert_false(run_nft(refused[i]));
	}
	after = dump();
	assert_same(after, before, "after refusals");
	ruleset_free(before);
	ruleset_free(after);
}

/* A parked chain: the model shows it on its hook, the prelude puts it there for validation. */
static void test_prelude(void **state UNUSED)
{
	struct ruleset *model, *live;
	struct batch_builder *bb = batch_builder_new();
	struct batch park = {0}, prelude = {0}, b = {0};
	struct nft_input in = {.commands = "table ip t {\n chain base {\n type filter hook input "
					   "priority 0; policy accept;\n tcp dport 7 drop\n }\n }",
			       .kernel = NFT_KERNEL_REAL,
			       .out = stderr,
			       .err = stderr};
	struct diags ds;
	struct chain *c;

	fresh_namespace();
	assert_true(run_nft(setup));
	model = dump();
	c = table_find_chain(ruleset_find_table(model, 2, "t"), "base");
	batch_rehang_chain(bb, c, true);
	assert_int_equal(batch_builder_take(bb, &park), 0);
	diags_init(&ds);
	assert_int_equal(commit_batch(&park, NULL, &ds), 0);
	live = dump();
	assert_false(table_find_chain(ruleset_find_table(live, 2, "t"), "base")->is_base);
	ruleset_free(live);

	batch_rehang_chain(bb, c, false);
	assert_int_equal(batch_builder_take(bb, &prelude), 0);
	/* Plain nft is refused; with the prelude the same file is fine, and nothing changes. */
	assert_false(run_nft(in.commands));
	in.model = model;
	in.prelude = &prelude;
	assert_int_equal(nft_capture(&in, &ds, &b), 0);
	assert_int_equal(apply_batch(model, &b, &ds), 0);
	assert_int_equal(c->n_rules, 6);
	live = dump();
	assert_int_equal(table_find_chain(ruleset_find_table(live, 2, "t"), "base")->n_rules, 5);
	ruleset_free(live);
	diags_fini(&ds);
	batch_fini(&park);
	batch_fini(&prelude);
	batch_fini(&b);
	batch_builder_free(bb);
	ruleset_free(model);
}

static void test_commit_errors(void **state UNUSED)
{
	struct commit_options opt = {.dry_run = true};
	struct batch_builder *bb = batch_builder_new();
	struct ruleset *rs, *after;
	struct batch b = {0};
	struct diags ds;
	uint32_t generation;
	struct table *t;
	char *text;

	fresh_namespace();
	assert_true(run_nft(setup));
	rs = dump();
	diags_init(&ds);
	t = ruleset_find_table(rs, 2, "t");
	batch_set_dormant(bb, t, true);
	assert_int_equal(batch_builder_take(bb, &b), 0);
	assert_int_equal(commit_batch(&b, &opt, &ds), 0);
	opt = (struct commit_options){.generation = rs->generation + 1};
	assert_int_equal(commit_batch(&b, &opt, &ds), -85 /* -ERESTART */);
	after = dump();
	assert_same(after, rs, "neither dry run nor another generation changes anything");
	ruleset_free(after);
	opt.generation = rs->generation;
	assert_int_equal(commit_batch(&b, &opt, &ds), 0);
	assert_int_equal(dump_generation(&generation), 0);
	assert_int_not_equal(generation, rs->generation);
	batch_fini(&b);

	/* "other" is jumped to */
	batch_rehang_chain(bb, table_find_chain(t, "other"), true);
	assert_int_equal(batch_builder_take(bb, &b), 0);
	diags_fini(&ds);
	diags_init(&ds);
	assert_int_equal(commit_batch(&b, NULL, &ds), -EBUSY);
	assert_int_not_equal(ds.count[DIAG_ERROR], 0);
	text = diag_format(list_entry(ds.list.next, struct diag, node));
	if (!strstr(text, "ip t other: delete chain: the kernel says"))
		fail_msg("%s", text);
	free(text);
	diags_fini(&ds);
	batch_fini(&b);
	batch_builder_free(bb);
	ruleset_free(rs);
}

static void test_replace_rules(void **state UNUSED)
{
	struct batch_builder *bb = batch_builder_new();
	struct ruleset *rs, *after;
	struct batch b = {0};
	struct chain *c;
	struct rule *r;
	struct diags ds;

	fresh_namespace();
	assert_true(run_nft(setup));
	rs = dump();
	diags_init(&ds);
	c = table_find_chain(ruleset_find_table(rs, 2, "t"), "base");
	list_for_each(r, &c->rules, node)
		batch_replace_rule(bb, r);
	assert_int_equal(batch_builder_take(bb, &b), 0);
	assert_int_equal(commit_batch(&b, NULL, &ds), 0);
	after = dump();
	assert_same(after, rs, "rules replaced by themselves");
	ruleset_free(after);
	ruleset_free(rs);
	diags_fini(&ds);
	batch_fini(&b);
	batch_builder_free(bb);
}

/* ---- elements with other counters ---- */

static const char counting[] =
	"table ip t {\n"
	"	set hash { type ipv4_addr; counter; elements = { 1.1.1.1, 2.2.2.2, 3.3.3.3, * } }\n"
	"	set tree { type ipv4_addr; flags interval; counter; elements = { 1.0.0.0/8, 2.0.0.0/8,"
	" 4.1.0.0-4.255.255.255, 5.5.5.5, 255.0.0.0/8 } }\n"
	"	set boxes { type ipv4_addr . inet_service; flags interval; counter; elements = {"
	" 1.0.0.0/8 . 1-9, 2.0.0.0/8 . 5, 3.3.3.3 . 7-8 } }\n"
	"	map m { type ipv4_addr : verdict; flags interval; counter; elements = {"
	" 1.0.0.0/8 : drop, 2.2.2.2 : accept } }\n"
	"}\n";

/* Every other element that is no end was counted. Returns how many. */
static size_t count_some(struct set *s)
{
	uint64_t packets = htobe64(1000);
	size_t n = 0, starts = 0;
	struct blob at;

	for (size_t i = 0; i < s->n_elems; i++) {
		struct set_elem *e = &s->elems[i];

		if (e->flags & NFT_SET_ELEM_INTERVAL_END || starts++ % 2)
			continue;
		assert_true(attr_find(e->exprs.array[0].attrs, NFTA_COUNTER_PACKETS, &at));
		memcpy((void *)at.data, &packets, sizeof(packets)); /* the model's own bytes */
		e->counted = true;
		n++;
	}
	return n;
}

/* The elements in the batch's messages of @type; keys of a tree must not descend. */
static size_t keys_in(const struct batch *b, uint8_t type, const struct set *s)
{
	bool is_tree = s->flags & NFT_SET_INTERVAL && !(s->flags & NFT_SET_CONCAT);
	static const uint8_t none[64];
	const uint8_t *last = none;
	size_t n = 0;

	for (size_t at = 0; at < b->len; at += NLMSG_ALIGN(((struct nlmsghdr *)(b->data + at))->nlmsg_len)) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(b->data + at);
		const struct nlattr *list, *elem;

		if (NFNL_MSG_TYPE(h->nlmsg_type) != type)
			continue;
		mnl_attr_for_each(list, h, sizeof(struct nfgenmsg)) {
			if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			mnl_attr_for_each_nested(elem, list) {
				const struct nlattr *key = mnl_attr_get_payload(elem);

				n++;
				if (mnl_attr_get_type(key) != NFTA_SET_ELEM_KEY)
					continue; /* the catch-all element */
				key = mnl_attr_get_payload(key); /* NFTA_DATA_VALUE */
				assert_true(!is_tree || memcmp(last, mnl_attr_get_payload(key), s->key_len) <= 0);
				last = mnl_attr_get_payload(key);
			}
		}
	}
	return n;
}

/* In whatever order. */
static void assert_same_elems(struct set *got, const struct set *want)
{
	assert_int_equal(got->n_elems, want->n_elems);
	for (size_t i = 0; i < want->n_elems; i++) {
		const struct set_elem *e = &want->elems[i];
		const struct set_elem *g = set_elem_get(got, e->key, e->key_end, e->flags, false);

		assert_non_null(g);
		assert_int_equal(g->exprs.n, e->exprs.n);
		if (e->exprs.n)
			assert_memory_equal(g->exprs.array[0].attrs.data, e->exprs.array[0].attrs.data,
					    e->exprs.array[0].attrs.len);
	}
}

/* Only these elements are made anew, upwards, and then the kernel says what the model does. */
static void test_renew_counted(void **state UNUSED)
{
	struct ruleset *rs, *after;
	struct diags ds;
	struct set *s;

	fresh_namespace();
	assert_true(run_nft(counting));
	rs = dump();
	diags_init(&ds);
	list_for_each(s, &ruleset_find_table(rs, 2, "t")->sets, node) {
		struct batch_builder *bb = batch_builder_new();
		size_t n = count_some(s), ends = s->flags & NFT_SET_INTERVAL && !(s->flags & NFT_SET_CONCAT) ? n : 0;
		struct batch b = {0};

		assert_true(n && n < s->n_elems);
		batch_renew_counted(bb, s);
		assert_int_equal(batch_builder_take(bb, &b), 0);
		if (strcmp(s->name, "tree") == 0)
			ends--; /* 255.0.0.0/8 has none */
		assert_int_equal(keys_in(&b, NFT_MSG_DELSETELEM, s), n + ends);
		assert_int_equal(keys_in(&b, NFT_MSG_NEWSETELEM, s), n + ends);
		assert_int_equal(commit_batch(&b, NULL, &ds), 0);
		batch_fini(&b);
		batch_builder_free(bb);
	}
	after = dump();
	list_for_each(s, &ruleset_find_table(rs, 2, "t")->sets, node)
		assert_same_elems(table_find_set(ruleset_find_table(after, 2, "t"), s->name), s);
	ruleset_free(after);
	ruleset_free(rs);
	diags_fini(&ds);
}

/* Elements of named sets are not even asked for. */
static void test_terse(void **state UNUSED)
{
	const struct dump_options terse = {.terse = true};
	struct ruleset *rs;
	struct diags ds;
	struct set *s;

	fresh_namespace();
	assert_true(run_nft(setup));
	diags_init(&ds);
	assert_int_equal(dump_ruleset(&terse, &ds, &rs), 0);
	list_for_each(s, &ruleset_find_table(rs, 2, "t")->sets, node) {
		assert_int_equal(s->elems_known, !!(s->flags & NFT_SET_ANONYMOUS));
		assert_int_equal(!s->n_elems, !s->elems_known);
	}
	ruleset_free(rs);
	diags_fini(&ds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_prelude),
		cmocka_unit_test(test_commit_errors),
		cmocka_unit_test(test_replace_rules),
		cmocka_unit_test(test_renew_counted),
		cmocka_unit_test(test_terse),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP must be root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
