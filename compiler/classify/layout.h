/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a blob looks inside: read by packets (compiler/bpf/classify.bpf.c), written by the builders.
 * Host byte order, offsets from the start of the blob. Included by C and by BPF C.
 *
 * The unit is a line of 64 bytes, the CPU's cache line.
 *
 * HASH: lines of 8 entries { u32 tag; u32 index + 1 }, 0 is free. tag: the key itself up to 4
 * bytes, else a part of the hash, and the key stands in an array over the index. One 8-byte store
 * adds or removes an entry. A line with the bit CLS_PASSED has sent elements on to the next one.
 * A table that outgrows the nearer caches has a filter in front, an eighth of its size: a word per
 * line in which each element that is at home there has three bits. Most misses end at it.
 *
 * TREE and BOXES: nodes that say for each key of one chunk (field) how to go on, a u32 "ref". A
 * node holds sorted first keys k[0] < k[1] …; the ref of k[i] is for the keys k[i] … k[i + 1] - 1.
 * Stored is k[i] - 1, so that "key > stored", without a branch, counts to i; the rest of a line is
 * filled up with a key above all. k[0] is implied, and stored as it is, for the writer.
 * A line node is one line; a page node is a line of 7 separators and 8 lines, or, where nodes do not
 * change, as many as it fills.
 *	narrow: u32 keys, 8 per line; wide: u64 keys, 5 per line
 * Two kinds of wide keys: up to 7 bytes, compared by the sign of a subtraction, and full ones.
 *
 * A key of several chunks is a tree of trees: where the chunk does not decide, the border c refers
 * to a tree over the next chunk, and a border c + 1 follows it.
 *
 * BOXES: a record of ranges per index; trees whose ends name boxes to be compared, some of them behind
 * filters; a directory of the trees.
 */
#ifndef NFT_BPF_COMPILER_CLASSIFY_LAYOUT_H
#define NFT_BPF_COMPILER_CLASSIFY_LAYOUT_H

#ifndef __bpf__ /* compiler/bpf/kernel.h has them */
#include <linux/types.h>
#endif

#define CLS_MAGIC 0x31534c43u /* "CLS1" */
#define CLS_LINE  64
#define CLS_TAIL  1024 /* readable behind the last line that an offset may name */

enum { CLS_HASH = 1, CLS_TREE, CLS_BOXES };

/* ---- refs ---- */
#define CLS_END		0x80000000u
#define CLS_KIND	0xe0000000u /* of an end: */
#define CLS_INDEX	0xe0000000u /* the element; all ones: none */
#define CLS_CHECK	0xc0000000u /* this box, if it holds the key */
#define CLS_LIST	0xa0000000u /* the first of these boxes: u32 words at 4 * value */
#define CLS_FILTER_END	0x80000000u /* the filtered list in line value */
#define CLS_VALUE	0x1fffffffu
#define CLS_NONE	0xffffffffu
#define CLS_ONE_LINE	0x40000000u /* of a node */
#define CLS_CHUNK(r)	((r) >> 26 & 15)
#define CLS_CHUNK_OF(c) ((__u32)(c) << 26)
#define CLS_NODE	0x03ffffffu /* its first line */

#define CLS_LAST 0x80000000u /* in a list: no more follow */

/* ---- nodes ---- */
#define CLS_NARROW	8
#define CLS_WIDE	5
#define CLS_GROUPS	8
#define CLS_PAGE_LINES	(1 + CLS_GROUPS)
#define CLS_FILL_NARROW 0xffffffffu
#define CLS_FILL_7	0x7fffffffffffffffull
#define CLS_FILL_WIDE	0xffffffffffffffffull

struct cls_narrow {
	__u32 key[CLS_NARROW], ref[CLS_NARROW];
};
struct cls_wide {
	__u64 key[CLS_WIDE];
	__u32 ref[CLS_WIDE], unused;
};
/* First line of a page. */
struct cls_narrow_page {
	__u32 sep[CLS_GROUPS - 1], unused[9];
};
struct cls_wide_page {
	__u64 sep[CLS_GROUPS - 1], unused;
};

/* Most nodes on the way through the tree over one chunk, and over a key: the programs' loops end
 * there. */
#define CLS_LEVELS(chunks) ((chunks) == 1 ? 8 : (chunks) == 2 ? 7 : 5)
#define CLS_DEPTH(chunks)  ((chunks)*CLS_LEVELS(chunks))

