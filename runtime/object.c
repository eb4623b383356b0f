/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiled objects into the kernel, and the verifier's refusals back to the rule that they mean.
 *
 * Line info of compiled code names the chain as its file ("inet filter input") and the rule as the
 * line; the verifier shows it with the instructions, as "; text @ file:line" from Linux 6.9 on.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "dynamic.h"
#include "object.h"
#include "priv.h"
#include "sets.h"

#define LOG_SIZE (64 << 10) /* the kernel keeps the end of a longer one (Linux 6.4) */

/* What libbpf has to say while it works for this thread. */
static __thread struct {
	char text[1024];
	size_t len;
	bool btf_failed;
} said;

static int remember(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t room = sizeof(said.text) - said.len;
	int n;

	if (level != LIBBPF_WARN)
		return 0;
	/* libbpf goes on without BTF, but then nothing would have line info: that is an error. */
	if (strstr(fmt, "Error loading .BTF"))
		said.btf_failed = true;
	n = vsnprintf(said.text + said.len, room, fmt, ap);
	said.len += n < 0 ? 0 : MIN((size_t)n, room - 1);
	return n;
}

void object_refusal_fini(struct object_refusal *r)
{
	free(r->table);
	free(r->chain);
	*r = (struct object_refusal){ 0 };
}

void object_closep(struct bpf_object **obj)
{
	sets_close_object(*obj);
}

int object_prog_fd(const struct bpf_object *obj, const struct ir_prog *p)
{
	return bpf_program__fd(bpf_object__find_program_by_name(obj, p->name));
}

/* Number 0 is the program itself; others are what it goes on in (compiler/emit/split.h). */
int object_part_fd(const struct bpf_object *obj, const struct ir_prog *p, uint32_t number)
{
	const struct bpf_program *part;
	char name[64];

	if (!number)
		return object_prog_fd(obj, p);
	snprintf(name, sizeof(name), "%s_p%u", p->name, number);
	part = bpf_object__find_program_by_name(obj, name);
	return part ? bpf_program__fd(part) : -ENOENT;
}

/* ---- the verifier's log ---- */

static bool is_instruction(const char *line)
{
	const char *p = line;

	while (isdigit((unsigned char)*p))
		p++;
	return p != line && *p == ':';
}

/* Lines that only describe where it is, or how long it took. */
static bool is_chatter(const char *line)
{
	static const char *const prefixes[] = {
		"processed ", "verification time", "stack depth", ";", "from ", "last_idx",
		"regs=", "mark_precise", "parent ", "math between", "func#", "Validating", "max_states",
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(line, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return *line == '\0' || is_instruction(line);
}

/* "; …@ inet filter input:12" */
static void read_place(const char *line, struct object_refusal *r)
{
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET };
	const char *at = strstr(line, "@ "), *colon = strrchr(line, ':'), *table, *chain;
	char AUTO_FREE *name = NULL;

	if (!at || !colon || colon < at)
		return;
	table = strchr(at + 2, ' ');
	chain = table ? strchr(table + 1, ' ') : NULL;
	if (!chain || chain > colon)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const char *family = family_name(families[i]);

		if (strlen(family) != (size_t)(table - at - 2) ||
		    strncmp(family, at + 2, strlen(family)) != 0)
			continue;
		free(r->table);
		free(r->chain);
		r->family = families[i];
		r->table = strndup(table + 1, (size_t)(chain - table - 1));
		r->chain = strndup(chain + 1, (size_t)(colon - chain - 1));
		r->rule = (uint32_t)strtoul(colon + 1, NULL, 10);
	}
}

/* Its last words, and the last place named before them. */
static void read_log(char *log, struct object_refusal *r)
{
	char *save = NULL;

	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == ';')
			read_place(line, r);
		if (!is_chatter(line))
			snprintf(r->why, sizeof(r->why), "%s", line);
	}
}

/* ---- loading ---- */

