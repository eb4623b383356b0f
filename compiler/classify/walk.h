/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lookups, in the subset of C that BPF takes: one text for packets
 * (compiler/bpf/classify.bpf.c) and for the evaluator (eval.c). Straight lines instead of branches
 * that a random key would make the CPU mispredict; every offset that comes from the blob is
 * compared with @limit before it is used, which never fails and is what the verifier wants to see.
 *
 * A word that another CPU may be writing is read once, through CLS_READ.
 */
#ifndef NFT_BPF_COMPILER_CLASSIFY_WALK_H
#define NFT_BPF_COMPILER_CLASSIFY_WALK_H

#include "layout.h"

#define CLS_INLINE static inline __attribute__((always_inline))
/* Keeps the compiler from seeing what a number is, and from making branches of it. */
#define CLS_OPAQUE(x) asm("" : "+r"(x))
/*
 * A number that the verifier forgets all about: kept in the upper half of a stack slot, where it
 * does not track values. So all ways to a place become one, and loops in loops stay small.
 */
struct cls_forget {
	__u32 unused;
	volatile __u32 value;
} __attribute__((aligned(8)));
/* Makes it (or several) whole slots: the compiler must not shift it to where its half is tracked.
 */
#define CLS_FORGET_INIT(slot) asm volatile("" : : "r"(slot) : "memory")
#ifdef __clang__
#define CLS_UNROLL     _Pragma("clang loop unroll(full)")
#define CLS_UNROLL_NOT _Pragma("clang loop unroll(disable)")
#else
#define CLS_UNROLL
#define CLS_UNROLL_NOT
#endif
#define CLS_READ(type, place) (*(const volatile type *)&(place))

/* ---- hash ---- */

/* The upper half says the home, the lower is the tag. chunks 0: at most 4 bytes, no tag. */
CLS_INLINE __u64 cls_mix(const struct cls_head *h, const __u64 *key, __u32 chunks)
{
	__u64 x = h->seed, m = h->multiplier;

	CLS_UNROLL
	for (__u32 i = 0; i < (chunks ? chunks : 1); i++) {
		x = (x ^ key[i]) * m;
		x ^= x >> 32;
	}
	x *= m;
	return chunks ? x ^ x >> 29 : x;
}

/* First line for a key, from the table's first one. */
CLS_INLINE __u64 cls_home(const struct cls_head *h, __u64 mixed)
{
	return (mixed >> 32) * h->n_lines >> 32;
}

/* The key's bits in the filter's word of its home. */
CLS_INLINE __u64 cls_filter_bits(__u64 mixed)
{
	return 1ull << (mixed & 63) | 1ull << (mixed >> 6 & 63) | 1ull << (mixed >> 12 & 63);
}

/* False: the key is not in the table. */
CLS_INLINE _Bool cls_filter_passes(const struct cls_head *h, __u64 limit, __u64 mixed, __u64 home)
{
	__u64 off = (__u64)h->filter + home * 8, bits = cls_filter_bits(mixed), word;

	if (!h->filter)
		return 1;
	if (off > limit)
		return 0;
	word = CLS_READ(__u64, *(const __u64 *)((const char *)h + off));
	return !(bits & ~word);
}

/*
 * @entry if it bears the tag, else 0. A product and not a mask of all ones: for "and" with a
 * register that is 0 or -1 the verifier goes on with both cases.
 */
CLS_INLINE __u64 cls_slot(__u64 entry, __u64 tag)
{
	__u64 x = (__u64)(__u32)(entry ^ tag) - 1;

	CLS_OPAQUE(x);
	x >>= 63;
	CLS_OPAQUE(x);
	return entry * x;
}

