/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookup structures for large sets and long runs of rules.
 *
 * A structure is a blob: flat memory, position independent, constants only. The run time copies it
 * into the one value of a BPF_MAP_TYPE_ARRAY map with BPF_F_MMAPABLE; programs read it by its
 * address, without a helper call (compiler/bpf/classify.bpf.c); classify_find() does the same in C.
 * Everything is kept in the blob itself, so whoever maps it can go on updating it.
 *
 *	kind	elements			index given back
 *	HASH	single keys, distinct		of the element that equals the key
 *	TREE	disjoint intervals		of the interval that holds the key
 *	BOXES	products of a range per field,	of the box that holds the key; the lowest where
 *		may overlap			several do: first match
 *
 * Keys are byte strings compared as memcmp() does. A key of several fields is one string for HASH
 * and TREE; for BOXES each field is compared by itself, the fields stand one after the other,
 * without padding unless the caller counts padding into the width.
 *
 * Indexes are the caller's: unique numbers below shape.capacity, dense for the sake of memory.
 * Values, expiry and (inside) wide keys are arrays over the index, in the same blob. In a list of
 * rules the index is the rule's place. An index taken from an element must not be given to another
 * one before a grace period has passed, since packets may still be reading its value.
 *
 * Updates. There is one writer at a time. Packets look up meanwhile, and find every element that
 * is not being changed, and nothing that was never there; the one that is being changed is found
 * or not. (An interval over several pieces of the tree may be found in part for a moment.) What is
 * taken out of the structure is used again only after classify_settled(), by which the caller says
 * that a grace period (membarrier(MEMBARRIER_CMD_GLOBAL), which waits for RCU) has passed since
 * the last update.
 *	-EAGAIN	 needs classify_settled() first
 *	-ENOSPC	 no room: build a new, larger blob
 *	-EEXIST	 the key (or part of the interval) is taken; a box with that index is there
 *	-ENOENT	 there is no such element
 * and what is found is as before.
 *
 * HASH and TREE take any number of updates up to capacity. BOXES: a mutable blob is for boxes of
 * which few overlap (sets; at most 16 over one key). It takes insertions that touch few pieces and
 * whose wide fields (over 4 bytes) have known borders, and says -ENOSPC to others. One that is not
 * mutable is for lists of rules and takes none.
 */
#ifndef NFT_BPF_COMPILER_CLASSIFY_H
#define NFT_BPF_COMPILER_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLASSIFY_MISS	    UINT32_MAX
#define CLASSIFY_MAX_INDEX  ((1u << 29) - 2)
#define CLASSIFY_MAX_WIDTH  64
#define CLASSIFY_MAX_FIELDS 8
/* BPF_MAX_VAR_OFF: the verifier's limit of offsets. */
#define CLASSIFY_MAX_BYTES ((size_t)1 << 29)

enum classify_kind {
	CLASSIFY_HASH = 1,
	CLASSIFY_TREE,
	CLASSIFY_BOXES,
};

struct classify_shape {
	enum classify_kind kind;
	uint32_t n_fields;		    /* BOXES; else 1 */
	uint8_t width[CLASSIFY_MAX_FIELDS]; /* bytes of each field, 1..64 */
	uint32_t capacity;		    /* indexes are below this */
	uint32_t value_size;		    /* bytes per index, a multiple of 4; 0: no values */
	bool expires;			    /* has times of expiry */
	bool is_mutable;		    /* leave room for updates up to capacity */
	bool packed; /* BOXES, not mutable: small records; fields of 1 or 2 bytes stand last */
	uint64_t seed; /* of hashes: random, kept secret from packets' senders */
};

struct classify_elem {
	const uint8_t *lo, *hi; /* inclusive, all fields; HASH: hi is not looked at */
	uint32_t index;
};

/*
 * Builds a blob of @n elements in any order. It is malloc'ed (64-byte aligned, free() it) and
 * @ret_size is the size of the map's value: all of it must be copied. Values are 0, no element
 * expires, there is no catch-all yet. -EINVAL: width, index or interval is not as above; -EEXIST:
 * two keys or intervals collide (or two elements share an index, where that is noticed); -E2BIG:
 * past CLASSIFY_MAX_BYTES or no structure within bounds (boxes that overlap too much); -ENOMEM.
 */
int classify_build(const struct classify_shape *shape, const struct classify_elem *elems, size_t n,
		   void **ret_blob, size_t *ret_size);

/* Index of the element that holds @key, else the catch-all's, else CLASSIFY_MISS. No expiry. */
uint32_t classify_find(const void *blob, const uint8_t *key);
/* The same with expiry: an element whose time is up at @now counts as missing. */
uint32_t classify_find_at(const void *blob, const uint8_t *key, uint64_t now);

/* TREE: 1: this very interval is an element; 0: nothing is in it; -EEXIST: something else is. */
int classify_tree_has(const void *blob, const uint8_t *lo, const uint8_t *hi);

/*
 * Whether a blob of any history, @b, says the same of every key as @a, built of @elems (whose
 * indexes are their places). False, too, where that is not easily told: elements that expire, boxes
 * that were updated. Of values the first @compared bytes count.
 */
