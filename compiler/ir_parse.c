/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the IR's text form: what contains rules, that is states, sets, chains and programs. A jump
 * may name a chain that comes later, everything else stands before its use.
 */
#include <errno.h>
#include <linux/netfilter.h>

#include "ir_parser.h"

/* ---- states ---- */

static bool parse_place(struct ir_parser *p, struct diag_place *at)
{
	if (!ir_need_punct(p, '(') || !ir_need_family(p, &at->family) ||
	    !ir_need_name(p, &at->table))
		return false;
	if (p->lex.token == IR_TOK_WORD && !ir_need_name(p, &at->chain))
		return false;
	return ir_need_punct(p, ')');
}

static bool parse_init(struct ir_parser *p, struct ir_state *st)
{
	const uint8_t *init;

	if (!ir_need_bytes(p, ir_state_init_size(st->op), &init))
		return false;
	st->init = init;
	return true;
}

static bool parse_state_rest(struct ir_parser *p, struct ir_state *st)
{
	bool ok = true;

	while (ok && p->lex.token == IR_TOK_WORD) {
		if (ir_take_word(p, "init"))
			ok = parse_init(p, st);
		else if (ir_take_word(p, "at"))
			ok = parse_place(p, &st->at);
		else if (ir_take_word(p, "rule"))
			ok = ir_need_u32(p, &st->at.rule);
		else if (ir_take_word(p, "handle"))
			ok = ir_need_number(p, UINT64_MAX, &st->at.handle);
		else if (ir_take_word(p, "name"))
			ok = ir_need_name(p, &st->at.expr);
		else if (ir_take_word(p, "expr"))
			ok = ir_need_u32(p, &st->expr);
		else if (ir_take_word(p, "object"))
			ok = ir_need_name(p, &st->object);
		else
			break; /* the next one */
	}
	return ok;
}

static bool parse_state(struct ir_parser *p)
{
	const struct ir_effect_op *op;
	struct ir_state *st;
	char name[128];
	bool in_elem;
	uint32_t id;

	if (!ir_need_punct(p, '#') || !ir_need_u32(p, &id))
		return false;
	if (id != p->ir->n_states)
		return ir_lex_error(&p->lex, "states are numbered in order");
	in_elem = ir_take_word(p, "elem");
	if (!ir_need_punct(p, '(') || !ir_need_words(p, name, sizeof(name)))
		return false;
	op = ir_effect_find(name);
	if (!op)
		return ir_lex_error(&p->lex, "no effect is called \"%s\"", name);
	/* Whose state it was is lost with the model; any key of its own will do. */
	st = (in_elem ? ir_state_get_elem : ir_state_get)(p->ir, op, arena_alloc(p->ir->arena, 1), 0);
	return ir_need_params(p, op->n_params, st->param) && ir_need_punct(p, ')') &&
	       parse_state_rest(p, st);
}

/* ---- sets ---- */

static bool parse_elem(struct ir_parser *p, const struct ir_set *s, struct ir_elem *e)
{
	uint32_t i;

	if (!ir_take_punct(p, '*')) {
		if (!ir_need_bytes(p, s->width, &e->lo))
			return false;
		e->hi = e->lo;
		if (p->lex.token == IR_TOK_RANGE) {
			ir_lex_next(&p->lex);
			if (!ir_need_bytes(p, s->width, &e->hi))
				return false;
		}
	}
	if (s->kind != IR_SET && !ir_need_punct(p, ':'))
		return false;
	if (s->kind == IR_DATA_MAP && !ir_need_bytes(p, s->data_width, &e->data))
		return false;
	if (s->kind == IR_VERDICT_MAP && !ir_need_verdict(p, &e->verdict))
		return false;
	if (ir_take_word(p, "expires") && !ir_need_number(p, UINT64_MAX, &e->expires))
		return false;
	if (s->n_states)
		e->states = arena_alloc(p->ir->arena, s->n_states * sizeof(struct ir_state *));
	for (i = 0; i < s->n_states; i++) {
		if (s->keeps && !(p->lex.token == IR_TOK_PUNCT && p->lex.punct == '#'))
			break; /* it keeps less than others, or nothing */
		if (!ir_need_state(p, &e->states[i]))
			return false;
	}
	return true;
}

