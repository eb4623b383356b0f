/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft-bpf explain: chain by chain and rule by rule, compiled how, or why not.
 */
#include <jansson.h>
#include <linux/netfilter.h>
#include <stdio.h>

#include "../compiler/lower.h"
#include "../compiler/opt/opt.h"
#include "../netlink/nft.h"
#include "../runtime/runtime.h"
#include "cli.h"
#include "explain.h"

struct explain {
	const struct ruleset *rs;
	const struct lower_result *lr;
	const struct diags *blockers;
	const struct rule_texts *texts;
};

static const struct lower_chain *find_base(const struct explain *ex, const struct chain *c)
{
	for (uint32_t i = 0; i < ex->lr->n_chains; i++)
		if (ex->lr->chains[i].base == c)
			return &ex->lr->chains[i];
	return NULL;
}

/* Does the IR have the chain, or a copy that runs in front of an interpreted one? */
static bool ir_has(const struct explain *ex, const struct chain *c, bool front)
{
	for (uint32_t i = 0; i < ex->lr->ir->n_chains; i++) {
		const struct ir_chain *ic = ex->lr->ir->chains[i];

		if (ic->origin == c && ic->lowered && ic->is_front == front)
			return true;
	}
	return false;
}

/* A regular chain is compiled if the IR has it: only compiled base chains' chains are in there. */
static bool is_compiled(const struct explain *ex, const struct chain *c)
{
	const struct lower_chain *lc = c->is_base ? find_base(ex, c) : NULL;

	if (c->is_base)
		return lc && lc->compiled;
	return ir_has(ex, c, false);
}

static bool is_at(const struct diag *d, const struct chain *c, const struct rule *r, uint32_t index)
{
	return d->level == DIAG_BLOCKER && d->at.table && d->at.chain &&
	       d->at.family == c->table->family && strcmp(d->at.table, c->table->name) == 0 &&
	       strcmp(d->at.chain, c->name) == 0 &&
	       (r ? d->at.rule == index : d->at.rule == 0);
}

static const char *hook_name(uint32_t hook)
{
	static const char *const names[] = {"prerouting", "input", "forward", "output",
					    "postrouting"};

	return hook < ARRAY_SIZE(names) ? names[hook] : "ingress";
}

/* Which programs a base chain is part of: "v4_input_0, v6_input_0". */
static void print_programs(const struct explain *ex, const struct chain *c)
{
	const struct ir *ir = ex->lr->ir;
	const char *sep = "";

	for (uint32_t i = 0; i < ir->n_progs; i++)
		for (uint32_t j = 0; j < ir->progs[i].n_bases; j++)
			if (ir->progs[i].bases[j]->origin == c) {
				printf("%s%s", sep, ir->progs[i].name);
				sep = ", ";
			}
}

static void print_blockers(const struct explain *ex, const struct chain *c, const struct rule *r,
			   uint32_t index)
{
	const struct diag *d;

	list_for_each (d, &ex->blockers->list, node)
		if (is_at(d, c, r, index))
			printf("\t\t%s^ %s [%s]\n", r ? "    " : "", d->text, d->code);
}

/* What is left of @r in @of: all of it, or what stands behind a dispatch. */
static void print_rule_steps(const struct ir_rule *of, const struct rule *r)
{
	for (uint32_t i = 0; i < ir_rule_parts(of); i++) {
		const struct ir_rule *part = ir_rule_part(of, i);
		bool is_head = i == 0 && ir_rule_is_dispatch(of);

		if (part->origin != r || is_head)
			continue;
		printf("\t\t      %s:%s", part->chain->pf == NFPROTO_IPV6 ? "ip6" : "ip",
		       i ? " behind the look-up:" : "");
		if (part->never)
			fputs(" never matches, or nothing comes of it", stdout);
		for (uint32_t k = 0; k < part->n_steps; k++) {
			fputs(k ? "; " : " ", stdout);
			ir_step_print(&part->steps[k], stdout);
		}
		putchar('\n');
	}
}

/* The rule's decision list per protocol family, when asked to say more. */
static void print_steps(const struct explain *ex, const struct chain *c, const struct rule *r)
{
	const struct ir *ir = ex->lr->ir;

	for (uint32_t i = 0; i < ir->n_chains; i++) {
		const struct ir_chain *ic = ir->chains[i];

		if (ic->origin != c || !ic->lowered)
			continue;
		for (uint32_t j = 0; j < ic->n_rules; j++)
			print_rule_steps(&ic->rules[j], r);
	}
}

/* Which of the packets have to be dropped for it to pay. */
static void print_price(const struct lower_front *f, const char *costs)
{
	const struct front_price *p = &f->price;
	uint32_t gain = p->interpreter > p->drop ? p->interpreter - p->drop : 0;

	printf("; a packet to drop %s about %u ns, with the interpreter %u, others %u more", costs,
	       p->drop, p->interpreter, p->pass);
	if (gain)
		printf(" (pays from %u %% dropped on)",
		       (100 * p->pass + p->pass + gain - 1) / (p->pass + gain));
}

static void print_front(const struct explain *ex, const struct lower_chain *lc)
{
	const struct lower_front *f = &lc->front;

	if (f->n_declined && !f->n_drops) {
		fputs("; a program in front would not pay", stdout);
		print_price(f, "would cost");
	}
	if (!f->n_drops)
		return;
	if (f->first == f->last)
		printf("; rule %u runs", f->first);
	else
		printf("; rules %u-%u run", f->first, f->last);
	printf(" in front for packets to drop (%u rule%s), in ", f->n_drops,
	       f->n_drops == 1 ? "" : "s");
	print_programs(ex, lc->base);
	if (f->counts)
		fputs(", which goes through the rules again to count a packet it drops", stdout);
	print_price(f, "costs");
}