/* ---- hash ---- */
#define CLS_SLOTS  8
#define CLS_FILTER_FROM (256u << 10) /* bytes of a table that has a filter */
#define CLS_PASSED 0x8000000000000000ull /* in slot 0 of a line */
#define CLS_TAG	   0x00000000ffffffffull
#define CLS_PROBES 16 /* lines an element may stand away from its own, this one included */

/* ---- boxes ---- */
#define CLS_FIELDS    8
#define CLS_TREES     7
#define CLS_BOX_DEPTH 12 /* nodes on the way through one of them */
#define CLS_BOX_LIST  16 /* longest list */
#define CLS_PACKED_LIST 2 /* where others are filtered */
#define CLS_EXTRA     16
/* Bytes of a box's record: a power of two, so that most boxes are in one line. */
#define CLS_BOX_SHIFT(fields) ((fields) == 1 ? 3 : (fields) == 2 ? 4 : (fields) <= 4 ? 5 : 6)
/*
 * Packed records: of the fields behind the first @wide ones, which have at most 2 bytes, ranges of
 * 16 bits; the value behind them, where the power of two leaves it room. With them go filtered lists,
 * for lists of more than two, and nothing that changes. The upper half of the limit that programs know
 * says so; 0: records are not packed.
 */
#define CLS_FORM(wide, shift) ((__u64)((shift) << 8 | (wide)) << 32)
#define CLS_FORM_WIDE(form)   ((form) >> 32 & 15)
#define CLS_FORM_SHIFT(form)  ((form) >> 40 & 31)

/*
 * A filtered list: up to CLS_FILTERED boxes in one line, each with a byte of lower and upper bounds
 * of seven bits out of two fields; only boxes that these let pass are compared. The upper bounds
 * have the byte's highest bit set, for the borrow.
 */
#define CLS_FILTERED	 7
#define CLS_FILTER_LINES 3 /* at most */
#define CLS_FILTER_MORE	 0x80 /* in field[0]: another line follows */
#define CLS_LANES    0x0101010101010101ull
struct cls_filtered {
	__u64 lo[2], hi[2];
	__u32 index[CLS_FILTERED]; /* ascending */
	__u8 field[2], shift[2];
};

/* By field; lo > hi: none. Fields of more than 4 bytes: their ranks. */
struct cls_range {
	__u32 lo, hi;
};
struct cls_short_range {
	__u16 lo, hi;
};
struct cls_directory {
	__u32 n_trees, n_extra; /* extra: places used */
	struct {
		__u32 root;  /* CLS_NONE: no such tree */
		__u32 first; /* lowest index in there; they are sorted by it */
	} tree[CLS_TREES + 1]; /* two are searched at once */
	__u32 extra[CLS_EXTRA]; /* boxes that came later; CLS_NONE: free */
};

/* ---- the start ---- */
struct cls_head {
	/* what packets read */
	__u32 magic, kind;
	__u32 root;	 /* TREE: a ref; BOXES: line of the directory; HASH: line of the table */
	__u32 catch_all; /* index or CLS_NONE */
	__u64 seed, multiplier;
	__u32 n_lines; /* of the hash table */
	__u32 keys,
		key_size; /* offset; HASH over 4 bytes: chunks; BOXES: struct cls_range[n_fields] */
	__u32 values, value_size;
	__u32 expires; /* 0: none */
	__u32 capacity;
	__u32 filter; /* HASH, if large: offset of a u64 per line; 0: none */

	/* the writer's */
	__u32 size; /* of the blob; programs' limit is size - CLS_TAIL */
	__u32 n_fields;
	__u8 width[8];
	__u32 ranks[8]; /* BOXES: trees that rank fields of more than 4 bytes, refs (read by
			   packets) */
	__u32 next_line, end_line;			/* lines never used */
	__u32 free_line, free_page;			/* chains through the first word; 0: none */
	__u32 n_elems, n_retired, max_retired, retired; /* retired: offset of a u32 array */
	__u32 flags;
	__u32 depth, longest;	/* BOXES: of a tree, of a list */
	__u32 words, words_end; /* BOXES: room for lists, numbers of u32 words */
	__u32 value_step;	/* from one value to the next */
	__u32 form;		/* BOXES: of packed records, CLS_FORM() >> 32 */
	__u32 room[9];
};
#define CLS_MUTABLE 1
#define CLS_EXPIRES 2

#endif