/* The entry of the line that bears the tag, or 0; at most one does. */
CLS_INLINE __u64 cls_hash_line(const __u64 *slot, __u64 tag, __u64 *first)
{
	__u64 found, e0 = CLS_READ(__u64, slot[0]);

	*first = e0;
	found = (cls_slot(e0, tag) | cls_slot(CLS_READ(__u64, slot[1]), tag)) |
		(cls_slot(CLS_READ(__u64, slot[2]), tag) | cls_slot(CLS_READ(__u64, slot[3]), tag));
	found |=
		(cls_slot(CLS_READ(__u64, slot[4]), tag) |
		 cls_slot(CLS_READ(__u64, slot[5]), tag)) |
		(cls_slot(CLS_READ(__u64, slot[6]), tag) | cls_slot(CLS_READ(__u64, slot[7]), tag));
	return found & ~CLS_PASSED;
}

CLS_INLINE _Bool cls_same_key(const __u64 *a, const __u64 *b, __u32 chunks)
{
	__u64 differ = 0;

	CLS_UNROLL
	for (__u32 i = 0; i < chunks; i++)
		differ |= CLS_READ(__u64, a[i]) ^ b[i];
	return !differ;
}

/* chunks 0: a key of at most 4 bytes. */
CLS_INLINE __u32 cls_hash(const void *blob, __u64 limit, const __u64 *key, __u32 chunks)
{
	const struct cls_head *h = blob;
	__u64 mixed = cls_mix(h, key, chunks), tag = chunks ? mixed : key[0];
	__u64 home = cls_home(h, mixed), off = ((__u64)h->root + home) * CLS_LINE, e, first;

	if (!cls_filter_passes(h, limit, mixed, home))
		return CLS_READ(__u32, h->catch_all);
	CLS_UNROLL_NOT
	for (__u32 i = 0; i < CLS_PROBES; i++, off += CLS_LINE) {
		if (off > limit)
			break;
		e = cls_hash_line((const __u64 *)((const char *)blob + off), tag, &first);
		if (e) {
			__u64 at = h->keys + ((e >> 32) - 1) * h->key_size;

			if (!chunks)
				return (__u32)(e >> 32) - 1;
			if (at <= limit &&
			    cls_same_key((const __u64 *)((const char *)blob + at), key, chunks))
				return (__u32)(e >> 32) - 1;
			break;
		}
		if (!(first & CLS_PASSED))
			break;
	}
	return CLS_READ(__u32, h->catch_all);
}

/* ---- nodes ---- */

/* 1 when @key > @stored. */
#define CLS_ABOVE_7(key, stored) (((__u64)(stored) - (key)) >> 63)
#define CLS_ABOVE_FULL(key, stored) \
	(((~(stored) & (key)) | (~((stored) ^ (key)) & ((stored) - (key)))) >> 63)

/* The ref for key @k of the line or page at @p. */
CLS_INLINE __u32 cls_step_narrow(const char *p, __u64 k, __u32 ref)
{
	const struct cls_narrow *line;
	__u64 n = 0;

	if (!(ref & CLS_ONE_LINE)) {
		const __u32 *sep = (const __u32 *)p;

		n += CLS_ABOVE_7(k, sep[0]) + CLS_ABOVE_7(k, sep[1]) + CLS_ABOVE_7(k, sep[2]);
		n += CLS_ABOVE_7(k, sep[3]) + CLS_ABOVE_7(k, sep[4]) + CLS_ABOVE_7(k, sep[5]);
		n += CLS_ABOVE_7(k, sep[6]);
		p += CLS_LINE + n * CLS_LINE;
	}
	line = (const struct cls_narrow *)p;
	n = CLS_ABOVE_7(k, line->key[1]) + CLS_ABOVE_7(k, line->key[2]);
	n += CLS_ABOVE_7(k, line->key[3]) + CLS_ABOVE_7(k, line->key[4]);
	n += CLS_ABOVE_7(k, line->key[5]) + CLS_ABOVE_7(k, line->key[6]);
	n += CLS_ABOVE_7(k, line->key[7]);
	return CLS_READ(__u32, line->ref[n]);
}

