/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model in the kernel's place: answers to the questions libnftables asks, as the kernel gives
 * them for a ruleset (nf_tables_get*(), nf_tables_dump_*()). What we took off its hook is told with
 * its hook.
 */
#include "serve.h"

#include <errno.h>
#include <linux/netfilter.h>

#include "nlattr.h"
#include "write.h"

struct serve {
	const struct ruleset *rs;
	const struct nlmsghdr *request;
	bool numbered;
	bool dump;
	uint8_t family;
	struct nltb tb;
	struct nlbuf out;
};

static void begin(struct serve *sv, int type, uint8_t family)
{
	struct nlmsg_head head = {
		.type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		.flags = sv->dump ? NLM_F_MULTI : 0,
		.seq = sv->request->nlmsg_seq,
		.portid = sv->request->nlmsg_pid,
		.family = family,
		.res_id = (uint16_t)sv->rs->generation,
	};

	nlbuf_begin(&sv->out, &head);
}

/* NLMSG_DONE and NLMSG_ERROR begin alike: with an int. */
static void end_answer(struct serve *sv, uint16_t type, int err)
{
	struct {
		struct nlmsghdr nlh;
		int error;
		struct nlmsghdr request; /* of NLMSG_ERROR, capped */
	} m = {
		.nlh = {.nlmsg_type = type,
			.nlmsg_seq = sv->request->nlmsg_seq,
			.nlmsg_pid = sv->request->nlmsg_pid},
		.error = err,
		.request = *sv->request,
	};

	m.nlh.nlmsg_len = type == NLMSG_DONE ? sizeof(m.nlh) + sizeof(m.error) : sizeof(m);
	m.nlh.nlmsg_flags = type == NLMSG_DONE ? NLM_F_MULTI : 0x100 /* NLM_F_CAPPED */;
	nlbuf_raw(&sv->out, &m, m.nlh.nlmsg_len);
}

static bool wants_table(const struct serve *sv, const struct table *t, const char *name)
{
	return (sv->family == NFPROTO_UNSPEC || sv->family == t->family) &&
	       (!name || strcmp(name, t->name) == 0);
}

/* A single object of a named table. */
static struct table *the_table(const struct serve *sv, unsigned int type)
{
	const char *name = nltb_str(&sv->tb, type);

	return name ? ruleset_find_table(sv->rs, sv->family, name) : NULL;
}

static int serve_generation(struct serve *sv)
{
	begin(sv, NFT_MSG_NEWGEN, NFPROTO_UNSPEC);
	nlbuf_put_be32(&sv->out, NFTA_GEN_ID, sv->rs->generation);
	nlbuf_put_be32(&sv->out, NFTA_GEN_PROC_PID, 0);
	nlbuf_put_str(&sv->out, NFTA_GEN_PROC_NAME, "nft-bpf");
	nlbuf_end(&sv->out);
	return 0;
}

static void tell_table(struct serve *sv, const struct table *t)
{
	begin(sv, NFT_MSG_NEWTABLE, t->family);
	write_table(&sv->out, t);
	nlbuf_end(&sv->out);
}

static int serve_tables(struct serve *sv)
{
	const char *name = nltb_str(&sv->tb, NFTA_TABLE_NAME);
	struct table *t;

	if (!sv->dump) {
		t = name ? ruleset_find_table(sv->rs, sv->family, name) : NULL;
		if (!t)
			return -ENOENT;
		tell_table(sv, t);
		return 0;
	}
	list_for_each(t, &sv->rs->tables, node) {
		if (wants_table(sv, t, NULL))
			tell_table(sv, t);
	}
	return 0;
}

static void tell_chain(struct serve *sv, const struct chain *c)
{
	struct chain shown = *c;

	if (sv->numbered)
		shown.flags &= ~(uint32_t)NFT_CHAIN_BINDING;
	begin(sv, NFT_MSG_NEWCHAIN, c->table->family);
	write_chain(&sv->out, &shown, WRITE_TOLD, true);
	nlbuf_end(&sv->out);
}

static int serve_chains(struct serve *sv)
{
	const char *name = nltb_str(&sv->tb, NFTA_CHAIN_NAME);
	struct table *t;
	struct chain *c;

	if (!sv->dump) {
		t = the_table(sv, NFTA_CHAIN_TABLE);
		c = t && name ? table_find_chain(t, name) : NULL;
		if (!c)
			return -ENOENT;
		tell_chain(sv, c);
		return 0;
	}
	list_for_each(t, &sv->rs->tables, node) {
		if (!wants_table(sv, t, NULL))
			continue;
		list_for_each(c, &t->chains, node)
			tell_chain(sv, c);
	}
	return 0;
}

static void tell_rule(struct serve *sv, const struct rule *r, uint64_t handle)
{
	begin(sv, NFT_MSG_NEWRULE, r->chain->table->family);
	write_rule(&sv->out, r, WRITE_TOLD, handle);
	nlbuf_end(&sv->out);
}

