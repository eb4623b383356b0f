/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules that only take note (count, log) amid rules that decide, over the same intervals: a sweep
 * over all bounds says for each piece between them which rules hold there, up to the first that
 * decides. Those become one rule behind the dispatch, with the steps of all: each piece one row.
 */
#include "../dispatch.h"
#include "../ir_index.h"
#include "opt.h"

enum { MAX_BUNDLE = 16, MAX_WORK = 50000000 };

/* Rules in a row, by their places in the chain. */
struct bundle {
	uint32_t n, at[MAX_BUNDLE];
	uint32_t id;
};

struct sweep {
	struct ir *ir;
	struct arena *a;
	struct ir_dispatch *d;	 /* to be filled */
	struct ir_dispatch rows; /* the rules' own rows; .rule: place in the chain */
	const struct opt_rule *rules;
	struct ir_index known; /* bundles */
	struct bundle **bundles;
	size_t n_bundles;
	uint32_t *active; /* rows, ascending */
	uint32_t n_active;
	uint64_t work;
};

bool opt_is_note(const struct opt_rule *r)
{
	for (uint32_t i = r->n_guards; i < r->rule->n_steps; i++) {
		const struct ir_step *s = &r->rule->steps[i];

		if (s->kind == IR_VERDICT && s->verdict.code == IR_CONTINUE)
			continue;
		if (s->kind != IR_EFFECT || s->effect->may_break)
			return false;
		for (uint32_t k = 0; k < s->n_args; k++)
			if (sel_may_lack(s->args[k], r->rule->chain->pf))
				return false;
	}
	return true;
}

/* All of the key but its last field is a point. */
static bool is_interval(const struct ir_dispatch *d, const struct ir_row *row)
{
	return !row->any &&
	       memcmp(row->lo, row->hi, d->width - d->fields[d->n_fields - 1]->width) == 0;
}

static bool collect(struct sweep *s, uint32_t from, uint32_t end)
{
	for (uint32_t i = from; i < end; i++) {
		uint32_t n = s->rows.n_rows;

		if (s->rules[i].never)
			continue;
		opt_add_rows(s->ir, &s->rows, &s->rules[i], i);
		for (; n < s->rows.n_rows; n++)
			if (!is_interval(s->d, &s->rows.rows[n]))
				return false;
	}
	return s->rows.n_rows > 0;
}

/* ---- the rules of a piece ---- */

static const struct bundle *find_bundle(struct sweep *s, const struct bundle *want)
{
	uint64_t h = ir_hash(IR_HASH_INIT, want->at, want->n * sizeof(want->at[0]));
	struct bundle *l;
	size_t pos = 0;

	while ((l = ir_index_next(&s->known, h, &pos)))
		if (l->n == want->n && memcmp(l->at, want->at, l->n * sizeof(l->at[0])) == 0)
			return l;
	l = arena_memdup(s->a, want, sizeof(*want));
	l->id = (uint32_t)s->n_bundles;
	ir_index_add(&s->known, s->a, h, l);
	ARENA_PUSH(s->a, s->bundles, s->n_bundles, l);
	return l;
}

/* false: it cannot be said with one rule. */
static bool read_bundle(const struct sweep *s, struct bundle *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < s->n_active; i++) {
		uint32_t at = s->rows.rows[s->active[i]].rule;

		if (ret->n && ret->at[ret->n - 1] == at)
			continue;
		if (ret->n && !opt_is_note(&s->rules[ret->at[ret->n - 1]]))
			return false;
		if (ret->n == MAX_BUNDLE)
			return false;
		ret->at[ret->n++] = at;
		if (!s->rules[at].may_pass)
			return true;
	}
	return true;
}

/* ---- the sweep ---- */

static int compare_bytes(const void *pa, const void *pb, void *arg)
{
	return memcmp(*(const uint8_t *const *)pa, *(const uint8_t *const *)pb,
		      ((const struct sweep *)arg)->d->width);
}

static int compare_rows(const void *pa, const void *pb, void *arg)
{
	const struct sweep *s = arg;

	return memcmp(s->rows.rows[*(const uint32_t *)pa].lo,
		      s->rows.rows[*(const uint32_t *)pb].lo, s->d->width);
}

/* The next byte string up or down, or NULL. */
static const uint8_t *neighbour(struct sweep *s, const uint8_t *from, bool up)
{
	uint8_t *b = arena_memdup(s->ir->arena, from, s->d->width);

	for (uint32_t i = s->d->width; i-- > 0;)
		if (up ? ++b[i] != 0 : b[i]-- != 0)
			return b;
	return NULL;
}

static const uint8_t *last_key(const struct sweep *s)
{
	uint8_t *b = arena_alloc(s->ir->arena, s->d->width);

	memset(b, 0xff, s->d->width);
	return b;
}

