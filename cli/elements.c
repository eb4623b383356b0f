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

const char *cli_next_statement(const char *p)
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

static bool all_about_elements(const char *p, bool *ret_adds)
{
	static const char *const verbs[] = {"add", "create", "delete", "destroy"};
	char verb[16], noun[16];
	size_t n = 0, i;

	*ret_adds = true;
	for (p = cli_next_statement(p); *p; p = cli_next_statement(p)) {
		if (sscanf(p, "%15[a-z]%*[ \t]%15[a-z]", verb, noun) != 2 ||
		    strcmp(noun, "element") != 0)
			return false;
		for (i = 0; i < ARRAY_SIZE(verbs) && strcmp(verb, verbs[i]) != 0; i++)
			;
		p = end_of_statement(p);
		if (i == ARRAY_SIZE(verbs) || !p)
			return false;
		*ret_adds &= i < 2;
		n++;
	}
	return n > 0;
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
	if (fd >= 0 && fstat(fd, &st) == 0)
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