static int serve_rules(struct serve *sv)
{
	const char *table = nltb_str(&sv->tb, NFTA_RULE_TABLE);
	const char *chain = nltb_str(&sv->tb, NFTA_RULE_CHAIN);
	uint64_t handle = nltb_u64(&sv->tb, NFTA_RULE_HANDLE, 0), number = SERVE_NUMBER;
	const struct table *t;
	const struct chain *c;
	const struct rule *r;
	size_t before = sv->out.len;

	list_for_each(t, &sv->rs->tables, node) {
		list_for_each(c, &t->chains, node) {
			if (!wants_table(sv, t, table) || (chain && strcmp(chain, c->name) != 0)) {
				number += c->n_rules;
				continue;
			}
			list_for_each(r, &c->rules, node) {
				if (sv->dump || (handle && r->handle == handle))
					tell_rule(sv, r, sv->numbered ? number : r->handle);
				number++;
			}
		}
	}
	return sv->dump || sv->out.len > before ? 0 : -ENOENT;
}

static void tell_set(struct serve *sv, const struct set *s)
{
	begin(sv, NFT_MSG_NEWSET, s->table->family);
	write_set(&sv->out, s, WRITE_TOLD);
	nlbuf_end(&sv->out);
}

static int serve_sets(struct serve *sv)
{
	const char *table = nltb_str(&sv->tb, NFTA_SET_TABLE);
	const char *name = nltb_str(&sv->tb, NFTA_SET_NAME);
	struct table *t;
	struct set *s;

	if (!sv->dump) {
		t = the_table(sv, NFTA_SET_TABLE);
		s = t && name ? table_find_set(t, name) : NULL;
		if (!s)
			return -ENOENT;
		tell_set(sv, s);
		return 0;
	}
	list_for_each(t, &sv->rs->tables, node) {
		if (!wants_table(sv, t, table))
			continue;
		list_for_each(s, &t->sets, node)
			tell_set(sv, s);
	}
	return 0;
}

/* ---- elements ---- */

