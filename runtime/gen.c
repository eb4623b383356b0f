/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generations: all programs of one ruleset, pinned in one directory, and the word that says which
 * of them decide.
 *
 * A generation's slot is the lowest bit of its number, so a new one takes a number whose bit differs
 * from the current one's. Generation numbers that have no directory are empty: every root accepts.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bpf/bpf.h>

#include "priv.h"

static int words_create(struct runtime *rt, const char *path, struct diags *ds)
{
	void *words;
	int err = rt_array_create("nb_generation", RT_WORDS * sizeof(*rt->words), 1, &rt->words_fd,
				  &words, &rt->words_size);

	if (err)
		return rt_error(ds, err, "cannot make a BPF map");
	rt->words = words;
	rt->words[RT_WORD_COOKIE_LOW].value = (uint32_t)rt->cookie;
	rt->words[RT_WORD_COOKIE_HIGH].value = (uint32_t)(rt->cookie >> 32);
	rt->words[RT_WORD_LAYOUT].value = RT_LAYOUT;
	return rt_pin(rt->words_fd, path, ds);
}

/*
 * Whether new roots cannot read it: they take a word in place, so it has to be one value. What is
 * mapped are whole pages, zeros behind the map's own.
 */
static bool is_foreign(const struct word *words, uint32_t size, uint32_t n)
{
	uint32_t layout = words[RT_WORD_LAYOUT].value;

	return n != 1 || (size >= RT_WORDS * sizeof(*words) && layout != RT_LAYOUT);
}

int gen_words(struct runtime *rt, bool create, struct diags *ds)
{
	char AUTO_FREE *path = NULL;
	uint32_t size, n;
	void *words;
	int fd, err;

	if (rt->words)
		return 0;
	err = path_printf(&path, "%s/generation", rt->dir);
	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd == -ENOENT) {
		fd = roots_find_words(rt);
		if (fd >= 0 && !rt->read_only)
			bpf_obj_pin(fd, path); /* else the next one finds it the same way */
	}
	if (fd == -ENOENT)
		return create ? words_create(rt, path, ds) : 0;
	if (fd < 0)
		return rt_error(ds, fd, "%s: cannot open", path);
	err = rt_array_map(fd, !rt->read_only, &words, &rt->words_size, &size, &n);
	if (!err && (uint64_t)n * ROUND_UP(size, 8) < RT_WORD_LAYOUT * sizeof(*rt->words)) {
		munmap(words, rt->words_size);
		err = -EINVAL;
	}
	if (err) {
		close(fd);
		return rt_error(ds, err, "%s: not a generation of ours", path);
	}
	rt->words = words;
	rt->words_fd = fd;
	rt->foreign_words = is_foreign(words, size, n);
	return 0;
}

uint32_t gen_current(const struct runtime *rt)
{
	return rt->words ? __atomic_load_n(&rt->words[RT_WORD_GENERATION].value, __ATOMIC_ACQUIRE) :
			   0;
}

void gen_flip(struct runtime *rt, uint32_t gen)
{
	__atomic_store_n(&rt->words[RT_WORD_GENERATION].value, gen, __ATOMIC_SEQ_CST);
}

static int gen_path(const struct runtime *rt, uint32_t gen, char **ret)
{
	return path_printf(ret, "%s/gen-%u", rt->dir, gen);
}

bool gen_is_lost(const struct runtime *rt)
{
	uint32_t now = gen_current(rt);
	bool decides = false;
	int AUTO_CLOSE fd = -1;

	/* What cannot be read for another reason is told by who reads it. */
	if (!now || gen_get(rt, now, "manifest", &fd) != -ENOENT)
		return false;
	for (size_t i = 0; i < rt->n_roots; i++)
		decides |= root_decides(&rt->roots[i], now & 1);
	return decides;
}

bool gen_exists(const struct runtime *rt, uint32_t gen)
{
	char AUTO_FREE *path = NULL;

	return gen_path(rt, gen, &path) == 0 && access(path, F_OK) == 0;
}

struct gen_numbers {
	uint32_t *array;
	size_t n;
};

static int gen_list_one(void *arg, const char *name)
{
	struct gen_numbers *g = arg;
	uint32_t gen, *array;
	int len = 0;

	if (sscanf(name, "gen-%u%n", &gen, &len) != 1 || name[len])
		return 0;
	array = realloc(g->array, (g->n + 1) * sizeof(*array));
	if (!array)
		return -ENOMEM;
	g->array = array;
	array[g->n++] = gen;
	return 0;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int gen_list(const struct runtime *rt, uint32_t **ret, size_t *ret_n)
{
	struct gen_numbers g = { 0 };
	int err = dir_each(rt->dir, gen_list_one, &g);

	if (err) {
		free(g.array);
		return err;
	}
	if (g.n)
		qsort(g.array, g.n, sizeof(*g.array), compare_u32);
	*ret = g.array;
	*ret_n = g.n;
	return 0;
}

int gen_drop(struct runtime *rt, uint32_t gen)
{
	char AUTO_FREE *path = NULL;
	int err = gen_path(rt, gen, &path);

	return err ? err : dir_remove(path);
}

int gen_pin(struct runtime *rt, uint32_t gen, const char *name, int fd, struct diags *ds)
{
	char AUTO_FREE *dir = NULL;
	char AUTO_FREE *path = NULL;
	int err = gen_path(rt, gen, &dir);

	if (!err)
		err = path_printf(&path, "%s/%s", dir, name);
	if (err)
		return err;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return rt_error(ds, -errno, "%s: cannot make directory", dir);
	return rt_pin(fd, path, ds);
}

int gen_get(const struct runtime *rt, uint32_t gen, const char *name, int *ret_fd)
{
	char AUTO_FREE *path = NULL;
	int fd, err = path_printf(&path, "%s/gen-%u/%s", rt->dir, gen, name);

	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}
