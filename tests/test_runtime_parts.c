/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of the run time that need no kernel: where roots may hang, batches that are made to fit
 * parked chains, manifests as text.
 */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "../compiler/attr.h"
#include "../runtime/manifest.h"
#include "../runtime/place.h"
#include "netlink_model.h"

/* ---- place.c ---- */

/* Candidates in their order, as text. */
static const char *candidates(int64_t low, int64_t high, int32_t wanted)
{
	const struct place_gap gap = { low, high };
	static char text[4096];
	size_t len = 0;
	int32_t at;

	text[0] = '\0';
	for (uint32_t k = 0; place_candidate(&gap, wanted, k, &at); k++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d", k ? " " : "", at);
	return text;
}

static uint32_t n_candidates(int64_t low, int64_t high, int32_t wanted)
{
	const struct place_gap gap = { low, high };
	uint32_t k = 0;
	int32_t at;

	while (place_candidate(&gap, wanted, k, &at)) {
		assert_true(at > low && at < high);
		k++;
	}
	return k;
}

static void test_candidates(void **state UNUSED)
{
	assert_string_equal(candidates(-3, 3, 0), "0 1 2 -1 -2");
	assert_string_equal(candidates(0, 3, 0), "1 2"); /* the wanted place is taken: above only */
	assert_string_equal(candidates(-3, 0, 0), "-1 -2");
	assert_string_equal(candidates(-1, 1, 0), "0");
	assert_string_equal(candidates(0, 1, 0), "");
	assert_int_equal(n_candidates(INT32_MIN, INT32_MAX, 0), 128);
	assert_int_equal(n_candidates(INT32_MIN, INT32_MAX, INT32_MAX - 1), 65);
	assert_int_equal(n_candidates(INT32_MIN, INT32_MAX, INT32_MIN + 1), 64);
}

struct hook_model { /* interpreted and compiled chains of the input hook */
	struct lower_chain lower[4];
	struct chain chains[4];
	struct ir_chain ir[4], *bases[4];
	struct table table;
	struct lower_result lr;
	struct ir_prog prog;
};

static void add_chain(struct hook_model *m, int32_t priority, uint64_t seq, bool compiled)
{
	uint32_t i = m->lr.n_chains++;

	m->table.family = NFPROTO_IPV4;
	m->chains[i] = (struct chain){ .table = &m->table, .hooknum = NF_INET_LOCAL_IN,
				       .priority = priority, .seq = seq, .is_base = true };
	m->lower[i] = (struct lower_chain){ .base = &m->chains[i], .compiled = compiled };
	m->lr.chains = m->lower;
	m->prog.pf = NFPROTO_IPV4;
	m->prog.hook = NF_INET_LOCAL_IN;
	m->prog.bases = m->bases;
	if (!compiled)
		return;
	m->prog.priority = priority;
	m->ir[i] = (struct ir_chain){ .origin = &m->chains[i] };
	m->bases[m->prog.n_bases++] = &m->ir[i];
}

static const char *gap_of(const struct hook_model *m)
{
	struct place_gap gap;
	static char text[64];

	if (place_gap(&m->lr, &m->prog, &gap) < 0)
		return "none";
	snprintf(text, sizeof(text), "%lld %lld", (long long)gap.low, (long long)gap.high);
	return text;
}

static void test_gap(void **state UNUSED)
{
	struct hook_model alone = { 0 }, between = { 0 }, before = { 0 }, behind = { 0 };
	struct hook_model both = { 0 }, other = { 0 }, tight = { 0 };

	/* Between IPVS beside NAT and security, which are never crossed. */
	add_chain(&alone, NF_IP_PRI_FILTER, 1, true);
	assert_string_equal(gap_of(&alone), "-98 50");
	add_chain(&between, 10, 1, true);
	add_chain(&between, 12, 2, false);
	add_chain(&between, 5, 3, false);
	assert_string_equal(gap_of(&between), "5 12");
	/* Of one priority the one registered last runs first. */
	add_chain(&before, 10, 2, true);
	add_chain(&before, 10, 1, false);
	assert_string_equal(gap_of(&before), "0 10");
	add_chain(&behind, 10, 1, true);
	add_chain(&behind, 10, 2, false);
	assert_string_equal(gap_of(&behind), "10 50");
	add_chain(&both, 10, 3, true);
	add_chain(&both, 10, 1, true);
	add_chain(&both, 10, 2, false);
	assert_string_equal(gap_of(&both), "none");
	add_chain(&other, 10, 1, true);
	add_chain(&other, 11, 2, false);
	other.chains[1].hooknum = NF_INET_FORWARD;
	assert_string_equal(gap_of(&other), "0 50");
	add_chain(&tight, 49, 1, true); /* behind security's neighbour there is nothing left */
	add_chain(&tight, 49, 2, false);
	assert_string_equal(gap_of(&tight), "none");
}

static void test_front(void **state UNUSED)
{
	struct hook_model m = { 0 }, conntrack = { 0 };

	add_chain(&m, 10, 1, true);
	m.ir[0].is_front = true;
	m.lower[0].compiled = false; /* it is in front of this very chain */
	assert_string_equal(gap_of(&m), "0 10");
	add_chain(&conntrack, NF_IP_PRI_CONNTRACK, 1, true);
	conntrack.ir[0].is_front = true;
	assert_string_equal(gap_of(&conntrack), "none");
}

/* ---- rewrite.c ---- */

static void park(struct ruleset *rs, const char *table, const char *chain)
{
	struct table *t = ruleset_find_table(rs, NFPROTO_IPV4, table);

	if (chain)
		table_find_chain(t, chain)->parked = true;
	else
		t->parked = true;
}

/* A letter for each message that makes a table or a chain: d(ormant) or t, b(ase) or c. */
static const char *kinds(const struct batch *b)
{
	static char text[64];
	int left = (int)b->len;
	size_t n = 0;

	for (const struct nlmsghdr *nlh = (const void *)b->data; NLMSG_OK(nlh, left);
	     nlh = NLMSG_NEXT(nlh, left)) {
		const size_t head = NLMSG_LENGTH(sizeof(struct nfgenmsg));
		struct blob attrs, value;

		if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
			continue;
		attrs = (struct blob){ (const uint8_t *)nlh + head, nlh->nlmsg_len - (uint32_t)head };
		if ((nlh->nlmsg_type & 0xff) == NFT_MSG_NEWTABLE)
			text[n++] = attr_uint(attrs, NFTA_TABLE_FLAGS, 0) & NFT_TABLE_F_DORMANT ? 'd' :
												  't';
		if ((nlh->nlmsg_type & 0xff) == NFT_MSG_NEWCHAIN)
			text[n++] = attr_find(attrs, NFTA_CHAIN_HOOK, &value) ||
						    attr_find(attrs, NFTA_CHAIN_POLICY, &value) ||
						    attr_find(attrs, NFTA_CHAIN_TYPE, &value) ?
					    'b' :
					    'c';
	}
	text[n] = '\0';
	return text;
}

static void assert_rewritten(struct ruleset *rs, const char *commands, const char *expected)
{
	struct nft_input in = { .commands = commands, .model = rs };
	struct batch b = { 0 };
	char *said;

	if (capture(&in, &b, &said) != 0)
		fail_msg("%s", said);
	assert_int_equal(rt_rewrite(rs, &b), 0);
	if (strcmp(kinds(&b), expected) != 0)
		fail_msg("%s: %s, not %s", commands, kinds(&b), expected);
	batch_fini(&b);
	free(said);
}

#define BASE "{ type filter hook input priority 0; policy drop; }"

static void test_rewrite(void **state UNUSED)
{
	struct ruleset *rs = model_of_text("table ip t { chain a " BASE "; chain r { }; }\n"
					   "table ip u { chain a " BASE "; chain b " BASE "; }");

	assert_rewritten(rs, "add table ip t", "t");
	assert_rewritten(rs, "add chain ip u a " BASE, "b");
	park(rs, "t", NULL);
	park(rs, "u", "a");
	assert_rewritten(rs, "add table ip t", "d");
	assert_rewritten(rs, "add chain ip u a " BASE, "c");
	assert_rewritten(rs, "add chain ip u b " BASE, "b");
	assert_rewritten(rs, "add chain ip u c " BASE, "b");
	assert_rewritten(rs, "add table ip t; add chain ip t a " BASE, "db");
	/* What the batch deletes before is nothing of ours any more. */
	assert_rewritten(rs, "delete table ip t; add table ip t", "t");
	assert_rewritten(rs, "delete table ip u; add table ip u; add chain ip u a " BASE, "tb");
	assert_rewritten(rs, "delete chain ip u a; add chain ip u a " BASE, "b");
	assert_rewritten(rs, "flush ruleset; add table ip t", "t");
	assert_rewritten(rs, "delete table ip u; add table ip t", "d");
	ruleset_free(rs);
}

/* ---- netlink/replaces.c ---- */

static bool replaces(struct ruleset *rs, const char *commands)
{
	struct nft_input in = { .commands = commands, .model = rs };
	struct batch b = { 0 };
	char *said;
	bool ret;

	if (capture(&in, &b, &said) != 0)
		fail_msg("%s", said);
	ret = batch_replaces_all(&b, rs);
	batch_fini(&b);
	free(said);
	return ret;
}

static void test_replaces(void **state UNUSED)
{
	struct ruleset *rs = model_of_text("table ip t { set s { type mark; }; }\ntable inet u { }");

	assert_true(replaces(rs, "flush ruleset; add table ip x"));
	assert_true(replaces(rs, "delete table ip t; delete table inet u; add table ip x"));
	assert_true(replaces(rs, "add table ip t; delete table ip t; add table ip t; add chain ip t c;"
				 " add table inet u; delete table inet u"));
	assert_false(replaces(rs, "add table ip x"));
	assert_false(replaces(rs, "delete table ip t"));
	assert_false(replaces(rs, "flush ruleset ip; add table ip x"));
	assert_false(replaces(rs, "add element ip t s { 1 }; delete table ip t; delete table inet u"));
	assert_false(replaces(rs, "delete table inet u; add chain ip t c; delete table ip t"));
	ruleset_free(rs);
}

/* ---- manifest.c ---- */

static struct manifest *parsed(const char *text)
{
	struct manifest *m = NULL;

	assert_int_equal(manifest_parse(text, strlen(text), &m), 0);
	return m;
}

static void assert_no_manifest(const char *text)
{
	struct manifest *m = (struct manifest *)text;

	assert_int_equal(manifest_parse(text, strlen(text), &m), -EINVAL);
	assert_ptr_equal(m, text); /* untouched */
}

static void test_manifest(void **state UNUSED)
{
	struct mf_chain chain = {
		.st = { .family = NFPROTO_INET, .table = "t\xff\x80", .name = "in", .type = "filter",
			.hook = NF_INET_LOCAL_IN, .priority = -150, .policy = NF_DROP,
			.compiled = true, .prog4 = "v4_input_m150", .attached4 = -149,
			.front_first = 1, .front_last = 3, .front_drops = 2 },
		.rank = 7,
		.regular = true,
	};
	struct mf_table table = { NFPROTO_IPV6, "z\xc3\xa4hlt" };
	struct manifest m = { .format = MANIFEST_FORMAT, .version = "1", .time = 1ull << 40,
			      .ruleset = UINT32_MAX, .chains = &chain, .n_chains = 1,
			      .tables = &table, .n_tables = 1, .cpus = 64, .stride = 128 };
	char *text = manifest_print(&m), *again;
	struct manifest *r = parsed(text);
	struct mf_chain *c = manifest_find_chain(r, NFPROTO_INET, "t\xff\x80", "in");

	assert_non_null(c);
	assert_int_equal(c->st.priority, -150);
	assert_int_equal(c->st.attached4, -149);
	assert_int_equal(c->st.front_last, 3);
	assert_string_equal(c->st.prog4, "v4_input_m150");
	assert_null(c->st.prog6);
	assert_true(c->regular && c->rank == 7);
	assert_true(manifest_has_table(r, NFPROTO_IPV6, "z\xc3\xa4hlt"));
	assert_false(manifest_has_table(r, NFPROTO_IPV4, "z\xc3\xa4hlt"));
	assert_true(r->ruleset == UINT32_MAX && r->time == 1ull << 40 && r->stride == 128);
	again = manifest_print(r);
	assert_string_equal(again, text);
	free(again);
	free(text);
	manifest_free(r);
}

#define NUMBER(n) #n
#define FORMAT_OF(n) "\"format\": " NUMBER(n)
#define FORMAT FORMAT_OF(MANIFEST_FORMAT)

static void test_manifest_bad(void **state UNUSED)
{
	struct manifest *m;

	assert_no_manifest("");
	assert_no_manifest("{");
	assert_no_manifest("{" FORMAT "}"); /* no version */
	assert_no_manifest("{" FORMAT ", \"version\": \"1\", \"tables\": [{}]}");
	assert_no_manifest("{" FORMAT ", \"version\": \"1\", \"chains\": [{\"name\": 1}]}");
	assert_no_manifest("{" FORMAT ", \"version\": \"1\", \"sets\": [{\"table\": \"t\"}]}");
	/* Of another format tables and chains are known, and nothing else is asked for. */
	m = parsed("{\"format\": 99, \"progs\": [{}], \"tables\": [{\"family\": 2, \"name\": \"t\"}]}");
	assert_true(manifest_has_table(m, NFPROTO_IPV4, "t"));
	assert_int_equal(m->n_progs, 0);
	manifest_free(m);
}

/* A table of another handle is another one; of one whose handle is not known the name says it. */
static void test_tables(void **state UNUSED)
{
	struct ruleset *rs = model_of_text("table ip t { }\ntable inet t { }");
	struct table *t = ruleset_find_table(rs, NFPROTO_IPV4, "t");
	struct mf_table_id id = { tables_hash(t), 5 };
	struct manifest m = { .ids = &id, .n_ids = 1 };

	t->handle = 5;
	assert_true(tables_is_same(&m, t));
	t->handle = 6;
	assert_false(tables_is_same(&m, t));
	assert_true(tables_is_same(&m, ruleset_find_table(rs, NFPROTO_INET, "t")));
	id.handle = 0;
	assert_true(tables_is_same(&m, t));
	ruleset_free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_candidates),   cmocka_unit_test(test_gap),
		cmocka_unit_test(test_front),	     cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_manifest),     cmocka_unit_test(test_manifest_bad),
		cmocka_unit_test(test_tables),	     cmocka_unit_test(test_replaces),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
