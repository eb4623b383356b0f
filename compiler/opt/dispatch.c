/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dispatch: runs of rules become one look-up each.
 *
 * Needs: nothing; rules that are a dispatch already stay.
 * Keeps: first match. A rule that may pass a packet on (no final verdict, a guard or limit behind
 * the first effect, a jump that returns) is in a run only where no later rule of the run can hold
 * too; behind it, the rule after the run is next. (Or it is merged with those: notes.c.)
 *
 * A region is as many rules in a row as have conditions over a few fields. In it, where most rules
 * ask for the same fields those are a run; in a small one so is every stretch of at least a few.
 * What all rules of a run ask for alike stays a guard in front.
 */
#include "../dispatch.h"
#include "opt.h"
#include "overlap.h"

enum {
	MIN_RUN = 4,	/* rules; fewer are faster one by one */
	MIN_BOXES = 64, /* for boxes: below, code is as fast, and the verifier needs 50 ms less */
	MIN_MAJOR = 32, /* rules of a stretch that is a run of its own in a long region… */
	MAJOR_PART = 8, /* …when it is at least this part of it */
	MAX_ROWS = 1 << 20,
};

struct pass {
	struct ir *ir;
	struct ir_chain *chain;
	struct opt_rule *rules; /* of the chain */
	struct opt_budget *budget;
	struct ir_rule *out;
	uint32_t n_out;
};

static void copy_rules(struct pass *p, uint32_t from, uint32_t end)
{
	for (; from < end; from++)
		ARENA_PUSH(p->ir->arena, p->out, p->n_out, *p->rules[from].rule);
}

/* ---- one run ---- */

/* The condition is the same in all rules [from, end). */
static bool is_common(const struct pass *p, uint32_t from, uint32_t end, const struct opt_cond *c)
{
	for (uint32_t i = from; i < end; i++) {
		const struct opt_rule *r = &p->rules[i];
		uint32_t k = 0;

		if (r->never)
			continue;
		while (k < r->n_conds && r->conds[k].sel != c->sel)
			k++;
		if (k == r->n_conds || !opt_same_cond(&r->conds[k], c))
			return false;
	}
	return true;
}

/* Takes what all rules ask for alike out of the fields, into guards of @head. */
static void take_common(struct pass *p, uint32_t from, uint32_t end, struct opt_fields *f,
			struct ir_rule *head)
{
	const struct opt_rule *first = &p->rules[from];

	for (uint32_t i = 0; i < first->n_conds; i++) {
		const struct opt_cond *c = &first->conds[i];
		uint32_t k = 0;

		if (c->step == OPT_SEVERAL || !is_common(p, from, end, c))
			continue;
		ARENA_PUSH(p->ir->arena, head->steps, head->n_steps, first->rule->steps[c->step]);
		while (f->sel[k] != c->sel)
			k++;
		f->width -= c->sel->width;
		f->n--;
		memmove(&f->sel[k], &f->sel[k + 1], (f->n - k) * sizeof(f->sel[0]));
	}
}

static void add_rule(struct pass *p, struct ir_dispatch *d, const struct opt_rule *r)
{
	struct ir_rule tail = *r->rule;

	tail.steps += r->n_guards;
	tail.n_steps -= r->n_guards;
	opt_add_rows(p->ir, d, r, d->n_rules);
	ARENA_PUSH(p->ir->arena, d->rules, d->n_rules, tail);
}

/* Fills @d with the rules [from, end); returns where it had to stop. */
static uint32_t fill(struct pass *p, struct ir_dispatch *d, uint32_t from, uint32_t end)
{
	struct opt_overlap o;

	opt_overlap_init(&o, p->ir->arena, d);
	opt_budget_begin(p->budget);
	for (; from < end; from++) {
		const struct opt_rule *r = &p->rules[from];
		uint32_t n = d->n_rows;

		if (r->never)
			continue;
		if (n + opt_n_rows(r) > MAX_ROWS || !opt_budget_take(p->budget, r->rule))
			break;
		add_rule(p, d, r);
		if (opt_overlap_meets(&o, d->rows + n, d->n_rows - n)) {
			d->n_rows = n;
			d->n_rules--;
			break;
		}
		if (r->may_pass)
			opt_overlap_add(&o, d->rows + n, d->n_rows - n);
	}
	return from;
}

