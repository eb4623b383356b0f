/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lowering: a model whose expressions have the attributes that the bytes say, right ones and wrong
 * ones, becomes an IR that is sound, can be read back and stays what it is through the optimiser.
 */
#include "tests/lower_build.h"

#include <linux/netfilter/nf_tables_compat.h>

#include "compiler/lower.h"
#include "tests/fuzz/equal.h"

const char fuzz_name[] = "lower";

enum { N_CHAINS = 4, N_SETS = 4, MAX_RULES = 10, MAX_EXPRS = 8, MAX_ELEMS = 6 };

/* What an attribute holds. */
enum kind {
	REG = 1,
	U32,   /* below .n, as be32 */
	U8,    /* below .n */
	U64,   /* as be64 */
	LEN,   /* bytes, mostly those of the last load */
	DATA,  /* that many */
	SET,   /* names */
	OBJECT,
	MATCH,
	VERDICT, /* or data */
	INFO,	 /* of a match */
};

struct attr {
	uint16_t type;
	enum kind kind;
	uint32_t n;
};

static const struct kind_of_expr {
	const char *name;
	struct attr attrs[8];
} exprs[] = {
	{"payload", {{NFTA_PAYLOAD_DREG, REG}, {NFTA_PAYLOAD_BASE, U32, 4},
		     {NFTA_PAYLOAD_OFFSET, U32, 48}, {NFTA_PAYLOAD_LEN, LEN}}},
	{"meta", {{NFTA_META_DREG, REG}, {NFTA_META_KEY, U32, 36}}},
	{"cmp", {{NFTA_CMP_SREG, REG}, {NFTA_CMP_OP, U32, 6}, {NFTA_CMP_DATA, DATA}}},
	{"bitwise", {{NFTA_BITWISE_SREG, REG}, {NFTA_BITWISE_DREG, REG}, {NFTA_BITWISE_LEN, LEN},
		     {NFTA_BITWISE_MASK, DATA}, {NFTA_BITWISE_XOR, DATA},
		     {NFTA_BITWISE_OP, U32, 3}, {NFTA_BITWISE_DATA, DATA}}},
	{"byteorder", {{NFTA_BYTEORDER_SREG, REG}, {NFTA_BYTEORDER_DREG, REG},
		       {NFTA_BYTEORDER_OP, U32, 2}, {NFTA_BYTEORDER_LEN, LEN},
		       {NFTA_BYTEORDER_SIZE, U32, 9}}},
	{"range", {{NFTA_RANGE_SREG, REG}, {NFTA_RANGE_OP, U32, 2}, {NFTA_RANGE_FROM_DATA, DATA},
		   {NFTA_RANGE_TO_DATA, DATA}}},
	{"lookup", {{NFTA_LOOKUP_SET, SET}, {NFTA_LOOKUP_SREG, REG}, {NFTA_LOOKUP_DREG, REG},
		    {NFTA_LOOKUP_FLAGS, U32, 2}}},
	{"immediate", {{NFTA_IMMEDIATE_DREG, REG, 1}, {NFTA_IMMEDIATE_DATA, VERDICT}}},
	{"counter", {{NFTA_COUNTER_BYTES, U64}, {NFTA_COUNTER_PACKETS, U64}}},
	{"limit", {{NFTA_LIMIT_RATE, U64}, {NFTA_LIMIT_UNIT, U64}, {NFTA_LIMIT_BURST, U32, 99},
		   {NFTA_LIMIT_TYPE, U32, 2}, {NFTA_LIMIT_FLAGS, U32, 2}}},
	{"quota", {{NFTA_QUOTA_BYTES, U64}, {NFTA_QUOTA_FLAGS, U32, 2}, {NFTA_QUOTA_CONSUMED, U64}}},
	{"last", {{NFTA_LAST_SET, U32, 2}, {NFTA_LAST_MSECS, U64}}},
	{"ct", {{NFTA_CT_DREG, REG}, {NFTA_CT_KEY, U32, 26}, {NFTA_CT_DIRECTION, U8, 3}}},
	{"exthdr", {{NFTA_EXTHDR_DREG, REG}, {NFTA_EXTHDR_TYPE, U8, 256},
		    {NFTA_EXTHDR_OFFSET, U32, 40}, {NFTA_EXTHDR_LEN, LEN},
		    {NFTA_EXTHDR_FLAGS, U32, 2}, {NFTA_EXTHDR_OP, U32, 4}}},
	{"hash", {{NFTA_HASH_SREG, REG}, {NFTA_HASH_DREG, REG}, {NFTA_HASH_LEN, LEN},
		  {NFTA_HASH_MODULUS, U32, 9}, {NFTA_HASH_SEED, U32, 9}, {NFTA_HASH_OFFSET, U32, 9},
		  {NFTA_HASH_TYPE, U32, 2}}},
	{"numgen", {{NFTA_NG_DREG, REG}, {NFTA_NG_MODULUS, U32, 9}, {NFTA_NG_TYPE, U32, 2},
		    {NFTA_NG_OFFSET, U32, 9}}},
	{"rt", {{NFTA_RT_DREG, REG}, {NFTA_RT_KEY, U32, 6}}},
	{"socket", {{NFTA_SOCKET_DREG, REG}, {NFTA_SOCKET_KEY, U32, 5}, {NFTA_SOCKET_LEVEL, U32, 9}}},
	{"objref", {{NFTA_OBJREF_IMM_TYPE, U32, 9}, {NFTA_OBJREF_IMM_NAME, OBJECT}}},
	{"match", {{NFTA_MATCH_NAME, MATCH}, {NFTA_MATCH_REV, U32, 5}, {NFTA_MATCH_INFO, INFO}}},
	{"dynset", {{NFTA_DYNSET_SET_NAME, SET}, {NFTA_DYNSET_SREG_KEY, REG}}},
	{"log", {{0}}},
};

