/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The result for people.
 */
#include <ctype.h>
#include <netinet/in.h>
#include <linux/netfilter.h>

#include "difftest.h"

static const char *const hook_names[] = {"prerouting", "input", "forward", "output", "postrouting"};

static const char *dev_name(void *arg, uint32_t ifindex)
{
	const struct lab_dev *d = lab_dev_by_index(arg, ifindex);

	return d ? d->name : "?";
}

static const char *verdict(int v)
{
	return v < 0 ? "no verdict" : v ? "accept" : "drop";
}

static void hexdump(const struct packet *p, FILE *out)
{
	uint32_t n = MIN(p->len, 128u);

	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%02x", i % 32 == 0 ? "\n      " : i % 4 == 0 ? " " : "", p->data[i]);
	fprintf(out, "%s\n", n < p->len ? " ..." : "");
}

static void print_mismatch(const struct difftest *dt, const struct dt_mismatch *m, FILE *out)
{
	fprintf(out, "  packet %zu (%s): ", m->number,
		m->packet->origin ? m->packet->origin : "no origin");
	packet_print(m->packet, dev_name, dt->lab, out);
	fprintf(out, "\n    %s %s", m->pf == NFPROTO_IPV4 ? "ip" : "ip6", hook_names[m->hook % 5]);
	if (m->has_chain)
		fprintf(out, " priority %d", m->prio);
	if (m->category == DT_ENV || m->category == DT_NAT)
		fprintf(out, ": %s", m->text ? m->text : "seen on one side only");
	else
		fprintf(out, ": nft %s, %s %s, evaluator %s", verdict(m->nft),
			dt->opt->against ? "other" : "bpf", verdict(m->bpf), verdict(m->eval));
	if (m->decided_by)
		fprintf(out, " (by %s %s rule %u)", m->decided_by->chain->table,
			m->decided_by->chain->name, m->decided_by->index);
	hexdump(m->packet, out);
}

static void print_category(const struct difftest *dt, enum dt_category c, const char *title,
			   FILE *out)
{
	const struct dt_result *r = &dt->result;
	size_t shown = 0;

	if (!r->count[c])
		return;
	fprintf(out, "%s: %zu\n", title, r->count[c]);
	for (size_t i = 0; i < r->n_mismatches; i++)
		if (r->mismatches[i].category == c &&
		    (dt->opt->verbose || ++shown <= (c == DT_BUG ? 5 : 1)))
			print_mismatch(dt, &r->mismatches[i], out);
}

static void print_counts(const char *who, const struct dt_counts *c, FILE *out)
{
	fprintf(out, "%s %llu packets %llu bytes", who, (unsigned long long)c->packets,
		(unsigned long long)c->bytes);
}

static void print_counters(const struct dt_result *r, FILE *out)
{
	fprintf(out, "counters: %zu equal, %zu different\n", r->n_counters_same, r->n_counters);
	for (size_t i = 0; i < r->n_counters && i < 20; i++) {
		const struct dt_counter_diff *d = &r->counters[i];

		fprintf(out, "  %s:", d->where);
		print_counts(" nft", &d->nft, out);
		print_counts(", bpf", &d->bpf, out);
		if (d->has_eval)
			print_counts("; evaluator for nft", &d->eval_nft, out);
		if (d->has_eval)
			print_counts(", for bpf", &d->eval_bpf, out);
		fprintf(out, "%s\n", d->excused ? " (explained: later fragments, time, or packets "
						  "that differ)" : "");
	}
}

static void print_coverage(const struct difftest *dt, FILE *out)
{
	const struct dt_result *r = &dt->result;

	fprintf(out, "rules: %zu in compiled chains, %zu hit", r->n_rules, r->n_rules_hit);
	if (r->n_rules_never)
		fprintf(out, ", %zu cannot match", r->n_rules_never);
	fprintf(out, "\n");
	for (size_t i = 0; i < r->n_missed && (dt->opt->verbose || i < 10); i++)
		fprintf(out, "  no packet reached %s\n", r->missed[i]);
	if (!dt->opt->verbose && r->n_missed > 10)
		fprintf(out, "  and %zu more\n", r->n_missed - 10);
}

static void print_chains(const struct difftest *dt, FILE *out)
{
	const struct lower_result *l = &dt->lowered;

	fprintf(out, "chains: %u, compiled: %u\n", dt->result.n_chains,
		dt->result.n_chains_compiled);
	if (dt->opt->edit)
		fprintf(out, "made of another ruleset by changing a rule: %s\n",
			dt->result.n_reused ? "yes, with its code" :
			dt->result.n_edited ? "yes" : "no");
	for (uint32_t i = 0; dt->opt->verbose && i < l->n_chains; i++)
		if (!l->chains[i].compiled || dt->left[i])
			fprintf(out, "  %s %s %s stays with the interpreter\n",
				family_name(l->chains[i].base->table->family),
				l->chains[i].base->table->name, l->chains[i].base->name);
}

void dt_report(const struct difftest *dt, FILE *out)
{
	const struct dt_result *r = &dt->result;

	print_chains(dt, out);
	fprintf(out, "packets: %zu (%zu accepted by the device or socket), verdicts compared: %zu, "
		     "with the evaluator: %zu\n",
		r->n_packets, r->n_sent, r->n_observed, r->n_eval);
	fprintf(out, "of these packets: %zu GSO, %zu of TCP conversations (%zu with both ends heard)\n",
		r->n_gso, r->n_talk, r->n_talk_assured);
	print_category(dt, DT_BUG, "different verdicts", out);
	print_category(dt, DT_EVAL, "verdicts where only the evaluator differs", out);
	print_category(dt, DT_FRAGMENT, "later fragments judged differently (the kernel's "
					"interpreter reads payload as ports)", out);
	print_category(dt, DT_TIMED, "different verdicts where time or chance decides", out);
	print_category(dt, DT_DRAWN, "different verdicts on IP ids that the kernel drew", out);
	print_category(dt, DT_NAT, "packets for which address translation drew other ports or "
				   "addresses", out);
	print_category(dt, DT_ENV, "packets that differed before the rules", out);
	print_counters(r, out);
	print_coverage(dt, out);
	fprintf(out, "seed: %llu\n", (unsigned long long)dt->opt->seed);
}