static uint32_t find_cuts(struct sweep *s, const uint8_t ***ret)
{
	uint32_t n = s->rows.n_rows, n_cuts = 0, n_out = 0;
	const uint8_t **cuts = arena_alloc(s->a, 2 * (size_t)n * sizeof(*cuts));

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *after = neighbour(s, s->rows.rows[i].hi, true);

		cuts[n_cuts++] = s->rows.rows[i].lo;
		if (after)
			cuts[n_cuts++] = after;
	}
	qsort_r(cuts, n_cuts, sizeof(*cuts), compare_bytes, s);
	for (uint32_t i = 0; i < n_cuts; i++)
		if (!n_out || memcmp(cuts[n_out - 1], cuts[i], s->d->width) != 0)
			cuts[n_out++] = cuts[i];
	*ret = cuts;
	return n_out;
}

static void insert(struct sweep *s, uint32_t row)
{
	uint32_t i = s->n_active++;

	for (; i && s->active[i - 1] > row; i--)
		s->active[i] = s->active[i - 1];
	s->active[i] = row;
}

static void expire(struct sweep *s, const uint8_t *at)
{
	uint32_t n = 0;

	s->work += s->n_active;
	for (uint32_t i = 0; i < s->n_active; i++)
		if (memcmp(s->rows.rows[s->active[i]].hi, at, s->d->width) >= 0)
			s->active[n++] = s->active[i];
	s->n_active = n;
}

static bool sweep(struct sweep *s)
{
	uint32_t n = s->rows.n_rows, next = 0, n_cuts;
	uint32_t *by_lo = arena_alloc(s->a, n * sizeof(*by_lo));
	const uint8_t **cuts;

	s->active = arena_alloc(s->a, n * sizeof(*s->active));
	for (uint32_t i = 0; i < n; i++)
		by_lo[i] = i;
	qsort_r(by_lo, n, sizeof(*by_lo), compare_rows, s);
	n_cuts = find_cuts(s, &cuts);
	for (uint32_t i = 0; i < n_cuts; i++) {
		struct ir_row row = {.lo = cuts[i]};
		struct bundle b;

		expire(s, cuts[i]);
		while (next < n && memcmp(s->rows.rows[by_lo[next]].lo, cuts[i], s->d->width) == 0)
			insert(s, by_lo[next++]);
		if (!read_bundle(s, &b) || s->work > MAX_WORK)
			return false;
		if (!b.n)
			continue;
		row.hi = i + 1 < n_cuts ? neighbour(s, cuts[i + 1], false) : last_key(s);
		row.rule = find_bundle(s, &b)->id;
		ARENA_PUSH(s->ir->arena, s->d->rows, s->d->n_rows, row);
	}
	return true;
}

/* ---- rules ---- */

static int compare_bundles(const void *pa, const void *pb)
{
	const struct bundle *a = *(struct bundle *const *)pa, *b = *(struct bundle *const *)pb;
	uint32_t x = a->at[a->n - 1], y = b->at[b->n - 1];

	if (x != y)
		return x < y ? -1 : 1;
	return a->id < b->id ? -1 : 1;
}

static int compare_ids(const void *pa, const void *pb)
{
	const struct ir_row *a = pa, *b = pb;

	return (a->rule > b->rule) - (a->rule < b->rule);
}

static void add_rule(struct sweep *s, const struct bundle *l)
{
	struct ir_rule r = *s->rules[l->at[l->n - 1]].rule;

	r.steps = NULL;
	r.n_steps = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct opt_rule *o = &s->rules[l->at[i]];

		for (uint32_t k = o->n_guards; k < o->rule->n_steps; k++)
			ARENA_PUSH(s->ir->arena, r.steps, r.n_steps, o->rule->steps[k]);
	}
	ARENA_PUSH(s->ir->arena, s->d->rules, s->d->n_rules, r);
}

static void number_rules(struct sweep *s)
{
	uint32_t *number = arena_alloc(s->a, s->n_bundles * sizeof(*number));

	qsort(s->bundles, s->n_bundles, sizeof(*s->bundles), compare_bundles);
	for (uint32_t i = 0; i < s->n_bundles; i++) {
		number[s->bundles[i]->id] = i;
		add_rule(s, s->bundles[i]);
	}
	for (uint32_t i = 0; i < s->d->n_rows; i++)
		s->d->rows[i].rule = number[s->d->rows[i].rule];
	qsort(s->d->rows, s->d->n_rows, sizeof(*s->d->rows), compare_ids);
}

bool opt_fill_notes(struct ir *ir, struct ir_dispatch *d, const struct opt_rule *rules,
		    uint32_t from, uint32_t end)
{
	struct sweep s = {.ir = ir, .d = d, .rows = *d, .rules = rules};
	bool done;

	d->rows = NULL;
	d->rules = NULL;
	d->n_rows = d->n_rules = 0;
	s.rows.rows = NULL;
	s.rows.n_rows = 0;
	s.a = arena_new();
	done = collect(&s, from, end) && sweep(&s);
	if (done)
		number_rules(&s);
	arena_free(s.a);
	return done;
}
