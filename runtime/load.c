/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a ruleset, and taking over the live one: plan, then change who enforces what.
 *
 * Whatever keeps chains from being compiled or loaded makes them the interpreter's, and the user's
 * batch is committed all the same; only what nft itself would refuse is an error.
 */
#include <errno.h>

#include <bpf/libbpf.h>
#include <linux/netfilter/nf_tables.h>

#include "../netlink/nfnl.h"
#include "sets.h"
#include "takeover.h"

#define MAX_ATTEMPTS 5 /* at taking over what others change meanwhile */
#define MAX_FAILURES 3 /* of other kinds, the first one among them */

static bool could_be_bpf(const struct chain *c)
{
	uint8_t family = c->table->family;

	return strcmp(c->type, "filter") == 0 && !(c->table->flags & NFT_TABLE_F_DORMANT) &&
	       (family == NFPROTO_IPV4 || family == NFPROTO_IPV6 || family == NFPROTO_INET);
}

/* The chains at fault are the blockers' to name. */
static int check_required(const struct rt_load_options *opt, const struct rt_plan *p,
			  struct diags *ds)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->lowered.n_chains; i++)
		n += !p->lowered.chains[i].compiled && could_be_bpf(p->lowered.chains[i].base);
	if (!opt->require_bpf || !n)
		return 0;
	diag_add(ds, DIAG_ERROR, "require-bpf", NULL,
		 "%u of %u base chains cannot be compiled; nothing was changed", n,
		 p->lowered.n_chains);
	return -EOPNOTSUPP;
}

static int copy_batch(const struct batch *b, struct batch *ret)
{
	ret->data = malloc(b->len ? b->len : 1);
	if (!ret->data)
		return -ENOMEM;
	memcpy(ret->data, b->data, b->len);
	ret->len = b->len;
	ret->generation = b->generation;
	return 0;
}

/* As the kernel can take it, a copy if that differs, and applied to the model as the user meant it. */
static int apply(struct ruleset *rs, const struct batch *b, struct diags *ds, struct batch *ret)
{
	int err = 0;

	if (!b)
		return 0;
	if (rt_may_rewrite(rs)) {
		err = copy_batch(b, ret);
		if (!err)
			err = rt_rewrite(rs, ret);
	}
	return err ? err : apply_batch(rs, b, ds);
}

static bool has_base_chains(const struct ruleset *rs)
{
	const struct table *t;
	const struct chain *c;

	list_for_each(t, &rs->tables, node)
		list_for_each(c, &t->chains, node)
			if (c->is_base)
				return true;
	return false;
}

static int check_only(struct takeover *tk, const struct rt_load_options *opt)
{
	const struct commit_options dry = { .dry_run = true, .generation = tk->rs->generation };
	int err = plan_make(tk->rt, tk->rs, opt, false, tk->ds, tk->plan, &tk->obj);

	if (!err)
		err = check_required(opt, tk->plan, tk->ds);
	if (!err && tk->batch)
		err = commit_batch(tk->batch, &dry, tk->ds);
	return err;
}

/* Without programs after all: pins or maps could not be made. */
static int fill_without(struct takeover *tk, const struct rt_load_options *opt,
			const struct diags *why)
{
	int err;

	for (size_t i = 0; i < tk->rt->n_roots; i++)
		tk->rt->roots[i].used = false;
	manifest_free(tk->m);
	tk->m = NULL;
	sets_close_object(tk->obj);
	tk->obj = NULL;
	tk->keep_manifest = false;
	plan_drop_all(tk->plan, &opt->lower, "load-failed", why, tk->ds);
	gen_drop(tk->rt, tk->gen);
	err = check_required(opt, tk->plan, tk->ds);
	return err ? err : takeover_fill(tk);
}

static int fill(struct takeover *tk, const struct rt_load_options *opt)
{
	struct diags why, *ds = tk->ds;
	int err;

	diags_init(&why);
	tk->ds = &why;
	err = takeover_fill(tk);
	tk->ds = ds;
	if (err && !why.count[DIAG_ERROR])
		rt_error(&why, err, "programs cannot be put in place");
	if (err && err != -ENOMEM)
		err = fill_without(tk, opt, &why);
	else if (err)
		diags_move(ds, &why);
	diags_fini(&why);
	return err;
}

