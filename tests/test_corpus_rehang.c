/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains off their hooks and back, with every ruleset of the corpus: the kernel must hold the same
 * rules, elements and counters as before, and its echo must name the handle of each rule.
 *
 * usage: test_corpus_rehang [FILE]
 */
#include <inttypes.h>

#include "corpus.h"

struct seen {
	uint32_t seq;
	uint64_t handle;
};
static struct seen *seen;
static size_t n_seen;

static void on_rule(void *arg UNUSED, uint32_t seq, uint8_t family UNUSED,
		    const char *table UNUSED, const char *chain UNUSED, uint64_t handle)
{
	seen = realloc(seen, (n_seen + 1) * sizeof(*seen));
	seen[n_seen++] = (struct seen){seq, handle};
}

static uint64_t echoed_handle(uint32_t seq)
{
	size_t i;

	for (i = 0; i < n_seen; i++) {
		if (seen[i].seq == seq)
			return seen[i].handle;
	}
	return 0;
}

static struct ruleset *dump(void)
{
	struct ruleset *rs = NULL;
	struct diags ds;

	diags_init(&ds);
	if (dump_ruleset(NULL, &ds, &rs) < 0)
		show_diags(&ds);
	diags_fini(&ds);
	return rs;
}

/* Chains change places in the listing: a table's blocks are compared in alphabetical order. */
static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *sorted_blocks(const struct ruleset *rs)
{
	struct nft_list_options opt = {0};
	char *text = our_output(rs, &opt), *out = NULL, *p, *next, *end, **blocks;
	size_t n = 0, i, len = 0;
	FILE *f;

	blocks = calloc(strlen(text) + 1, sizeof(*blocks));
	for (p = text; p && *p; p = next) {
		next = strstr(p, "\n\n");
		if (next) {
			*next = '\0';
			next += 2;
		}
		/* A table's line is no part of its first block, nor its end of the last. */
		if (*p != '\t' && strchr(p, '\n')) {
			blocks[n++] = p;
			p = strchr(p, '\n');
			*p++ = '\0';
		}
		end = strstr(p, "\n}\n");
		if (end)
			*end = '\0';
		end = strstr(p, "\n}");
		if (end && end[2] == '\0')
			*end = '\0';
		blocks[n++] = p;
	}
	qsort(blocks, n, sizeof(*blocks), compare_text);
	f = open_memstream(&out, &len);
	for (i = 0; i < n; i++)
		fprintf(f, "%s\n", blocks[i]);
	fclose(f);
	free(blocks);
	free(text);
	return out;
}

static bool check_echo(const struct ruleset *before, const struct ruleset *after)
{
	const struct table *t, *t2;
	const struct chain *c, *c2;
	const struct rule *r, *r2;

	list_for_each(t, &before->tables, node) {
		t2 = ruleset_find_table(after, t->family, t->name);
		list_for_each(c, &t->chains, node) {
			if (!c->is_base)
				continue;
			c2 = t2 ? table_find_chain(t2, c->name) : NULL;
			if (!c2 || c2->n_rules != c->n_rules)
				return false;
			r2 = list_entry(c2->rules.next, struct rule, node);
			list_for_each(r, &c->rules, node) {
				if (!r->seq || echoed_handle(r->seq) != r2->handle) {
					printf("# rule %" PRIu64 " has another handle\n", r->handle);
					return false;
				}
				r2 = list_entry(r2->node.next, struct rule, node);
			}
		}
	}
	return true;
}

static bool rehang_all(struct ruleset *rs, bool parked)
{
	struct commit_options opt = {.on_rule = on_rule};
	struct batch_builder *bb = batch_builder_new();
	struct batch b = {0};
	struct diags ds;
	struct table *t;
	struct chain *c;
	int err;

	diags_init(&ds);
	list_for_each(t, &rs->tables, node) {
		list_for_each(c, &t->chains, node) {
			if (c->is_base)
				batch_rehang_chain(bb, c, parked);
		}
	}
	err = batch_builder_take(bb, &b);
	n_seen = 0;
	if (!err)
		err = commit_batch(&b, &opt, &ds);
	show_diags(&ds);
	diags_fini(&ds);
	batch_fini(&b);
	batch_builder_free(bb);
	return !err;
}

/* Everything but the hooks of @before is in @after. */
static bool check_parked(const struct ruleset *before, struct ruleset *after)
{
	const struct table *t, *t2;
	const struct chain *c;
	struct chain *c2;
	char *theirs, *ours;
	bool ok;

	list_for_each(t, &before->tables, node) {
		t2 = ruleset_find_table(after, t->family, t->name);
		list_for_each(c, &t->chains, node) {
			c2 = c->is_base && t2 ? table_find_chain(t2, c->name) : NULL;
			if (!c->is_base)
				continue;
			if (!c2 || c2->is_base)
				return false;
			/* What the run time lays over a dump. */
			c2->is_base = true;
			c2->parked = true;
			c2->flags = c->flags;
			c2->type = strdup(c->type);
			c2->hooknum = c->hooknum;
			c2->priority = c->priority;
			c2->policy = c->policy;
			for (char **d = c->devices; d && *d; d++)
				devices_add(&c2->devices, *d);
		}
	}
	theirs = sorted_blocks(before);
	ours = sorted_blocks(after);
	ok = same_text("off the hooks", theirs, ours);
	free(theirs);
	free(ours);
	return ok;
}

static bool check_back(const struct ruleset *before, const struct ruleset *after)
{
	char *theirs = sorted_blocks(before), *ours = sorted_blocks(after);
	bool ok = same_text("on the hooks again", theirs, ours);

	free(theirs);
	free(ours);
	return ok;
}

static bool has_hardware_offload(const struct ruleset *rs)
{
	const struct table *t;
	const struct chain *c;

	list_for_each(t, &rs->tables, node) {
		list_for_each(c, &t->chains, node) {
			if (c->is_base && c->flags & 0x2 /* NFT_CHAIN_HW_OFFLOAD */)
				return true;
		}
	}
	return false;
}

static bool check_ruleset(const char *file)
{
	struct ruleset *before, *parked, *back;
	bool ok;

	if (nft_load("", file) != 0) {
		printf("# does not load\n");
		return true;
	}
	before = dump();
	if (has_hardware_offload(before))
		return true;
	ok = rehang_all(before, true);
	parked = dump();
	ok = ok && check_echo(before, parked) && check_parked(before, parked);
	ok = ok && rehang_all(parked, false);
	back = dump();
	ok = ok && check_echo(parked, back) && check_back(before, back);
	ruleset_free(before);
	ruleset_free(parked);
	ruleset_free(back);
	return ok;
}

int main(int argc, char **argv)
{
	return corpus_run(argc, argv, check_ruleset);
}
