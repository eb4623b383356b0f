/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset model: what nf_tables holds, as plain data.
 *
 * nf_tables messages are applied to it one after the other, by netlink/apply.c, whether they come
 * from a file's batch, a dump or an event; so the three ways in share it. It keeps everything, also
 * what cannot be compiled: every object can be sent back to the kernel, or shown to libnftables, as
 * it came. Strings and bytes belong to the object that holds them and go with it.
 *
 * Order matters and is kept: of tables, chains and rules as the kernel lists them; of base chains at
 * one hook by chain->seq (the one registered last runs first).
 */
#ifndef NFT_BPF_COMPILER_RULESET_H
#define NFT_BPF_COMPILER_RULESET_H

#include "util.h"

struct ruleset {
	struct list tables;
	uint32_t generation; /* NFTA_GEN_ID of the dump it started from; 0: none */
	uint64_t next_seq;   /* for chain->seq */
	void *index;	     /* names -> tables, private to ruleset.c */
};

struct table {
	struct list node;
	struct ruleset *ruleset;
	char *name;
	uint8_t family; /* NFPROTO_* */
	uint32_t flags; /* NFT_TABLE_F_* as the user wants them: our own dormant is in parked */
	uint32_t owner; /* netlink port id with NFT_TABLE_F_OWNER */
	uint64_t handle;
	struct blob userdata;
	struct list chains, sets, objects, flowtables;
	void *index;	/* names -> objects, private to ruleset.c */
	bool parked;	/* the kernel's table is dormant because we made it so */
	bool remade;	/* made anew since our programs were loaded: what they keep is not its */
	uint32_t use;	/* free for the reader */
};

struct chain {
	struct list node;
	struct table *table;
	char *name;
	uint64_t handle;
	uint32_t id; /* NFTA_CHAIN_ID within the batch being applied; else 0 */
	uint32_t flags; /* NFT_CHAIN_* (base, hw offload, binding: an anonymous chain) */
	struct blob userdata;
	struct list rules;
	uint32_t n_rules;
	uint64_t seq; /* order of registration among base chains */
	uint32_t refs; /* jumps and gotos to it, as far as messages were applied */
	struct rule *hint; /* where chain_find_rule() looks first */
	uint64_t first_gone; /* 1 + generation in which an event took its first rule away; else 0 */

	bool is_base;
	char *type;	 /* "filter", "nat", "route" */
	uint32_t hooknum;
	int32_t priority;
	uint32_t policy; /* NF_ACCEPT or NF_DROP */
	char **devices;	 /* netdev and inet ingress; NULL-terminated, or NULL */
	struct blob counters; /* NFTA_CHAIN_COUNTERS payload, owned; len 0: none */

	bool parked; /* the kernel's chain is a regular one because we took it off its hook */
	bool renewed; /* its rules are about to be made anew (runtime/park.c), with counts as they are here */
};

/* One expression: its nf_tables name and the bytes of NFTA_EXPR_DATA (compiler/attr.h). */
struct expr {
	const char *name; /* points into the rule's or set's bytes */
	struct blob attrs;
};

struct exprs {
	struct blob raw;    /* the nested NFTA_LIST_ELEM attributes, owned */
	struct expr *array; /* owned; points into raw */
	uint32_t n;
};

struct rule {
	struct list node;
	struct chain *chain;
	uint64_t handle;
	uint32_t id; /* NFTA_RULE_ID within the batch; else 0 */
	uint32_t seq; /* nlmsg_seq of the message that made it, to match an echo; else 0 */
	struct exprs exprs;
	struct blob userdata; /* struct nftnl_udata TLVs */
	struct blob compat;   /* NFTA_RULE_COMPAT payload, owned; len 0: none */
};

/* A verdict as data: of a verdict map element. */
struct verdict {
	int32_t code;	/* NF_ACCEPT, NF_DROP, NFT_JUMP… */
	char *chain;	/* jump, goto */
};

struct set_elem {
	uint8_t *key;	  /* set->key_len bytes; NULL for the catch-all element */
	uint8_t *key_end; /* concatenated ranges: inclusive end, key_len bytes; else NULL */
	uint8_t *data;	  /* maps to values: set->data_len bytes */
	struct verdict verdict; /* verdict maps */
	char *object;	  /* object maps */
	uint32_t flags;	  /* NFT_SET_ELEM_* (INTERVAL_END, CATCHALL) */
	uint64_t timeout;    /* ms; 0: the set's default; UINT64_MAX: none although it has one */
	uint64_t expiration; /* ms left at dump; 0: none given */
	struct exprs exprs;  /* stateful expressions: counter, limit… */
	bool fresh;	     /* made by the batch: takes nothing over from one of that key */
	bool counted;	     /* keeps more than the kernel's own: with what programs counted */
	struct blob userdata;
};

