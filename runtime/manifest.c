/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest of a generation: JSON in an ARRAY map of pages, pinned beside the programs.
 *
 *	{ "format": 1, "version": "0.1.0", "time": UNIX, "ruleset": GENERATION,
 *	  "tables": [ { "family": 2, "name": "t" } ],		made dormant
 *	  "chains": [ { "family", "table", "name", "type", "hook", "priority", "policy", "rank",
 *			"compiled", "regular",			off its hook as a regular chain
 *			"prog4", "at4", "prog6", "at6",		program and root for each family
 *			"reasons": [ { "code", "text", "chain", "handle", "rule", "expr" } ] } ],
 *	  "progs": [ { "name", "pf", "hook", "priority", "attached" } ],
 *	  "counted": [ { "family", "table", "chain", "first", "n", "shared" } ],
 *	  "objects": [ { "family", "table", "name", "counter" } ],
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

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->n_chains; i++)
		free(m->chains[i].st.reasons);
	for (size_t i = 0; i < m->n_strings; i++)
		free(m->strings[i]);
	free(m->strings);
	free(m->chains);
	free(m->tables);
	free(m->progs);
	free(m->counted);
	free(m->objects);
	free(m);
}

void manifest_freep(struct manifest **m)
{
	manifest_free(*m);
}

struct mf_chain *manifest_find_chain(const struct manifest *m, uint8_t family, const char *table,
				     const char *name)
{
	for (uint32_t i = 0; i < m->n_chains; i++) {
		const struct rt_chain_status *st = &m->chains[i].st;

		if (st->family == family && strcmp(st->table, table) == 0 &&
		    strcmp(st->name, name) == 0)
			return &m->chains[i];
	}
	return NULL;
}

bool manifest_has_table(const struct manifest *m, uint8_t family, const char *name)
{
	for (uint32_t i = 0; i < m->n_tables; i++)
		if (m->tables[i].family == family && strcmp(m->tables[i].name, name) == 0)
			return true;
	return false;
}

/* ---- writing ---- */

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

static json_t *reasons_to_json(const struct rt_chain_status *st)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < st->n_reasons; i++) {
		const struct rt_reason *r = &st->reasons[i];

		json_array_append_new(
			a, json_pack("{s:s, s:o, s:o, s:I, s:i, s:o}", "code", r->code, "text",
				     bytes_to_json(r->text), "chain", bytes_to_json(r->chain),
				     "handle", (json_int_t)r->handle, "rule", (int)r->rule, "expr",
				     bytes_to_json(r->expr)));
	}
	return a;
}

static json_t *chain_to_json(const struct mf_chain *c)
{
	const struct rt_chain_status *st = &c->st;

	return json_pack("{s:i, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:b, s:b, s:o, s:i, s:o, s:i, s:o}",
			 "family", (int)st->family, "table", bytes_to_json(st->table), "name",
			 bytes_to_json(st->name), "type", bytes_to_json(st->type), "hook",
			 (int)st->hook, "priority", (int)st->priority, "policy", (int)st->policy,
			 "rank", (int)c->rank, "compiled", (int)st->compiled, "regular",
			 (int)c->regular, "prog4", bytes_to_json(st->prog4), "at4",
			 (int)st->attached4, "prog6", bytes_to_json(st->prog6), "at6",
			 (int)st->attached6, "reasons", reasons_to_json(st));
}

