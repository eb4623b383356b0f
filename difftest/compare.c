/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two trails of one packet: where they part, and what that means.
 *
 * Both namespaces show the packet at each gap between priorities. The verdict of what runs at a
 * priority is whether the packet shows up behind it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdarg.h>
#include <stdio.h>

#include "difftest.h"

#define KEEP_PER_CATEGORY 20

const char *const dt_category_name[N_DT_CATEGORIES] = {
	[DT_BUG] = "different",
	[DT_EVAL] = "evaluator-differs",
	[DT_FRAGMENT] = "later-fragment",
	[DT_TIMED] = "time-or-chance",
	[DT_DRAWN] = "drawn-id",
	[DT_NAT] = "drawn-nat",
	[DT_ENV] = "packets-differ",
};

static struct dt_mismatch *add_mismatch(struct difftest *dt, enum dt_category category,
					const struct packet *p, size_t number,
					const struct probe_event *at)
{
	struct dt_result *r = &dt->result;
	struct dt_mismatch *m;

	if (r->count[category]++ >= KEEP_PER_CATEGORY)
		return NULL;
	m = reallocarray(r->mismatches, r->n_mismatches + 1, sizeof(*m));
	if (!m)
		return NULL;
	r->mismatches = m;
	m += r->n_mismatches++;
	*m = (struct dt_mismatch){.category = category, .packet = packet_dup(p), .number = number,
				  .nft = -1, .bpf = -1, .eval = -1};
	if (at) {
		m->pf = at->pf;
		m->hook = at->hook;
	}
	return m;
}

void dt_result_fini(struct dt_result *r)
{
	for (size_t i = 0; i < r->n_mismatches; i++) {
		packet_free(r->mismatches[i].packet);
		free(r->mismatches[i].text);
	}
	for (size_t i = 0; i < r->n_counters; i++)
		free(r->counters[i].where);
	for (size_t i = 0; i < r->n_missed; i++)
		free(r->missed[i]);
	free(r->mismatches);
	free(r->counters);
	free(r->missed);
}

/* ---- one event against another ---- */

/* An ICMP timestamp reply holds the time. */
static bool is_timestamp_reply(const struct probe_event *ev)
{
	uint32_t at = (ev->data[0] & 0xfu) * 4;

	return ev->data[9] == IPPROTO_ICMP && at < ev->data_len && ev->data[at] == 14;
}

/* Bytes that differ without a rule having a hand in it: IPv4 ids are drawn, checksums follow. */
static bool same_bytes(const struct probe_event *a, const struct probe_event *b)
{
	if (a->data_len != b->data_len)
		return false;
	if (a->pf != NFPROTO_IPV4 || a->data_len < 20)
		return memcmp(a->data, b->data, a->data_len) == 0;
	if (is_timestamp_reply(a) && is_timestamp_reply(b))
		return memcmp(a->data + 12, b->data + 12, 8) == 0;
	return memcmp(a->data, b->data, 4) == 0 && memcmp(a->data + 6, b->data + 6, 4) == 0 &&
	       memcmp(a->data + 12, b->data + 12, a->data_len - 12) == 0;
}

static bool has_other_id(const struct probe_event *a, const struct probe_event *b)
{
	return a->pf == NFPROTO_IPV4 && memcmp(a->data + 4, b->data + 4, 2) != 0;
}

static bool same_place(const struct probe_event *a, const struct probe_event *b)
{
	return a->pf == b->pf && a->hook == b->hook && a->pos == b->pos;
}

static bool same_packet(const struct probe_event *a, const struct probe_event *b)
{
	return a->len == b->len && a->mark == b->mark && a->priority == b->priority &&
	       a->iif == b->iif && a->oif == b->oif && a->pkttype == b->pkttype &&
	       a->has_ct == b->has_ct && a->ctinfo == b->ctinfo && a->ct_mark == b->ct_mark &&
	       a->ct_status == b->ct_status && same_bytes(a, b);
}

/* Zeros what address translation writes: addresses, ports and ids, checksums. */
static void blank_translated(uint8_t pf, uint8_t *data, uint32_t len)
{
	struct packet_l4 l4 = packet_find_l4(pf, data, len);
	bool v4 = pf == NFPROTO_IPV4;
	uint32_t csum = l4.proto == IPPROTO_UDP ? 6 : l4.proto == IPPROTO_TCP ? 16 : 2;

	if (l4.proto >= 0 && !l4.later_fragment && l4.offset + csum + 2 <= len) {
		memset(data + l4.offset + csum, 0, 2);
		if (l4.proto == IPPROTO_TCP || l4.proto == IPPROTO_UDP)
			memset(data + l4.offset, 0, 4);
		else
			memset(data + l4.offset + 4, 0, MIN(len - l4.offset - 4, 2u));
	}
	if (len < (v4 ? 20u : 40u))
		return;
	if (v4)
		memset(data + 10, 0, 2);
	memset(data + (v4 ? 12 : 8), 0, v4 ? 8 : 32);
}

