/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which parts a program is split into.
 */
#include "split_parts.h"

enum { CHAIN_SIZE = 5 };

/* ---- sizes: a part has a chain once, however many of its rules go there ---- */

static void begin(struct splitter *w)
{
	w->stamp++;
	w->size = 0;
}

static bool fits(const struct splitter *w)
{
	return w->size <= w->limit;
}

static void add_rule(struct splitter *w, const struct ir_rule *rule);

static void add_chain(struct splitter *w, const struct ir_chain *c)
{
	c = template_model(c);
	if (w->seen[c->id] == w->stamp)
		return;
	w->seen[c->id] = w->stamp;
	w->size += CHAIN_SIZE;
	for (uint32_t r = 0; r < c->n_rules && fits(w); r++)
		add_rule(w, &c->rules[r]);
}

static void add_targets(struct splitter *w, const struct ir_step *st)
{
	if (st->kind == IR_VERDICT && st->verdict.chain)
		add_chain(w, st->verdict.chain);
	for (size_t e = 0; st->kind == IR_VMAP && e < st->set->n_elems && fits(w); e++) {
		if (st->set->elems[e].verdict.chain)
			add_chain(w, st->set->elems[e].verdict.chain);
	}
}

static void add_rule(struct splitter *w, const struct ir_rule *rule)
{
	w->size += plan_rule_size(rule);
	for (uint32_t i = 0; i < ir_rule_parts(rule); i++) {
		const struct ir_rule *part = ir_rule_part(rule, i);

		for (uint32_t s = 0; s < part->n_steps; s++)
			add_targets(w, &part->steps[s]);
	}
}

/* Rule @r of the list; of that of the base chains, a chain. */
static void add_item(struct splitter *w, const struct frame *f, uint32_t r)
{
	if (f->chain)
		add_rule(w, &f->chain->rules[r]);
	else
		add_chain(w, w->prog->bases[r]);
}

/* ---- parts ---- */

struct ir_chain *split_chain(struct splitter *w, const struct ir_chain *like)
{
	struct ir_chain *c = ARENA_NEW(w->a, struct ir_chain);

	*c = *like;
	c->id = w->ir->n_chains++;
	c->is_base = false;
	c->rules = NULL;
	c->n_rules = 0;
	c->template = NULL;
	c->record = 0;
	return c;
}

static struct part *open_part(struct splitter *w, struct frame *f, uint32_t r, bool is_group)
{
	struct part *p = ARENA_NEW(w->a, struct part);

	p->frame = f;
	p->first = r;
	p->end = r + 1;
	p->is_group = is_group;
	p->size = w->size;
	if (!is_group)
		f->starts[r] = p;
	/* The first one is the program itself, which nothing goes on in. */
	if (w->n_parts) {
		p->tail = split_chain(w, f->chain ? f->chain : w->prog->bases[r]);
		p->tail->tail = ++*w->n_slots;
	}
	ARENA_PUSH(w->a, w->parts, w->n_parts, p);
	return p;
}

static struct frame *new_frame(struct splitter *w, const struct ir_chain *c, struct frame *up,
			       uint32_t rule, bool is_jump)
{
	struct frame *f = ARENA_NEW(w->a, struct frame);

	f->chain = c;
	f->up = up;
	f->rule = rule;
	f->is_jump = is_jump;
	f->n = c ? c->n_rules : w->prog->n_bases;
	f->starts = arena_alloc(w->a, (f->n + 1) * sizeof(*f->starts));
	return f;
}

static void cut_list(struct splitter *w, struct frame *f);

static const struct part *cut_chain(struct splitter *w, const struct ir_chain *c, struct frame *up,
				    uint32_t rule, bool is_jump)
{
	struct frame *f = new_frame(w, c, up, rule, is_jump);

	cut_list(w, f);
	return f->starts[0];
}

/* ---- a rule that leads to more than a part holds ---- */

