/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Roots: attached once per (pf, hook, priority), then only their slots change (root.bpf.c).
 *
 * A root's directory holds its pins; the link's is made last and removed first, so a directory
 * without one is a left-over that decides nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/netfilter.h>

#include "priv.h"

extern const char rt_root_object[], rt_root_object_end[];

static const char *const hook_names[NF_INET_NUMHOOKS] = {
	[NF_INET_PRE_ROUTING] = "prerouting", [NF_INET_LOCAL_IN] = "input",
	[NF_INET_FORWARD] = "forward",	      [NF_INET_LOCAL_OUT] = "output",
	[NF_INET_POST_ROUTING] = "postrouting",
};

const char *hook_name(uint8_t hook)
{
	return hook < ARRAY_SIZE(hook_names) ? hook_names[hook] : "?";
}

static void root_init(struct root *r, uint8_t pf, uint8_t hook, int32_t priority)
{
	*r = (struct root){ .pf = pf, .hook = hook, .priority = priority, .slots = -1,
			    .verdicts = -1 };
	snprintf(r->name, sizeof(r->name), "v%d-%s-%d", pf == NFPROTO_IPV6 ? 6 : 4, hook_name(hook),
		 priority);
}

static void root_fini(struct root *r)
{
	close_fd(&r->slots);
	close_fd(&r->verdicts);
	r->slots = r->verdicts = -1;
}

static bool root_parse_name(const char *name, struct root *ret)
{
	char hook[16];
	int version, priority, len = 0;

	if (sscanf(name, "v%d-%15[a-z]-%d%n", &version, hook, &priority, &len) != 3 || name[len] ||
	    (version != 4 && version != 6))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(hook_names); i++) {
		if (strcmp(hook, hook_names[i]) == 0) {
			root_init(ret, version == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4, (uint8_t)i,
				  priority);
			return true;
		}
	}
	return false;
}

static struct root *roots_add(struct runtime *rt, const struct root *r)
{
	struct root *roots = realloc(rt->roots, (rt->n_roots + 1) * sizeof(*roots));

	if (!roots)
		return NULL;
	rt->roots = roots;
	roots[rt->n_roots] = *r;
	return &roots[rt->n_roots++];
}

static int root_get_pin(const struct runtime *rt, const char *root, const char *pin)
{
	char AUTO_FREE *path = NULL;
	int err = path_printf(&path, "%s/roots/%s/%s", rt->dir, root, pin);

	return err ? err : bpf_obj_get(path);
}

/*
 * bpf_link_put() leaves detaching to a worker, and the place would be taken for a while yet: so it
 * is detached at once, but only after the pin is gone; a pinned link that is not attached would
 * pass for a working one.
 */
static int root_remove_dir(const struct runtime *rt, const char *name)
{
	int AUTO_CLOSE link = root_get_pin(rt, name, "link");
	char AUTO_FREE *path = NULL;
	char AUTO_FREE *pin = NULL;
	int err = path_printf(&path, "%s/roots/%s", rt->dir, name);

	if (!err)
		err = path_printf(&pin, "%s/link", path);
	if (err)
		return err;
	if (unlink(pin) < 0 && errno != ENOENT)
		return -errno;
	if (link >= 0)
		bpf_link_detach(link);
	return dir_remove(path);
}

static int scan_one(void *arg, const char *name)
{
	struct runtime *rt = arg;
	struct root r;
	int link;

	if (!root_parse_name(name, &r))
		return 0;
	link = root_get_pin(rt, name, "link");
	if (link == -ENOENT) /* its making was interrupted */
		return rt->read_only ? 0 : root_remove_dir(rt, name);
	if (link < 0)
		return link;
	close(link);
	r.slots = root_get_pin(rt, name, "slots");
	r.verdicts = root_get_pin(rt, name, "verdicts");
	/* Without its slots a root cannot be steered any more, but it can be removed. */
	if (roots_add(rt, &r))
		return 0;
	root_fini(&r);
	return -ENOMEM;
}

int roots_scan(struct runtime *rt, struct diags *ds)
{
	char AUTO_FREE *path = NULL;
	int err = path_printf(&path, "%s/roots", rt->dir);

	if (err)
		return err;
	err = dir_each(path, scan_one, rt);
	return err ? rt_error(ds, err, "%s: cannot read the roots", path) : 0;
}

