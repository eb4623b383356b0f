/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as nft prints them: one listing of the model, in which each rule's handle is its number in
 * the model (serve.h), so that a line ends with the rule it belongs to.
 *
 * Anonymous chains are listed as chains of their own, so that their rules have lines of their own;
 * the rule that jumps to one reads `jump { ... }`.
 */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>

#include "list.h"
#include "serve.h"

struct entry {
	const struct rule *rule; /* NULL: free */
	char *text;
};

struct rule_texts {
	struct entry *slots; /* by address, linear probing */
	size_t n_slots;	     /* a power of two */
	const struct rule **rules; /* by number; while it is made */
	size_t n_rules;
};

static size_t slot_of(const struct rule_texts *rt, const struct rule *r)
{
	size_t i = (size_t)(((uintptr_t)r >> 4) * 0x9e3779b97f4a7c15u >> 32) & (rt->n_slots - 1);

	while (rt->slots[i].rule && rt->slots[i].rule != r)
		i = (i + 1) & (rt->n_slots - 1);
	return i;
}

const char *rule_text(const struct rule_texts *rt, const struct rule *r)
{
	return rt->slots[slot_of(rt, r)].text;
}

void rule_texts_free(struct rule_texts *rt)
{
	size_t i;

	if (!rt)
		return;
	for (i = 0; rt->slots && i < rt->n_slots; i++)
		free(rt->slots[i].text);
	free(rt->slots);
	free(rt->rules);
	free(rt);
}

void rule_texts_freep(struct rule_texts **rt)
{
	rule_texts_free(*rt);
}

/* ---- making ---- */

static size_t number_rules(const struct ruleset *rs, const struct rule **rules)
{
	const struct table *t;
	const struct chain *c;
	const struct rule *r;
	size_t n = 0;

	list_for_each(t, &rs->tables, node) {
		list_for_each(c, &t->chains, node) {
			list_for_each(r, &c->rules, node) {
				if (rules)
					rules[n] = r;
				n++;
			}
		}
	}
	return n;
}

static int reserve(struct rule_texts *rt, const struct ruleset *rs)
{
	rt->n_rules = number_rules(rs, NULL);
	for (rt->n_slots = 16; rt->n_slots < 2 * rt->n_rules;)
		rt->n_slots *= 2;
	rt->slots = calloc(rt->n_slots, sizeof(*rt->slots));
	rt->rules = calloc(rt->n_rules + 1, sizeof(*rt->rules));
	if (!rt->slots || !rt->rules)
		return -ENOMEM;
	number_rules(rs, rt->rules);
	return 0;
}

/* "…jump __chain3" without the name that only the model knows. */
static char *hide_chain(const struct rule *r, char *text)
{
	char *name = strstr(text, " __chain"), *shown;
	const struct chain *c;
	char end = '\0';
	size_t len;

	if (!name)
		return text;
	name++;
	len = strcspn(name, " ");
	end = name[len];
	name[len] = '\0';
	c = table_find_chain(r->chain->table, name);
	name[len] = end;
	if (!c || !(c->flags & NFT_CHAIN_BINDING))
		return text;
	if (asprintf(&shown, "%.*s{ ... }%s", (int)(name - text), text, name + len) < 0)
		return text;
	free(text);
	return shown;
}

static int take_line(struct rule_texts *rt, char *line)
{
	static const char mark[] = " # handle ";
	char *at = NULL, *p, *end;
	const struct rule *r;
	unsigned long long number;
	size_t slot;

	for (p = strstr(line, mark); p; p = strstr(p + 1, mark))
		at = p;
	if (!at)
		return 0;
	number = strtoull(at + sizeof(mark) - 1, &end, 10);
	if (*end || number < SERVE_NUMBER || number - SERVE_NUMBER >= rt->n_rules)
		return 0;
	*at = '\0';
	r = rt->rules[number - SERVE_NUMBER];
	slot = slot_of(rt, r);
	if (rt->slots[slot].rule)
		return 0;
	rt->slots[slot].text = strdup(line + strspn(line, "\t "));
	if (!rt->slots[slot].text)
		return -ENOMEM;
	rt->slots[slot].text = hide_chain(r, rt->slots[slot].text);
	rt->slots[slot].rule = r;
	return 0;
}

static int take_listing(struct rule_texts *rt, char *text)
{
	char *line, *rest = text;
	int err = 0;

	while (!err && (line = strsep(&rest, "\n")))
		err = take_line(rt, line);
	return err;
}

static int list(const struct ruleset *rs, char **ret_text)
{
	static const struct nft_list_options opt = {.handles = true, .stateless = true, .terse = true};
	size_t len = 0;
	FILE *out = open_memstream(ret_text, &len);
	int err;

	if (!out)
		return -ENOMEM;
	err = nft_list_numbered(rs, "list ruleset", &opt, true, out, NULL);
	if (fclose(out) && !err)
		err = -ENOMEM;
	return err;
}

int rule_texts_new(const struct ruleset *rs, struct rule_texts **ret)
{
	struct rule_texts CLEANUP(rule_texts_freep) *rt = calloc(1, sizeof(*rt));
	char AUTO_FREE *text = NULL;
	int err;

	if (!rt)
		return -ENOMEM;
	err = reserve(rt, rs);
	if (!err)
		err = list(rs, &text);
	if (!err)
		err = take_listing(rt, text);
	if (err)
		return err;
	free(rt->rules);
	rt->rules = NULL;
	*ret = TAKE_PTR(rt);
	return 0;
}
