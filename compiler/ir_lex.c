/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens of the IR's text form: words, decimal numbers, constants as 0x and an even number of hex
 * digits, ".." and single characters. White space, ";" and "//" comments separate.
 */
#include "ir_lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "ir_names.h"

void ir_lex_init(struct ir_lex *lx, const char *text, size_t len, const char *file,
		 struct diags *ds)
{
	memset(lx, 0, sizeof(*lx));
	lx->at = lx->start = lx->line_start = text;
	lx->end = text + len;
	lx->file = file;
	lx->ds = ds;
	lx->line = 1;
	ir_lex_next(lx);
}

void ir_lex_fail(struct ir_lex *lx, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list ap;
	int n;

	if (!lx->failed) {
		va_start(ap, fmt);
		n = vasprintf(&text, fmt, ap);
		va_end(ap);
		if (n < 0)
			text = NULL;
		diag_add(lx->ds, DIAG_ERROR, "ir-syntax", NULL, "%s:%u:%zu: %s", lx->file, lx->line,
			 (size_t)(lx->start - lx->line_start) + 1, text ? text : "syntax error");
	}
	lx->failed = true;
	lx->token = IR_TOK_ERROR;
}

static char peek(const struct ir_lex *lx, size_t n)
{
	return (size_t)(lx->end - lx->at) > n ? lx->at[n] : '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that two hex digits at @n give, or -1. */
static int hex_byte(const struct ir_lex *lx, size_t n)
{
	int hi = hex_digit(peek(lx, n)), lo = hex_digit(peek(lx, n + 1));

	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

static void skip_space(struct ir_lex *lx)
{
	for (; lx->at < lx->end; lx->at++) {
		if (peek(lx, 0) == '/' && peek(lx, 1) == '/')
			while (lx->at < lx->end && *lx->at != '\n')
				lx->at++;
		if (lx->at == lx->end || !memchr(" \t\n;", *lx->at, 4))
			return;
		if (*lx->at == '\n') {
			lx->line++;
			lx->line_start = lx->at + 1;
		}
	}
}

static void lex_bytes(struct ir_lex *lx)
{
	int b;

	lx->token = IR_TOK_BYTES;
	lx->n_bytes = 0;
	for (lx->at += 2; (b = hex_byte(lx, 0)) >= 0; lx->at += 2) {
		if (lx->n_bytes == IR_LEX_MAX) {
			ir_lex_fail(lx, "constant too long");
			return;
		}
		lx->bytes[lx->n_bytes++] = (uint8_t)b;
	}
	if (!lx->n_bytes || hex_digit(peek(lx, 0)) >= 0)
		ir_lex_fail(lx, "a constant is 0x and two hex digits (0-9, a-f) a byte");
}

static void lex_number(struct ir_lex *lx)
{
	lx->token = IR_TOK_NUMBER;
	lx->number = 0;
	lx->negative = peek(lx, 0) == '-';
	if (lx->negative)
		lx->at++;
	for (; peek(lx, 0) >= '0' && peek(lx, 0) <= '9'; lx->at++) {
		if (__builtin_mul_overflow(lx->number, 10, &lx->number) ||
		    __builtin_add_overflow(lx->number, *lx->at - '0', &lx->number)) {
			ir_lex_fail(lx, "number too large");
			return;
		}
	}
}

static void lex_word(struct ir_lex *lx)
{
	size_t n = 0;

	lx->token = IR_TOK_WORD;
	lx->quoted = false;
	while (ir_is_word_char(peek(lx, n)))
		n++;
	if (n >= IR_LEX_MAX) {
		ir_lex_fail(lx, "word too long");
		return;
	}
	memcpy(lx->word, lx->at, n);
	lx->word[n] = '\0';
	lx->at += n;
}

/* In quotes, "\xx" is a byte in hex; so are quotes and backslashes themselves. */
static void lex_quoted(struct ir_lex *lx)
{
	size_t n = 0;
	int c;

	lx->token = IR_TOK_WORD;
	lx->quoted = true;
	for (lx->at++; peek(lx, 0) != '"'; lx->at++) {
		c = (uint8_t)peek(lx, 0);
		if (c == '\\') {
			c = hex_byte(lx, 1);
			lx->at += 2;
		} else if (c < ' ' || c > '~') {
			c = 0;
		}
		if (c <= 0 || n + 1 == IR_LEX_MAX) {
			ir_lex_fail(lx, "bad or endless string");
			return;
		}
		lx->word[n++] = (char)c;
	}
	lx->word[n] = '\0';
	lx->at++;
}

void ir_lex_next(struct ir_lex *lx)
{
	char c;

	if (lx->failed)
		return;
	skip_space(lx);
	lx->start = lx->at;
	c = peek(lx, 0);
	if (lx->at == lx->end) {
		lx->token = IR_TOK_END;
	} else if (c == '0' && peek(lx, 1) == 'x') {
		lex_bytes(lx);
	} else if ((c >= '0' && c <= '9') ||
		   (c == '-' && peek(lx, 1) >= '0' && peek(lx, 1) <= '9')) {
		lex_number(lx);
	} else if (ir_is_word_start(c)) {
		lex_word(lx);
	} else if (c == '"') {
		lex_quoted(lx);
	} else if (c == '.' && peek(lx, 1) == '.') {
		lx->token = IR_TOK_RANGE;
		lx->at += 2;
	} else if (c && strchr("{}()#@%=:*", c)) {
		lx->token = IR_TOK_PUNCT;
		lx->punct = c;
		lx->at++;
	} else {
		ir_lex_fail(lx, "unexpected character");
	}
}