static int check_format(const struct takeover *tk)
{
	const struct manifest *m = tk->state.current;

	if ((!m || m->format == MANIFEST_FORMAT) && !tk->rt->foreign_words)
		return 0;
	diag_add(tk->ds, DIAG_ERROR, "foreign-pins", NULL,
		 "the programs in place were loaded by nft-bpf %s, which this version does not "
		 "understand: nft-bpf give removes them, then load again",
		 m && m->version ? m->version : "of another version");
	return -EPROTO;
}

static int load_once(struct takeover *tk, const struct rt_load_options *opt)
{
	int err = takeover_prepare(tk);

	if (!err)
		err = check_format(tk);
	if (!err)
		err = plan_make(tk->rt, tk->rs, opt, true, tk->ds, tk->plan, &tk->obj);
	if (!err)
		err = check_required(opt, tk->plan, tk->ds);
	rt_stop_at("attached");
	tk->keep_manifest = has_base_chains(tk->rs);
	if (!err)
		err = fill(tk, opt);
	if (!err)
		err = takeover_run(tk);
	if (err && !tk->begun)
		takeover_undo(tk);
	return err;
}

static int take_once(struct runtime *rt, const struct rt_load_options *opt, struct diags *ds)
{
	struct ruleset CLEANUP(ruleset_freep) *rs = NULL;
	struct rt_plan CLEANUP(rt_plan_fini) plan = { 0 };
	struct takeover CLEANUP(takeover_fini) tk = { .rt = rt, .ds = ds, .plan = &plan };
	int err = rt_model(rt, ds, &rs);

	tk.rs = rs;
	return err ? err : load_once(&tk, opt);
}

/*
 * The batch is in, but then somebody else changed the ruleset, or something failed: what is now is
 * taken over, as the next load would do.
 */
static int take_again(struct runtime *rt, const struct rt_load_options *opt, int err,
		      struct diags *ds)
{
	int failures = err != -ERESTART;

	for (int i = 0; err && failures < MAX_FAILURES && i < MAX_ATTEMPTS; i++) {
		diags_lower(ds);
		err = take_once(rt, opt, ds);
		failures += err && err != -ERESTART;
	}
	if (err == -ERESTART)
		diag_add(ds, DIAG_ERROR, "busy", NULL,
			 "the ruleset is being changed by others all the time; it is loaded, but "
			 "some chains may be enforced twice: try nft-bpf take");
	else if (err)
		diag_add(ds, DIAG_ERROR, "unfinished", NULL,
			 "the kernel has the ruleset, but not all of it is done (%s): nft-bpf sync "
			 "goes on; until then old rules may be enforced, too", strerror(-err));
	return err == -ERESTART ? -EBUSY : err == -EINVAL ? -EIO : err;
}

int rt_load(struct runtime *rt, struct ruleset *rs, const struct batch *b,
	    const struct rt_load_options *opt, struct diags *ds, struct rt_plan *ret)
{
	struct rt_plan CLEANUP(rt_plan_fini) plan = { 0 };
	struct batch CLEANUP(batch_fini) batch = { 0 };
	struct takeover CLEANUP(takeover_fini) tk = { .rt = rt, .rs = rs, .ds = ds, .plan = &plan };
	int err = apply(rs, b, ds, &batch);

	ret->unchanged = true;
	if (err)
		return err;
	tk.batch = !b || !b->len ? NULL : batch.data ? &batch : b;
	err = opt->check ? check_only(&tk, opt) : load_once(&tk, opt);
	ret->unchanged = !tk.begun;
	if (err && tk.begun)
		err = take_again(rt, opt, err, ds);
	/* Refused because of --require-bpf: the plan says which chains, and why. */
	if (err && !(err == -EOPNOTSUPP && opt->require_bpf))
		return err;
	*ret = plan;
	plan = (struct rt_plan){ 0 };
	return err;
}
