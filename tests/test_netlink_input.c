/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways in, without a kernel: what libnftables makes of files of all kinds, and of what is none.
 */
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netlink_model.h"

static char dir[] = "/tmp/test_netlink.XXXXXX";

static void write_file(const char *name, const void *data, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void test_defines(void **state UNUSED)
{
	static const char *const defines[] = {"port=22", "name=zz", NULL};
	static const char rules[] = "table ip t {\n chain c {\n tcp dport $port iifname $name accept\n"
				    " }\n}\n";
	static const char expected[] = "table ip t {\n\tchain c {\n"
				       "\t\ttcp dport 22 iifname \"zz\" accept\n\t}\n}\n";
	static const char *const bad[] = {"port", NULL};
	struct nft_input in = {.commands = rules, .defines = defines};
	struct batch b = {0};
	struct ruleset *rs;
	char path[256];

	rs = model_of(&in);
	assert_lists(rs, expected);
	ruleset_free(rs);
	write_file("defines.nft", rules, strlen(rules));
	snprintf(path, sizeof(path), "%s/defines.nft", dir);
	in = (struct nft_input){.file = path, .defines = defines};
	rs = model_of(&in);
	assert_lists(rs, expected);
	ruleset_free(rs);
	in.defines = bad;
	assert_int_equal(capture(&in, &b, NULL), -EINVAL);
}

static void test_includes(void **state UNUSED)
{
	static const char rules[] = "include \"part.nft\"\nadd rule ip t c counter\n";
	static const char part[] = "table ip t {\n chain c {\n }\n}\n";
	const char *dirs[] = {dir, NULL};
	struct nft_input in = {.commands = rules, .include_dirs = dirs};
	struct ruleset *rs;

	write_file("part.nft", part, strlen(part));
	rs = model_of(&in);
	assert_lists(rs,
		     "table ip t {\n\tchain c {\n\t\tcounter packets 0 bytes 0\n\t}\n}\n");
	ruleset_free(rs);
}

static void test_standard_input(void **state UNUSED)
{
	static const char rules[] = "add table ip t\n";
	struct nft_input in = {.file = "-"};
	struct ruleset *rs;
	int saved = dup(0);
	char path[256];

	write_file("stdin.nft", rules, strlen(rules));
	snprintf(path, sizeof(path), "%s/stdin.nft", dir);
	assert_non_null(freopen(path, "r", stdin));
	rs = model_of(&in);
	assert_lists(rs, "table ip t {\n}\n");
	ruleset_free(rs);
	dup2(saved, 0);
	close(saved);
}

static void test_json(void **state UNUSED)
{
	static const char json[] =
		"{\"nftables\":[{\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"j\"}}},"
		"{\"add\":{\"chain\":{\"family\":\"inet\",\"table\":\"j\",\"name\":\"c\"}}},"
		"{\"add\":{\"rule\":{\"family\":\"inet\",\"table\":\"j\",\"chain\":\"c\","
		"\"expr\":[{\"drop\":null}]}}}]}";
	struct nft_input in = {.commands = json, .json = true};
	struct ruleset *rs = model_of(&in);
	char *text;

	assert_lists(rs, "table inet j {\n\tchain c {\n\t\tdrop\n\t}\n}\n");
	text = list(rs, (struct nft_list_options){.json = true});
	assert_non_null(strstr(text, "\"table\": {\"family\": \"inet\", \"name\": \"j\""));
	free(text);
	ruleset_free(rs);
}

/* Tables and sets to have elements, with the numbers of types that libnftables gives. */
static struct ruleset *model_of_sets(void)
{
	return model_of_text("table ip t {\n"
			     " set a { type ipv4_addr; }\n"
			     " set timed { type ipv4_addr; timeout 1h; flags timeout; }\n"
			     " set ports-1 { type inet_service; }\n"
			     " set of { typeof ip saddr; }\n"
			     " set counted { type ipv4_addr; counter; }\n"
			     " set nets { type ipv4_addr; flags interval; }\n"
			     " set both { type ipv4_addr . inet_service; }\n"
			     " set marks { type mark; }\n"
			     " map m { type ipv4_addr : mark; }\n"
			     "}\n"
			     "table inet t.6 {\n"
			     " set a6 { type ipv6_addr; }\n"
			     "}\n");
}

/*
 * Its attributes by type and bytes, nested ones too, without what does not matter: libnftables' number
 * for a set of the batch (the kernel goes by the name), and what libmnl leaves between attributes.
 */
static void write_attrs(FILE *out, const void *data, size_t len, int levels)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload(data, len)
	{
		const uint8_t *value = mnl_attr_get_payload(attr);

		if (levels == 4 && mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_SET_ID)
			continue;
		fprintf(out, "%x:", attr->nla_type);
		if (levels > 1 && attr->nla_type & NLA_F_NESTED)
			write_attrs(out, value, mnl_attr_get_payload_len(attr), levels - 1);
		else
			for (size_t i = 0; i < mnl_attr_get_payload_len(attr); i++)
				fprintf(out, "%02x", value[i]);
		fputc(' ', out);
	}
}