#define CLS_STEP_WIDE(name, above)                                                   \
	CLS_INLINE __u32 name(const char *p, __u64 k, __u32 ref)                     \
	{                                                                            \
		const struct cls_wide *line;                                         \
		__u64 n = 0;                                                         \
                                                                                     \
		if (!(ref & CLS_ONE_LINE)) {                                         \
			const __u64 *sep = (const __u64 *)p;                         \
                                                                                     \
			n += above(k, sep[0]) + above(k, sep[1]) + above(k, sep[2]); \
			n += above(k, sep[3]) + above(k, sep[4]) + above(k, sep[5]); \
			n += above(k, sep[6]);                                       \
			p += CLS_LINE + n * CLS_LINE;                                \
		}                                                                    \
		line = (const struct cls_wide *)p;                                   \
		n = above(k, line->key[1]) + above(k, line->key[2]);                 \
		n += above(k, line->key[3]) + above(k, line->key[4]);                \
		return CLS_READ(__u32, line->ref[n]);                                \
	}
CLS_STEP_WIDE(cls_step_7, CLS_ABOVE_7)
CLS_STEP_WIDE(cls_step_full, CLS_ABOVE_FULL)

/* ---- trees ---- */

/* Chunk of a node, where a power of two of them needs no further check. */
#define CLS_CHUNK_IN(ref, n) ((n) & ((n)-1) ? CLS_CHUNK(ref) : CLS_CHUNK(ref) & ((n)-1))

/* From @ref to an end. key[] is indexed by the chunk a ref names: with one chunk it is not. */
#define CLS_WALK(name, type, step)                                                       \
	CLS_INLINE __u32 name(const void *blob, __u64 limit, const type *key, __u32 ref, \
			      __u32 chunks, __u32 depth)                                 \
	{                                                                                \
		CLS_UNROLL_NOT                                                           \
		for (__u32 i = 0; i < depth; i++) {                                      \
			__u64 off = (__u64)(ref & CLS_NODE) * CLS_LINE;                  \
			__u64 c = chunks == 1 ? 0 : CLS_CHUNK_IN(ref, chunks), k;        \
                                                                                         \
			if (ref & CLS_END)                                               \
				break;                                                   \
			if (off > limit || c >= chunks)                                  \
				return CLS_NONE;                                         \
			k = key[c];                                                      \
			CLS_OPAQUE(k);                                                   \
			ref = step((const char *)blob + off, k, ref);                    \
		}                                                                        \
		return ref;                                                              \
	}
CLS_WALK(cls_walk_narrow, __u64, cls_step_narrow)
CLS_WALK(cls_walk_7, __u64, cls_step_7)
CLS_WALK(cls_walk_full, __u64, cls_step_full)

CLS_INLINE _Bool cls_is_over(const void *blob, __u64 limit, __u32 index, __u64 now)
{
	__u64 at = ((const struct cls_head *)blob)->expires + (__u64)index * 8, until;

	if (at > limit)
		return 0;
	until = CLS_READ(__u64, *(const __u64 *)((const char *)blob + at));
	return until && until <= now;
}

/* @index while its time is not up, else the catch-all's, likewise. */
CLS_INLINE __u32 cls_live(const void *blob, __u64 limit, __u32 index, __u64 now)
{
	const struct cls_head *h = blob;
	__u32 other;

	if (!h->expires || index == CLS_NONE || !cls_is_over(blob, limit, index, now))
		return index;
	other = CLS_READ(__u32, h->catch_all);
	if (other == index || other == CLS_NONE || cls_is_over(blob, limit, other, now))
		return CLS_NONE;
	return other;
}

/* What an end of a TREE means. */
CLS_INLINE __u32 cls_tree_end(const struct cls_head *h, __u32 ref)
{
	return ref == CLS_NONE ? CLS_READ(__u32, h->catch_all) : ref & CLS_VALUE;
}

/* ---- boxes ---- */

/*
 * Whether the box with this index holds the key. The limit is a constant where programs look up
 * (compiler/emit/shared.c), so that nothing is left of the choice here.
 */
