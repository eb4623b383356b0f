/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One element of a named set or map changed: it lacks before and is added, or another was there and is
 * deleted, or both. The command is one on elements, so that the map of a loaded generation is changed.
 *
 * Elements stand in one line, as rulegen writes them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "edit.h"

struct elem_place {
	char set[160];	  /* "inet t0 s1" */
	const char *line; /* "elements = { …" */
	const char *elem; /* one of its elements, with what it keeps and maps to */
	size_t len;
	bool is_only;
};

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line + (*line == '\n');
}

/* Elements of a line, each in turn; @nth counts on. */
static uint32_t find_in_line(const char *line, const char *set, uint32_t n, uint32_t nth,
			     struct elem_place *ret)
{
	const char *end = line + strcspn(line, "\n") - strlen(" }");
	const char *first = line + strlen("elements = { ");

	for (const char *p = first; p < end; n++) {
		const char *comma = strstr(p, ", ");
		size_t len = (size_t)((comma && comma < end ? comma : end) - p);

		if (n == nth && ret) {
			*ret = (struct elem_place){.line = line, .elem = p, .len = len,
						   .is_only = p == first && p + len == end};
			snprintf(ret->set, sizeof(ret->set), "%s", set);
		}
		p += len + strlen(", ");
	}
	return n;
}

static bool is_concat_typeof(const char *line)
{
	const char *dot = strstr(line, " . ");

	return begins(line, "typeof ") && dot && dot < line + strcspn(line, "\n");
}

static bool has_catchall(const char *line)
{
	const char *star = strstr(line, ", *");

	return star && star < line + strcspn(line, "\n");
}

/*
 * The @nth element, if @ret is not NULL; how many there are if that is more. Not of constant sets, nor of
 * those that merge elements, which are not found again, or have a catch-all, of which nft 1.0.6 dies, as
 * it does of concatenations of fields by typeof, whose length it forgets.
 */
static uint32_t find_elem(const char *text, uint32_t nth, struct elem_place *ret)
{
	char table[64] = "", set[160] = "";
	uint32_t n = 0;

	for (const char *line = text; *line; line = next_line(line)) {
		const char *word = line + strspn(line, " \t");

		if (begins(word, "table "))
			snprintf(table, sizeof(table), "%.*s", (int)strcspn(word + 6, "{"), word + 6);
		if (begins(word, "set ") || begins(word, "map "))
			snprintf(set, sizeof(set), "%s%.*s", table, (int)strcspn(word + 4, " "),
				 word + 4);
		if (begins(word, "chain ") || begins(word, "flags constant") ||
		    begins(word, "auto-merge") || is_concat_typeof(word))
			set[0] = 0;
		if (begins(word, "elements = { ") && set[0] && !has_catchall(word))
			n = find_in_line(word, set, n, nth, ret);
	}
	return n;
}

/* How much of an element is its key. */
static size_t key_len(const char *elem, size_t len)
{
	static const char *const behind[] = {" counter ", " timeout ", " expires ", " comment ", " : "};

	for (size_t i = 0; i < ARRAY_SIZE(behind); i++)
		for (size_t k = 0; k + strlen(behind[i]) <= len; k++)
			if (begins(elem + k, behind[i]))
				len = k;
	return len;
}

/* Into another number: a prefix or leading zeros would leave it what it is. */
static bool change_digit(char *key, size_t len, struct rng *rng)
{
	uint32_t at = rng_below(rng, (uint32_t)len);
	char digit = (char)('0' + rng_below(rng, 10));
	bool is_first = at == 0 || !isxdigit((unsigned char)key[at - 1]);

	if (memchr(key, '/', len) || !isdigit((unsigned char)key[at]) || key[at] == digit ||
	    (is_first && digit == '0'))
		return false;
	key[at] = digit;
	return true;
}