static bool parse_width(struct ir_parser *p, uint16_t *ret)
{
	uint64_t n;

	if (!ir_need_number(p, IR_MAX_WIDTH, &n))
		return false;
	if (!n)
		return ir_lex_error(&p->lex, "width 0");
	*ret = (uint16_t)n;
	return true;
}

static bool parse_fields(struct ir_parser *p, struct ir_set *s)
{
	s->n_fields = 0;
	s->field_width = arena_alloc(p->ir->arena, IR_MAX_WIDTH);
	while (p->lex.token == IR_TOK_NUMBER && s->n_fields < IR_MAX_WIDTH) {
		uint16_t width;

		if (!parse_width(p, &width))
			return false;
		s->field_width[s->n_fields++] = (uint8_t)width;
	}
	return true;
}

static bool parse_set_head(struct ir_parser *p, struct ir_set *s)
{
	uint64_t n;

	if (!ir_need_word(p, "width") || !parse_width(p, &s->width))
		return false;
	if (s->kind == IR_DATA_MAP && (!ir_need_word(p, "data") || !parse_width(p, &s->data_width)))
		return false;
	s->n_fields = 1;
	s->field_width = arena_alloc(p->ir->arena, 1);
	s->field_width[0] = (uint8_t)s->width;
	if (ir_take_word(p, "fields") && !parse_fields(p, s))
		return false;
	if (ir_take_word(p, "states")) {
		if (!ir_need_number(p, IR_MAX_WIDTH, &n))
			return false;
		s->n_states = (uint32_t)n;
		s->keeps = ir_take_word(p, "keeps");
	}
	if (ir_take_word(p, "size") && !ir_need_u32(p, &s->size))
		return false;
	s->ranged = ir_take_word(p, "ranged");
	s->intervals = ir_take_word(p, "intervals");
	s->is_mutable = ir_take_word(p, "mutable");
	s->has_timeout = ir_take_word(p, "timeout");
	s->is_dynamic = ir_take_word(p, "dynamic");
	s->grows = ir_take_word(p, "grows");
	while (p->lex.token == IR_TOK_PUNCT && p->lex.punct == '#') {
		struct ir_state *st;

		if (!ir_need_state(p, &st))
			return false;
		ARENA_PUSH(p->ir->arena, s->like, s->n_like, st);
	}
	return true;
}

static bool parse_set(struct ir_parser *p, enum ir_set_kind kind)
{
	struct ir_set *s;
	const char *name;

	if (!ir_need_name(p, &name))
		return false;
	if (ir_set_find(p->ir, name))
		return ir_lex_error(&p->lex, "a second set \"%s\"", name);
	s = ir_set_new(p->ir, name);
	s->kind = kind;
	if (!parse_set_head(p, s) || !ir_need_punct(p, '{'))
		return false;
	while (!ir_take_punct(p, '}')) {
		struct ir_elem e = {0};

		if (!parse_elem(p, s, &e))
			return false;
		ARENA_PUSH(p->ir->arena, s->elems, s->n_elems, e);
	}
	return true;
}

/* ---- chains and programs ---- */

bool ir_parse_rule(struct ir_parser *p, struct ir_rule *r)
{
	if (!ir_need_word(p, "rule") || !ir_need_u32(p, &r->index) || !ir_need_word(p, "handle") ||
	    !ir_need_number(p, UINT64_MAX, &r->handle))
		return false;
	r->never = ir_take_word(p, "never");
	return r->never || ir_need_punct(p, '{');
}

static bool parse_rule(struct ir_parser *p, struct ir_chain *c, struct ir_rule *r)
{
	r->chain = c;
	return ir_parse_rule(p, r) && (r->never || ir_parse_steps(p, r));
}

static bool parse_rules(struct ir_parser *p, struct ir_chain *c)
{
	c->lowered = true;
	if (!ir_need_punct(p, '{'))
		return false;
	p->chain = c;
	while (!ir_take_punct(p, '}')) {
		struct ir_rule r = {0};

		if (!parse_rule(p, c, &r))
			return false;
		ARENA_PUSH(p->ir->arena, c->rules, c->n_rules, r);
	}
	p->chain = NULL;
	return true;
}