bool classify_same(const void *a, const void *b, const struct classify_elem *elems, size_t n,
		   uint32_t compared);

/* ---- in place, while programs read ---- */

/* @blob: the mapped value. Value and expiry of e->index are to be set before. */
int classify_insert(void *blob, const struct classify_elem *e);
/* The element must be in there exactly like this. */
int classify_delete(void *blob, const struct classify_elem *e);
void classify_settled(void *blob);

/*
 * Takes out all elements and the catch-all; trees at once, others one by one. Until a grace period
 * has passed nothing may be added; then classify_cleared() with *@ret_left makes their room free
 * again. -EAGAIN, -ENOSPC as above.
 */
int classify_clear(void *blob, uint32_t *ret_left);
void classify_cleared(void *blob, uint32_t left);
/* HASH, else -EOPNOTSUPP: takes out all but the elements whose index's bit is set. */
int classify_keep(void *blob, const uint64_t *kept);
/* HASH: up to @room indexes that no element has; how many, or -ENOMEM. Else 0: not known. */
int classify_free_indexes(const void *blob, uint32_t *ret, uint32_t room);

/* Index that is given back on a miss; CLASSIFY_MISS: none. */
void classify_set_catch_all(void *blob, uint32_t index);
bool classify_has_catch_all(const void *blob);
uint32_t classify_catch_all(const void *blob);
/* value_size bytes at classify_value(). Written as aligned 4-byte words, each at once. */
void classify_set_value(void *blob, uint32_t index, const void *value);
const void *classify_value(const void *blob, uint32_t index);
/* Absolute ns of the clock the programs are given (nb_classify_live()); 0: never. */
void classify_set_expires(void *blob, uint32_t index, uint64_t ns);
uint64_t classify_expires(const void *blob, uint32_t index);

/* ---- what it is like; for explain, the cost model and the program's constants ---- */

struct classify_info {
	struct classify_shape shape;
	size_t size;	      /* bytes of the map's value */
	uint64_t limit;	      /* the @limit argument of the BPF functions: of size and form only */
	uint32_t value_step;  /* from one value to the next */
	uint32_t depth;	      /* most nodes on the way to a leaf (BOXES: of one tree) */
	uint32_t trees;	      /* BOXES: structures searched in turn */
	uint32_t longest;     /* BOXES: most candidates that are compared one by one */
	size_t free_bytes;    /* room for updates */
	uint32_t cost_ns;     /* estimate for random keys, over an empty program */
	const char *function; /* BPF function to call: "nb_classify_hash4" … */
};
/* -EINVAL when @blob is none. @size: bytes that are mapped. The shape alone takes no time. */
int classify_shape(const void *blob, size_t size, struct classify_shape *ret);
int classify_info(const void *blob, size_t size, struct classify_info *ret);

/*
 * BPF side, compiler/bpf/classify.bpf.c. @blob is the address of the map's value, @limit a
 * constant: classify_info.limit (a smaller one than the map's would do for a smaller blob: it is
 * what the verifier is told; of boxes its upper half says how records look).
 *
 *	__u32 nb_classify_hash4(const void *blob, __u64 limit, const __u64 *key)
 *		HASH, width 1..4
 *	__u32 nb_classify_hash8, hash16, hash24 … hash64
 *		HASH, width up to that; key: its chunks as in nb.h
 *	__u32 nb_classify_tree4, tree7, tree8, tree16, tree24 … tree64
 *		TREE, likewise; tree7 is for 5..7 bytes
 *	__u32 nb_classify_boxes1 … boxes8(const void *blob, __u64 limit, const __u32 *key)
 *		BOXES by number of fields; key: always an array of 8, a number per field as follows
 *		(what is behind the fields must be written, too, but does not matter)
 *	__u32 nb_classify_field4, field7, field8, field16 … field64(const void *blob,
 *			__u64 limit, __u64 field, const __u64 *chunks)
 *		BOXES: a field's value to its number, by width as for trees. field: 0 … n - 1,
 *		constant. field4 (1..4 bytes) is the chunk itself, wider ones are ranked by a tree
 * All give the index, or the catch-all's, or 0xffffffff.
 *
 *	__u32 nb_classify_live(const void *blob, __u64 limit, __u32 index, __u64 now)
 *		index when it has not expired at now, else the catch-all's (0xffffffff)
 *	const void *nb_classify_value(const void *blob, __u64 limit, __u32 index)
 *		address of the value's bytes (up to 64 may be read); index must not be a miss
 *	__u64 nb_classify_expires(const void *blob, __u64 limit, __u32 index)
 *
 * A blob may lie inside a larger value: pass the address of its first byte (64-aligned).
 *
 * All but field4, value and expires are functions of their own (hidden, so that libbpf makes them
 * static; not inlined). The verifier goes through one at each call: about 1300 instructions for a
 * hash, 900 to 1300 for a tree of one chunk, 6500 of two, 52,000 (60 ms) for boxes.
 */

#endif
