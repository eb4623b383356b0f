/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices of the scratch namespaces, from a ruleset's text, nft's messages and compiled rules.
 */
#include "devices.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || c == '@';
}

/* Names that the kernel refuses: dev_valid_name(), and for sysctl's sake sysctl_dev_name_is_allowed(). */
static bool is_refused(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "all") == 0 ||
	       strcmp(name, "default") == 0;
}

static int add(struct lab *lab, const char *name, size_t len, struct diags *ds)
{
	char buf[IFNAMSIZ];

	if (len == 0 || len >= IFNAMSIZ || strncmp(name, "lo", MAX(len, 2u)) == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return 0;
	memcpy(buf, name, len);
	buf[len] = 0;
	if (is_refused(buf) || lab_dev_by_name(lab, buf))
		return 0;
	if (lab->n_devs + 2 >= LAB_MAX_DEVS)
		return 0;
	return lab_add_dev(lab, buf, 0, ds) ? -EINVAL : 1;
}

/* ---- messages: the token under the carets ---- */

static const char *next_line(const char *s)
{
	const char *nl = strchr(s, '\n');

	return nl ? nl + 1 : NULL;
}

static int add_marked(struct lab *lab, const char *source, const char *carets, struct diags *ds)
{
	size_t at = strcspn(carets, "^\n"), n;

	n = strspn(carets + at, "^");
	while (n && (source[at] == '"' || source[at] == ' ')) {
		at++;
		n--;
	}
	while (n && (source[at + n - 1] == '"' || source[at + n - 1] == ' '))
		n--;
	return add(lab, source + at, n, ds);
}

int devices_from_message(struct lab *lab, const char *message, struct diags *ds)
{
	const char *line = message, *source, *carets;
	int n = 0;

	for (; line; line = next_line(line)) {
		size_t len = strcspn(line, "\n");
		const char *hit = memmem(line, len, "nterface does not exist", 23);
		int err;

		if (!hit)
			continue;
		source = next_line(line);
		carets = source ? next_line(source) : NULL;
		if (!carets)
			break;
		err = add_marked(lab, source, carets, ds);
		if (err < 0)
			return err;
		n += err;
	}
	return n;
}

/* ---- text ---- */

static bool word_is(const char *w, size_t len, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == len && strncmp(w, *words, len) == 0)
			return true;
	return false;
}

static const char *skip_comment(const char *s)
{
	return s + strcspn(s, "\n");
}

/* A quoted string: its bytes, and where it ends. */
static const char *quoted(const char *s, size_t *ret_len)
{
	*ret_len = strcspn(s + 1, "\"\n");
	return s + 1 + *ret_len + (s[1 + *ret_len] == '"');
}

int devices_from_text(struct lab *lab, const char *text, struct diags *ds)
{
	static const char *const before_name[] = {"iif",    "oif",     "iifname", "oifname",
						  "device", "devices", NULL};
	static const char *const before_other[] = {"comment", "prefix", "include", "type",
						   "secmark", NULL};
	bool name_follows = false, other_follows = false;
	const char *s = text;

	while (*s) {
		size_t len = 0;

		if (*s == '#') {
			s = skip_comment(s);
		} else if (*s == '"') {
			const char *q = s + 1;

			s = quoted(s, &len);
			if (!other_follows && add(lab, q, len, ds) < 0)
				return -EINVAL;
			name_follows = other_follows = false;
		} else if (is_name_char(*s)) {
			while (is_name_char(s[len]))
				len++;
			if (name_follows && add(lab, s, len, ds) < 0)
				return -EINVAL;
			name_follows = word_is(s, len, before_name);
			other_follows = word_is(s, len, before_other);
			s += len;
		} else {
			if (!isspace((unsigned char)*s) && !strchr("!={", *s))
				name_follows = false;
			s++;
		}
	}
	return 0;
}

