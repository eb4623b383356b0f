/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of one set's map while programs read it.
 *
 * Which index is whose is kept in the map "set_use". An index taken from an element is given to
 * another one only after all packets that may be reading by it are gone.
 */
#include <errno.h>
#include <sys/mman.h>

#include <linux/netfilter/nf_tables.h>

#include "../compiler/ir.h"
#include "elem_states.h"
#include "elements.h"
#include "priv.h"

#define MAX_RECORD 1024 /* bytes: set_table.c makes none of more */

void target_fini(struct target *t)
{
	if (t->map)
		rt_array_unmap(t->map, t->size);
	if (t->all_use)
		munmap(t->all_use, t->use_size);
	free(t->spare);
}

int target_open(const struct runtime *rt, uint32_t gen, const struct mf_set *mf, struct target *t)
{
	int AUTO_CLOSE fd = -1;
	int AUTO_CLOSE use = -1;
	char AUTO_FREE *name = NULL;
	void *map;
	int err = path_printf(&name, "set_%u", mf->map);

	t->mf = mf;
	if (!err)
		err = gen_get(rt, gen, name, &fd);
	if (!err)
		err = gen_get(rt, gen, "set_use", &use);
	if (!err)
		err = rt_array_map_lazy(fd, &t->map, &t->size);
	if (!err)
		err = rt_array_map(use, true, &map, &t->use_size, NULL, NULL);
	if (err)
		return err;
	t->all_use = map;
	t->use = &t->all_use[mf->id];
	if (mf->map_offset >= t->size)
		return -EINVAL;
	t->blob = (char *)t->map + mf->map_offset;
	return classify_shape(t->blob, t->size - mf->map_offset, &t->shape);
}

static int settle(struct target *t)
{
	int err = t->settled ? 0 : rt_wait_programs();

	t->settled = true;
	return err;
}

static enum ir_verdict_code verdict_code(int32_t code)
{
	switch (code) {
	case NF_ACCEPT:
		return IR_ACCEPT;
	case NF_DROP:
		return IR_DROP;
	case NFT_RETURN:
		return IR_RETURN;
	case NFT_JUMP:
		return IR_JUMP;
	case NFT_GOTO:
		return IR_GOTO;
	default:
		return IR_CONTINUE;
	}
}

/* -ENOENT: the programs do not know the verdict. */
static int make_data(const struct target *t, const struct set_elem *e, uint32_t *words)
{
	enum ir_verdict_code code = verdict_code(e->verdict.code);

	if (!(t->set->flags & NFT_SET_MAP))
		return 0;
	if (t->set->data_type != NFT_DATA_VERDICT) {
		memcpy(words, e->data, MIN(t->set->data_len, (uint32_t)IR_MAX_WIDTH));
		return e->data ? 0 : -EINVAL;
	}
	for (uint32_t i = 0; i < t->mf->n_verdicts; i++) {
		const struct mf_verdict *v = &t->mf->verdicts[i];

		if (v->code != (int32_t)code || !v->chain != !e->verdict.chain ||
		    (v->chain && strcmp(v->chain, e->verdict.chain) != 0))
			continue;
		words[0] = v->number;
		return 0;
	}
	return -ENOENT;
}

/* -ENOENT: the programs do not know what it says, or keeps. */
static int make_value(const struct target *t, const struct set_elem *e, uint32_t *words)
{
	int err;

	if (t->shape.value_size > MAX_RECORD)
		return -ENOSPC;
	memset(words, 0, MAX_RECORD);
	err = make_data(t, e, words);
	if (!err && t->mf->n_kinds)
		err = elem_states_init(t->mf, t->set, e, words);
	return err;
}

static uint64_t expires_at(const struct set *s, const struct set_elem *e)
{
	uint64_t ms = e->expiration ? e->expiration : e->timeout ? e->timeout : s->timeout;

	if (!(s->flags & NFT_SET_TIMEOUT) || !ms || ms == UINT64_MAX)
		return 0;
	return now_ns() + ms * 1000000;
}

/* Those that were freed and not noted, for want of room. */
static int find_lost(struct target *t)
{
	int n = classify_free_indexes(t->blob, t->use->freed, ARRAY_SIZE(t->use->freed));

	if (n <= 0)
		return n < 0 ? n : -ENOSPC;
	t->use->n_freed = (uint32_t)n;
	return 0;
}

static int take_index(struct target *t, uint32_t *ret)
{
	int err;

	if (t->n_spare) {
		*ret = t->spare[--t->n_spare];
		return 0;
	}
	if (t->use->next < t->shape.capacity) {
		*ret = t->use->next++;
		return 0;
	}
	err = settle(t);
	if (!err && !t->use->n_freed)
		err = find_lost(t);
	if (!err)
		*ret = t->use->freed[--t->use->n_freed];
	return err;
}

static void give_index(struct target *t, uint32_t index)
{
	if (t->use->n_freed < ARRAY_SIZE(t->use->freed))
		t->use->freed[t->use->n_freed++] = index;
	t->settled = false;
}

static int change(struct target *t, int (*fn)(void *, const struct classify_elem *),
		  const struct classify_elem *e)
{
	int err = fn(t->blob, e);

	if (err != -EAGAIN)
		return err;
	err = rt_wait_programs();
	if (err)
		return err;
	classify_settled(t->blob);
	return fn(t->blob, e);
}

/*
 * An element that is there, and the same one, since the kernel took it: only one whose time was up
 * is made anew.
 */