/* Is all that differs what address translation drew for the connection, in each namespace anew? */
static bool is_drawn_nat(const struct probe_event *a, const struct probe_event *b)
{
	const uint32_t nat = IPS_SRC_NAT | IPS_DST_NAT;
	struct probe_event x = *a, y = *b;

	if (!a->has_ct || !b->has_ct || !(a->ct_status & nat) || !(b->ct_status & nat))
		return false;
	blank_translated(x.pf, x.data, x.data_len);
	blank_translated(y.pf, y.data, y.data_len);
	return same_packet(&x, &y);
}

/*
 * Is all that differs what rules wrote that looked at an id, which the kernel drew in each namespace
 * anew? Only the interpreter writes, on both sides.
 */
static bool is_marked_by_id(const struct difftest *dt, const struct probe_event *a,
			    const struct probe_event *b)
{
	struct probe_event x = *b;

	if (!dt->reads_ids || !has_other_id(a, b))
		return false;
	x.mark = a->mark;
	x.priority = a->priority;
	x.ct_mark = a->ct_mark;
	return same_packet(a, &x);
}

static bool is_later_fragment(const struct probe_event *ev)
{
	return packet_find_l4(ev->pf, ev->data, ev->data_len).later_fragment;
}

/* ---- verdicts ---- */

/* The next position of this hook that has a probe; -1: this is the last. */
static int next_pos(const struct difftest *dt, const struct probe_event *ev)
{
	const struct dt_hook *h = &dt->hooks[dt_pf_index(ev->pf)][ev->hook];

	for (unsigned int i = ev->pos + 1u; i <= h->n; i++)
		if (h->has & 1u << i)
			return (int)i;
	return -1;
}

/* Does the packet of event @i show up at @pos of its hook? What it causes meanwhile is passed. */
static bool goes_on(const struct trail *t, size_t i, int pos)
{
	const struct probe_event *ev = &t->events[i];

	for (size_t k = i + 1; k < t->n; k++) {
		const struct probe_event *e = &t->events[k];

		if (e->pf == ev->pf && e->hook == ev->hook && e->pos == pos && e->len == ev->len &&
		    e->iif == ev->iif && e->oif == ev->oif)
			return true;
		if (e->pf == ev->pf && e->hook == ev->hook && e->pos == ev->pos &&
		    e->len == ev->len && e->iif == ev->iif && e->oif == ev->oif)
			return false; /* it comes round again */
	}
	return false;
}

/* The one priority between this event and the next probe; false: several, or none. */
static bool prio_behind(const struct difftest *dt, const struct probe_event *ev, int next,
			int32_t *ret)
{
	const struct dt_hook *h = &dt->hooks[dt_pf_index(ev->pf)][ev->hook];

	if (next != ev->pos + 1)
		return false;
	*ret = h->prio[ev->pos];
	return true;
}

struct verdicts {
	int nft, bpf, eval; /* 1, 0; eval -1: not known */
	int eval_nft;	    /* on the packet as nft saw it */
	bool fragment, timed, drawn;
	bool interpreted; /* on both sides: nothing is compiled there */
	bool left;	  /* the same, although it could be compiled: the evaluator has its say */
};

/*
 * What a disagreement means. The kernel's interpreter reads on in later fragments where the others
 * do not: that, and nothing else, excuses one. Where it runs on both sides, the evaluator is alone.
 */
static enum dt_category categorise(const struct verdicts *v)
{
	if (v->timed)
		return DT_TIMED;
	if (v->drawn && (v->interpreted || v->eval < 0 ||
			 (v->eval == v->bpf && v->eval_nft == v->nft)))
		return DT_DRAWN;
	if (v->fragment && v->nft != v->bpf && (v->eval < 0 || v->eval == v->bpf))
		return DT_FRAGMENT;
	if (v->fragment && v->nft == v->bpf && v->left)
		return DT_FRAGMENT;
	return v->nft == v->bpf ? DT_EVAL : DT_BUG;
}

