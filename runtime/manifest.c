/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest of a generation: JSON in an ARRAY map of pages, pinned beside the programs.
 *
 *	{ "format": 1, "version": "0.1.0", "time": UNIX, "ruleset": GENERATION,
 *	  "tables": [ { "family": 2, "name": "t" } ],		made dormant
 *	  "chains": [ { "family", "table", "name", "type", "hook", "priority", "policy", "rank",
 *			"compiled", "regular",			off its hook as a regular chain
 *			"prog4", "at4", "prog6", "at6",		program and root for each family
 *			"front": [ FIRST, LAST, N ],		rules of a program in front of it
 *			"reasons": [ { "code", "text", "chain", "handle", "rule", "expr" } ] } ],
 *	  "progs": [ { "name", "pf", "hook", "priority", "attached" } ],
 *	  "counted": [ { "family", "table", "chain", "first", "n", "shared" } ],
 *	  "objects": [ { "family", "table", "name", "handle", "counter" } ],
 *	  "sets": [ { "family", "table", "name", "id", "map", "offset", "verdicts": [ { "code", "chain" } ] } ],
 *	  "dynamic": [ { "family", "table", "name", "id", "packets", "exprs": [ { "name", "hex" } ] } ],
 *	  "fixed": true,					some sets change only with the programs
 *	  "seed": …,						of hashes; the next load's is the same
 *	  "counters": { "cpus", "stride", "n" } }
 *
 * "tables" and "chains" down to "regular" stay as they are in all formats to come: with them any
 * version can hand back. Names are bytes and JSON wants UTF-8, so a byte is written as the character
 * of that number.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/mman.h>

#include "manifest.h"

#define PAGE 4096u

static json_t *bytes_to_json(const char *s)
{
	char AUTO_FREE *utf8 = s ? malloc(2 * strlen(s) + 1) : NULL;
	char *p = utf8;

	if (!s)
		return json_null();
	if (!utf8)
		return NULL;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x80) {
			*p++ = (char)(0xc0 | c >> 6);
			*p++ = (char)(0x80 | (c & 0x3f));
		} else {
			*p++ = (char)c;
		}
	}
	*p = '\0';
	return json_string(utf8);
}

/* Out of memory, all of it becomes NULL: a manifest without a chain would leave that off its hook. */
static void append(json_t **array, json_t *value)
{
	if (json_array_append_new(*array, value) == 0)
		return;
	json_decref(*array);
	*array = NULL;
}

static json_t *reasons_to_json(const struct rt_chain_status *st)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < st->n_reasons; i++) {
		const struct rt_reason *r = &st->reasons[i];

		append(&a, json_pack("{s:s, s:o, s:o, s:I, s:i, s:o}", "code", r->code, "text",
				     bytes_to_json(r->text), "chain", bytes_to_json(r->chain),
				     "handle", (json_int_t)r->handle, "rule", (int)r->rule, "expr",
				     bytes_to_json(r->expr)));
	}
	return a;
}

static json_t *chain_to_json(const struct mf_chain *c)
{
	const struct rt_chain_status *st = &c->st;

	return json_pack("{s:i, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:b, s:b, s:o, s:i, s:o, s:i, s:[iii], "
			 "s:o}",
			 "family", (int)st->family, "table", bytes_to_json(st->table), "name",
			 bytes_to_json(st->name), "type", bytes_to_json(st->type), "hook",
			 (int)st->hook, "priority", (int)st->priority, "policy", (int)st->policy,
			 "rank", (int)c->rank, "compiled", (int)st->compiled, "regular",
			 (int)c->regular, "prog4", bytes_to_json(st->prog4), "at4",
			 (int)st->attached4, "prog6", bytes_to_json(st->prog6), "at6",
			 (int)st->attached6, "front", (int)st->front_first, (int)st->front_last,
			 (int)st->front_drops, "reasons", reasons_to_json(st));
}

static json_t *progs_to_json(const struct manifest *m)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < m->n_progs; i++) {
		const struct rt_prog_status *p = &m->progs[i];

		append(&a, json_pack("{s:s, s:i, s:i, s:i, s:i}", "name", p->name,
						   "pf", (int)p->pf, "hook", (int)p->hook,
						   "priority", (int)p->priority, "attached",
						   (int)p->attached));
	}
	return a;
}

static json_t *counted_to_json(const struct manifest *m)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < m->n_counted; i++) {
		const struct mf_counted *c = &m->counted[i];

		append(&a, json_pack("{s:i, s:o, s:o, s:i, s:i, s:b}", "family",
						   (int)c->family, "table", bytes_to_json(c->table),
						   "chain", bytes_to_json(c->chain), "first",
						   (int)c->first, "n", (int)c->n, "shared",
						   (int)c->shared));
	}
	return a;
}