static bool parse_base(struct ir_parser *p, struct ir_chain *c)
{
	c->is_base = true;
	if (!ir_need_hook(p, &c->hook) || !ir_need_word(p, "priority") ||
	    !ir_need_i32(p, &c->priority) || !ir_need_word(p, "policy"))
		return false;
	if (ir_take_word(p, "accept"))
		c->policy = NF_ACCEPT;
	else if (ir_take_word(p, "drop"))
		c->policy = NF_DROP;
	else
		return ir_lex_error(&p->lex, "expected accept or drop");
	return true;
}

static bool chain_define(struct ir_parser *p, struct ir_chain *c)
{
	uint64_t h = ir_hash_u64(IR_HASH_INIT, c->id);
	const struct ir_chain *old;
	size_t pos = 0;

	while ((old = ir_index_next(&p->is_defined, h, &pos)))
		if (old == c)
			return ir_lex_error(&p->lex, "a second chain \"%s\"", c->name);
	ir_index_add(&p->is_defined, p->ir->arena, h, c);
	ARENA_PUSH(p->ir->arena, p->defined, p->n_defined, c);
	return true;
}

static bool parse_chain(struct ir_parser *p)
{
	struct ir_chain *c;

	if (!ir_need_chain_path(p, &c) || !chain_define(p, c))
		return false;
	if (ir_take_word(p, "base") && !parse_base(p, c))
		return false;
	return ir_take_word(p, "undefined") || parse_rules(p, c);
}

static bool parse_prog(struct ir_parser *p)
{
	struct ir_prog *pr = ir_prog_new(p->ir);

	if (!ir_need_name(p, &pr->name) || !ir_need_pf(p, &pr->pf) || !ir_need_hook(p, &pr->hook) ||
	    !ir_need_word(p, "priority") || !ir_need_i32(p, &pr->priority) ||
	    !ir_need_punct(p, '{'))
		return false;
	while (!ir_take_punct(p, '}')) {
		struct ir_chain *c;

		if (!ir_need_punct(p, '(') || !ir_need_chain_path(p, &c) || !ir_need_punct(p, ')'))
			return false;
		ARENA_PUSH(p->ir->arena, pr->bases, pr->n_bases, c);
	}
	return true;
}

/* Chains are numbered as they stand in the text, not as they were first named. */
static bool order_chains(struct ir_parser *p)
{
	uint32_t i;

	if (p->n_defined != p->ir->n_chains)
		return ir_lex_error(&p->lex, "a chain is referred to that is not there");
	p->ir->chains = p->defined;
	for (i = 0; i < p->n_defined; i++)
		p->defined[i]->id = i;
	return true;
}

static bool parse_text(struct ir_parser *p)
{
	uint64_t version;
	bool ok = ir_need_word(p, "ir") && ir_need_number(p, UINT32_MAX, &version);

	if (ok && version != IR_TEXT_VERSION)
		ok = ir_lex_error(&p->lex, "version %u of the text form is not known",
				  (unsigned int)version);
	while (ok && p->lex.token != IR_TOK_END) {
		int kind = p->lex.token == IR_TOK_WORD
				   ? IR_NAME_FIND(ir_set_kind_names, p->lex.word)
				   : -1;

		if (kind >= 0) {
			ir_lex_next(&p->lex);
			ok = parse_set(p, (enum ir_set_kind)kind);
		} else if (ir_take_word(p, "state")) {
			ok = parse_state(p);
		} else if (ir_take_word(p, "chain")) {
			ok = parse_chain(p);
		} else if (ir_take_word(p, "prog")) {
			ok = parse_prog(p);
		} else {
			ok = ir_lex_error(&p->lex, "expected state, set, map, vmap, chain or prog");
		}
	}
	return ok && order_chains(p);
}

int ir_parse(const char *text, size_t len, const char *file, struct diags *ds, struct ir **ret_ir)
{
	CLEANUP(ir_freep) struct ir *ir = ir_new();
	struct ir_parser *p = ARENA_NEW(ir->arena, struct ir_parser);

	p->ir = ir;
	ir_lex_init(&p->lex, text, len, file, ds);
	if (!parse_text(p))
		return -EINVAL;
	*ret_ir = TAKE_PTR(ir);
	return 0;
}