struct set {
	struct list node;
	struct table *table;
	char *name;
	uint64_t handle;
	uint32_t id;	/* NFTA_SET_ID within the batch; else 0 */
	uint32_t flags; /* NFT_SET_* */
	uint32_t key_type, key_len; /* nft's type number; bytes */
	uint32_t data_type, data_len; /* NFT_DATA_VERDICT, or nft's; bytes */
	uint32_t obj_type;
	uint32_t policy;
	uint32_t size; /* limit on elements; 0: none */
	uint64_t timeout; /* ms; 0: none */
	uint32_t gc_interval; /* ms */
	uint8_t *field_len; /* concatenations: bytes per field, unpadded; NULL if not told */
	uint32_t n_fields;
	struct exprs exprs; /* stateful expressions each new element gets */
	struct blob userdata;
	struct set_elem *elems; /* kernel order not kept; interval ends are elements of their own */
	size_t n_elems;
	uint32_t refs; /* expressions that use it, as far as messages were applied */
	void *index; /* private to ruleset_set.c */
	bool elems_known; /* false: the dump left elements out */
	bool elsewhere;	  /* elements are those of a BPF map: the kernel's own set lags behind */
	bool counted;	  /* some of them are */
	bool changed;	  /* the batch made or deleted elements */
};

struct object { /* named counter, quota, limit, ct helper… */
	struct list node;
	struct table *table;
	char *name;
	uint64_t handle;
	uint32_t type;	   /* NFT_OBJECT_* */
	struct blob attrs; /* NFTA_OBJ_DATA's payload, owned */
	struct blob userdata;
	uint32_t refs; /* expressions and elements that use it */
};

struct flowtable {
	struct list node;
	struct table *table;
	char *name;
	uint64_t handle;
	uint32_t flags;
	uint32_t hooknum;
	int32_t priority;
	char **devices; /* NULL-terminated, or NULL */
};

struct ruleset *ruleset_new(void);
void ruleset_free(struct ruleset *rs);
void ruleset_freep(struct ruleset **rs);

/*
 * Find by name (constant time) or handle; NULL if there is none. Creating returns NULL only when
 * out of memory; the new object is linked last and its strings are copies.
 */
struct table *ruleset_find_table(const struct ruleset *rs, uint8_t family, const char *name);
struct table *ruleset_find_table_handle(const struct ruleset *rs, uint8_t family, uint64_t handle);
struct table *table_new(struct ruleset *rs, uint8_t family, const char *name);
void table_free(struct table *t); /* unlinks */

struct chain *table_find_chain(const struct table *t, const char *name);
struct chain *table_find_chain_handle(const struct table *t, uint64_t handle);
struct chain *table_find_chain_id(const struct table *t, uint32_t id);
/* @name NULL: an anonymous chain, named as the kernel would ("__chain1"). */
struct chain *chain_new(struct table *t, const char *name);
/* @id within the batch being applied; 0 forgets it. */
int chain_set_id(struct chain *c, uint32_t id);
int chain_rename(struct chain *c, const char *name);
void chain_free(struct chain *c);

struct rule *chain_find_rule(const struct chain *c, uint64_t handle);
struct rule *rule_new(struct chain *c, struct rule *before); /* before NULL: append */
void rule_free(struct rule *r);
/* The comment, or NULL; valid as long as the rule. */
const char *rule_comment(const struct rule *r);

struct set *table_find_set(const struct table *t, const char *name);
struct set *table_find_set_handle(const struct table *t, uint64_t handle);
struct set *table_find_set_id(const struct table *t, uint32_t id);
/* @name with a "%d" ("__set%d") gets the first free number, as nf_tables_set_alloc_name() does. */
struct set *set_new(struct table *t, const char *name);
int set_set_id(struct set *s, uint32_t id);
void set_free(struct set *s);
/*
 * Adds or finds by key (and, for intervals, by INTERVAL_END; for ranges by key_end too). @key NULL
 * is the catch-all. The pointer is valid until the next change of the set.
 */
struct set_elem *set_elem_get(struct set *s, const uint8_t *key, const uint8_t *key_end,
			      uint32_t flags, bool create);
void set_elem_delete(struct set *s, struct set_elem *e);
/* @key is going to be asked for soon. */
void set_elem_expect(const struct set *s, const uint8_t *key);
void set_flush(struct set *s);

struct object *table_find_object(const struct table *t, uint32_t type, const char *name);
struct object *table_find_object_handle(const struct table *t, uint32_t type, uint64_t handle);
struct object *object_new(struct table *t, uint32_t type, const char *name);
void object_free(struct object *o);

struct flowtable *table_find_flowtable(const struct table *t, const char *name);
struct flowtable *table_find_flowtable_handle(const struct table *t, uint64_t handle);
struct flowtable *flowtable_new(struct table *t, const char *name);
void flowtable_free(struct flowtable *f);

/* Copies the nested expressions of an attribute; -EINVAL when malformed, -ENOMEM. */
int exprs_init(struct exprs *es, const void *raw, uint32_t len);
void exprs_fini(struct exprs *es);

/* Replaces an owned blob by a copy; -ENOMEM. */
int blob_set(struct blob *b, const void *data, uint32_t len);
void blob_fini(struct blob *b);

/* NULL-terminated lists of device names (struct chain, struct flowtable); NULL is an empty one. */
bool devices_have(char **devices, const char *name);
int devices_add(char ***devices, const char *name);
void devices_remove(char ***devices, const char *name);
void devices_free(char ***devices);

#endif
