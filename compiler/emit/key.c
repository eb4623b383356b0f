/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What code depends on, as bytes: two IRs of one key become the same code, so that the object of one
 * serves the other with maps of its own (emit_options.maps_elsewhere).
 *
 * In doubt a thing is in the key: a key that says too much costs time, one that says too little costs
 * rulesets. Left out is what only maps hold (rows and records behind a dispatch that is not code,
 * elements of sets that are not, records of templates, what states begin with), counters' numbers
 * behind a dispatch, and places and numbers of rules, which stand in line info alone. Of what maps
 * hold the sizes are in it, and all that code for the look-up is made by. tests/test_key.c changes
 * IRs at random and compares code. Whatever the emitter begins to read belongs in here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "../dispatch.h"
#include "../dynamic.h"
#include "../set_table.h"
#include "../template.h"
#include "emit.h"

enum { SIZED_PARTS = 64 }; /* rules behind a dispatch that plan_cut.c's rule_size() looks at */

struct key {
	FILE *f;
	struct ir *ir;
	bool failed;
	bool behind; /* a dispatch: counters are numbers out of its record */
};

static void put(struct key *k, const void *bytes, size_t n)
{
	fwrite(bytes, 1, n, k->f);
}

static void put_bytes(struct key *k, const uint8_t *bytes, uint32_t n)
{
	fputc(bytes ? '=' : '-', k->f);
	if (bytes)
		put(k, bytes, n);
}

/* ---- leaves ---- */

static void put_chain(struct key *k, const struct ir_chain *c)
{
	const struct ir_template *t = c ? c->template : NULL;

	if (!c) {
		fputs("none ", k->f);
		return;
	}
	fprintf(k->f, "(%u %u %u %zu:%s %zu:%s", c->id, c->pf, c->family, strlen(c->table), c->table,
		strlen(c->name), c->name);
	if (t)
		fprintf(k->f, " of %u %u %u %u in %u at %u", t->id, t->n_words, template_room(t),
			c->record, t->place.map, t->place.offset);
	fputs(") ", k->f);
}

static void put_verdict(struct key *k, const struct ir_verdict *v)
{
	fprintf(k->f, "verdict %d ", v->code);
	put_chain(k, v->chain);
}

static void put_state(struct key *k, const struct ir_state *st)
{
	if (!st) {
		fputs("stateless ", k->f);
		return;
	}
	if (st->op->per_cpu && k->behind) {
		fprintf(k->f, "counts %s ", st->op->name);
		return;
	}
	/* An element's own is in a map of elements. */
	fprintf(k->f, "state %s %u ", st->op->name, st->in_elem ? 0 : st->index);
	put(k, st->param, sizeof(st->param));
}

static void put_sel(struct key *k, const struct ir_sel *s)
{
	if (!s) {
		fputs("nothing ", k->f);
		return;
	}
	fprintf(k->f, "{%d %u %d%d %u %u ", s->op, s->width, s->partial, s->impure, s->id, s->n_args);
	switch (s->op) {
	case IR_CONST:
		put_bytes(k, s->bytes, s->width);
		break;
	case IR_LEAF:
		fprintf(k->f, "%s ", s->leaf->name);
		put(k, s->param, sizeof(s->param));
		put_state(k, s->state);
		break;
	case IR_MAP:
		fprintf(k->f, "set %u", s->set->id);
		break;
	case IR_FIRST_OPERATOR ... IR_LAST_OPERATOR:
		fprintf(k->f, "%u %u", s->n, s->m);
		break;
	}
	for (uint32_t i = 0; i < s->n_args; i++)
		put_sel(k, s->args[i]);
	fputc('}', k->f);
}

/* What code is made for a structure by. */
static void put_info(struct key *k, const struct classify_info *i, const void *blob)
{
	const struct classify_shape *s = &i->shape;
	size_t values = s->value_size ? (size_t)((const char *)classify_value(blob, 0) -
						 (const char *)blob) : 0;

	fprintf(k->f, "%s %zu %ju: %d %u %u %u %d%d at %zu ", i->function, i->size,
		(uintmax_t)i->limit, s->kind, s->n_fields, s->capacity, i->value_step, s->expires,
		s->is_mutable, values);
	put(k, s->width, sizeof(s->width));
}

/* ---- sets ---- */

static void put_elem(struct key *k, const struct ir_set *set, const struct ir_elem *e, bool keys)
{
	if (keys) {
		put_bytes(k, e->lo, set->width);
		put_bytes(k, e->hi, set->width);
		put_bytes(k, e->data, set->data_width);
	}
	put_verdict(k, &e->verdict);
	for (uint32_t i = 0; i < set->n_states; i++)
		put_state(k, e->states[i]);
}

static void put_ops(struct key *k, const struct ir_set *set, const struct ir_elem *like)
{
	const struct ir_state *st;

	fputs("shape ", k->f);
	for (uint32_t s = 0; (st = set_table_state(set, like, s)); s++)
		fprintf(k->f, "%s ", st->op->name);
}