/* The most common ones: what a byte beyond the table means. */
static const uint8_t common[] = {0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 6, 6, 6, 7, 7, 7, 8};

static const char *const set_names[] = {"s0", "s1", "s2", "s3", "__set0"};
static const char *const object_names[] = {"o0", "o1", "o2"};
static const char *const chain_names[] = {"c0", "c1", "c2", "c3"};
static const char *const match_names[] = {
	"tcp",	"udp", "icmp", "icmp6", "conntrack", "state", "connmark", "multiport", "mark",
	"ttl",	"hl",  "dscp", "tos",	"iprange",   "mac",   "pkttype",  "statistic", "comment",
	"addrtype",
};

#define RANGED (NFT_SET_INTERVAL | NFT_SET_CONCAT)

struct builder {
	struct fuzz_in *in;
	struct ruleset *rs;
	struct table *t;
	struct nla_buf b;
	uint32_t len; /* of the last load, or key */
};

/* ---- attributes ---- */

static uint32_t take_len(struct builder *x)
{
	static const uint8_t lens[] = {1, 2, 4, 4, 4, 6, 8, 16};
	uint8_t how = fuzz_byte(x->in);

	return how & 0x80 ? how & 0x7f : lens[how & 7];
}

static void put_u64(struct builder *x, uint16_t type)
{
	static const uint64_t some[] = {0, 1, 10, 60, 1000, 1ull << 32, 1ull << 61, UINT64_MAX};
	uint8_t how = fuzz_byte(x->in);
	uint64_t v = __builtin_bswap64(how & 0x80 ? how & 0x7f : some[how & 7]);

	nla_put(&x->b, type, &v, sizeof(v));
}

static void take_data(struct builder *x, uint8_t *data, uint32_t len)
{
	uint8_t how = fuzz_byte(x->in);

	memset(data, how & 1 ? 255 : 0, len);
	if (how & 2)
		for (uint32_t i = 0; i < len; i++)
			data[i] = fuzz_byte(x->in);
	else if (len)
		data[how & 4 ? 0 : len - 1] = how >> 3;
}

static void put_some_data(struct builder *x, uint16_t type)
{
	uint8_t data[256], how = fuzz_byte(x->in);
	uint32_t len = how < 240 ? x->len : how & 0x10 ? 4 : take_len(x);

	take_data(x, data, len);
	nla_put_data(&x->b, type, data, len);
}

static void put_verdict_data(struct builder *x, uint16_t type, uint8_t how)
{
	static const int32_t codes[] = {NF_ACCEPT, NF_DROP, NFT_RETURN, NFT_CONTINUE, NFT_JUMP,
					NFT_GOTO, NFT_BREAK, NF_QUEUE};
	int32_t code = codes[how & 7];
	uint32_t data = nla_begin(&x->b, type), verdict = nla_begin(&x->b, NFTA_DATA_VERDICT);
	const char *to = chain_names[how >> 3 & 3];

	nla_put_u32(&x->b, NFTA_VERDICT_CODE, (uint32_t)code);
	if (code == NFT_JUMP || code == NFT_GOTO)
		nla_put(&x->b, NFTA_VERDICT_CHAIN, to, strlen(to) + 1);
	nla_end(&x->b, verdict);
	nla_end(&x->b, data);
}

/* More than any of them needs, or too little. */
static void put_info(struct builder *x, uint16_t type)
{
	uint8_t info[200] = {0}, how = fuzz_byte(x->in);

	for (uint32_t i = 0; i < how && i < sizeof(info); i++)
		info[i] = fuzz_byte(x->in);
	nla_put(&x->b, type, info, how & 1 ? how % sizeof(info) : sizeof(info));
}

