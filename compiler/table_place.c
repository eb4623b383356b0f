/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the tables of dispatches and the records of templates lie: one behind the other in a map, or
 * in as many as it takes. To a packet that is no cost, the address is a constant in the code. They are
 * of the loader's making (emit_options.maps_elsewhere); in an object of its own LLVM places them.
 */
#include "dispatch.h"
#include "template.h"

enum { MAP_MAX = 256 << 20 }; /* bytes; the verifier's offsets end at BPF_MAX_VAR_OFF, 512 MiB */

int tables_each(const struct ir *ir, int (*fn)(void *arg, const struct table_bytes *t), void *arg)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < ir->n_chains; i++) {
		const struct ir_chain *c = ir->chains[i];

		/* Of a template only the model is code. */
		for (uint32_t k = 0; !err && template_model(c) == c && k < c->n_rules; k++) {
			const struct ir_rule *r = &c->rules[k];
			struct dispatch_table *t;

			if (!ir_rule_is_dispatch(r))
				continue;
			t = (struct dispatch_table *)r->steps[r->n_steps - 1].dispatch->table;
			if (t && t->blob)
				err = fn(arg, &(struct table_bytes){t->blob, t->blob_size,
								    t->blob_size, &t->place});
		}
	}
	for (uint32_t i = 0; !err && i < ir->n_templates; i++) {
		struct ir_template *t = ir->templates[i];
		size_t each = t->n_words * sizeof(uint32_t);

		if (each)
			err = fn(arg, &(struct table_bytes){t->records, t->n * each,
							    template_room(t) * each, &t->place});
	}
	return err;
}

static int place_one(void *arg, const struct table_bytes *t)
{
	struct map_place *next = arg;

	if (next->offset && next->offset + t->room > MAP_MAX) {
		next->map++;
		next->offset = 0;
	}
	*t->place = *next;
	next->offset += (uint32_t)ROUND_UP(t->room, (size_t)64);
	return 0;
}

int tables_place(struct ir *ir)
{
	struct map_place next = {0, 0};

	for (uint32_t i = 0; i < ir->n_chains; i++) {
		const struct ir_chain *c = ir->chains[i];

		for (uint32_t k = 0; k < c->n_rules; k++) {
			const struct dispatch_table *t;
			int err;

			if (!ir_rule_is_dispatch(&c->rules[k]) || template_model(c) != c)
				continue;
			err = dispatch_table_get(ir, c->rules[k].steps[c->rules[k].n_steps - 1].dispatch,
						 &t);
			if (err)
				return err;
		}
	}
	return tables_each(ir, place_one, &next);
}