static void print_chain(const struct explain *ex, const struct chain *c, bool verbose)
{
	const struct lower_chain *lc = c->is_base ? find_base(ex, c) : NULL;
	const struct rule *r;
	uint32_t index = 0;

	printf("\tchain %s", c->name);
	if (c->is_base)
		printf(" (%s, %s, priority %d)", c->type, hook_name(c->hooknum), c->priority);
	if (is_compiled(ex, c)) {
		fputs(": compiled", stdout);
		if (c->is_base) {
			fputs(" into ", stdout);
			print_programs(ex, c);
		}
	} else if (lc) {
		fputs(": stays with the interpreter", stdout);
		print_front(ex, lc);
	} else if (ir_has(ex, c, true)) {
		fputs(": a copy runs in front of the interpreter", stdout);
	} else {
		fputs(": not reached by a compiled chain", stdout);
	}
	putchar('\n');
	print_blockers(ex, c, NULL, 0);
	explain_look_ups(ex->lr->ir, c);
	list_for_each (r, &c->rules, node) {
		const char *text = rule_text(ex->texts, r);

		printf("\t\t%3u %s\n", ++index, text ? text : "?");
		print_blockers(ex, c, r, index);
		if (verbose)
			print_steps(ex, c, r);
	}
}

static void print_text(const struct explain *ex, bool verbose)
{
	const struct table *t;
	const struct chain *c;

	list_for_each (t, &ex->rs->tables, node) {
		printf("table %s %s\n", family_name(t->family), t->name);
		explain_sets(ex->lr->ir, t);
		list_for_each (c, &t->chains, node)
			print_chain(ex, c, verbose);
	}
}

static json_t *rule_json(const struct explain *ex, const struct chain *c, const struct rule *r,
			 uint32_t index)
{
	json_t *blockers = json_array();
	const struct diag *d;

	list_for_each (d, &ex->blockers->list, node)
		if (is_at(d, c, r, index))
			json_array_append_new(blockers,
					      json_pack("{s:s, s:s, s:s?}", "code", d->code, "text",
							d->text, "expr", d->at.expr));
	if (!r)
		return blockers;
	return json_pack("{s:I, s:i, s:s?, s:o}", "handle", (json_int_t)r->handle, "index",
			 (int)index, "rule", rule_text(ex->texts, r), "blockers", blockers);
}

static json_t *price_json(const struct lower_front *f)
{
	return json_pack("{s:b, s:i, s:i, s:i}", "pays", f->price.pays, "drop", (int)f->price.drop,
			 "interpreter", (int)f->price.interpreter, "pass", (int)f->price.pass);
}

static json_t *chain_json(const struct explain *ex, const struct chain *c)
{
	const struct lower_chain *lc = c->is_base ? find_base(ex, c) : NULL;
	json_t *rules = json_array();
	json_t *j = json_pack("{s:s, s:s, s:s, s:b}", "family", family_name(c->table->family),
			      "table", c->table->name, "chain", c->name, "compiled",
			      is_compiled(ex, c));
	const struct rule *r;
	uint32_t index = 0;

	if (c->is_base) {
		json_object_set_new(j, "type", json_string(c->type));
		json_object_set_new(j, "hook", json_string(hook_name(c->hooknum)));
		json_object_set_new(j, "priority", json_integer(c->priority));
		if (lc && lc->front.n_drops)
			json_object_set_new(j, "front",
					    json_pack("{s:i, s:i, s:i}", "first",
						      (int)lc->front.first, "last",
						      (int)lc->front.last, "drops",
						      (int)lc->front.n_drops));
		if (lc && (lc->front.n_drops || lc->front.n_declined))
			json_object_set_new(j, "front_ns", price_json(&lc->front));
	}
	json_object_set_new(j, "blockers", rule_json(ex, c, NULL, 0));
	json_object_set_new(j, "lookups", explain_look_ups_json(ex->lr->ir, c));
	json_object_set_new(j, "parted", explain_parted_json(ex->lr->ir, c));
	list_for_each (r, &c->rules, node)
		json_array_append_new(rules, rule_json(ex, c, r, ++index));
	json_object_set_new(j, "rules", rules);
	return j;
}

static void print_json(const struct explain *ex)
{
	json_t *chains = json_array();
	json_t *root =
		json_pack("{s:o, s:o}", "sets", explain_sets_json(ex->lr->ir), "chains", chains);
	const struct table *t;
	const struct chain *c;

	list_for_each (t, &ex->rs->tables, node)
		list_for_each (c, &t->chains, node)
			json_array_append_new(chains, chain_json(ex, c));
	json_dumpf(root, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(root);
}

int cmd_explain(struct cli *cli, int argc, char **argv)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	CLEANUP(rule_texts_freep) struct rule_texts *texts = NULL;
	CLEANUP(lower_result_fini) struct lower_result lr = {0};
	struct lower_options opt = {0};
	struct explain ex;
	int status, err;

	if (argc > 1)
		return cli_usage_error("explain: \"%s\" is too much", argv[1]);
	status = cli_ruleset(cli, false, &rs);
	if (status != EXIT_OK)
		return status;
	rt_lower_options(&opt);
	err = lower_ruleset(rs, &opt, &cli->diags, &lr);
	if (!err)
		err = rule_texts_new(rs, &texts);
	if (err < 0)
		return cli_status(cli, err, "explain");
	if (cli->dump)
		return cli_dump(cli, rs, &lr);
	opt_run(lr.ir, &(struct opt_options){0});
	ex = (struct explain){.rs = rs, .lr = &lr, .blockers = &cli->diags, .texts = texts};
	if (cli->json)
		print_json(&ex);
	else
		print_text(&ex, cli->verbose);
	return EXIT_OK;
}