/* ---- the generation word, where its pin is gone ---- */

static int map_named(uint32_t id, const char *name)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, name) == 0)
		return fd;
	close(fd);
	return -ENOENT;
}

static int words_of_link(int link)
{
	struct bpf_link_info link_info = { 0 };
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(link_info), ids[8];
	int AUTO_CLOSE prog = -1;
	int fd = -ENOENT;

	if (bpf_obj_get_info_by_fd(link, &link_info, &len) < 0)
		return -ENOENT;
	prog = bpf_prog_get_fd_by_id(link_info.prog_id);
	info.map_ids = (uintptr_t)ids;
	info.nr_map_ids = ARRAY_SIZE(ids);
	len = sizeof(info);
	if (prog < 0 || bpf_obj_get_info_by_fd(prog, &info, &len) < 0)
		return -ENOENT;
	for (uint32_t i = 0; fd < 0 && i < MIN(info.nr_map_ids, (uint32_t)ARRAY_SIZE(ids)); i++)
		fd = map_named(ids[i], "nb_generation");
	return fd;
}

struct words_search {
	const struct runtime *rt;
	int fd;
};

static int search_one(void *arg, const char *name)
{
	struct words_search *s = arg;
	int AUTO_CLOSE link = s->fd < 0 ? root_get_pin(s->rt, name, "link") : -1;

	if (link >= 0)
		s->fd = words_of_link(link);
	return 0;
}

int roots_find_words(struct runtime *rt)
{
	struct words_search s = { .rt = rt, .fd = -ENOENT };
	char AUTO_FREE *path = NULL;
	int err = path_printf(&path, "%s/roots", rt->dir);

	if (!err)
		err = dir_each(path, search_one, &s);
	return err ? err : s.fd;
}

void roots_close(struct runtime *rt)
{
	for (size_t i = 0; i < rt->n_roots; i++)
		root_fini(&rt->roots[i]);
	free(rt->roots);
	rt->roots = NULL;
	rt->n_roots = 0;
}

struct root *root_find(struct runtime *rt, uint8_t pf, uint8_t hook, int32_t priority)
{
	for (size_t i = 0; i < rt->n_roots; i++) {
		struct root *r = &rt->roots[i];

		if (r->pf == pf && r->hook == hook && r->priority == priority)
			return r;
	}
	return NULL;
}

static void object_close(struct bpf_object **obj)
{
	bpf_object__close(*obj);
}

static int load_root(struct runtime *rt, struct bpf_object **ret)
{
	struct bpf_object CLEANUP(object_close) *obj = NULL;
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "nb_root");
	struct bpf_program *prog;
	int err;

	obj = bpf_object__open_mem(rt_root_object, (size_t)(rt_root_object_end - rt_root_object),
				   &opts);
	if (!obj)
		return -errno;
	prog = bpf_object__find_program_by_name(obj, "root");
	bpf_program__set_type(prog, (enum bpf_prog_type)RT_PROG_TYPE_NETFILTER);
	bpf_program__set_expected_attach_type(prog, (enum bpf_attach_type)RT_ATTACH_NETFILTER);
	err = bpf_map__reuse_fd(bpf_object__find_map_by_name(obj, RT_WORDS_SECTION), rt->words_fd);
	if (!err)
		err = bpf_object__load(obj);
	if (err)
		return err;
	*ret = TAKE_PTR(obj);
	return 0;
}

static int dup_map(struct bpf_object *obj, const char *name)
{
	int fd = dup(bpf_map__fd(bpf_object__find_map_by_name(obj, name)));

	return fd < 0 ? -errno : fd;
}

static int root_mkdir(const struct runtime *rt, const struct root *r, char **ret)
{
	char AUTO_FREE *roots = NULL;
	char AUTO_FREE *path = NULL;
	int err = path_printf(&roots, "%s/roots", rt->dir);

	if (!err)
		err = path_printf(&path, "%s/%s", roots, r->name);
	if (err)
		return err;
	if ((mkdir(roots, 0700) < 0 && errno != EEXIST) || (mkdir(path, 0700) < 0))
		return -errno;
	*ret = TAKE_PTR(path);
	return 0;
}