static void put_table(struct key *k, const struct ir_set *set, const struct set_table *t)
{
	bool is_code = t->form == SET_FORM_CODE;

	fprintf(k->f, "form %d words %u ", t->form, t->data_words);
	for (size_t i = 0; is_code && i < set->n_elems; i++)
		put_elem(k, set, &set->elems[i], true);
	/* In order, since chains are found in that. */
	for (size_t i = 0; !is_code && set->kind == IR_VERDICT_MAP && i < set->n_elems; i++)
		put_verdict(k, &set->elems[i].verdict);
	if (t->blob) {
		put_info(k, &t->info, t->blob);
		fprintf(k->f, "in %u at %u ", t->map, t->map_offset);
	}
	for (uint32_t i = 0; i < t->n_ranges; i++) {
		fprintf(k->f, "range %u ", t->ranges[i].first);
		put_verdict(k, &t->ranges[i].like->verdict);
	}
	/* Which counter or state it is stands in the record; what many kinds have, in a table. */
	if (t->rows)
		fprintf(k->f, "%u kinds of %u in %u at %u ", t->n_kinds, t->row_words,
			t->rows_place.map, t->rows_place.offset);
	for (uint32_t i = 0; i < t->n_shapes; i++)
		put_ops(k, set, t->shapes[i]);
	for (uint32_t i = 0; !t->rows && i < t->n_kinds; i++) {
		const struct ir_state *st;

		fputs("kind ", k->f);
		for (uint32_t s = 0; (st = set_table_state(set, t->kinds[i], s)); s++) {
			fprintf(k->f, "%s ", st->op->name);
			put(k, st->param, sizeof(st->param));
		}
	}
}

/* What elements begin with that rules add is in the code (dynset.c). */
static void put_new_elem(struct key *k, const struct ir_set *s)
{
	uint64_t words[2];

	for (uint32_t i = 0; s->like_exprs && i < s->n_like; i++) {
		dyn_state_init(s->like[i], s->like_exprs->array[i].attrs, 0, words);
		fputs("begins with ", k->f);
		put(k, words, dyn_state_size(s->like[i]->op->name));
	}
}

static void put_set(struct key *k, struct ir_set *s)
{
	const struct set_table *t = NULL;
	char *why = NULL;

	fprintf(k->f, "\nset %u %d %u %u %d%d%d%d%d%d of %u: ", s->id, s->kind, s->width,
		s->data_width, s->ranged, s->intervals, s->is_mutable, s->has_timeout, s->is_dynamic,
		s->grows, s->n_fields);
	put_bytes(k, s->field_width, s->field_width ? s->n_fields : 0);
	fprintf(k->f, "%u states%s, %u at most, %s, like ", s->n_states, s->keeps ? " kept" : "",
		s->size, s->n_elems ? "some" : "none");
	for (uint32_t i = 0; i < s->n_like; i++)
		put_state(k, s->like[i]);
	if (s->n_elems && s->n_states)
		for (uint32_t i = 0; i < s->n_states && s->elems[0].states[i]; i++)
			fprintf(k->f, "keeps %s ", s->elems[0].states[i]->op->name);
	if (s->is_dynamic)
		fprintf(k->f, "%u %u %u ", dyn_key_size(s), dyn_value_size(s), dyn_capacity(s));
	if (s->grows)
		put_new_elem(k, s);
	if (set_table_get(k->ir, s, &t, &why))
		k->failed = true;
	else
		put_table(k, s, t);
	free(why);
}

/* ---- chains ---- */

static void put_step(struct key *k, const struct ir_step *st);

static void put_rule(struct key *k, const struct ir_rule *r)
{
	fprintf(k->f, "\nrule %d %u ", r->never, r->n_steps);
	for (uint32_t i = 0; i < r->n_steps; i++)
		put_step(k, &r->steps[i]);
}

/* Where rules behind a dispatch lead to, one after the other. */
static void put_targets(struct key *k, const struct ir_rule *r)
{
	for (uint32_t i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind == IR_VERDICT && r->steps[i].verdict.chain)
			put_verdict(k, &r->steps[i].verdict);
}

static void put_pieces(struct key *k, const struct ir_dispatch *d, const struct dispatch_table *t)
{
	uint32_t words[1 + DISPATCH_MAX_NUMBERS];

	fprintf(k->f, "%u rows, pieces ", d->n_rows);
	for (uint32_t i = 0; i < t->n_pieces; i++) {
		put_bytes(k, t->pieces[i].lo, t->key_width);
		put_bytes(k, t->pieces[i].hi, t->key_width);
		dispatch_record(d, t, t->pieces[i].rule, words);
		put(k, words, dispatch_words(t) * sizeof(*words));
		fprintf(k->f, "%u ", t->shape[t->pieces[i].rule]);
	}
}

