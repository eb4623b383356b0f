/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables by their handles, beside a generation's manifest (the map "table_ids"): one that plain nft
 * deleted and made anew is another one, though its name is the same, and so may be the handles of
 * all that is in it, which begin anew in each table. Nothing of ours is its.
 *
 * A table that a batch makes has no handle before the commit. A load killed between the commit and
 * the noting leaves 0: then the name has to do.
 */
#include <errno.h>
#include <sys/mman.h>

#include "../compiler/ir_index.h"
#include "../netlink/nfnl.h"
#include "manifest.h"

uint64_t tables_hash(const struct table *t)
{
	return ir_hash(ir_hash_u64(IR_HASH_INIT, t->family), t->name, strlen(t->name) + 1);
}

int tables_make(struct runtime *rt, uint32_t gen, const struct ruleset *rs, struct diags *ds)
{
	int AUTO_CLOSE fd = -1;
	struct mf_table_id *ids;
	const struct table *t;
	uint32_t n = 0;
	size_t size;
	void *map;
	int err;

	list_for_each(t, &rs->tables, node)
		n++;
	err = rt_array_create("nb_tables", sizeof(*ids), MAX(n, 1u), &fd, &map, &size);
	if (err)
		return rt_error(ds, err, "cannot make a BPF map");
	ids = map;
	list_for_each(t, &rs->tables, node)
		*ids++ = (struct mf_table_id){ tables_hash(t), t->handle };
	munmap(map, size);
	return gen_pin(rt, gen, "table_ids", fd, ds);
}

static int open_ids(const struct runtime *rt, uint32_t gen, bool writable,
		    struct mf_table_id **ret, uint32_t *ret_n, size_t *ret_size)
{
	int AUTO_CLOSE fd = -1;
	uint32_t value, n;
	size_t size;
	void *map;
	int err = gen_get(rt, gen, "table_ids", &fd);

	if (!err)
		err = rt_array_map(fd, writable, &map, &size, &value, &n);
	if (err)
		return err;
	if (value != sizeof(**ret)) {
		munmap(map, size);
		return -EINVAL;
	}
	*ret = map;
	*ret_n = n;
	*ret_size = size;
	return 0;
}

int tables_note_handles(struct runtime *rt, uint32_t gen, uint32_t ruleset, struct diags *ds)
{
	const struct dump_options opt = { .tables_only = true };
	struct ruleset CLEANUP(ruleset_freep) *rs = NULL;
	struct mf_table_id *ids;
	const struct table *t;
	uint32_t n = 0;
	size_t size;
	int err = open_ids(rt, gen, true, &ids, &n, &size);

	if (err) /* removed by somebody: names have to do */
		return err == -ENOENT ? 0 : err;
	err = dump_ruleset(&opt, ds, &rs);
	/* Of a later ruleset tables may not be the ones that the batch made. */
	for (uint32_t i = 0; !err && rs->generation == ruleset && i < n; i++)
		list_for_each(t, &rs->tables, node)
			if (!ids[i].handle && ids[i].name == tables_hash(t))
				ids[i].handle = t->handle;
	munmap(ids, size);
	return err;
}

int tables_read(const struct runtime *rt, uint32_t gen, struct manifest *m)
{
	struct mf_table_id *ids;
	uint32_t n = 0;
	size_t size;
	int err = open_ids(rt, gen, false, &ids, &n, &size);

	if (err)
		return err == -ENOENT || err == -EINVAL ? 0 : err;
	m->ids = malloc(MAX(n, 1u) * sizeof(*ids));
	if (m->ids) {
		memcpy(m->ids, ids, n * sizeof(*ids));
		m->n_ids = n;
	}
	munmap(ids, size);
	return m->ids ? 0 : -ENOMEM;
}

bool tables_is_same(const struct manifest *m, const struct table *t)
{
	uint64_t name = tables_hash(t);

	for (uint32_t i = 0; i < m->n_ids; i++)
		if (m->ids[i].name == name)
			return !m->ids[i].handle || m->ids[i].handle == t->handle;
	return true;
}
