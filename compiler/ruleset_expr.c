/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset model: the expressions of a rule, set or element, found in the bytes they came in.
 */
#include "ruleset.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>

#include "attr.h"

static int count_elems(struct blob raw, uint32_t *ret_n)
{
	struct blob value;
	uint32_t pos = 0, n = 0;
	uint16_t type;

	while (attr_next(raw, &pos, &type, &value))
		n++;
	/* The walk ends early where a length does not fit. */
	if (pos < raw.len)
		return -EINVAL;
	*ret_n = n;
	return 0;
}

static int read_elem(struct blob elem, struct expr *ret)
{
	ret->name = attr_str(elem, NFTA_EXPR_NAME);
	if (!ret->name)
		return -EINVAL;
	if (!attr_find(elem, NFTA_EXPR_DATA, &ret->attrs))
		ret->attrs = (struct blob){0};
	return 0;
}

static int read_elems(struct exprs *es)
{
	struct blob value;
	uint32_t pos = 0, i;
	uint16_t type;
	int err;

	for (i = 0; i < es->n && attr_next(es->raw, &pos, &type, &value); i++) {
		err = read_elem(value, &es->array[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

int exprs_init(struct exprs *es, const void *raw, uint32_t len)
{
	struct exprs fresh = {0};
	uint32_t n;
	int err;

	err = count_elems((struct blob){raw, len}, &n);
	if (err < 0)
		return err;
	err = blob_set(&fresh.raw, raw, len);
	if (err < 0)
		return err;
	fresh.n = n;
	fresh.array = calloc(n ? n : 1, sizeof(*fresh.array));
	err = fresh.array ? read_elems(&fresh) : -ENOMEM;
	if (err < 0) {
		exprs_fini(&fresh);
		return err;
	}
	*es = fresh;
	return 0;
}

void exprs_fini(struct exprs *es)
{
	free(es->array);
	blob_fini(&es->raw);
	*es = (struct exprs){0};
}
