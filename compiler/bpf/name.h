/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in chunks.
 */
#ifndef NFT_BPF_COMPILER_BPF_NAME_H
#define NFT_BPF_COMPILER_BPF_NAME_H

#include "nb.h"

/*
 * @chunk, and zeros from its first zero byte on: what stands behind a name's end is not zero where
 * there was a longer name before. Seen from the name's first byte up, the lowest mark is the end;
 * those above it may be wrong.
 */
NB_INLINE __u64 nb_trim_chunk(__u64 chunk, __u64 *ret_marks)
{
	__u64 x = __builtin_bswap64(chunk);
	const __u64 marks = (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;

	*ret_marks = marks;
	x &= (marks - 1) & ~marks;
	return __builtin_bswap64(x);
}

/* 16 bytes of a name in two chunks: what is behind its end becomes zero. */
NB_INLINE void nb_trim_name(__u64 *chunks)
{
	__u64 ends, more;

	chunks[0] = nb_trim_chunk(chunks[0], &ends);
	chunks[1] = ends ? 0 : nb_trim_chunk(chunks[1], &more);
}

#endif
