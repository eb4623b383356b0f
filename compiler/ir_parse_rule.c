/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what a rule does: selectors, verdicts and steps. What the constructors take for granted
 * (widths that fit) is tested here, with a message.
 */
#include "ir_parser.h"

#define MAX_DEPTH 100 /* of parentheses: a text must not exhaust our stack */

static bool parse_sel(struct ir_parser *p, struct ir_sel **ret);

/* ---- selectors ---- */

static bool parse_leaf(struct ir_parser *p, struct ir_sel **ret)
{
	uint64_t param[IR_LEAF_PARAMS] = {0}, width;
	const struct ir_leaf *leaf;
	struct ir_state *state;
	char name[128];

	if (!ir_need_words(p, name, sizeof(name)))
		return false;
	leaf = ir_leaf_find(name);
	if (!leaf)
		return ir_lex_error(&p->lex, "no leaf is called \"%s\"", name);
	if (!ir_need_params(p, leaf->n_params, param))
		return false;
	width = leaf->width;
	if (!width && !ir_need_number(p, IR_MAX_WIDTH, &width))
		return false;
	if (!width)
		return ir_lex_error(&p->lex, "width 0");
	if (!leaf->state) {
		*ret = ir_leaf(p->ir, leaf, (uint32_t)width, param);
		return true;
	}
	if (!ir_need_state(p, &state))
		return false;
	if (state->op != leaf->state)
		return ir_lex_error(&p->lex, "state #%u is of another kind", state->id);
	*ret = ir_leaf_stateful(p->ir, leaf, param, state);
	return true;
}

static bool parse_binary(struct ir_parser *p, enum ir_op op, struct ir_sel **ret)
{
	struct ir_sel *a, *b;

	if (!parse_sel(p, &a) || !parse_sel(p, &b))
		return false;
	if (a->width != b->width)
		return ir_lex_error(&p->lex, "%s of %u and %u bytes", ir_op_names[op], a->width,
				    b->width);
	*ret = ir_binary(p->ir, op, a, b);
	return true;
}

static bool parse_concat(struct ir_parser *p, struct ir_sel **ret)
{
	struct ir_sel *args[IR_MAX_WIDTH];
	uint32_t n = 0, width = 0;

	do {
		if (!parse_sel(p, &args[n]))
			return false;
		width += args[n++]->width;
		if (width > IR_MAX_WIDTH)
			return ir_lex_error(&p->lex, "more than %d bytes", IR_MAX_WIDTH);
	} while (p->lex.token != IR_TOK_PUNCT || p->lex.punct != ')');
	*ret = ir_concat(p->ir, args, n);
	return true;
}

static bool parse_map(struct ir_parser *p, struct ir_sel *key, struct ir_sel **ret)
{
	struct ir_set *set;

	if (!ir_need_set(p, &set))
		return false;
	if (set->kind != IR_DATA_MAP || set->width != key->width)
		return ir_lex_error(&p->lex, "not a map with keys of %u bytes", key->width);
	*ret = ir_map(p->ir, key, set);
	return true;
}

static bool parse_slice(struct ir_parser *p, struct ir_sel *a, struct ir_sel **ret)
{
	uint32_t first, width;

	if (!ir_need_u32(p, &first) || !ir_need_u32(p, &width))
		return false;
	if (!width || first >= a->width || width > a->width - first)
		return ir_lex_error(&p->lex, "slice outside of %u bytes", a->width);
	*ret = ir_slice(p->ir, a, first, width);
	return true;
}

static bool parse_scale(struct ir_parser *p, struct ir_sel *a, struct ir_sel **ret)
{
	uint32_t mod, offset;

	if (!ir_need_u32(p, &mod) || !ir_need_u32(p, &offset))
		return false;
	if (a->width != 4)
		return ir_lex_error(&p->lex, "scale of %u bytes", a->width);
	*ret = ir_scale(p->ir, a, mod, offset);
	return true;
}

/* Shifts, bswap and jhash: an argument and a number. */
static bool parse_unary(struct ir_parser *p, enum ir_op op, struct ir_sel *a, struct ir_sel **ret)
{
	uint32_t n;

	if (!ir_need_u32(p, &n))
		return false;
	if (op == IR_JHASH) {
		*ret = ir_jhash(p->ir, a, n);
	} else if (op == IR_BSWAP) {
		if ((n != 2 && n != 4 && n != 8) || a->width % n)
			return ir_lex_error(&p->lex, "bswap of %u bytes by %u", a->width, n);
		*ret = ir_bswap(p->ir, a, n);
	} else {
		if (n > 31)
			return ir_lex_error(&p->lex, "shift by %u", n);
		*ret = ir_shift(p->ir, op, a, n);
	}
	return true;
}

static bool parse_op(struct ir_parser *p, enum ir_op op, struct ir_sel **ret)
{
	struct ir_sel *a;

	if (op == IR_AND || op == IR_OR || op == IR_XOR)
		return parse_binary(p, op, ret);
	if (op == IR_CONCAT)
		return parse_concat(p, ret);
	if (!parse_sel(p, &a))
		return false;
	if (op == IR_MAP)
		return parse_map(p, a, ret);
	if (op == IR_SLICE)
		return parse_slice(p, a, ret);
	if (op == IR_SCALE)
		return parse_scale(p, a, ret);
	return parse_unary(p, op, a, ret);
}

static bool parse_parens(struct ir_parser *p, struct ir_sel **ret)
{
	int op;
	bool ok;

	if (!ir_need_punct(p, '('))
		return false;
	if (p->depth == MAX_DEPTH)
		return ir_lex_error(&p->lex, "nested too deeply");
	if (p->lex.token != IR_TOK_WORD)
		return ir_lex_error(&p->lex, "expected an operation or a leaf");
	p->depth++;
	op = IR_NAME_FIND(ir_op_names, p->lex.word);
	if (op >= 0) {
		ir_lex_next(&p->lex);
		ok = parse_op(p, (enum ir_op)op, ret);
	} else {
		ok = parse_leaf(p, ret);
	}
	p->depth--;
	return ok && ir_need_punct(p, ')');
}

