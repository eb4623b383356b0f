/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a ruleset to loaded programs: lower, place, compile, verify, and again without the chains
 * that did not make it, until it holds.
 */
#include <sys/random.h>
#include <time.h>

#include <bpf/libbpf.h>

#include "../compiler/calls.h"
#include "../compiler/dispatch.h"
#include "../compiler/opt/opt.h"
#include "../compiler/set_table.h"
#include "manifest.h"
#include "planning.h"
#include "reuse.h"
#include "sets.h"

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
		planning_drop_all(pl, "no-llvm", diags_first_error(&why));
	else
		err = backend->compile(pl->plan.lowered.ir, opt, &why, &pl->plan.emitted);
	if (err && !why.count[DIAG_ERROR])
		rt_error(&why, err, "the compiler cannot be run");
	if (err)
		planning_drop_uncompiled(pl, &why);
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
	double begin = now_ms();

	if (getrandom(&passes.seed, sizeof(passes.seed), GRND_NONBLOCK) < 0)
		passes.seed = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	opt_run(p->lowered.ir, &passes);
	calls_decide(p->lowered.ir);
	/* Only now is it known which verdict has which number: that is in the maps that stay. */
	set_tables_place(p->lowered.ir);
	sets_keep(pl->rt, pl->ruleset, p->lowered.ir);
	/* What has no form is an error, or code, where it is emitted. */
	tables_place(p->lowered.ir);
	free(p->key);
	p->key = emit_key(p->lowered.ir, opt, &p->key_len);
	p->ms_lower += now_ms() - begin;
}

static int compile(struct planning *pl, const struct emit_options *opt)
{
	struct rt_plan *p = &pl->plan;
	double begin = now_ms();
	int err = 0;

	emitted_fini(&p->emitted);
	p->reused = p->key && reuse_find(pl->rt, p->key, p->key_len, &p->emitted, &p->compiled);
	if (!p->reused)
		err = compile_anew(pl, opt);
	p->ms_compile += now_ms() - begin;
	return err;
}

/* 0: loaded; 1: something was dropped; 2: code that was used again was refused. */
static int verify(struct planning *pl)
{
	struct object_refusal refusal = { 0 };
	double begin = now_ms();
	struct diags why;
	int err;

	diags_init(&why);
	err = object_load(pl->rt, pl->plan.lowered.ir, &pl->plan.emitted, &why, &pl->obj, &refusal);
	if (err && pl->plan.reused)
		err = 2;
	else if (err && refusal.prog)
		planning_drop_refused(pl, &refusal);
	else if (err)
		planning_drop_all(pl, "load-failed", diags_first_error(&why));
	object_refusal_fini(&refusal);
	diags_fini(&why);
	pl->plan.ms_verify += now_ms() - begin;
	return err == 2 ? 2 : err ? 1 : 0;
}

static void probe(struct planning *pl)
{
	struct diags why;

	diags_init(&why);
	if (rt_probe(&why) < 0)
		planning_drop_all(pl, "no-bpf", diags_first_error(&why));
	diags_fini(&why);
}

/* 0: done; 1: once more. */
static int attempt(struct planning *pl)
{
	struct emit_options opt = {.maps_elsewhere = true};
	int err = planning_place(pl);

	if (err || pl->plan.lowered.ir->n_progs == 0)
		return err;
	err = cpus(pl->ds, &opt.cpus);
	if (err)
		return err;
	prepare(pl, &opt);
	if (compile(pl, &opt))
		return 1; /* places anew */
	err = verify(pl);
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
	double begin = now_ms();
	int err;

	rt_lower_options(&pl.opt.lower);
	keep_seed(rt, &pl.opt.lower.seed);
	pl.plan.seed = pl.opt.lower.seed;
	err = lower_ruleset(rs, &pl.opt.lower, ds, &pl.plan.lowered);
	if (err)
		return err;
	pl.plan.ms_lower = now_ms() - begin;
	if (pl.plan.lowered.ir->n_progs)
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