static bool has_ranges(const struct pass *p, uint32_t from, uint32_t end, const struct ir_sel *sel)
{
	for (uint32_t i = from; i < end; i++) {
		const struct opt_rule *r = &p->rules[i];
		uint32_t k = 0;

		while (k < r->n_conds && r->conds[k].sel != sel)
			k++;
		if (r->never)
			continue;
		if (k == r->n_conds)
			return true;
		for (uint32_t j = 0; j < r->conds[k].n_ranges; j++)
			if (memcmp(r->conds[k].ranges[j].lo, r->conds[k].ranges[j].hi, sel->width))
				return true;
	}
	return false;
}

/* The one that is not asked for by points alone goes last: then rows are intervals of the key. */
static void order_fields(const struct pass *p, uint32_t from, uint32_t end, struct opt_fields *f)
{
	for (uint32_t i = 0; i + 1 < f->n; i++) {
		struct ir_sel *sel = f->sel[i];

		if (!has_ranges(p, from, end, sel))
			continue;
		memmove(&f->sel[i], &f->sel[i + 1], (f->n - 1 - i) * sizeof(f->sel[0]));
		f->sel[f->n - 1] = sel;
		return;
	}
}

static bool all_points(const struct ir_dispatch *d)
{
	for (uint32_t i = 0; i < d->n_rows; i++)
		if (d->rows[i].any || memcmp(d->rows[i].lo, d->rows[i].hi, d->width) != 0)
			return false;
	return true;
}

static bool try_form(struct pass *p, struct ir_dispatch *d, enum ir_form form)
{
	const struct dispatch_table *t;

	d->form = form;
	return dispatch_table_get(p->ir, d, &t) == 0;
}

static bool choose_form(struct pass *p, struct ir_dispatch *d)
{
	bool points = all_points(d);

	if (d->n_rows <= DISPATCH_MAX_CODE && try_form(p, d, IR_FORM_CODE))
		return true;
	if (points && try_form(p, d, IR_FORM_HASH))
		return true;
	if (!points && try_form(p, d, IR_FORM_TREE))
		return true;
	return d->n_rules >= MIN_BOXES && try_form(p, d, IR_FORM_BOXES);
}

/* The chains that rules [from, end) jump to, in one piece of code. */
static bool fits(struct pass *p, uint32_t from, uint32_t end)
{
	opt_budget_begin(p->budget);
	for (; from < end; from++)
		if (!p->rules[from].never && !opt_budget_take(p->budget, p->rules[from].rule))
			return false;
	return true;
}

/*
 * The run with notes merged into it, into @d, and its end: all of it, or up to the first rule that
 * may pass a packet on and is no note. Not worth it where that is not behind @stop.
 */
static bool merge_notes(struct pass *p, uint32_t from, uint32_t stop, uint32_t end,
			struct ir_dispatch *d, uint32_t *ret_end)
{
	uint32_t ends[2] = {end, from};

	while (ends[1] < end && (p->rules[ends[1]].never || !p->rules[ends[1]].may_pass ||
				 opt_is_note(&p->rules[ends[1]])))
		ends[1]++;
	ends[1] = MIN(ends[1] + 1, end);
	for (uint32_t i = 0; i < 2; i++) {
		struct ir_dispatch notes = *d;

		if ((i && ends[1] == end) || ends[i] <= stop || ends[i] - from < MIN_RUN ||
		    !fits(p, from, ends[i]) ||
		    !opt_fill_notes(p->ir, &notes, p->rules, from, ends[i]) ||
		    !choose_form(p, &notes))
			continue;
		*d = notes;
		*ret_end = ends[i];
		return true;
	}
	return false;
}