static json_t *objects_to_json(const struct manifest *m)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < m->n_objects; i++) {
		const struct mf_object *o = &m->objects[i];

		append(&a, json_pack("{s:i, s:o, s:o, s:I, s:i}", "family", (int)o->family,
						   "table", bytes_to_json(o->table), "name",
						   bytes_to_json(o->name), "handle",
						   (json_int_t)o->handle, "counter",
						   (int)o->counter));
	}
	return a;
}

static json_t *exprs_to_json(const struct mf_expr *exprs, uint32_t n)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < n; i++)
		append(&a, json_pack("{s:s, s:s}", "name", exprs[i].name, "hex",
						   exprs[i].hex));
	return a;
}

static json_t *sets_to_json(const struct manifest *m)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < m->n_sets; i++) {
		const struct mf_set *s = &m->sets[i];
		json_t *verdicts = json_array(), *kinds = json_array();

		for (uint32_t k = 0; k < s->n_verdicts; k++)
			append(&verdicts,
					      json_pack("{s:i, s:i, s:o}", "number",
							(int)s->verdicts[k].number, "code",
							(int)s->verdicts[k].code, "chain",
							bytes_to_json(s->verdicts[k].chain)));
		for (uint32_t k = 0; k < s->n_kinds; k++)
			append(&kinds, exprs_to_json(s->kinds[k].exprs,
								   s->kinds[k].n_exprs));
		append(&a, json_pack("{s:i, s:o, s:o, s:i, s:i, s:i, s:o, s:o}",
						   "family", (int)s->family, "table",
						   bytes_to_json(s->table), "name",
						   bytes_to_json(s->name), "id", (int)s->id,
						   "map", (int)s->map, "offset",
						   (int)s->map_offset, "verdicts", verdicts,
						   "kinds", kinds));
	}
	return a;
}

static json_t *dynamic_to_json(const struct manifest *m)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < m->n_dynamic; i++) {
		const struct mf_dynamic *d = &m->dynamic[i];

		append(&a, json_pack("{s:i, s:o, s:o, s:i, s:i, s:o}", "family",
						   (int)d->family, "table",
						   bytes_to_json(d->table), "name",
						   bytes_to_json(d->name), "id", (int)d->id,
						   "packets", (int)d->packets, "exprs",
						   exprs_to_json(d->exprs, d->n_exprs)));
	}
	return a;
}

static json_t *manifest_to_json(const struct manifest *m)
{
	json_t *chains = json_array(), *tables = json_array();

	for (uint32_t i = 0; i < m->n_chains; i++)
		append(&chains, chain_to_json(&m->chains[i]));
	for (uint32_t i = 0; i < m->n_tables; i++)
		append(&tables, json_pack("{s:i, s:o}", "family",
							(int)m->tables[i].family, "name",
							bytes_to_json(m->tables[i].name)));
	return json_pack("{s:i, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:I, s:{s:i, s:i, s:i}}", "format",
			 (int)m->format, "version", m->version, "time", (json_int_t)m->time,
			 "ruleset", (json_int_t)m->ruleset, "tables", tables, "chains", chains,
			 "progs", progs_to_json(m), "counted", counted_to_json(m), "objects",
			 objects_to_json(m), "sets", sets_to_json(m), "dynamic",
			 dynamic_to_json(m), "fixed",
			 (int)m->fixed_sets, "compiled", (json_int_t)m->compiled, "seed",
			 (json_int_t)m->seed, "counters", "cpus",
			 (int)m->cpus, "stride", (int)m->stride, "n", (int)m->n_counters);
}

char *manifest_print(const struct manifest *m)
{
	json_t *json = manifest_to_json(m);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

int manifest_write(struct runtime *rt, uint32_t gen, const struct manifest *m, struct diags *ds)
{
	char AUTO_FREE *text = manifest_print(m);
	int AUTO_CLOSE fd = -1;
	size_t len, size;
	void *map;
	int err;

	if (!text)
		return -ENOMEM;
	len = strlen(text);
	err = rt_array_create("nb_manifest", PAGE, (uint32_t)(len / PAGE) + 1, &fd, &map, &size);
	if (err)
		return rt_error(ds, err, "cannot make a BPF map");
	memcpy(map, text, len);
	munmap(map, size);
	return gen_pin(rt, gen, "manifest", fd, ds);
}
