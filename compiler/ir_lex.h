/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text form of the IR cut into tokens. Private to its parser.
 */
#ifndef NFT_BPF_COMPILER_IR_LEX_H
#define NFT_BPF_COMPILER_IR_LEX_H

#include "diag.h"
#include "util.h"

#define IR_LEX_MAX 1024 /* bytes of a word or a constant */

enum ir_token {
	IR_TOK_END,
	IR_TOK_WORD,   /* .word; quoted or not */
	IR_TOK_NUMBER, /* .number, .negative */
	IR_TOK_BYTES,  /* .bytes, .n_bytes */
	IR_TOK_RANGE,  /* ".." */
	IR_TOK_PUNCT,  /* .punct */
	IR_TOK_ERROR,  /* told already */
};

struct ir_lex {
	const char *at, *end;
	const char *file;
	struct diags *ds;
	bool failed; /* an error was told; the first one is enough */

	/* The token in hand. */
	enum ir_token token;
	const char *start;
	uint32_t line;
	const char *line_start;
	bool negative, quoted;
	char punct;
	uint64_t number;
	uint32_t n_bytes;
	uint8_t bytes[IR_LEX_MAX];
	char word[IR_LEX_MAX];
};

void ir_lex_init(struct ir_lex *lx, const char *text, size_t len, const char *file,
		 struct diags *ds);
/* Goes on to the next token. */
void ir_lex_next(struct ir_lex *lx);
/* "FILE:LINE:COLUMN: message" at the token in hand. As an expression, ir_lex_error() is false. */
void ir_lex_fail(struct ir_lex *lx, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define ir_lex_error(lx, ...) (ir_lex_fail((lx), __VA_ARGS__), false)

#endif