CLS_INLINE _Bool cls_box_holds(const void *blob, __u64 limit, __u32 index, const __u32 *key,
			       __u32 fields)
{
	__u32 wide = limit >> 32 ? CLS_FORM_WIDE(limit) : fields;
	__u64 off = (__u64)index << (limit >> 32 ? CLS_FORM_SHIFT(limit) : CLS_BOX_SHIFT(fields));
	const struct cls_range *r;
	const struct cls_short_range *s;
	__u64 outside = 0;

	off += ((const struct cls_head *)blob)->keys;
	if (off > (__u32)limit)
		return 0;
	r = (const struct cls_range *)((const char *)blob + off);
	s = (const struct cls_short_range *)(r + wide) - wide;
	CLS_UNROLL
	for (__u32 i = 0; i < fields; i++) {
		__u64 lo, hi, k = key[i];

		if (i < wide) {
			lo = CLS_READ(__u32, r[i].lo);
			hi = CLS_READ(__u32, r[i].hi);
		} else {
			lo = CLS_READ(__u16, s[i].lo);
			hi = CLS_READ(__u16, s[i].hi);
		}
		CLS_OPAQUE(k);
		outside |= (k - lo) | (hi - k);
	}
	CLS_OPAQUE(outside);
	return !(outside >> 63);
}

/* What a lookup in boxes keeps: the best index so far, ends it came to, the word it is at. */
struct cls_search {
	struct cls_forget best, end, other, word;
};

/* One step of a walk over fields, unless it has come to an end. */
#define CLS_STEP_FIELD(ref)                                                        \
	do {                                                                       \
		__u64 off = (__u64)((ref)&CLS_NODE) * CLS_LINE, k;                 \
                                                                                   \
		if (!((ref)&CLS_END)) {                                            \
			if (off > (__u32)limit)                                    \
				return;                                            \
			k = key[CLS_CHUNK_IN(ref, CLS_FIELDS)];                    \
			CLS_OPAQUE(k);                                             \
			ref = cls_step_narrow((const char *)blob + off, k, (ref)); \
		}                                                                  \
	} while (0)

/*
 * Two walks side by side, to s->end and s->other: what takes time is that each step waits for the
 * one before, and two can wait at once.
 */
CLS_INLINE void cls_walk_two(const void *blob, __u64 limit, const __u32 *key, __u32 a, __u32 b,
			     struct cls_search *s)
{
	s->end.value = s->other.value = CLS_NONE;
	CLS_UNROLL_NOT
	for (__u32 i = 0; i < CLS_BOX_DEPTH; i++) {
		CLS_STEP_FIELD(a);
		CLS_STEP_FIELD(b);
		if (a & b & CLS_END)
			break;
	}
	s->end.value = a;
	s->other.value = b;
}

/* In the highest bit of each byte: whether the filter lets the box pass. */
CLS_INLINE __u64 cls_filter_list(const struct cls_filtered *l, const __u32 *key)
{
	__u64 pass = 128 * CLS_LANES;

	CLS_UNROLL
	for (__u32 i = 0; i < 2; i++) {
		__u64 k = key[l->field[i] & (CLS_FIELDS - 1)] >> (l->shift[i] & 31) & 127;

		CLS_OPAQUE(k);
		k *= CLS_LANES;
		pass &= ((k | 128 * CLS_LANES) - l->lo[i]) & (l->hi[i] - k);
	}
	return pass;
}

/* best becomes the lowest box below it of a filtered list's line that holds the key. */
CLS_INLINE void cls_filtered_line(const void *blob, __u64 limit, const __u32 *key, __u32 fields,
				  const struct cls_filtered *l, struct cls_search *s)
{
	__u64 pass = cls_filter_list(l, key);

	CLS_UNROLL_NOT
	for (__u32 i = 0; i < CLS_FILTERED && pass; i++) {
		__u64 at = (((pass & -pass) >> 7) * 0x0001020304050607ull) >> 56;
		__u32 index;

		CLS_OPAQUE(at);
		index = l->index[at & 7];
		if (index >= s->best.value)
			break;
		if (cls_box_holds(blob, limit, index, key, fields)) {
			s->best.value = index;
			break;
		}
		pass &= pass - 1;
	}
}

