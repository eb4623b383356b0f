/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a generation says of itself.
 */
#ifndef NFT_BPF_RUNTIME_MANIFEST_H
#define NFT_BPF_RUNTIME_MANIFEST_H

#include "priv.h"

#define MANIFEST_FORMAT 3

struct mf_chain { /* a base chain */
	struct rt_chain_status st;
	uint32_t rank; /* order of registration at its hook */
	bool regular;  /* compiled, and off its hook by being a regular chain; else by its table */
};

struct mf_table { /* off its hooks by being dormant */
	uint8_t family;
	const char *name;
};

struct mf_table_id { /* an entry of the map "table_ids" */
	uint64_t name; /* tables_hash() */
	uint64_t handle; /* 0: not known yet */
};

struct mf_counted { /* a chain with rules that count in our programs */
	uint8_t family;
	const char *table, *chain;
	uint32_t first, n; /* entries in the map "rules" */
	bool shared;	   /* the interpreter runs it too: what both counted adds up */
};

struct mf_object { /* a named counter that our programs count in, beside the interpreter */
	uint8_t family;
	const char *table, *name;
	uint64_t handle; /* another one's: made anew since, with our count in it; 0: not known */
	uint32_t counter;
	bool fresh; /* made by the batch; not written down */
};

struct mf_expr { /* what elements keep */
	const char *name;
	const char *hex; /* bytes of its attributes */
};

struct mf_set { /* a set whose map can be changed while programs run, by us or by packets */
	uint8_t family;
	const char *table, *name;
	uint32_t id;
	uint32_t map, map_offset; /* in the map "set_MAP", its own if MAP is its id */
	/* What a verdict map may say; else empty. */
	struct mf_verdict {
		uint32_t number; /* as elements' records have it */
		int32_t code; /* enum ir_verdict_code */
		const char *chain;
	} *verdicts;
	uint32_t n_verdicts;
	/* What elements keep in there, by the number that records have; none: nothing. */
	struct mf_kind {
		struct mf_expr *exprs;
		uint32_t n_exprs;
	} *kinds;
	uint32_t n_kinds;
};

struct mf_dynamic { /* a set that packets change, in the map "dyn_ID" */
	uint8_t family;
	const char *table, *name;
	uint32_t id;
	enum mf_packets {
		MF_PACKETS_UNKNOWN,
		MF_PACKETS_NONE, /* they only count in elements */
		MF_PACKETS_ADD,
		MF_PACKETS_DELETE, /* or both */
	} packets; /* what rules do to the set */
	struct mf_expr *exprs;
	uint32_t n_exprs;
};

struct manifest {
	uint32_t format;
	const char *version; /* of nft-bpf */
	uint64_t time;
	uint32_t seed;	   /* of hashes; 0: not known */
	uint64_t compiled; /* when its code was, if before that; else 0 */
	uint32_t ruleset; /* generation of the kernel's ruleset that the load began with */
	struct mf_chain *chains;
	uint32_t n_chains;
	struct mf_table *tables;
	uint32_t n_tables;
	struct mf_table_id *ids; /* of all tables there were; not part of the JSON */
	uint32_t n_ids;
	struct rt_prog_status *progs; /* as far as known without asking the kernel */
	uint32_t n_progs;
	struct mf_counted *counted;
	uint32_t n_counted;
	struct mf_object *objects;
	uint32_t n_objects;
	struct mf_set *sets;
	uint32_t n_sets;
	struct mf_dynamic *dynamic;
	uint32_t n_dynamic;
	bool fixed_sets; /* there are mutable ones that are not among them */
	uint32_t cpus, stride, n_counters; /* geometry of the map "counters" */
	char **strings; /* what was read, owned */
	size_t n_strings;
};

void manifest_free(struct manifest *m);
void manifest_freep(struct manifest **m);
/*
 * -ENOENT without an error when the generation has none. A manifest of another format is read as
 * far as it can be: chains and tables, which all formats have.
 */
int manifest_read(const struct runtime *rt, uint32_t gen, struct diags *ds, struct manifest **ret);
/* Its text, malloc'ed, and back. -EINVAL: it is none. */
char *manifest_print(const struct manifest *m);
int manifest_parse(const char *text, size_t len, struct manifest **ret);
/* Pins it: a generation with a manifest is complete. */
int manifest_write(struct runtime *rt, uint32_t gen, const struct manifest *m, struct diags *ds);

struct mf_chain *manifest_find_chain(const struct manifest *m, uint8_t family, const char *table,
				     const char *name);
bool manifest_has_table(const struct manifest *m, uint8_t family, const char *name);

/* ---- tables.c ---- */

uint64_t tables_hash(const struct table *t); /* of its family and name */
/* Pins what is known of the handles of @rs's tables. */
int tables_make(struct runtime *rt, uint32_t gen, const struct ruleset *rs, struct diags *ds);
/* After the batch was committed and the kernel's ruleset is that of generation @ruleset. */
int tables_note_handles(struct runtime *rt, uint32_t gen, uint32_t ruleset, struct diags *ds);
int tables_read(const struct runtime *rt, uint32_t gen, struct manifest *m);
/* Is it the table that was there when the manifest was written, and not made anew since? */
bool tables_is_same(const struct manifest *m, const struct table *t);

#endif
