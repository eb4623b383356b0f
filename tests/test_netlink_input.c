/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways in, without a kernel: what libnftables makes of files of all kinds, and of what is none.
 */
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
