/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a ruleset to loaded programs: lower, place, compile, verify, and again without the chains
 * that did not make it, until it holds.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/netfilter.h>

#include "../compiler/calls.h"
#include "../compiler/dispatch.h"
#include "../compiler/opt/opt.h"
#include "../compiler/set_table.h"
#include "manifest.h"
#include "place.h"
#include "reuse.h"
#include "sets.h"
#include "plan.h"

struct planning {
	struct runtime *rt;
	struct rt_load_options opt;
	bool attach;
	uint32_t ruleset; /* the generation that was read */
	struct diags *ds;
	struct rt_plan plan;
	struct bpf_object *obj;
};

double ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

void rt_plan_fini(struct rt_plan *p)
{
	free(p->places);
	emitted_fini(&p->emitted);
	free(p->key);
	lower_result_fini(&p->lowered);
	*p = (struct rt_plan){ 0 };
}

static void planning_fini(struct planning *pl)
{
	rt_plan_fini(&pl->plan);
	sets_close_object(pl->obj);
}

uint32_t plan_verdict(const struct ir_prog *p)
{
	for (uint32_t i = 0; i < p->n_bases; i++)
		if (p->bases[i]->policy == NF_DROP)
			return NF_DROP;
	return NF_ACCEPT;
}

/* ---- chains that go back to the interpreter ---- */

static void drop_chain(struct planning *pl, const struct chain *base, const char *code,
		       const char *why)
{
	lower_drop_chain(&pl->plan.lowered, &pl->opt.lower, base, code, why, pl->ds);
}

static bool has_program(const struct lower_chain *lc)
{
	return lc->compiled || lc->front.n_drops;
}

static void drop_all(struct planning *pl, const char *code, const char *why)
{
	for (uint32_t i = 0; i < pl->plan.lowered.n_chains; i++)
		if (has_program(&pl->plan.lowered.chains[i]))
			drop_chain(pl, pl->plan.lowered.chains[i].base, code, why);
}

/* What was an error where it happened is a reason here. */
static const char *first_error(const struct diags *why)
{
	const struct diag *d;

	list_for_each(d, &why->list, node)
		if (d->level == DIAG_ERROR)
			return d->text;
	return "unknown reason";
}

void plan_drop_all(struct rt_plan *p, const struct lower_options *opt, const char *code,
		   const struct diags *why, struct diags *ds)
{
	for (uint32_t i = 0; i < p->lowered.n_chains; i++)
		if (has_program(&p->lowered.chains[i]))
			lower_drop_chain(&p->lowered, opt, p->lowered.chains[i].base, code,
					 first_error(why), ds);
	p->n_places = 0;
}

static bool is_at(const struct ir_chain *c, const struct diag_place *at)
{
	return at->chain && c->family == at->family && strcmp(c->table, at->table) == 0 &&
	       strcmp(c->name, at->chain) == 0;
}

/* The chain that @d, an error of the backend's, is about as a whole; NULL: it is about more. */
static const struct chain *named_base(const struct ir *ir, const struct diag *d)
{
	for (uint32_t i = 0; i < ir->n_progs; i++)
		for (uint32_t k = 0; k < ir->progs[i].n_bases; k++)
			if (!d->at.rule && is_at(ir->progs[i].bases[k], &d->at))
				return ir->progs[i].bases[k]->origin;
	return NULL;
}

/* What was not compiled takes the chains with it that are named, or all. */
static void drop_uncompiled(struct planning *pl, const struct diags *why)
{
	const struct chain **bases = calloc(why->count[DIAG_ERROR] + 1, sizeof(*bases));
	const struct diag *d;
	size_t n = 0;

	/* Dropping makes the programs anew. */
	list_for_each(d, &why->list, node)
		if (bases && d->level == DIAG_ERROR &&
		    !(bases[n++] = named_base(pl->plan.lowered.ir, d)))
			break;
	if (!n || !bases[n - 1]) {
		drop_all(pl, "compile-failed", first_error(why));
		free(bases);
		return;
	}
	n = 0;
	list_for_each(d, &why->list, node)
		if (d->level == DIAG_ERROR)
			drop_chain(pl, bases[n++], "compile-failed", d->text);
	free(bases);
}

static const struct chain *find_base(const struct ir_prog *p, const struct object_refusal *r)
{
	for (uint32_t i = 0; i < p->n_bases; i++) {
		const struct ir_chain *c = p->bases[i];

		if (r->chain && c->family == r->family && strcmp(c->table, r->table) == 0 &&
		    strcmp(c->name, r->chain) == 0)
			return c->origin;
	}
	return NULL;
}