/* Puts the rules [from, end) out, as a dispatch as far as that goes; returns where it stopped. */
static uint32_t make_run(struct pass *p, uint32_t from, uint32_t end)
{
	struct ir_rule head = *p->rules[from].rule;
	struct ir_step step = {.kind = IR_DISPATCH};
	struct ir_dispatch *d = ir_dispatch_new(p->ir);
	struct opt_fields f = {0};
	uint32_t stop, notes_end;

	head.steps = NULL;
	head.n_steps = 0;
	head.never = false;
	for (uint32_t i = from; i < end; i++)
		opt_fields_add(&f, &p->rules[i]);
	take_common(p, from, end, &f, &head);
	order_fields(p, from, end, &f);
	d->n_fields = f.n;
	d->width = f.width;
	memcpy(d->fields, f.sel, sizeof(d->fields));
	stop = f.n ? fill(p, d, from, end) : end;
	if (stop < end && merge_notes(p, from, stop, end, d, &notes_end)) {
		stop = notes_end;
	} else if (!f.n || d->n_rules < MIN_RUN || !choose_form(p, d)) {
		stop = MAX(stop, from + 1); /* the first may be too much by itself */
		copy_rules(p, from, stop);
		return stop;
	}
	step.dispatch = d;
	ARENA_PUSH(p->ir->arena, head.steps, head.n_steps, step);
	ARENA_PUSH(p->ir->arena, p->out, p->n_out, head);
	return stop;
}

/* ---- which runs ---- */

static bool is_usable(const struct opt_rule *r)
{
	return r->n_conds && opt_n_rows(r) <= OPT_MAX_RANGES;
}

/* As many rules from @from on as have conditions over few enough fields. */
static uint32_t find_region(const struct pass *p, uint32_t from)
{
	struct opt_fields f = {0};

	for (; from < p->chain->n_rules; from++) {
		const struct opt_rule *r = &p->rules[from];

		if (!r->never && (!is_usable(r) || !opt_fields_add(&f, r)))
			break;
	}
	return from;
}

/* The rules from @from on that ask for the same fields. */
static uint32_t find_stretch(const struct pass *p, uint32_t from, uint32_t end)
{
	uint32_t i = from + 1;

	while (i < end && (p->rules[i].never || opt_same_fields(&p->rules[from], &p->rules[i])))
		i++;
	return i;
}

/* Cuts a run out of [from, end): true and where it lies, or false. */
static bool find_run(const struct pass *p, uint32_t from, uint32_t end, uint32_t *ret_from,
		     uint32_t *ret_end)
{
	uint32_t min = end - from >= MIN_BOXES ? MAX((end - from) / MAJOR_PART, (uint32_t)MIN_MAJOR)
					       : (uint32_t)MIN_RUN;

	for (uint32_t i = from; i < end;) {
		uint32_t stop = find_stretch(p, i, end);

		if (!p->rules[i].never && stop - i >= min) {
			*ret_from = i;
			*ret_end = stop;
			return true;
		}
		i = stop;
	}
	*ret_from = from;
	*ret_end = end;
	return end - from >= MIN_BOXES;
}

/* Rules that never match do not begin a run. */
static uint32_t skip_never(struct pass *p, uint32_t from, uint32_t end)
{
	uint32_t i = from;

	while (i < end && p->rules[i].never)
		i++;
	copy_rules(p, from, i);
	return i;
}

/* After a run that had to stop early the next ones begin short, or time would be quadratic. */
static void do_region(struct pass *p, uint32_t from, uint32_t end)
{
	uint32_t limit = end - from;

	while ((from = skip_never(p, from, end)) < end) {
		uint32_t first, stop, until = from + MIN(limit, end - from), done;

		if (!find_run(p, from, until, &first, &stop)) {
			copy_rules(p, from, until);
			from = until;
			continue;
		}
		if (first > from) {
			do_region(p, from, first);
			from = first;
			continue;
		}
		done = make_run(p, first, stop);
		limit = done < stop ? 4 * MAX(done - from, (uint32_t)MIN_MAJOR)
				    : MIN(limit, UINT32_MAX / 4) * 4;
		from = done;
	}
}

void opt_dispatch(struct opt_chain *oc)
{
	struct pass p = {
		.ir = oc->ir, .chain = oc->chain, .rules = oc->rules, .budget = oc->budget};
	uint32_t i, end;

	if (oc->chain->n_rules < MIN_RUN)
		return;
	for (i = 0; i < oc->chain->n_rules; i = MAX(end, i + 1)) {
		end = find_region(&p, i);
		if (end == i)
			copy_rules(&p, i, i + 1);
		else
			do_region(&p, i, end);
	}
	oc->chain->rules = p.out;
	oc->chain->n_rules = p.n_out;
}