/* The same of all its lines. */
CLS_INLINE void cls_filtered_end(const void *blob, __u64 limit, const __u32 *key, __u32 fields,
				 struct cls_search *s)
{
	CLS_UNROLL_NOT
	for (__u32 i = 0; i < CLS_FILTER_LINES; i++) {
		__u64 off = ((__u64)(s->end.value & CLS_VALUE) + i) * CLS_LINE;
		const struct cls_filtered *l =
			(const struct cls_filtered *)((const char *)blob + off);
		__u32 was = s->best.value;

		if (off > (__u32)limit)
			return;
		cls_filtered_line(blob, limit, key, fields, l, s);
		if (s->best.value != was || !(l->field[0] & CLS_FILTER_MORE))
			return;
	}
}

/* best becomes the lowest box below it that the end names and that holds the key. */
CLS_INLINE void cls_boxes_end(const void *blob, __u64 limit, const __u32 *key, __u32 fields,
			      struct cls_search *s)
{
	__u32 ref = s->end.value, packed = limit >> 32;

	if ((ref & CLS_KIND) == CLS_INDEX) {
		if (ref != CLS_NONE && (ref & CLS_VALUE) < s->best.value)
			s->best.value = ref & CLS_VALUE;
		return;
	}
	if (packed && (ref & CLS_KIND) == CLS_FILTER_END) {
		cls_filtered_end(blob, limit, key, fields, s);
		return;
	}
	s->word.value = (ref & CLS_VALUE) | CLS_LAST;
	if ((ref & CLS_KIND) == CLS_LIST) {
		__u64 off = (__u64)(ref & CLS_VALUE) * sizeof(__u32);

		if (off > (__u32)limit)
			return;
		s->word.value = *(const __u32 *)((const char *)blob + off);
	}
	CLS_UNROLL_NOT
	for (__u32 i = 1; i <= (packed ? CLS_PACKED_LIST : CLS_BOX_LIST); i++) {
		__u32 word = s->word.value;
		__u64 off;

		if ((word & CLS_VALUE) >= s->best.value)
			break;
		if (cls_box_holds(blob, limit, word & CLS_VALUE, key, fields)) {
			s->best.value = word & CLS_VALUE;
			break;
		}
		if (word & CLS_LAST)
			break;
		off = ((__u64)(s->end.value & CLS_VALUE) + i) * sizeof(__u32);
		if (off > (__u32)limit)
			break;
		s->word.value = *(const __u32 *)((const char *)blob + off);
	}
}

/* @key: CLS_FIELDS numbers, of which the first @fields count. */
CLS_INLINE __u32 cls_boxes(const void *blob, __u64 limit, const __u32 *key, __u32 fields)
{
	const struct cls_head *h = blob;
	__u64 off = (__u64)h->root * CLS_LINE;
	const struct cls_directory *d = (const struct cls_directory *)((const char *)blob + off);
	struct cls_search s;

	CLS_FORGET_INIT(&s);
	s.best.value = CLS_NONE;
	if (off > (__u32)limit)
		return CLS_NONE;
	CLS_UNROLL_NOT
	for (__u32 i = 0; i < CLS_TREES; i += 2) {
		if (i >= d->n_trees || d->tree[i].first >= s.best.value)
			break;
		cls_walk_two(blob, limit, key, d->tree[i].root, d->tree[i + 1].root, &s);
		CLS_UNROLL_NOT
		for (__u32 k = 0; k < 2; k++) {
			cls_boxes_end(blob, limit, key, fields, &s);
			s.end.value = s.other.value;
		}
	}
	CLS_UNROLL_NOT
	for (__u32 i = 0; i < CLS_EXTRA && !(limit >> 32); i++) {
		__u32 index;

		if (i >= CLS_READ(__u32, d->n_extra))
			break;
		index = CLS_READ(__u32, d->extra[i]);
		if (index < s.best.value && cls_box_holds(blob, limit, index, key, fields))
			s.best.value = index;
	}
	return s.best.value == CLS_NONE ? CLS_READ(__u32, h->catch_all) : s.best.value;
}

#endif