/* A refused program takes the chain with it that the verifier stumbled in, or all of its chains. */
static void drop_refused(struct planning *pl, const struct object_refusal *r)
{
	const struct chain *base = find_base(r->prog, r), **bases;
	uint32_t n = r->prog->n_bases;
	char AUTO_FREE *why = NULL;

	if (asprintf(&why, "%s%s%s%s%sthe kernel's verifier refused program %s: %s",
		     r->chain ? "at rule " : "", r->chain ? r->table : "", r->chain ? " " : "",
		     r->chain ? r->chain : "", r->chain ? ": " : "", r->prog->name, r->why) < 0)
		why = NULL;
	if (base) {
		drop_chain(pl, base, "verifier", why ? why : r->why);
		return;
	}
	bases = calloc(n, sizeof(*bases)); /* dropping rebuilds the programs */
	for (uint32_t i = 0; bases && i < n; i++)
		bases[i] = r->prog->bases[i]->origin;
	for (uint32_t i = 0; bases && i < n; i++)
		drop_chain(pl, bases[i], "verifier", why ? why : r->why);
	if (!bases)
		drop_all(pl, "verifier", "out of memory");
	free(bases);
}

/* ---- places ---- */

/* Roots that are there are used again where they may be; the nearest one. */
static struct root *reusable(struct runtime *rt, const struct ir_prog *p,
			     const struct place_gap *gap)
{
	struct root *best = NULL;

	for (size_t i = 0; i < rt->n_roots; i++) {
		struct root *r = &rt->roots[i];

		if (r->used || r->pf != p->pf || r->hook != p->hook || r->slots < 0 ||
		    r->verdicts < 0 || r->priority <= gap->low || r->priority >= gap->high)
			continue;
		if (!best || labs((long)r->priority - p->priority) <
				     labs((long)best->priority - p->priority))
			best = r;
	}
	return best;
}

/*
 * Is it a chain that has the place, be it one that is about to go? All else there is somebody else's
 * hook, of which nothing is known but that it is not to be crossed.
 */
static bool is_chains(const struct runtime *rt, const struct ir_prog *p, int32_t at)
{
	for (size_t i = 0; i < rt->n_live; i++) {
		const struct live_hook *h = &rt->live[i];

		if (h->hook == p->hook && h->priority == at &&
		    (h->family == p->pf || h->family == NFPROTO_INET))
			return true;
	}
	return false;
}

/* The places of one side, the nearest first. */
static int attach_beside(struct planning *pl, const struct ir_prog *p, const struct place_gap *gap,
			 bool above, struct diags *why, struct root **ret)
{
	int err = -EBUSY;
	int32_t at;

	for (uint32_t k = 0; err == -EBUSY && place_candidate(gap, p->priority, k, &at); k++) {
		if ((at >= p->priority) != above)
			continue;
		err = root_get(pl->rt, p->pf, p->hook, at, plan_verdict(p), why, ret);
		if (err == -EBUSY && !is_chains(pl->rt, p, at))
			break;
	}
	return err;
}

static int attach_at(struct planning *pl, const struct ir_prog *p, const struct place_gap *gap,
		     struct diags *why, int32_t *ret)
{
	struct root *r = reusable(pl->rt, p, gap);
	int err = -EBUSY;

	if (r)
		err = root_get(pl->rt, p->pf, p->hook, r->priority, plan_verdict(p), why, &r);
	if (err == -EBUSY)
		err = attach_beside(pl, p, gap, true, why, &r);
	if (err == -EBUSY)
		err = attach_beside(pl, p, gap, false, why, &r);
	if (err)
		return err;
	r->used = true;
	*ret = r->priority;
	return 0;
}

/* Before or behind an empty table makes no difference; right before a chain has to be just there. */
static bool iptables_is_in_the_way(const struct ir_prog *p)
{
	return p->bases[0]->is_front ? iptables_is_at(p->pf, p->priority) :
				       iptables_has_rules_at(p->pf, p->priority, p->hook);
}

/* -EBUSY: @ret_reason says why. */
static int place_one(struct planning *pl, const struct ir_prog *p, const struct rt_place *before,
		     struct diags *why, const char **ret_reason, int32_t *ret)
{
	struct place_gap gap;
	int err = place_gap(&pl->plan.lowered, p, &gap);

	*ret_reason = "no priority is free that keeps its place among the other hooks";
	if (!err && iptables_is_in_the_way(p)) {
		*ret_reason = "legacy iptables has rules at its priority, and which of the two runs "
			      "first is not known";
		err = -EBUSY;
	}
	if (err)
		return err;
	if (before && before->prog->pf == p->pf && before->prog->hook == p->hook)
		gap.low = MAX(gap.low, before->priority);
	if (pl->attach)
		return attach_at(pl, p, &gap, why, ret);
	return place_candidate(&gap, p->priority, 0, ret) ? 0 : -EBUSY;
}

