/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First the packets, then the text in ever smaller blocks of lines, then the one packet's payload.
 * A block that makes the text unreadable does not fail any more and so stays.
 */
#include "shrink.h"

#include <time.h>

static bool in_time(const struct shrink *s)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9 < s->until;
}

static bool fails(struct shrink *s, const char *text, struct list *packets)
{
	s->tries++;
	return s->fails(s->arg, text, packets);
}

/* ---- packets ---- */

static size_t count(const struct list *l)
{
	const struct list *n;
	size_t k = 0;

	for (n = l->next; n != l; n = n->next)
		k++;
	return k;
}

/* Links packets anew, in order, without @n of them from @first on. */
static void link_packets(struct shrink *s, struct packet **all, size_t n_all, size_t first, size_t n)
{
	list_init(&s->packets);
	for (size_t i = 0; i < n_all; i++)
		if (i < first || i >= first + n)
			list_append(&s->packets, &all[i]->node);
}

static bool drop_packets(struct shrink *s, size_t first, size_t n)
{
	size_t n_all = count(&s->packets), i = 0;
	AUTO_FREE struct packet **all = calloc(n_all + 1, sizeof(*all));
	struct packet *p;

	if (!all)
		return false;
	list_for_each(p, &s->packets, node) {
		all[i++] = p;
	}
	link_packets(s, all, n_all, first, n);
	if (list_is_empty(&s->packets) || !fails(s, s->text, &s->packets)) {
		link_packets(s, all, n_all, 0, 0);
		return false;
	}
	for (i = first; i < first + n && i < n_all; i++)
		packet_free(all[i]);
	return true;
}

static void shrink_packets(struct shrink *s)
{
	for (size_t size = count(&s->packets) / 2; size && in_time(s); size /= 2)
		for (size_t at = 0; at < count(&s->packets) && in_time(s);)
			if (count(&s->packets) <= size || !drop_packets(s, at, size))
				at += size;
}

/* ---- lines ---- */

struct lines {
	char **line;
	size_t n;
};

static void lines_split(struct lines *l, char *text)
{
	char *save = NULL;

	*l = (struct lines){0};
	for (char *t = strtok_r(text, "\n", &save); t; t = strtok_r(NULL, "\n", &save)) {
		char **p = reallocarray(l->line, l->n + 1, sizeof(*p));

		if (!p)
			return;
		l->line = p;
		l->line[l->n++] = t;
	}
}

/* All lines but @n from @first on, malloc'ed. */
static char *join_without(const struct lines *l, size_t first, size_t n)
{
	size_t size = 1, at = 0;
	char *text;

	for (size_t i = 0; i < l->n; i++)
		size += strlen(l->line[i]) + 1;
	text = malloc(size);
	if (!text)
		return NULL;
	for (size_t i = 0; i < l->n; i++) {
		size_t len = strlen(l->line[i]);

		if (i >= first && i < first + n)
			continue;
		memcpy(text + at, l->line[i], len);
		at += len;
		text[at++] = '\n';
	}
	text[at] = 0;
	return text;
}

static bool drop_lines(struct shrink *s, struct lines *l, size_t first, size_t n)
{
	char *text = join_without(l, first, n);

	if (!text || !fails(s, text, &s->packets)) {
		free(text);
		return false;
	}
	free(text);
	memmove(&l->line[first], &l->line[first + n], (l->n - first - n) * sizeof(*l->line));
	l->n -= n;
	return true;
}

/* How many lines the block that begins here has: a chain, a set, a table; 0: none begins. */
static size_t block_len(const struct lines *l, size_t first)
{
	size_t len = strlen(l->line[first]);
	int depth = 0;

	if (!len || l->line[first][len - 1] != '{')
		return 0;
	for (size_t i = first; i < l->n; i++) {
		size_t k = strlen(l->line[i]);

		if (k && l->line[i][k - 1] == '{')
			depth++;
		if (strspn(l->line[i], " \t") + 1 == k && l->line[i][k - 1] == '}' && --depth == 0)
			return i - first + 1;
	}
	return 0;
}

static void shrink_lines(struct shrink *s)
{
	char *copy = strdup(s->text), *text;
	struct lines l;
	bool again = true;

	if (!copy)
		return;
	lines_split(&l, copy);
	while (again && in_time(s)) {
		again = false;
		for (size_t i = l.n; i-- > 0 && in_time(s);) {
			size_t n = i < l.n ? block_len(&l, i) : 0;

			if (n)
				again |= drop_lines(s, &l, i, n);
		}
		for (size_t size = MAX(l.n / 4, (size_t)1); size && in_time(s); size /= 2)
			for (size_t at = 0; at + size <= l.n && in_time(s);)
				if (drop_lines(s, &l, at, size))
					again = true;
				else
					at += size;
	}
	text = join_without(&l, l.n, 0);
	if (text) {
		free(s->text);
		s->text = text;
	}
	free(l.line);
	free(copy);
}

/* ---- the packet itself ---- */

static bool try_change(struct shrink *s, struct packet *p, struct packet *changed)
{
	if (!changed)
		return false;
	list_add_after(&p->node, &changed->node);
	list_remove(&p->node);
	if (fails(s, s->text, &s->packets)) {
		packet_free(p);
		return true;
	}
	list_add_after(&changed->node, &p->node);
	list_remove(&changed->node);
	packet_free(changed);
	return false;
}

static struct packet *without_payload(const struct packet *p, uint32_t keep)
{
	struct packet *q = keep < p->len ? packet_dup(p) : NULL;

	if (!q)
		return NULL;
	q->len = keep;
	if (q->hdr_len > keep)
		q->hdr_len = 0;
	packet_fix(q, FIX_ALL);
	return q;
}

static struct packet *without_metadata(const struct packet *p)
{
	struct packet *q = packet_dup(p);

	if (!q)
		return NULL;
	q->mark = q->priority = q->uid = q->gid = 0;
	q->own_dst_mac = false;
	q->ct = CT_AS_IT_IS;
	q->ct_mark = q->ct_status = 0;
	q->gso_type = 0;
	return q;
}

static void shrink_bytes(struct shrink *s)
{
	struct packet *p;

	if (count(&s->packets) != 1)
		return;
	p = list_entry(s->packets.next, struct packet, node);
	try_change(s, p, without_metadata(p));
	for (uint32_t cut = p->len / 2; cut && in_time(s); cut /= 2) {
		p = list_entry(s->packets.next, struct packet, node);
		while (p->len > cut + 20 && in_time(s) &&
		       try_change(s, p, without_payload(p, p->len - cut)))
			p = list_entry(s->packets.next, struct packet, node);
	}
}

void shrink_run(struct shrink *s)
{
	shrink_packets(s);
	shrink_lines(s);
	shrink_packets(s);
	shrink_bytes(s);
}
