/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset model: named objects, flowtables, and the lists of devices that chains and flowtables
 * have.
 */
#include "ruleset_private.h"

#include <errno.h>

/* ---- objects ---- */

static struct name_key object_key(uint32_t type, const char *name)
{
	return (struct name_key){.kind = KEY_OBJECT, .number = type, .name = name};
}

struct object *table_find_object(const struct table *t, uint32_t type, const char *name)
{
	return name_index_find(table_names(t), object_key(type, name));
}

struct object *table_find_object_handle(const struct table *t, uint32_t type, uint64_t handle)
{
	struct object *o;

	list_for_each(o, &t->objects, node) {
		if (handle && o->handle == handle && o->type == type)
			return o;
	}
	return NULL;
}

struct object *object_new(struct table *t, uint32_t type, const char *name)
{
	struct object *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	list_init(&o->node);
	o->table = t;
	o->type = type;
	o->name = strdup(name);
	if (!o->name || name_index_add(table_names(t), object_key(type, o->name), o) < 0) {
		object_free(o);
		return NULL;
	}
	list_append(&t->objects, &o->node);
	return o;
}

void object_free(struct object *o)
{
	if (o->name && table_names(o->table))
		name_index_remove(table_names(o->table), object_key(o->type, o->name), o);
	list_remove(&o->node);
	free(o->name);
	blob_fini(&o->attrs);
	blob_fini(&o->userdata);
	free(o);
}

/* ---- flowtables ---- */

static struct name_key flowtable_key(const char *name)
{
	return (struct name_key){.kind = KEY_FLOWTABLE, .name = name};
}

struct flowtable *table_find_flowtable(const struct table *t, const char *name)
{
	return name_index_find(table_names(t), flowtable_key(name));
}

struct flowtable *table_find_flowtable_handle(const struct table *t, uint64_t handle)
{
	struct flowtable *f;

	list_for_each(f, &t->flowtables, node) {
		if (handle && f->handle == handle)
			return f;
	}
	return NULL;
}

struct flowtable *flowtable_new(struct table *t, const char *name)
{
	struct flowtable *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	list_init(&f->node);
	f->table = t;
	f->name = strdup(name);
	if (!f->name || name_index_add(table_names(t), flowtable_key(f->name), f) < 0) {
		flowtable_free(f);
		return NULL;
	}
	list_append(&t->flowtables, &f->node);
	return f;
}

void flowtable_free(struct flowtable *f)
{
	if (f->name && table_names(f->table))
		name_index_remove(table_names(f->table), flowtable_key(f->name), f);
	list_remove(&f->node);
	free(f->name);
	devices_free(&f->devices);
	free(f);
}

/* ---- lists of devices ---- */

bool devices_have(char **devices, const char *name)
{
	for (; devices && *devices; devices++) {
		if (strcmp(*devices, name) == 0)
			return true;
	}
	return false;
}

int devices_add(char ***devices, const char *name)
{
	size_t n = 0;
	char **grown;

	while (*devices && (*devices)[n])
		n++;
	grown = realloc(*devices, (n + 2) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*devices = grown;
	grown[n] = strdup(name);
	grown[n + 1] = NULL;
	return grown[n] ? 0 : -ENOMEM;
}

void devices_remove(char ***devices, const char *name)
{
	char **from = *devices, **to = *devices;

	if (!from)
		return;
	for (; *from; from++) {
		if (strcmp(*from, name) == 0)
			free(*from);
		else
			*to++ = *from;
	}
	*to = NULL;
	if (to == *devices)
		devices_free(devices);
}

void devices_free(char ***devices)
{
	char **d;

	for (d = *devices; d && *d; d++)
		free(*d);
	free(*devices);
	*devices = NULL;
}