static size_t elems_begin(struct serve *sv, const struct set *s)
{
	begin(sv, NFT_MSG_NEWSETELEM, s->table->family);
	nlbuf_put_str(&sv->out, NFTA_SET_ELEM_LIST_TABLE, s->table->name);
	nlbuf_put_str(&sv->out, NFTA_SET_ELEM_LIST_SET, s->name);
	return nlbuf_nest(&sv->out, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void elems_end(struct serve *sv, size_t nest)
{
	nlbuf_nest_end(&sv->out, nest);
	nlbuf_end(&sv->out);
}

static void tell_all_elems(struct serve *sv, const struct set *s)
{
	size_t nest, i;

	nest = elems_begin(sv, s);
	for (i = 0; i < s->n_elems; i++) {
		if (sv->out.len - nest > WRITE_ELEMS_MAX) {
			elems_end(sv, nest);
			nest = elems_begin(sv, s);
		}
		write_elem(&sv->out, s, &s->elems[i], WRITE_TOLD);
	}
	elems_end(sv, nest);
}

/* nft_get_set_elem() */
static int tell_elem(struct serve *sv, struct set *s, const struct nlattr *attr)
{
	struct nltb tb, key = {0};
	uint32_t flags;
	struct set_elem *e;
	struct blob k;
	size_t nest;

	if (nltb_parse_nested(&tb, attr) < 0)
		return -EINVAL;
	flags = nltb_u32(&tb, NFTA_SET_ELEM_FLAGS, 0);
	if (nltb_has(&tb, NFTA_SET_ELEM_KEY)) {
		if (nltb_parse_nested(&key, tb.attr[NFTA_SET_ELEM_KEY]) < 0)
			return -EINVAL;
	} else if (!(flags & NFT_BPF_SET_ELEM_CATCHALL)) {
		return -EINVAL;
	}
	k = nltb_blob(&key, NFTA_DATA_VALUE);
	if (k.len != (nltb_has(&tb, NFTA_SET_ELEM_KEY) ? s->key_len : 0))
		return -EINVAL;
	e = serve_get(s, k.data, flags);
	if (!e)
		return -ENOENT;
	nest = elems_begin(sv, s);
	write_elem(&sv->out, s, e, WRITE_TOLD);
	elems_end(sv, nest);
	return 0;
}

static int serve_elems(struct serve *sv)
{
	const char *name = nltb_str(&sv->tb, NFTA_SET_ELEM_LIST_SET);
	const struct nlattr *list = sv->tb.attr[NFTA_SET_ELEM_LIST_ELEMENTS], *attr;
	struct table *t = the_table(sv, NFTA_SET_ELEM_LIST_TABLE);
	struct set *s = t && name ? table_find_set(t, name) : NULL;
	int err;

	if (!s)
		return -ENOENT;
	if (sv->dump) {
		tell_all_elems(sv, s);
		return 0;
	}
	if (!list)
		return -EINVAL;
	mnl_attr_for_each_nested(attr, list) {
		err = tell_elem(sv, s, attr);
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- objects and flowtables ---- */

static void tell_object(struct serve *sv, const struct object *o)
{
	begin(sv, NFT_MSG_NEWOBJ, o->table->family);
	write_object(&sv->out, o, WRITE_TOLD);
	nlbuf_end(&sv->out);
}

static int serve_objects(struct serve *sv)
{
	const char *table = nltb_str(&sv->tb, NFTA_OBJ_TABLE);
	const char *name = nltb_str(&sv->tb, NFTA_OBJ_NAME);
	uint32_t type = nltb_u32(&sv->tb, NFTA_OBJ_TYPE, NFT_OBJECT_UNSPEC);
	struct table *t;
	struct object *o;

	if (!sv->dump) {
		t = the_table(sv, NFTA_OBJ_TABLE);
		o = t && name ? table_find_object(t, type, name) : NULL;
		if (!o)
			return -ENOENT;
		tell_object(sv, o);
		return 0;
	}
	list_for_each(t, &sv->rs->tables, node) {
		if (!wants_table(sv, t, table))
			continue;
		list_for_each(o, &t->objects, node) {
			if (type == NFT_OBJECT_UNSPEC || type == o->type)
				tell_object(sv, o);
		}
	}
	return 0;
}

static void tell_flowtable(struct serve *sv, const struct flowtable *f)
{
	begin(sv, NFT_MSG_NEWFLOWTABLE, f->table->family);
	write_flowtable(&sv->out, f, WRITE_TOLD);
	nlbuf_end(&sv->out);
}

static int serve_flowtables(struct serve *sv)
{
	const char *table = nltb_str(&sv->tb, NFTA_FLOWTABLE_TABLE);
	const char *name = nltb_str(&sv->tb, NFTA_FLOWTABLE_NAME);
	struct table *t;
	struct flowtable *f;

	if (!sv->dump) {
		t = the_table(sv, NFTA_FLOWTABLE_TABLE);
		f = t && name ? table_find_flowtable(t, name) : NULL;
		if (!f)
			return -ENOENT;
		tell_flowtable(sv, f);
		return 0;
	}
	list_for_each(t, &sv->rs->tables, node) {
		if (!wants_table(sv, t, table))
			continue;
		list_for_each(f, &t->flowtables, node)
			tell_flowtable(sv, f);
	}
	return 0;
}

static int (*const answers[])(struct serve *sv) = {
	[NFT_MSG_GETTABLE] = serve_tables,
	[NFT_MSG_GETCHAIN] = serve_chains,
	[NFT_MSG_GETRULE] = serve_rules,
	[NFT_MSG_GETSET] = serve_sets,
	[NFT_MSG_GETSETELEM] = serve_elems,
	[NFT_MSG_GETGEN] = serve_generation,
	[NFT_MSG_GETOBJ] = serve_objects,
	[NFT_MSG_GETOBJ_RESET] = serve_objects,
	[NFT_MSG_GETFLOWTABLE] = serve_flowtables,
	[NFT_BPF_MSG_GETRULE_RESET] = serve_rules,
	[NFT_BPF_MSG_GETSETELEM_RESET] = serve_elems,
};

int serve_request_numbered(const struct ruleset *rs, const struct nlmsghdr *request, bool numbered,
			   uint8_t **ret_data, size_t *ret_len)
{
	struct serve sv = {.rs = rs, .request = request, .numbered = numbered};
	int type = nlmsg_nft_type(request), err = -EOPNOTSUPP;

	sv.dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	if (type >= 0 && type < (int)ARRAY_SIZE(answers) && answers[type]) {
		sv.family = nlmsg_nfgen(request)->nfgen_family;
		err = nltb_parse_message(&sv.tb, request);
		if (!err)
			err = answers[type](&sv);
	} else if (NFNL_SUBSYS_ID(request->nlmsg_type) == NFNL_SUBSYS_NFT_COMPAT) {
		err = 0; /* libxtables asks whether there is such a match: the ruleset has it */
	}
	if (sv.dump && !err)
		end_answer(&sv, NLMSG_DONE, 0);
	else if (err || request->nlmsg_flags & NLM_F_ACK)
		end_answer(&sv, NLMSG_ERROR, err);
	if (sv.out.failed) {
		nlbuf_fini(&sv.out);
		return -ENOMEM;
	}
	*ret_data = sv.out.data;
	*ret_len = sv.out.len;
	return 0;
}

int serve_request(const struct ruleset *rs, const struct nlmsghdr *request, uint8_t **ret_data,
		  size_t *ret_len)
{
	return serve_request_numbered(rs, request, false, ret_data, ret_len);
}
