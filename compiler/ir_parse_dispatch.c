/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a dispatch: its fields, then its rules, each with the rows that lead to it.
 */
#include "ir_parser.h"

/* One field of a row: *, a constant or a range. */
static bool parse_field(struct ir_parser *p, const struct ir_dispatch *d, uint32_t i, uint32_t at,
			struct ir_row *row)
{
	uint32_t width = d->fields[i]->width;
	const uint8_t *lo, *hi;

	if (ir_take_punct(p, '*')) {
		row->any |= (uint8_t)(1u << i);
		memset((uint8_t *)row->hi + at, 0xff, width);
		return true;
	}
	if (!ir_need_bytes(p, width, &lo))
		return false;
	hi = lo;
	if (p->lex.token == IR_TOK_RANGE) {
		ir_lex_next(&p->lex);
		if (!ir_need_bytes(p, width, &hi))
			return false;
	}
	memcpy((uint8_t *)row->lo + at, lo, width);
	memcpy((uint8_t *)row->hi + at, hi, width);
	return true;
}

static bool parse_rows(struct ir_parser *p, struct ir_dispatch *d)
{
	while (ir_take_word(p, "row")) {
		struct ir_row row = {
			.lo = arena_alloc(p->ir->arena, IR_MAX_WIDTH),
			.hi = arena_alloc(p->ir->arena, IR_MAX_WIDTH),
			.rule = d->n_rules,
		};
		uint32_t at = 0;

		for (uint32_t i = 0; i < d->n_fields; at += d->fields[i++]->width)
			if (!parse_field(p, d, i, at, &row))
				return false;
		ARENA_PUSH(p->ir->arena, d->rows, d->n_rows, row);
	}
	return true;
}

static bool parse_fields(struct ir_parser *p, struct ir_dispatch *d)
{
	while (!ir_take_punct(p, '{')) {
		if (d->n_fields == IR_MAX_FIELDS)
			return ir_lex_error(&p->lex, "more than %d fields", IR_MAX_FIELDS);
		if (!ir_parse_sel(p, &d->fields[d->n_fields]))
			return false;
		d->width += d->fields[d->n_fields++]->width;
		if (d->width > IR_MAX_WIDTH)
			return ir_lex_error(&p->lex, "fields of more than %d bytes", IR_MAX_WIDTH);
	}
	return true;
}

bool ir_parse_dispatch(struct ir_parser *p, struct ir_rule *r, struct ir_step *s)
{
	int form = p->lex.token == IR_TOK_WORD ? IR_NAME_FIND(ir_form_names, p->lex.word) : -1;
	struct ir_dispatch *d;

	if (form < 0)
		return ir_lex_error(&p->lex, "expected code, hash, tree or boxes");
	if (p->in_dispatch)
		return ir_lex_error(&p->lex, "a dispatch in a dispatch");
	p->in_dispatch = true;
	ir_lex_next(&p->lex);
	s->dispatch = d = ir_dispatch_new(p->ir);
	d->form = (enum ir_form)form;
	if (!parse_fields(p, d))
		return false;
	while (!ir_take_punct(p, '}')) {
		struct ir_rule tail = {.chain = r->chain};

		if (!ir_parse_rule(p, &tail))
			return false;
		if (tail.never)
			return ir_lex_error(&p->lex, "a rule that never matches has no rows");
		if (!parse_rows(p, d) || !ir_parse_steps(p, &tail))
			return false;
		ARENA_PUSH(p->ir->arena, d->rules, d->n_rules, tail);
	}
	p->in_dispatch = false;
	return true;
}
