/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who runs which chain, read from the pins: no ruleset is dumped, no LLVM needed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <bpf/bpf.h>

#include "../netlink/nfnl.h"
#include "model.h"
#include "namespaces.h"

void rt_status_fini(struct rt_status *st)
{
	free(st->netns_name);
	free(st->chains); /* their reasons are the manifest's */
	free(st->progs);
	manifest_free(st->priv);
	*st = (struct rt_status){ 0 };
}

static bool read_info(const struct runtime *rt, const char *name, struct bpf_prog_info *ret)
{
	uint32_t len = sizeof(*ret);
	int AUTO_CLOSE fd = -1;

	*ret = (struct bpf_prog_info){ 0 };
	return gen_get(rt, gen_current(rt), name, &fd) == 0 &&
	       bpf_obj_get_info_by_fd(fd, ret, &len) == 0;
}

/* With its parts, if it was split. */
static void read_prog(const struct runtime *rt, struct rt_prog_status *p)
{
	struct bpf_prog_info info;
	char name[64];

	snprintf(name, sizeof(name), "prog-%s", p->name);
	if (!read_info(rt, name, &info))
		return;
	p->id = info.id;
	p->runs = info.run_cnt;
	p->run_ns = info.run_time_ns;
	do {
		p->n_parts++;
		p->insns += info.xlated_prog_len / sizeof(struct bpf_insn);
		p->jited_bytes += info.jited_prog_len;
		snprintf(name, sizeof(name), "prog-%s_p%u", p->name, p->n_parts);
	} while (read_info(rt, name, &info));
}

static void read_link(const struct runtime *rt, struct rt_prog_status *p)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	int AUTO_CLOSE fd = root_link(rt, p->pf, p->hook, p->attached);

	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
		p->link_id = info.id;
}

/* The map that parts go on in each other through has them all: one without it has none. */
static bool parts_are_there(const struct runtime *rt)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), id;
	int AUTO_CLOSE fd = -1;

	if (gen_get(rt, gen_current(rt), "nb_parts", &fd) < 0 ||
	    bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return false;
	for (uint32_t i = 0; i < info.max_entries; i++)
		if (bpf_map_lookup_elem(fd, &i, &id) < 0)
			return false;
	return true;
}

/* Is the program in its root's slot? Another one there was not put there by us. */
static bool is_in_place(struct runtime *rt, const struct rt_prog_status *p)
{
	const struct root *r = root_find(rt, p->pf, p->hook, p->attached);
	uint32_t id = r ? root_program(r, gen_current(rt) & 1) : 0;

	return id && (!p->id || id == p->id);
}

static void look_for_damage(struct runtime *rt, struct rt_status *st)
{
	bool parts = true;

	for (uint32_t i = 0; i < st->n_progs; i++)
		if (st->progs[i].n_parts > 1)
			parts = parts_are_there(rt);
	for (uint32_t i = 0; i < st->n_progs; i++) {
		struct rt_prog_status *p = &st->progs[i];

		p->emptied = !is_in_place(rt, p) || (p->n_parts > 1 && !parts);
		st->damaged |= p->emptied || !p->id || !p->link_id;
	}
}

static int fill_from_manifest(const struct runtime *rt, const struct manifest *m,
			      struct rt_status *st)
{
	st->since = m->time;
	st->compiled = m->compiled;
	st->version = m->version;
	st->foreign = m->format != MANIFEST_FORMAT || rt->foreign_words;
	st->chains = calloc(MAX(m->n_chains, 1u), sizeof(*st->chains));
	st->progs = calloc(MAX(m->n_progs, 1u), sizeof(*st->progs));
	if (!st->chains || !st->progs)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_chains; i++)
		st->chains[st->n_chains++] = m->chains[i].st;
	for (uint32_t i = 0; i < m->n_progs; i++) {
		st->progs[i] = m->progs[i];
		read_prog(rt, &st->progs[i]);
		read_link(rt, &st->progs[i]);
		st->n_progs++;
	}
	return 0;
}

