/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The result for programs.
 */
#include <jansson.h>
#include <netinet/in.h>
#include <linux/netfilter.h>

#include "difftest.h"

static json_t *verdict(int v)
{
	return v < 0 ? json_null() : json_string(v ? "accept" : "drop");
}

static json_t *hex(const struct packet *p)
{
	char *s = malloc(p->len * 2u + 1);
	json_t *j;

	if (!s)
		return json_null();
	for (uint32_t i = 0; i < p->len; i++)
		sprintf(s + i * 2u, "%02x", p->data[i]);
	s[p->len * 2u] = 0;
	j = json_string(s);
	free(s);
	return j;
}

static json_t *mismatch(const struct difftest *dt, const struct dt_mismatch *m)
{
	static const char *const hooks[] = {"prerouting", "input", "forward", "output",
					    "postrouting"};
	const struct packet *p = m->packet;
	const struct lab_dev *in = lab_dev_by_index(dt->lab, p->iif);
	const struct lab_dev *out = lab_dev_by_index(dt->lab, p->oif);
	json_t *j = json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:o}", "category",
			      dt_category_name[m->category], "packet", (json_int_t)m->number,
			      "family", m->pf == NFPROTO_IPV4 ? "ip" : "ip6", "hook",
			      hooks[m->hook % 5], "nft", verdict(m->nft), "bpf", verdict(m->bpf),
			      "evaluator", verdict(m->eval));

	if (m->has_chain)
		json_object_set_new(j, "prio", json_integer(m->prio));
	if (m->text)
		json_object_set_new(j, "text", json_string(m->text));
	if (p->origin)
		json_object_set_new(j, "origin", json_string(p->origin));
	if (in)
		json_object_set_new(j, "iif", json_string(in->name));
	if (out)
		json_object_set_new(j, "oif", json_string(out->name));
	json_object_set_new(j, "mark", json_integer(p->mark));
	json_object_set_new(j, "bytes", hex(p));
	return j;
}

static json_t *counts(const struct dt_result *r)
{
	json_t *j = json_object();

	for (unsigned int i = 0; i < N_DT_CATEGORIES; i++)
		json_object_set_new(j, dt_category_name[i], json_integer((json_int_t)r->count[i]));
	return j;
}

static json_t *counters(const struct dt_result *r)
{
	json_t *j = json_array();

	for (size_t i = 0; i < r->n_counters; i++) {
		const struct dt_counter_diff *d = &r->counters[i];

		json_array_append_new(
			j, json_pack("{s:s, s:[II], s:[II], s:b}", "where", d->where, "nft",
				     (json_int_t)d->nft.packets, (json_int_t)d->nft.bytes, "bpf",
				     (json_int_t)d->bpf.packets, (json_int_t)d->bpf.bytes,
				     "explained", d->excused));
	}
	return j;
}

void dt_report_json(const struct difftest *dt, FILE *out)
{
	const struct dt_result *r = &dt->result;
	json_t *missed = json_array(), *mismatches = json_array(), *j;

	for (size_t i = 0; i < r->n_missed; i++)
		json_array_append_new(missed, json_string(r->missed[i]));
	for (size_t i = 0; i < r->n_mismatches; i++)
		json_array_append_new(mismatches, mismatch(dt, &r->mismatches[i]));
	j = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:o, s:I, "
		      "s:I, s:I, s:o, s:I}",
		      "equal", !dt_differs(r), "chains", (json_int_t)r->n_chains, "compiled",
		      (json_int_t)r->n_chains_compiled, "edited", (json_int_t)r->n_edited, "reused",
		      (json_int_t)r->n_reused, "packets", (json_int_t)r->n_packets, "gso",
		      (json_int_t)r->n_gso, "conversations", (json_int_t)r->n_talk,
		      "conversations_assured", (json_int_t)r->n_talk_assured,
		      "verdicts", (json_int_t)r->n_observed, "evaluated", (json_int_t)r->n_eval,
		      "counts", counts(r), "mismatches", mismatches, "counters_equal",
		      (json_int_t)r->n_counters_same, "counters_different", counters(r), "rules",
		      (json_int_t)r->n_rules, "rules_hit", (json_int_t)r->n_rules_hit, "rules_never",
		      (json_int_t)r->n_rules_never, "missed", missed, "seed",
		      (json_int_t)dt->opt->seed);
	json_dumpf(j, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	fputc('\n', out);
	json_decref(j);
}