/* The step that leads to most; n_steps: none does. */
static uint32_t largest_step(struct splitter *w, const struct ir_rule *rule)
{
	uint32_t found = rule->n_steps;
	uint64_t most = 0;

	for (uint32_t s = 0; s < rule->n_steps; s++) {
		begin(w);
		add_targets(w, &rule->steps[s]);
		if (w->size > most) {
			most = w->size;
			found = s;
		}
	}
	return found;
}

static bool is_pure(const struct ir_sel *sel)
{
	if (sel->impure)
		return false;
	for (uint32_t i = 0; i < sel->n_args; i++)
		if (!is_pure(sel->args[i]))
			return false;
	return true;
}

/* Whether the rule can begin anew with step @from: nothing is carried from before, nor done twice. */
static bool can_repeat(const struct ir_rule *rule, uint32_t from)
{
	if (ir_set_notes_hits(rule->steps[from].set) || rule->steps[from].params)
		return false;
	for (uint32_t s = from; s < rule->n_steps; s++) {
		const struct ir_step *st = &rule->steps[s];

		if (st->sel && !is_pure(st->sel))
			return false;
		for (uint32_t i = 0; i < st->n_args; i++)
			if (!is_pure(st->args[i]))
				return false;
	}
	return true;
}

/* How the map leads to @m; IR_CONTINUE: in both ways. */
static enum ir_verdict_code way_to(const struct ir_set *set, const struct ir_chain *m)
{
	enum ir_verdict_code code = IR_CONTINUE;

	for (size_t e = 0; e < set->n_elems; e++) {
		const struct ir_verdict *v = &set->elems[e].verdict;

		if (v->chain != m)
			continue;
		if (code != IR_CONTINUE && code != v->code)
			return IR_CONTINUE;
		code = v->code;
	}
	return code;
}

/* Chains of the map in groups, one part each; a chain too large for one is cut. */
static void cut_map(struct splitter *w, struct part *p, const struct ir_set *set)
{
	struct frame *f = p->frame;
	uint32_t r = p->end - 1;
	struct part *group = NULL;

	p->route = ARENA_NEW(w->a, struct ir_route);
	p->route->of = arena_alloc(w->a, w->ir->n_chains * sizeof(*p->route->of));
	for (size_t e = 0; e < set->n_elems; e++) {
		const struct ir_verdict *v = &set->elems[e].verdict;
		const struct ir_chain *m = v->chain ? template_model(v->chain) : NULL;

		if (!m || p->route->of[m->id])
			continue;
		if (group)
			add_chain(w, m);
		if (!group || !fits(w)) {
			begin(w);
			add_chain(w, m);
			if (!fits(w) && !m->template && way_to(set, m) != IR_CONTINUE) {
				p->route->of[m->id] =
					cut_chain(w, m, f, r, v->code == IR_JUMP)->tail;
				group = NULL;
				continue;
			}
			group = open_part(w, f, r, true);
			group->step = p->step;
			group->route = ARENA_NEW(w->a, struct ir_route);
			*group->route = (struct ir_route){p->route->of, group->tail};
		}
		group->size = w->size + plan_rule_size(&f->chain->rules[r]);
		p->route->of[m->id] = group->tail;
	}
}

/* False: it stays as it is. @p: the part before it, which it then ends, or NULL. */
static bool cut_rule(struct splitter *w, struct frame *f, uint32_t r, struct part *p)
{
	const struct ir_rule *rule = &f->chain->rules[r];
	uint32_t s = largest_step(w, rule);
	const struct ir_step *st = &rule->steps[s];

	if (s == rule->n_steps || (st->kind == IR_VERDICT && st->verdict.chain->template) ||
	    (st->kind == IR_VMAP && !can_repeat(rule, s)))
		return false;
	w->size = 0;
	if (!p)
		p = open_part(w, f, r, false);
	p->end = r + 1;
	p->size += plan_rule_size(rule);
	p->step = s;
	if (st->kind == IR_VMAP)
		cut_map(w, p, st->set);
	else
		p->out = cut_chain(w, st->verdict.chain, f, r, st->verdict.code == IR_JUMP);
	return true;
}

