/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether nft's commands are about elements of sets alone: such need not have the ruleset read, nor
 * anything compiled. Only how each statement begins is looked at; what is no such statement, or what
 * this does not understand, is for the long way.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* Behind blanks, comments and ends of statements. */
static const char *next_statement(const char *p)
{
	for (;;) {
		p += strspn(p, " \t\r\n;");
		if (*p != '#')
			return p;
		p += strcspn(p, "\n");
	}
}

/* Its end: a line's end or semicolon outside of braces and quotes. NULL: there is none. */
static const char *end_of_statement(const char *p)
{
	unsigned int depth = 0;

	for (; *p; p++) {
		if (*p == '#')
			p += strcspn(p, "\n");
		if (*p == '"') {
			p++;
			p += strcspn(p, "\"\n");
			if (*p != '"')
				return NULL;
		} else if (*p == '\\' && p[1]) {
			p++;
		} else if (*p == '{') {
			depth++;
		} else if (*p == '}' && depth-- == 0) {
			return NULL;
		}
		if (!*p || (!depth && (*p == '\n' || *p == ';')))
			break;
	}
	return depth ? NULL : p;
}

/* "add element", "delete element" and the like, "flush set". */
static bool begins_by_element(const char *p, bool *ret_adds)
{
	static const struct {
		const char *verb, *noun;
		bool adds;
	} known[] = {
		{"add", "element", true},      {"create", "element", true},
		{"delete", "element", false},  {"destroy", "element", false},
		{"flush", "set", false},       {"flush", "map", false},
	};
	char verb[16], noun[16];

	if (sscanf(p, "%15[a-z]%*[ \t]%15[a-z]", verb, noun) != 2)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		*ret_adds = known[i].adds;
		if (strcmp(verb, known[i].verb) == 0 && strcmp(noun, known[i].noun) == 0)
			return true;
	}
	return false;
}

static bool all_about_elements(const char *p, bool *ret_adds)
{
	size_t n = 0;
	bool adds;

	*ret_adds = true;
	for (p = next_statement(p); *p; p = next_statement(p)) {
		if (!begins_by_element(p, &adds))
			return false;
		p = end_of_statement(p);
		if (!p)
			return false;
		*ret_adds &= adds;
		n++;
	}
	return n > 0;
}

/* Most files are known by how they begin, and need not be read twice. */
static bool may_be_about_elements(int fd)
{
	char text[4096];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	const char *p;
	bool adds;

	text[MAX(n, (ssize_t)0)] = 0;
	p = next_statement(text);
	/* A word that is cut off, or a comment up to the end, says nothing. */
	return strlen(p) < 64 || begins_by_element(p, &adds);
}

static char *read_text(const struct nft_input *in)
{
	bool is_stdin = strcmp(in->file, "-") == 0;
	struct stat st;
	char *text = NULL;
	int fd;

	if (!cli_input_rewind(in))
		return NULL;
	fd = is_stdin ? dup(STDIN_FILENO) : open(in->file, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && may_be_about_elements(fd) && fstat(fd, &st) == 0)
		text = calloc(1, (size_t)st.st_size + 1);
	if (text && pread(fd, text, (size_t)st.st_size, 0) != st.st_size) {
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

bool cli_input_is_elements(const struct nft_input *in, bool *ret_adds)
{
	AUTO_FREE char *text = NULL;

	if (in->json)
		return false;
	if (!in->file)
		return all_about_elements(in->commands, ret_adds);
	text = read_text(in);
	return text && all_about_elements(text, ret_adds);
}
