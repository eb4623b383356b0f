/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading manifests (the format is in manifest.c), and finding things in them.
 */
#include <errno.h>
#include <jansson.h>
#include <sys/mman.h>

#include "manifest.h"

static void free_set(struct mf_set *s)
{
	for (uint32_t i = 0; i < s->n_kinds; i++)
		free(s->kinds[i].exprs);
	free(s->kinds);
	free(s->verdicts);
}

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
	free(m->ids);
	free(m->progs);
	free(m->counted);
	free(m->objects);
	for (uint32_t i = 0; i < m->n_sets; i++)
		free_set(&m->sets[i]);
	free(m->sets);
	for (uint32_t i = 0; i < m->n_dynamic; i++)
		free(m->dynamic[i].exprs);
	free(m->dynamic);
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
	const json_t *front = json_object_get(o, "front");
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
	st->front_first = (uint32_t)json_integer_value(json_array_get(front, 0));
	st->front_last = (uint32_t)json_integer_value(json_array_get(front, 1));
	st->front_drops = (uint32_t)json_integer_value(json_array_get(front, 2));
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
			.handle = (uint64_t)get_int(o, "handle"),
			.counter = (uint32_t)get_int(o, "counter"),
		};
		ok &= m->objects[i].table && m->objects[i].name;
	}
	return ok && m->objects;
}

static bool read_exprs(struct manifest *m, const json_t *a, struct mf_expr **ret, uint32_t *ret_n)
{
	*ret = new_array(a, sizeof(**ret), ret_n);
	for (uint32_t i = 0; i < *ret_n; i++) {
		(*ret)[i].name = get_bytes(m, json_array_get(a, i), "name");
		(*ret)[i].hex = get_bytes(m, json_array_get(a, i), "hex");
		if (!(*ret)[i].name || !(*ret)[i].hex)
			return false;
	}
	return *ret;
}

static bool read_kinds(struct manifest *m, const json_t *a, struct mf_set *s)
{
	bool ok = true;

	s->kinds = new_array(a, sizeof(*s->kinds), &s->n_kinds);
	for (uint32_t i = 0; i < s->n_kinds; i++)
		ok &= read_exprs(m, json_array_get(a, i), &s->kinds[i].exprs, &s->kinds[i].n_exprs);
	return ok && s->kinds;
}

static bool read_set(struct manifest *m, const json_t *o, struct mf_set *s)
{
	const json_t *verdicts = json_object_get(o, "verdicts");

	s->family = (uint8_t)get_int(o, "family");
	s->table = get_bytes(m, o, "table");
	s->name = get_bytes(m, o, "name");
	s->id = (uint32_t)get_int(o, "id");
	s->map = json_object_get(o, "map") ? (uint32_t)get_int(o, "map") : s->id;
	s->map_offset = (uint32_t)get_int(o, "offset");
	s->verdicts = new_array(verdicts, sizeof(*s->verdicts), &s->n_verdicts);
	for (uint32_t i = 0; i < s->n_verdicts; i++) {
		const json_t *v = json_array_get(verdicts, i);

		s->verdicts[i].number = (uint32_t)get_int(v, "number");
		s->verdicts[i].code = (int32_t)get_int(v, "code");
		s->verdicts[i].chain = get_bytes(m, v, "chain");
	}
	return s->table && s->name && s->verdicts &&
	       read_kinds(m, json_object_get(o, "kinds"), s);
}

static bool read_sets(struct manifest *m, const json_t *a)
{
	bool ok = true;

	m->sets = new_array(a, sizeof(*m->sets), &m->n_sets);
	for (uint32_t i = 0; i < m->n_sets; i++)
		ok &= read_set(m, json_array_get(a, i), &m->sets[i]);
	return ok && m->sets;
}

static bool read_dynamic_one(struct manifest *m, const json_t *o, struct mf_dynamic *d)
{
	d->family = (uint8_t)get_int(o, "family");
	d->table = get_bytes(m, o, "table");
	d->name = get_bytes(m, o, "name");
	d->id = (uint32_t)get_int(o, "id");
	d->packets = (enum mf_packets)get_int(o, "packets");
	return d->table && d->name &&
	       read_exprs(m, json_object_get(o, "exprs"), &d->exprs, &d->n_exprs);
}

static bool read_dynamic(struct manifest *m, const json_t *a)
{
	bool ok = true;

	m->dynamic = new_array(a, sizeof(*m->dynamic), &m->n_dynamic);
	for (uint32_t i = 0; i < m->n_dynamic; i++)
		ok &= read_dynamic_one(m, json_array_get(a, i), &m->dynamic[i]);
	return ok && m->dynamic;
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
	m->compiled = (uint64_t)get_int(json, "compiled");
	m->seed = (uint32_t)get_int(json, "seed");
	m->fixed_sets = json_is_true(json_object_get(json, "fixed"));
	return ok && m->version && read_progs(m, json_object_get(json, "progs")) &&
	       read_counted(m, json_object_get(json, "counted")) &&
	       read_objects(m, json_object_get(json, "objects")) &&
	       read_sets(m, json_object_get(json, "sets")) &&
	       read_dynamic(m, json_object_get(json, "dynamic"));
}

int manifest_parse(const char *text, size_t len, struct manifest **ret)
{
	struct manifest CLEANUP(manifest_freep) *m = calloc(1, sizeof(*m));
	json_t *json;
	bool ok;

	if (!m)
		return -ENOMEM;
	json = json_loadb(text, len, 0, NULL);
	ok = json && read_all(m, json);
	json_decref(json);
	if (!ok)
		return -EINVAL;
	*ret = TAKE_PTR(m);
	return 0;
}

static int parse_map(int fd, struct manifest **ret)
{
	size_t size;
	void *map;
	int err = rt_array_map(fd, false, &map, &size, NULL, NULL);

	if (err)
		return err;
	err = manifest_parse(map, strnlen(map, size), ret);
	munmap(map, size);
	return err;
}

int manifest_read(const struct runtime *rt, uint32_t gen, struct diags *ds, struct manifest **ret)
{
	struct manifest CLEANUP(manifest_freep) *m = NULL;
	int AUTO_CLOSE fd = -1;
	int err = gen_get(rt, gen, "manifest", &fd);

	if (err)
		return err == -ENOENT ? err :
					rt_error(ds, err, "generation %u: cannot open its manifest", gen);
	err = parse_map(fd, &m);
	if (!err)
		err = tables_read(rt, gen, m);
	if (err)
		return rt_error(ds, err, "generation %u: its manifest cannot be read", gen);
	*ret = TAKE_PTR(m);
	return 0;
}