/* A generation besides the one that decides is what a killed process left. */
static bool has_other_generation(const struct runtime *rt)
{
	uint32_t AUTO_FREE *gens = NULL;
	bool other = false;
	size_t n = 0;

	if (gen_list(rt, &gens, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		other |= gens[i] != gen_current(rt);
	return other;
}

static int is_own(const struct runtime *rt, bool *ret)
{
	uint64_t cookie;
	ino_t inode;
	int err = rt_netns_self(&inode, &cookie);

	if (!err)
		*ret = inode == rt->netns;
	return err;
}

static int has_moved_on(const struct runtime *rt, struct diags *ds, bool *ret)
{
	uint32_t now = 0;
	int err = rt->words ? dump_generation(&now) : 0;

	if (err)
		return rt_error(ds, err, "cannot ask for the ruleset's generation");
	*ret = rt->words && now != rt->words[RT_WORD_RULESET].value;
	return 0;
}

int rt_status(struct runtime *rt, struct diags *ds, struct rt_status *ret)
{
	struct rt_status CLEANUP(rt_status_fini) st = { .netns = rt->netns };
	struct manifest *m = NULL;
	bool own = false;
	int err = is_own(rt, &own);

	if (!err)
		err = own ? path_printf(&st.netns_name, "%s", "") :
			    netns_name(rt->netns, &st.netns_name);
	if (err)
		return err;
	st.generation = gen_current(rt);
	st.unfinished = has_other_generation(rt);
	st.lost = gen_is_lost(rt);
	err = manifest_read(rt, st.generation, ds, &m);
	if (err && err != -ENOENT)
		return err;
	st.priv = m;
	err = m ? fill_from_manifest(rt, m, &st) : 0;
	if (!err && m && own && !st.unfinished)
		err = has_moved_on(rt, ds, &st.moved_on);
	if (err)
		return err;
	/* What another process is about to change is not damaged. */
	if (m && !st.foreign && !st.unfinished)
		look_for_damage(rt, &st);
	if (st.damaged && (gen_current(rt) != st.generation || has_other_generation(rt)))
		st.damaged = false;
	*ret = st;
	st = (struct rt_status){ 0 };
	return 0;
}

/* ---- all namespaces ---- */

struct all {
	const char *base;
	struct diags *ds;
	struct rt_status *array;
	size_t n;
};

static int read_one(struct all *all, ino_t netns)
{
	struct runtime CLEANUP(rt_closep) *rt = NULL;
	struct rt_status *array;
	int err = rt_open_dir(all->base, netns, all->ds, &rt);

	if (err)
		return err;
	array = realloc(all->array, (all->n + 1) * sizeof(*array));
	if (!array)
		return -ENOMEM;
	all->array = array;
	err = rt_status(rt, all->ds, &array[all->n]);
	all->n += !err;
	return err;
}

/* One that goes away meanwhile is none; one that cannot be read does not hide the others. */
static void status_one(struct all *all, ino_t netns)
{
	const unsigned int said = all->ds->count[DIAG_ERROR];
	int err = read_one(all, netns);

	if (err && err != -ENOENT && all->ds->count[DIAG_ERROR] == said)
		rt_error(all->ds, err, "network namespace %lu: cannot read its state",
			 (unsigned long)netns);
}

int rt_status_all(struct diags *ds, struct rt_status **ret, size_t *ret_n)
{
	struct all all = { .ds = ds };
	char AUTO_FREE *base = NULL;
	ino_t AUTO_FREE *inodes = NULL;
	size_t n = 0;
	int err = bpffs_find(false, ds, &base);

	if (!err)
		err = netns_with_state(base, &inodes, &n);
	if (err && err != -ENOENT)
		return rt_error(ds, err, "cannot look for network namespaces");
	all.base = base;
	for (size_t i = 0; i < n; i++)
		status_one(&all, inodes[i]);
	*ret = all.array;
	*ret_n = all.n;
	return 0;
}