/* Does another element have that key? */
static bool is_there(const struct elem_place *at, const char *key, size_t len)
{
	struct elem_place e;
	uint32_t n = find_in_line(at->line, "", 0, UINT32_MAX, NULL);

	for (uint32_t i = 0; i < n; i++) {
		find_in_line(at->line, "", 0, i, &e);
		if (key_len(e.elem, e.len) == len && strncmp(e.elem, key, len) == 0)
			return true;
	}
	return false;
}

/* The element with another key, and ", " behind if it is to stand in front of it; NULL: none found. */
static char *draw_other(const struct elem_place *at, const char *behind, struct rng *rng)
{
	AUTO_FREE char *other = NULL;
	size_t key = key_len(at->elem, at->len);

	if (asprintf(&other, "%.*s%s", (int)at->len, at->elem, behind) < 0)
		other = NULL;
	for (int tries = 0; other && tries < 20; tries++)
		if (change_digit(other, key, rng))
			return is_there(at, other, key) ? NULL : TAKE_PTR(other);
	return NULL;
}

enum { ADD, DELETE, REPLACE, N_WAYS };

/* The text with something else where the element stands; @middle NULL: nothing, nor its comma. */
static char *text_with(const char *text, const struct elem_place *at, const char *middle,
		       const char *and_then, int len)
{
	const char *before = at->elem, *behind = at->elem + at->len;
	char *ret;

	if (!middle && *behind == ',')
		behind += strlen(", ");
	else if (!middle)
		before -= strlen(", ");
	return asprintf(&ret, "%.*s%s%.*s%s", (int)(before - text), text, middle ? middle : "", len,
			and_then, behind) < 0 ? NULL : ret;
}

static char *command(const struct elem_place *at, uint32_t way, const char *other, size_t key)
{
	char *ret;
	int n;

	if (way == ADD)
		n = asprintf(&ret, "add element %s { %.*s }\n", at->set, (int)at->len, at->elem);
	else if (way == DELETE)
		n = asprintf(&ret, "delete element %s { %.*s }\n", at->set, (int)key, other);
	else
		n = asprintf(&ret, "delete element %s { %.*s }\nadd element %s { %.*s }\n", at->set,
			     (int)key, other, at->set, (int)at->len, at->elem);
	return n < 0 ? NULL : ret;
}

int edit_draw_elem(const char *text, struct rng *rng, struct edit *ret)
{
	uint32_t n = find_elem(text, UINT32_MAX, NULL), way = rng_below(rng, N_WAYS);
	AUTO_FREE char *other = NULL;
	struct elem_place at;

	if (!n)
		return -ENOENT;
	find_elem(text, rng_below(rng, n), &at);
	if (way != ADD)
		other = draw_other(&at, way == DELETE ? ", " : "", rng);
	if (way == ADD ? at.is_only : !other)
		return -EINVAL;
	ret->before = text_with(text, &at, other, at.elem, way == DELETE ? (int)at.len : 0);
	ret->change = command(&at, way, other, key_len(at.elem, at.len));
	if (ret->before && ret->change)
		return 0;
	edit_fini(ret);
	return -ENOMEM;
}

char *edit_draw_change(const char *text, struct rng *rng)
{
	uint32_t n = find_elem(text, UINT32_MAX, NULL), way = rng_below(rng, N_WAYS);
	AUTO_FREE char *other = NULL;
	struct elem_place at;
	char *ret;
	int key;

	if (!n)
		return NULL;
	find_elem(text, rng_below(rng, n), &at);
	key = (int)key_len(at.elem, at.len);
	if (way == DELETE)
		return asprintf(&ret, "delete element %s { %.*s }", at.set, key, at.elem) < 0 ? NULL : ret;
	other = draw_other(&at, "", rng);
	if (!other)
		return NULL;
	if (way == ADD)
		return asprintf(&ret, "add element %s { %s }", at.set, other) < 0 ? NULL : ret;
	return asprintf(&ret, "delete element %s { %.*s }; add element %s { %s }", at.set, key, at.elem,
			at.set, other) < 0 ? NULL : ret;
}