static void put_name(struct builder *x, uint16_t type, const char *const *names, uint32_t n)
{
	const char *name = names[fuzz_below(x->in, n)];

	nla_put(&x->b, type, name, strlen(name) + 1);
}

static void put_reg(struct builder *x, const struct attr *a)
{
	uint8_t how = fuzz_byte(x->in);
	uint32_t reg = 1;

	if (a->n && how < 192)
		reg = NFT_REG_VERDICT;
	else if (how & 0x80)
		reg = how & 0x1f;
	else if (how & 0x40)
		reg = NFT_REG32_00 + (how & 3u);
	nla_put_u32(&x->b, a->type, reg);
}

static void put_attr(struct builder *x, const struct attr *a)
{
	uint8_t v;

	switch (a->kind) {
	case REG:
		put_reg(x, a);
		break;
	case U32:
		nla_put_u32(&x->b, a->type, fuzz_below(x->in, a->n));
		break;
	case U8:
		v = (uint8_t)fuzz_below(x->in, a->n);
		nla_put(&x->b, a->type, &v, 1);
		break;
	case U64:
		put_u64(x, a->type);
		break;
	case LEN:
		if (fuzz_byte(x->in) & 0x80)
			x->len = take_len(x);
		nla_put_u32(&x->b, a->type, x->len);
		break;
	case DATA:
		put_some_data(x, a->type);
		break;
	case VERDICT:
		v = fuzz_byte(x->in);
		if (v & 0x80)
			put_some_data(x, a->type);
		else
			put_verdict_data(x, a->type, v);
		break;
	case SET:
		put_name(x, a->type, set_names, ARRAY_SIZE(set_names));
		break;
	case OBJECT:
		put_name(x, a->type, object_names, ARRAY_SIZE(object_names));
		break;
	case MATCH:
		put_name(x, a->type, match_names, ARRAY_SIZE(match_names));
		break;
	case INFO:
		put_info(x, a->type);
		break;
	}
}

/* What meta and ct loads are wide; others say so themselves. */
static void note_len(struct builder *x, const char *name)
{
	if (strcmp(name, "meta") == 0 || strcmp(name, "ct") == 0)
		x->len = take_len(x);
	else if (strcmp(name, "hash") == 0 || strcmp(name, "numgen") == 0)
		x->len = 4;
}

static void put_expr(struct builder *x)
{
	uint8_t what = fuzz_byte(x->in), leave_out = fuzz_byte(x->in);
	const struct kind_of_expr *k =
		&exprs[what < ARRAY_SIZE(exprs) ? what : common[what % ARRAY_SIZE(common)]];
	struct expr_nest n;

	n = expr_begin(&x->b, k->name);
	for (uint32_t i = 0; i < ARRAY_SIZE(k->attrs) && k->attrs[i].kind; i++)
		if (!(leave_out & 1u << i))
			put_attr(x, &k->attrs[i]);
	expr_end(&x->b, n);
	note_len(x, k->name);
}

/* ---- objects ---- */

static void take_elem(struct builder *x, struct set *s, uint8_t how)
{
	bool has_end = (s->flags & RANGED) == RANGED && !(how & 0x40);
	uint8_t key[256], end[256];
	struct set_elem *e;

	take_data(x, key, s->key_len);
	if (has_end)
		take_data(x, end, s->key_len);
	e = set_elem_get(s, how & 0x40 ? NULL : key, has_end ? end : NULL,
			 how & 0x80 && (s->flags & RANGED) == NFT_SET_INTERVAL
				 ? NFT_SET_ELEM_INTERVAL_END
				 : 0,
			 true);
	if (!e || e->data || e->verdict.chain || e->exprs.n) /* had that key */
		return;
	if (s->flags & NFT_SET_TIMEOUT)
		e->expiration = how & 3;
	if (s->flags & NFT_SET_MAP && s->data_type == NFT_DATA_VERDICT) {
		e->verdict.code = how & 4 ? NFT_JUMP : how & 8 ? NF_DROP : NF_ACCEPT;
		if (how & 4)
			e->verdict.chain = strdup(chain_names[how & 3]);
	} else if (s->flags & NFT_SET_MAP) {
		e->data = malloc(MAX(s->data_len, 1u));
		take_data(x, e->data, s->data_len);
	}
	if (how & 0x20) {
		put_counter(&x->b);
		if (exprs_init(&e->exprs, x->b.data, x->b.len))
			abort();
		x->b.len = 0;
	}
}

static void take_fields(struct builder *x, struct set *s)
{
	s->n_fields = 2;
	s->field_len = malloc(2);
	s->field_len[0] = (uint8_t)(1 + fuzz_below(x->in, 8));
	s->field_len[1] = (uint8_t)(1 + fuzz_below(x->in, 8));
	if (fuzz_byte(x->in) & 1)
		s->key_len = ROUND_UP(s->field_len[0], 4u) + ROUND_UP(s->field_len[1], 4u);
}