static int add_again(struct target *t, const struct span *sp, const uint32_t *words)
{
	uint32_t index = classify_find(t->blob, sp->lo);
	uint64_t was;

	if (t->mixed || t->shape.kind == CLASSIFY_BOXES || index == CLASSIFY_MISS)
		return -EEXIST;
	if (t->shape.kind == CLASSIFY_TREE && classify_tree_has(t->blob, sp->lo, sp->hi) != 1)
		return -EEXIST;
	was = classify_expires(t->blob, index);
	if (!was || was > now_ns())
		return t->set->flags & NFT_SET_TIMEOUT ? -EEXIST : 0;
	if (t->shape.value_size)
		classify_set_value(t->blob, index, words);
	classify_set_expires(t->blob, index, expires_at(t->set, sp->elem));
	return 0;
}

int target_add(struct target *t, const struct span *sp)
{
	uint32_t words[MAX_RECORD / 4];
	struct classify_elem e = {.lo = sp->lo, .hi = sp->hi};
	int err = make_value(t, sp->elem, words);

	if (!err)
		err = take_index(t, &e.index);
	if (err)
		return err;
	if (t->shape.value_size)
		classify_set_value(t->blob, e.index, words);
	if (t->shape.expires)
		classify_set_expires(t->blob, e.index, expires_at(t->set, sp->elem));
	err = change(t, classify_insert, &e);
	if (!err)
		return 0;
	give_index(t, e.index);
	return err == -EEXIST ? add_again(t, sp, words) : err;
}

int target_delete(struct target *t, const struct span *sp)
{
	struct classify_elem e = {.lo = sp->lo, .hi = sp->hi};
	int err;

	e.index = classify_find(t->blob, sp->lo);
	if (e.index == CLASSIFY_MISS)
		return -ENOENT;
	err = change(t, classify_delete, &e);
	if (!err)
		give_index(t, e.index);
	return err;
}

/* ---- all of it ---- */

static int target_clear(struct target *t)
{
	uint32_t left;
	int err = classify_clear(t->blob, &left);

	if (err == -EAGAIN) {
		err = rt_wait_programs();
		if (!err)
			classify_settled(t->blob);
		if (!err)
			err = classify_clear(t->blob, &left);
	}
	if (!err)
		err = rt_wait_programs();
	if (err)
		return err;
	classify_cleared(t->blob, left);
	t->use->next = t->use->n_freed = 0;
	return 0;
}

/* An element that stays. Its value is what it was, or one word, which packets see change at once. */
static int keep_span(struct target *t, const struct span *sp, uint32_t index)
{
	uint32_t words[MAX_RECORD / 4];
	int err = make_value(t, sp->elem, words);

	if (err)
		return err;
	if (t->shape.value_size &&
	    memcmp(words, classify_value(t->blob, index), t->shape.value_size) != 0) {
		if (t->shape.value_size > sizeof(*words))
			return -EBUSY;
		classify_set_value(t->blob, index, words);
	}
	if (t->shape.expires)
		classify_set_expires(t->blob, index, expires_at(t->set, sp->elem));
	return 0;
}

static int add_or_keep(struct target *t, const struct span *sp, uint64_t *kept)
{
	uint32_t index = classify_find(t->blob, sp->lo);
	int err = index == CLASSIFY_MISS ? target_add(t, sp) : keep_span(t, sp, index);

	if (err)
		return err;
	index = classify_find(t->blob, sp->lo);
	kept[index / 64] |= 1ull << index % 64;
	return 0;
}

static size_t count_missing(const struct target *t, const struct span *spans, size_t n)
{
	size_t missing = 0;

	for (size_t i = 0; i < n; i++)
		missing += classify_find(t->blob, spans[i].lo) == CLASSIFY_MISS;
	return missing;
}

/* -ENOSPC: fewer than needed. Until packets are gone, they are not to be taken. */
static int find_spare(const struct target *t, size_t needed, uint32_t **ret)
{
	AUTO_FREE uint32_t *spare = calloc(needed + 1, sizeof(*spare));
	int n = spare ? classify_free_indexes(t->blob, spare, (uint32_t)needed) : -ENOMEM;

	if (n < 0)
		return n;
	if ((size_t)n < needed)
		return -ENOSPC;
	*ret = TAKE_PTR(spare);
	return 0;
}

bool target_can_replace(const struct target *t, const struct span *spans, size_t n)
{
	AUTO_FREE uint32_t *spare = NULL;

	if (!n)
		return true;
	/* A catch-all's index is what a miss gives. */
	if (t->shape.kind != CLASSIFY_HASH || classify_has_catch_all(t->blob))
		return false;
	return find_spare(t, count_missing(t, spans, n), &spare) == 0;
}

/* All that are not kept are free by now. */
static void note_kept(struct target *t, const uint64_t *kept)
{
	uint32_t next = t->shape.capacity;

	while (next && !(kept[(next - 1) / 64] >> (next - 1) % 64 & 1))
		next--;
	t->use->next = next;
	t->use->n_freed = 0;
}

static int replace_all(struct target *t, const struct span *spans, size_t n, uint64_t *kept)
{
	size_t missing = count_missing(t, spans, n);
	int err = find_spare(t, missing, &t->spare);

	if (!err)
		err = settle(t);
	t->n_spare = err ? 0 : (uint32_t)missing;
	for (size_t i = 0; !err && i < n; i++)
		err = add_or_keep(t, &spans[i], kept);
	if (!err)
		err = classify_keep(t->blob, kept);
	if (!err)
		err = rt_wait_programs();
	if (!err)
		note_kept(t, kept);
	return err;
}

int target_replace(struct target *t, const struct span *spans, size_t n)
{
	AUTO_FREE uint64_t *kept = NULL;

	if (!n)
		return target_clear(t);
	kept = calloc(t->shape.capacity / 64 + 1, sizeof(*kept));
	return kept ? replace_all(t, spans, n, kept) : -ENOMEM;
}