int devices_from_file(struct lab *lab, const char *file, struct diags *ds)
{
	FILE *f = fopen(file, "re");
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	ssize_t n;

	if (!f) {
		diag_add(ds, DIAG_ERROR, "difftest-file", NULL, "%s: %s", file, strerror(errno));
		return -errno;
	}
	n = getdelim(&text, &size, 0, f);
	fclose(f);
	return n > 0 ? devices_from_text(lab, text, ds) : 0;
}

/* ---- compiled rules ---- */

static const char *leaf_name(const struct ir_sel *s)
{
	while (s->op != IR_LEAF && s->n_args)
		s = s->args[0];
	return s->op == IR_LEAF ? s->leaf->name : "";
}

static int add_padded(struct lab *lab, const uint8_t *name, size_t width, struct diags *ds)
{
	char buf[IFNAMSIZ + 1] = {0};
	size_t len = strnlen((const char *)name, MIN(width, (size_t)IFNAMSIZ - 1));

	memcpy(buf, name, len);
	if (len && len == width && len < IFNAMSIZ - 1) /* a prefix: no NUL is compared */
		buf[len++] = '0';
	return add(lab, buf, len, ds);
}

static int add_group(struct lab *lab, uint32_t group, struct diags *ds)
{
	char name[IFNAMSIZ];
	int err;

	if (!group) /* everybody's */
		return 0;
	snprintf(name, sizeof(name), "group%u", group & 0xffff);
	err = add(lab, name, strlen(name), ds);
	if (err > 0)
		lab->devs[lab->n_devs - 1].group = group;
	return err;
}

static int add_value(struct lab *lab, const struct ir_sel *sel, const uint8_t *v, size_t width,
		     struct diags *ds)
{
	const char *leaf = leaf_name(sel);
	char name[IFNAMSIZ];
	uint32_t index;

	if (!v)
		return 0;
	if (strcmp(leaf, "meta iifname") == 0 || strcmp(leaf, "meta oifname") == 0)
		return add_padded(lab, v, width, ds);
	if (width != 4)
		return 0;
	memcpy(&index, v, 4);
	if (strcmp(leaf, "meta iifgroup") == 0 || strcmp(leaf, "meta oifgroup") == 0)
		return add_group(lab, index, ds);
	if (strcmp(leaf, "meta iif") && strcmp(leaf, "meta oif"))
		return 0;
	if (!index || index > 100000 || lab_dev_by_index(lab, index) ||
	    lab->n_devs + 2 >= LAB_MAX_DEVS)
		return 0;
	snprintf(name, sizeof(name), "dev%u", index);
	return lab_add_dev(lab, name, index, ds);
}

static int add_set(struct lab *lab, const struct ir_sel *key, const struct ir_set *set,
		   struct diags *ds)
{
	for (size_t i = 0; i < set->n_elems && i < 64; i++) {
		uint32_t at = 0;

		for (uint32_t a = 0; key->op == IR_CONCAT && a < key->n_args; a++) {
			if (set->elems[i].lo &&
			    add_value(lab, key->args[a], set->elems[i].lo + at,
				      key->args[a]->width, ds) < 0)
				return -EINVAL;
			at += key->args[a]->width;
		}
		if (key->op != IR_CONCAT &&
		    add_value(lab, key, set->elems[i].lo, key->width, ds) < 0)
			return -EINVAL;
	}
	return 0;
}

int devices_from_ir(struct lab *lab, const struct ir *ir, struct diags *ds)
{
	for (uint32_t c = 0; c < ir->n_chains; c++)
		for (uint32_t r = 0; r < ir->chains[c]->n_rules; r++) {
			const struct ir_rule *rule = &ir->chains[c]->rules[r];

			for (uint32_t i = 0; i < rule->n_steps; i++) {
				const struct ir_step *s = &rule->steps[i];
				int err = 0;

				if (s->kind == IR_GUARD && !s->set)
					err = add_value(lab, s->sel, s->lo, s->sel->width, ds);
				if (s->set && s->sel)
					err = add_set(lab, s->sel, s->set, ds);
				if (err < 0)
					return err;
			}
		}
	return 0;
}
