/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of what a user must read, and the one way a place in a ruleset is written.
 */
#include "diag.h"

#include <inttypes.h>
#include <linux/netfilter.h>
#include <stdarg.h>
#include <stdio.h>

void diags_init(struct diags *ds)
{
	memset(ds, 0, sizeof(*ds));
	list_init(&ds->list);
}

static void diag_free(struct diag *d)
{
	free((char *)d->at.table);
	free((char *)d->at.chain);
	free((char *)d->at.expr);
	free(d->text);
	free(d);
}

void diags_fini(struct diags *ds)
{
	struct diag *d, *tmp;

	list_for_each_safe (d, tmp, &ds->list, node)
		diag_free(d);
	diags_init(ds);
}

void diags_move(struct diags *to, struct diags *from)
{
	struct diag *d, *tmp;

	list_for_each_safe (d, tmp, &from->list, node) {
		list_remove(&d->node);
		list_append(&to->list, &d->node);
	}
	for (size_t i = 0; i < ARRAY_SIZE(to->count); i++)
		to->count[i] += from->count[i];
	diags_init(from);
}

void diags_lower(struct diags *ds)
{
	struct diag *d;

	list_for_each (d, &ds->list, node)
		if (d->level == DIAG_ERROR)
			d->level = DIAG_WARNING;
	ds->count[DIAG_WARNING] += ds->count[DIAG_ERROR];
	ds->count[DIAG_ERROR] = 0;
}

static const char *dup_or_null(const char *s)
{
	return s ? strdup(s) : NULL;
}

/* Out of memory, the message is lost, but it is counted: an error stays an error. */
void diag_add(struct diags *ds, enum diag_level level, const char *code,
	      const struct diag_place *at, const char *fmt, ...)
{
	struct diag *d = calloc(1, sizeof(*d));
	va_list ap;

	ds->count[level]++;
	if (!d)
		return;
	d->level = level;
	d->code = code;
	if (at) {
		d->at = *at;
		d->at.table = dup_or_null(at->table);
		d->at.chain = dup_or_null(at->chain);
		d->at.expr = dup_or_null(at->expr);
	}
	va_start(ap, fmt);
	if (vasprintf(&d->text, fmt, ap) < 0)
		d->text = NULL;
	va_end(ap);
	if (!d->text) {
		diag_free(d);
		return;
	}
	list_append(&ds->list, &d->node);
}

char *diag_format(const struct diag *d)
{
	const struct diag_place *at = &d->at;
	char *s = NULL;
	size_t n;
	FILE *f = open_memstream(&s, &n);

	if (!f)
		return NULL;
	if (at->table) {
		fprintf(f, "%s %s", family_name(at->family), at->table);
		if (at->chain)
			fprintf(f, " %s", at->chain);
		fputs(": ", f);
	}
	if (at->handle)
		fprintf(f, "rule handle %" PRIu64 ": ", at->handle);
	else if (at->rule)
		fprintf(f, "rule %" PRIu32 ": ", at->rule);
	if (at->expr)
		fprintf(f, "%s: ", at->expr);
	fputs(d->text, f);
	if (fclose(f)) {
		free(s);
		return NULL;
	}
	return s;
}

const char *family_name(uint8_t nfproto)
{
	switch (nfproto) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_NETDEV:
		return "netdev";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_IPV6:
		return "ip6";
	}
	return "unknown";
}

const char *diags_first_error(const struct diags *ds)
{
	const struct diag *d;

	list_for_each(d, &ds->list, node)
		if (d->level == DIAG_ERROR)
			return d->text;
	return "unknown reason";
}