static int place_each(struct planning *pl, struct diags *why)
{
	const struct ir *ir = pl->plan.lowered.ir;
	struct rt_place *places = pl->plan.places;
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_progs; i++) {
		const struct ir_prog *p = &ir->progs[i];
		const char *reason;

		places[i].prog = p;
		err = place_one(pl, p, i ? &places[i - 1] : NULL, why, &reason,
				&places[i].priority);
		if (err == -EBUSY)
			/* The last to run: those before it may then share the place. */
			drop_chain(pl, p->bases[p->n_bases - 1]->origin, "priority-taken", reason);
		else if (err)
			drop_all(pl, "load-failed", first_error(why));
	}
	return err ? 1 : 0;
}

/* 0: all have one; 1: a chain was dropped for want of one, begin again. */
static int place_all(struct planning *pl)
{
	uint32_t n = pl->plan.lowered.ir->n_progs;
	struct rt_place *places = calloc(MAX(n, 1u), sizeof(*places));
	struct diags why;
	int ret;

	if (!places)
		return -ENOMEM;
	free(pl->plan.places);
	pl->plan.places = places;
	pl->plan.n_places = n;
	for (size_t i = 0; pl->rt && i < pl->rt->n_roots; i++)
		pl->rt->roots[i].used = false;
	diags_init(&why);
	ret = place_each(pl, &why);
	diags_fini(&why);
	return ret;
}

/* ---- compiling and verifying ---- */

static int cpus(struct diags *ds, uint32_t *ret)
{
	int n = libbpf_num_possible_cpus();
	uint32_t pow = 1;

	if (n < 0)
		return rt_error(ds, n, "cannot tell how many CPUs there may be");
	while ((int)pow < n)
		pow *= 2;
	*ret = pow;
	return 0;
}

/* 0: compiled, or nothing is left to be; 1: something was dropped. */
static int compile_anew(struct planning *pl, const struct emit_options *opt)
{
	const struct emit_backend *backend;
	const struct diag *d;
	struct diags why;
	int err = 0;

	diags_init(&why);
	emitted_fini(&pl->plan.emitted);
	pl->plan.emitted = (struct emitted){ 0 };
	pl->plan.reused = false;
	backend = emit_open(&why);
	if (!backend)
		drop_all(pl, "no-llvm", first_error(&why));
	else
		err = backend->compile(pl->plan.lowered.ir, opt, &why, &pl->plan.emitted);
	if (err && !why.count[DIAG_ERROR])
		rt_error(&why, err, "the compiler cannot be run");
	if (err)
		drop_uncompiled(pl, &why);
	list_for_each(d, &why.list, node)
		if (!err && d->level == DIAG_NOTE)
			diag_add(pl->ds, DIAG_NOTE, d->code, NULL, "%s", d->text);
	diags_fini(&why);
	return err || !backend;
}

/* Optimised, with a place for all that maps hold, and what may stay of the running generation's. */
static void prepare(struct planning *pl, const struct emit_options *opt)
{
	struct opt_options passes = { 0 };
	struct rt_plan *p = &pl->plan;
	double begin = ms_now();

	if (getrandom(&passes.seed, sizeof(passes.seed), GRND_NONBLOCK) < 0)
		passes.seed = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	opt_run(p->lowered.ir, &passes);
	calls_decide(p->lowered.ir);
	/* Only now is it known which verdict has which number: that is in the maps that stay. */
	if (pl->rt) {
		set_tables_place(p->lowered.ir);
		sets_keep(pl->rt, pl->ruleset, p->lowered.ir);
	}
	/* What has no form is an error, or code, where it is emitted. */
	if (opt->maps_elsewhere)
		tables_place(p->lowered.ir);
	free(p->key);
	p->key = pl->rt ? emit_key(p->lowered.ir, opt, &p->key_len) : NULL;
	p->ms_lower += ms_now() - begin;
}

static int compile(struct planning *pl, const struct emit_options *opt)
{
	struct rt_plan *p = &pl->plan;
	double begin = ms_now();
	int err = 0;

	emitted_fini(&p->emitted);
	p->reused = p->key && reuse_find(pl->rt, p->key, p->key_len, &p->emitted, &p->compiled);
	if (!p->reused)
		err = compile_anew(pl, opt);
	p->ms_compile += ms_now() - begin;
	return err;
}

/* 0: loaded; 1: something was dropped; 2: code that was used again was refused. */
static int verify(struct planning *pl)
{
	struct object_refusal refusal = { 0 };
	double begin = ms_now();
	struct diags why;
	int err;

	diags_init(&why);
	err = object_load(pl->rt, pl->plan.lowered.ir, &pl->plan.emitted, &why, &pl->obj, &refusal);
	if (err && pl->plan.reused)
		err = 2;
	else if (err && refusal.prog)
		drop_refused(pl, &refusal);
	else if (err)
		drop_all(pl, "load-failed", first_error(&why));
	object_refusal_fini(&refusal);
	diags_fini(&why);
	pl->plan.ms_verify += ms_now() - begin;
	return err == 2 ? 2 : err ? 1 : 0;
}