/* Event @i is the same on both sides. */
static void judge(struct difftest *dt, const struct packet *p, size_t number, size_t i)
{
	const struct probe_event *ev = &dt->trail[SIDE_BPF].events[i];
	const struct ir_rule *by = NULL;
	int next = next_pos(dt, ev);
	struct verdicts v = {.eval = -1};
	struct dt_mismatch *m;
	int32_t prio = 0;
	bool has_prio;

	if (next < 0)
		return;
	v.nft = goes_on(&dt->trail[SIDE_NFT], i, next);
	v.bpf = goes_on(&dt->trail[SIDE_BPF], i, next);
	has_prio = prio_behind(dt, ev, next, &prio);
	v.drawn = dt->reads_ids && has_other_id(&dt->trail[SIDE_NFT].events[i], ev);
	dt->n_ids_drawn += v.drawn;
	if (has_prio && dt->eval && v.drawn) {
		v.eval_nft = eval_check_verdict(dt->eval, EVAL_NFT_ALONE,
						&dt->trail[SIDE_NFT].events[i], prio, p, &by,
						&v.timed);
		eval_check_verdict(dt->eval, EVAL_BPF_ALONE, ev, prio, p, &by, &v.timed);
	}
	v.interpreted = has_prio && dt->eval && !eval_check_has(dt->eval, ev, prio);
	v.left = has_prio && dt->eval && eval_check_is_left(dt->eval, ev, prio);
	if (has_prio && dt->eval)
		v.eval = eval_check_verdict(dt->eval, EVAL_BPF, ev, prio, p, &by, &v.timed);
	dt->result.n_observed++;
	dt->result.n_eval += v.eval >= 0;
	if (v.nft == v.bpf && (v.eval < 0 || v.eval == v.nft))
		return;
	v.fragment = is_later_fragment(ev);
	m = add_mismatch(dt, categorise(&v), p, number, ev);
	if (!m)
		return;
	m->has_chain = has_prio;
	m->prio = prio;
	m->nft = (int8_t)v.nft;
	m->bpf = (int8_t)v.bpf;
	m->eval = (int8_t)v.eval;
	m->decided_by = by;
}

/* Event @i was seen on this side only: no verdict to compare, but its rules have counted. */
static void count_alone(struct difftest *dt, const struct packet *p, enum lab_side_id side, size_t i)
{
	const struct probe_event *ev = &dt->trail[side].events[i];
	const struct ir_rule *by;
	int next = next_pos(dt, ev);
	int32_t prio;
	bool timed;

	if (next < 0 || !dt->eval || !prio_behind(dt, ev, next, &prio))
		return;
	if (side == SIDE_NFT) {
		eval_check_verdict(dt->eval, EVAL_NFT_ALONE, ev, prio, p, &by, &timed);
		return;
	}
	eval_check_verdict(dt->eval, EVAL_BPF_ALONE, ev, prio, p, &by, &timed);
	eval_check_verdict(dt->eval, EVAL_BPF, ev, prio, p, &by, &timed);
}

static void strayed(struct difftest *dt, const struct packet *p, size_t number, size_t i)
{
	const struct probe_event *a = &dt->trail[SIDE_NFT].events[i];
	const struct probe_event *b = &dt->trail[SIDE_BPF].events[i];
	enum dt_category category = is_drawn_nat(a, b)	      ? DT_NAT :
				    is_marked_by_id(dt, a, b) ? DT_DRAWN : DT_ENV;
	struct dt_mismatch *m = add_mismatch(dt, category, p, number, a);

	if (m && asprintf(&m->text,
			  "position %u: len %u/%u mark 0x%x/0x%x in %u/%u out %u/%u ct %u.%u/%u.%u "
			  "status 0x%x/0x%x type %u/%u bytes %s",
			  a->pos, a->len, b->len, a->mark, b->mark, a->iif, b->iif, a->oif, b->oif,
			  a->has_ct, a->ctinfo, b->has_ct, b->ctinfo, a->ct_status, b->ct_status,
			  a->pkttype, b->pkttype, same_bytes(a, b) ? "same" : "differ") < 0)
		m->text = NULL;
}

bool dt_trails_agree(const struct difftest *dt)
{
	const struct trail *a = &dt->trail[SIDE_NFT], *b = &dt->trail[SIDE_BPF];

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_place(&a->events[i], &b->events[i]) ||
		    !same_packet(&a->events[i], &b->events[i]))
			return false;
	return true;
}

void dt_compare(struct difftest *dt, const struct packet *p, size_t number)
{
	const struct trail *a = &dt->trail[SIDE_NFT], *b = &dt->trail[SIDE_BPF];
	size_t i;

	/* Where they part, the verdict before was judged. */
	for (i = 0; i < a->n && i < b->n && same_place(&a->events[i], &b->events[i]); i++) {
		if (!same_packet(&a->events[i], &b->events[i])) {
			strayed(dt, p, number, i);
			break;
		}
		judge(dt, p, number, i);
	}
	for (size_t k = i; k < a->n; k++)
		count_alone(dt, p, SIDE_NFT, k);
	for (size_t k = i; k < b->n; k++)
		count_alone(dt, p, SIDE_BPF, k);
	if ((a->n == 0) != (b->n == 0))
		add_mismatch(dt, DT_ENV, p, number, NULL);
}
