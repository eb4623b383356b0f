/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jhash() of include/linux/jhash.h (Bob Jenkins' lookup3), over a value in chunks, whose width is a
 * constant.
 */
#include "nb.h"

#define ROL(v, n) ((v) << (n) | (v) >> (32 - (n)))

/* The native 32-bit word at byte @at; what is behind @width counts as zero. */
NB_INLINE __u32 word(const __u64 *chunks, __u32 width, __u32 at)
{
	const __u32 in_chunk = width - at / 8 * 8 < 8 ? width - at / 8 * 8 : 8;
	__u64 bytes;

	if (at >= width)
		return 0;
	bytes = chunks[at / 8] << (64 - 8 * in_chunk); /* the first byte highest */
	return bpf_ntohl((__u32)(at % 8 ? bytes : bytes >> 32));
}

NB_API __u32 nb_jhash(const __u64 *chunks, __u32 width, __u32 seed)
{
	__u32 a = 0xdeadbeef + width + seed, b = a, c = a, at = 0;

#pragma unroll
	for (__u32 i = 0; i < 5; i++) {
		if (width - at > 12) {
			a += word(chunks, width, at);
			b += word(chunks, width, at + 4);
			c += word(chunks, width, at + 8);
			a -= c, a ^= ROL(c, 4), c += b;
			b -= a, b ^= ROL(a, 6), a += c;
			c -= b, c ^= ROL(b, 8), b += a;
			a -= c, a ^= ROL(c, 16), c += b;
			b -= a, b ^= ROL(a, 19), a += c;
			c -= b, c ^= ROL(b, 4), b += a;
			at += 12;
		}
	}
	a += word(chunks, width, at);
	b += word(chunks, width, at + 4);
	c += word(chunks, width, at + 8);
	c ^= b, c -= ROL(b, 14);
	a ^= c, a -= ROL(c, 11);
	b ^= a, b -= ROL(a, 25);
	c ^= b, c -= ROL(b, 16);
	a ^= c, a -= ROL(c, 4);
	b ^= a, b -= ROL(a, 14);
	c ^= b, c -= ROL(b, 24);
	return c;
}
