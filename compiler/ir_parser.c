/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small pieces of the IR's text form: words, numbers, constants, and references by name.
 */
#include "ir_parser.h"

bool ir_take_punct(struct ir_parser *p, char c)
{
	if (p->lex.token != IR_TOK_PUNCT || p->lex.punct != c)
		return false;
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_punct(struct ir_parser *p, char c)
{
	return ir_take_punct(p, c) || ir_lex_error(&p->lex, "expected \"%c\"", c);
}

bool ir_take_word(struct ir_parser *p, const char *word)
{
	if (p->lex.token != IR_TOK_WORD || p->lex.quoted || strcmp(p->lex.word, word) != 0)
		return false;
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_word(struct ir_parser *p, const char *word)
{
	return ir_take_word(p, word) || ir_lex_error(&p->lex, "expected \"%s\"", word);
}

bool ir_need_number(struct ir_parser *p, uint64_t max, uint64_t *ret)
{
	if (p->lex.token != IR_TOK_NUMBER || p->lex.negative)
		return ir_lex_error(&p->lex, "expected a number");
	if (p->lex.number > max)
		return ir_lex_error(&p->lex, "number too large");
	*ret = p->lex.number;
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_u32(struct ir_parser *p, uint32_t *ret)
{
	uint64_t n;

	if (!ir_need_number(p, UINT32_MAX, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

bool ir_need_i32(struct ir_parser *p, int32_t *ret)
{
	const struct ir_lex *lx = &p->lex;

	if (lx->token != IR_TOK_NUMBER)
		return ir_lex_error(&p->lex, "expected a number");
	if (lx->number > (uint64_t)INT32_MAX + lx->negative)
		return ir_lex_error(&p->lex, "number too large");
	*ret = (int32_t)(lx->negative ? -(int64_t)lx->number : (int64_t)lx->number);
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_name(struct ir_parser *p, const char **ret)
{
	if (p->lex.token != IR_TOK_WORD)
		return ir_lex_error(&p->lex, "expected a name");
	*ret = arena_strdup(p->ir->arena, p->lex.word);
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_bytes(struct ir_parser *p, uint32_t width, const uint8_t **ret)
{
	if (p->lex.token != IR_TOK_BYTES)
		return ir_lex_error(&p->lex, "expected a constant");
	if (p->lex.n_bytes != width)
		return ir_lex_error(&p->lex, "constant of %u bytes where %u are needed",
				    p->lex.n_bytes, width);
	*ret = arena_memdup(p->ir->arena, p->lex.bytes, width);
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_words(struct ir_parser *p, char *buf, size_t size)
{
	size_t n = 0;

	if (p->lex.token != IR_TOK_WORD)
		return ir_lex_error(&p->lex, "expected a name");
	for (; p->lex.token == IR_TOK_WORD; ir_lex_next(&p->lex)) {
		size_t len = strlen(p->lex.word);

		if (len + 2 > size - n)
			return ir_lex_error(&p->lex, "name too long");
		if (n)
			buf[n++] = ' ';
		memcpy(buf + n, p->lex.word, len);
		n += len;
	}
	buf[n] = '\0';
	return true;
}

bool ir_need_params(struct ir_parser *p, uint32_t n, uint64_t *ret)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!ir_need_number(p, UINT64_MAX, &ret[i]))
			return false;
	return true;
}

bool ir_need_family(struct ir_parser *p, uint8_t *ret)
{
	*ret = p->lex.token == IR_TOK_WORD ? ir_family_find(p->lex.word) : 0;
	if (!*ret)
		return ir_lex_error(&p->lex, "expected ip, ip6 or inet");
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_pf(struct ir_parser *p, uint8_t *ret)
{
	*ret = p->lex.token == IR_TOK_WORD ? ir_pf_find(p->lex.word) : 0;
	if (!*ret)
		return ir_lex_error(&p->lex, "expected v4 or v6");
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_hook(struct ir_parser *p, uint8_t *ret)
{
	int hook;

	if (!ir_need_word(p, "hook"))
		return false;
	hook = p->lex.token == IR_TOK_WORD ? ir_hook_find(p->lex.word) : -1;
	if (hook < 0)
		return ir_lex_error(&p->lex, "expected a hook");
	*ret = (uint8_t)hook;
	ir_lex_next(&p->lex);
	return true;
}

/* ---- references ---- */

bool ir_need_set(struct ir_parser *p, struct ir_set **ret)
{
	if (!ir_need_punct(p, '@'))
		return false;
	if (p->lex.token != IR_TOK_WORD)
		return ir_lex_error(&p->lex, "expected a set's name");
	*ret = ir_set_find(p->ir, p->lex.word);
	if (!*ret)
		return ir_lex_error(&p->lex, "no set is called \"%s\"", p->lex.word);
	ir_lex_next(&p->lex);
	return true;
}

bool ir_need_state(struct ir_parser *p, struct ir_state **ret)
{
	uint32_t id;

	if (!ir_need_punct(p, '#') || !ir_need_u32(p, &id))
		return false;
	if (id >= p->ir->n_states)
		return ir_lex_error(&p->lex, "no state #%u", id);
	*ret = p->ir->states[id];
	return true;
}

static struct ir_chain *chain_get(struct ir *ir, uint8_t pf, uint8_t family, const char *table,
				  const char *name)
{
	struct ir_chain *c = ir_chain_find(ir, pf, family, table, name);

	return c ? c : ir_chain_new(ir, pf, family, table, name);
}

bool ir_need_chain_path(struct ir_parser *p, struct ir_chain **ret)
{
	const char *table, *name;
	uint8_t pf, family;

	if (!ir_need_pf(p, &pf) || !ir_need_family(p, &family) || !ir_need_name(p, &table) ||
	    !ir_need_name(p, &name))
		return false;
	*ret = chain_get(p->ir, pf, family, table, name);
	return true;
}

/* Of a jump: "NAME" of the same table, or "(PF FAMILY TABLE NAME)". */
static bool parse_target(struct ir_parser *p, struct ir_chain **ret)
{
	const struct ir_chain *c = p->chain;
	const char *name;

	if (ir_take_punct(p, '('))
		return ir_need_chain_path(p, ret) && ir_need_punct(p, ')');
	if (!c)
		return ir_lex_error(&p->lex, "expected \"(\" and the path of a chain");
	if (!ir_need_name(p, &name))
		return false;
	*ret = chain_get(p->ir, c->pf, c->family, c->table, name);
	return true;
}

bool ir_need_verdict(struct ir_parser *p, struct ir_verdict *ret)
{
	int code = p->lex.token == IR_TOK_WORD ? IR_NAME_FIND(ir_verdict_names, p->lex.word) : -1;

	if (code < 0)
		return ir_lex_error(&p->lex, "expected a verdict");
	ir_lex_next(&p->lex);
	ret->code = (enum ir_verdict_code)code;
	if (ret->code != IR_JUMP && ret->code != IR_GOTO)
		return true;
	return parse_target(p, &ret->chain);
}