static json_t *progs_to_json(const struct manifest *m)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < m->n_progs; i++) {
		const struct rt_prog_status *p = &m->progs[i];

		json_array_append_new(a, json_pack("{s:s, s:i, s:i, s:i, s:i}", "name", p->name,
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

		json_array_append_new(a, json_pack("{s:i, s:o, s:o, s:i, s:i, s:b}", "family",
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

		json_array_append_new(a, json_pack("{s:i, s:o, s:o, s:i}", "family", (int)o->family,
						   "table", bytes_to_json(o->table), "name",
						   bytes_to_json(o->name), "counter",
						   (int)o->counter));
	}
	return a;
}

static json_t *manifest_to_json(const struct manifest *m)
{
	json_t *chains = json_array(), *tables = json_array();

	for (uint32_t i = 0; i < m->n_chains; i++)
		json_array_append_new(chains, chain_to_json(&m->chains[i]));
	for (uint32_t i = 0; i < m->n_tables; i++)
		json_array_append_new(tables, json_pack("{s:i, s:o}", "family",
							(int)m->tables[i].family, "name",
							bytes_to_json(m->tables[i].name)));
	return json_pack("{s:i, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:{s:i, s:i, s:i}}", "format",
			 (int)m->format, "version", m->version, "time", (json_int_t)m->time,
			 "ruleset", (json_int_t)m->ruleset, "tables", tables, "chains", chains,
			 "progs", progs_to_json(m), "counted", counted_to_json(m), "objects",
			 objects_to_json(m), "counters", "cpus",
			 (int)m->cpus, "stride", (int)m->stride, "n", (int)m->n_counters);
}

int manifest_write(struct runtime *rt, uint32_t gen, const struct manifest *m, struct diags *ds)
{
	json_t *json = manifest_to_json(m);
	char AUTO_FREE *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int AUTO_CLOSE fd = -1;
	size_t len, size;
	void *map;
	int err;

	json_decref(json);
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

/* ---- reading ---- */

static const char *keep(struct manifest *m, char *s)
{
	char **strings = s ? realloc(m->strings, (m->n_strings + 1) * sizeof(*strings)) : NULL;

	if (!strings) {
		free(s);
		return NULL;
	}
	m->strings = strings;
	return m->strings[m->n_strings++] = s;
}

static const char *get_bytes(struct manifest *m, const json_t *o, const char *key)
{
	const char *utf8 = json_string_value(json_object_get(o, key));
	char *s = utf8 ? strdup(utf8) : NULL, *p = s;

	for (const unsigned char *q = (const unsigned char *)s; s && *q; q++) {
		if (*q >= 0xc2 && q[1]) {
			*p++ = (char)(*q << 6 | (q[1] & 0x3f));
			q++;
		} else {
			*p++ = (char)*q;
		}
	}
	if (p)
		*p = '\0';
	return keep(m, s);
}

static json_int_t get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool get_bool(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* An array of as many zeroed elements as the JSON array has. */
static void *new_array(const json_t *a, size_t size, uint32_t *ret_n)
{
	void *array = calloc(MAX(json_array_size(a), 1u), size);

	*ret_n = array ? (uint32_t)json_array_size(a) : 0;
	return array;
}

static void read_reasons(struct manifest *m, const json_t *a, struct rt_chain_status *st)
{
	st->reasons = new_array(a, sizeof(*st->reasons), &st->n_reasons);
	for (uint32_t i = 0; i < st->n_reasons; i++) {
		const json_t *o = json_array_get(a, i);

		st->reasons[i] = (struct rt_reason){
			.code = get_bytes(m, o, "code"),
			.text = get_bytes(m, o, "text"),
			.chain = get_bytes(m, o, "chain"),
			.handle = (uint64_t)get_int(o, "handle"),
			.rule = (uint32_t)get_int(o, "rule"),
			.expr = get_bytes(m, o, "expr"),
		};
	}
}

static bool read_chain(struct manifest *m, const json_t *o, struct mf_chain *c)
{
	struct rt_chain_status *st = &c->st;

	*st = (struct rt_chain_status){
		.family = (uint8_t)get_int(o, "family"),
		.table = get_bytes(m, o, "table"),
		.name = get_bytes(m, o, "name"),
		.type = get_bytes(m, o, "type"),
		.hook = (uint32_t)get_int(o, "hook"),
		.priority = (int32_t)get_int(o, "priority"),
		.policy = (uint32_t)get_int(o, "policy"),
		.compiled = get_bool(o, "compiled"),
		.prog4 = get_bytes(m, o, "prog4"),
		.prog6 = get_bytes(m, o, "prog6"),
		.attached4 = (int32_t)get_int(o, "at4"),
		.attached6 = (int32_t)get_int(o, "at6"),
	};
	st->pf4 = st->prog4;
	st->pf6 = st->prog6;
	c->rank = (uint32_t)get_int(o, "rank");
	c->regular = get_bool(o, "regular");
	read_reasons(m, json_object_get(o, "reasons"), st);
	return st->table && st->name && st->type && st->reasons;
}

static bool read_progs(struct manifest *m, const json_t *a)
{
	bool ok = true;

	m->progs = new_array(a, sizeof(*m->progs), &m->n_progs);
	for (uint32_t i = 0; i < m->n_progs; i++) {
		const json_t *o = json_array_get(a, i);

		m->progs[i] = (struct rt_prog_status){
			.name = get_bytes(m, o, "name"),
			.pf = (uint8_t)get_int(o, "pf"),
			.hook = (uint8_t)get_int(o, "hook"),
			.priority = (int32_t)get_int(o, "priority"),
			.attached = (int32_t)get_int(o, "attached"),
		};
		ok &= m->progs[i].name != NULL;
	}
	return ok && m->progs;
}

static bool read_counted(struct manifest *m, const json_t *a)
{
	bool ok = true;

	m->counted = new_array(a, sizeof(*m->counted), &m->n_counted);
	for (uint32_t i = 0; i < m->n_counted; i++) {
		const json_t *o = json_array_get(a, i);

		m->counted[i] = (struct mf_counted){
			.family = (uint8_t)get_int(o, "family"),
			.table = get_bytes(m, o, "table"),
			.chain = get_bytes(m, o, "chain"),
			.first = (uint32_t)get_int(o, "first"),
			.n = (uint32_t)get_int(o, "n"),
			.shared = get_bool(o, "shared"),
		};
		ok &= m->counted[i].table && m->counted[i].chain;
	}
	return ok && m->counted;
}

static bool read_objects(struct manifest *m, const json_t *a)
{
	bool ok = true;

	m->objects = new_array(a, sizeof(*m->objects), &m->n_objects);
	for (uint32_t i = 0; i < m->n_objects; i++) {
		const json_t *o = json_array_get(a, i);

		m->objects[i] = (struct mf_object){
			.family = (uint8_t)get_int(o, "family"),
			.table = get_bytes(m, o, "table"),
			.name = get_bytes(m, o, "name"),
			.counter = (uint32_t)get_int(o, "counter"),
		};
		ok &= m->objects[i].table && m->objects[i].name;
	}
	return ok && m->objects;
}

static bool read_tables(struct manifest *m, const json_t *a)
{
	bool ok = true;

	m->tables = new_array(a, sizeof(*m->tables), &m->n_tables);
	for (uint32_t i = 0; i < m->n_tables; i++) {
		const json_t *o = json_array_get(a, i);

		m->tables[i].family = (uint8_t)get_int(o, "family");
		m->tables[i].name = get_bytes(m, o, "name");
		ok &= m->tables[i].name != NULL;
	}
	return ok && m->tables;
}

static bool read_all(struct manifest *m, const json_t *json)
{
	const json_t *chains = json_object_get(json, "chains");
	const json_t *counters = json_object_get(json, "counters");
	bool ok = true;

	m->format = (uint32_t)get_int(json, "format");
	m->version = get_bytes(m, json, "version");
	m->time = (uint64_t)get_int(json, "time");
	m->ruleset = (uint32_t)get_int(json, "ruleset");
	m->chains = new_array(chains, sizeof(*m->chains), &m->n_chains);
	for (uint32_t i = 0; i < m->n_chains; i++)
		ok &= read_chain(m, json_array_get(chains, i), &m->chains[i]);
	ok &= m->chains && read_tables(m, json_object_get(json, "tables"));
	if (m->format != MANIFEST_FORMAT)
		return ok;
	m->cpus = (uint32_t)get_int(counters, "cpus");
	m->stride = (uint32_t)get_int(counters, "stride");
	m->n_counters = (uint32_t)get_int(counters, "n");
	return ok && m->version && read_progs(m, json_object_get(json, "progs")) &&
	       read_counted(m, json_object_get(json, "counted")) &&
	       read_objects(m, json_object_get(json, "objects"));
}

static json_t *load_json(int fd)
{
	size_t size;
	json_t *json;
	void *map;

	if (rt_array_map(fd, false, &map, &size, NULL, NULL))
		return NULL;
	json = json_loadb(map, strnlen(map, size), 0, NULL);
	munmap(map, size);
	return json;
}

int manifest_read(const struct runtime *rt, uint32_t gen, struct diags *ds, struct manifest **ret)
{
	struct manifest CLEANUP(manifest_freep) *m = calloc(1, sizeof(*m));
	int AUTO_CLOSE fd = -1;
	int err = gen_get(rt, gen, "manifest", &fd);
	json_t *json;
	bool ok;

	if (!m)
		return -ENOMEM;
	if (err)
		return err == -ENOENT ? err :
					rt_error(ds, err, "generation %u: cannot open its manifest", gen);
	json = load_json(fd);
	ok = json && read_all(m, json);
	json_decref(json);
	if (!ok)
		return rt_error(ds, -EINVAL, "generation %u: its manifest cannot be read", gen);
	*ret = TAKE_PTR(m);
	return 0;
}
