/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in chunks.
 */
#ifndef NFT_BPF_COMPILER_BPF_NAME_H
#define NFT_BPF_COMPILER_BPF_NAME_H

#include "nb.h"

/*
 * All bits from the highest zero byte of @chunk down: what stands behind a name's end is not zero
 * where there was a longer name before.
 */
NB_INLINE __u64 nb_from_nul(__u64 chunk)
{
	const __u64 low = 0x7f7f7f7f7f7f7f7full;
	__u64 m = ~(((chunk & low) + low) | chunk | low);

	m |= m >> 1;
	m |= m >> 2;
	m |= m >> 4;
	m |= m >> 8;
	m |= m >> 16;
	return m | m >> 32;
}

/* 16 bytes of a name in two chunks: what is behind its end becomes zero. */
NB_INLINE void nb_trim_name(__u64 *chunks)
{
	const __u64 nul = nb_from_nul(chunks[0]);

	chunks[0] &= ~nul;
	chunks[1] = nul ? 0 : chunks[1] & ~nb_from_nul(chunks[1]);
}

#endif