static char *text_of(const struct batch *b)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)b->data;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(MNL_ALIGN(nlh->nlmsg_len), b->len);
	fprintf(out, "%x %x %u ", nlh->nlmsg_type, nlh->nlmsg_flags, nlh->nlmsg_seq);
	for (size_t i = 0; i < sizeof(struct nfgenmsg); i++)
		fprintf(out, "%02x", ((const uint8_t *)(nlh + 1))[i]);
	write_attrs(out, mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg)),
		    mnl_nlmsg_get_payload_len(nlh) - sizeof(struct nfgenmsg), 4);
	fclose(out);
	return text;
}

static void assert_plain(const struct ruleset *rs, const char *commands)
{
	struct nft_input in = {.commands = commands, .model = rs};
	struct batch plain = {0}, b = {0};
	char *said, *ours, *theirs;

	if (nft_capture_plain(commands, rs, &plain) != 0)
		fail_msg("not plain: %s", commands);
	if (capture(&in, &b, &said) != 0)
		fail_msg("%s", said);
	ours = text_of(&plain);
	theirs = text_of(&b);
	assert_string_equal(ours, theirs);
	free(ours);
	free(theirs);
	free(said);
	batch_fini(&plain);
	batch_fini(&b);
}

/* The batch is libnftables' own, byte for byte. */
static void test_plain_elements(void **state UNUSED)
{
	static const char *const commands[] = {
		"add element ip t a { 192.0.2.1 }",
		"add element ip t a {192.0.2.1}",
		"add element ip t a { 192.0.2.2, 192.0.2.1,0.0.0.0 , 255.255.255.255 }\n",
		"add\telement  ip t timed { 10.0.0.1 } ;",
		"delete element ip t a { 192.0.2.1, 192.0.2.3 }",
		"add element ip t of { 1.2.3.4 }",
		"add element ip t ports-1 { 22, 0, 65535, 1024 }",
		"delete element ip t ports-1 { 22 }",
		"add element inet t.6 a6 { ::, ::1, 2001:db8::1, 2001:DB8:0:0:1::2, ffff::ffff:ffff }",
		"delete element inet t.6 a6 { fe80::1 }",
	};
	struct ruleset *rs = model_of_sets();
	char many[2048] = "add element ip t a { 10.0.0.0";

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		assert_plain(rs, commands[i]);
	for (int i = 1; i < 64; i++)
		sprintf(many + strlen(many), ", 10.0.0.%d", i);
	assert_plain(rs, strcat(many, " }"));
	ruleset_free(rs);
}