static void take_set(struct builder *x, const char *name)
{
	uint8_t how = fuzz_byte(x->in), more = fuzz_byte(x->in);
	uint32_t flags = how & (NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL |
				NFT_SET_MAP | NFT_SET_TIMEOUT);
	bool verdicts = more & 1;
	struct set *s = set_add(x->t, name, flags, take_len(x) % 65,
				verdicts ? NFT_DATA_VERDICT : 0, verdicts ? 16 : take_len(x) % 65);

	if (how & 0x80)
		take_fields(x, s);
	if (flags & NFT_SET_INTERVAL && how & 0x80)
		s->flags |= NFT_SET_CONCAT;
	s->size = more & 2 ? 2 : 0;
	for (uint32_t n = fuzz_below(x->in, MAX_ELEMS), i = 0; i < n; i++)
		take_elem(x, s, fuzz_byte(x->in));
}

static void take_object(struct builder *x, uint32_t i)
{
	static const uint32_t types[] = {NFT_OBJECT_COUNTER, NFT_OBJECT_QUOTA, NFT_OBJECT_LIMIT};
	static const char *const like[] = {"counter", "quota", "limit"};
	struct object *o = object_new(x->t, types[i], object_names[i]);

	for (uint32_t k = 0; k < ARRAY_SIZE(exprs); k++)
		if (strcmp(exprs[k].name, like[i]) == 0)
			for (uint32_t a = 0; exprs[k].attrs[a].kind; a++)
				put_attr(x, &exprs[k].attrs[a]);
	if (blob_set(&o->attrs, x->b.data, x->b.len))
		abort();
	x->b.len = 0;
}

static void take_rules(struct builder *x, struct chain *c)
{
	for (uint32_t n = fuzz_below(x->in, MAX_RULES), i = 0; i < n && x->in->left; i++) {
		for (uint32_t m = fuzz_below(x->in, MAX_EXPRS), k = 0; k < m; k++)
			if (x->b.len < sizeof(x->b.data) - 1024)
				put_expr(x);
		rule_add(c, &x->b)->handle = i + 1;
	}
}

static void take_ruleset(struct builder *x)
{
	static const uint8_t families[] = {NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_ARP};
	struct chain *chains[N_CHAINS];
	uint8_t how = fuzz_byte(x->in);

	x->rs = ruleset_new();
	x->t = table_new(x->rs, families[how & 3], "t");
	x->len = 4;
	for (uint32_t i = 0; i < N_CHAINS; i++) {
		if (i < 1 + (how >> 2 & 1u))
			chains[i] = base_add(x->t, chain_names[i], how >> 3 & 7, how >> 6);
		else
			chains[i] = chain_new(x->t, chain_names[i]);
	}
	for (uint32_t i = 0; i < N_SETS; i++)
		take_set(x, set_names[i]);
	for (uint32_t i = 0; i < ARRAY_SIZE(object_names); i++)
		take_object(x, i);
	for (uint32_t i = 0; i < N_CHAINS; i++)
		take_rules(x, chains[i]);
}

/* ---- lowered ---- */

static struct ir *lower(const struct ruleset *rs, struct lower_result *lr)
{
	struct lower_options opt = {.seed = 1, .named_sets = true, .jiffy_ms = 4,
				    .init_cgroup_ns = true};
	struct diags ds;
	char *why;
	int err;

	diags_init(&ds);
	err = lower_ruleset(rs, &opt, &ds, lr);
	FUZZ_HOLDS(err == 0, "%d", err);
	diags_fini(&ds);
	why = ir_check(lr->ir);
	if (why) {
		AUTO_FREE char *text = ir_to_text(lr->ir);

		FUZZ_HOLDS(!why, "%s\n%s", why, text);
	}
	for (uint32_t i = 0; i < lr->n_chains; i++)
		FUZZ_HOLDS(lr->chains[i].compiled == !lr->chains[i].n_blockers, "%u blockers",
			   lr->chains[i].n_blockers);
	return lr->ir;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What is behind three quarters is for packets. */
	struct fuzz_in in = {data, size - size / 4}, packets = {data + in.left, size / 4};
	struct builder x = {.in = &in};
	struct lower_result before, after;
	char *why;

	take_ruleset(&x);
	lower(x.rs, &before);
	equal_check_text(before.ir);
	lower(x.rs, &after);
	equal_optimise(after.ir, EQUAL_ALL);
	why = ir_check(after.ir);
	FUZZ_HOLDS(!why, "%s", why);
	equal_check(before.ir, after.ir, packets, "optimised");
	lower_result_fini(&before);
	lower_result_fini(&after);
	ruleset_free(x.rs);
	return 0;
}