static int open_object(const struct ir *ir, const struct emitted *e, struct bpf_object **ret)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "nb");
	struct bpf_object CLEANUP(object_closep) *obj = NULL;
	struct bpf_program *p;

	obj = bpf_object__open_mem(e->object, e->size, &opts);
	if (!obj)
		return -errno;
	for (uint32_t i = 0; i < ir->n_progs; i++)
		if (!bpf_object__find_program_by_name(obj, ir->progs[i].name))
			return -ENOENT;
	bpf_object__for_each_program(p, obj) {
		bpf_program__set_type(p, (enum bpf_prog_type)RT_PROG_TYPE_NETFILTER);
		bpf_program__set_expected_attach_type(p, (enum bpf_attach_type)RT_ATTACH_NETFILTER);
	}
	*ret = TAKE_PTR(obj);
	return 0;
}

/* The program that @name is, or is a part of: NAME_pNUMBER. */
static const struct ir_prog *whole(const struct ir *ir, const char *name)
{
	for (uint32_t i = 0; i < ir->n_progs; i++) {
		size_t len = strlen(ir->progs[i].name);

		if (strncmp(name, ir->progs[i].name, len) == 0 &&
		    (!name[len] || (strncmp(name + len, "_p", 2) == 0 &&
				    isdigit((unsigned char)name[len + 2]))))
			return &ir->progs[i];
	}
	return NULL;
}

/* Programs load in their order: the first one without a descriptor was refused; *log is moved there. */
static const struct ir_prog *refused(const struct ir *ir, const struct bpf_object *obj, char **log)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, obj) {
		if (bpf_program__fd(p) < 0 && **log)
			return whole(ir, bpf_program__name(p));
		*log += LOG_SIZE;
	}
	return NULL;
}

static size_t n_programs(const struct bpf_object *obj)
{
	struct bpf_program *p;
	size_t n = 0;

	bpf_object__for_each_program(p, obj)
		n++;
	return n;
}

/* Untouched pages of the logs cost nothing; libbpf asks for one only after a failure. */
static int set_logs(struct bpf_object *obj, char **ret)
{
	char *log = calloc(MAX(n_programs(obj), 1u), LOG_SIZE);
	struct bpf_program *p;
	int err = log ? 0 : -ENOMEM;

	*ret = log;
	bpf_object__for_each_program(p, obj) {
		if (!err)
			err = bpf_program__set_log_buf(p, log, LOG_SIZE);
		log += LOG_SIZE;
	}
	return err;
}

/*
 * libbpf tries out what the kernel can do, and takes any failure for a lack: then it would make maps that
 * cannot be mapped, whose counters nobody could read.
 */
static int check_maps(const struct bpf_object *obj)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info);
		const char *name = bpf_map__name(map);

		if (!strstr(name, ".data.") && !strstr(name, ".bss"))
			continue;
		if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &len) < 0)
			return -errno;
		if (!(info.map_flags & BPF_F_MMAPABLE))
			return -EAGAIN;
	}
	return 0;
}

static int explain_failure(int err, struct diags *ds)
{
	for (char *p = said.text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return rt_error(ds, err, "the compiled object cannot be loaded%s%s", said.len ? ": " : "",
			said.text);
}

int object_load(struct runtime *rt, const struct ir *ir, const struct emitted *e, struct diags *ds,
		struct bpf_object **ret, struct object_refusal *ret_refusal)
{
	struct bpf_object CLEANUP(object_closep) *obj = NULL;
	char AUTO_FREE *logs = NULL;
	char *log;
	libbpf_print_fn_t before;
	int err;

	said.len = 0;
	said.text[0] = '\0';
	said.btf_failed = false;
	before = libbpf_set_print(remember);
	err = open_object(ir, e, &obj);
	if (!err)
		err = set_logs(obj, &logs);
	if (!err)
		err = sets_bring(rt, ir, obj);
	if (!err)
		err = dynamic_bring(rt, ir, obj);
	if (!err)
		err = bpf_object__load(obj);
	libbpf_set_print(before);
	if (!err && said.btf_failed)
		err = -EINVAL;
	if (!err)
		err = check_maps(obj);
	if (!err) {
		*ret = TAKE_PTR(obj);
		return 0;
	}
	log = logs;
	ret_refusal->prog = obj && logs ? refused(ir, obj, &log) : NULL;
	if (!ret_refusal->prog)
		return explain_failure(err, ds);
	read_log(log, ret_refusal);
	return err;
}