static void put_dispatch(struct key *k, struct ir_dispatch *d)
{
	const struct dispatch_table *t;
	bool was_behind = k->behind;

	if (dispatch_table_get(k->ir, d, &t)) {
		k->failed = true;
		return;
	}
	fprintf(k->f, "dispatch %u %d ", d->id, d->form);
	for (uint32_t i = 0; i < d->n_fields; i++) {
		fputc(t->lacks[i] ? '?' : '!', k->f);
		if (t->replaced[i])
			fprintf(k->f, "%u ", t->stand_in[i]);
		put_sel(k, d->fields[i]);
	}
	fprintf(k->f, "%u %u, %u %u %s ", d->width, t->key_width, t->n_shapes, t->n_numbers,
		t->n_pieces ? "some" : "none");
	if (d->form == IR_FORM_CODE) {
		put_pieces(k, d, t);
	} else {
		put_info(k, &t->info, t->blob);
		fprintf(k->f, "in %u at %u ", t->place.map, t->place.offset);
	}
	fprintf(k->f, "%u parts ", MIN(d->n_rules, (uint32_t)SIZED_PARTS));
	for (uint32_t i = 0; i < d->n_rules; i++) {
		if (i < SIZED_PARTS)
			fprintf(k->f, "%u ", t->shape[i]);
		put_targets(k, &d->rules[i]);
	}
	k->behind = true;
	for (uint32_t i = 0; i < t->n_shapes; i++)
		put_rule(k, &d->rules[t->shapes[i]]);
	k->behind = was_behind;
}

static void put_step(struct key *k, const struct ir_step *st)
{
	uint32_t width = st->sel ? st->sel->width : 0;

	fprintf(k->f, "\n%d %d ", st->kind, st->guard);
	put_sel(k, st->sel);
	if (st->kind == IR_GUARD) {
		put_bytes(k, st->lo, width);
		put_bytes(k, st->hi, width);
	}
	fprintf(k->f, "%s set %d ", st->effect ? st->effect->name : "-",
		st->set ? (int)st->set->id : -1);
	put_state(k, st->state);
	put(k, st->param, sizeof(st->param));
	for (uint32_t i = 0; i < st->n_args; i++)
		put_sel(k, st->args[i]);
	put_verdict(k, &st->verdict);
	if (st->params)
		put(k, st->params, sizeof(*st->params));
	if (st->kind == IR_DISPATCH)
		put_dispatch(k, st->dispatch);
}

static void put_whole_chain(struct key *k, const struct ir_chain *c)
{
	fputs("\nchain ", k->f);
	put_chain(k, c);
	fprintf(k->f, "%d %u %u %d%d %u ", c->is_base, c->policy, c->hook, c->lowered, c->is_front,
		c->n_rules);
	/* Of a template the model is code, for all others. */
	for (uint32_t i = 0; template_model(c) == c && i < c->n_rules; i++)
		put_rule(k, &c->rules[i]);
}

static void put_prog(struct key *k, const struct ir_prog *p)
{
	fprintf(k->f, "\nprog %s %u %u ", p->name, p->pf, p->hook);
	for (uint32_t i = 0; i < p->n_bases; i++)
		put_chain(k, p->bases[i]);
}

/* ---- all of it ---- */

/* The files that make code and lay out maps: built or installed anew they are others. */
static void put_file(struct key *k, const char *path)
{
	struct stat st;

	if (!path || stat(path, &st)) {
		k->failed = true;
		return;
	}
	fprintf(k->f, "%ju:%ju %jd %jd.%09ld %jd.%09ld ", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
		(intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		(intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

static void put_options(struct key *k, const struct emit_options *opt)
{
	const char *split = getenv("NFT_BPF_SPLIT"); /* prog.c, for tests */

	fprintf(k->f, "nft-bpf " PACKAGE_VERSION " abi %d cpus %u %d%d %s ", EMIT_ABI, opt->cpus,
		opt->atomic_counters, opt->maps_elsewhere, opt->cpu ? opt->cpu : "-");
	fprintf(k->f, "split %s ", split ? split : "-");
	put_file(k, "/proc/self/exe");
	put_file(k, emit_backend_path());
}

static void put_all(struct key *k, const struct emit_options *opt)
{
	const struct ir *ir = k->ir;

	put_options(k, opt);
	fprintf(k->f, "\n%d counters %u state %u sets %u, calls %d%d", ir->n_counters > 0,
		emit_counter_room(ir), ir->shared_state_size, ir->n_sets, ir->calls_boxes,
		ir->calls_others);
	for (uint32_t i = 0; i < ir->n_sets; i++)
		put_set(k, ir->sets[i]);
	for (uint32_t i = 0; i < ir->n_chains; i++)
		put_whole_chain(k, ir->chains[i]);
	for (uint32_t i = 0; i < ir->n_progs; i++)
		put_prog(k, &ir->progs[i]);
}

void *emit_key(struct ir *ir, const struct emit_options *opt, size_t *ret_len)
{
	struct key k = {.ir = ir};
	char *key = NULL;
	bool written;

	if (!opt->maps_elsewhere || opt->want_llvm || opt->want_asm || tables_place(ir))
		return NULL;
	k.f = open_memstream(&key, ret_len);
	if (!k.f)
		return NULL;
	put_all(&k, opt);
	written = !ferror(k.f);
	if (fclose(k.f) || !written || k.failed) {
		free(key);
		return NULL;
	}
	return key;
}
