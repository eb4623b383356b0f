/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a user must read: errors, and the blockers that keep a chain with the interpreter. Libraries
 * do not print; they put a message here, once, where the cause is known.
 */
#ifndef NFT_BPF_COMPILER_DIAG_H
#define NFT_BPF_COMPILER_DIAG_H

#include <stdint.h>

#include "util.h"

enum diag_level {
	DIAG_NOTE,    /* worth knowing, -v */
	DIAG_BLOCKER, /* why a chain stays with the interpreter: a result, not an error */
	DIAG_WARNING,
	DIAG_ERROR,
};

/* Where in a ruleset. Strings are copied by diag_add(). Unset: NULL, 0. */
struct diag_place {
	uint8_t family; /* NFPROTO_* */
	const char *table;
	const char *chain;
	uint64_t handle;  /* of the rule; 0: not known or none */
	uint32_t rule;    /* position in its chain, from 1; 0: none */
	const char *expr; /* nf_tables expression name, with its key: "meta secmark" */
};

struct diag {
	struct list node;
	enum diag_level level;
	struct diag_place at;
	const char *code; /* reason code: short, stable, documented in nft-bpf(8): "expr-nat" */
	char *text;       /* lower case, no trailing dot or newline */
};

struct diags {
	struct list list; /* struct diag, oldest first */
	unsigned int count[DIAG_ERROR + 1];
};

void diags_init(struct diags *ds);
void diags_fini(struct diags *ds);
/* All of @from to the end of @to. */
void diags_move(struct diags *to, struct diags *from);
/* Errors that did not keep anything from being done become warnings. */
void diags_lower(struct diags *ds);

/* @code must be a string that lives forever. @at may be NULL. */
void diag_add(struct diags *ds, enum diag_level level, const char *code,
	      const struct diag_place *at, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* "inet filter input: rule handle 12: limit: <text>", malloc'ed. */
char *diag_format(const struct diag *d);
/* Its text: what was an error where it happened is a reason elsewhere. */
const char *diags_first_error(const struct diags *ds);

const char *family_name(uint8_t nfproto); /* "ip", "ip6", "inet", "arp", "bridge", "netdev" */

#endif