static void probe(struct planning *pl)
{
	struct diags why;

	diags_init(&why);
	if (rt_probe(&why) < 0)
		drop_all(pl, "no-bpf", first_error(&why));
	diags_fini(&why);
}

/* NFT_BPF_FRONTS: all of them, or none. */
static enum lower_fronts fronts(void)
{
	const char *which = getenv("NFT_BPF_FRONTS");

	if (which && strcmp(which, "all") == 0)
		return LOWER_ALL_FRONTS;
	return which && strcmp(which, "none") == 0 ? LOWER_NO_FRONTS : LOWER_FRONTS_THAT_PAY;
}

void rt_lower_options(struct lower_options *o)
{
	struct timex tx = { 0 };
	struct timezone tz = { 0 };
	struct timespec tick;
	struct stat ns;

	if (getrandom(&o->seed, sizeof(o->seed), GRND_NONBLOCK) < 0)
		o->seed = (uint32_t)time(NULL);
	o->named_sets = true;
	o->fronts = fronts();
	o->dynamic_sets = true;
	if (!o->read_ns)
		o->read_ns = (uint64_t)(ms_now() * 1e6);
	if (adjtimex(&tx) >= 0)
		o->tai_offset = tx.tai;
	if (syscall(SYS_gettimeofday, NULL, &tz) == 0)
		o->minuteswest = tz.tz_minuteswest;
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 && tick.tv_nsec % 1000000 == 0)
		o->jiffy_ms = (uint32_t)(tick.tv_nsec / 1000000);
	/* PROC_CGROUP_INIT_INO */
	o->init_cgroup_ns = stat("/proc/self/ns/cgroup", &ns) == 0 && ns.st_ino == 0xeffffffb;
}

/* 0: done; 1: once more. */
static int attempt(struct planning *pl)
{
	struct emit_options opt = {
		.maps_elsewhere = pl->rt != NULL,
		.cpu = pl->opt.cpu,
		.want_llvm = pl->opt.want_llvm,
		.want_asm = pl->opt.want_asm,
	};
	int err = place_all(pl);

	if (err || pl->plan.lowered.ir->n_progs == 0)
		return err;
	err = cpus(pl->ds, &opt.cpus);
	if (err)
		return err;
	prepare(pl, &opt);
	if (compile(pl, &opt))
		return 1; /* places anew */
	err = pl->rt ? verify(pl) : 0;
	if (err != 2)
		return err;
	return compile_anew(pl, &opt) ? 1 : verify(pl);
}

/* As long as something runs, sets that do not change make the same maps (kept.c). */
static void keep_seed(struct runtime *rt, uint32_t *seed)
{
	struct manifest CLEANUP(manifest_freep) *m = NULL;
	struct diags quiet;

	diags_init(&quiet);
	if (rt->words && manifest_read(rt, gen_current(rt), &quiet, &m) == 0 && m->seed)
		*seed = m->seed;
	diags_fini(&quiet);
}

int plan_make(struct runtime *rt, const struct ruleset *rs, const struct rt_load_options *opt,
	      bool attach, struct diags *ds, struct rt_plan *ret, struct bpf_object **ret_obj)
{
	struct planning CLEANUP(planning_fini) pl = { .rt = rt, .opt = *opt, .attach = attach,
						      .ds = ds, .ruleset = rs->generation };
	double begin = ms_now();
	int err;

	rt_lower_options(&pl.opt.lower);
	if (rt)
		keep_seed(rt, &pl.opt.lower.seed);
	pl.plan.seed = pl.opt.lower.seed;
	err = lower_ruleset(rs, &pl.opt.lower, ds, &pl.plan.lowered);
	if (err)
		return err;
	pl.plan.ms_lower = ms_now() - begin;
	if (rt && pl.plan.lowered.ir->n_progs)
		probe(&pl);
	while ((err = attempt(&pl)) == 1)
		;
	if (err)
		return err;
	*ret_obj = TAKE_PTR(pl.obj);
	*ret = pl.plan;
	pl.plan = (struct rt_plan){ 0 };
	return 0;
}

int rt_plan(struct runtime *rt, const struct ruleset *rs, const struct rt_load_options *opt,
	    struct diags *ds, struct rt_plan *ret)
{
	struct bpf_object CLEANUP(object_closep) *obj = NULL;

	return plan_make(rt, rs, opt, false, ds, ret, &obj);
}