static bool cut_item(struct splitter *w, struct frame *f, uint32_t r, struct part *p)
{
	if (f->chain)
		return cut_rule(w, f, r, p);
	f->starts[r] = (struct part *)cut_chain(w, w->prog->bases[r], f, r, true);
	return true;
}

static void cut_list(struct splitter *w, struct frame *f)
{
	struct part *p = NULL;

	if (!f->n) { /* of a chain without rules, which is never too large */
		f->starts[0] = NULL;
		return;
	}
	for (uint32_t r = 0; r < f->n; r++) {
		if (p) {
			add_item(w, f, r);
			if (fits(w)) {
				p->end = r + 1;
				p->size = w->size;
				continue;
			}
		}
		begin(w);
		add_item(w, f, r);
		if (!fits(w) && cut_item(w, f, r, p)) {
			p = NULL;
			continue;
		}
		p = open_part(w, f, r, false);
	}
}

/* ---- where a part goes on ---- */

const struct part *split_at(const struct frame *f, uint32_t r)
{
	return r < f->n ? f->starts[r] : split_after(f);
}

const struct part *split_after(const struct frame *f)
{
	if (!f->up || !f->up->up)
		return NULL;
	return f->is_jump ? split_at(f->up, f->rule + 1) : split_after(f->up);
}

static const struct frame *base_frame(const struct frame *f)
{
	while (f->up && f->up->up)
		f = f->up;
	return f;
}

static void follow(struct splitter *w, struct part *p, const struct part *to);

/* Where the base chain after @p's goes on. */
static const struct part *next_base(const struct part *p)
{
	const struct frame *base = base_frame(p->frame);

	return base->up ? split_at(base->up, base->rule + 1) : split_at(base, p->end);
}

/* Tail calls that may follow, one after the other; an element that changes meanwhile may add some. */
static uint32_t count_calls(struct splitter *w, struct part *p)
{
	if (p->calls)
		return p->calls;
	p->calls = 1;
	follow(w, p, next_base(p));
	follow(w, p, split_at(p->frame, p->end));
	follow(w, p, split_after(p->frame));
	follow(w, p, p->out);
	for (uint32_t i = 1; p->route && !p->is_group && i < w->n_parts; i++) {
		const struct frame *f = w->parts[i]->frame;

		if (f == p->frame ? w->parts[i]->is_group && w->parts[i]->first == p->end - 1 :
				    f->up == p->frame && f->rule == p->end - 1)
			follow(w, p, w->parts[i]);
	}
	return p->calls;
}

static void follow(struct splitter *w, struct part *p, const struct part *to)
{
	if (to)
		p->calls = MAX(p->calls, 1 + count_calls(w, (struct part *)to));
}

struct split *split_prog(struct arena *a, struct ir *ir, const struct ir_prog *prog, uint32_t size,
			 uint32_t *n_slots)
{
	struct splitter w = {.a = a, .ir = ir, .prog = prog, .limit = size, .n_slots = n_slots};
	struct split *s = ARENA_NEW(a, struct split);

	w.seen = arena_alloc(a, MAX(ir->n_chains, 1u) * sizeof(*w.seen));
	cut_list(&w, new_frame(&w, NULL, NULL, 0, false));
	s->n_progs = w.n_parts;
	s->progs = arena_alloc(a, w.n_parts * sizeof(*s->progs));
	for (uint32_t i = 0; i < w.n_parts; i++) {
		s->total += w.parts[i]->size;
		split_build(&w, w.parts[i], &s->progs[i]);
		if (i)
			s->progs[i].name = arena_printf(a, "%s_p%u", prog->name, i);
	}
	s->n_calls = count_calls(&w, w.parts[0]) - 1;
	return s;
}