/* "%N=(…)" names an impure selector of the rule, "%N" is it again. */
static bool parse_label(struct ir_parser *p, struct ir_sel **ret)
{
	uint64_t n;

	if (!ir_need_number(p, IR_MAX_IMPURE - 1, &n))
		return false;
	if (n < p->n_impure && p->impure[n]) {
		*ret = p->impure[n];
		return true;
	}
	if (n != p->n_impure)
		return ir_lex_error(&p->lex, "no selector %%%u yet", (unsigned int)n);
	p->impure[p->n_impure++] = NULL; /* its own arguments may take the next ones */
	if (!ir_need_punct(p, '=') || !parse_parens(p, ret))
		return false;
	if (!(*ret)->impure)
		return ir_lex_error(&p->lex, "only impure selectors have a label");
	p->impure[n] = *ret;
	return true;
}

static bool parse_sel(struct ir_parser *p, struct ir_sel **ret)
{
	struct ir_lex *lx = &p->lex;

	if (lx->token == IR_TOK_BYTES) {
		if (lx->n_bytes > IR_MAX_WIDTH)
			return ir_lex_error(lx, "more than %d bytes", IR_MAX_WIDTH);
		*ret = ir_const(p->ir, lx->bytes, lx->n_bytes);
		ir_lex_next(lx);
		return true;
	}
	if (ir_take_punct(p, '%'))
		return parse_label(p, ret);
	return parse_parens(p, ret);
}

bool ir_parse_sel(struct ir_parser *p, struct ir_sel **ret)
{
	return parse_sel(p, ret);
}

/* ---- steps ---- */

static bool parse_guard(struct ir_parser *p, struct ir_step *s)
{
	int guard = p->lex.token == IR_TOK_WORD ? IR_NAME_FIND(ir_guard_names, p->lex.word) : -1;

	if (guard < 0)
		return ir_lex_error(&p->lex, "expected a guard");
	ir_lex_next(&p->lex);
	s->guard = (enum ir_guard)guard;
	if (!parse_sel(p, &s->sel))
		return false;
	if (s->guard == IR_IN || s->guard == IR_NOT_IN)
		return ir_need_set(p, &s->set);
	if (!ir_need_bytes(p, s->sel->width, &s->lo))
		return false;
	if (s->guard == IR_EQ || s->guard == IR_NE)
		return true;
	if (p->lex.token != IR_TOK_RANGE)
		return ir_lex_error(&p->lex, "expected \"..\"");
	ir_lex_next(&p->lex);
	return ir_need_bytes(p, s->sel->width, &s->hi);
}

static bool parse_effect_args(struct ir_parser *p, struct ir_step *s)
{
	while (p->lex.token == IR_TOK_BYTES ||
	       (p->lex.token == IR_TOK_PUNCT && (p->lex.punct == '(' || p->lex.punct == '%'))) {
		struct ir_sel *arg;

		if (!parse_sel(p, &arg))
			return false;
		ARENA_PUSH(p->ir->arena, s->args, s->n_args, arg);
	}
	return true;
}

static bool parse_effect(struct ir_parser *p, struct ir_step *s)
{
	char name[128];

	if (!ir_need_words(p, name, sizeof(name)))
		return false;
	s->effect = ir_effect_find(name);
	if (!s->effect || (!s->effect->helper && !s->effect->per_cpu))
		return ir_lex_error(&p->lex, "no effect is called \"%s\"", name);
	if (p->lex.token == IR_TOK_PUNCT && p->lex.punct == '#') {
		if (!ir_need_state(p, &s->state))
			return false;
	} else if (!ir_need_params(p, s->effect->n_params, s->param)) {
		return false;
	}
	if (p->lex.token == IR_TOK_PUNCT && p->lex.punct == '@' && !ir_need_set(p, &s->set))
		return false;
	return parse_effect_args(p, s);
}

static bool parse_step(struct ir_parser *p, struct ir_rule *r, struct ir_step *s)
{
	if (!ir_need_u32(p, &s->expr) || !ir_need_punct(p, ':'))
		return false;
	if (ir_take_word(p, "need")) {
		s->kind = IR_NEED;
		return parse_sel(p, &s->sel);
	}
	if (ir_take_word(p, "guard")) {
		s->kind = IR_GUARD;
		return parse_guard(p, s);
	}
	if (ir_take_word(p, "effect")) {
		s->kind = IR_EFFECT;
		return parse_effect(p, s);
	}
	if (ir_take_word(p, "verdict")) {
		s->kind = IR_VERDICT;
		return ir_need_verdict(p, &s->verdict);
	}
	if (ir_take_word(p, "dispatch")) {
		s->kind = IR_DISPATCH;
		return ir_parse_dispatch(p, r, s);
	}
	if (ir_take_word(p, "vmap")) {
		s->kind = IR_VMAP;
		return parse_sel(p, &s->sel) && ir_need_set(p, &s->set);
	}
	return ir_lex_error(&p->lex, "expected a step: need, guard, effect, verdict, vmap or "
				     "dispatch");
}

bool ir_parse_steps(struct ir_parser *p, struct ir_rule *r)
{
	p->n_impure = 0;
	while (!ir_take_punct(p, '}')) {
		struct ir_step s = {0};

		if (!parse_step(p, r, &s))
			return false;
		ARENA_PUSH(p->ir->arena, r->steps, r->n_steps, s);
	}
	return true;
}