static void test_not_plain(void **state UNUSED)
{
	static const char *const commands[] = {
		"",
		"add",
		"add element",
		"add element ip",
		"add element ip t a",
		"add element ip t a {",
		"add element ip t a { }",
		"add element ip t a { 192.0.2.1",
		"add element ip t a { 192.0.2.1, }",
		"add element ip t a { 192.0.2.1 } add",
		"add element ip t a { 192.0.2.1 }; add element ip t a { 192.0.2.2 }",
		"add element ip t a { 192.0.2.1 # }",
		"add element ip t a { 192.0.2.1 timeout 1h }",
		"add element ip t a { 192.0.2.1 comment \"x\" }",
		"add element ip t a { 192.0.2.0/24 }",
		"add element ip t a { 192.0.2.1-192.0.2.2 }",
		"add element ip t a { 192.0.2.01 }",
		"add element ip t a { 192.0.2 }",
		"add element ip t a { 192.0.2.256 }",
		"add element ip t a { 1234567890123456789012345678901234567890123456789 }",
		"add element ip t a { example.org }",
		"add element ip t a { $x }",
		"add element ip t a { ::1 }",
		"add element ip t none { 192.0.2.1 }",
		"add element ip none a { 192.0.2.1 }",
		"add element ip6 t a { 192.0.2.1 }",
		"add element t a { 192.0.2.1 }",
		"create element ip t a { 192.0.2.1 }",
		"destroy element ip t a { 192.0.2.1 }",
		"get element ip t a { 192.0.2.1 }",
		"add element ip t counted { 192.0.2.1 }",
		"add element ip t nets { 192.0.2.1 }",
		"add element ip t both { 192.0.2.1 . 22 }",
		"add element ip t marks { 1 }",
		"add element ip t m { 192.0.2.1 : 1 }",
		"add element ip t ports-1 { ssh }",
		"add element ip t ports-1 { 65536 }",
		"add element ip t ports-1 { 022 }",
		"add element ip t ports-1 { 0x16 }",
		"add element inet t.6 a6 { fe80::1%lo }",
		"add element inet t.6 a6 { 192.0.2.1 }",
		"add element inet t.6 a6 { 1::2::3 }",
	};
	struct ruleset *rs = model_of_sets();
	char many[2048] = "add element ip t a { 10.0.0.0";
	struct batch b = {0};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (nft_capture_plain(commands[i], rs, &b) != -EOPNOTSUPP)
			fail_msg("taken for plain: %s", commands[i]);
	for (int i = 1; i <= 64; i++)
		sprintf(many + strlen(many), ", 10.0.0.%d", i);
	assert_int_equal(nft_capture_plain(strcat(many, " }"), rs, &b), -EOPNOTSUPP);
	/* Somebody's own set, whose keys are no addresses though it says so. */
	table_find_set(ruleset_find_table(rs, NFPROTO_IPV4, "t"), "a")->key_len = 64;
	assert_int_equal(nft_capture_plain("add element ip t a { 192.0.2.1 }", rs, &b), -EOPNOTSUPP);
	ruleset_free(rs);
}

static void test_bad_input(void **state UNUSED)
{
	static const char bad[] = "table ip t {\n chain c {\n tcp dprot 22 accept\n }\n}\n";
	uint8_t garbage[4096];
	struct batch b = {0};
	struct nft_input in;
	char path[256], *said;
	size_t i;

	write_file("bad.nft", bad, strlen(bad));
	snprintf(path, sizeof(path), "%s/bad.nft", dir);
	in = (struct nft_input){.file = path};
	assert_int_equal(capture(&in, &b, &said), -EINVAL);
	assert_non_null(strstr(said, "bad.nft:3:6-10: Error: "));
	assert_non_null(strstr(said, " tcp dprot 22 accept\n     ^^^^^"));
	free(said);

	in = (struct nft_input){.file = "/nonexistent.nft"};
	assert_int_equal(capture(&in, &b, &said), -EINVAL);
	assert_non_null(strstr(said, "/nonexistent.nft"));
	free(said);

	srand(1);
	for (i = 0; i < sizeof(garbage); i++)
		garbage[i] = (uint8_t)rand();
	write_file("garbage.nft", garbage, sizeof(garbage));
	snprintf(path, sizeof(path), "%s/garbage.nft", dir);
	in = (struct nft_input){.file = path};
	assert_int_equal(capture(&in, &b, &said), -EINVAL);
	assert_non_null(strstr(said, "Error"));
	free(said);
	in = (struct nft_input){.commands = "{ \"nftables\": 5", .json = true};
	assert_int_equal(capture(&in, &b, NULL), -EINVAL);
	assert_null(b.data);

	in = (struct nft_input){.commands = "# nothing\n"};
	assert_int_equal(capture(&in, &b, NULL), 0);
	assert_int_equal(b.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defines),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_standard_input),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_plain_elements),
		cmocka_unit_test(test_not_plain),
		cmocka_unit_test(test_bad_input),
	};
	char command[64];
	int failed;

	if (!mkdtemp(dir))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || failed;
}
