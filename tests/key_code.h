/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: code of an IR that finds its maps elsewhere, and whether two of them are the same but for
 * the lines in line info.
 */
#ifndef NFT_BPF_TESTS_KEY_CODE_H
#define NFT_BPF_TESTS_KEY_CODE_H

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "compiler/emit/emit.h"

static const struct emit_options key_options = {.cpus = 2, .maps_elsewhere = true};

static bool key_compile(const struct ir *ir, const struct emit_options *opt, struct emitted *ret)
{
	struct diags ds;
	bool ok;

	diags_init(&ds);
	ok = emit_open(&ds) && emit_open(&ds)->compile(ir, opt, &ds, ret) == 0;
	diags_fini(&ds);
	return ok;
}

struct key_section {
	const char *name;
	uint8_t *bytes;
	size_t size;
};

static struct key_section key_section(const struct emitted *e, uint32_t i)
{
	const Elf64_Ehdr *h = e->object;
	const Elf64_Shdr *sh = (const void *)((char *)e->object + h->e_shoff);
	const char *names = (char *)e->object + sh[h->e_shstrndx].sh_offset;

	return (struct key_section){names + sh[i].sh_name, (uint8_t *)e->object + sh[i].sh_offset,
				sh[i].sh_type == SHT_NOBITS ? 0 : sh[i].sh_size};
}

/* In each record of a part of .BTF.ext: word @word. */
static void key_forget_word(struct key_section *s, uint32_t part, uint32_t word)
{
	uint32_t head[8], at, end, each, n;

	memcpy(head, s->bytes, sizeof(head));
	at = head[1] + head[2 + 2 * part];
	end = at + head[3 + 2 * part];
	if (at == end)
		return;
	memcpy(&each, s->bytes + at, 4);
	for (at += 4; at < end;) {
		memcpy(&n, s->bytes + at + 4, 4);
		for (at += 8; n--; at += each)
			memset(s->bytes + at + 4 * word, 0, 4);
	}
}

/* Lines; and numbers of types, which LLVM gives in another order each time. */
static void key_forget(struct key_section *s)
{
	key_forget_word(s, 0, 1);
	key_forget_word(s, 1, 3);
	key_forget_word(s, 2, 1);
}

/* The section in which they differ, "" where they have others; NULL: none. */
static const char *key_other_section(const struct emitted *a, const struct emitted *b)
{
	const Elf64_Ehdr *h = a->object, *hb = b->object;

	if (h->e_shnum != hb->e_shnum)
		return "";
	for (uint32_t i = 1; i < h->e_shnum; i++) {
		struct key_section x = key_section(a, i), y = key_section(b, i);

		if (strcmp(x.name, y.name) != 0)
			return "";
		if (strstr(x.name, ".debug") || strcmp(x.name, ".BTF") == 0)
			continue;
		if (strcmp(x.name, ".BTF.ext") == 0) {
			key_forget(&x);
			key_forget(&y);
		}
		if (x.size != y.size || memcmp(x.bytes, y.bytes, x.size) != 0)
			return x.name;
	}
	return NULL;
}

#endif