static int root_pin(const char *dir, const char *name, int fd)
{
	char AUTO_FREE *path = NULL;
	int err = path_printf(&path, "%s/%s", dir, name);

	return err ? err : bpf_obj_pin(fd, path);
}

/* Verdicts first, link last: from its first packet on the root knows what to say. */
static int root_attach(struct runtime *rt, struct root *r, uint32_t parity, uint32_t verdict)
{
	struct bpf_object CLEANUP(object_close) *obj = NULL;
	char AUTO_FREE *dir = NULL;
	int AUTO_CLOSE link = -1;
	int err = load_root(rt, &obj);

	if (err)
		return err;
	r->slots = dup_map(obj, "slots");
	r->verdicts = dup_map(obj, "verdicts");
	err = r->slots < 0 ? r->slots : r->verdicts < 0 ? r->verdicts : 0;
	if (!err)
		err = root_set_verdict(r, parity, verdict);
	if (!err)
		err = root_set_verdict(r, !parity, NF_ACCEPT);
	if (err)
		return err;
	link = rt_link_create(bpf_program__fd(bpf_object__find_program_by_name(obj, "root")), r->pf,
			      r->hook, r->priority);
	if (link < 0)
		return link;
	err = root_mkdir(rt, r, &dir);
	if (!err)
		err = root_pin(dir, "slots", r->slots);
	if (!err)
		err = root_pin(dir, "verdicts", r->verdicts);
	if (!err)
		err = root_pin(dir, "link", link);
	if (err && dir)
		dir_remove(dir);
	return err;
}

int root_get(struct runtime *rt, uint8_t pf, uint8_t hook, int32_t priority, uint32_t verdict,
	     struct diags *ds, struct root **ret)
{
	uint32_t parity = !(gen_current(rt) & 1);
	struct root *found = root_find(rt, pf, hook, priority);
	struct root r;
	int err;

	if (found) {
		*ret = found;
		return root_set_verdict(found, parity, verdict);
	}
	root_init(&r, pf, hook, priority);
	r.fresh = true;
	err = root_attach(rt, &r, parity, verdict);
	if (!err && !(found = roots_add(rt, &r))) {
		root_remove_dir(rt, r.name);
		err = -ENOMEM;
	}
	if (err) {
		root_fini(&r);
		return err == -EBUSY ? err : rt_error(ds, err, "root %s: cannot attach", r.name);
	}
	*ret = found;
	return 0;
}

int root_set_slot(struct root *r, uint32_t parity, int prog_fd)
{
	int err;

	if (prog_fd >= 0)
		return bpf_map_update_elem(r->slots, &parity, &prog_fd, BPF_ANY);
	err = bpf_map_delete_elem(r->slots, &parity);
	return err == -ENOENT ? 0 : err;
}

uint32_t root_program(const struct root *r, uint32_t parity)
{
	uint32_t id;

	return r->slots >= 0 && bpf_map_lookup_elem(r->slots, &parity, &id) == 0 ? id : 0;
}

bool root_has_program(const struct root *r, uint32_t parity)
{
	return root_program(r, parity);
}

bool root_decides(const struct root *r, uint32_t parity)
{
	struct bpf_prog_info info = { 0 };
	uint32_t id = root_program(r, parity), len = sizeof(info);
	int AUTO_CLOSE fd = -1;

	if (!id)
		return false;
	fd = bpf_prog_get_fd_by_id(id);
	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0 ||
	       strcmp(info.name, RT_ACCEPTING) != 0;
}

int root_set_verdict(struct root *r, uint32_t parity, uint32_t verdict)
{
	return bpf_map_update_elem(r->verdicts, &parity, &verdict, BPF_ANY);
}

int root_link(const struct runtime *rt, uint8_t pf, uint8_t hook, int32_t priority)
{
	struct root r;

	root_init(&r, pf, hook, priority);
	return root_get_pin(rt, r.name, "link");
}

int root_remove(struct runtime *rt, struct root *r)
{
	int err = root_remove_dir(rt, r->name);

	if (err)
		return err;
	root_fini(r);
	*r = rt->roots[--rt->n_roots];
	return 0;
}
