/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One rule changed: the ruleset before, which differs in a line, and the command that makes the
 * ruleset of it, as nft -f with all of it or by adding the rule that lacks.
 *
 * A rule is a line of a chain, found by counting braces. What the line becomes is often no nft; then
 * the caller draws again.
 */
#include "edit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

struct place {
	const char *line; /* after its indentation */
	size_t len;
	uint32_t index; /* in its chain */
	bool is_head;	/* no rule, but what says of a base chain what it is */
	char table[128], chain[128]; /* "inet t" */
};

/* How deep braces are behind this line; comments and strings do not count. */
static int depth_after(const char *line, size_t len, int depth)
{
	bool quoted = false;

	for (size_t i = 0; i < len && (quoted || line[i] != '#'); i++) {
		if (line[i] == '"')
			quoted = !quoted;
		else if (!quoted)
			depth += (line[i] == '{') - (line[i] == '}');
	}
	return depth;
}

static bool begins(const char *line, size_t len, const char *with)
{
	return len >= strlen(with) && strncmp(line, with, strlen(with)) == 0;
}

static bool is_rule(const char *line, size_t len)
{
	return len && !strchr("#}", *line) && line[len - 1] != '\\' &&
	       !begins(line, len, "policy ") && !begins(line, len, "comment ") &&
	       !begins(line, len, "include ") && !begins(line, len, "define ") &&
	       !begins(line, len, "devices ");
}

static void copy_name(char *to, size_t size, const char *line, size_t len, const char *keyword)
{
	const char *end = memchr(line, '{', len);
	size_t skip = strlen(keyword);

	snprintf(to, size, "%.*s", end ? (int)(end - line - (ptrdiff_t)skip) : 0, line + skip);
}

/* The @nth rule, into @ret if that is not NULL; how many rules there are if that is more. */
static uint32_t find_rule(const char *text, uint32_t nth, struct place *ret)
{
	struct place at = {0};
	uint32_t n = 0;
	int depth = 0;

	for (const char *p = text; *p;) {
		const char *line = p + strspn(p, " \t");
		size_t len = strcspn(line, "\n");
		int next = depth_after(line, len, depth);

		p = line + len + (line[len] == '\n');
		if (depth == 0 && begins(line, len, "table "))
			copy_name(at.table, sizeof(at.table), line, len, "table ");
		if (depth == 1) {
			at.index = 0;
			at.chain[0] = 0;
			if (begins(line, len, "chain "))
				copy_name(at.chain, sizeof(at.chain), line, len, "chain ");
		} else if (depth == 2 && next == 2 && at.chain[0] && is_rule(line, len)) {
			at.line = line;
			at.len = len;
			at.is_head = begins(line, len, "type ");
			if (n++ == nth && ret)
				*ret = at;
			at.index += !at.is_head;
		}
		depth = next;
	}
	return n;
}

/* A digit of a number, not of a name: from where on to look for one, or len. */
static size_t next_digit(const struct place *r, size_t from)
{
	for (size_t i = from; i < r->len; i++) {
		size_t first = i;

		while (first && isxdigit((unsigned char)r->line[first - 1]))
			first--;
		if (isdigit((unsigned char)r->line[i]) && isdigit((unsigned char)r->line[first]) &&
		    first && strchr(" .:-/{x", r->line[first - 1]))
			return i;
	}
	return r->len;
}

static bool change_digit(const struct place *r, struct rng *rng, char *line)
{
	size_t at[64];
	uint32_t n = 0;

	for (size_t i = next_digit(r, 0); i < r->len && n < ARRAY_SIZE(at); i = next_digit(r, i + 1))
		at[n++] = i;
	if (!n)
		return false;
	line[at[rng_below(rng, n)]] = (char)('0' + rng_below(rng, 10));
	return true;
}

/* Accept becomes drop and drop accept, at the end; @line has room for two more. */
static bool change_verdict(char *line, bool is_policy)
{
	const char *const rule[2] = {"accept", "drop"}, *const policy[2] = {"accept;", "drop;"};
	const char *const *word = is_policy ? policy : rule;

	for (int i = 0; i < 2; i++) {
		size_t len = strlen(line), n = strlen(word[i]);

		if (len > n && strcmp(line + len - n, word[i]) == 0) {
			strcpy(line + len - n, word[!i]);
			return true;
		}
	}
	return false;
}

/* Another line instead of the rule's. */
static int change_rule(const char *text, const struct place *r, struct rng *rng, struct edit *ret)
{
	AUTO_FREE char *line = calloc(1, r->len + 8);
	uint32_t way = rng_below(rng, 8);
	const char *more = "";

	if (!line)
		return -ENOMEM;
	memcpy(line, r->line, r->len);
	if (r->is_head)
		change_verdict(line, true);
	else if (way == 0)
		line[0] = 0; /* it is new */
	else if (way == 1)
		more = line; /* it was there twice */
	else if ((way > 3 || !change_verdict(line, false)) && !change_digit(r, rng, line))
		line[0] = 0;
	if (asprintf(&ret->before, "%.*s%s%s%s%s", (int)(r->line - text), text, more,
		     *more ? "\n" : "", line, r->line + r->len) < 0) {
		ret->before = NULL;
		return -ENOMEM;
	}
	if (asprintf(&ret->change, "flush ruleset\n%s", text) < 0) {
		ret->change = NULL;
		return -ENOMEM;
	}
	return 0;
}

static bool is_last(const struct place *r)
{
	return r->line[r->len + strspn(r->line + r->len, " \t\n")] == '}';
}

/*
 * Not by index, for which libnftables 1.0.6 reads all rules but not all of their sets, and some make
 * it crash; nor with sets in it, whose numbers (__set2) would be others than the interpreter's.
 */
static bool may_be_added(const struct place *r)
{
	return !r->is_head && (r->index == 0 || is_last(r)) && !memchr(r->line, '{', r->len);
}

/* The rule lacks; it is put first or last. */
static int insert_rule(const char *text, const struct place *r, struct edit *ret)
{
	if (asprintf(&ret->before, "%.*s%s", (int)(r->line - text), text, r->line + r->len) < 0) {
		ret->before = NULL;
		return -ENOMEM;
	}
	if (asprintf(&ret->change, "%s rule %s %s %.*s\n", is_last(r) ? "add" : "insert", r->table,
		     r->chain, (int)r->len, r->line) < 0) {
		ret->change = NULL;
		return -ENOMEM;
	}
	return 0;
}

int edit_draw(const char *text, bool is_plain, struct rng *rng, struct edit *ret)
{
	uint32_t n = find_rule(text, UINT32_MAX, NULL);
	struct edit e = {0};
	struct place r;
	int err;

	if (!n)
		return -ENOENT;
	if (is_plain && rng_one_in(rng, 2) && edit_draw_elem(text, rng, ret) != -ENOENT)
		return ret->before ? 0 : -EINVAL;
	find_rule(text, rng_below(rng, n), &r);
	if (is_plain && may_be_added(&r) && rng_one_in(rng, 2))
		err = insert_rule(text, &r, &e);
	else
		err = change_rule(text, &r, rng, &e);
	if (err)
		edit_fini(&e);
	else
		*ret = e;
	return err;
}

void edit_fini(struct edit *e)
{
	free(e->before);
	free(e->change);
	*e = (struct edit){0};
}
